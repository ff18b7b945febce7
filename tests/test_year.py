"""A year of one mailbox in random order ends in the senders that the plain facts demand.

Mails arrive, come again as copies, are moved (also while a pass reads) and expunged; folders and the
mailbox are renamed, the server forgets its UIDs or gives a folder another MAILBOXID, the mail is
migrated to another host, a colleague's mailbox has copies of it, one login is configured twice,
another account comes and goes, the configuration is edited and the clock jumps.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from postbox import START, WE, Folder, Postbox, letter
from test_mailbox_years import Years, _Line, senders
from world import READING

from daemon.intake import rebuilding
from daemon.intake.poll import poll
from daemon.mailbox.imap import FolderStatus

PEOPLE = ("ada@acme.example", "bob@stone.example", "eve@noid.example")
OLD = "old@archive.example"
COPIES = {
    "again": lambda raw: raw,
    "tagged": lambda raw: raw.replace(b"Subject: ", b"Subject: [EXTERNAL] "),
    "relayed": lambda raw: b"Received: from a by b; Mon, 2 Mar 2026 09:00:00 +0000\r\n" + raw,
    "another zone": lambda raw: raw.replace(b" +0000\r\n", b" -0000\r\n"),
}
PROJECTS = "Projects"


class _BusyLine(_Line):
    """A person does something when the second folder is opened."""

    def __init__(self, box: Postbox, ids: dict[str, str], act: Callable[[], None] | None) -> None:
        super().__init__(box, ids)
        self._act, self._opened = act, 0

    def examine(self, name: str) -> FolderStatus:
        self._opened += 1
        if self._act is not None and self._opened == 2:
            self._act()
        return super().examine(name)


class Year(Years):
    """With the colleague's mailbox, a second name for the first, and a configuration to edit."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, floor=START)
        self.box.folders[PROJECTS] = Folder("inbox", uidvalidity=50)
        self.reading = READING
        self.colleague = Postbox()
        self.second_name = False
        self.during: Callable[[], None] | None = None

    def read(self, later: timedelta) -> None:
        self.clock.now += later
        names = {*self.configured, "colleague", *({"second"} if self.second_name else ())}
        boxes = [
            (self.name, self.account, self.box),
            ("colleague", "him at x.example", self.colleague),
        ]
        if self.second_name:
            boxes.append(("second", self.account, self.box))
        with self.ledger() as ledger:
            for name, account, box in boxes:
                act, self.during = (self.during, None) if name == self.name else (None, self.during)
                line = _BusyLine(box, self.ids if box is self.box else {}, act)
                run = replace(
                    self.run_of(),
                    scoring=self.reading,
                    name=name,
                    account=account,
                    configured=frozenset(names),
                )
                poll(line, ledger, run)  # type: ignore[arg-type]

    def look(self) -> int:
        self.read(timedelta(days=1, hours=1))
        return 0


