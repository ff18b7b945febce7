"""How the cost of one thing grows with the ledger: 10,000, 100,000 and 1,000,000 messages.

A ledger is filled by SQL with senders of ten messages each and one of 20,000 ("long"), all in
agreement with a CRM; then each
operation is done several times, medians. Mailbox and Pipedrive are the ones in memory that the
tests use, so what is timed is ours. The exponent is that of a power law through the first and the
last size: 0 is no growth, 1 is linear.

`audit` looks at every message, and computes every sender anew on a copy, which is nearly all that
it does. It takes minutes, so it is done once a size, and what is told is its CPU time, which
whatever else runs disturbs least.

    python bench/scale.py [SIZE ...]
"""

import contextlib
import gc
import io
import logging
import math
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from measure import Result, grown, ratio

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from world import READING, World

from daemon.cli.explain import command as explain
from daemon.cli.status import command as status
from daemon.config import load
from daemon.ledger.store import Ledger
from daemon.maintenance.audit import Gap, activity_gaps, mailbox_gaps, record_gaps, state_gaps
from daemon.message.parse import PARSER
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.sync import Sync
from daemon.wiring import Wiring

SIZES = (10_000, 100_000, 1_000_000)
PER_SENDER, TOGETHER = 10, 3  # messages of a sender, senders of an organization
LONG, LONG_SENDER = 20_000, "long@history.example"
TIMES = 7
AUDIT, MEMORY = "audit, CPU", "audit, megabytes"
OLD_UID = 1000  # of the first mail in the ledger
FIRST_UID = 2_000_000  # of the mail that comes later

_FILL = f"""
CREATE TEMP TABLE n AS
  WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT :size + {LONG})
  SELECT i + {OLD_UID} AS id, iif(i < :size,
    printf('p%d@firm%d.example', i / {PER_SENDER}, i / {PER_SENDER} / :together), '{LONG_SENDER}')
    AS sender, strftime('%Y-%m-%dT%H:%M:%SZ', 1600000000 + i * 60, 'unixepoch') AS at FROM n;
INSERT INTO messages (id, key, message_id, direction, verdict, reason, from_address, from_name,
  subject, snippet, date, arrived_at, sent_at, in_sent, thread, size, answers, invites, facts,
  parsed)
  SELECT id, printf('%032x', id), printf('m%d@firm.example', id), 'received',
  'contact', 'human', sender, 'Person', 'About our offer', hex(randomblob(150)), at, at, at, 0,
  NULL,  4000, printf('m%d@firm.example', id - 1), NULL,
  json_object('from', json_array('Person', sender),
    'to', json_array(json_array('', 'sales@x.org'))), {PARSER} FROM n;
INSERT INTO sightings (folder, uidvalidity, uid, message) SELECT 1, 1, id, id FROM n;
INSERT INTO answers SELECT printf('m%d@firm.example', id - 1), id FROM n;
INSERT INTO correspondence (sender, message, verdict, reason, name)
  SELECT sender, id, 'contact', 'human', 'Person' FROM n;
CREATE TEMP TABLE s AS SELECT sender, min(id) AS id, min(at) AS first, max(at) AS last,
  count(*) AS count, substr(sender, instr(sender, '@') + 1) AS domain FROM n GROUP BY sender;
INSERT INTO senders (address, name, domain, organization, msg_count, sent_count, replies, meetings,
  thread_count, first_contact, last_contact, class, reason, mailbox, digest, version,
  synced_version) SELECT sender, 'Person', domain, domain, count, 0, 0, 0, 1, first, last,
  'person_with_deal', count || ' messages', 'sales', '', 1, 1 FROM s;
INSERT INTO records (kind, key, pipedrive_id, origin, fields, written_at, sender)
  SELECT 'person', sender, id, 'created', '{{}}', last, sender FROM s
  UNION ALL SELECT 'deal', sender, id, 'created', '{{}}', last, sender FROM s
  UNION ALL SELECT 'organization', domain, min(id), 'created', '{{}}', last, NULL FROM s
    GROUP BY domain
  UNION ALL SELECT 'activity', printf('%032x', id), id, 'created',
    json_object('participants', json_array(sender)), at, sender FROM n;
INSERT INTO journal (kind, key, action, sender, stage, fields, rank, state, version, planned_at,
    done_at)
  SELECT 'person', sender, 'create', sender, 1, '{{}}', 'a', 'done', 1, last, last FROM s;
INSERT INTO crm_persons (id, name, organization_id, owner_id, add_time, sweep)
  SELECT id, 'Person', NULL, 1, last, 1 FROM s;
INSERT INTO crm_emails (email, person_id) SELECT sender, id FROM s;
INSERT INTO crm_deals (id, person_id, organization_id, title, status, archived, stage_id, mail_key,
  source_lead_id, sweep) SELECT id, id, NULL, 'Deal', 'open', 0, 1, sender, NULL, 1 FROM s;
DROP TABLE n; DROP TABLE s;
"""


