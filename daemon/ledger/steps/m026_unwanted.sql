-- Which records the configuration would no longer make, without a look at all of them.
CREATE TABLE unwanted (
  -- Records of ours that the configuration of now would not make; they stay. Kept by triggers:
  -- comparing all records with all senders would take a second.
  key TEXT NOT NULL,              -- as in records
  kind TEXT NOT NULL,             -- person, lead, deal
  PRIMARY KEY (key, kind)
) WITHOUT ROWID;
INSERT INTO unwanted SELECT r.key, r.kind FROM records r LEFT JOIN senders s ON s.address = r.key
WHERE r.kind IN ('person', 'lead', 'deal')
     AND r.origin = 'created' AND r.tombstone IS NULL AND r.pipedrive_id IS NOT NULL
     AND (s.class IS NULL OR (r.kind = 'deal' AND s.class = 'lead')
       OR (s.class = 'ignore' AND NOT (r.kind = 'person' AND s.copied)));
CREATE TRIGGER unwanted_insert AFTER INSERT ON unwanted BEGIN
  DELETE FROM unwanted WHERE key = NEW.key AND kind = NEW.kind AND NOT EXISTS (
   SELECT 1 FROM records r LEFT JOIN senders s ON s.address = r.key
   WHERE r.kind = NEW.kind AND r.key = NEW.key AND r.kind IN ('person', 'lead', 'deal')
     AND r.origin = 'created' AND r.tombstone IS NULL AND r.pipedrive_id IS NOT NULL
     AND (s.class IS NULL OR (r.kind = 'deal' AND s.class = 'lead')
       OR (s.class = 'ignore' AND NOT (r.kind = 'person' AND s.copied))));
END;
CREATE TRIGGER senders_insert_unwanted AFTER INSERT ON senders BEGIN
  DELETE FROM unwanted WHERE key = NEW.address;
  INSERT INTO unwanted SELECT key, kind FROM records
   WHERE kind IN ('person', 'lead', 'deal') AND key = NEW.address;
END;
CREATE TRIGGER senders_delete_unwanted AFTER DELETE ON senders BEGIN
  DELETE FROM unwanted WHERE key = OLD.address;
  INSERT INTO unwanted SELECT key, kind FROM records
   WHERE kind IN ('person', 'lead', 'deal') AND key = OLD.address;
END;
CREATE TRIGGER senders_update_unwanted AFTER UPDATE OF class, copied ON senders
WHEN NEW.class <> OLD.class OR (NEW.copied > 0) <> (OLD.copied > 0) BEGIN
  DELETE FROM unwanted WHERE key = NEW.address;
  INSERT INTO unwanted SELECT key, kind FROM records
   WHERE kind IN ('person', 'lead', 'deal') AND key = NEW.address;
END;
CREATE TRIGGER records_insert_unwanted AFTER INSERT ON records
WHEN NEW.kind IN ('person', 'lead', 'deal') BEGIN
  DELETE FROM unwanted WHERE key = NEW.key AND kind = NEW.kind;
  INSERT INTO unwanted VALUES (NEW.key, NEW.kind);
END;
CREATE TRIGGER records_delete_unwanted AFTER DELETE ON records
WHEN OLD.kind IN ('person', 'lead', 'deal') BEGIN
  DELETE FROM unwanted WHERE key = OLD.key AND kind = OLD.kind;
  INSERT INTO unwanted VALUES (OLD.key, OLD.kind);
END;
CREATE TRIGGER records_update_unwanted AFTER UPDATE OF kind, origin, tombstone, pipedrive_id
  ON records
WHEN 'activity' NOT IN (OLD.kind, NEW.kind) BEGIN
  DELETE FROM unwanted WHERE (key, kind) IN (VALUES (OLD.key, OLD.kind), (NEW.key, NEW.kind));
  INSERT INTO unwanted SELECT OLD.key, OLD.kind UNION SELECT NEW.key, NEW.kind;
END;
-- Who was in touch lately, and which meetings are near, without a look at all.
CREATE INDEX senders_last_contact ON senders (last_contact) WHERE class <> 'ignore';
CREATE INDEX meetings_starts_at ON meetings (starts_at) WHERE counts;
