-- Which version has read each message, so that older ones are read again.
ALTER TABLE messages ADD COLUMN parsed INTEGER DEFAULT 0
  /* version of the parser that read it: an older one is read again; NULL: it lies nowhere now */;
CREATE INDEX messages_stale ON messages (sent_at, id) WHERE parsed < 1;
ALTER TABLE sightings ADD COLUMN gone INTEGER NOT NULL DEFAULT 0 /* 1: not to be read there now */;
ALTER TABLE senders ADD COLUMN held_since TEXT
  /* reading mail again has raised its class; what is to be made of it waits for consent */;
