-- Whom to answer, and when people are to be reminded of it.
ALTER TABLE senders ADD COLUMN follow_up TEXT /* record key of its latest task to answer */;
ALTER TABLE senders ADD COLUMN follow_up_due TEXT /* when a mail will have waited long enough */;
CREATE INDEX senders_follow_up ON senders (follow_up_due) WHERE follow_up_due IS NOT NULL;
