"""Mail that is broken or hostile on purpose, named by its defect; the same seed, the same bytes.

`DEFECTS` has each mail by its name, for table tests. `hostile(seed, count)` gives each of them once
and goes on with the small ones bitten by chance: bytes flipped, cut, doubled. Those in `HEAVY` have
a megabyte or more, or are very deep, and come seldom again.
"""

import base64
import random
from collections.abc import Iterator, Mapping

from hostile_bodies import CALENDARS, HEAVY_CALENDARS, HEAVY_PAGES, PAGES

HEAD = (
    b"From: Mallory <mallory@evil.example>\r\nTo: ada.marlow@larkfield.example\r\n"
    b"Date: Mon, 02 Mar 2026 09:00:00 +0000\r\n"
)
ESCAPES = "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b2J"
BIDI = "invoice\u202efdp.exe\u2066\u200b\u2069\ufeff"
CODECS = (
    "x-unknown", "utf-8\x00", "", "utf-16", "utf-7", "idna", "punycode", "rot13", "base64", "hex",
    "zlib", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "../../etc/passwd",
    "\u00fctf-8", "utf-8" * 500, "%s%n", "ascii'--", "utf-32-be", "cp65001",
)  # fmt: skip
DATES = (
    "Thu, 01 Jan 1970 00:00:00 +0000", "Tue, 01 Jul 2098 12:00:00 +0000", "Mon, 99 Foo 2026 99:99",
    "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359", "0000-00-00T00:00:00Z",
    "Mon, 02 Mar 2026 09:00:00 +99999999", "Mon, 02 Mar 99999999999 09:00:00 +0000",
    "\u0662\u0660\u0662\u0666-03-02T09:00:00", "(" * 300, "1e400", "-1", "\x00", " ",
    "Mon, 30 Feb 2026 09:00:00 +0000", "Mon, 02 Mar 2026 23:59:60 +0000", "+0000",
)  # fmt: skip


def mail(
    *headers: bytes, body: bytes = b"Hello", head: bytes = HEAD, subject: bool = True
) -> bytes:
    """A mail with the usual head, these headers more, and that body."""
    lines = [head.rstrip(b"\r\n")] if head else []
    if subject:
        lines.append(b"Subject: Hello")
    return b"\r\n".join([*lines, *headers]) + b"\r\n\r\n" + body


def word(data: bytes, charset: str = "utf-8") -> bytes:
    """An RFC 2047 word in B encoding around any bytes at all."""
    return b"=?" + charset.encode() + b"?b?" + base64.b64encode(data) + b"?="


def _addresses() -> dict[str, bytes]:
    to = b"To: ada.marlow@larkfield.example\r\nSubject: Hello"
    froms = {
        "no-from": b"X-Nothing: here",
        "from-empty": b"From: ",
        "from-without-address": b"From: Mallory",
        "from-empty-brackets": b"From: Mallory <>",
        "from-group": b"From: friends: a@evil.example, b@evil.example;",
        "from-undisclosed": b"From: undisclosed-recipients:;",
        "from-twice": b"From: a@evil.example\r\nFrom: b@evil.example",
        "from-several": b"From: a@evil.example, b@evil.example, c@evil.example",
        "from-two-ats": b"From: a@b@evil.example",
        "from-quoted-local": b'From: "a b\\"@c"@evil.example',
        "from-ip-literal": b"From: a@[IPv6:::1]",
        "from-single-label": b"From: root@localhost",
        "from-long-local": b"From: " + b"a" * 5000 + b"@evil.example",
        "from-long-domain": b"From: a@" + b"b." * 3000 + b"example",
        "from-dots": b"From: .a..b.@evil..example.",
        "from-nul": b"From: Mal\x00lory <mal\x00lory@evil.example>",
        "from-crlf-word": b"From: " + word(b"M\r\nBcc: x@y.example") + b" <m@evil.example>",
        "from-escape-word": b"From: " + word(ESCAPES.encode()) + b" <m@evil.example>",
        "from-bidi-word": b"From: " + word(BIDI.encode()) + b" <m@evil.example>",
        "from-address-in-word": b"From: " + word(b"ada@larkfield.example <a@b.example>"),
        "from-surrogate-word": b"From: " + word(b"\xed\xa0\x80\xed\xb0\x80") + b" <m@evil.example>",
        "from-xn-bad": b"From: a@xn--\xff.example",
        "from-xn-long": b"From: a@xn--" + b"a" * 80 + b".example",
        "from-homograph": "From: a@gm\u0430il.com".encode(),
        "from-comments": b"From: " + b"(" * 400 + b"x" + b")" * 400 + b" m@evil.example",
        "from-backslashes": b'From: "' + b"\\" * 3001 + b'" <m@evil.example>',
        "from-route": b"From: <@a.example,@b.example:m@evil.example>",
        "from-plus-only": b"From: +tag@evil.example",
        "to-semicolons": b"From: m@evil.example\r\nTo: a@x.example; b@y.example",
    }
    return {name: line + b"\r\n" + to + b"\r\n\r\nHello" for name, line in froms.items()}


