"""A mail as it can be shown to others: the same mail with invented names, addresses and numbers.

Structure, programs, dates and words stay, so that it is judged as the original is. What isn't text
is left out. Pure and bounded; names that stand in no address and no signature aren't known as such,
so somebody has to look through it.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from email.errors import HeaderParseError
from email.header import Header, decode_header
from email.utils import getaddresses

from daemon.message import mime
from daemon.message.address import mailbox
from daemon.message.charset import ESCAPED, codec, decode
from daemon.message.fields import BLOCK_LIMIT, body_start, scan
from daemon.message.parse import Message
from daemon.message.pseudonyms import Pseudonyms

_TEXT_LIMIT = 262_144  # bytes of a text, encoded, as `parse` reads at most
_MAIL_LIMIT = 4 << 20  # bytes of a mail
_DEPTH_LIMIT = 3  # mails in mails
_ENCODED = re.compile(
    r"=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]{0,400}\?=(?:\s+=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]{0,400}\?=){0,40}"
)
_BOUNDARY = re.compile(
    r"boundary\s*=\s*(?:\"[^\"\r\n]{1,200}\"|[^;\s]{1,200})|^--[^\r\n]{1,74}",
    re.IGNORECASE | re.MULTILINE,
)
_ADDRESSES = (
    *("from", "to", "cc", "bcc", "reply-to", "sender", "return-path"),
    *("x-original-from", "x-original-sender"),
)
_SPEC = re.compile(r"[^\s<>()\[\],;:\\\"@=]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_LINK = re.compile(r"(?:https?://|\bwww\.)((?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24})", re.IGNORECASE)
_CALENDAR_NAME = re.compile(r"CN=(?:\"([^\"\r\n]{1,200})\"|([^;:\r\n]{1,200}))", re.IGNORECASE)
_NAMED_FACTS = {"name", "company"}


def learn(names: Pseudonyms, raw: bytes, message: Message) -> None:
    """Have everybody replaced whom a mail names; `message` is what `parse` makes of it."""
    fields = scan(raw[: min(body_start(raw, 0, len(raw)), BLOCK_LIMIT)])
    listed = [value[:65_536] for name in _ADDRESSES for value in fields.get(name, ())]
    for name, spec in getaddresses([_decoded(value) for value in listed]):
        if (who := mailbox(name, spec)) is not None:
            names.learn(who)
    people = (message.from_, *message.to, *(one.address for one in message.candidates))
    for known in people:
        if known is not None:
            names.learn(known)
    for fact in message.facts:
        if fact.kind in _NAMED_FACTS:
            names.learn_name(fact.value)
    _learn_texts(names, _texts(raw, 0))


def disguised(names: Pseudonyms, raw: bytes) -> bytes:
    """The mail with everything replaced that was learned."""
    return _disguised(names, raw[:_MAIL_LIMIT], 0)


def _learn_texts(names: Pseudonyms, texts: Iterable[str]) -> None:
    for text in texts:
        for spec in _SPEC.findall(text):
            if (who := mailbox("", spec)) is not None:
                names.learn(who)
        for host in _LINK.findall(text):
            names.learn_domain(host)
        for quoted, bare in _CALENDAR_NAME.findall(text):
            names.learn_name(quoted or bare)


def _texts(raw: bytes, depth: int) -> Iterable[str]:
    """What a mail says in text parts, and in mails that are attached to it."""
    for leaf in _leaves(raw):
        if _is_text(leaf):
            yield _text(raw, leaf)[0]
        elif _is_mail(leaf) and depth < _DEPTH_LIMIT:
            inner = mime.content(raw, leaf, _MAIL_LIMIT)
            yield _decoded(_characters(inner[: body_start(inner, 0, len(inner))])[0])
            yield from _texts(inner, depth + 1)


def _leaves(raw: bytes) -> list[mime.MimePart]:
    start = body_start(raw, 0, len(raw))
    _, found = mime.leaves(raw, scan(raw[: min(start, BLOCK_LIMIT)]), start)
    return sorted(found, key=lambda leaf: leaf.start)


def _disguised(names: Pseudonyms, raw: bytes, depth: int) -> bytes:
    parts, at = [], 0
    for leaf in _leaves(raw):
        parts.append(_header(names, raw[at : leaf.start]))
        parts.append(_part(names, raw, leaf, depth))
        at = leaf.end
    parts.append(_header(names, raw[at:]))
    return b"".join(parts)


def _header(names: Pseudonyms, octets: bytes) -> bytes:
    """Headers and what stands between parts; boundaries have to stay as they are."""
    text, name = _characters(octets)
    text = _ENCODED.sub(lambda found: _encoded(names, found[0]), text)
    pieces, at = [], 0
    for found in _BOUNDARY.finditer(text):
        pieces += [names.in_text(text[at : found.start()]), found[0]]
        at = found.end()
    pieces.append(names.in_text(text[at:]))
    return "".join(pieces).encode(name, "replace")


def _part(names: Pseudonyms, raw: bytes, leaf: mime.MimePart, depth: int) -> bytes:
    if _is_mail(leaf) and depth < _DEPTH_LIMIT:
        inner = mime.content(raw, leaf, _MAIL_LIMIT)
        return _transferred(_disguised(names, inner, depth + 1), leaf)
    if not _is_text(leaf):
        return b""
    text, name = _text(raw, leaf)
    return _transferred(names.in_text(text).encode(name, "replace"), leaf)


def _text(raw: bytes, leaf: mime.MimePart) -> tuple[str, str]:
    """The text of a part, and the codec that it is written in."""
    octets = mime.content(raw, leaf, _TEXT_LIMIT)
    name = codec(leaf.parameters.get("charset", "")) or "utf-8"
    if octets.isascii() and name not in ESCAPED:
        return octets.decode("ascii"), name
    text = decode(octets, name)
    return (text, name) if "\ufffd" not in text else (octets.decode("latin-1"), "latin-1")


def _transferred(octets: bytes, leaf: mime.MimePart) -> bytes:
    """In the transfer encoding that the part's header names."""
    if leaf.encoding == "base64":
        return base64.encodebytes(octets).replace(b"\n", b"\r\n")
    if leaf.encoding == "quoted-printable":
        return binascii.b2a_qp(octets.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return octets


def _is_text(leaf: mime.MimePart) -> bool:
    return leaf.kind.startswith("text/") or leaf.kind == "application/ics" or ".ics" in leaf.name


def _is_mail(leaf: mime.MimePart) -> bool:
    return leaf.kind == "message/rfc822" or leaf.name.lower().endswith(".eml")


def _characters(octets: bytes) -> tuple[str, str]:
    """Bytes of a header as text, and the codec that gives them back."""
    try:
        return octets.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return octets.decode("latin-1"), "latin-1"


def _encoded(names: Pseudonyms, words: str) -> str:
    """Encoded words (RFC 2047) with what they say replaced."""
    text = _decoded(words)
    other = names.in_text(text)
    return words if other == text else Header(other, "utf-8", maxlinelen=1_000).encode()


def _decoded(value: str) -> str:
    try:
        return "".join(
            part
            if isinstance(part, str)
            else part.decode(codec(charset or "") or "utf-8", "replace")
            for part, charset in decode_header(value)
        )
    except (HeaderParseError, UnicodeError, LookupError, ValueError):
        return value