class AllThere:
    """A client of a Pipedrive that has every record that it is asked for by id."""

    def __init__(self, client: Client) -> None:
        self.send = client.send  # leads are read one by one; the few that there are, are real

    def pages(self, call: Call) -> Iterator[list[dict[str, Any]]]:
        """One page."""
        ids = dict(call.query).get("ids", "")
        yield [{"id": int(identifier), "emails": []} for identifier in ids.split(",") if identifier]


class Place:
    """A ledger of one size and everything around it; `together`: senders of one organization."""

    def __init__(self, home: Path, size: int, together: int = TOGETHER, **settings: Any) -> None:
        self.world = World(home, **settings)
        self.together = together
        for folder in self.world.box.folders.values():
            folder.uidnext = FIRST_UID
        self.world.receives("first@new.example")
        self.world.settle()  # fields, stage and listing are known from here on
        _fill(self.world.path, size, together)
        self.size = size
        self.old = size // PER_SENDER // 2
        self.wiring = Wiring(load(_config(home)), now=self.world.clock)
        self.number = 0
        self.ledger = Ledger.open(self.world.path)
        self.sync = Sync(self.world.session(self.ledger))
        self.sync.sync()

    def mail(self, who: str) -> None:
        """One more mail arrives, from somebody "known", "new" or "long" known."""
        self.number += 1
        number = self.old + self.number
        senders = {
            "known": self.address(number),
            "new": f"n{number}@new.example",
            "long": LONG_SENDER,
        }
        self.world.receives(senders[who])

    def address(self, number: int) -> str:
        """Who has this number among those with short histories."""
        return f"p{number}@firm{number // self.together}.example"

    def poll(self) -> None:
        """Intake."""
        self.world.take_in(self.ledger)

    def told(self) -> None:
        """`status`."""
        with contextlib.redirect_stdout(io.StringIO()):
            status.main(["--json"], obj=self.wiring, standalone_mode=False)

    def explained(self) -> None:
        """`explain` of somebody."""
        self.number += 1
        number = self.old + self.number
        with contextlib.redirect_stdout(io.StringIO()):
            arguments = [self.address(number), "--json"]
            explain.main(arguments, obj=self.wiring, standalone_mode=False)

    def audited(self) -> dict[str, float]:
        """CPU seconds and megabytes of an audit, which has to find that all agree."""
        mails = self.world.box.folders["INBOX"].mails
        for uid in range(OLD_UID, OLD_UID + self.size + LONG):
            mails[uid] = (b"", self.world.clock.now)
        mailbox: Any = self.world.box.connect()
        client: Any = AllThere(self.sync.session.client)

        def audit() -> list[Gap]:
            return [
                *mailbox_gaps(mailbox, self.ledger, "sales"),
                *activity_gaps(self.ledger),
                *record_gaps(self.ledger, client),
                *state_gaps(self.ledger, READING),
            ]

        seconds, megabytes, found = _once(audit)
        # The persons of the filled ledger aren't in the sandbox, which refuses activities for them.
        gaps = [gap for gap in found if gap.kind != "parked"]
        if gaps:
            raise SystemExit(f"{len(gaps)} gaps where there is none: {gaps[:3]}")
        return {AUDIT: seconds, MEMORY: max(megabytes, 0.1)}

    def times(self) -> dict[str, float]:
        """Median seconds of each operation."""
        found = {"poll, nothing new": _median(self.poll)}
        for who in ("known", "new", "long"):
            found[f"intake of one mail, {who} sender"] = _median(
                self.poll, before=partial(self.mail, who)
            )
        self.sync.sync()
        found["sync, nothing due"] = _median(self.sync.sync)

        def come(who: str) -> None:
            self.mail(who)
            self.poll()

        come("long")
        self.sync.sync()  # the first one looks at what has an activity, once
        for who in ("known", "new", "long"):
            found[f"sync of one mail, {who} sender"] = _median(
                self.sync.sync, before=partial(come, who)
            )
        found["status"] = _median(self.told)
        found["explain"] = _median(self.explained)
        return found


