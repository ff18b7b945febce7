-- What fails of receivers is a condition; what a change is parked for has a column.
ALTER TABLE receivers DROP COLUMN failures;
ALTER TABLE receivers DROP COLUMN not_before;
ALTER TABLE receivers DROP COLUMN last_error;
CREATE INDEX events_parked ON events (receiver) WHERE parked;
DELETE FROM conditions WHERE part = 'events';
ALTER TABLE journal ADD COLUMN parked_for TEXT
  /* what it was set aside for: person, until there is one */;
UPDATE journal SET parked_for = 'person'
 WHERE state = 'parked' AND last_error LIKE 'its person isn''t in Pipedrive%';
