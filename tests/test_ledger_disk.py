"""The disk is full, the file is foreign, damaged or somebody else's: said clearly, nothing half."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from world import World

from daemon.errors import LedgerProblem
from daemon.ledger.lock import Held, Lock, owned
from daemon.ledger.store import Ledger


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    for number in range(30):
        world.receives(f"sender{number}@firm{number}.example")
    world.settle()
    return world


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 megabytes; only root can mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a small disk can't be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def integrity(path: Path) -> str:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])


def test_a_full_disk_stops_with_a_hint_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    world = World(small_disk)
    world.receives("ada@acme.example")
    world.settle()
    filler = small_disk / "filler"
    free = shutil.disk_usage(small_disk).free
    filler.write_bytes(b"x" * (free - 60_000))
    for number in range(200):
        world.receives(f"sender{number}@firm{number}.example", text="word " * 90)
    before = len(world.acts.every("persons"))
    with pytest.raises(LedgerProblem) as found:
        world.settle()
    assert found.value.hint
    filler.unlink()
    assert integrity(world.path) == "ok"
    world.receives("last@acme.example")
    world.settle()
    assert world.doubled() == []
    assert len(world.acts.every("persons")) >= before + 200


def test_a_read_only_ledger_is_said_to_be_so(world: World) -> None:
    if os.geteuid() == 0:
        # Root writes anyway; what SQLite says then is played by its own read-only mode.
        with (
            Ledger.open(world.path, readonly=True) as ledger,
            pytest.raises(LedgerProblem, match="readonly") as found,
            ledger.transaction("test"),
        ):
            ledger.set("x", 1)
        assert "allowed to write it" in found.value.hint
        return
    world.path.chmod(0o400)
    with pytest.raises(LedgerProblem):
        world.round()


def test_a_ledger_locked_by_another_program_is_said_to_be_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.ledger.store._BUSY_SECONDS", 0.05)
    other = sqlite3.connect(world.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerProblem, match="locked") as found:
        world.round()
    assert "another program" in found.value.hint
    other.close()
    world.round()


def test_a_second_instance_is_refused_and_told_who_is_first(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    hold = (
        "import sys, pathlib; from daemon.ledger.lock import owned\n"
        "with owned(pathlib.Path(sys.argv[1]), 'mail2deal service'): print('mine', flush=True); input()"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", hold, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert first.stdout is not None
    assert first.stdin is not None
    assert first.stdout.readline() == b"mine\n"
    with pytest.raises(Held) as refused, owned(path, "mail2deal --catch-up"):
        pass
    assert refused.value.holder == f"mail2deal service (pid {first.pid})"
    first.kill()
    first.wait()
    first.stdin.close()
    first.stdout.close()
    lock = Lock(path)
    lock.acquire("the next")  # the kernel has freed it
    lock.release()


def test_a_foreign_or_newer_or_missing_file_is_refused_untouched(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with contextlib.closing(sqlite3.connect(foreign)) as db, db:
        db.execute("CREATE TABLE accounts (name)")
    text = tmp_path / "text.db"
    text.write_text("dear ledger, " * 100)
    newer = tmp_path / "newer.db"
    Ledger.open(newer).close()
    with contextlib.closing(sqlite3.connect(newer)) as db, db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('mail2deal', 'm999', 'x')"
        )
    for path, words in ((foreign, "isn't a mail2deal"), (text, "not a database"), (newer, "newer")):
        before = path.read_bytes()
        with pytest.raises(LedgerProblem, match=words) as found:
            Ledger.open(path)
        assert found.value.hint
        assert path.read_bytes() == before
    with pytest.raises(LedgerProblem, match="no ledger"):
        Ledger.open(tmp_path / "missing.db", readonly=True)


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_damaged_page_never_ends_in_a_crash_or_a_doubled_record(
    part: float, world: World
) -> None:
    with contextlib.closing(sqlite3.connect(world.path)) as db, db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    good = world.path.with_name("backup.db")
    shutil.copy(world.path, good)
    with world.path.open("r+b") as file:
        file.seek(int(world.path.stat().st_size * part) // 4096 * 4096)
        file.write(b"\xff" * 4096)
    world.receives("new@acme.example")
    with contextlib.suppress(LedgerProblem):  # or the page wasn't needed
        world.settle()
    for left in world.path.parent.glob("ledger.db*"):
        left.unlink()
    shutil.copy(good, world.path)
    world.settle()
    assert world.doubled() == []


def test_the_ledger_can_be_copied_while_it_is_written(world: World, tmp_path: Path) -> None:
    stop = threading.Event()
    copies: list[str] = []

    def copy() -> None:
        while not stop.is_set():
            target = tmp_path / f"copy{len(copies)}.db"
            with (
                contextlib.closing(sqlite3.connect(world.path)) as source,
                contextlib.closing(sqlite3.connect(target)) as copied,
            ):
                source.backup(copied)
            source.close()
            copied.close()
            copies.append(integrity(target))

    thread = threading.Thread(target=copy)
    thread.start()
    for number in range(10):
        world.receives(f"more{number}@firm{number}.example")
        world.round()
    stop.set()
    thread.join()
    assert copies
    assert set(copies) == {"ok"}


def test_restoring_yesterdays_ledger_doubles_nothing(world: World) -> None:
    yesterday = world.path.with_name("yesterday.db")
    with (
        contextlib.closing(sqlite3.connect(world.path)) as source,
        contextlib.closing(sqlite3.connect(yesterday)) as copied,
    ):
        source.backup(copied)
    world.receives("sender1@firm1.example")
    asked = world.sends("sender2@firm2.example")
    world.receives("sender2@firm2.example", answers=asked)
    world.receives("new@stranger.example")
    world.invites("sender3@firm3.example", "m1")
    world.sends("sender3@firm3.example")
    world.settle()
    crm, writes = world.crm(), world.writes()

    for file in world.path.parent.glob("ledger.db*"):
        file.unlink()
    shutil.copy(yesterday, world.path)
    world.settle()

    assert world.doubled() == []
    assert [w for w in world.writes()[len(writes) :] if w.startswith("POST")] == []
    assert world.crm() == crm


def test_without_any_ledger_nothing_is_doubled_either(world: World) -> None:
    crm, writes = world.crm(), world.writes()
    for file in world.path.parent.glob("ledger.db*"):
        file.unlink()
    world.settle()

    assert world.doubled() == []
    assert [w for w in world.writes()[len(writes) :] if w.startswith("POST")] == []
    assert world.crm() == crm


def test_without_any_ledger_the_mails_of_people_we_only_adopted_are_recognised_too(
    tmp_path: Path,
) -> None:
    """They have no lead and no deal of ours: only the activities and our fields tell of us."""
    world = World(tmp_path)
    world.acts.add_person("Dan", "dan@firm.example")
    world.clock.now += timedelta(minutes=5)  # what we write shows as a change of theirs
    world.receives("dan@firm.example")
    world.settle()
    crm = world.crm()
    assert [a["type"] for a in crm["activities"]] == ["email"]
    for file in world.path.parent.glob("ledger.db*"):
        file.unlink()
    world.settle()

    assert world.doubled() == []
    assert world.crm() == crm


def test_a_ledger_from_before_the_first_activity_recognises_the_mails_of_adopted_people(
    tmp_path: Path,
) -> None:
    """Only our fields were there when it was copied, and this ledger had made them."""
    world, backup = World(tmp_path), tmp_path / "backup.db"
    world.acts.add_person("Dan", "dan@firm.example")
    world.sends("ada@firm.example")
    world.settle()
    with world.ledger() as ledger:
        ledger.copy_to(backup)
    world.receives("dan@firm.example")
    world.settle()
    crm = world.crm()
    assert [a["type"] for a in crm["activities"]] == ["email"]
    for file in world.path.parent.glob("ledger.db*"):
        file.unlink()
    backup.rename(world.path)
    world.settle()

    assert world.doubled() == []
    assert world.crm() == crm


def test_the_same_mail_in_two_mailboxes_a_reset_and_a_second_backfill_write_nothing(
    world: World,
) -> None:
    writes = world.writes()
    for raw, at in list(world.box.folders["INBOX"].mails.values()):
        world.box.deliver("INBOX", raw, at)
    world.settle()
    world.box.reset("INBOX")
    world.settle()
    with world.ledger() as ledger, ledger.transaction("test"):
        ledger.rows("DELETE FROM sightings")
        ledger.rows("UPDATE folders SET scanned_at = NULL")
    world.settle()
    assert world.writes() == writes


def test_a_command_that_comes_and_goes_leaves_a_service_of_many_threads_its_log(
    tmp_path: Path,
) -> None:
    """SQLite's locks are of the process: closing any descriptor of the file lets them all go.

    Then whoever closes the ledger believes to be the last, and takes the log away.
    """
    path = tmp_path / "ledger.db"
    log = tmp_path / "ledger.db-wal"
    command = (
        "import pathlib, sys\nfrom daemon.ledger.store import Ledger\n"
        "with Ledger.open(pathlib.Path(sys.argv[1])) as ledger, ledger.transaction('test'):\n"
        "    ledger.set('said', 'by a command')\n"
    )
    with Ledger.open(path) as first, Ledger.open(path) as second:
        with first.transaction("test"):
            first.set("said", "by us")
        before = log.stat().st_ino
        subprocess.run([sys.executable, "-c", command, str(path)], check=True)
        assert log.stat().st_ino == before
        assert [one.setting("said") for one in (first, second)] == ["by a command"] * 2
        with second.transaction("test"):
            second.set("said", "by us again")
    assert integrity(path) == "ok"
    with Ledger.open(path, readonly=True) as ledger:
        assert ledger.setting("said") == "by us again"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work for others")
def test_what_root_makes_belongs_to_the_owner_of_the_directory(tmp_path: Path) -> None:
    """`sudo mail2deal --catch-up` before the service's first start, or after the ledger was lost."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    os.chown(state, 12345, 12345)

    with owned(state / "ledger.db", "root's command") as ledger:
        with ledger.transaction("setting"):
            ledger.set("name", "value")
        found = {(path.name, path.stat().st_uid, path.stat().st_gid) for path in state.iterdir()}

    names = ("ledger.db", "ledger.db.lock", "ledger.db-shm", "ledger.db-wal")
    assert found == {(name, 12345, 12345) for name in names}
