"""What `daemon.mailbox.client` relies on in imapclient and imaplib, beneath their public names."""

import contextlib
import inspect
import socket
from imaplib import IMAP4

import imapclient
import pytest
from scripted_imap import HANGUP, ScriptedImap

from daemon.errors import RetryLater
from daemon.mailbox.client import Imap4, ImapClient
from daemon.mailbox.imap import Mailbox


def test_imapclient_makes_its_protocol_engine_in_one_place() -> None:
    made = inspect.getsource(imapclient.IMAPClient)
    assert made.count("self._create_IMAP4()") == 1
    assert made.count("self._imap = ") == 1


def test_all_that_the_libraries_read_and_write_passes_our_stream() -> None:
    """imaplib documents these methods as the ones to override; nothing else touches its socket."""
    source = inspect.getsource(IMAP4)
    assert source.count("self.sock.sendall(") == 1
    assert source.count("self.sock.recv(") <= 1  # of Python 3.14, in its own `readline`
    for method in ("open", "read", "readline", "send", "shutdown"):
        assert getattr(Imap4, method) is not getattr(IMAP4, method)


def test_the_word_that_ends_a_command_passes_one_method() -> None:
    """From it we know a BAD from a NO, which imaplib's errors tell by their wording only."""
    assert inspect.getsource(IMAP4).count("self._get_tagged_response(") == 1
    with ScriptedImap({"NOOP": b"TAG BAD no\r\n"}) as server:
        client = ImapClient(server.account(), None, lambda *_: None)
        for command, is_bad in (("noop", True), ("capability", False), ("noop", True)):
            with contextlib.suppress(IMAP4.error):
                getattr(client.imap4, command)()
            assert client.imap4.said_bad is is_bad
        client.shutdown()


def test_the_library_says_no_more_than_our_own_log() -> None:
    with ScriptedImap() as server:
        client = ImapClient(server.account(), None, lambda *_: None)
        assert client.imap4.debug == 0
        assert client.socket() is client.line.socket
        client.shutdown()
        client.shutdown()


def test_the_connection_leaves_at_once_and_notices_a_peer_that_is_gone() -> None:
    with ScriptedImap() as server:
        client = ImapClient(server.account(), None, lambda *_: None)
        for level, name in (
            (socket.IPPROTO_TCP, "TCP_NODELAY"),
            (socket.SOL_SOCKET, "SO_KEEPALIVE"),
        ):
            assert client.socket().getsockopt(level, getattr(socket, name))
        client.shutdown()


def test_a_greeting_that_ends_with_a_bare_line_feed_is_read() -> None:
    with ScriptedImap(greeting=b"* OK ready\n") as server, server.mailbox() as mailbox:
        mailbox.command(b"NOOP")


@pytest.mark.parametrize(
    "greeting", [b"* OK " + b"x" * (2 << 20), b"* 1 X {99999999999}\r\n", b"* OK half" + HANGUP]
)
def test_a_greeting_has_bounds(greeting: bytes) -> None:
    with ScriptedImap(greeting=greeting) as server, pytest.raises(RetryLater):
        server.mailbox()


def test_a_greeting_that_drips_has_a_deadline() -> None:
    """Each byte comes well within the time for one read."""
    signs: list[float] = []
    with ScriptedImap(greeting=b"* OK " + b"x" * 1000, segment=1, pace=0.2) as server:
        account = server.account(connect_timeout=1.5)
        with pytest.raises(RetryLater, match="no answer in time"):
            Mailbox.connect(account, alive=lambda seconds, _: signs.append(seconds))
    assert signs