def _headers() -> dict[str, bytes]:
    escapes, bidi = ESCAPES.encode(), BIDI.encode()
    subjects = {
        "subject-escapes": b"Subject: " + escapes,
        "subject-escapes-word": b"Subject: " + word(escapes),
        "subject-crlf-word": b"Subject: " + word(b"Hi\r\n\r\nBcc: x@y.example\r\n.\r\n"),
        "subject-bidi": b"Subject: " + bidi,
        "subject-nul": b"Subject: a\x00b\x00",
        "subject-word-open": b"Subject: =?utf-8?q?never=",
        "subject-word-bad-base64": b"Subject: =?utf-8?b?%%%=?= =?utf-8?b?A?=",
        "subject-word-bad-encoding": b"Subject: =?utf-8?z?x?= =????=",
        "subject-8bit": b"Subject: Gr\xfc\xdfe \xff\xfe\x80",
        "subject-overlong-utf8": b"Subject: \xc0\xaf\xe0\x80\xaf",
        "subject-twice": b"Subject: one\r\nSubject: two",
        "subject-huge": b"Subject: " + b"x" * 100_000,
        "subject-res": b"Subject: " + b"Re: " * 20_000,
        "subject-lone-cr": b"Subject: a\rX-Injected: b",
        "id-twice": b"Message-ID: <1@x>\r\nMessage-ID: <2@x>",
        "id-everywhere": b"Message-ID: <same@everywhere.example>",
        "id-empty": b"Message-ID: <>",
        "id-bare": b"Message-ID: no brackets at all",
        "id-search-injection": b'Message-ID: <x"\r\n A1 STORE 1:* +FLAGS (\\Deleted)>',
        "id-huge": b"Message-ID: <" + b"x" * 50_000 + b"@x>",
        "id-nul": b"Message-ID: <a\x00b@x>",
        "references-broken": b"References: <<<>>> < > <a@b <c@d>>\r\nIn-Reply-To: your mail of Monday",
        "references-self": b"Message-ID: <s@x>\r\nIn-Reply-To: <s@x>\r\nReferences: <s@x> <s@x>",
        "no-colon": b"This line has no colon",
        "name-with-spaces": b"Bad Name : value",
        "name-8bit": b"X-\xff\xfe: value",
        "name-empty": b": value",
        "name-headers": b"headers: x\r\nmessage: y\r\nattachments: z",
        "name-huge": b"X" * 70_000 + b": y",
        "folded-blank": b"X-A: b\r\n \r\n\t\r\n  c",
        "auto-submitted-comments": b"Auto-Submitted: " + b"(" * 2000 + b"no",
        "auto-submitted-nul": b"Auto-Submitted: \x00no",
        "results-long": b"Authentication-Results: mx.larkfield.example; " + b"dmarc=pass; " * 5000,
        "results-comment": b"Authentication-Results: (dmarc=fail) mx.larkfield.example; (dmarc=fail) none",
        "return-path-broken": b"Return-Path: <<>>\r\nReturn-Path: <>",
        "list-id-bomb": b"List-Id: " + b"<" * 30_000,
    }
    return {
        name: mail(line, subject=not name.startswith("subject")) for name, line in subjects.items()
    }


