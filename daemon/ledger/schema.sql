-- The ledger as a new one is made: every table, view and trigger, with what its columns mean.
--
-- A public interface: people open the ledger with sqlite3, sqlite-utils or Datasette, so a column
-- once released keeps its name and meaning. All instants are UTC, ISO 8601, seconds, `Z`. No mail
-- body is kept anywhere: a subject, a bounded snippet, header facts.
--
-- Whoever changes a table here writes the step for ledgers that exist into steps/; new
-- columns go to the end, where that step puts them. Views need no step of their own.

-- Mailboxes ---------------------------------------------------------------------------------------

CREATE TABLE folders (
  -- One IMAP folder that we read.
  id INTEGER PRIMARY KEY,
  mailbox TEXT NOT NULL,          -- name in the configuration
  name TEXT NOT NULL,             -- decoded folder name
  role TEXT NOT NULL CHECK (role IN ('inbox', 'sent')),
  uidvalidity INTEGER,            -- of the epoch that we read now; NULL before the first look
  uidnext INTEGER,                -- every UID below it has been looked at
  highestmodseq INTEGER,          -- at the last poll that read something, where there is one
  floor TEXT,                     -- what arrived before isn't read; NULL: read from the beginning
  scanned_at TEXT,                -- last set difference over the whole folder
  polled_at TEXT,                 -- last good poll
  failures INTEGER NOT NULL DEFAULT 0, -- in a row
  last_error TEXT,
  next_due TEXT,                  -- not polled before, after failures
  active INTEGER NOT NULL DEFAULT 1, -- 0: no longer in the configuration or on the server
  account TEXT,                   -- host and login; another account begins anew
  object_id TEXT,                 -- MAILBOXID of RFC 8474, where there is one
  first_uid INTEGER,              -- UIDNEXT at the first look: what came later
  floor_uid INTEGER,              -- read from here on, where the floor was set by a wrong clock
  resets INTEGER NOT NULL DEFAULT 0, -- UIDVALIDITY changes in a row
  messages INTEGER,               -- how many the server counted at that poll
  UNIQUE (mailbox, name)
);

CREATE TABLE troubles (
  -- One mailbox that can't be polled as a whole; no row for one that works.
  mailbox TEXT PRIMARY KEY,       -- name in the configuration
  failures INTEGER NOT NULL,      -- in a row
  reason TEXT NOT NULL,
  failing_since TEXT NOT NULL,
  next_due TEXT                   -- next try; NULL: parked, only a person can mend it
) WITHOUT ROWID;

CREATE TABLE quarantine (
  -- What can't be read, until it can or somebody looks at it.
  folder INTEGER NOT NULL REFERENCES folders (id),
  uidvalidity INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  reason TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  first_seen TEXT NOT NULL,
  not_before TEXT,                -- next try; NULL: only by `mail2deal retry`
  PRIMARY KEY (folder, uidvalidity, uid)
) WITHOUT ROWID;

-- Messages ----------------------------------------------------------------------------------------

