-- What proves an answer beside Message-IDs, and which messages are about a meeting.
ALTER TABLE messages ADD COLUMN conversation TEXT /* root of Outlook's Thread-Index, in hex */;
ALTER TABLE messages ADD COLUMN original_id TEXT /* Message-ID before a relay replaced it */;
CREATE INDEX messages_conversation ON messages (conversation) WHERE conversation IS NOT NULL;
CREATE INDEX messages_original_id ON messages (original_id) WHERE original_id IS NOT NULL;
CREATE TABLE invitations (
  uid TEXT NOT NULL /* iTIP UID of a meeting that a message is about */,
  message INTEGER NOT NULL REFERENCES messages (id),
  PRIMARY KEY (uid, message)
) WITHOUT ROWID;
CREATE INDEX invitations_message ON invitations (message);
INSERT OR IGNORE INTO invitations
SELECT json_extract(i.value, '$.uid'), m.id FROM messages m, json_each(m.invites) i
WHERE m.invites IS NOT NULL;
