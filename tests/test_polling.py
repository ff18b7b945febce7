"""What the service does with one mailbox, on real servers that are full, gone, cut or changed."""

import os
import queue
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from dovecot import Post
from oauth_server import oauth_server
from proxy import Proxy
from scripted_imap import HANGUP, ScriptedImap

from daemon.cli.login import login
from daemon.cli.output import ATTENTION, DONE
from daemon.cli.polling import Polling
from daemon.cli.status import status as show_status
from daemon.cli.wiring import Wiring
from daemon.config import load
from daemon.errors import ConfigProblem, Problem, RetryLater
from daemon.ledger.store import Ledger
from daemon.mailbox import connections
from daemon.mailbox.account import Account
from daemon.mailbox.imap import Mailbox
from daemon.mailbox.watch import Rhythm, Watcher
from daemon.oauth.grant import Patience
from daemon.sandbox.imap_server import installed, start_imap

MAIL = b"From: a@x.org\r\nTo: sales@example.com\r\nSubject: hello\r\n\r\nhi\r\n"
PATIENCE = 30


@dataclass
class Desk:
    """A service without its threads: polls when it is told to, at a time that a test sets."""

    home: Path
    names: list[str]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    soon: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)
    mine: threading.local = field(default_factory=threading.local)

    def wiring(self) -> Wiring:
        return Wiring(load(self.home / "config.yaml"), now=lambda: self.now)

    def start(self) -> Polling:
        """As after a start of the program: nothing is known but what the ledger says."""
        self.polling = Polling(self.wiring(), soon=self.soon.put, carry_on=lambda: True)
        self.polling.watcher.start()
        return self.polling

    @property
    def ledger(self) -> Ledger:
        if not hasattr(self.mine, "ledger"):
            self.mine.ledger = Ledger.open(self.home / "ledger.db")
        ledger: Ledger = self.mine.ledger
        return ledger

    def poll(self, name: str = "sales") -> int:
        return self.polling.poll(name, self.ledger)

    def fails(self, name: str = "sales") -> RetryLater:
        with pytest.raises(RetryLater) as problem:
            self.poll(name)
        return problem.value

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def reload(self) -> None:
        self.polling.exchange(self.wiring(), self.ledger)

    def hurry(self, **seconds: float) -> None:
        """Let the account's timeouts pass faster."""
        wiring = self.polling.wiring
        for box in wiring.config.mailboxes:
            wiring.accounts[box.name] = replace(wiring.account(box), **seconds)


@contextmanager
def desk(home: Path, box: dict[str, Any], count: int = 1, **poll: Any) -> Iterator[Desk]:
    names = ["sales", *(f"box{number}" for number in range(1, count))]
    usual = {"host": "127.0.0.1", "tls": "none", "username": "sales@example.com"}
    document = {
        "mailboxes": [usual | {"name": name} | box for name in names],
        "pipedrive": {"base_url": "http://127.0.0.1:9", "token": {"env": "NONE"}},
        "poll": {"idle": False} | poll,
        "ledger": str(home / "ledger.db"),
    }
    (home / "config.yaml").write_text(yaml.safe_dump(document))
    one = Desk(home, names)
    assert one.ledger  # made here, once, as the service does before it has any thread
    one.start()
    try:
        yield one
    finally:
        one.polling.close(one.ledger)
        one.ledger.close()


def at(server: Post, **more: Any) -> dict[str, Any]:
    return {"port": server.server.port, "username": server.user, "password": {"env": "IMAP"}} | more


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAP", "secret")


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


# Polls that find nothing


def test_a_poll_that_finds_nothing_is_one_round_trip_and_no_write(tmp_path: Path) -> None:
    capabilities = "IMAP4rev1 LIST-EXTENDED LIST-STATUS"
    listed = (
        b'* LIST () "/" INBOX\r\n* STATUS INBOX (MESSAGES 0 UIDNEXT 4 UIDVALIDITY 7)\r\nTAG OK\r\n'
    )
    examined = (
        b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 4] ok\r\nTAG OK examined\r\n"
    )
    answers = {"LIST": listed, "EXAMINE": examined}
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
        assert "no folder 'Old'" in str(work.fails())


# Full servers


def test_200_mailboxes_on_a_server_with_room_for_10_are_all_polled(tmp_path: Path) -> None:
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

            todo = list(work.names)
            with ThreadPoolExecutor(16) as pool:
                for _ in range(100):
                    list(pool.map(poll, todo))
                    todo = [work.soon.get() for _ in range(work.soon.qsize())]
                    if not todo:
                        break
            polled = work.ledger.rows(
                "SELECT count(DISTINCT mailbox) AS n FROM folders WHERE polled_at IS NOT NULL"
                " OR scanned_at IS NOT NULL"
            )
            assert polled == [{"n": 200}]
            assert work.ledger.rows("SELECT * FROM troubles") == []
            assert work.ledger.rows("SELECT count(*) AS n FROM messages") == [{"n": 1}]
            limit = work.polling._connections._servers["127.0.0.1", server.port].limit
            assert 5 <= limit <= 10


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
            raise connections.Crowded("full", what=account.name)
        return Mailbox.connect(account)

    pool = connections.Connections(5, connect, monotonic=lambda: clock[0])
    one, two = (pool.lent(dovecot.account(name=name)) for name in ("one", "two"))
    with one, two, pytest.raises(connections.Crowded):
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


