-- Where a mail was ever seen: who it is from is judged again when the configuration is edited.
ALTER TABLE messages ADD COLUMN seen_in TEXT NOT NULL DEFAULT 'inbox';
UPDATE messages SET seen_in = CASE
  WHEN in_sent THEN iif(EXISTS (
    SELECT 1 FROM sightings s JOIN folders f ON f.id = s.folder
    WHERE s.message = messages.id AND f.role = 'inbox'), 'both', 'sent')
  ELSE 'both' END
WHERE in_sent OR EXISTS (
  SELECT 1 FROM sightings s JOIN folders f ON f.id = s.folder
  WHERE s.message = messages.id AND f.role = 'sent');
