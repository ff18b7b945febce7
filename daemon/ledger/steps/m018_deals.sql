-- Deals that several senders share, and who takes part in them.
ALTER TABLE journal ADD COLUMN deal TEXT /* the sender whose deal, on its way, it waits for */;
ALTER TABLE crm_deals ADD COLUMN touched_at TEXT /* its last change, as it was listed */;
CREATE INDEX crm_deals_organization ON crm_deals (organization_id);
CREATE INDEX messages_thread ON messages (thread) WHERE thread IS NOT NULL;
INSERT INTO counts VALUES ('records', 'participant', 0);
DROP TRIGGER journal_creates;
CREATE TRIGGER journal_creates AFTER UPDATE OF state ON journal
WHEN NEW.state = 'done' AND OLD.state <> 'done'
 AND NEW.action IN ('create', 'convert') AND NEW.kind NOT IN ('activity', 'field', 'participant')
BEGIN
  INSERT INTO creates VALUES (substr(NEW.done_at, 1, 13), 1,
    EXISTS (SELECT 1 FROM approvals
            WHERE id = (SELECT max(id) FROM approvals) AND used < creates))
  ON CONFLICT DO UPDATE SET n = n + 1, approved = approved + excluded.approved;
  UPDATE approvals SET used = used + 1
   WHERE id = (SELECT max(id) FROM approvals) AND used < creates;
END;
