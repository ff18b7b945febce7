"""Logins that fail: passwords, certificates and tokens that were good once."""

import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from cli_kit import run
from dovecot import Post, with_oauth
from oauth_server import oauth_server
from polling_kit import MAIL, at, desk, eventually, kill_sessions
from scripted_imap import ScriptedImap

from daemon.cli.login import command as login
from daemon.cli.status import command as status
from daemon.errors import ATTENTION, DONE, ConfigProblem, Problem
from daemon.oauth.grant import Patience
from daemon.sandbox.imap_server import installed, start_imap


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

        work.start(work.now - timedelta(minutes=1))  # a crash loop asks nobody
        assert "parked" in str(work.fails())
        assert work.polling.tallies.failures == 0

        work.start(work.now - timedelta(days=1))  # but a person may restart with a new password
        work.fails()
        assert work.polling.tallies.failures == 1
        work.later(days=1)
        assert "parked" in str(work.fails())
        assert work.polling.tallies.failures == 1

        assert run(status, work.wiring()) == ATTENTION
        shown = " ".join(capsys.readouterr().out.split())
        assert "needs you: mailbox sales since" in shown
        assert "sales: login refused" in shown
        assert "mail2deal retry" in shown

        secret.write_text("secret")
        work.reload()
        work.poll()
        assert work.ledger.troubles.of("sales") is None
        assert run(status, work.wiring(), "--json") == DONE


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


def test_a_server_that_asks_for_patience_in_one_folder_gets_it_in_all(tmp_path: Path) -> None:
    said = b"TAG NO Request is throttled. Suggested Backoff Time: 600000 milliseconds\r\n"
    listed = b'* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Sent\r\nTAG OK\r\n'
    with (
        ScriptedImap({"EXAMINE": said, "LIST": listed}) as server,
        desk(tmp_path, {"port": server.port, "password": "pw"}) as work,
    ):
        assert 600 <= (work.fails().after or 0) <= 630
        assert sum(line.startswith(b"EXAMINE") for line in server.commands) == 1
        work.later(minutes=9)
        work.fails()
        assert sum(line.startswith(b"EXAMINE") for line in server.commands) == 1


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
        start_imap("dovecot", settings=with_oauth(f"{oauth.url}/introspect")) as server,
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
        start_imap("dovecot", settings=with_oauth(f"{oauth.url}/introspect")) as server,
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
            assert run(login, work.wiring(), "sales") == DONE
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


def test_a_mailbox_that_leaves_the_configuration_is_no_trouble_any_more(
    dovecot: Post, tmp_path: Path
) -> None:
    with desk(tmp_path, at(dovecot)) as work:
        with work.ledger.transaction("test"):
            for name in ("gone", "sales"):
                work.ledger.troubles.failed(name, "no", None, work.now)
        work.start(work.now)
        assert work.ledger.troubles.of("gone") is None
        assert work.ledger.troubles.of("sales") is not None
