"""Messages from a real Dovecot: the small ones say what the whole ones say, and nothing changes."""

import socket
import struct
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from correspondence import generate
from dovecot import ARRIVED, Post
from hostile import DEFECTS, HEAVY
from mail_shapes import mail, shapes
from scripted_imap import HEADER, ScriptedImap, serve

from daemon.errors import Rejected, Unreadable
from daemon.mailbox.assemble import assemble, whole_lines
from daemon.mailbox.imap import Fetched, Mailbox, Unfetched
from daemon.mailbox.structure import HTML_BYTES, PLAIN_BYTES, plan, read_structure
from daemon.message.parse import Message, parse
from daemon.sandbox.imap_server import start_imap

CORPUS = sorted((Path(__file__).parent / "messages").glob("*.eml"))
MAIL = b"From: a@x.org\r\nSubject: hello\r\n\r\nhi\r\n"


def fetched(mailbox: Mailbox) -> dict[int, Fetched]:
    found = {one.uid: one for one in mailbox.fetch(mailbox.uids()) if isinstance(one, Fetched)}
    assert sorted(found) == mailbox.uids()
    return found


def facts(raw: bytes, size: int) -> Message | str:
    try:
        return parse(raw, size=size)
    except Unreadable as problem:
        return str(problem)


def assert_small_ones_say_the_same(post: Post, mails: dict[str, bytes]) -> dict[str, Fetched]:
    post.server.deliver_many(post.user, "INBOX", ((raw, ARRIVED) for raw in mails.values()))
    with post.mailbox() as mailbox:
        mailbox.examine("INBOX")
        small = dict(zip(mails, (one for _, one in sorted(fetched(mailbox).items())), strict=True))
        different = {}
        for name, one in small.items():
            whole = mailbox.raw(one.uid)
            assert one.size == len(whole)
            if facts(one.raw, one.size) != facts(whole, one.size):
                different[name] = (facts(one.raw, one.size), facts(whole, one.size))
    assert different == {}
    return small


def test_a_company_says_the_same_in_small(dovecot: Post) -> None:
    generated = generate(3, 600, now=datetime(2026, 11, 24, tzinfo=UTC)).mails
    mails = {str(number): one.raw for number, one in enumerate(generated)}
    small = assert_small_ones_say_the_same(dovecot, mails)

    assert sum(len(one.raw) for one in small.values()) < sum(map(len, mails.values()))


def test_the_corpus_says_the_same_in_small(dovecot: Post) -> None:
    assert_small_ones_say_the_same(dovecot, {path.name: path.read_bytes() for path in CORPUS})


def test_hostile_mail_says_the_same_in_small(dovecot: Post) -> None:
    assert_small_ones_say_the_same(
        dovecot, {name: raw for name, raw in DEFECTS.items() if name not in HEAVY}
    )


def test_shapes_of_ordinary_mail_say_the_same_in_small(dovecot: Post) -> None:
    small = assert_small_ones_say_the_same(dovecot, shapes())

    assert all(len(one.raw) < 70_000 for one in small.values())
    assert len(small["attachments"].raw) < 2000
    assert b"not the body" not in small["text attachment first"].raw
    assert b"Hello" in small["only forwarded"].raw


def test_a_mail_without_a_body_or_a_header(dovecot: Post) -> None:
    assert_small_ones_say_the_same(
        dovecot,
        {
            "no body": b"From: a@x.org\r\nSubject: x\r\n\r\n",
            "no line after": b"From: a@x.org\r\nSubject: x\r\n",
            "no wanted field": b"X-Other: 1\r\n\r\nhi\r\n",
            "no header": b"\r\nhi\r\n",
            "not a header": b"hello there\r\n\r\nhi\r\n",
            "bare line feeds": b"From: a@x.org\nSubject: x\n\nhi\n",
            "one byte": b"x",
        },
    )


def test_what_nobody_has_seen_stays_recent_and_unseen(dovecot: Post) -> None:
    for _ in range(3):
        dovecot.deliver(MAIL)
    counted = ["RECENT", "UNSEEN", "UIDNEXT", "HIGHESTMODSEQ"]
    with dovecot.client("Sent") as client:
        before = client.folder_status("INBOX", counted)
        with dovecot.mailbox() as mailbox:
            mailbox.folders()
            mailbox.status(["INBOX", "Sent"])
            mailbox.examine("INBOX")
            assert len(fetched(mailbox)) == 3
            assert mailbox.newest() is not None
        assert client.folder_status("INBOX", counted) == before
    assert (before[b"RECENT"], before[b"UNSEEN"]) == (3, 3)


