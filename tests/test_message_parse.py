"""From bytes to a Message: its key, its bounds, and nothing but a Message or Unreadable."""

import email
import email.headerregistry
import email.policy
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_message_body import is_unsafe

from daemon.errors import Unreadable
from daemon.message import mime
from daemon.message.address import Address, mailbox
from daemon.message.fields import WANTED, body_start, scan
from daemon.message.header import read
from daemon.message.parse import Message, bounded_date, parse
from daemon.message.traces import NO_TRACES
from daemon.message.verdict import Us, judge

CORPUS = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("messages/*.eml"))]
US = Us(domains=frozenset({"us.example"}), authserv_ids=frozenset({"mx.us.example"}))
MB = 1 << 20
MAIL = (
    b"From: Ada <ada@acme.example>\r\n"
    b"To: bob@us.example\r\n"
    b"Subject: A question of mine\r\n"
    b"Date: Mon, 23 Nov 2026 10:00:00 +0100\r\n"
    b"Message-ID: <1@acme.example>\r\n"
    b"\r\n"
    b"Hello\r\n"
)
HEAD = MAIL[: MAIL.index(b"\r\n\r\n") + 2]


def key(raw: bytes, size: int = 100) -> str:
    return parse(raw, size=size).key


# --- the message key


def test_a_key_is_32_hexadecimal_digits_and_doesnt_change_with_our_version() -> None:
    assert key(MAIL) == "234d52bb2fbadc332391bd799b5b1e26"
    assert key(MAIL.replace(b"Message-ID", b"X-No-ID")) == "f864918f6141d24562ca4b491f911db5"


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: b"Received: from a by b; Mon, 23 Nov 2026 10:00:01 +0100\r\n" + raw,
        lambda raw: b"Return-Path: <ada@acme.example>\r\nX-Spam: no\r\n" + raw,
        lambda raw: raw.replace(b"\r\n", b"\n"),
        lambda raw: raw.replace(b"A question of", b"A\r\n question\r\n\tof"),
        lambda raw: raw.replace(b"Message-ID: <", b"Message-ID:\r\n <"),
        lambda raw: raw.replace(b"2026 10", b"2026\r\n 10"),
        lambda raw: raw.replace(b"From: Ada <ada@acme", b'From: "Ada L" <ADA+x@acme'),
        lambda raw: raw.replace(b"A question of mine", b"=?utf-8?q?A_question?= =?utf-8?b?IG9mIG1pbmU=?="),
        lambda raw: raw.replace(b"To: bob@us.example\r\n", b"Cc: x@y.example\r\n"),
        lambda raw: raw.replace(b"Hello", b"Another text, cut by the edge"),
        lambda raw: raw.replace(b"Subject", b"sUBJECT"),
    ],
)  # fmt: skip
def test_the_same_mail_has_the_same_key_however_it_came(change: Callable[[bytes], bytes]) -> None:
    assert change(MAIL) != MAIL
    assert key(change(MAIL), size=999) == key(MAIL)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b"<1@", b"<2@"),
        lambda raw: raw.replace(b"<1@acme", b"<1@ACME"),
        lambda raw: raw.replace(b"From: Ada <ada@", b"From: Ada <eve@"),
        lambda raw: raw.replace(b"A question", b"Another question"),
        lambda raw: raw.replace(b"10:00:00", b"10:00:01"),
        lambda raw: raw.replace(b"Message-ID", b"X-No-ID"),
        lambda raw: raw.replace(b"Date", b"X-No-Date"),
    ],
)
def test_two_mails_have_two_keys_even_with_one_message_id(
    change: Callable[[bytes], bytes],
) -> None:
    assert key(change(MAIL)) != key(MAIL)


def test_without_a_message_id_the_size_tells_mails_apart() -> None:
    raw = MAIL.replace(b"Message-ID", b"X-No-ID")
    assert key(raw, size=1) != key(raw, size=2)
    assert key(raw, size=1) == key(raw, size=1)


