-- What tells copies of a mail, folders and accounts whatever they are called.
ALTER TABLE messages ADD COLUMN text_hash TEXT NOT NULL DEFAULT '' /* of its first letters */;
ALTER TABLE messages ADD COLUMN twin TEXT /* of author, words and date: what copies have alike */;
CREATE INDEX messages_twin ON messages (twin) WHERE twin IS NOT NULL;
CREATE TABLE copies (
  -- Another copy of a message, as a gateway, a group, a relay or a second server has made it.
  key TEXT PRIMARY KEY,           -- message key of the copy, by which an activity may be marked
  message INTEGER NOT NULL REFERENCES messages (id),
  message_id TEXT                 -- another Message-ID by which the mail goes
) WITHOUT ROWID;
CREATE INDEX copies_message_id ON copies (message_id) WHERE message_id IS NOT NULL;
ALTER TABLE folders ADD COLUMN account TEXT /* host and login; another account begins anew */;
ALTER TABLE folders ADD COLUMN object_id TEXT /* MAILBOXID of RFC 8474, where there is one */;
ALTER TABLE folders ADD COLUMN first_uid INTEGER /* UIDNEXT at the first look: what came later */;
ALTER TABLE folders ADD COLUMN floor_uid INTEGER /* read from here on: floor was a wrong clock's */;
ALTER TABLE folders ADD COLUMN resets INTEGER NOT NULL DEFAULT 0 /* UIDVALIDITY changes in a row */;
ALTER TABLE sightings ADD COLUMN size INTEGER /* RFC822.SIZE: a UID given out twice shows by it */;
ALTER TABLE sightings ADD COLUMN arrived_at TEXT /* INTERNALDATE at this place */;
UPDATE messages SET text_hash = text_hash(snippet) WHERE from_address IS NOT NULL;
UPDATE messages SET twin = trace(from_address, subject, text_hash) || coalesce(date, '')
 WHERE from_address IS NOT NULL;