def kill_sessions(post: Post) -> None:
    """End Dovecot's processes that serve a logged-in client."""
    ended = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            if name == "imap" and os.getpgid(int(process.name)) == post.server.process.pid:
                os.kill(int(process.name), signal.SIGKILL)
                ended += 1
        except (OSError, ValueError):
            continue  # it has ended by itself
    assert ended


# Logins that fail


def test_refused_logins_slow_down_to_hours_and_then_park_the_mailbox(
    dovecot: Post, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "password"
    secret.write_text("wrong")
    attempts = 0
    with desk(tmp_path, at(dovecot, password={"file": "password"}), count=2) as work:
        wiring = work.polling.wiring
        good = wiring.account(wiring.mailboxes("box1")[0])
        wiring.accounts["box1"] = replace(good, password=lambda: "secret")
        start = work.now
        for _ in range(24 * 60):
            work.later(minutes=1)
            before = work.polling.tallies.failures
            work.fails()
            attempts += work.polling.tallies.failures - before
        assert attempts == 6
        assert work.now - start == timedelta(days=1)

        work.start()  # a restart knows it, and asks nobody
        assert "parked" in str(work.fails())
        assert work.polling.tallies.failures == 0

        assert show_status(work.wiring(), as_json=False) == ATTENTION
        shown = " ".join(capsys.readouterr().out.split())
        assert "parked: sales: login refused" in shown

        secret.write_text("secret")
        work.reload()
        work.poll()
        assert work.ledger.troubles.of("sales") is None
        assert show_status(work.wiring(), as_json=True) == DONE


def test_a_password_that_is_changed_is_noticed_at_the_next_login_and_mended_by_the_new_one(
    tmp_path: Path,
) -> None:
    if "dovecot" not in installed():
        pytest.skip("Dovecot 2.3 isn't installed")
    secret = tmp_path / "password"
    secret.write_text("secret")
    with start_imap("dovecot") as server:
        post = Post(server, "sales@example.com", "secret")
        with desk(tmp_path, at(post, password={"file": "password"})) as work:
            work.poll()
            server.add_user("sales@example.com", "changed")
            kill_sessions(post)
            eventually(lambda: not logs_in(post))  # Dovecot looks once a second
            assert "login refused" in str(work.fails())
            assert work.ledger.troubles.of("sales") is not None

            secret.write_text("changed")
            work.later(minutes=10)
            work.poll()
            assert work.ledger.troubles.of("sales") is None


def logs_in(post: Post) -> bool:
    try:
        post.mailbox().close()
    except Problem:
        return False
    return True


@pytest.mark.parametrize("restarts", [False, True])
def test_a_server_that_asks_for_patience_gets_it_even_over_a_restart(
    tmp_path: Path, *, restarts: bool
) -> None:
    said = b"TAG NO Request is throttled. Suggested Backoff Time: 600000 milliseconds\r\n"
    with (
        ScriptedImap({"LOGIN": said}) as server,
        desk(tmp_path, {"port": server.port, "password": "pw"}) as work,
    ):
        assert 600 <= (work.fails().after or 0) <= 630
        if restarts:
            work.start()
        logins = sum(line.startswith(b"LOGIN") for line in server.commands)
        work.later(minutes=9)
        assert 0 < (work.fails().after or 0) <= 90
        assert sum(line.startswith(b"LOGIN") for line in server.commands) == logins
        work.later(minutes=3)
        work.fails()
        assert sum(line.startswith(b"LOGIN") for line in server.commands) == logins + 1


def test_an_expired_certificate_waits_for_a_new_one(tmp_path: Path) -> None:
    expired = certificate(tmp_path, "20200101000000Z", "20200102000000Z")
    with tls_server(expired) as port:
        box = {"port": port, "tls": "implicit", "ca_file": str(expired), "password": "pw"}
        with desk(tmp_path, box) as work:
            for _ in range(10):
                problem = work.fails()
                assert "certificate has expired" in str(problem)
                assert (problem.after or 0) <= 4500
                work.later(hours=2)
            (row,) = work.ledger.rows("SELECT * FROM troubles")
            assert row["next_due"] is not None  # never parked: certificates are renewed


def certificate(home: Path, begins: str, ends: str) -> Path:
    """A self-signed certificate of these dates, and its key in the same file."""
    (home / "ca.cnf").write_text(
        "[ca]\ndefault_ca=a\n[a]\nnew_certs_dir=.\ndatabase=index\nserial=serial\ndefault_md=sha256\n"
        "policy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n"
        "[e]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=CA:true\n"
    )
    (home / "index").touch()
    (home / "serial").write_text("01")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem"]
    request = ["openssl", "req", "-new", *key, "-subj", "/CN=mail", "-out", "csr.pem"]
    sign = [
        "openssl",
        "ca",
        "-selfsign",
        "-batch",
        "-notext",
        "-config",
        "ca.cnf",
        "-keyfile",
        "key.pem",
    ]
    sign += ["-startdate", begins, "-enddate", ends, "-in", "csr.pem", "-out", "cert.pem"]
    for command in (request, sign):
        subprocess.run(command, cwd=home, check=True, capture_output=True, timeout=60)
    both = home / "both.pem"
    both.write_text((home / "key.pem").read_text() + (home / "cert.pem").read_text())
    return both


@contextmanager
def tls_server(both: Path) -> Iterator[int]:
    """Greets whoever trusts the certificate."""
    import socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(line, server_side=True) as safe:
                    safe.sendall(b"* OK ready\r\n")
            except OSError:
                line.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


# OAuth


def test_a_token_that_expires_mid_session_costs_nothing_but_a_refresh(tmp_path: Path) -> None:
    if "dovecot" not in installed():
        pytest.skip("Dovecot 2.3 isn't installed")
    with (
        oauth_server() as oauth,
        start_imap("dovecot", introspection_url=f"{oauth.url}/introspect") as server,
    ):
        post = Post(server, "sales@example.com", "secret")
        oauth.rotates = True
        section = {
            "provider": "custom",
            "client_id": "me",
            "token_url": f"{oauth.url}/token",
            "refresh_token": "refresh-0",
        }
        box = {"port": server.port, "oauth": section}
        with desk(tmp_path, box) as work:
            work.poll()
            oauth.active.clear()  # as the server sees it, the token has expired
            kill_sessions(post)
            post.deliver(MAIL, internal_date=work.now)
            work.poll()

            assert work.ledger.troubles.of("sales") is None
            assert work.ledger.rows("SELECT count(*) AS n FROM sightings") == [{"n": 1}]
            assert oauth.refreshes() == 2
            assert (tmp_path / "tokens" / "sales.json").stat().st_mode & 0o777 == 0o600

            oauth.refresh_token = "revoked by an administrator"
            oauth.active.clear()
            kill_sessions(post)
            said = str(work.fails())
            assert "mail2deal login sales" in said
            assert "refresh-" not in said


def test_the_login_command_grants_and_tries_the_mailbox(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "dovecot" not in installed():
        pytest.skip("Dovecot 2.3 isn't installed")
    with (
        oauth_server() as oauth,
        start_imap("dovecot", introspection_url=f"{oauth.url}/introspect") as server,
    ):
        section = {
            "provider": "custom",
            "client_id": "me",
            "token_url": f"{oauth.url}/token",
            "device_url": f"{oauth.url}/device",
        }
        monkeypatch.setattr("daemon.oauth.grant.Patience", partial(Patience, sleep=lambda _: None))
        with desk(tmp_path, {"port": server.port, "oauth": section}) as work:
            assert "mail2deal login sales" in str(work.fails())
            assert login(work.wiring(), "sales", port=0) == DONE
            work.later(hours=1)
            work.poll()
        said = capsys.readouterr().out
        assert "WDJB-MJHT" in said
        assert "sales: logged in as sales@example.com" in said
        assert "access-" not in said + (tmp_path / "config.yaml").read_text()


def test_a_token_helper_is_asked_at_each_login(tmp_path: Path, dovecot: Post) -> None:
    box = {"port": dovecot.server.port, "oauth": {"command": ["echo", "token"]}}
    with desk(tmp_path, box) as work:
        wiring = work.polling.wiring
        account = wiring.account(wiring.mailboxes("sales")[0])
        assert account.password is None
        assert account.token is not None
        assert account.token(None) == account.token("token") == "token"
        with pytest.raises(ConfigProblem, match=r"no oauth\.provider"):
            wiring.tokens(wiring.mailboxes("sales")[0])


# Networks


def test_a_network_that_is_cut_for_ten_minutes_loses_nothing(dovecot: Post, tmp_path: Path) -> None:
    with Proxy(dovecot.server.port) as line:
        box = at(dovecot, port=line.port)
        with desk(tmp_path, box, idle=True) as work:
            work.polling.watcher.stop()
            work.polling.watcher = Watcher(work.soon.put, Rhythm(renew=0.2, answer=0.3))
            work.polling.watcher.start()
            work.hurry(connect_timeout=0.5, read_timeout=0.5)
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


def test_a_second_connection_that_the_server_refuses_leaves_the_mailbox_to_polling(
    tmp_path: Path,
) -> None:
    logins = iter([b"TAG OK in\r\n"])
    full = b"TAG NO [LIMIT] Maximum number of connections\r\n"
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
