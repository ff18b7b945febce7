"""Mail made to hurt: a Message or Unreadable all the same, within memory."""

import tracemalloc
from collections.abc import Callable

import pytest
from test_message_parse import HEAD, MB, assert_safe

from daemon.errors import Unreadable
from daemon.message.parse import parse


def nested(levels: int) -> bytes:
    inner = b"".join(
        b'--b%d\nContent-Type: multipart/mixed; boundary="b%d"\n\n' % (i, i + 1)
        for i in range(levels)
    )
    return HEAD + b'Content-Type: multipart/mixed; boundary="b0"\n\n' + inner + b"--b9\n\nhi\n"


def header(name: str, value: bytes, times: int = 1) -> bytes:
    return HEAD + (name.encode() + b": " + value + b"\n") * times + b"\nhi"


TO = b", ".join(b'"N, %d" <a%d@x.example>' % (i, i) for i in range(100_000))
HOSTILE: dict[str, Callable[[], bytes]] = {
    "a header of 50 MB": lambda: HEAD + b"X-A: " + b"b" * (50 * MB) + b"\n\nhi",
    "a header of 50 MB in short fields": lambda: HEAD + b"X: y\n" * (10 * MB) + b"\nhi",
    "a header of 50 MB in folds": lambda: HEAD + b"References: " + b"\n " * (25 * MB) + b"\n\nhi",
    "50 MB without a line break": lambda: b"x" * (50 * MB),
    "50 MB of carriage returns": lambda: b"\r" * (50 * MB),
    "50 MB of zeros": lambda: bytes(50 * MB),
    "50 MB of text": lambda: HEAD + b"\n" + b"hello\n" * (8 * MB),
    "100,000 recipients": lambda: header("Cc", TO),
    "100,000 From fields": lambda: header("From", b"a@x.example", 100_000),
    "100,000 references": lambda: header("References", b"<a@b>" * 100_000),
    "100,000 results": lambda: header("Authentication-Results", b"a; dmarc=fail", 100_000),
    "100,000 parameters": lambda: header("Content-Type", b"text/plain" + b';a="b"' * 100_000),
    "10,000 levels": lambda: nested(10_000),
    "10,000 levels with one boundary": lambda: HEAD
    + b"Content-Type: multipart/mixed; boundary=b\n\n"
    + b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 10_000,
    "a million parts": lambda: header("Content-Type", b"multipart/mixed; boundary=b") + b"\n--b\n\nx" * MB,
    "ten million near boundaries": lambda: header("Content-Type", b"multipart/mixed; boundary=b")
    + b"\n--bx" * (10 * MB),
    "a boundary of dashes": lambda: header("Content-Type", b'multipart/mixed; boundary="--"') + b"-" * MB,
    "10,000 attached messages": lambda: header("Content-Type", b"message/rfc822")
    + b"Content-Type: message/rfc822\n\n" * 10_000,
    "200 calendars": lambda: header("Content-Type", b"multipart/mixed; boundary=b")
    + (
        b"\n--b\nContent-Type: text/calendar\n\nBEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n"
        + b"ATTENDEE:mailto:a@x.example\n" * 20_000
    )
    * 200,
    "a charset of 100 kB": lambda: header("Content-Type", b"text/plain; charset=" + b"u" * 100_000),
    "base64 of 50 MB": lambda: header("Content-Transfer-Encoding", b"base64") + b"AAAA" * (12 * MB),
    "soft breaks only": lambda: header("Content-Transfer-Encoding", b"quoted-printable") + b"=\n" * MB,
    "quotes": lambda: header("To", b'"' * 100_000),
    "escaped quotes": lambda: header("To", b'\\"' * 100_000),
    "brackets": lambda: header("To", b"(" * 100_000),
    "angles": lambda: header("To", b"<" * 100_000),
    "encoded words": lambda: header("Subject", b"=?utf-7?b?4pyT?= " * 100_000),
    "punycode": lambda: header("Subject", b"=?punycode?q?abc-" + b"z" * 100_000 + b"?="),
    "unclosed words": lambda: header("To", b"=?utf-8?q?" * 50_000),
}  # fmt: skip


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_stays_within_memory(name: str) -> None:
    raw = HOSTILE[name]()
    tracemalloc.start()
    try:
        message = parse(raw, size=len(raw))
        assert_safe(message)
    except Unreadable as unreadable:
        if unreadable.__cause__ is not None:
            raise  # a parser's surprise, not a mail without a header
    assert tracemalloc.get_traced_memory()[1] < 60 * MB
    tracemalloc.stop()


@pytest.mark.parametrize(
    "charset",
    ["punycode", "idna", "undefined", "unicode_escape", "zlib", "bz2", "hex", "uu", "rot13", "mbcs", "utf-16", "utf-32", "utf-7",
     "hz", "iso-2022-kr", "iso2022_jp_2004", "cp037", "palmos", "charmap", "utf-8-sig", "../x", "\x00", "'utf-8'", "", "é"],
)  # fmt: skip
def test_no_charset_hurts(charset: str) -> None:
    body = b"gr\xc3\xbc\xdf \xff\xfe +AGE- ~{ \\ud800 =?x?="
    field = f'Content-Type: text/plain; charset="{charset}"\n'.encode()
    assert_safe(parse(HEAD + field + b"\n" + body, size=1))
    subject = f"Subject: =?{charset}?q?gr=C3=BC=DF?= =?{charset}?b?w/8=?=\n".encode()
    assert_safe(parse(b"From: a@b.example\n" + subject + b"\n", size=1))
