"""A mailbox of a real Dovecot that is put back to a backup, as an administrator does it."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dovecot import ARRIVED, Post
from postbox import WE, letter
from world import READING

from daemon.intake.poll import Pass, poll
from daemon.ledger.store import Ledger
from daemon.mailbox.imap import Place
from daemon.maintenance.audit import mailbox_gaps

NOW = datetime(2026, 3, 3, 9, tzinfo=UTC)


class Restorable:
    """One user whose mail is copied away and back while nobody is connected."""

    def __init__(self, post: Post, home: Path) -> None:
        self.post, self.backup = post, home / "backup"
        self.place = post.server.home / "mail" / post.user
        self.now = NOW

    def deliver(self, *numbers: int, who: str = "ada") -> None:
        for number in numbers:
            raw = letter(f"{who}@acme.example", WE, number=number, at=ARRIVED)
            self.post.deliver(raw)

    def keep(self) -> None:
        subprocess.run(["cp", "-a", self.place, self.backup], check=True)

    def restore(self) -> None:
        shutil.rmtree(self.place)
        subprocess.run(["cp", "-a", self.backup, self.place], check=True)

    def poll(self, ledger: Ledger, later: timedelta = timedelta(minutes=1)) -> int:
        self.now += later
        with self.post.mailbox() as mailbox:
            return poll(mailbox, ledger, Pass(READING, "sales", None, lambda: self.now)).new

    def unread(self, ledger: Ledger) -> int:
        """How many mails an audit would name."""
        with self.post.mailbox() as mailbox:
            mailbox.folders()
            return len(list(mailbox_gaps(mailbox, ledger, "sales")))


@pytest.fixture
def restorable(dovecot: Post, tmp_path: Path) -> Restorable:
    return Restorable(dovecot, tmp_path)


def test_a_restored_folder_is_read_at_the_next_poll_although_uidnext_is_what_it_was(
    restorable: Restorable, tmp_path: Path
) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        restorable.deliver(1, 2)
        assert restorable.poll(ledger) == 2
        restorable.keep()
        restorable.deliver(3, 4)
        with restorable.post.client() as client:
            client.set_flags([1, 2], [b"\\Seen"])
        assert restorable.poll(ledger) == 2
        restorable.restore()
        restorable.deliver(15, 16)

        assert restorable.poll(ledger) == 2
        assert restorable.unread(ledger) == 0


def test_mail_of_the_same_size_and_second_under_a_lost_uid_is_found_within_the_day(
    restorable: Restorable, tmp_path: Path
) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        restorable.deliver(1, 2)
        restorable.keep()
        restorable.deliver(3, 4)
        assert restorable.poll(ledger) == 4
        restorable.restore()
        restorable.deliver(5, 6, who="bob")
        restorable.poll(ledger)
        unread = restorable.unread(ledger)
        read = restorable.poll(ledger, timedelta(days=1))

        assert read == unread
        assert ledger.rows("SELECT count(*) AS n FROM messages") == [{"n": 6}]
        assert restorable.unread(ledger) == 0
        assert restorable.poll(ledger, timedelta(days=1)) == 0


def test_a_comparison_whose_line_is_lost_once_is_made_over_a_new_one(
    restorable: Restorable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the index of a large folder takes a process of Dovecot to its vsz_limit."""
    asked: list[Sequence[int]] = []
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        restorable.deliver(1, 2)
        assert restorable.poll(ledger) == 2
        with restorable.post.mailbox() as mailbox:
            places = mailbox.places

            def losing(uids: Sequence[int], *, header: bool = False) -> Iterator[Place]:
                asked.append(uids)
                if len(asked) == 1:
                    mailbox.abandon()
                return places(uids, header=header)

            mailbox.folders()
            monkeypatch.setattr(mailbox, "places", losing)
            assert list(mailbox_gaps(mailbox, ledger, "sales")) == []

    assert asked[0] == asked[1] == (1, 2)
