"""A year of one mailbox in random order ends in the senders that the plain facts demand.

Mails arrive, come again as copies, are moved and expunged; folders and the mailbox are renamed,
the server forgets its UIDs, another account comes and goes, the clock jumps.
"""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from postbox import START, WE, Postbox, letter
from test_mailbox_years import Years, senders

PEOPLE = ("ada@acme.example", "bob@stone.example", "eve@noid.example")
COPIES = {
    "again": lambda raw: raw,
    "tagged": lambda raw: raw.replace(b"Subject: ", b"Subject: [EXTERNAL] "),
    "relayed": lambda raw: b"Received: from a by b; Mon, 2 Mar 2026 09:00:00 +0000\r\n" + raw,
    "another zone": lambda raw: raw.replace(b" +0000\r\n", b" -0000\r\n"),
}


class YearOfAMailbox(RuleBasedStateMachine):
    """What each person wrote is counted beside the ledger, by nothing but arrivals."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="m2d-year-"))
        self.world = Years(self.home, floor=START)
        self.wrote: dict[str, int] = {}
        self.raws: list[bytes] = []
        self.inbox = "INBOX"
        self.other: Postbox | None = None

    def teardown(self) -> None:
        shutil.rmtree(self.home)

    def _put(self, raw: bytes) -> None:
        at = max(self.world.clock.now, START + timedelta(days=31))
        self.world.box.deliver(self.inbox, raw, at)

    @rule(who=st.sampled_from(PEOPLE))
    def somebody_writes(self, who: str) -> None:
        number = len(self.raws) + 1
        at = max(self.world.clock.now, START + timedelta(days=31))
        # Without a Message-ID two mails of one second, subject and size are taken for one.
        text = f"Mail {number} of this year{'.' * number}"
        raw = letter(who, WE, number=number, at=at, text=text)
        if who == PEOPLE[2]:
            raw = raw.replace(f"Message-ID: <{number}@mail.example>\r\n".encode(), b"")
        self.raws.append(raw)
        self.wrote[who] = self.wrote.get(who, 0) + 1
        self._put(raw)

    @precondition(lambda self: self.raws)
    @rule(data=st.data(), how=st.sampled_from(sorted(COPIES)))
    def a_copy_comes(self, data: st.DataObject, how: str) -> None:
        self._put(COPIES[how](data.draw(st.sampled_from(self.raws))))

    @rule()
    def an_archive_is_dragged_in(self) -> None:
        at = START - timedelta(days=900)
        number = 10_000 + len(self.world.box.folders[self.inbox].mails)
        self._put(letter("old@archive.example", WE, number=number, at=at))

    @rule()
    def it_is_read(self) -> None:
        self.world.look()

    @rule()
    def the_server_forgets_its_uids(self) -> None:
        self.world.look()
        self.world.box.reset(self.inbox)

    @rule()
    def all_is_moved_into_sent(self) -> None:
        self.world.look()
        for uid in list(self.world.box.folders[self.inbox].mails):
            self.world.box.move(self.inbox, uid, "Sent")

    @rule()
    def the_folder_is_renamed(self) -> None:
        self.world.look()
        name = "Kunden" if self.inbox == "INBOX" else "INBOX"
        box = self.world.box.folders.pop(self.inbox)
        box.uidvalidity += 100
        self.world.box.folders[name] = box
        self.inbox = name

    @rule(name=st.sampled_from(["sales", "verkauf"]))
    def the_mailbox_is_renamed(self, name: str) -> None:
        self.world.look()
        self.world.name, self.world.configured = name, frozenset({name})

    @rule()
    def another_account_comes_or_goes(self) -> None:
        self.world.look()
        self.other, self.world.box = self.world.box, self.other or Postbox()
        self.world.box.folders.setdefault(
            self.inbox,
            self.world.box.folders.pop("INBOX", None) or self.world.box.folders.pop("Kunden"),
        )
        mine = self.world.account.startswith("sales")
        self.world.account = "other at mail.example" if mine else "sales at mail.example"

    @rule(days=st.sampled_from([1, 400]))
    def the_clock_jumps_and_comes_back(self, days: int) -> None:
        real = self.world.clock.now
        self.world.clock.now = real + timedelta(days=days)
        self.world.look()
        self.world.clock.now = real
        with self.world.ledger() as ledger, ledger.transaction("clock"):
            ledger.clock.clamp(real)

    @invariant()
    def everybody_counts_what_was_written(self) -> None:
        found = senders(self.world) if self.world.path.exists() else {}
        for who, count in found.items():
            assert count <= self.wrote.get(who, 0), (found, self.wrote)

    @rule()
    def at_the_end_of_the_day_all_is_there(self) -> None:
        for _ in range(3):
            self.world.look()
        assert senders(self.world) == self.wrote


YearOfAMailbox.TestCase.settings = settings(
    max_examples=6,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestYear = pytest.mark.hypothesis(YearOfAMailbox.TestCase)