def test_one_value_cant_be_moved_into_the_next() -> None:
    first = MAIL.replace(b"A question of mine", b"ab").replace(b"<1@acme.example>", b"<x>")
    second = MAIL.replace(b"A question of mine", b"b").replace(b"<1@acme.example>", b"<xa>")
    assert key(first) != key(second)


# --- what is kept


def test_size_and_thread_are_those_that_the_edge_knows() -> None:
    message = parse(MAIL, size=12_345, thread="17")
    assert (message.size, message.thread) == (12_345, "17")
    assert parse(MAIL, size=1).thread is None


def test_snippet_chars_bounds_the_snippet() -> None:
    assert parse(MAIL, size=1, snippet_chars=3).snippet == "He…"
    assert parse(MAIL, size=1, snippet_chars=0).snippet == ""


def test_recipients_are_counted_beyond_those_that_are_kept() -> None:
    to = ", ".join(f"Person {i} <p{i}@x.example>" for i in range(5_000))
    message = parse(f"From: a@b.example\nTo: {to}\n\n".encode(), size=1)
    assert len(message.to) == 1_000
    assert message.recipients_count == 5_000
    assert message.to[0].address == "p0@x.example"


def test_answers_are_bounded_and_each_named_once() -> None:
    references = " ".join(f"<{i}@x>" for i in range(100))
    raw = f"From: a@b.example\nIn-Reply-To: <99@x>\nReferences: {references}\n\n".encode()
    answers = parse(raw, size=1).answers
    assert answers[:3] == ("99@x", "98@x", "97@x")
    assert len(answers) == len(set(answers)) == 32


@pytest.mark.parametrize("field", ["Message-ID", "In-Reply-To"])
def test_a_message_id_is_bounded_and_without_white_space(field: str) -> None:
    raw = f"From: a@b.example\n{field}: <a \x00\u202eb\n {'x' * 3_000}@c>\n\n".encode()
    message = parse(raw, size=1)
    value = message.message_id if field == "Message-ID" else message.answers[0]
    assert value is not None
    assert value.startswith("abxxx")
    assert len(value) == 998


@pytest.mark.parametrize(
    ("date", "bounded"),
    [
        (datetime(2026, 11, 23, 9, tzinfo=UTC), datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (datetime(1990, 1, 1, tzinfo=UTC), datetime(1990, 1, 1, tzinfo=UTC)),
        (datetime(1989, 12, 31, 23, 59, 59, tzinfo=UTC), None),
        (datetime(2026, 11, 25, 10, tzinfo=UTC), datetime(2026, 11, 25, 10, tzinfo=UTC)),
        (datetime(2026, 11, 25, 10, 0, 1, tzinfo=UTC), None),
        (None, None),
    ],
)
def test_a_date_is_believed_from_1990_to_a_day_after_arrival(
    date: datetime | None, bounded: datetime | None
) -> None:
    arrived = datetime(2026, 11, 24, 10, tzinfo=UTC)
    assert bounded_date(date, arrived) == (bounded or arrived)


def test_arrival_at_the_end_of_time_is_no_error() -> None:
    latest = datetime.max.replace(tzinfo=UTC)
    assert bounded_date(latest - timedelta(days=1), latest) == latest - timedelta(days=1)


# --- properties


def assert_safe(message: Message) -> None:
    """No value carries a control character, and each is within its bound."""
    texts = [message.subject, message.message_id or "", *message.answers, *message.signals]
    texts += [fact.value for fact in message.facts]
    assert len(message.candidates) <= 8
    for address in (message.from_, *(one.address for one in message.candidates), *message.to):
        if address is not None:
            texts += [address.name, address.address]
            assert address.key.count("@") == 1
            assert " " not in address.address
            assert address.address == address.address.lower()
            assert len(address.name) <= 200
    for invite in message.invites:
        texts += [invite.method, invite.uid, invite.summary, invite.organizer or ""]
    for text in [*texts, message.snippet.replace("\n", "")]:
        assert not any(is_unsafe(char) for char in text), ascii(text)
        assert len(text) <= 998
    assert message.signals == tuple(sorted(set(message.signals)))
    assert message.date is None or message.date.tzinfo is UTC
    assert len(message.key) == 32
    assert not any("\ud800" <= char <= "\udfff" for char in message.snippet)


FRAGMENTS = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"\n ", b": ", b"From: ", b"To: ", b"Cc: ", b"Date: ", b"Subject: ", b"Content-Type: ", b"multipart/mixed; boundary=",
     b"text/html", b"text/calendar", b"charset=", b"utf-16", b"--b", b"--", b"=?utf-8?q?", b"?=", b"=C3", b"<", b">", b"@", b"a@b.c", b'"', b"\\", b"(", b")",
     b";", b",", b"\x00", b"\x1b[31m", b"\xc3\xbc", b"\xff", b"\xe2\x80\xae", b"BEGIN:VCALENDAR\n", b"BEGIN:VEVENT\nUID:1\n", b"base64\n\n", b"Message-ID: ",
     b"References: ", b"Return-Path: <>", b"Auto-Submitted: ", b"List-Id: ", b"Authentication-Results: x; dmarc=fail", b"Content-Transfer-Encoding: "]
)  # fmt: skip


