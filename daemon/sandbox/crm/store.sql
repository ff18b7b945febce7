-- What a store holds beside the records, whose tables are made from the columns in store.py.
CREATE TABLE IF NOT EXISTS conversions (
  id TEXT PRIMARY KEY, lead_id TEXT NOT NULL, user_id INTEGER NOT NULL, stage_id INTEGER NOT NULL,
  started REAL NOT NULL, polls INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL, deal_id INTEGER);
CREATE INDEX IF NOT EXISTS conversions_open ON conversions (status);
CREATE TABLE IF NOT EXISTS requests (
  number INTEGER PRIMARY KEY, at REAL NOT NULL, user TEXT NOT NULL, method TEXT NOT NULL,
  path TEXT NOT NULL, query TEXT NOT NULL, body TEXT NOT NULL, status INTEGER NOT NULL,
  outcome INTEGER NOT NULL, tokens INTEGER NOT NULL, call TEXT NOT NULL, fault TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS usage (
  day TEXT NOT NULL, call TEXT NOT NULL, calls INTEGER NOT NULL, tokens INTEGER NOT NULL,
  PRIMARY KEY (day, call));
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS hidden (
  kind TEXT NOT NULL, id, user_id INTEGER NOT NULL, PRIMARY KEY (kind, id, user_id));
CREATE TABLE IF NOT EXISTS replaced (
  number INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, id, doc TEXT);
CREATE TABLE IF NOT EXISTS search_queue (
  number INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
  doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS search_docs (
  kind TEXT NOT NULL, id TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS search_terms (
  kind TEXT NOT NULL, id TEXT NOT NULL, field TEXT NOT NULL, term TEXT NOT NULL,
  folded TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS search_terms_by_record ON search_terms (kind, id);
CREATE INDEX IF NOT EXISTS search_terms_by_term ON search_terms (folded);
