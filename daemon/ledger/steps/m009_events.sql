-- The outbox of what others are told.
CREATE TABLE receivers ( /* Who is told what happened. */
  name TEXT PRIMARY KEY,
  since TEXT NOT NULL,            /* when it was configured; what lies before is no news to it */
  failures INTEGER NOT NULL DEFAULT 0, /* in a row */
  not_before TEXT,
  last_error TEXT
) WITHOUT ROWID;
CREATE TABLE events ( /* What happened, until each receiver has been told. */
  id INTEGER PRIMARY KEY,
  receiver TEXT NOT NULL,
  kind TEXT NOT NULL,             /* lead_created, deal_created, lead_converted, first_reply, … */
  key TEXT NOT NULL,              /* what it is about: told once for a kind and a key */
  sender TEXT,
  facts TEXT NOT NULL,            /* JSON */
  happened_at TEXT NOT NULL,
  parked INTEGER NOT NULL DEFAULT 0, /* 1: refused, or given up after three days */
  last_error TEXT,
  told_at TEXT,
  UNIQUE (receiver, kind, key)
);
CREATE INDEX events_waiting ON events (receiver, id) WHERE told_at IS NULL;
CREATE INDEX events_sender ON events (sender) WHERE sender IS NOT NULL;
CREATE INDEX events_told ON events (told_at) WHERE told_at IS NOT NULL;
