"""The steps by which a ledger of an earlier version gets the tables of this one.

`schema.sql` says what the tables are now. A step here is for ledgers that exist: it is added at the
end and never changed again. SQLite puts a new column behind the others, and its comment with it.
Views are made anew after the steps, so no step needs to.
"""

from sqlite_utils import Database, Migrations

from daemon.ledger.sql_script import statements
from daemon.message.identity import trace
from daemon.message.parse import text_hash

migrations = Migrations("mail2deal")
# The steps of which the first release's ledger was made.
RELEASED = ("m001_initial", "m002_troubles", "m003_forgotten", "m004_counts")


AUTHORS = """
ALTER TABLE correspondence ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE correspondence ADD COLUMN way TEXT NOT NULL DEFAULT 'from';
UPDATE correspondence SET
  name = coalesce((SELECT CASE WHEN m.from_address = sender THEN m.from_name
                               ELSE json_extract(m.facts, '$.group[0]') END
                   FROM messages m WHERE m.id = message AND m.direction = 'received'), ''),
  way = CASE WHEN (SELECT m.direction = 'sent' OR m.from_address = sender
                   FROM messages m WHERE m.id = message) THEN 'from' ELSE 'group' END;
"""


@migrations()
def m005_authors(db: Database) -> None:
    """The name that each message gives its sender, and the way by which we know who wrote it."""
    _run(db, AUTHORS)


HEALTH = """
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
"""


@migrations()
def m007_health(db: Database) -> None:
    """What fails and since when, what a person approved, and how much was created by the hour."""
    _run(db, HEALTH)


FACTS = """
CREATE TABLE sender_facts ( /* What a sender's forms and signatures say: the newest of each kind. */
  sender TEXT NOT NULL,
  kind TEXT NOT NULL,             /* phone, title, company */
  value TEXT NOT NULL,
  source TEXT NOT NULL,           /* form; from: the signature; forward: that of a forwarded mail */
  PRIMARY KEY (sender, kind)
) WITHOUT ROWID;
"""


@migrations()
def m008_facts(db: Database) -> None:
    """What forms and signatures say about a sender."""
    _run(db, FACTS)


REPLIES = """
ALTER TABLE messages ADD COLUMN conversation TEXT /* root of Outlook's Thread-Index, in hex */;
ALTER TABLE messages ADD COLUMN original_id TEXT /* Message-ID before a relay replaced it */;
CREATE INDEX messages_conversation ON messages (conversation) WHERE conversation IS NOT NULL;
CREATE INDEX messages_original_id ON messages (original_id) WHERE original_id IS NOT NULL;
CREATE TABLE invitations (
  uid TEXT NOT NULL /* iTIP UID of a meeting that a message is about */,
  message INTEGER NOT NULL REFERENCES messages (id),
  PRIMARY KEY (uid, message)
) WITHOUT ROWID;
CREATE INDEX invitations_message ON invitations (message);
INSERT OR IGNORE INTO invitations
SELECT json_extract(i.value, '$.uid'), m.id FROM messages m, json_each(m.invites) i
WHERE m.invites IS NOT NULL;
"""


@migrations()
def m006_replies(db: Database) -> None:
    """What proves an answer beside Message-IDs, and which messages are about a meeting."""
    _run(db, REPLIES)


EVENTS = """
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
"""


@migrations()
def m009_events(db: Database) -> None:
    """The outbox of what others are told."""
    _run(db, EVENTS)


ABSENCE = """
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
"""


@migrations()
def m009_absence(db: Database) -> None:
    """What isn't to be seen in Pipedrive, and what it refuses: neither is for ever."""
    _run(db, ABSENCE)


IDENTITY = """
ALTER TABLE messages ADD COLUMN text_hash TEXT NOT NULL DEFAULT '' /* of its first letters */;
ALTER TABLE messages ADD COLUMN twin TEXT /* of author, words and date: what copies have alike */;
CREATE INDEX messages_twin ON messages (twin) WHERE twin IS NOT NULL;
CREATE TABLE copies (
  -- Another copy of a message, as a gateway, a group, a relay or a second server has made it.
  key TEXT PRIMARY KEY,           -- message key of the copy, by which an activity may be marked
  message INTEGER NOT NULL REFERENCES messages (id),
  message_id TEXT                 -- another Message-ID by which the mail goes
) WITHOUT ROWID;
CREATE INDEX copies_message_id ON copies (message_id) WHERE message_id IS NOT NULL;
ALTER TABLE folders ADD COLUMN account TEXT /* host and login; another account begins anew */;
ALTER TABLE folders ADD COLUMN object_id TEXT /* MAILBOXID of RFC 8474, where there is one */;
ALTER TABLE folders ADD COLUMN first_uid INTEGER /* UIDNEXT at the first look: what came later */;
ALTER TABLE folders ADD COLUMN floor_uid INTEGER /* read from here on: floor was a wrong clock's */;
ALTER TABLE folders ADD COLUMN resets INTEGER NOT NULL DEFAULT 0 /* UIDVALIDITY changes in a row */;
ALTER TABLE sightings ADD COLUMN size INTEGER /* RFC822.SIZE: a UID given out twice shows by it */;
ALTER TABLE sightings ADD COLUMN arrived_at TEXT /* INTERNALDATE at this place */;
"""