def broken(raw: bytes, at: int, length: int, insert: bytes) -> bytes:
    at %= len(raw) + 1
    return raw[:at] + insert + raw[at + length :]


MAILS = st.one_of(
    st.binary(max_size=200),
    st.lists(FRAGMENTS | st.binary(max_size=8), max_size=40).map(b"".join),
    st.builds(
        broken,
        st.sampled_from(CORPUS),
        st.integers(min_value=0, max_value=3_000),
        st.integers(min_value=0, max_value=200),
        st.lists(FRAGMENTS | st.binary(max_size=8), max_size=6).map(b"".join),
    ),
)


@settings(deadline=None, max_examples=500)
@given(MAILS, st.booleans())
@example(raw=b"List-Id: \xe2\x80\xaa", in_sent=False)
@example(raw=b"List-Id: <sales\xe2\x80\xae.us.example>", in_sent=False)
def test_any_bytes_are_a_message_or_unreadable(raw: bytes, in_sent: bool) -> None:
    try:
        message = parse(raw, size=len(raw))
    except Unreadable as unreadable:
        surprise = unreadable.__cause__  # the boundary is for what we don't know
        if surprise is not None:
            raise surprise from unreadable
        return
    assert_safe(message)
    assert message == parse(raw, size=len(raw))
    judgement = judge(message, in_sent=in_sent, us=US)
    assert (judgement.verdict.kind == "contact") <= bool(judgement.parties)
    assert not any(US.is_us(party) for party in judgement.parties)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([raw for raw in CORPUS if b"\r\n\r\n" in raw and not raw.startswith(b"\r\n")]),
    st.text(alphabet="abc ;:", max_size=40),
)
def test_trace_fields_never_change_what_a_mail_says(raw: bytes, trace: str) -> None:
    traced = f"Received: {trace}\r\nX-Trace: {trace}\r\n".encode() + raw
    delivered, filed = parse(traced, size=1), parse(raw, size=1)
    # But that it was delivered at all.
    signals = tuple(one for one in filed.signals if one != "filed")
    assert delivered == filed._replace(signals=signals)