def _structures() -> dict[str, bytes]:
    mixed = b"Content-Type: multipart/mixed; boundary=b"
    text = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    inner = b"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
    return {
        "empty": b"",
        "one-byte": b"\x00",
        "blank-lines": b"\r\n\r\n\r\n",
        "no-headers": b"\r\nonly a body",
        "no-body": HEAD,
        "folded-first": b" continued from nothing\r\n" + HEAD + b"\r\nHello",
        "mbox-line": b"From mallory Mon Mar  2 09:00:00 2026\r\n" + HEAD + b"\r\nHello",
        "bom": b"\xef\xbb\xbf" + mail(),
        "lf-only": mail().replace(b"\r\n", b"\n"),
        "cr-only": mail().replace(b"\r\n", b"\r"),
        "nul-everywhere": b"\x00".join(bytes([c]) for c in mail()),
        "html-not-mail": b"<html><body>502 Bad Gateway</body></html>",
        "base64-cut": mail(text + b"base64", body=base64.b64encode(b"Hello " * 50)[:-3]),
        "base64-dirty": mail(text + b"base64", body=b"SGV\x00sbG8*/-_=\r\n=====SGVsbG8"),
        "qp-cut": mail(text + b"quoted-printable", body=b"Gr=C3=BC=C3=9Fe=\r\n=C3=\r\n=ZZ=4"),
        "encoding-unknown": mail(text + b"x-uuencode", body=b"begin 644 a\nM\n`\nend"),
        "encoding-twice": mail(text + b"base64\r\nContent-Transfer-Encoding: 7bit"),
        "type-garbage": mail(b"Content-Type: ;;;=;/; charset"),
        "type-one-word": mail(b"Content-Type: text"),
        "type-twice": mail(b"Content-Type: text/html\r\nContent-Type: text/plain", body=b"<b>x</b>"),
        "type-params": mail(b"Content-Type: text/plain" + b"; a=b" * 10_000),
        "type-2231-broken": mail(b"Content-Type: text/plain; charset*0*=a'; charset*9=%%%; charset*="),
        "boundary-missing": mail(b"Content-Type: multipart/mixed", body=inner),
        "boundary-empty": mail(b'Content-Type: multipart/mixed; boundary=""', body=b"--\r\n\r\nx\r\n----"),
        "boundary-long": mail(
            b"Content-Type: multipart/mixed; boundary=" + b"b" * 5000,
            body=b"--" + b"b" * 5000 + b"\r\n\r\nx",
        ),
        "boundary-nul": mail(b'Content-Type: multipart/mixed; boundary="b\x00"', body=inner),
        "boundary-never": mail(mixed, body=b"preamble only"),
        "boundary-open": mail(mixed, body=inner),
        "boundary-reused": mail(mixed, body=b"--b\r\n" + mixed + b"\r\n\r\n" + inner + b"--b--\r\n--b--"),
        "part-without-end-of-headers": mail(mixed, body=b"--b\r\nContent-Type: text/plain"),
        "report-empty": mail(b"Content-Type: multipart/report; boundary=b", body=b"--b--"),
        "rfc822-of-nothing": mail(b"Content-Type: message/rfc822", body=b""),
        "partial": mail(b"Content-Type: message/partial; number=1; total=99999; id=x"),
        "external-body": mail(b"Content-Type: message/external-body; access-type=local-file; name=/etc/passwd"),
        "attachment-path": mail(b'Content-Disposition: attachment; filename="../../../etc/cron.d/x"'),
        "pkcs7-of-nothing": mail(b"Content-Type: application/pkcs7-mime", body=b"\xff\xfe"),
    }  # fmt: skip


def _charsets() -> dict[str, bytes]:
    made = {}
    for number, name in enumerate(CODECS):
        quoted = b'Content-Type: text/plain; charset="' + name.encode() + b'"'
        made[f"charset-{number}-body"] = mail(quoted, body=b"Gr\xfc\xdfe \xff\xfe\x00")
        subject = b"Subject: " + word(b"Gr\xfc\xdfe \xff\x00", name)
        made[f"charset-{number}-word"] = mail(subject, subject=False)
    for number, date in enumerate(DATES):
        head = HEAD.partition(b"Date: ")[0]
        made[f"date-{number}"] = mail(b"Date: " + date.encode(), head=head)
    return made


def _deep(opening: bytes, times: int, closing: bytes = b"") -> bytes:
    return opening * times + b"Content-Type: text/plain\r\n\r\nHello" + closing * times


