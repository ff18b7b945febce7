-- Long histories, which one message more need not read again.
ALTER TABLE senders ADD COLUMN carried TEXT /* JSON: of a long history, for one message more */;