WORDS = st.sampled_from(["Ada", "Lovelace", "J.", "O'Neil", "=?utf-8?q?J=C3=BCrgen?=", "=?iso-8859-1?Q?Gr=FC=DFe?=", "=?utf-8?b?4pyT?=", "=?x?q?a?=", "(c)", '"a, b"', "[x]", "é", "a@b.example", "\\", ":", ".", "=?utf-8?q?a=0Ab?="])  # fmt: skip
SPECS = st.sampled_from(["ada@acme.example", "ADA+x@Acme.Example", "'bob'@x.example", "a.b-c_d@x-y.example", '"q q"@x.example', "a@b", "a@[192.0.2.1]", "a@", "@b", "a b@c.example", "ö@x.example", "a@ö.example", "a..b@x.example", "a@x.example."])  # fmt: skip
MAILBOXES = st.one_of(
    SPECS,
    st.builds("{} <{}>".format, st.lists(WORDS, max_size=3).map(" ".join), SPECS),
    st.builds('"{}" <{}>'.format, st.lists(WORDS, max_size=3).map(" ".join), SPECS),
    st.text(alphabet='ab@.,;<>"() ', max_size=12),
)  # fmt: skip
DATES = st.one_of(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2099, 12, 31), timezones=st.just(UTC)).map(email.utils.format_datetime),  # noqa: DTZ001  the bounds are naive in hypothesis
    st.builds(
        "{}{} {} {} {}:{}:{} {}".format,
        st.sampled_from(["", "Mon, ", "Tue, ", "mon, ", "Mo, "]),
        st.integers(min_value=0, max_value=40),
        st.sampled_from(["Jan", "Feb", "jun", "Dec", "Dez"]),
        st.sampled_from(["2026", "26", "1899", "0026", "20261"]),
        st.sampled_from(["00", "9", "09", "23", "24"]),
        st.sampled_from(["00", "59", "60"]),
        st.sampled_from(["00", "60", "61"]),
        st.sampled_from(["+0000", "-0000", "+0100", "-1359", "+2500", "GMT", "EST", "", "+01:00", "GMT+0100", "+0000 (UTC)"]),
    ),
    st.text(max_size=20),
)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(
    sender=MAILBOXES,
    to=st.lists(MAILBOXES, max_size=4).map(", ".join),
    subject=st.lists(WORDS, max_size=5).map(" ".join),
    date=DATES,
)
def test_odd_fields_give_addresses_that_mail_can_be_sent_to(
    sender: str, to: str, subject: str, date: str
) -> None:
    header = read({"from": [sender], "to": [to], "subject": [subject], "date": [date]})
    for address in (header.author, *header.recipients):
        assert address is None or mailbox("", address.address) is not None
    assert header.subject.isprintable()
    assert header.date is None or header.date.tzinfo is UTC


@pytest.mark.parametrize(
    "ends", ["\n\n", "\r\n\r\n", "\n\r\n", "\r\n\n", "\n\n\r\n\r\n", "\r\n\r\n\n\n"]
)
def test_a_body_begins_after_the_first_empty_line(ends: str) -> None:
    raw = f"A: b{ends}text".encode()
    empty = re.search(rb"\n\r?\n", raw)
    assert empty is not None
    assert body_start(raw, 0, len(raw)) == empty.end()


NAMES = st.text(alphabet="aZéßñřжЖあ漢אع한", min_size=1, max_size=12)


@settings(deadline=None, max_examples=150)
@given(
    name=NAMES,
    subject=NAMES,
    date=st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2099, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  the bounds are naive in hypothesis
)  # fmt: skip
def test_what_the_stdlib_wrote_is_read_back(name: str, subject: str, date: datetime) -> None:
    mail = email.message.EmailMessage()
    mail["From"] = email.headerregistry.Address(name, "ada", "acme.example")
    mail["To"] = [email.headerregistry.Address("", f"p{n}", "us.example") for n in range(9)]
    mail["Subject"] = subject
    mail["Date"] = date.replace(microsecond=0)
    header = read(scan(mail.as_bytes(policy=email.policy.SMTP)))
    assert header.author == Address(name, "ada@acme.example")
    assert [a.local for a in header.recipients] == [f"p{n}" for n in range(9)]
    assert header.subject == subject
    assert header.date == date.replace(microsecond=0)


