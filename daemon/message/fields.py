"""The header block as bytes: where it ends, and the few fields of it that say something to us.

Works on any input and within bounds: a header block of any length is read up to a limit, in one
pass, and a field that nobody asked for is never copied. It doesn't decode or judge a value.
"""

import re
from collections.abc import Sequence

from daemon.message.charset import codec, decode

BLOCK_LIMIT = 1 << 20  # bytes of header block that are read; real ones are below 100 kB
FIELD_LIMIT = 64  # occurrences of one field that are kept

# What an IMAP edge has to fetch, and all that is ever read: BODY.PEEK[HEADER.FIELDS (...)].
WANTED: tuple[str, ...] = (
    "Authentication-Results",
    "Auto-Submitted",
    "Bcc",
    "Cc",
    "Content-Disposition",
    "Content-Transfer-Encoding",
    "Content-Type",
    "Date",
    "From",
    "In-Reply-To",
    "List-Id",
    "List-Unsubscribe",
    "Message-ID",
    "Precedence",
    "References",
    "Reply-To",
    "Return-Path",
    "Subject",
    "To",
    "X-Auto-Response-Suppress",
    "X-Autoreply",
    "X-Autorespond",
    "X-Autoresponder",
    "X-Failed-Recipients",
    "X-Original-From",
    "X-Original-Sender",
    "X-Precedence",
)
_NAMES = {name.lower().encode(): name.lower() for name in WANTED}

# RFC 5322 section 2.2: printable US-ASCII but ":", then the body up to a line that isn't folded.
_FIELD = re.compile(rb"^([!-9;-~]{1,76}+)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
_CHARSET = re.compile(
    rb"^content-type[ \t]*:[^;]{0,99};\s*charset\s*=\s*([\w.:-]{1,40}|\"[^\"]{1,40}\")",
    re.IGNORECASE | re.MULTILINE,
)
_CONTROLS = bytes(range(9)) + bytes(range(10, 32)) + b"\x7f"
_TO_SPACE = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))

Fields = dict[str, list[str]]  # lower-case name -> values in order, unfolded and decoded


def body_start(raw: bytes, start: int, end: int) -> int:
    """Where the body begins in `raw[start:end]`: after the first empty line, else at `end`."""
    if raw.startswith((b"\n", b"\r\n"), start):
        return min(end, start + (1 if raw[start] == ord("\n") else 2))
    bare = raw.find(b"\n\n", start, end)
    crlf = raw.find(b"\n\r\n", start, end if bare < 0 else bare)
    if crlf >= 0:
        return crlf + 3
    return bare + 2 if bare >= 0 else end


def scan(block: bytes) -> Fields:
    """Every occurrence of the wanted fields in a header block, as text on one line each."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
        if b"\n" not in block:
            block = block.replace(b"\r", b"\n")
    found: Fields = {}
    fallback = "" if block.isascii() else _body_charset(block)
    for match in _FIELD.finditer(block):
        name = _NAMES.get(match[1].lower())
        if name is not None:
            values = found.setdefault(name, [])
            if len(values) < FIELD_LIMIT:
                values.append(_text(match[2], fallback))
    return found


def has_any(block: bytes) -> bool:
    """Whether a block has at least one line of the form `Name: value`."""
    return _FIELD.search(block.replace(b"\r", b"\n")) is not None


def first(fields: Fields, name: str) -> str:
    """The first occurrence of a field that isn't empty, else ""."""
    for value in fields.get(name, ()):
        if value:
            return value
    return ""


def joined(fields: Fields, names: Sequence[str]) -> str:
    """All occurrences of the fields as one comma-separated list, in the order of `names`."""
    return ", ".join(value for name in names for value in fields.get(name, ()) if value)


def without_comments(value: str) -> str:
    """A structured field without its comments (RFC 5322 section 3.2.2), nested ones included."""
    if "(" not in value:
        return value
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


def _text(value: bytes, fallback: str) -> str:
    value = value.translate(_TO_SPACE).strip()
    try:
        return value.decode("utf-8")  # RFC 6532, and plain ASCII
    except UnicodeDecodeError:
        return decode(value, fallback)


def _body_charset(block: bytes) -> str:
    """What raw 8-bit in a header most likely is: the charset of the body, else windows-1252."""
    match = _CHARSET.search(block)
    declared = codec(match[1].decode("ascii", "replace")) if match else None
    return declared if declared and declared != "utf-8" else "cp1252"