def test_no_flag_ever_changes(dovecot: Post) -> None:
    two = mail("Hello\n", "<p>Hello</p>").as_bytes()
    for raw in (MAIL, two, b"From: a@x.org\r\nContent-Type: multipart/mixed\r\n\r\nx"):
        dovecot.deliver(raw)
    with dovecot.client() as client:
        client.set_flags([1], [b"\\Flagged", b"$Label1"])
        client.remove_flags([1, 2, 3], [b"\\Seen"])
        before = {
            uid: set(one[b"FLAGS"]) - {b"\\Recent"}
            for uid, one in client.fetch([1, 2, 3], ["FLAGS"]).items()
        }
        with dovecot.mailbox() as mailbox:
            mailbox.folders()
            mailbox.status(["INBOX", "Sent"])
            mailbox.examine("INBOX")
            for uid in fetched(mailbox):
                mailbox.raw(uid)
            mailbox.status(["INBOX"])
        client.noop()
        after = {
            uid: set(one[b"FLAGS"]) - {b"\\Recent"}
            for uid, one in client.fetch([1, 2, 3], ["FLAGS"]).items()
        }

    assert before == after
    assert before[1] == {b"\\Flagged", b"$Label1"}


def test_only_examine_and_peek_are_ever_sent() -> None:
    broken = serve([1, 2], part_of=lambda uid: b'* 1 FETCH (UID %d BODY[1]<0> "")\r\n' % uid)
    with ScriptedImap({"FETCH": broken}) as server:
        with server.opened() as mailbox:
            list(mailbox.fetch([1, 2]))
        for command in server.commands:
            assert not command.startswith(
                (b"SELECT", b"STORE", b"UID STORE", b"EXPUNGE", b"APPEND")
            )
            assert command.count(b"BODY[") == 0
            assert b"RFC822 " not in command.replace(b"RFC822.SIZE", b"")


def test_messages_expunged_in_the_middle_are_unfetched(dovecot: Post) -> None:
    dovecot.server.deliver_many(dovecot.user, "INBOX", ((MAIL, ARRIVED) for _ in range(3000)))
    with dovecot.mailbox() as mailbox, dovecot.client() as client:
        mailbox.examine("INBOX")
        uids = mailbox.uids()
        client.delete_messages(uids[2990:])
        run = mailbox.fetch(uids)
        first = next(run)
        client.expunge()
        found = {one.uid: one for one in (first, *run)}

    assert sorted(found) == uids
    assert all(isinstance(found[uid], Fetched) for uid in uids[:2990])
    assert all(isinstance(one, Unfetched) and one.reason for one in map(found.get, uids[2990:]))


def test_uids_that_are_not_there_are_unfetched(dovecot: Post) -> None:
    dovecot.deliver(MAIL)
    with dovecot.mailbox() as mailbox:
        mailbox.examine("INBOX")
        found = list(mailbox.fetch([9, 1, 1, 4_294_967_295]))

    assert sorted(one.uid for one in found) == [1, 9, 4_294_967_295]
    assert [one.uid for one in found if isinstance(one, Fetched)] == [1]


def test_a_folder_deleted_under_us_is_tried_later_or_refused(dovecot: Post) -> None:
    dovecot.deliver(MAIL, folder="Gone")
    with dovecot.client() as client, dovecot.mailbox() as mailbox:
        mailbox.examine("Gone")
        client.delete_folder("Gone")
        with pytest.raises(Rejected):
            mailbox.examine("Gone")
        assert mailbox.status(["Gone"]) == {}


def test_dates_and_sizes_are_the_servers(dovecot: Post) -> None:
    arrived = datetime(2025, 7, 1, 23, 59, 59, tzinfo=UTC)
    for hours in range(3):
        dovecot.deliver(
            MAIL.replace(b"\r\n", b"\n"), internal_date=arrived + timedelta(hours=hours)
        )
    with dovecot.mailbox() as mailbox:
        mailbox.examine("INBOX")
        found = fetched(mailbox)

    assert [found[uid].internal_date for uid in (1, 2, 3)] == [
        arrived + timedelta(hours=hours) for hours in range(3)
    ]
    assert {one.size for one in found.values()} == {len(MAIL)}
    assert {one.raw for one in found.values()} == {MAIL}


def test_a_long_text_is_cut_between_lines_and_a_page_is_not_cut_short() -> None:
    for encoding, limit in (
        ("7bit", PLAIN_BYTES),
        ("quoted-printable", PLAIN_BYTES),
        ("base64", HTML_BYTES),
    ):
        line = b"abcdefgh" * 9 + b"\r\n"
        cut = whole_lines((line * limit)[:limit], encoding, limit=limit)

        assert cut.endswith(line)
        assert limit - len(line) <= len(cut) < limit
        assert whole_lines(line, encoding, limit=limit) == line


