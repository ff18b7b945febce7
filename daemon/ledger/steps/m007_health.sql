-- What fails and since when, what a person approved, and how much was created by the hour.
CREATE TABLE conditions ( /* How a part of the program is, since when, and why. */
  part TEXT NOT NULL,             /* sync, listing, resting, approval, clock */
  name TEXT NOT NULL,             /* which of several, such as a kind of record, else empty */
  good_at TEXT,                   /* when it last worked */
  failing_since TEXT,             /* NULL: it works */
  failures INTEGER NOT NULL DEFAULT 0, /* in a row */
  reason TEXT NOT NULL DEFAULT '',
  next_try TEXT,
  needs_person INTEGER NOT NULL DEFAULT 0, /* 1: it won't recover without a person */
  PRIMARY KEY (part, name)
) WITHOUT ROWID;
CREATE TABLE approvals ( /* What a person allowed beyond the safety limit. */
  id INTEGER PRIMARY KEY,
  given_at TEXT NOT NULL,
  command TEXT NOT NULL,
  until TEXT,                     /* all that is planned by then, or NULL: the number below */
  creates INTEGER NOT NULL,       /* records that may be created, activities apart */
  used INTEGER NOT NULL DEFAULT 0 /* how many of them were */
);
CREATE TABLE creates ( /* Records created, activities apart, by hour: the safety limit's memory. */
  hour TEXT PRIMARY KEY,          /* UTC, such as 2026-11-24T15 */
  n INTEGER NOT NULL,
  approved INTEGER NOT NULL       /* how many of them a person had allowed */
) WITHOUT ROWID;
INSERT INTO creates SELECT substr(done_at, 1, 13), count(*), 0 FROM journal
 WHERE state = 'done' AND action IN ('create', 'convert') AND kind NOT IN ('activity', 'field')
 GROUP BY 1;
ALTER TABLE journal ADD COLUMN sending_since TEXT /* when the latest request for it left */;
CREATE TRIGGER journal_creates AFTER UPDATE OF state ON journal
WHEN NEW.state = 'done' AND OLD.state <> 'done'
 AND NEW.action IN ('create', 'convert') AND NEW.kind NOT IN ('activity', 'field')
BEGIN
  INSERT INTO creates VALUES (substr(NEW.done_at, 1, 13), 1,
    EXISTS (SELECT 1 FROM approvals
            WHERE id = (SELECT max(id) FROM approvals) AND used < creates))
  ON CONFLICT DO UPDATE SET n = n + 1, approved = approved + excluded.approved;
  UPDATE approvals SET used = used + 1
   WHERE id = (SELECT max(id) FROM approvals) AND used < creates;
END;