class YearOfAMailbox(RuleBasedStateMachine):
    """What each person wrote is counted beside the ledger, by nothing but arrivals."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="m2d-year-"))
        self.world = Year(self.home)
        self.wrote: dict[str, int] = {}
        self.raws: list[bytes] = []
        self.inbox = "INBOX"
        self.other: Postbox | None = None
        self.object_ids = 0

    def teardown(self) -> None:
        shutil.rmtree(self.home)

    def _at(self) -> datetime:
        return max(self.world.clock.now, START + timedelta(days=31))

    def _put(self, raw: bytes) -> None:
        self.world.box.deliver(self.inbox, raw, self._at())

    # People

    @rule(who=st.sampled_from(PEOPLE), to_both=st.booleans())
    def somebody_writes(self, who: str, *, to_both: bool) -> None:
        number = len(self.raws) + 1
        # Without a Message-ID two mails of one second, subject and size are taken for one.
        text = f"Mail {number} of this year{'.' * number}"
        raw = letter(who, WE, number=number, at=self._at(), text=text)
        if who == PEOPLE[2]:
            raw = raw.replace(f"Message-ID: <{number}@mail.example>\r\n".encode(), b"")
        self.raws.append(raw)
        self.wrote[who] = self.wrote.get(who, 0) + 1
        self._put(raw)
        if to_both:
            self.world.colleague.deliver("INBOX", COPIES["relayed"](raw), self._at())

    @precondition(lambda self: self.raws)
    @rule(data=st.data(), how=st.sampled_from(sorted(COPIES)), to_colleague=st.booleans())
    def a_copy_comes(self, data: st.DataObject, how: str, *, to_colleague: bool) -> None:
        raw = COPIES[how](data.draw(st.sampled_from(self.raws)))
        if to_colleague:
            self.world.colleague.deliver("INBOX", raw, self._at())
        else:
            self._put(raw)

    @rule()
    def an_archive_is_dragged_in(self) -> None:
        at = START - timedelta(days=900)
        number = 10_000 + len(self.world.box.folders[self.inbox].mails)
        self._put(letter(OLD, WE, number=number, at=at))

    @rule(data=st.data(), during=st.booleans(), back=st.booleans())
    def a_mail_is_moved(self, data: st.DataObject, *, during: bool, back: bool) -> None:
        source, target = (PROJECTS, self.inbox) if back else (self.inbox, PROJECTS)
        mails = sorted(self.world.box.folders[source].mails)
        if not mails:
            return
        box, uid = self.world.box, data.draw(st.sampled_from(mails))
        if during:
            self.world.during = lambda: box.move(source, uid, target)
            self.world.read(timedelta(minutes=5))
        else:
            box.move(source, uid, target)

    @rule()
    def all_is_moved_into_sent(self) -> None:
        self.world.look()
        for uid in list(self.world.box.folders[self.inbox].mails):
            self.world.box.move(self.inbox, uid, "Sent")

    @rule(data=st.data(), during=st.booleans())
    def a_mail_is_expunged(self, data: st.DataObject, *, during: bool) -> None:
        self.world.look()
        box, folder = self.world.box, self.inbox
        if not (mails := sorted(box.folders[folder].mails)):
            return
        uid = data.draw(st.sampled_from(mails))
        if during:
            self.world.during = lambda: box.expunge(folder, uid)
            self.world.read(timedelta(minutes=5))
        else:
            box.expunge(folder, uid)

    # The program

    @rule(later=st.sampled_from([timedelta(minutes=5), timedelta(days=1, hours=1)]))
    def it_is_read(self, later: timedelta) -> None:
        self.world.read(later)

    # The server

    @rule(which=st.sampled_from(["inbox", PROJECTS, "Sent"]))
    def the_server_forgets_its_uids(self, which: str) -> None:
        self.world.look()
        self.world.box.reset(self.inbox if which == "inbox" else which)

    @rule(data=st.data())
    def the_folder_is_restored(self, data: st.DataObject) -> None:
        """A backup knows the first mails only, and gives the UIDs of the others out again."""
        self.world.look()
        box = self.world.box.folders[self.inbox]
        box.uidnext = data.draw(st.integers(1, box.uidnext))
        box.mails = {uid: mail for uid, mail in box.mails.items() if uid < box.uidnext}

    @rule()
    def the_folder_is_renamed(self) -> None:
        self.world.look()
        name = "Kunden" if self.inbox == "INBOX" else "INBOX"
        box = self.world.box.folders.pop(self.inbox)
        box.uidvalidity += 100
        self.world.box.folders[name] = box
        if self.inbox in self.world.ids:
            self.world.ids[name] = self.world.ids.pop(self.inbox)
        self.inbox = name

    @rule(which=st.sampled_from(["inbox", PROJECTS]))
    def the_folder_gets_another_mailboxid(self, which: str) -> None:
        self.object_ids += 1
        name = self.inbox if which == "inbox" else which
        self.world.ids[name] = f"F{self.object_ids}"

    @rule(keeps_uidvalidity=st.booleans())
    def the_mail_is_migrated(self, *, keeps_uidvalidity: bool) -> None:
        """All mail lies on another host, where it arrived today."""
        self.world.look()
        before, self.world.box = self.world.box, Postbox()
        self.world.account = f"sales at host{self.world.clock.now:%j%H%M}.example"
        for name in list(self.world.box.folders):
            del self.world.box.folders[name]
        for name, folder in before.folders.items():
            new = Folder(folder.role, folder.uidvalidity + (0 if keeps_uidvalidity else 7))
            self.world.box.folders[name] = new
            for raw, _ in folder.mails.values():
                self.world.box.deliver(name, raw, self.world.clock.now)
        self.other = None

    # The configuration

    @rule(name=st.sampled_from(["sales", "verkauf"]))
    def the_mailbox_is_renamed(self, name: str) -> None:
        self.world.look()
        self.world.name, self.world.configured = name, frozenset({name})

    @rule(twice=st.booleans())
    def one_login_is_configured_twice(self, *, twice: bool) -> None:
        self.world.look()
        self.world.second_name = twice

    @rule(domains=st.sampled_from([(), ("stone.example",), ("acme.example",)]))
    def us_is_edited(self, domains: tuple[str, ...]) -> None:
        ours = frozenset({"ours.example", *domains})
        self.world.reading = replace(READING, us=replace(READING.us, domains=ours))
        with self.world.ledger() as ledger:
            rebuilding.rebuild(ledger, self.world.reading)

    @rule(days=st.sampled_from([-400, 10, 30]))
    def since_is_edited(self, days: int) -> None:
        """Earlier reads back; later takes nothing away. All mail of the year is newer: see `_at`."""
        self.world.look()
        self.world.floor = START + timedelta(days=days)
        with self.world.ledger() as ledger, ledger.transaction("floor"):
            for name in ("sales", "verkauf", "second", "colleague"):
                ledger.folders.lower_floor(name, self.world.floor)

    @rule()
    def another_account_comes_or_goes(self) -> None:
        self.world.look()
        self.other, self.world.box = self.world.box, self.other or Postbox()
        there = self.world.box.folders
        first = "INBOX" if "INBOX" in there else "Kunden"
        there.setdefault(self.inbox, there.pop(first))
        self.world.box.folders.setdefault(PROJECTS, Folder("inbox", uidvalidity=50))
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

    # What must be true

    def _wanted(self) -> dict[str, int]:
        us = self.world.reading.us
        return {who: count for who, count in self.wrote.items() if not us.is_us(who)}

    @invariant()
    def nobody_counts_more_than_was_written(self) -> None:
        found = senders(self.world) if self.world.path.exists() else {}
        for who, count in found.items():
            assert count <= self.wrote.get(who, 0), (found, self.wrote)

    @rule()
    def at_the_end_of_the_day_all_is_there(self) -> None:
        for _ in range(3):
            self.world.look()
        assert senders(self.world) == self._wanted()


YearOfAMailbox.TestCase.settings = settings(
    max_examples=6,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestYear = pytest.mark.hypothesis(YearOfAMailbox.TestCase)