@pytest.mark.parametrize(
    ("encoding", "body", "kept"),
    [
        ("base64", b"QUJDRA", b"QUJD"),
        ("base64", b"Q U\r\nJ=DRA", b"QUJ="),
        ("quoted-printable", b"Gr=C3", b"Gr=C3"),
        ("quoted-printable", b"Gr=C", b"Gr"),
        ("quoted-printable", b"Gruss=", b"Gruss"),
        ("quoted-printable", b"Gruss", b"Gruss"),
        ("7bit", b"Gruss", b"Gruss"),
    ],
)
def test_an_endless_line_is_cut_where_its_encoding_can_bear_it(
    encoding: str, body: bytes, kept: bytes
) -> None:
    assert whole_lines(body, encoding, limit=len(body)) == kept


def test_attachments_cost_nothing() -> None:
    with start_imap("dovecot") as server:
        post = Post(server, "sales@example.com", "secret")
        message = mail("Hello\n")
        message.add_attachment(b"x" * 3_000_000, "application", "zip", filename="a.zip")
        for _ in range(10):
            post.deliver(message.as_bytes())
        with post.mailbox() as mailbox:
            mailbox.examine("INBOX")
            before = _received(mailbox)
            assert len(fetched(mailbox)) == 10
            assert _received(mailbox) - before < 60_000


def _received(mailbox: Mailbox) -> int:
    """Bytes that this connection has received, as the kernel counts them (Linux tcp_info)."""
    info = mailbox._session.wire._stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
    return int(struct.unpack_from("Q", info, 128)[0])


def test_pymap_serves_where_dovecot_is_not_installed() -> None:
    pytest.importorskip("pymap")
    with start_imap("pymap") as server:
        post = Post(server, "sales@example.com", "secret")
        generated = generate(3, 60, now=datetime(2026, 11, 24, tzinfo=UTC)).mails[:60]
        server.deliver_many(post.user, "INBOX", ((one.raw, one.internal_date) for one in generated))
        with post.mailbox() as mailbox:
            assert [one.role for one in mailbox.folders()] == ["inbox", "sent"]
            assert mailbox.status(["INBOX"])["INBOX"].messages == len(generated)
            mailbox.examine("INBOX")
            for uid, one in fetched(mailbox).items():
                whole = mailbox.raw(uid)
                assert parse(whole, size=one.size)._replace(thread=one.thread) == parse(
                    one.raw, size=one.size, thread=one.thread
                )


def test_a_plan_prefers_the_first_plain_text_that_is_no_attachment() -> None:
    def text(
        subtype: bytes, size: bytes = b"9", disposition: bytes = b"NIL", name: bytes = b"NIL"
    ) -> list[object]:
        shown = (
            None
            if disposition == b"NIL"
            else [disposition, None if name == b"NIL" else [b"filename", name]]
        )
        return [b"TEXT", subtype, None, None, None, b"7BIT", size, b"1", None, shown, None, None]

    for tree, wants, second in (
        (text(b"PLAIN"), ["1"], None),
        (text(b"PLAIN", b"0"), [], None),
        ([text(b"PLAIN"), text(b"HTML"), b"ALTERNATIVE"], ["1"], "2"),
        ([text(b"PLAIN", b"0"), text(b"HTML"), b"ALTERNATIVE"], ["2"], None),
        ([text(b"HTML"), text(b"PLAIN"), b"MIXED"], ["2"], "1"),
        ([text(b"PLAIN", disposition=b"attachment"), text(b"PLAIN"), b"MIXED"], ["2"], None),
        (
            [text(b"PLAIN", disposition=b"inline", name=b"a.txt"), text(b"PLAIN"), b"MIXED"],
            ["1"],
            None,
        ),
        (
            [[text(b"PLAIN"), text(b"HTML"), b"ALTERNATIVE"], text(b"CALENDAR"), b"MIXED"],
            ["1.1", "2"],
            "1.2",
        ),
    ):
        root = read_structure(tree)  # type: ignore[arg-type]
        assert root is not None
        found = plan(root)

        assert [one.section for one in found.wants] == wants
        assert (found.second and found.second.section) == second


def test_a_body_that_holds_our_boundary_stays_one_part() -> None:
    leaf: list[object] = [b"TEXT", b"PLAIN", None, None, None, b"7BIT", b"9", b"1"]
    root = read_structure([leaf, leaf, b"MIXED", [b"BOUNDARY", b"x"]])  # type: ignore[list-item]
    assert root is not None
    body = b"one\r\n--m2d--\r\n\r\n--m2dx--\r\ntwo"
    message = message_from_bytes(assemble(HEADER, root, {"1": body, "2": b"three"}))

    texts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    assert texts == [body, b"three"]
