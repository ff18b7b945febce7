-- What isn't to be seen in Pipedrive, and what it refuses: neither is for ever.
ALTER TABLE records ADD COLUMN shown INTEGER NOT NULL DEFAULT 1
  /* 0: no listing or look has shown it since we made it */;
ALTER TABLE records ADD COLUMN missing_since TEXT
  /* the first look that didn't find it, and none has since */;
ALTER TABLE records ADD COLUMN missing_why TEXT /* not found, not visible */;
CREATE TABLE resting ( /* Kinds of records that were refused since the last that was taken. */
  kind TEXT PRIMARY KEY,
  alike TEXT NOT NULL,            -- status and code that the refusals share
  refused TEXT NOT NULL,          -- JSON: keys of the last three different records
  reason TEXT NOT NULL,
  since TEXT NOT NULL,
  tries INTEGER NOT NULL,         -- how often one was tried since the kind rests
  next_try TEXT                   -- NULL: fewer than three, nothing rests yet
) WITHOUT ROWID;
CREATE INDEX records_missing ON records (kind, pipedrive_id)
  WHERE tombstone IS NULL AND (NOT shown OR missing_since IS NOT NULL);
CREATE INDEX records_second_look ON records (missing_since)
  WHERE tombstone IS NULL AND missing_since IS NOT NULL AND shown;
CREATE INDEX records_deleted ON records (kind, pipedrive_id) WHERE tombstone = 'deleted';
