-- Who was in copy of others' mails.
ALTER TABLE senders ADD COLUMN copied INTEGER NOT NULL DEFAULT 0
  /* mails of others' conversations with it in To or Cc */;
