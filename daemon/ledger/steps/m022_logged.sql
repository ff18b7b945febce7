-- Which messages still lack an activity, without a look at all that have one.
ALTER TABLE correspondence ADD COLUMN logged INTEGER NOT NULL DEFAULT 0
  /* 1: an activity names the sender, or is on its way */;
CREATE INDEX correspondence_unlogged ON correspondence (sender)
  WHERE verdict = 'contact' AND NOT logged;
CREATE TRIGGER journal_delete_logged AFTER DELETE ON journal
WHEN OLD.kind = 'activity' AND OLD.state <> 'done' BEGIN
  UPDATE correspondence SET logged = 0
   WHERE message = (SELECT id FROM messages WHERE key = OLD.key);
END;
CREATE TRIGGER records_delete_logged AFTER DELETE ON records WHEN OLD.kind = 'activity' BEGIN
  UPDATE correspondence SET logged = 0
   WHERE message = (SELECT id FROM messages WHERE key = OLD.key);
END;
CREATE TRIGGER journal_update_logged AFTER UPDATE OF fields ON journal
WHEN NEW.kind = 'activity' AND NEW.state <> 'done' BEGIN
  UPDATE correspondence SET logged = 0
   WHERE message = (SELECT id FROM messages WHERE key = NEW.key) AND logged
    AND instr(NEW.fields, '"' || sender || '"') = 0;
END;
CREATE TRIGGER records_insert_logged AFTER INSERT ON records WHEN NEW.kind = 'activity' BEGIN
  UPDATE correspondence SET logged = 0
   WHERE message = (SELECT id FROM messages WHERE key = NEW.key) AND logged
    AND instr(NEW.fields, '"' || sender || '"') = 0;
END;
CREATE TRIGGER records_update_logged AFTER UPDATE OF fields ON records
WHEN NEW.kind = 'activity' BEGIN
  UPDATE correspondence SET logged = 0
   WHERE message = (SELECT id FROM messages WHERE key = NEW.key) AND logged
    AND instr(NEW.fields, '"' || sender || '"') = 0;
END;
