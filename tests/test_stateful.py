"""Anything in any order: mail, UIDVALIDITY, people in the CRM, faults, kills. Never lost or doubled.

MAIL2DEAL_SOAK_EXAMPLES sets how many sequences are tried (60 without it; `make test-all` tries 200).
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from world import World

from daemon import failpoints
from daemon.errors import Problem
from daemon.rules.marks import mark_of, short
from daemon.sandbox.crm import Fault
from daemon.sandbox.crm import Settings as Company

EXAMPLES = int(os.environ.get("MAIL2DEAL_SOAK_EXAMPLES", "60"))
SENDERS = ("ada@acme.example", "bob@acme.example", "cyd@beta.example", "dan@gmail.com")
KINDS = ("organizations", "persons", "deals", "leads", "activities")
WRITES = "POST|PATCH|DELETE"
_ROOM = Path("/dev/shm")  # noqa: S108 - memory, since every commit waits for the disk

ODD = ("null", "missing", "swapped", "keyless", "nulls", "scalar", "bare", "array", "empty", "html")
FAULTS = st.builds(
    Fault,
    st.sampled_from(["drop", "reset", "timeout", "error", "truncate", "short", "unsuccessful"]),
    when=st.sampled_from(["before", "after"]),
    method=st.sampled_from([WRITES, ".*"]),
    skip=st.integers(0, 6),
    status=st.sampled_from([500, 502, 503]),
) | st.builds(Fault, st.just("rate_limit"), skip=st.integers(0, 6), count=st.integers(1, 4))
FAULTS |= st.builds(
    Fault,
    st.just("shape"),
    method=st.sampled_from([WRITES, ".*"]),
    skip=st.integers(0, 6),
    shape=st.sampled_from(ODD),
)
FAULTS |= st.builds(
    Fault,
    st.sampled_from(["redirect", "refuse"]),
    method=st.just(WRITES),
    skip=st.integers(0, 6),
    count=st.integers(1, 4),
    status=st.sampled_from([302, 402, 403]),
)


class Killed(BaseException):
    """The process is no more."""


def die() -> None:
    raise Killed


class Company24(RuleBasedStateMachine):
    """One company; `edited` once people have touched the CRM."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(dir=_ROOM if _ROOM.is_dir() else None))
        company = Company(burst=False, plan="ultimate", seats=4, search_lag=60)
        self.world = World(self.home, company)
        self.world.stays = True  # through all failures, until it is killed
        self.edited = False
        self.backup = self.home / "backup.db"

    def teardown(self) -> None:
        failpoints.arm()
        self.world.end()
        self.world.sandbox.close()
        shutil.rmtree(self.home)

    @initialize()
    def start(self) -> None:
        self.world.acts.add_person("Dan", "dan@gmail.com")

    # mail

    @rule(who=st.sampled_from(SENDERS), back=st.none() | st.integers(0, 5))
    def mail_arrives(self, who: str, back: int | None) -> None:
        self.world.receives(who, answers=self._earlier(back))

    @rule(
        to=st.lists(st.sampled_from(SENDERS), min_size=1, max_size=2, unique=True),
        back=st.none() | st.integers(0, 5),
    )
    def we_write(self, to: list[str], back: int | None) -> None:
        self.world.sends(", ".join(to), answers=self._earlier(back))

    @rule(
        who=st.sampled_from(SENDERS),
        uid=st.sampled_from(["one", "two"]),
        method=st.sampled_from(["REQUEST", "REQUEST", "CANCEL"]),
        sequence=st.integers(0, 2),
    )
    def invitation(self, who: str, uid: str, method: str, sequence: int) -> None:
        self.world.invites(who, f"{uid}@{who}", method=method, sequence=sequence)

    @rule(who=st.sampled_from(SENDERS))
    def machine_mail(self, who: str) -> None:
        self.world.receives(who, extra="Auto-Submitted: auto-replied\r\n")

    @rule(folder=st.sampled_from(["INBOX", "Sent"]))
    def uidvalidity_changes(self, folder: str) -> None:
        self.world.box.reset(folder)

    @rule(uid=st.integers(1, 4))
    def mail_is_expunged_after_it_was_read(self, uid: int) -> None:
        self.live(0)
        self.world.box.expunge("INBOX", uid)

    @rule(uid=st.integers(1, 4))
    def same_mail_in_two_folders(self, uid: int) -> None:
        found = self.world.box.folders["INBOX"].mails.get(uid)
        if found:
            self.world.box.deliver("INBOX", *found)

    def _earlier(self, back: int | None) -> int | None:
        return None if back is None else max(self.world.number - back, 1)

    # people

    @rule(kind=st.sampled_from(KINDS), pick=st.integers(0, 9))
    def people_delete(self, kind: str, pick: int) -> None:
        self._edit(kind, pick, lambda i: self.world.acts.delete(kind, i))

    @rule(kind=st.sampled_from(KINDS), pick=st.integers(0, 9))
    def people_rename(self, kind: str, pick: int) -> None:
        self._edit(kind, pick, lambda i: self.world.acts.rename(kind, i, f"Renamed {i}"))

    @rule(pick=st.integers(0, 9))
    def people_convert(self, pick: int) -> None:
        self._edit("leads", pick, self.world.acts.convert_lead)

    @rule(kind=st.sampled_from(["deals", "leads"]), pick=st.integers(0, 9))
    def people_archive(self, kind: str, pick: int) -> None:
        self._edit(kind, pick, lambda i: self.world.acts.archive(kind, i))

    @rule(pick=st.integers(0, 9))
    def people_win(self, pick: int) -> None:
        self._edit("deals", pick, self.world.acts.win)

    @rule(kind=st.sampled_from(["persons", "organizations"]), pick=st.integers(0, 9))
    def people_merge(self, kind: str, pick: int) -> None:
        docs = self.world.acts.every(kind)
        if len(docs) > 1:
            self.edited = True
            lost, survivor = docs[pick % len(docs)], docs[(pick + 1) % len(docs)]
            self.world.acts.merge(kind, lost["id"], survivor["id"])

    @rule(who=st.sampled_from(SENDERS))
    def people_add_person(self, who: str) -> None:
        every = self.world.acts.every("persons", deleted=True)
        if not any(e["value"] == who for doc in every for e in doc["emails"]):
            self.edited = True
            self.world.acts.add_person("Added by hand", who)

    def _edit(self, kind: str, pick: int, act: Callable[[Any], object]) -> None:
        docs = self.world.acts.every(kind)
        if docs:
            self.edited = True
            act(docs[pick % len(docs)]["id"])

    # running

    @rule(hours=st.integers(0, 30))
    def live(self, hours: int) -> None:
        self.world.clock.sleep(hours * 3600.0)
        self.world.round()

    @rule(fault=FAULTS)
    def live_through_a_fault(self, fault: Fault) -> None:
        self.world.sandbox.faults.add(fault)
        try:
            self.world.round()
        except Problem:
            pass  # the program ends with an error; the next start goes on
        finally:
            self.world.sandbox.faults.clear()

    @rule(number=st.integers(1, 40), hours=st.sampled_from([0, 7, 25]))
    def killed(self, number: int, hours: int) -> None:
        self.world.clock.sleep(hours * 3600.0)
        failpoints.arm(kill_at=number, die=die)
        try:
            self.world.round()
        except Killed:
            pass
        finally:
            failpoints.arm()

    @rule()
    def back_up(self) -> None:
        if self.world.path.exists():
            with self.world.ledger() as ledger:
                self.backup.unlink(missing_ok=True)
                ledger.copy_to(self.backup)

    # What people deleted after the backup was made is known to nobody.
    @precondition(lambda self: self.backup.exists() and not self.edited)
    @rule()
    def yesterdays_ledger_is_restored(self) -> None:
        self.world.end()
        for file in self.home.glob("ledger.db*"):
            file.unlink()
        shutil.copy(self.backup, self.world.path)

    @precondition(lambda self: self.world.number > 0)
    @rule()
    def quiet_point(self) -> None:
        self.world.settle()
        assert self.world.doubled() == []
        self._nothing_waits()
        self._nothing_lost()
        before = self.world.sandbox.writes()
        self.world.settle()
        assert self.world.sandbox.writes() == before

    def _nothing_waits(self) -> None:
        with self.world.ledger() as ledger:
            rows = ledger.rows("SELECT * FROM journal WHERE state <> 'done'")
            assert [r for r in rows if r["state"] != "parked" or not self.edited] == []
            assert ledger.senders.due(1) == []

    def _nothing_lost(self) -> None:
        with self.world.ledger() as ledger:
            ids = {r["message_id"] for r in ledger.rows("SELECT message_id FROM messages")}
            wanted = ledger.rows(WANTED_ACTIVITIES)
            senders = ledger.rows(STANDING)
        for folder in self.world.box.folders.values():
            for raw, _ in folder.mails.values():
                assert raw.split(b"Message-ID: <")[1].split(b">")[0].decode() in ids
        marks = {mark_of(doc) for doc in self.world.acts.every("activities", deleted=True)}
        for row in wanted:
            assert short(row["key"]) in marks, row
        if not self.edited:
            self._everybody_stands(senders)

    def _everybody_stands(self, senders: list[dict[str, Any]]) -> None:
        crm = self.world.crm()
        for sender in senders:
            who = sender["address"]
            deals = [d for d in crm["deals"] if d["custom_fields"].get("Mail key") == who]
            leads = [d for d in crm["leads"] if not d["is_archived"] and d["person"] == who]
            found = (len(leads), len(deals))
            # A deal that was made stays, also when the meeting that made it is cancelled.
            if sender["class"] == "person_with_deal" or sender["has_deal"]:
                assert found == (0, 1), who
            else:
                assert found == ((0, 0) if who == "dan@gmail.com" else (1, 0)), who


STANDING = """
SELECT address, class, EXISTS
  (SELECT 1 FROM records WHERE kind = 'deal' AND key = address AND tombstone IS NULL) AS has_deal
FROM senders WHERE class <> 'ignore'
"""
# Contact messages of a sender whose person stands in Pipedrive.
WANTED_ACTIVITIES = """
SELECT m.key, c.sender FROM correspondence c JOIN messages m ON m.id = c.message
JOIN senders s ON s.address = c.sender
JOIN records p ON p.kind = 'person' AND p.key = c.sender AND p.tombstone IS NULL
WHERE c.verdict = 'contact' AND s.class <> 'ignore'
"""

Company24.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestNeverLostNeverDoubled = Company24.TestCase
