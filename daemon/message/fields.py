"""The header block as bytes: where it ends, and the few fields of it that say something to us.

Works on any input and within bounds: a header block of any length is read up to a limit, in one
pass, and a field that nobody asked for is never copied. It doesn't decode or judge a value.
"""

import re
from collections.abc import Sequence

from daemon.message.charset import codec, decode
from daemon.message.data import read

BLOCK_LIMIT = 1 << 20  # bytes of header block that are read; real ones are below 100 kB
FIELD_LIMIT = 64  # occurrences of one field that are kept
VALUE_LIMIT = 4_096  # characters of one value that are judged

# What an IMAP edge has to fetch, and all that is ever read: BODY.PEEK[HEADER.FIELDS (...)]. The
# fields of single programs and filters are data. Together they have to fit into one command.
WANTED: tuple[str, ...] = tuple(
    sorted(
        {
            "Authentication-Results",
            "Auto-Submitted",
            "Bcc",
            "Cc",
            "Content-Disposition",
            "Content-Transfer-Encoding",
            "Content-Type",
            "Date",
            "Errors-To",
            "Feedback-ID",
            "From",
            "In-Reply-To",
            "List-Id",
            "List-Archive",
            "List-Owner",
            "List-Post",
            "List-Subscribe",
            "List-Unsubscribe",
            "List-Unsubscribe-Post",
            "Mailing-List",
            "Message-ID",
            "Origin-messageId",
            "Precedence",
            "Received",
            "References",
            "Reply-To",
            "Return-Path",
            "Sender",
            "Subject",
            "To",
            "X-Auto-Response-Suppress",
            "X-Feedback-ID",
            "X-Forefront-Antispam-Report",
            "X-Google-Original-Message-ID",
            "X-Listserver",
            "X-Mailing-List",
            "X-Microsoft-Antispam",
            "X-Microsoft-Original-Message-ID",
            "X-MS-Exchange-Inbox-Rules-Loop",
            "X-MS-Exchange-UnifiedGroup-Address",
            "X-Original-From",
            "X-Original-Sender",
            "X-Precedence",
            "X-Spam-Checker-Version",
            "X-Trasporto",
            *(line.partition(" | ")[0] for line in read("headers.txt")),
            *(line.partition(" | ")[0] for line in read("spam_filters.txt")),
        }
    )
)
# By the spelling that most programs use, and in lower case for the others.
_NAMES = {name: name.lower() for wanted in WANTED for name in (wanted, wanted.lower())}

# RFC 5322 section 2.2: printable US-ASCII but ":", then the body up to a line that isn't folded.
_FIELD = re.compile(r"^([!-9;-~]{1,76}+)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
_CHARSET = re.compile(
    r"^content-type[ \t]*:[^;]{0,99};\s*charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})",
    re.IGNORECASE | re.MULTILINE,
)
_INNERMOST = re.compile(r"\([^()]*\)")
_USUAL_DEPTH = 4  # levels of comments in comments
_TO_SPACE = dict.fromkeys([*range(9), *range(10, 32), 127], " ")

Pairs = list[tuple[str, str]]  # lower-case name, value: in the order of the header
Fields = dict[str, list[str]]  # lower-case name -> values in order, unfolded and decoded


def body_start(raw: bytes, start: int, end: int) -> int:
    """Where the body begins in `raw[start:end]`: after the first empty line, else at `end`."""
    if raw.startswith((b"\n", b"\r\n"), start):
        return min(end, start + (1 if raw[start] == ord("\n") else 2))
    at = raw.find(b"\n\r\n", start, end)
    bare = raw.find(b"\n\n", start, end if at < 0 else at + 1)
    if bare >= 0:
        return bare + 2
    return end if at < 0 else at + 3


def scan(block: bytes) -> Fields:
    """Every occurrence of the wanted fields in a header block, as text on one line each."""
    return in_order(block)[1]


def in_order(block: bytes) -> tuple[Pairs, Fields]:
    """The wanted fields of a header block from the top, at most `FIELD_LIMIT` of one name.

    The same fields come twice: in their order, and by their names.
    """
    text = _lines(block)  # one character a byte, until a field is known to be wanted
    pairs: Pairs = []
    fields: Fields = {}
    for match in _FIELD.finditer(text):
        written, body = match.groups()
        name = _NAMES.get(written) or _NAMES.get(written.lower())
        if name is None:
            continue
        values = fields.get(name)
        if values is None:
            values = fields[name] = []
        if len(values) < FIELD_LIMIT:
            value = body.strip()
            if not (value.isascii() and value.isprintable()):
                value = _value(value, text)
            values.append(value)
            pairs.append((name, value))
    return pairs, fields


def has_any(block: bytes) -> bool:
    """Whether a block has at least one line of the form `Name: value`."""
    return _FIELD.search(_lines(block)) is not None


def first(fields: Fields, name: str, limit: int | None = VALUE_LIMIT) -> str:
    """The first occurrence of a field that isn't empty, else ""; `limit` characters of it."""
    if name not in fields:
        return ""
    for value in fields[name]:
        if value:
            return value[:limit]
    return ""


def joined(fields: Fields, names: Sequence[str]) -> str:
    """All occurrences of the fields as one comma-separated list, in the order of `names`."""
    return ", ".join([value for name in names for value in fields.get(name, ()) if value])


def without_comments(value: str) -> str:
    """A structured field without its comments (RFC 5322 section 3.2.2), nested ones included."""
    if "(" not in value:
        return value
    if '"' not in value and "\\" not in value:
        bare = value
        for _ in range(_USUAL_DEPTH):
            bare = _INNERMOST.sub("", bare)
            if "(" not in bare:
                return bare
    return _without_nested_comments(value)


def _without_nested_comments(value: str) -> str:
    kept: list[str] = []
    depth = 0
    quoted = escaped = False
    for char in value:
        if escaped:
            escaped = False
        elif char == "\\" and (quoted or depth):
            escaped = True
        elif char == '"' and not depth:
            quoted = not quoted
        elif char == "(" and not quoted:
            depth += 1
        elif char == ")" and depth:
            depth -= 1
            continue
        if not depth:
            kept.append(char)
    return "".join(kept)


def _lines(block: bytes) -> str:
    text = block.decode("latin-1")
    if "\r" not in text:
        return text
    text = text.replace("\r\n", "\n")
    return text if "\n" in text else text.replace("\r", "\n")


def _value(value: str, block: str) -> str:
    """A field body on one line; raw 8-bit is UTF-8, else in the charset of the body."""
    if not value.isascii():
        octets = value.encode("latin-1")
        try:
            value = octets.decode("utf-8")  # RFC 6532
        except UnicodeDecodeError:
            value = decode(octets, _body_charset(block))
    if value.isprintable():
        return value
    value = value.replace("\n", " ")  # most are only folded
    return value if value.replace("\t", " ").isprintable() else value.translate(_TO_SPACE)


def _body_charset(block: str) -> str:
    """What raw 8-bit in a header most likely is: the charset of the body, else windows-1252."""
    match = _CHARSET.search(block)
    declared = codec(match[1]) if match else None
    return declared if declared and declared != "utf-8" else "cp1252"