CREATE TABLE messages (
  -- One distinct mail, however many folders and mailboxes it was seen in.
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,       -- message key, 32 hex digits
  message_id TEXT,                -- Message-ID without <>, NULL if the mail has none
  direction TEXT CHECK (direction IN ('received', 'sent')), -- NULL: neither, ignored
  verdict TEXT NOT NULL CHECK (verdict IN ('contact', 'evidence', 'ignored')),
  reason TEXT NOT NULL,           -- why, before what we know of the sender is weighed
  from_address TEXT,              -- sender key of From
  from_name TEXT,
  subject TEXT NOT NULL,
  snippet TEXT NOT NULL,          -- readable beginning, bounded by activities.snippet_chars
  date TEXT,                      -- Date header, NULL if it can't be read
  arrived_at TEXT NOT NULL,       -- earliest INTERNALDATE
  sent_at TEXT NOT NULL,          -- date, if arrived_at makes it possible, else arrived_at
  in_sent INTEGER NOT NULL,       -- 1: judged as a mail in Sent; seen_in says where it lay
  thread TEXT,                    -- the server's thread id, where it has one
  size INTEGER NOT NULL,          -- bytes, RFC822.SIZE
  answers TEXT NOT NULL,          -- Message-IDs that it answers, nearest first, by spaces
  invites TEXT,                   -- JSON: its iTIP calendar parts, NULL without one
  facts TEXT NOT NULL,            -- JSON: recipients, header signals, what else the verdict rests on
  conversation TEXT,              -- root of Outlook's Thread-Index, in hex
  original_id TEXT,               -- Message-ID before a relay replaced it
  text_hash TEXT NOT NULL DEFAULT '', -- of its first letters
  twin TEXT,                      -- of author, words and date: what copies have in common
  parsed INTEGER DEFAULT 0,       -- parser that read it: an older one's is read again; NULL: can't be
  seen_in TEXT NOT NULL DEFAULT 'inbox' -- roles of all folders where it ever was: inbox, sent, both
);
CREATE INDEX messages_message_id ON messages (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX messages_from ON messages (from_address, in_sent);
CREATE INDEX messages_sent_at ON messages (sent_at);
CREATE INDEX messages_thread ON messages (thread) WHERE thread IS NOT NULL;
CREATE INDEX messages_conversation ON messages (conversation) WHERE conversation IS NOT NULL;
CREATE INDEX messages_original_id ON messages (original_id) WHERE original_id IS NOT NULL;
CREATE INDEX messages_twin ON messages (twin) WHERE twin IS NOT NULL;
CREATE INDEX messages_stale ON messages (sent_at, id) WHERE parsed < 1;

CREATE TABLE sightings (
  -- One place where a message was seen. message is NULL for what lies below the folder's floor.
  folder INTEGER NOT NULL REFERENCES folders (id),
  uidvalidity INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  message INTEGER REFERENCES messages (id),
  size INTEGER,                   -- RFC822.SIZE: it shows that a UID was given out twice
  arrived_at TEXT,                -- INTERNALDATE at this place
  gone INTEGER NOT NULL DEFAULT 0, -- 1: not to be read there any more
  PRIMARY KEY (folder, uidvalidity, uid)
) WITHOUT ROWID;
CREATE INDEX sightings_message ON sightings (message) WHERE message IS NOT NULL;

CREATE TABLE copies (
  -- Another copy of a message, as a gateway, a group, a relay or a second server has made it.
  key TEXT PRIMARY KEY,           -- message key of the copy, by which an activity may be marked
  message INTEGER NOT NULL REFERENCES messages (id),
  message_id TEXT                 -- another Message-ID by which the mail goes
) WITHOUT ROWID;
CREATE INDEX copies_message_id ON copies (message_id) WHERE message_id IS NOT NULL;

CREATE TABLE answers (
  -- Message-IDs that a message answers (In-Reply-To, References).
  answered TEXT NOT NULL,
  message INTEGER NOT NULL REFERENCES messages (id),
  PRIMARY KEY (answered, message)
) WITHOUT ROWID;

CREATE TABLE invitations (
  -- Meetings that a message is about.
  uid TEXT NOT NULL,              -- iTIP UID
  message INTEGER NOT NULL REFERENCES messages (id),
  PRIMARY KEY (uid, message)
) WITHOUT ROWID;
CREATE INDEX invitations_message ON invitations (message);

-- Senders -----------------------------------------------------------------------------------------

CREATE TABLE senders (
  -- One outside address and its state: a pure function of the messages above.
  address TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  domain TEXT NOT NULL,
  organization TEXT,              -- registrable domain; NULL for public e-mail providers
  msg_count INTEGER NOT NULL,     -- contact messages received
  sent_count INTEGER NOT NULL,    -- contact messages that we sent them
  replies INTEGER NOT NULL,       -- either direction
  meetings INTEGER NOT NULL,
  thread_count INTEGER NOT NULL,
  first_contact TEXT,
  last_contact TEXT,
  avg_response_hours REAL,        -- mean of the sender's times to answer us; NULL without one
  class TEXT NOT NULL CHECK (class IN ('ignore', 'lead', 'person_with_deal')),
  reason TEXT NOT NULL,           -- why this class
  notes TEXT NOT NULL DEFAULT '', -- what the sync left alone, and why
  mailbox TEXT,                   -- where the first contact was seen; its owner owns the records
  digest TEXT NOT NULL,           -- of the whole state, verdicts and meetings included
  version INTEGER NOT NULL,       -- grows with each change of the state
  synced_version INTEGER NOT NULL DEFAULT 0, -- version that the sync has planned
  held_since TEXT,                -- old mail would newly make records of it: waits for consent
  follow_up TEXT,                 -- record key of its latest task to answer
  follow_up_due TEXT,             -- when a mail will have waited long enough for our answer
  copied INTEGER NOT NULL DEFAULT 0, -- mails of others' conversations with it in To or Cc
  carried TEXT                    -- JSON: of a long history, what one message more needs to know
) WITHOUT ROWID;
CREATE INDEX senders_follow_up ON senders (follow_up_due) WHERE follow_up_due IS NOT NULL;
CREATE INDEX senders_due ON senders (version) WHERE version > synced_version;
CREATE INDEX senders_last_contact ON senders (last_contact) WHERE class <> 'ignore';
CREATE INDEX senders_organization ON senders (organization);

CREATE TABLE correspondence (
  -- A message as it belongs to a sender, with the verdict that counts.
  sender TEXT NOT NULL,
  message INTEGER NOT NULL REFERENCES messages (id),
  verdict TEXT NOT NULL,
  reason TEXT NOT NULL,
  name TEXT NOT NULL DEFAULT '',  -- the name that the message gives the sender
  way TEXT NOT NULL DEFAULT 'from', -- how we know who wrote it: from, group, form, forward, …
  logged INTEGER NOT NULL DEFAULT 0, -- 1: an activity names the sender, or is on its way
  PRIMARY KEY (sender, message)
) WITHOUT ROWID;
CREATE INDEX correspondence_message ON correspondence (message);
CREATE INDEX correspondence_unlogged ON correspondence (sender)
  WHERE verdict = 'contact' AND NOT logged;

CREATE TABLE meetings (
  -- One meeting with a sender, by iTIP UID.
  sender TEXT NOT NULL,
  uid TEXT NOT NULL,
  summary TEXT NOT NULL,
  starts_at TEXT,
  ends_at TEXT,
  status TEXT NOT NULL,           -- accepted, tentative, invited, declined, cancelled
  organizer TEXT NOT NULL,        -- us or them
  counts INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  all_day INTEGER NOT NULL DEFAULT 0, -- 1: starts_at is the midnight, in UTC, of a whole day
  PRIMARY KEY (sender, uid)
) WITHOUT ROWID;
CREATE INDEX meetings_uid ON meetings (uid);
CREATE INDEX meetings_starts_at ON meetings (starts_at) WHERE counts;

CREATE TABLE sender_facts (
  -- What a sender's forms and signatures say: the newest of each kind.
  sender TEXT NOT NULL,
  kind TEXT NOT NULL,             -- phone, title, company
  value TEXT NOT NULL,
  source TEXT NOT NULL,           -- form; from: the signature; forward: that of a forwarded mail
  PRIMARY KEY (sender, kind)
) WITHOUT ROWID;

CREATE TABLE assignments (
  -- Which of a route's owners has what, so that they take turns.
  route TEXT NOT NULL,
  key TEXT NOT NULL,              -- organization, or the address of a sender without one
  owner TEXT NOT NULL,            -- e-mail address of the Pipedrive user
  PRIMARY KEY (route, key)
) WITHOUT ROWID;

CREATE TABLE forgotten (
  -- Who asked to be forgotten: a salted hash, so that their mail is known and let go of.
  hash TEXT PRIMARY KEY, forgotten_at TEXT NOT NULL
) WITHOUT ROWID;

-- Records in Pipedrive ----------------------------------------------------------------------------

CREATE TABLE records (
  -- One Pipedrive object that we made or adopted.
  kind TEXT NOT NULL,             -- organization, person, lead, deal, participant, activity, field
  key TEXT NOT NULL,              -- domain, address, address, address, message key, field name
  pipedrive_id TEXT,              -- NULL: a tombstone of something that was never ours
  origin TEXT NOT NULL CHECK (origin IN ('created', 'adopted')),
  fields TEXT NOT NULL,           -- JSON: what we last wrote
  written_at TEXT,
  seen_at TEXT,                   -- last time that Pipedrive showed it to us
  tombstone TEXT,                 -- deleted, merged, archived, converted, parted, forgotten: never again
  tombstone_at TEXT,
  reason TEXT,                    -- why adopted, or what the tombstone rests on
  sender TEXT,
  run INTEGER,                    -- the run that created it
  shown INTEGER NOT NULL DEFAULT 1, -- 0: no listing or look has shown it since we made it
  missing_since TEXT,             -- the first look that didn't find it, and none has since
  missing_why TEXT,               -- not found, not visible
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE INDEX records_sender ON records (sender, kind);
CREATE INDEX records_pipedrive_id ON records (kind, pipedrive_id);
CREATE INDEX records_run ON records (run) WHERE run IS NOT NULL;
CREATE INDEX records_written ON records (kind, written_at);
CREATE INDEX records_missing ON records (kind, pipedrive_id)
  WHERE tombstone IS NULL AND (NOT shown OR missing_since IS NOT NULL);
CREATE INDEX records_second_look ON records (missing_since)
  WHERE tombstone IS NULL AND missing_since IS NOT NULL AND shown;
CREATE INDEX records_deleted ON records (kind, pipedrive_id) WHERE tombstone = 'deleted';

CREATE TABLE journal (
  -- Changes on their way to Pipedrive.
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('create', 'update', 'convert', 'archive')),
  sender TEXT,
  organization TEXT,              -- record key of the organization that it waits for
  stage INTEGER NOT NULL,         -- 0 organization, 1 person, 2 lead or deal, 3 what hangs on them
  fields TEXT NOT NULL,           -- JSON: what the record shall say
  rank TEXT NOT NULL,             -- order of spending, smallest first
  state TEXT NOT NULL CHECK (state IN ('planned', 'sending', 'waiting', 'parked', 'done')),
  version INTEGER NOT NULL,       -- grows when a newer plan takes the row over
  unknown INTEGER NOT NULL DEFAULT 0, -- 1: may have been done; look before doing it again
  conversion TEXT,                -- id of a running lead conversion
  attempts INTEGER NOT NULL DEFAULT 0,
  not_before TEXT,
  last_error TEXT,
  planned_at TEXT NOT NULL,
  sent_at TEXT,                   -- when the first request for it left
  done_at TEXT,
  run INTEGER,
  sending_since TEXT,             -- when the latest request for it left
  parked_for TEXT,                -- what it was set aside for: person, until there is one
  deal TEXT                       -- the sender whose deal, on its way, it waits for
);
CREATE UNIQUE INDEX journal_open ON journal (kind, key) WHERE state <> 'done';
CREATE INDEX journal_due ON journal (rank) WHERE state IN ('planned', 'waiting');
CREATE INDEX journal_sender ON journal (sender, stage) WHERE state <> 'done';
CREATE INDEX journal_done ON journal (done_at) WHERE state = 'done';
CREATE INDEX journal_state ON journal (state, not_before);

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

CREATE TABLE resting (
  -- Kinds of records that were refused since the last that was taken.
  kind TEXT PRIMARY KEY,
  alike TEXT NOT NULL,            -- status and code that the refusals share
  refused TEXT NOT NULL,          -- JSON: keys of the last three different records
  reason TEXT NOT NULL,
  since TEXT NOT NULL,
  tries INTEGER NOT NULL,         -- how often one was tried since the kind rests
  next_try TEXT                   -- NULL: fewer than three, nothing rests yet
) WITHOUT ROWID;

CREATE TABLE approvals (
  -- What a person allowed beyond the safety limit.
  id INTEGER PRIMARY KEY,
  given_at TEXT NOT NULL,
  command TEXT NOT NULL,
  until TEXT,                     -- all that is planned by then, or NULL: the number below
  creates INTEGER NOT NULL,       -- records that may be created, activities apart
  used INTEGER NOT NULL DEFAULT 0 -- how many of them were
);

CREATE TABLE creates (
  -- Records created, activities apart, by hour: the safety limit's memory.
  hour TEXT PRIMARY KEY,          -- UTC, such as 2026-11-24T15
  n INTEGER NOT NULL,
  approved INTEGER NOT NULL       -- how many of them a person had allowed
) WITHOUT ROWID;

CREATE TRIGGER journal_creates AFTER UPDATE OF state ON journal
WHEN NEW.state = 'done' AND OLD.state <> 'done'
 AND NEW.action IN ('create', 'convert') AND NEW.kind NOT IN ('activity', 'field', 'participant')
BEGIN
  INSERT INTO creates VALUES (substr(NEW.done_at, 1, 13), 1,
    EXISTS (SELECT 1 FROM approvals
            WHERE id = (SELECT max(id) FROM approvals) AND used < creates))
  ON CONFLICT DO UPDATE SET n = n + 1, approved = approved + excluded.approved;
  UPDATE approvals SET used = used + 1
   WHERE id = (SELECT max(id) FROM approvals) AND used < creates;
END;

-- Who and what is in Pipedrive, as it was listed --------------------------------------------------

CREATE TABLE crm_persons (
  -- Who is in the CRM already.
  id INTEGER PRIMARY KEY, name TEXT, organization_id INTEGER,
  owner_id INTEGER, add_time TEXT, -- no longer kept
  sweep INTEGER NOT NULL,         -- the full listing that showed it last
  as_made INTEGER NOT NULL DEFAULT 0 -- it shows a value of ours and is as it was made: by us
);
CREATE INDEX crm_persons_organization ON crm_persons (organization_id);

CREATE TABLE crm_emails (
  -- The addresses of these persons.
  email TEXT NOT NULL,            -- sender key
  person_id INTEGER NOT NULL REFERENCES crm_persons (id) ON DELETE CASCADE,
  PRIMARY KEY (email, person_id)
) WITHOUT ROWID;
CREATE INDEX crm_emails_person ON crm_emails (person_id);

CREATE TABLE crm_organizations (
  -- Organizations in the CRM.
  id INTEGER PRIMARY KEY, name TEXT,
  name_key TEXT,                  -- the name in lower case
  domain TEXT,                    -- registrable domain of its website
  owner_id INTEGER, add_time TEXT, -- no longer kept
  sweep INTEGER NOT NULL          -- as of persons
);
CREATE INDEX crm_organizations_name ON crm_organizations (name_key);
CREATE INDEX crm_organizations_domain ON crm_organizations (domain) WHERE domain IS NOT NULL;

CREATE TABLE crm_deals (
  -- Deals in the CRM.
  id INTEGER PRIMARY KEY, person_id INTEGER, organization_id INTEGER, title TEXT, status TEXT,
  archived INTEGER NOT NULL, stage_id INTEGER,
  mail_key TEXT,                  -- our marker, where it carries it
  source_lead_id TEXT,            -- the lead that it was converted from
  sweep INTEGER NOT NULL,         -- as of persons
  touched_at TEXT                 -- its last change, as it was listed
);
CREATE INDEX crm_deals_organization ON crm_deals (organization_id);
CREATE INDEX crm_deals_person ON crm_deals (person_id);
CREATE INDEX crm_deals_mail_key ON crm_deals (mail_key) WHERE mail_key IS NOT NULL;
CREATE INDEX crm_deals_lead ON crm_deals (source_lead_id) WHERE source_lead_id IS NOT NULL;

CREATE TABLE crm_leads (
  -- Leads in the CRM.
  id TEXT PRIMARY KEY, person_id INTEGER, organization_id INTEGER, title TEXT,
  archived INTEGER NOT NULL,
  mail_key TEXT,                  -- our marker, where it carries it
  sweep INTEGER NOT NULL          -- as of persons
) WITHOUT ROWID;
CREATE INDEX crm_leads_person ON crm_leads (person_id);
CREATE INDEX crm_leads_mail_key ON crm_leads (mail_key) WHERE mail_key IS NOT NULL;

-- Who is told what happened -----------------------------------------------------------------------

CREATE TABLE receivers (
  -- One receiver of events.
  name TEXT PRIMARY KEY,
  since TEXT NOT NULL             -- when it was configured; what lies before is no news to it
) WITHOUT ROWID;

CREATE TABLE events (
  -- What happened, until each receiver has been told.
  id INTEGER PRIMARY KEY,
  receiver TEXT NOT NULL,
  kind TEXT NOT NULL,             -- lead_created, deal_created, lead_converted, first_reply, …
  key TEXT NOT NULL,              -- what it is about: told once for a kind and a key
  sender TEXT,
  facts TEXT NOT NULL,            -- JSON
  happened_at TEXT NOT NULL,
  parked INTEGER NOT NULL DEFAULT 0, -- 1: refused, or given up after three days
  last_error TEXT,
  told_at TEXT,
  UNIQUE (receiver, kind, key)
);
CREATE INDEX events_waiting ON events (receiver, id) WHERE told_at IS NULL;
CREATE INDEX events_sender ON events (sender) WHERE sender IS NOT NULL;
CREATE INDEX events_told ON events (told_at) WHERE told_at IS NOT NULL;
CREATE INDEX events_parked ON events (receiver) WHERE parked;

-- The program itself ------------------------------------------------------------------------------

CREATE TABLE runs (
  -- One start of the program that may write.
  id INTEGER PRIMARY KEY, command TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT,
  outcome TEXT, messages INTEGER NOT NULL DEFAULT 0, writes INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE conditions (
  -- How a part of the program is, since when, and why.
  part TEXT NOT NULL,             -- sync, listing, approval, old mail, slow, events …
  name TEXT NOT NULL,             -- which of several, such as a kind of record, else empty
  good_at TEXT,                   -- when it last worked
  failing_since TEXT,             -- NULL: it works
  failures INTEGER NOT NULL DEFAULT 0, -- in a row
  reason TEXT NOT NULL DEFAULT '',
  next_try TEXT,
  needs_person INTEGER NOT NULL DEFAULT 0, -- 1: it won't recover without a person
  PRIMARY KEY (part, name)
) WITHOUT ROWID;

CREATE TABLE api_usage (
  -- Tokens spent, by UTC day and kind of call.
  day TEXT NOT NULL, kind TEXT NOT NULL, calls INTEGER NOT NULL, tokens INTEGER NOT NULL,
  PRIMARY KEY (day, kind)
) WITHOUT ROWID;

CREATE TABLE settings (
  -- Single facts: learned addresses, ids of fields and stages, marks of listings.
  name TEXT PRIMARY KEY, value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE counts (
  -- How many there are, kept by triggers: counting a million rows would take a second.
  what TEXT NOT NULL,             -- messages by verdict, senders by class, live records by kind
  value TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (what, value)
) WITHOUT ROWID;
INSERT INTO counts VALUES
  ('messages', 'contact', 0), ('messages', 'evidence', 0), ('messages', 'ignored', 0),
  ('senders', 'ignore', 0), ('senders', 'lead', 0), ('senders', 'person_with_deal', 0),
  ('records', 'organization', 0), ('records', 'person', 0), ('records', 'lead', 0),
  ('records', 'deal', 0), ('records', 'activity', 0), ('records', 'field', 0),
  ('records', 'participant', 0);

CREATE TRIGGER messages_insert_counts AFTER INSERT ON messages BEGIN
  UPDATE counts SET n = n + 1 WHERE what = 'messages' AND value = NEW.verdict AND true;
END;
CREATE TRIGGER messages_delete_counts AFTER DELETE ON messages BEGIN
  UPDATE counts SET n = n - 1 WHERE what = 'messages' AND value = OLD.verdict AND true;
END;
CREATE TRIGGER messages_update_counts AFTER UPDATE OF verdict ON messages BEGIN
  UPDATE counts SET n = n - 1 WHERE what = 'messages' AND value = OLD.verdict AND true;
  UPDATE counts SET n = n + 1 WHERE what = 'messages' AND value = NEW.verdict AND true;
END;
CREATE TRIGGER senders_insert_counts AFTER INSERT ON senders BEGIN
  UPDATE counts SET n = n + 1 WHERE what = 'senders' AND value = NEW.class AND true;
END;
CREATE TRIGGER senders_delete_counts AFTER DELETE ON senders BEGIN
  UPDATE counts SET n = n - 1 WHERE what = 'senders' AND value = OLD.class AND true;
END;
CREATE TRIGGER senders_update_counts AFTER UPDATE OF class ON senders BEGIN
  UPDATE counts SET n = n - 1 WHERE what = 'senders' AND value = OLD.class AND true;
  UPDATE counts SET n = n + 1 WHERE what = 'senders' AND value = NEW.class AND true;
END;
CREATE TRIGGER records_insert_counts AFTER INSERT ON records BEGIN
  UPDATE counts SET n = n + 1 WHERE what = 'records' AND value = NEW.kind
    AND NEW.tombstone IS NULL;
END;
CREATE TRIGGER records_delete_counts AFTER DELETE ON records BEGIN
  UPDATE counts SET n = n - 1 WHERE what = 'records' AND value = OLD.kind
    AND OLD.tombstone IS NULL;
END;
CREATE TRIGGER records_update_counts AFTER UPDATE OF kind, tombstone ON records BEGIN
  UPDATE counts SET n = n - 1 WHERE what = 'records' AND value = OLD.kind
    AND OLD.tombstone IS NULL;
  UPDATE counts SET n = n + 1 WHERE what = 'records' AND value = NEW.kind
    AND NEW.tombstone IS NULL;
END;

CREATE TABLE unwanted (
  -- Records of ours that the configuration of now would not make; they stay. Kept by triggers:
  -- comparing all records with all senders would take a second.
  key TEXT NOT NULL,              -- as in records
  kind TEXT NOT NULL,             -- person, lead, deal
  PRIMARY KEY (key, kind)
) WITHOUT ROWID;
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

-- Views, for people -------------------------------------------------------------------------------

CREATE VIEW pipeline AS -- Senders who are leads or have a deal.
SELECT s.address AS sender, s.name, s.class, s.reason, s.organization,
       p.pipedrive_id AS person_id, l.pipedrive_id AS lead_id, d.pipedrive_id AS deal_id,
       json_extract(u.value, '$') ||
                  CASE WHEN d.pipedrive_id IS NOT NULL THEN '/deal/' || d.pipedrive_id
                       WHEN l.pipedrive_id IS NOT NULL THEN '/leads/inbox/' || l.pipedrive_id
                       ELSE '/person/' || p.pipedrive_id END AS url,
       s.msg_count, s.replies, s.meetings, s.last_contact
FROM senders s
LEFT JOIN records p ON p.kind = 'person' AND p.key = s.address AND p.tombstone IS NULL
LEFT JOIN records l ON l.kind = 'lead' AND l.key = s.address AND l.tombstone IS NULL
LEFT JOIN records d ON d.kind = 'deal' AND d.key = s.address AND d.tombstone IS NULL
LEFT JOIN settings u ON u.name = 'pipedrive_url'
WHERE s.class <> 'ignore';

CREATE VIEW waiting AS -- Changes on their way to Pipedrive.
SELECT kind, key, action, sender, state, attempts, not_before, last_error, planned_at
FROM journal WHERE state IN ('planned', 'sending', 'waiting');

CREATE VIEW parked AS -- Changes that were set aside until they are due or a person decides.
SELECT kind, key, action, sender, attempts, last_error, planned_at, not_before
FROM journal WHERE state = 'parked';

CREATE VIEW health AS -- Folders that are read.
SELECT mailbox, name AS folder, role, polled_at, failures, last_error, next_due,
       (SELECT count(*) FROM quarantine q WHERE q.folder = f.id) AS quarantined
FROM folders f WHERE active;

CREATE VIEW not_visible AS -- Records that the token can't see now.
SELECT kind, key, pipedrive_id, sender, missing_since, missing_why
FROM records WHERE tombstone IS NULL AND missing_since IS NOT NULL;

CREATE VIEW problems AS -- What doesn't work now.
SELECT part, name, failing_since AS since, reason, next_try, needs_person
  FROM conditions WHERE failing_since IS NOT NULL
UNION ALL
SELECT 'mailbox', mailbox, failing_since, reason, next_due, next_due IS NULL FROM troubles
UNION ALL
SELECT 'folder', mailbox || ': ' || name, polled_at, last_error, next_due, 0
  FROM folders WHERE active AND failures > 0
UNION ALL
SELECT 'parked', kind, min(planned_at), count(*) || ' refused: ' || coalesce(last_error, ''),
       min(not_before), 1
  FROM journal WHERE state = 'parked' GROUP BY kind, last_error
UNION ALL
SELECT 'quarantine', f.mailbox || ': ' || f.name, min(q.first_seen),
       count(*) || ' unreadable: ' || q.reason, min(q.not_before), 1
  FROM quarantine q JOIN folders f ON f.id = q.folder GROUP BY q.folder, q.reason
UNION ALL
SELECT 'in flight', kind, min(sending_since),
       count(*) || ' without an answer for over five minutes', NULL, 0
  FROM journal WHERE state = 'sending'
   AND sending_since < strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-5 minutes') GROUP BY kind
UNION ALL
SELECT 'resting', kind, since, reason, next_try, 0 FROM resting WHERE next_try IS NOT NULL
UNION ALL
SELECT 'waiting', kind, min(planned_at), count(*) || ' failed again and again: ' || max(last_error),
       min(not_before), 0
  FROM journal WHERE state = 'waiting' AND attempts >= 3 AND last_error <> '' GROUP BY kind
UNION ALL
SELECT 'not visible', kind, min(missing_since), count(*) || ' of ours: ' || max(missing_why),
       NULL, 0
  FROM not_visible GROUP BY kind
UNION ALL
SELECT 'events', receiver, min(happened_at), count(*) || ' refused: ' || max(last_error), NULL, 1
  FROM events WHERE parked GROUP BY receiver;
