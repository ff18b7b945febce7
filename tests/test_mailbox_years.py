"""What happens to a mailbox over years: other accounts and names, folders renamed, UIDs reused."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from postbox import START, WE, Line, Postbox, letter
from world import READING, World

from daemon.intake import poll as intake_poll
from daemon.intake.poll import Pass, poll
from daemon.ledger.store import Ledger
from daemon.mailbox.imap import Fetched, FolderStatus, Place, Unfetched


class Years(World):
    """A world whose mailbox has an account, a name in the configuration and an oldest date."""

    def __init__(self, home: Path, *, floor: datetime | None = None) -> None:
        super().__init__(home)
        self.account, self.name, self.floor = "sales at mail.example", "sales", floor
        self.configured = frozenset({"sales"})
        self.ids: dict[str, str] = {}

    def run_of(self) -> Pass:
        return Pass(
            READING,
            self.name,
            self.floor,
            self.clock,
            account=self.account,
            configured=self.configured,
        )

    def look(self) -> int:
        """One poll a day later; how many messages were new."""
        self.clock.now += timedelta(days=1, hours=1)
        with self.ledger() as ledger:
            return poll(_Line(self.box, self.ids), ledger, self.run_of()).new  # type: ignore[arg-type]

    def folders(self) -> list[tuple[str, str, int]]:
        with self.ledger() as ledger:
            rows = ledger.rows("SELECT mailbox, name, active FROM folders ORDER BY active DESC, id")
        return [(row["mailbox"], row["name"], row["active"]) for row in rows]


class _Line(Line):
    """With OBJECTID where ids are given."""

    def __init__(self, box: Postbox, ids: dict[str, str]) -> None:
        super().__init__(box)
        self._ids = ids

    def examine(self, name: str) -> FolderStatus:
        return super().examine(name)._replace(object_id=self._ids.get(name))


class _Noting(_Line):
    """Notes which UIDs are fetched."""

    def __init__(self, box: Postbox, read: list[int]) -> None:
        super().__init__(box, {})
        self._read = read

    def fetch(self, uids: Sequence[int], **more: bool) -> Iterator[Fetched | Unfetched]:
        self._read.extend(uids)
        return super().fetch(uids, **more)


def senders(world: World) -> dict[str, int]:
    with world.ledger() as ledger:
        return {
            row["address"]: row["msg_count"]
            for row in ledger.rows("SELECT address, msg_count FROM senders ORDER BY address")
        }


def test_another_account_under_the_same_name_begins_anew(tmp_path: Path) -> None:
    world = Years(tmp_path)
    world.receives("ada@acme.example")
    assert world.look() == 1
    old, world.box = world.box, Postbox()  # the same UIDVALIDITY and the same UIDs
    for number in (11, 12, 13):
        at = START + timedelta(days=number)
        world.box.deliver("INBOX", letter("bob@stone.example", WE, number=number, at=at), at)
    world.account = "other at mail.example"

    assert world.look() == 3

    world.box, world.account = old, "sales at mail.example"  # and back
    world.receives("ada@acme.example")
    assert world.look() == 1
    assert senders(world) == {"ada@acme.example": 2, "bob@stone.example": 3}
    assert sorted(world.folders())[:1] == [("sales", "INBOX", 1)]


def test_a_mailbox_with_another_name_keeps_its_folders(tmp_path: Path) -> None:
    world = Years(tmp_path, floor=START)
    world.receives("ada@acme.example")
    world.look()
    world.name, world.configured = "verkauf", frozenset({"verkauf"})
    world.floor = START + timedelta(days=400)  # where a folder would begin that is new to us
    world.receives("ada@acme.example")

    assert world.look() == 1
    assert world.folders() == [("verkauf", "INBOX", 1), ("verkauf", "Sent", 1)]
    with world.ledger() as ledger:
        assert ledger.rows("SELECT DISTINCT mailbox FROM senders") == [{"mailbox": "verkauf"}]


def test_two_names_for_one_account_take_nothing_from_one_another(tmp_path: Path) -> None:
    world = Years(tmp_path)
    world.configured = frozenset({"sales", "second"})
    world.receives("ada@acme.example")
    world.look()
    world.name = "second"

    assert world.look() == 0
    world.name = "sales"
    world.look()
    assert [row[:2] for row in world.folders()] == [
        ("sales", "INBOX"),
        ("sales", "Sent"),
        ("second", "INBOX"),
        ("second", "Sent"),
    ]


@pytest.mark.parametrize("by_id", [True, False])
def test_a_renamed_folder_is_recognised(tmp_path: Path, *, by_id: bool) -> None:
    world = Years(tmp_path, floor=START)
    world.box.folders["Kunden"] = world.box.folders["INBOX"]
    world.box.folders["Kunden"].uidvalidity = 77
    del world.box.folders["INBOX"]
    world.ids = {"Kunden": "F1", "Sent": "F2"} if by_id else {}
    at = START + timedelta(days=1)
    world.box.deliver("Kunden", letter("ada@acme.example", WE, number=1, at=at), at)
    assert world.look() == 1
    world.box.folders["Alte Kunden"] = world.box.folders.pop("Kunden")
    world.ids = {"Alte Kunden": "F1", "Sent": "F2"} if by_id else {}
    world.floor = START + timedelta(days=400)
    at = START + timedelta(days=3)
    world.box.deliver("Alte Kunden", letter("ada@acme.example", WE, number=2, at=at), at)

    assert world.look() == 1
    assert senders(world) == {"ada@acme.example": 2}
    assert ("sales", "Alte Kunden", 1) in world.folders()
    assert len(world.folders()) == 2


def test_folders_that_share_a_uidvalidity_are_not_taken_for_one_another(tmp_path: Path) -> None:
    world = Years(tmp_path)
    for name in ("A", "B"):
        world.box.folders[name] = type(world.box.folders["INBOX"])("inbox", uidvalidity=1)
        at = START + timedelta(days=1)
        world.box.deliver(name, letter(f"{name}@x.example", WE, number=ord(name), at=at), at)
    world.look()
    del world.box.folders["A"], world.box.folders["B"]
    world.box.folders["C"] = type(world.box.folders["INBOX"])("inbox", uidvalidity=1)
    world.box.deliver("C", letter("c@x.example", WE, number=9, at=START), START)

    assert world.look() == 1
    assert "c@x.example" in senders(world)


def test_a_uid_that_is_given_out_again_is_read(tmp_path: Path) -> None:
    world = Years(tmp_path)
    world.receives("ada@acme.example")
    world.look()
    at = START + timedelta(days=9)
    world.box.folders["INBOX"].mails[1] = (letter("bob@x.example", WE, number=7, at=at), at)

    assert world.look() == 1
    assert senders(world) == {"ada@acme.example": 1, "bob@x.example": 1}


@pytest.mark.parametrize("answered", [False, True], ids=["by id", "without an id"])
def test_a_uid_is_read_again_although_size_and_arrival_are_the_same(
    tmp_path: Path, *, answered: bool
) -> None:
    """A second copy of it under another UID is no reason to read it each day."""
    world = Years(tmp_path)
    for _ in range(3):
        world.receives("ada@acme.example")
    inbox = world.box.folders["INBOX"]
    raw, at = inbox.mails[2]
    if answered:
        raw = raw.replace(b"Message-ID: <2@mail.example>\r\n", b"")
    inbox.mails[2] = raw, at
    tagged = raw.replace(b"Subject: ", b"Subject: [EXTERNAL] ")
    world.box.deliver("INBOX", tagged, at)
    world.look()
    assert world.look() == 0
    assert senders(world) == {"ada@acme.example": 3}

    other = raw.replace(b"ada@acme", b"bob@acme").replace(b"<2@", b"<7@")
    assert len(other) == len(raw)
    inbox.mails[2] = other, at

    assert world.look() == 1
    assert senders(world) == {"ada@acme.example": 3, "bob@acme.example": 1}
    with world.ledger() as ledger:
        read: list[int] = []
        world.clock.now += timedelta(days=1, hours=1)
        poll(_Noting(world.box, read), ledger, world.run_of())  # type: ignore[arg-type]
        assert read == []


def test_uids_beyond_32_bits_are_read_once(tmp_path: Path) -> None:
    world = Years(tmp_path)
    world.box.folders["INBOX"].uidnext = first = 2**32 + 7
    read: list[int] = []
    for _ in range(2):
        world.receives("ada@acme.example")
        world.clock.now += timedelta(days=1, hours=1)
        with world.ledger() as ledger:
            poll(_Noting(world.box, read), ledger, world.run_of())  # type: ignore[arg-type]

    assert read == [first, first + 1]
    assert senders(world) == {"ada@acme.example": 2}


@pytest.mark.parametrize("sign", ["modseq", "messages"])
def test_a_folder_that_was_restored_is_noticed_although_uidnext_is_what_it_was(
    tmp_path: Path, sign: str
) -> None:
    world = Years(tmp_path)
    modseq = 100

    class Counting(_Line):
        def _status(self, name: str) -> FolderStatus:
            return super()._status(name)._replace(modseq=modseq if sign == "modseq" else None)

    def look() -> int:
        world.clock.now += timedelta(minutes=1)
        with world.ledger() as ledger:
            return poll(Counting(world.box, {}), ledger, world.run_of()).new  # type: ignore[arg-type]

    for _ in range(4):
        world.receives("ada@acme.example")
    inbox, at = world.box.folders["INBOX"], START + timedelta(days=9)
    if sign == "messages":
        del inbox.mails[1]
    assert look() == len(inbox.mails)
    assert look() == 0
    modseq += 5  # somebody has read some of it
    assert look() == 0
    if sign == "messages":  # the backup is from before the first was deleted
        inbox.mails[1] = (letter("eve@x.example", WE, number=8, at=at), at)
    modseq = 90
    for uid in (3, 4):
        inbox.mails[uid] = (letter("fay@x.example", WE, number=uid + 9, at=at), at)

    assert look() == (3 if sign == "messages" else 2)
    assert senders(world)["fay@x.example"] == 2


def test_a_folder_that_was_restored_to_an_earlier_day_is_read_as_it_is_now(tmp_path: Path) -> None:
    world = Years(tmp_path)
    for name in ("ada", "bob", "cyd", "dan"):
        world.receives(f"{name}@acme.example")
    world.look()
    inbox, at = world.box.folders["INBOX"], START + timedelta(days=9)
    # The backup knows the first two; one mail that came between two backups has the UID of Bob's.
    inbox.mails = {1: inbox.mails[1], 2: (letter("eve@x.example", WE, number=8, at=at), at)}
    inbox.uidnext = 3
    # What comes from now on has UIDs that others had before.
    for number, new in ((9, 2), (10, 1)):
        inbox.mails[number - 6] = (letter("fay@x.example", WE, number=number, at=at), at)
        inbox.uidnext += 1
        world.clock.now += timedelta(minutes=1)
        with world.ledger() as ledger:  # polls like any other, within the day
            tally = poll(_Line(world.box, {}), ledger, world.run_of())  # type: ignore[arg-type]
        assert tally.new == new

    assert senders(world)["eve@x.example"] == 1
    assert senders(world)["fay@x.example"] == 2
    assert len(senders(world)) == 6  # what was read stays


def test_mail_under_a_uid_that_was_unreadable_before_a_restore_is_read_at_once(
    tmp_path: Path,
) -> None:
    world = Years(tmp_path)
    for name in ("ada", "bob", "cyd"):
        world.receives(f"{name}@acme.example")
    world.look()
    inbox, at = world.box.folders["INBOX"], START + timedelta(days=9)
    with world.ledger() as ledger:  # the third is unreadable, and isn't tried any more
        (folder,) = (one for one in ledger.folders.of("sales") if one.name == "INBOX")
        assert folder.uidvalidity is not None
        with ledger.transaction("unreadable"):
            ledger.sightings.forget_from(folder.id, folder.uidvalidity, 3)
            for _ in range(20):
                ledger.quarantine.add(folder.id, folder.uidvalidity, 3, "unreadable", at)
    del inbox.mails[3]
    inbox.uidnext = 3
    with world.ledger() as ledger:
        poll(_Line(world.box, {}), ledger, world.run_of())  # type: ignore[arg-type]
    inbox.mails[3] = (letter("fay@x.example", WE, number=9, at=at), at)
    inbox.uidnext = 4
    with world.ledger() as ledger:
        assert poll(_Line(world.box, {}), ledger, world.run_of()).new == 1  # type: ignore[arg-type]

    assert senders(world)["fay@x.example"] == 1
    with world.ledger() as ledger:
        assert not ledger.quarantine.entries()


def test_replicas_that_lag_are_looked_through_once_an_hour_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_poll, "_RESTORED_TAIL", 2)
    world = Years(tmp_path)
    for _ in range(5):
        world.receives("ada@acme.example")
    world.look()
    looked: list[int] = []

    class Replica(_Line):
        def places(self, uids: Sequence[int], *, header: bool = False) -> Iterator[Place]:
            if not header:
                looked.append(len(uids))
            return super().places(uids, header=header)

    inbox = world.box.folders["INBOX"]
    for minute in range(120):
        world.clock.now += timedelta(minutes=1)
        inbox.uidnext = 6 - minute % 2
        with world.ledger() as ledger:
            poll(Replica(world.box, {}), ledger, world.run_of())  # type: ignore[arg-type]

    assert looked.count(5) <= 2
    assert senders(world) == {"ada@acme.example": 5}


def test_a_uidvalidity_that_changes_each_time_is_said_and_damped(tmp_path: Path) -> None:
    world = Years(tmp_path)
    for _ in range(3):
        world.receives("ada@acme.example")
    world.look()
    looks = 0
    with world.ledger() as ledger:
        for _ in range(24 * 60):
            world.clock.now += timedelta(minutes=1)
            world.box.reset("INBOX")
            before = ledger.rows("SELECT uidvalidity FROM folders WHERE name = 'INBOX'")
            world.take_in(ledger)
            looks += before != ledger.rows("SELECT uidvalidity FROM folders WHERE name = 'INBOX'")
        assert looks < 20
        (row,) = ledger.rows("SELECT last_error FROM folders WHERE name = 'INBOX'")
        assert "UIDVALIDITY" in row["last_error"]
        assert ledger.rows("SELECT count(*) AS n FROM sightings") == [{"n": 3}]
        # A server that has come to its senses is read as any other.
        world.clock.now += timedelta(hours=12)
        world.take_in(ledger)
        world.clock.now += timedelta(hours=12)
        world.take_in(ledger)
        (row,) = ledger.rows("SELECT last_error, resets FROM folders WHERE name = 'INBOX'")
        assert row == {"last_error": None, "resets": 0}
    assert senders(world) == {"ada@acme.example": 3}


@pytest.mark.parametrize(
    ("headers", "news"),
    [
        ("", False),
        ("Received: from a by b; {yesterday}\r\nReceived: from c by a; {then}\r\n", True),
        ("Received: from a by b; {then}\r\n", False),
    ],
)
def test_what_was_written_long_ago_is_no_news_because_it_arrived_today(
    tmp_path: Path, headers: str, *, news: bool
) -> None:
    floor = START + timedelta(days=365 * 5)
    world = Years(tmp_path, floor=floor)
    world.clock.now = floor + timedelta(hours=3)
    form = "%a, %d %b %Y %H:%M:%S +0000"
    extra = headers.format(yesterday=f"{world.clock.now:{form}}", then=f"{START:{form}}")
    raw = letter("ada@acme.example", WE, number=1, at=START, extra=extra)
    world.box.deliver("INBOX", raw, world.clock.now + timedelta(hours=1))
    recent = world.clock.now - timedelta(days=2)
    raw = letter("bob@stone.example", WE, number=2, at=recent)
    world.box.deliver("INBOX", raw, world.clock.now + timedelta(hours=1))

    world.look()

    assert ("ada@acme.example" in senders(world)) == news
    assert "bob@stone.example" in senders(world)
    with world.ledger() as ledger, ledger.transaction("floor"):
        ledger.folders.lower_floor("sales", None)  # as `--catch-up` does
    world.look()
    assert "ada@acme.example" in senders(world)


@pytest.mark.parametrize("days", [1, 400])
def test_a_first_start_with_the_clock_ahead_loses_nothing(tmp_path: Path, days: int) -> None:
    world = Years(tmp_path)
    real = START + timedelta(days=30)
    old = START - timedelta(days=900)
    world.box.deliver("INBOX", letter("old@acme.example", WE, number=9, at=old), old)
    world.floor = world.clock.now = real + timedelta(days=days)
    with world.ledger() as ledger:
        poll(_Line(world.box, {}), ledger, world.run_of())  # type: ignore[arg-type]
        at = real + timedelta(hours=2)
        world.box.deliver("INBOX", letter("ada@acme.example", WE, number=1, at=at), at)
        poll(_Line(world.box, {}), ledger, world.run_of())  # type: ignore[arg-type]

        world.clock.now = real + timedelta(hours=5)
        with ledger.transaction("clock"):
            found = ledger.clock.clamp(world.clock.now)
        poll(_Line(world.box, {}), ledger, world.run_of())  # type: ignore[arg-type]

        assert found["folders.floor"] == 2
        assert senders(world) == {"ada@acme.example": 1}
        with ledger.transaction("clock"):
            assert ledger.clock.clamp(world.clock.now) == {}


def test_a_clock_that_is_behind_moves_no_stamp(tmp_path: Path) -> None:
    world = Years(tmp_path)
    world.receives("ada@acme.example")
    world.settle()
    with world.ledger() as ledger, ledger.transaction("clock"):
        long_ago = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
        assert ledger.clock.clamp(long_ago) == {}
        assert ledger.clock.is_behind(long_ago)


def test_nothing_sleeps_longer_than_its_longest_pause(tmp_path: Path) -> None:
    world = Years(tmp_path)
    world.receives("ada@acme.example")
    world.look()
    with Ledger.open(world.path) as ledger:
        with ledger.transaction("test"):
            later = world.clock.now + timedelta(days=30)
            ledger.folders.failed("sales", "INBOX", "server away", later)
        world.receives("ada@acme.example")
        world.clock.now += timedelta(minutes=1)
        world.take_in(ledger)
    assert senders(world) == {"ada@acme.example": 2}


@pytest.mark.parametrize("seen_before", [True, False])
def test_a_customer_whose_mails_are_filed_into_sent_is_not_us(
    tmp_path: Path, *, seen_before: bool
) -> None:
    world = Years(tmp_path)
    for _ in range(12):
        number = world.receives("ada@acme.example")
        if not seen_before:
            world.box.move("INBOX", number, "Sent")
    world.look()
    if seen_before:
        for uid in range(1, 13):
            world.box.move("INBOX", uid, "Sent")
        world.look()

    with world.ledger() as ledger:
        assert not ledger.setting("learned_addresses")
    assert senders(world) == ({"ada@acme.example": 12} if seen_before else {})
    world.receives("ada@acme.example")
    world.look()
    assert "ada@acme.example" in senders(world)


def test_an_alias_that_writes_to_others_is_learned(tmp_path: Path) -> None:
    world = Years(tmp_path)
    for number in range(3):
        at = START + timedelta(hours=number)
        raw = letter("me@elsewhere.example", "ada@acme.example", number=50 + number, at=at)
        world.box.deliver("Sent", raw, at)
    world.look()

    with world.ledger() as ledger:
        assert ledger.setting("learned_addresses") == ["me@elsewhere.example"]


def test_accounts_change_although_a_folder_of_one_was_renamed(tmp_path: Path) -> None:
    world = Years(tmp_path)
    world.receives("ada@acme.example")
    assert world.look() == 1
    theirs, at = Postbox(), START + timedelta(days=5)
    theirs.deliver("INBOX", letter("bob@stone.example", WE, number=77, at=at), at)
    ours, there, here = world.box, "other at mail.example", world.account
    world.box, world.account = theirs, there
    assert world.look() == 1
    theirs.folders["Kunden"] = theirs.folders.pop("INBOX")
    theirs.folders["Kunden"].uidvalidity += 100
    assert world.look() == 0
    for box, account in ((ours, here), (theirs, there), (ours, here)):
        world.box, world.account = box, account
        assert world.look() == 0
        active = {name for _, name, is_active in world.folders() if is_active}
        assert active == set(box.folders)
    assert senders(world) == {"ada@acme.example": 1, "bob@stone.example": 1}
