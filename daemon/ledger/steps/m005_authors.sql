-- The name that each message gives its sender, and the way by which we know who wrote it.
ALTER TABLE correspondence ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE correspondence ADD COLUMN way TEXT NOT NULL DEFAULT 'from';
UPDATE correspondence SET
  name = coalesce((SELECT CASE WHEN m.from_address = sender THEN m.from_name
                               ELSE json_extract(m.facts, '$.group[0]') END
                   FROM messages m WHERE m.id = message AND m.direction = 'received'), ''),
  way = CASE WHEN (SELECT m.direction = 'sent' OR m.from_address = sender
                   FROM messages m WHERE m.id = message) THEN 'from' ELSE 'group' END;