@settings(deadline=None, max_examples=150)
@given(
    text=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\x1b"), max_size=120),
    charset=st.sampled_from(["utf-8", "iso-8859-15", "windows-1251", "gb18030", "iso-2022-jp", "euc-jp"]),
    encoding=st.sampled_from(["base64", "quoted-printable"]),
    subtype=st.sampled_from(["plain", "html"]),
)  # fmt: skip
def test_a_text_is_decoded_as_the_stdlib_decodes_it(
    text: str, charset: str, encoding: str, subtype: str
) -> None:
    text = text.encode(charset, "ignore").decode(charset)
    mail = email.message.EmailMessage()
    mail.set_content(text, subtype=subtype, charset=charset, cte=encoding)
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="a.pdf")
    raw = mail.as_bytes(policy=email.policy.SMTP)
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    start = body_start(raw, 0, len(raw))
    _, leaves = mime.leaves(raw, scan(raw[:start]), start)
    part = leaves[0]
    ours = mime.text(raw, part, MB)
    theirs = parsed.get_body().get_content()  # type: ignore[union-attr]  # there is one
    assert ours.replace("\r\n", "\n").rstrip("\n") == theirs.replace("\r\n", "\n").rstrip("\n")


def test_every_corpus_mail_has_the_leaves_that_the_stdlib_finds() -> None:
    """Where both read a structure; the stdlib gives up on what is nested or broken too much."""
    compared = 0
    for raw in CORPUS:
        mail = email.message_from_bytes(raw)
        if mail.defects or not mail.is_multipart() or mail.get_content_type() == "message/rfc822":
            continue
        theirs = leaf_kinds(mail)
        start = body_start(raw, 0, len(raw))
        kind, leaves = mime.leaves(raw, scan(raw[:start]), start)
        if len(theirs) == len(leaves) or len(theirs) < 12:
            assert [leaf.kind for leaf in leaves] == theirs
            assert kind == mail.get_content_type()
            compared += 1
    assert compared > 20


def leaf_kinds(part: email.message.Message) -> list[str]:
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        children = part.get_payload()
        return [
            kind
            for child in children
            if isinstance(child, email.message.Message)
            for kind in leaf_kinds(child)
        ]
    return [part.get_content_type()]


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(CORPUS), st.sampled_from([500, 0]), st.integers(min_value=1, max_value=3_000)
)
def test_a_mail_that_was_cut_says_no_other_than_the_whole(
    raw: bytes, snippet_chars: int, cut: int
) -> None:
    start = body_start(raw, 0, len(raw))
    if start == len(raw) or cut < start or raw.startswith(b"\r\n") or b"=" in raw[start:]:
        return
    whole = parse(raw, size=1, snippet_chars=snippet_chars)
    part = parse(raw[:cut], size=1, snippet_chars=snippet_chars)
    end: dict[str, Any] = {"invites": (), "opaque": False, "signals": (), "facts": ()}
    header = end | {"snippet": "", "text_hash": ""}
    assert part._replace(**header, traces=NO_TRACES) == whole._replace(**header, traces=NO_TRACES)


def test_the_wanted_fields_are_all_that_matters() -> None:
    """What an IMAP edge fetches by name gives the same message as the whole header."""
    wanted = {name.lower() for name in WANTED}
    for raw in CORPUS:
        mail = email.message_from_bytes(raw)
        start = body_start(raw, 0, len(raw))
        if mail.defects or b"\r\n" not in raw or not mail.keys() or b"From ada" in raw[:10]:
            continue
        kept = "".join(
            f"{name}: {value}\r\n" for name, value in mail.raw_items() if name.lower() in wanted
        ).encode("utf-8", "surrogateescape")
        if kept:
            assert parse(kept + b"\r\n" + raw[start:], size=1) == parse(raw, size=1)
