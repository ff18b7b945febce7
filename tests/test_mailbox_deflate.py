"""COMPRESS=DEFLATE: the same mails in fewer bytes, and no way to hurt us with what is packed."""

import socket
import tracemalloc
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from dovecot import Post, can_compress, with_compression
from hypothesis import given, settings
from hypothesis import strategies as st
from proxy import Proxy
from scripted_imap import HANGUP, ScriptedImap

from daemon.mailbox import session
from daemon.mailbox.imap import Fetched, Mailbox, Unfetched
from daemon.mailbox.stream import Stream
from daemon.sandbox.imap_server import installed, start_imap

OFFERED = "IMAP4rev1 COMPRESS=DEFLATE"
MAILS = 300


def packed(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)


def mail(number: int) -> bytes:
    body = b"".join(b"%d. and so on, %x\r\n" % (line, number * line * 7919) for line in range(40))
    return (
        b"From: Ada <ada%d@x.example>\r\nTo: us@example.com\r\nSubject: offer %d\r\n"
        b"Message-ID: <%d@x.example>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s"
        % (number, number, number, body)
    )


@pytest.fixture(scope="module")
def office() -> Iterator[Post]:
    if "dovecot" not in installed() or not can_compress():
        pytest.skip("Dovecot 2.3 with its imap_zlib plugin isn't installed")
    with start_imap("dovecot", tls=True, settings=with_compression) as server:
        post = Post(server, "sales@example.com", "secret")
        for number in range(MAILS):
            post.deliver(mail(number))
        yield post


def all_of(mailbox: Mailbox) -> list[Fetched | Unfetched]:
    with mailbox:
        mailbox.examine("INBOX")
        return sorted(mailbox.fetch(mailbox.uids()), key=lambda one: one.uid)


@pytest.mark.parametrize("tls", ["none", "implicit", "starttls"])
def test_what_is_fetched_is_the_same_with_and_without(office: Post, tls: str) -> None:
    port = office.server.tls_port if tls == "implicit" else office.server.port
    ways = {
        compress: office.mailbox(
            tls=tls, port=port, ca_file=str(office.server.ca_file), compress=compress
        )
        for compress in (False, True)
    }
    assert {way: mailbox.compressed for way, mailbox in ways.items()} == {False: False, True: True}
    plain, small = (all_of(mailbox) for mailbox in ways.values())
    assert len(plain) == MAILS
    assert all(isinstance(one, Fetched) for one in plain)
    assert small == plain


def test_far_fewer_bytes_are_on_the_wire(office: Post) -> None:
    sent: dict[bool, int] = {}
    for compress in (False, True):
        with Proxy(office.server.port) as line:
            all_of(office.mailbox(port=line.port, compress=compress))
            sent[compress] = line.passed
    assert sent[True] * 3 < sent[False]


def test_a_fetch_left_in_its_middle_leaves_the_line_usable(office: Post) -> None:
    with office.mailbox(compress=True) as mailbox:
        mailbox.examine("INBOX")
        next(iter(mailbox.fetch(mailbox.uids())))
        assert mailbox.raw(1).endswith(b"\r\n")
        assert mailbox.folders()


@pytest.mark.parametrize(
    ("compress", "bulk", "loopback", "expected"),
    [
        (None, True, False, True),
        (None, True, True, False),
        (None, False, False, False),
        (False, True, False, False),
        (True, False, True, True),
    ],
)
def test_a_line_is_compressed_where_it_pays(
    office: Post,
    compress: bool | None,
    bulk: bool,
    loopback: bool,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "is_loopback", lambda _: loopback)
    with Mailbox.connect(office.account(compress=compress), bulk=bulk) as mailbox:
        assert mailbox.compressed == expected


def test_a_server_that_offers_nothing_or_refuses_is_read_as_it_is() -> None:
    with ScriptedImap() as server, server.mailbox(compress=True) as mailbox:
        assert not mailbox.compressed
        assert not any(line.startswith(b"COMPRESS") for line in server.commands)
    refusal = {"COMPRESS": b"TAG NO [COMPRESSIONACTIVE] TLS compresses already\r\n"}
    with (
        ScriptedImap(refusal, capabilities=OFFERED) as server,
        server.mailbox(compress=True) as mailbox,
    ):
        assert not mailbox.compressed
        assert mailbox.examine("INBOX").messages == 3


