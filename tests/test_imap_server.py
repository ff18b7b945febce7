"""The embedded servers: they start, take mail, keep to themselves and leave nothing behind."""

import contextlib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from imapclient import IMAPClient
from scripted_imap import ScriptedImap

from daemon.errors import ConfigProblem
from daemon.sandbox import dovecot, imap_server
from daemon.sandbox.imap_server import ImapServer, installed, start_imap
from daemon.sandbox.ports import kept_ports

ARRIVED = datetime(2026, 3, 2, 9, tzinfo=UTC)
KINDS = installed()


def client(
    server: ImapServer, user: str = "sales@example.com", password: str = "secret"
) -> IMAPClient:
    found = IMAPClient(server.host, port=server.port, ssl=False)
    found.normalise_times = False
    found.login(user, password)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_lives_as_long_as_its_block(kind: imap_server.KIND) -> None:
    with start_imap(kind) as server:
        assert server.kind == kind
        client(server).logout()
        assert processes(server)

    assert processes(server) == []
    assert not server.home.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_failing_block_stops_the_server(kind: imap_server.KIND) -> None:
    with pytest.raises(ZeroDivisionError), start_imap(kind) as server:
        raise ZeroDivisionError

    assert processes(server) == []
    assert not server.home.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_server_answers_nobody_and_its_ports_are_given_to_nobody(
    kind: imap_server.KIND,
) -> None:
    with start_imap(kind) as server:
        reader = client(server)
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, server.port), timeout=10)
        reader.shutdown()
        with socket.socket() as somebody, pytest.raises(OSError, match="in use"):
            somebody.bind((server.host, server.port))


def processes(server: ImapServer) -> list[int]:
    """Those of its session that run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (process / "stat").read_bytes().rpartition(b")")[2].split()[:4]
        except OSError:
            continue  # it has ended meanwhile
        if int(session) == server.process.pid and state != b"Z":
            found.append(int(process.name))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_mail_comes_to_the_user_and_folder_it_was_delivered_to(kind: imap_server.KIND) -> None:
    with start_imap(kind, users={"a@x.org": "1", "b@x.org": "p:w"}) as server:
        server.deliver("a@x.org", "INBOX", b"Subject: one\r\n\r\n1\r\n", ARRIVED)
        server.deliver("a@x.org", "Größe/Über uns", b"Subject: two\r\n\r\n2\r\n", ARRIVED)
        server.add_user("c@x.org", "3")
        counted = {}
        for user, password in server.users.items():
            with client(server, user, password) as reader:
                for flags, _, name in reader.list_folders():
                    if b"\\Noselect" not in flags:
                        counted[user, name] = reader.select_folder(name, readonly=True)[b"EXISTS"]

    assert counted == {
        ("a@x.org", "INBOX"): 1,
        ("a@x.org", "Sent"): 0,
        ("a@x.org", "Größe/Über uns"): 1,
        ("b@x.org", "INBOX"): 0,
        ("b@x.org", "Sent"): 0,
        ("c@x.org", "INBOX"): 0,
        ("c@x.org", "Sent"): 0,
    }


@pytest.mark.skipif("dovecot" not in KINDS, reason="pymap has neither order nor SPECIAL-USE")
def test_dovecot_keeps_order_dates_and_the_role_of_sent() -> None:
    mails = [
        (b"Subject: %d\r\n\r\nhi\r\n" % number, ARRIVED + timedelta(hours=number))
        for number in range(50)
    ]
    with start_imap("dovecot", sent="Gesendet") as server:
        server.deliver_many("sales@example.com", "INBOX", mails)
        with client(server) as reader:
            assert reader.find_special_folder(b"\\Sent") == "Gesendet"
            reader.select_folder("INBOX", readonly=True)
            found = reader.fetch(range(1, 51), ["INTERNALDATE", "BODY[]", "RFC822.SIZE"])
            server.deliver("sales@example.com", "INBOX", b"Subject: late\n\nhi\n")
            reader.noop()
            assert reader.search() == list(range(1, 52))
            assert reader.fetch([51], ["RFC822.SIZE"])[51][b"RFC822.SIZE"] == len(
                b"Subject: late\r\n\r\nhi\r\n"
            )

    assert [(one[b"BODY[]"], one[b"INTERNALDATE"]) for _, one in sorted(found.items())] == mails


@pytest.mark.skipif("dovecot" not in KINDS, reason="pymap has no implicit TLS")
def test_dovecot_has_tls_if_asked() -> None:
    with start_imap("dovecot") as server:
        assert server.tls_port is None
        assert server.ca_file is None
    with start_imap("dovecot", tls=True) as server:
        assert server.tls_port is not None
        assert server.ca_file is not None
        assert server.ca_file.is_file()


def test_it_listens_on_loopback_only() -> None:
    with start_imap("auto") as server:
        listening = []
        for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
            for line in table.read_text().splitlines()[1:]:
                address, port = line.split()[1].rsplit(":", 1)
                if int(port, 16) == server.port and line.split()[3] == "0A":
                    listening.append(address)

    assert listening == ["0100007F"]


def test_a_server_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dovecot, "binary", lambda: None)
    monkeypatch.setattr(imap_server, "_has_pymap", lambda: False)
    for kind in ("auto", "dovecot", "pymap"):
        with pytest.raises(ConfigProblem, match="install dovecot-imapd"), start_imap(kind):
            pass


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("greeting", [None, b"* OK [CAPABILITY IMAP4rev1] ready\r\n"])
def test_a_port_where_somebody_listens_already_costs_one_more_attempt(
    kind: imap_server.KIND, greeting: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever listens there isn't taken for the server, whatever it says."""
    with squatter(greeting) as taken:
        ports_are(monkeypatch, [[taken, taken]])
        monkeypatch.setattr(imap_server, "_START_SECONDS", 10.0)
        with start_imap(kind) as server:
            assert server.port != taken
            client(server).logout()


@pytest.mark.skipif("dovecot" not in KINDS, reason="pymap has no implicit TLS")
def test_so_does_a_port_for_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    with squatter(None) as taken, kept_ports(1) as (free,):
        ports_are(monkeypatch, [[free, taken]])
        with start_imap("dovecot", tls=True) as server:
            assert server.port != free
            assert server.tls_port != taken
            client(server).logout()


def ports_are(monkeypatch: pytest.MonkeyPatch, answers: list[list[int]]) -> None:
    """Give these ports first, although they aren't kept, and then such that are."""
    left = iter(answers)

    def kept(count: int) -> contextlib.AbstractContextManager[list[int]]:
        ports = next(left, None)
        return contextlib.nullcontext(ports) if ports else kept_ports(count)

    monkeypatch.setattr(imap_server, "kept_ports", kept)


@contextlib.contextmanager
def squatter(greeting: bytes | None) -> Iterator[int]:
    """The port of somebody who says this, or nothing, to whoever comes."""
    if greeting is None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            yield listener.getsockname()[1]
    else:
        with ScriptedImap(greeting=greeting) as other:
            yield other.port