def _fill(path: Path, size: int, together: int) -> None:
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("PRAGMA cache_size = -200000")
        db.execute("BEGIN")
        for statement in _FILL.split(";"):
            numbers = {"size": size, "together": together}
            db.execute(statement, numbers if ":size" in statement else ())
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()


def _config(home: Path) -> Path:
    path = home / "config.yaml"
    document = {
        "mailboxes": [
            {"name": "sales", "host": "127.0.0.1", "tls": "none", "username": "x", "password": "x"}
        ],
        "pipedrive": {"base_url": "http://127.0.0.1:9", "token": "x", "plan": "ultimate"},
        "us": {"domains": sorted(READING.us.domains)},
        "ledger": str(home / "ledger.db"),
    }
    path.write_text(yaml.safe_dump(document))
    path.chmod(0o600)
    return path


def _median(work: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    seconds = []
    for _ in range(TIMES):
        before()
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _once(work: Callable[[], Result]) -> tuple[float, float, Result]:
    """CPU seconds that it takes, megabytes by which memory grows (proc(5)), and its result."""
    gc.collect()

    def timed() -> tuple[float, Result]:
        start = time.process_time()
        result = work()
        return time.process_time() - start, result

    (seconds, result), megabytes = grown(timed)
    return seconds, megabytes, result


def main(arguments: list[str]) -> None:
    logging.disable(logging.CRITICAL)
    sizes = tuple(map(int, arguments)) or SIZES
    constant: list[dict[str, float]] = []
    linear: list[dict[str, float]] = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="m2d-bench-") as folder:
            started = time.monotonic()
            place = Place(Path(folder), size)
            filled = time.monotonic() - started
            constant.append(place.times())
            linear.append(place.audited())
            place.ledger.close()
            mb = os.path.getsize(place.world.path) / 1e6  # noqa: PTH202 - one call
            print(f"{size} messages: {mb:.0f} MB, filled in {filled:.0f} s", flush=True)
    print(f"\n{'milliseconds':36}" + "".join(f"{size:>12,}" for size in sizes) + "   exponent")
    worst = max(_row(name, constant, 1e3, sizes) for name in constant[0])
    growth = _row(AUDIT, linear, 1e3, sizes)
    _row(MEMORY, linear, 1, sizes)
    span = f"from {sizes[0]:,} to {sizes[-1]:,} messages"
    ratio(f"scale: worst growth {span}", worst, at_most=2)
    ratio(f"audit: exponent {span}", _exponent(growth, sizes), at_most=1.1)


def _row(name: str, columns: list[dict[str, float]], unit: float, sizes: tuple[int, ...]) -> float:
    """Print how one thing grows; by how much it does from the first to the last size."""
    values = [column[name] for column in columns]
    growth = values[-1] / values[0]
    cells = "".join(f"{value * unit:12.2f}" for value in values)
    print(f"{name:36}{cells}   {_exponent(growth, sizes):8.2f}")
    return growth


def _exponent(growth: float, sizes: tuple[int, ...]) -> float:
    return math.log(growth) / math.log(sizes[-1] / sizes[0])


if __name__ == "__main__":
    main(sys.argv[1:])