def _heavy() -> dict[str, bytes]:
    level = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    nested = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n)
        for n in range(10_000)
    )
    people = b",\r\n ".join(b"Person %d <p%d@many.example>" % (n, n) for n in range(20_000))
    parts = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 10_000
    ids = b"\r\n ".join(b"<%d@many.example>" % n for n in range(60_000))
    return {
        "deep-multiparts": HEAD + nested + b"Content-Type: text/plain\r\n\r\nHello",
        "deep-same-boundary": HEAD + _deep(level, 10_000, b"\r\n--b--\r\n"),
        "deep-rfc822": HEAD + _deep(b"Content-Type: message/rfc822\r\n\r\n" + HEAD, 3_000),
        "many-parts": mail(b"Content-Type: multipart/mixed; boundary=b", body=parts + b"--b--"),
        "many-recipients": mail(b"Cc: " + people),
        "many-recipient-headers": mail(*(b"Cc: p%d@many.example" % n for n in range(20_000))),
        "many-received": mail(*(b"Received: from a by b; Mon, 02 Mar 2026 09:00:00 +0000",) * 10_000),
        "many-headers": mail(*(b"X-%d: y" % n for n in range(50_000))),
        "many-references": mail(b"References: " + ids),
        "many-words": mail(b"Subject: " + b"\r\n ".join([word(b"x")] * 20_000), subject=False),
        "header-megabytes": mail(b"X-Long: " + b"y" * 2_000_000),
        "header-spaces": mail(b"Subject: a" + b" " * 1_000_000 + b"b", subject=False),
        "header-folds": mail(b"Subject: a" + b"\r\n " * 300_000 + b"b", subject=False),
        "from-commas": mail(b"To: " + b"," * 500_000),
        "from-angles": b"From: " + b"<" * 300_000 + b"\r\n\r\nHello",
        "from-quotes": b"From: " + b'"' * 300_001 + b" <m@evil.example>\r\n\r\nHello",
        "from-deep-comments": b"From: " + b"(" * 200_000 + b"\r\n\r\nHello",
        "line-megabytes": mail(body=b"x" * 3_000_000),
        "base64-megabytes": mail(
            b"Content-Transfer-Encoding: base64", body=base64.b64encode(b"x" * 2_000_000)
        ),
        "quotes-deep": mail(body=b">" * 500_000 + b"\r\n" + b"> > > x\r\n" * 50_000),
    }  # fmt: skip


def _bodies(kind: bytes, made: Mapping[str, bytes]) -> dict[str, bytes]:
    header = b"Content-Type: " + kind + b"; charset=utf-8"
    return {name: mail(header, body=body) for name, body in made.items()}


CALENDAR = b"text/calendar; method=REQUEST"
HEAVY: dict[str, bytes] = {
    **_heavy(),
    **_bodies(CALENDAR, HEAVY_CALENDARS),
    **_bodies(b"text/html", HEAVY_PAGES),
}
LIGHT: dict[str, bytes] = {
    **_addresses(),
    **_headers(),
    **_structures(),
    **_charsets(),
    **_bodies(CALENDAR, CALENDARS),
    **_bodies(b"text/html", PAGES),
}
DEFECTS: dict[str, bytes] = LIGHT | HEAVY


def bitten(rng: random.Random, whole: bytes) -> bytes:
    """The mail with one to four bites: bytes flipped, cut off, doubled, moved, overwritten."""
    data = bytearray(whole)
    for _ in range(rng.randint(1, 4)):
        if not data:
            break
        at = rng.randrange(len(data))
        length = rng.choice((1, 2, 8, 64, 512))
        match rng.randrange(5):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length]
            case 3:
                data[at : at + length] = rng.randbytes(length)
            case _:
                del data[at:]
    return bytes(data)


def hostile(seed: int, count: int) -> Iterator[bytes]:
    """`count` mails: each defect once, then by chance more of them, whole or bitten."""
    rng = random.Random(seed)
    names = list(DEFECTS)
    light, heavy = list(LIGHT), list(HEAVY)
    for number in range(count):
        if number < len(names):
            yield DEFECTS[names[number]]
        elif rng.randrange(200) == 0:
            yield HEAVY[rng.choice(heavy)]
        else:
            yield bitten(rng, LIGHT[rng.choice(light)])
