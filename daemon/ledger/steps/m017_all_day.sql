-- Meetings that last whole days.
ALTER TABLE meetings ADD COLUMN all_day INTEGER NOT NULL DEFAULT 0
  /* 1: starts_at is the midnight, in UTC, of a whole day */;