@migrations()
def m010_identity(db: Database) -> None:
    """What tells copies of a mail, folders and accounts whatever they are called."""
    _run(db, IDENTITY)
    db.register_function(text_hash, deterministic=True)
    db.register_function(trace, deterministic=True)
    db.execute("UPDATE messages SET text_hash = text_hash(snippet) WHERE from_address IS NOT NULL")
    db.execute(
        "UPDATE messages SET twin = trace(from_address, subject, text_hash) || coalesce(date, '')"
        " WHERE from_address IS NOT NULL"
    )


ASSIGNMENTS = """
CREATE TABLE assignments ( /* Which of a route's owners has what, so that they take turns. */
  route TEXT NOT NULL,
  key TEXT NOT NULL,              /* organization, or the address of a sender without one */
  owner TEXT NOT NULL,            /* e-mail address of the Pipedrive user */
  PRIMARY KEY (route, key)
) WITHOUT ROWID;
"""


@migrations()
def m011_assignments(db: Database) -> None:
    """Owners who take turns."""
    _run(db, ASSIGNMENTS)


@migrations()
def m012_problems(_: Database) -> None:
    """The view of problems has changed."""


@migrations()
def m013_more_problems(_: Database) -> None:
    """The view of problems has changed again."""


RECEIVERS = """
ALTER TABLE receivers DROP COLUMN failures;
ALTER TABLE receivers DROP COLUMN not_before;
ALTER TABLE receivers DROP COLUMN last_error;
CREATE INDEX events_parked ON events (receiver) WHERE parked;
DELETE FROM conditions WHERE part = 'events';
ALTER TABLE journal ADD COLUMN parked_for TEXT
  /* what it was set aside for: person, until there is one */;
UPDATE journal SET parked_for = 'person'
 WHERE state = 'parked' AND last_error LIKE 'its person isn''t in Pipedrive%';
"""


@migrations()
def m014_receivers(db: Database) -> None:
    """What fails of receivers is a condition; what a change is parked for has a column."""
    _run(db, RECEIVERS)


REREADING = """
ALTER TABLE messages ADD COLUMN parsed INTEGER DEFAULT 0
  /* version of the parser that read it: an older one is read again; NULL: it lies nowhere now */;
CREATE INDEX messages_stale ON messages (sent_at, id) WHERE parsed < 1;
ALTER TABLE sightings ADD COLUMN gone INTEGER NOT NULL DEFAULT 0 /* 1: not to be read there now */;
ALTER TABLE senders ADD COLUMN held_since TEXT
  /* reading mail again has raised its class; what is to be made of it waits for consent */;
"""


@migrations()
def m015_rereading(db: Database) -> None:
    """Which version has read each message, so that older ones are read again."""
    _run(db, REREADING)


FOLLOW_UPS = """
ALTER TABLE senders ADD COLUMN follow_up TEXT /* record key of its latest task to answer */;
ALTER TABLE senders ADD COLUMN follow_up_due TEXT /* when a mail will have waited long enough */;
CREATE INDEX senders_follow_up ON senders (follow_up_due) WHERE follow_up_due IS NOT NULL;
"""


@migrations()
def m016_follow_ups(db: Database) -> None:
    """Whom to answer, and when people are to be reminded of it."""
    _run(db, FOLLOW_UPS)


@migrations()
def m017_all_day(db: Database) -> None:
    """Meetings that last whole days."""
    db.execute(
        "ALTER TABLE meetings ADD COLUMN all_day INTEGER NOT NULL DEFAULT 0"
        " /* 1: starts_at is the midnight, in UTC, of a whole day */"
    )


DEALS = """
ALTER TABLE journal ADD COLUMN deal TEXT /* the sender whose deal, on its way, it waits for */;
ALTER TABLE crm_deals ADD COLUMN touched_at TEXT /* its last change, as it was listed */;
CREATE INDEX crm_deals_organization ON crm_deals (organization_id);
CREATE INDEX messages_thread ON messages (thread) WHERE thread IS NOT NULL;
INSERT INTO counts VALUES ('records', 'participant', 0);
DROP TRIGGER journal_creates;
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
"""


@migrations()
def m018_deals(db: Database) -> None:
    """Deals that several senders share, and who takes part in them."""
    _run(db, DEALS)


@migrations()
def m019_copied(db: Database) -> None:
    """Who was in copy of others' mails."""
    db.execute(
        "ALTER TABLE senders ADD COLUMN copied INTEGER NOT NULL DEFAULT 0"
        " /* mails of others' conversations with it in To or Cc */"
    )


CARRIED = """
ALTER TABLE senders ADD COLUMN carried TEXT /* JSON: of a long history, for one message more */;
"""


@migrations()
def m020_carried(db: Database) -> None:
    """Long histories, which one message more need not read again."""
    _run(db, CARRIED)


@migrations()
def m021_resting(db: Database) -> None:
    """What rests stands in `resting` alone; a copy of it was left behind by `retry`."""
    db.execute("DELETE FROM conditions WHERE part = 'resting'")


def _run(db: Database, script: str) -> None:
    for statement in statements(script):
        db.execute(statement)
