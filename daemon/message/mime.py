"""The MIME structure of a message, walked on its bytes within bounds, and a part's text.

Finds the leaves (RFC 2046) without copying them, so a message with a thousand attachments or ten
thousand nested parts costs no more than an ordinary one. An attached message (message/rfc822) is a
leaf: what somebody else wrote isn't the text of this mail. The text of a part that was cut short
is read up to the cut.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from daemon.message.charset import ESCAPED, codec, decode
from daemon.message.fields import VALUE_LIMIT, Fields, body_start, first, scan

DEPTH_LIMIT = 12  # levels of multipart inside multipart; people's mail has up to 5
PART_LIMIT = 200  # leaves of one message
_LINE_LIMIT = 20_000  # lines that begin like a boundary, over the whole message
_PART_HEADER_LIMIT = 32_768  # bytes
_USUAL_PART_HEADER = 1_000  # bytes of one that is kept for the next mail

_KIND = re.compile(r"\s*([\w.+-]{1,100})\s*/\s*([\w.+-]{1,100})")
_PARAMETER = re.compile(r";\s*([\w*-]{1,40})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"?|([^;\s]*))")
_REST_OF_BOUNDARY = re.compile(rb"(--)?[ \t]*(?:\r?\n|\r|$)")
_FIRST_BOUNDARY = re.compile(rb"^--([^\s][^\r\n]{0,69}?)[ \t]*\r?$", re.MULTILINE)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


class MimePart(NamedTuple):
    """One leaf: its type, how it is encoded, and where its bytes are in the raw message."""

    kind: str  # "text/plain", lower case
    parameters: dict[str, str]
    encoding: str  # Content-Transfer-Encoding, lower case, "" if absent
    attached: bool  # it has a file name or is said to be an attachment
    start: int
    end: int
    name: str = ""  # its file name as written


class _Description(NamedTuple):
    """What the header of an entity says of its body."""

    kind: str
    parameters: dict[str, str]
    encoding: str
    attached: bool
    name: str


@dataclass(slots=True)
class _Walk:
    raw: bytes
    lines: int = _LINE_LIMIT
    leaves: list[MimePart] = field(default_factory=list)


def leaves(raw: bytes, fields: Fields, start: int) -> tuple[str, tuple[MimePart, ...]]:
    """The top Content-Type and all leaves of the body `raw[start:]`, in order."""
    walk = _Walk(raw)
    described = _described(fields, "text/plain")
    _visit(walk, described, start, len(raw), 0)
    return described.kind, tuple(walk.leaves)


def content(raw: bytes, part: MimePart, limit: int) -> bytes:
    """A part's bytes without its transfer encoding, from its first `limit` encoded bytes."""
    payload = raw[part.start : min(part.end, part.start + limit)]
    if part.encoding == "base64":
        head, padding, _ = payload.partition(b"=")
        digits = _NOT_BASE64.sub(b"", head)
        if not padding or len(digits) % 4 == 1:
            digits = digits[: len(digits) // 4 * 4]
        return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
    if part.encoding == "quoted-printable":
        return binascii.a2b_qp(payload)
    return payload


def text(raw: bytes, part: MimePart, limit: int) -> str:
    """A text part as text; a byte that the charset doesn't have becomes U+FFFD."""
    octets = content(raw, part, limit)
    name = codec(part.parameters.get("charset", "")) or "utf-8"
    if octets.isascii() and name not in ESCAPED:
        return octets.decode("ascii")
    decoded = decode(octets, name)
    if "\ufffd" in decoded:
        for guess in ("utf-8", "cp1252"):
            better = decode(octets, guess)
            if better.count("\ufffd") < decoded.count("\ufffd"):
                decoded = better
    return decoded


def _visit(walk: _Walk, described: _Description, start: int, end: int, depth: int) -> None:
    """Add the leaves of one entity, whose body is `raw[start:end]`."""
    kind, parameters, encoding, attached, name = described
    if kind.startswith("multipart/") and depth < DEPTH_LIMIT:
        boundary = _boundary(walk.raw, parameters.get("boundary", ""), start, end)
        if boundary:
            inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            for begin, stop in _sections(walk, boundary, start, end):
                if len(walk.leaves) >= PART_LIMIT:
                    break
                body = body_start(walk.raw, begin, stop)
                block = walk.raw[begin : min(body, begin + _PART_HEADER_LIMIT)]
                _visit(walk, _described_by(block, inner), body, stop, depth + 1)
            return
    walk.leaves.append(MimePart(kind, parameters, encoding, attached, start, end, name))


def _described_by(block: bytes, default: str) -> _Description:
    """What the header block of a part says of it."""
    usual = len(block) <= _USUAL_PART_HEADER
    return (_read_description if usual else _read_description.__wrapped__)(block, default)


@lru_cache(maxsize=256)  # most parts of most mails are described alike
def _read_description(block: bytes, default: str) -> _Description:
    return _described(scan(block), default)


def _described(fields: Fields, default: str) -> _Description:
    """What the fields of an entity say of its body, which is of type `default` without any."""
    kind, parameters = content_type(first(fields, "content-type"), default)
    disposition, more = content_type(first(fields, "content-disposition"), "")
    attached = disposition == "attachment" or (
        disposition != "inline"
        and any(name.startswith(("name", "filename")) for name in parameters | more)
    )
    encoding = first(fields, "content-transfer-encoding").partition(";")[0].strip(" \t\"'").lower()
    name = more.get("filename") or parameters.get("name") or ""
    return _Description(kind, parameters, encoding, attached, name)


def content_type(value: str, default: str) -> tuple[str, dict[str, str]]:
    """A Content-Type or Content-Disposition as lower-case kind and parameters (RFC 2045)."""
    return _content_type(value[:VALUE_LIMIT], default)


@lru_cache(maxsize=256)  # with a boundary that is each program's own, or none
def _content_type(value: str, default: str) -> tuple[str, dict[str, str]]:
    main, semicolon, _ = value.partition(";")
    match = _KIND.match(main)
    if default:
        kind = f"{match[1]}/{match[2]}".lower() if match else default
    else:
        kind = main.strip().lower()
    if not semicolon:
        return kind, {}
    parameters: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(value):
        parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or bare)
    return kind, parameters


def _boundary(raw: bytes, declared: str, start: int, end: int) -> bytes:
    """The boundary declared, else the one that the body plainly begins with, else b""."""
    if declared:
        return declared.encode("utf-8", "replace")
    match = _FIRST_BOUNDARY.search(raw, start, min(end, start + 1_000))
    return match[1] if match else b""


def _sections(walk: _Walk, boundary: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The ranges between the boundary lines; one that was never closed ends at `end`."""
    delimiter = b"--" + boundary
    begin = -1
    at = start
    while walk.lines > 0:
        found = walk.raw.find(delimiter, at, end)
        if found < 0:
            break
        walk.lines -= 1
        at = found + len(delimiter)
        rest = _REST_OF_BOUNDARY.match(walk.raw, at, end)
        if rest is None or (found > start and walk.raw[found - 1] not in b"\r\n"):
            continue
        if begin >= 0:
            yield begin, _without_break(walk.raw, begin, found)
        if rest[1]:
            return
        begin = at = rest.end()
    if begin >= 0:
        yield begin, end


def _without_break(raw: bytes, begin: int, end: int) -> int:
    """The line break before a boundary belongs to the boundary (RFC 2046 section 5.1.1)."""
    if end > begin and raw[end - 1 : end] == b"\n":
        end -= 1
    if end > begin and raw[end - 1 : end] == b"\r":
        end -= 1
    return end