def test_a_compressed_line_is_never_handed_over(office: Post) -> None:
    with office.mailbox(compress=True) as mailbox, pytest.raises(RuntimeError, match="handed over"):
        mailbox.detach()


# What a hostile or broken server packs. It says all of it right behind its OK, so that it lies in
# the buffer of imaplib, which has to be read as packed already.


def answered_with(stream: bytes) -> ScriptedImap:
    return ScriptedImap({"COMPRESS": b"TAG OK now\r\n" + stream}, capabilities=OFFERED)


def test_what_came_with_the_ok_is_read_as_packed() -> None:
    answer = packed(b"* OK still here\r\nm2d2 OK nothing\r\n")
    with answered_with(answer) as server, server.mailbox(compress=True) as mailbox:
        assert mailbox.compressed
        mailbox.abandon()


ENDED = zlib.compressobj(wbits=-15)


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"\xff" * 64, "compression is broken"),
        (b"m2d2 OK said as if nothing had been agreed\r\n", "compression is broken"),
        (b"\x00\x00\x00\xff\xff" * 40_000, "compressed nothing"),
        (ENDED.compress(b"* OK the last words\r\n") + ENDED.flush(), "closed by the server"),
        (packed(b"* OK cut off") + HANGUP, "lost"),
    ],
    ids=["garbage", "clear text", "nothing", "an end", "hung up"],
)
def test_a_server_that_cannot_compress_is_spoken_to_without(stream: bytes, reason: str) -> None:
    with answered_with(stream) as server, server.mailbox(compress=True) as mailbox:
        assert not mailbox.compressed
        assert mailbox.examine("INBOX").messages == 3
        assert reason in mailbox.account.ladder.broken()["COMPRESS=DEFLATE"]
        again = len([line for line in server.commands if b"COMPRESS" in line])
        mailbox.reconnect()
        assert len([line for line in server.commands if b"COMPRESS" in line]) == again == 1


@pytest.mark.parametrize(
    "opening", [b"* OK ", b"* 1 FETCH (UID 1 BODY[1]<0> {200000000}\r\n"], ids=["line", "literal"]
)
def test_a_bomb_meets_the_bounds_of_every_reply(opening: bytes) -> None:
    stream = zlib.compressobj(9, wbits=-15)
    bomb = stream.compress(opening) + b"".join(stream.compress(b"x" * (1 << 20)) for _ in range(64))
    bomb += stream.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 1 << 17
    with answered_with(bomb) as server:
        tracemalloc.start()
        try:
            with server.mailbox(compress=True) as mailbox:
                assert "without end" in mailbox.account.ladder.broken()["COMPRESS=DEFLATE"]
            assert tracemalloc.get_traced_memory()[1] < 6 << 20
        finally:
            tracemalloc.stop()


@given(
    st.lists(st.tuples(st.binary(max_size=300), st.integers(1, 500)), max_size=20),
    st.integers(1, 700),
    st.integers(1, 900),
)
@settings(deadline=None)
def test_all_that_was_compressed_comes_out_however_it_is_cut(
    pieces: list[tuple[bytes, int]], cut: int, size: int
) -> None:
    """`cut` bytes have come before both sides agreed, and what comes is read `size` at a time."""
    clear = [piece * times for piece, times in pieces]
    deflate = zlib.compressobj(wbits=-15)
    line = b"".join(deflate.compress(one) + deflate.flush(zlib.Z_SYNC_FLUSH) for one in clear)
    total = sum(map(len, clear))
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as server:
        stream = Stream(ours, silence=10)
        stream.expect(seconds=10, size=1 << 24)
        theirs.sendall(b"OK\r\n" + line[:cut])
        assert stream.readline(10) == b"OK\r\n"
        stream.compress()
        server.submit(theirs.sendall, line[cut:])
        out = b"".join(stream.read(min(size, total - at)) for at in range(0, total, size))
    assert out == b"".join(clear)


def test_a_compressed_command_is_whole_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream, inflate = Stream(ours, silence=10), zlib.decompressobj(-15)
        stream.compress()
        for line in (b"m2d1 NOOP\r\n", b"m2d2 UID FETCH 1:250 (UID)\r\n" * 9, b"m2d3 LOGOUT\r\n"):
            stream.send(line)
            assert inflate.decompress(theirs.recv(1 << 16)) == line
