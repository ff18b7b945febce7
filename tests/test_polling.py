"""What the service does with one mailbox whose server is full, whose network is cut."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from dovecot import Post
from polling_kit import MAIL, PATIENCE, at, desk, kill_sessions
from proxy import Proxy
from scripted_imap import HANGUP, Answer, ScriptedImap, serve

from daemon.errors import LATER, LedgerProblem, RetryLater
from daemon.ledger.lock import Lock
from daemon.ledger.store import Ledger
from daemon.mailbox import connections
from daemon.mailbox.account import Account
from daemon.mailbox.imap import Mailbox
from daemon.mailbox.imap_errors import Crowded
from daemon.mailbox.watch import Rhythm, Watcher
from daemon.maintenance.catch_up import ask_service, follow
from daemon.sandbox.imap_server import installed, start_imap
from daemon.service import slowness
from daemon.service.health import health

LISTED = b'* LIST () "/" INBOX\r\n* STATUS INBOX (MESSAGES 0 UIDNEXT 4 UIDVALIDITY 7)\r\nTAG OK\r\n'
EXAMINED = b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 4] ok\r\nTAG OK examined\r\n"

# Polls that find nothing


def test_a_poll_that_finds_nothing_is_one_round_trip_and_no_write(tmp_path: Path) -> None:
    capabilities = "IMAP4rev1 LIST-EXTENDED LIST-STATUS"
    answers = {"LIST": LISTED, "EXAMINE": EXAMINED}
    with (
        ScriptedImap(answers, capabilities=capabilities) as server,
        desk(tmp_path, {"port": server.port, "password": "pw"}) as work,
    ):
        work.poll()
        work.later(minutes=1)
        work.poll()  # the first after the folder was read; what is quiet is written
        before, wal = len(server.commands), (tmp_path / "ledger.db-wal").stat().st_size
        for _ in range(3):
            work.later(seconds=1)
            work.poll()

        assert [line.split(b"(")[0] for line in server.commands[before:]] == [b'LIST "" '] * 3
        assert (tmp_path / "ledger.db-wal").stat().st_size == wal
        work.later(minutes=1)
        work.poll()
        polled = work.ledger.rows("SELECT polled_at FROM folders")[0]["polled_at"]
        assert polled == work.now.isoformat(timespec="seconds").replace("+00:00", "Z")


def test_a_folder_that_vanishes_makes_it_list_again(dovecot: Post, tmp_path: Path) -> None:
    dovecot.server.create_folder(dovecot.user, "Old")
    with desk(tmp_path, at(dovecot, folders={"inbox": ["INBOX", "Old"]})) as work:
        work.poll()
        with dovecot.client() as somebody:
            somebody.delete_folder("Old")
        work.poll()
        work.later(hours=1)
        work.poll()
        errors = {
            row["folder"]: row["last_error"]
            for row in work.ledger.rows("SELECT folder, last_error FROM health")
        }
        assert "no folder 'Old'" in errors["Old"]
        assert errors["INBOX"] is None


def test_a_fault_of_ours_is_told_as_the_mailboxs_trouble_until_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        ScriptedImap() as server,
        desk(tmp_path, {"port": server.port, "password": "pw"}) as work,
    ):
        with monkeypatch.context() as broken:
            broken.setattr("daemon.service.poll.poll", lambda *_: [].pop())
            with pytest.raises(IndexError):
                work.poll()
        (told,) = work.ledger.rows("SELECT part, name, reason FROM problems")
        assert told == {"part": "mailbox", "name": "sales", "reason": told["reason"]}
        assert "IndexError" in told["reason"]

        work.later(hours=1)
        work.poll()
        assert work.ledger.rows("SELECT * FROM problems WHERE part = 'mailbox'") == []


# Full servers


def test_200_mailboxes_on_a_server_with_room_for_10_are_all_polled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What was learned is tried again after a while, which may pass here on a busy machine.
    monkeypatch.setattr(connections, "_RISE_EVERY", 3600.0)
    if "dovecot" not in installed():
        pytest.skip("Dovecot 2.3 isn't installed")
    with start_imap("dovecot", connections=10) as server:
        post = Post(server, "sales@example.com", "secret")
        post.deliver(MAIL)
        with desk(tmp_path, at(post, since="2020-01-01"), count=200) as work:

            def poll(name: str) -> None:
                try:
                    work.poll(name)
                finally:
                    work.ledger.close()
                    del work.mine.ledger

            def learned() -> int:
                return work.polling._connections._servers["127.0.0.1", server.port].limit

            todo = list(work.names)
            with ThreadPoolExecutor(16) as pool:
                for _ in range(100):
                    list(pool.map(poll, todo))
                    todo = [work.soon.get() for _ in range(work.soon.qsize())]
                    # Each refusal teaches one; with few of them all are polled before it's learned.
                    if not todo and learned() > 10:
                        todo = list(work.names)
                    if not todo:
                        break
            polled = work.ledger.rows(
                "SELECT count(DISTINCT mailbox) AS n FROM folders WHERE polled_at IS NOT NULL"
                " OR scanned_at IS NOT NULL"
            )
            assert polled == [{"n": 200}]
            assert work.ledger.rows("SELECT * FROM troubles") == []
            assert work.ledger.rows("SELECT count(*) AS n FROM messages") == [{"n": 1}]
            assert 5 <= learned() <= 10


def test_never_more_connections_than_configured(dovecot: Post, tmp_path: Path) -> None:
    with desk(tmp_path, at(dovecot), count=12, connections_per_host=3, idle=True) as work:
        opened: list[Mailbox] = []
        most = 0

        def connect(account: Account) -> Mailbox:
            nonlocal most
            opened.append(Mailbox.connect(account))
            most = max(most, sum(not one.closed for one in opened))
            return opened[-1]

        work.polling._connections._connect = connect
        for name in work.names * 2:
            work.poll(name)
        assert most == 3
        assert work.polling.watcher.watched() <= 1


def test_who_finds_no_room_goes_behind_the_others(
    dovecot: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_LONGEST_WAIT", 0.01)
    with desk(tmp_path, at(dovecot), count=2, connections_per_host=1) as work:
        wiring = work.polling.wiring
        (box,) = wiring.mailboxes("sales")
        with work.polling._connections.lent(wiring.account(box)):
            assert work.poll("box1") == 0
        assert work.soon.get_nowait() == "box1"
        assert work.ledger.troubles.of("box1") is None
        work.poll("box1")


def test_the_limit_that_a_server_taught_rises_again(dovecot: Post) -> None:
    clock = [0.0]
    full = iter([False, False, True])

    def connect(account: Account) -> Mailbox:
        if next(full, False):
            raise Crowded("full", what=account.name)
        return Mailbox.connect(account)

    pool = connections.Connections(5, connect, monotonic=lambda: clock[0])
    one, two = (pool.lent(dovecot.account(name=name)) for name in ("one", "two"))
    with one, two, pytest.raises(Crowded):
        pool.spare(dovecot.account())
    with pool.lent(dovecot.account()):
        server = pool._server(dovecot.account())
        assert server.limit == 2
        clock[0] += 61
        assert pool._server(dovecot.account()).limit == 3
    pool.close()


def test_a_kept_connection_that_the_server_has_closed_is_replaced_unnoticed(
    dovecot: Post, tmp_path: Path
) -> None:
    with desk(tmp_path, at(dovecot)) as work:
        work.poll()
        kill_sessions(dovecot)
        dovecot.deliver(MAIL, internal_date=work.now)
        work.poll()
        assert work.ledger.troubles.of("sales") is None
        assert work.ledger.rows("SELECT count(*) AS n FROM sightings") == [{"n": 1}]


# Networks


def test_a_network_that_is_cut_for_ten_minutes_loses_nothing(dovecot: Post, tmp_path: Path) -> None:
    with Proxy(dovecot.server.port) as line:
        box = at(dovecot, port=line.port)
        with desk(tmp_path, box, idle=True) as work:
            work.polling.watcher.stop()
            work.polling.watcher = Watcher(work.soon.put, Rhythm(renew=0.2, answer=2))
            work.polling.watcher.start()
            work.hurry(2)
            work.poll()
            assert work.soon.get(timeout=PATIENCE) == "sales"  # IDLE has begun

            line.silent = True
            dovecot.deliver(MAIL, internal_date=work.now)
            assert work.soon.get(timeout=PATIENCE) == "sales"  # the renewal wasn't answered
            for _ in range(10):
                work.fails()
                work.later(minutes=1)
            waits = work.ledger.troubles.of("sales")
            assert waits is not None
            assert 2 <= waits.failures <= 6

            line.silent = False
            work.later(minutes=15)
            assert work.poll() == 1
            assert work.ledger.troubles.of("sales") is None
            assert work.soon.get(timeout=PATIENCE) == "sales"  # IDLE again
            dovecot.deliver(MAIL.replace(b"hello", b"again"), internal_date=work.now)
            assert work.soon.get(timeout=PATIENCE) == "sales"
            assert work.poll() == 1


def test_a_mail_that_arrives_is_read_because_idle_told_so(dovecot: Post, tmp_path: Path) -> None:
    with desk(tmp_path, at(dovecot), idle=True) as work:
        work.poll()
        assert work.soon.get(timeout=PATIENCE) == "sales"
        work.poll()
        assert work.soon.empty()
        dovecot.deliver(MAIL, internal_date=work.now)
        assert work.soon.get(timeout=PATIENCE) == "sales"
        assert work.poll() == 1


def test_a_connection_that_ends_in_a_poll_is_replaced_within_that_poll(tmp_path: Path) -> None:
    listed = (
        b'* LIST () "/" INBOX\r\n* STATUS INBOX (MESSAGES 0 UIDNEXT 4 UIDVALIDITY 7)\r\nTAG OK\r\n'
    )
    examined = (
        b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 4] ok\r\nTAG OK examined\r\n"
    )
    answers = {"LIST": listed, "EXAMINE": examined}
    with (
        ScriptedImap(answers, capabilities="IMAP4rev1 LIST-EXTENDED LIST-STATUS") as server,
        desk(tmp_path, {"port": server.port, "password": "pw"}) as work,
    ):
        work.poll()
        work.poll()
        once = iter([HANGUP])
        server.answers["LIST"] = lambda _: next(once, LISTED)
        work.poll()
        assert work.polling.tallies.failures == 0
        assert sum(line.startswith(b"LOGIN") for line in server.commands) == 2


def test_a_server_that_is_long_at_one_answer_is_told_while_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slowness, "_AFTER", 0.1)
    answers = {"LIST": LISTED, "EXAMINE": EXAMINED}
    capabilities = "IMAP4rev1 LIST-EXTENDED LIST-STATUS"
    told: list[str] = []
    with (
        ScriptedImap(answers, capabilities=capabilities) as server,
        desk(tmp_path, {"port": server.port, "password": "pw"}) as work,
    ):
        path = work.ledger.path  # of this thread: another's would be left open

        def long(_: bytes) -> bytes:
            time.sleep(2.5)
            with Ledger.open(path, readonly=True) as status:
                told.extend(str(line) for line in health(status, work.now))
            return LISTED

        work.poll()
        server.answers["LIST"] = long
        work.poll()
        assert len(told) == 1
        assert told[0].startswith(f"slow sales since {work.now:%Y-%m-%d %H:%M}: the server takes")
        assert len(health(work.ledger, work.now)) == 1  # it may be as slow in the next poll
        server.answers["LIST"] = LISTED
        work.poll()
        assert health(work.ledger, work.now) == []


def test_a_slow_mailbox_is_told_once_the_ledger_can_be_written(tmp_path: Path) -> None:
    now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    with Ledger.open(tmp_path / "ledger.db") as ledger, Ledger.open(ledger.path) as other:
        ledger.rows("PRAGMA busy_timeout = 0")
        told = slowness.Slowness(lambda: ledger, lambda: now)
        for _ in range(2):  # polls
            told.begins("sales")
            with other.transaction("test"), pytest.raises(LedgerProblem):
                told.waits("sales", 30.0)
            told.ends("sales", ledger)
        told.begins("sales")
        told.waits("sales", 30.0)
        told.ends("sales", ledger)
        assert len(health(ledger, now)) == 1

        told.begins("sales")
        with other.transaction("test"), pytest.raises(LedgerProblem):
            told.ends("sales", ledger)
        told.begins("sales")
        told.ends("sales", ledger)
        assert health(ledger, now) == []


@pytest.mark.parametrize(
    ("seconds", "kilobytes", "told"),
    [(11, 3, True), (19, 0, True), (4, 0, False), (11, 400, False)],
)
def test_a_server_that_takes_long_for_each_of_many_answers_is_told(
    tmp_path: Path, *, seconds: int, kilobytes: int, told: bool
) -> None:
    now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        slow = slowness.Slowness(lambda: ledger, lambda: now)

        def poll(answers: int, seconds: int) -> None:
            nonlocal now
            slow.begins("sales")
            for _ in range(answers):
                for second in range(1, seconds + 1):
                    now += timedelta(seconds=1)
                    slow.waits("sales", second, kilobytes * 1000 * second // seconds)
            slow.ends("sales", ledger)
            now += timedelta(seconds=20)

        for _ in range(6):
            poll(2, seconds)
        lines = [line.reason for line in health(ledger, now)]
        assert lines == [f"the server takes {seconds} s for each answer: mail is late"] * told
        poll(1, seconds)  # as slow as before
        assert len(health(ledger, now)) == told
        poll(5, 1)
        assert health(ledger, now) == []
        for _ in range(12):  # an answer now and then keeps nobody waiting
            poll(1, 6)
            now += timedelta(seconds=60)
        assert health(ledger, now) == []


def test_a_since_that_is_edited_reads_back_and_takes_nothing_away(
    dovecot: Post, tmp_path: Path
) -> None:
    def edit(since: str | None) -> None:
        document = yaml.safe_load((tmp_path / "config.yaml").read_text())
        document["mailboxes"][0]["since"] = since
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(document))
        work.reload()

    for month in (1, 3, 5):
        at_that_time = datetime(2026, month, 2, 9, tzinfo=UTC)
        raw = MAIL.replace(b"a@x.org", b"a%d@x.org" % month)
        dovecot.deliver(raw, internal_date=at_that_time)
    with desk(tmp_path, at(dovecot, since="2026-04-01")) as work:
        assert work.poll() == 1
        edit("2026-02-01")
        assert work.poll() == 1
        edit("2026-06-01")
        assert work.poll() == 0
        edit("2026-01-01")
        assert work.poll() == 1
        edit(None)
        assert work.poll() == 0
        assert work.ledger.rows("SELECT count(*) AS n FROM senders") == [{"n": 3}]


@pytest.mark.parametrize("word", [b"NO", b"BAD"])
def test_a_kept_connection_without_a_mailbox_behind_it_is_replaced_within_the_poll(
    word: bytes, tmp_path: Path
) -> None:
    """Exchange keeps such a connection open for ever, and refuses everything on it."""
    logins, lost = [0], [0]
    examined = b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT %d] ok\r\nTAG OK\r\n"
    counted = b"* STATUS INBOX (MESSAGES %d UIDNEXT %d UIDVALIDITY 7)\r\nTAG OK\r\n"

    def log_in(_: bytes) -> bytes:
        logins[0] += 1
        return b"TAG OK\r\n"

    def said(answer: bytes) -> Answer:
        def one(_: bytes) -> bytes:
            if logins[0] <= lost[0]:
                return b"TAG " + word + b" User is authenticated but not connected.\r\n"
            return answer % (lost[0], lost[0] + 1)

        return one

    answers: dict[str, Answer] = {
        "LOGIN": log_in,
        "EXAMINE": said(examined),
        "STATUS": said(counted),
        "SEARCH": b"* SEARCH 1\r\nTAG OK\r\n",
        "FETCH": lambda one: (
            serve([1])(one) if b"UID FETCH" in one else b"* 1 FETCH (UID 1)\r\nTAG OK done\r\n"
        ),
    }
    with (
        ScriptedImap(answers) as server,
        desk(tmp_path, {"port": server.port, "password": "pw", "since": "2026-01-01"}) as work,
    ):
        work.poll()
        lost[0] = 1  # the one connection there is; and a mail has come
        assert work.poll() == 1
        assert logins[0] == 2
        assert work.ledger.conditions.problems() == []


def test_a_second_connection_that_the_server_refuses_leaves_the_mailbox_to_polling(
    tmp_path: Path,
) -> None:
    logins = iter([b"TAG OK in\r\n"])
    full = b"TAG NO [UNAVAILABLE] not another one\r\n"
    with ScriptedImap(
        {"LOGIN": lambda _: next(logins, full), "IDLE": HANGUP}, capabilities="IMAP4rev1 IDLE"
    ) as server:
        server.answers["STATUS"] = (
            b"* STATUS INBOX (MESSAGES 0 UIDNEXT 4 UIDVALIDITY 7)\r\nTAG OK\r\n"
        )
        server.answers["EXAMINE"] = (
            b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 4]\r\nTAG OK\r\n"
        )
        server.answers["SEARCH"] = b"* SEARCH\r\nTAG OK\r\n"
        with desk(tmp_path, {"port": server.port, "password": "pw"}, idle=True) as work:
            for _ in range(3):
                work.poll()
            assert sum(line.startswith(b"LOGIN") for line in server.commands) == 2
            assert work.ledger.troubles.of("sales") is None


def test_a_day_of_polls_leaves_no_more_memory_in_use(dovecot: Post, tmp_path: Path) -> None:
    def in_use() -> float:
        gc.collect()
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * 4096 / 1e6  # MB

    with desk(tmp_path, at(dovecot, since="2020-01-01"), count=2, idle=True) as work:
        recorded: list[float] = []
        for minute in range(24 * 60):
            if minute % 60 == 0:
                text = MAIL.replace(b"hello", b"number %d" % minute)
                dovecot.deliver(text, internal_date=work.now)
            for name in work.names:
                work.poll(name)
            work.later(minutes=1)
            if minute % 120 == 0:
                recorded.append(in_use())
        assert work.ledger.rows("SELECT count(*) AS n FROM messages") == [{"n": 24}]
        assert work.polling.tallies.polls == 2 * 24 * 60
        assert max(recorded[6:]) - recorded[5] < 4, recorded


def test_a_reload_closes_a_connection_that_is_just_in_use(dovecot: Post) -> None:
    pool = connections.Connections(5)
    with pool.lent(dovecot.account()) as mailbox:
        pool.close()
        mailbox.command(b"NOOP")
    assert mailbox.closed


def test_a_catch_up_beside_the_service_ends_where_folders_cannot_be_read(
    tmp_path: Path,
) -> None:
    with desk(tmp_path, {"port": 9, "password": "pw"}) as work:
        boxes = work.wiring().config.mailboxes
        lock = Lock(work.ledger.path)
        lock.acquire("service")
        with work.ledger.transaction("test"):
            work.ledger.folders.ensure("sales", [("INBOX", "inbox"), ("Sent", "sent")], None)
        ask_service(work.wiring(), work.ledger, boxes, None)
        with work.ledger.transaction("the service polls"):
            due = work.now + timedelta(minutes=5)
            work.ledger.folders.failed("sales", None, "no permission", due)

        followed = follow(work.wiring(), boxes, lambda *_: None)
        lock.release()

    assert followed.status == LATER
    assert "couldn't read INBOX of sales, Sent of sales" in followed.word


@pytest.mark.parametrize("known", [True, False], ids=["read before", "never reached"])
def test_a_catch_up_beside_the_service_ends_where_a_mailbox_fails_and_the_service_goes_on(
    dovecot: Post, tmp_path: Path, *, known: bool
) -> None:
    dovecot.deliver(MAIL)
    with desk(tmp_path, dovecot.section(tmp_path)) as work:
        boxes = work.wiring().config.mailboxes
        lock = Lock(work.ledger.path)
        lock.acquire("service")
        if known:
            work.poll()
        dovecot.let_in_with("another")  # as in an outage of the login
        work.polling.exchange(work.wiring(), work.ledger)
        ask_service(work.wiring(), work.ledger, boxes, None)
        with pytest.raises(RetryLater):
            work.poll()

        followed = follow(work.wiring(), boxes, lambda *_: None)

        assert followed.status == LATER
        assert "the service couldn't read sales (" in followed.word
        dovecot.let_in_with(dovecot.password)
        work.now += timedelta(hours=6)
        work.poll()
        behind = work.ledger.folders.unread_back(["sales"])
        lock.release()
    assert behind == 0


def test_a_catch_up_beside_the_service_ends_where_pipedrive_pauses_for_long(
    tmp_path: Path,
) -> None:
    with desk(tmp_path, {"port": 9, "password": "pw"}) as work:
        lock = Lock(work.ledger.path)
        lock.acquire("service")
        with work.ledger.transaction("test"):
            due = work.now + timedelta(hours=2)
            work.ledger.conditions.failed("budget", "spent", work.now, next_try=due)
            work.ledger.rows(
                "INSERT INTO journal (kind, key, action, stage, fields, rank, state, version, planned_at)"
                " VALUES ('person', 'a@x.org', 'create', 1, '{}', '1', 'planned', 1, ?)",
                "2026-01-01T00:00:00Z",
            )
        followed = follow(work.wiring(), work.wiring().config.mailboxes, lambda *_: None)
        lock.release()

    assert followed.status == LATER
    assert followed.word == f"the service writes nothing until {due:%H:%M} UTC: spent"
