"""Header lines and MIME parts as bytes, written by hand so that the odd ones can be odd on purpose.

The same arguments give the same bytes: boundaries come from the content, not from chance. Nothing
here knows what a mail means.
"""

import base64
import quopri
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from email.charset import BASE64, QP, Charset
from email.header import Header
from html import escape

from daemon.sandbox.company.facts import Party

SPECIALS = frozenset('()<>[]:;@\\,."')


@dataclass(frozen=True, slots=True)
class Part:
    """One MIME entity: its Content-* header lines without line ends, and its encoded body."""

    headers: tuple[str, ...]
    body: bytes


def crlf(data: bytes) -> bytes:
    """The same lines, each ended by CR LF."""
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def words(text: str, charset: str = "utf-8", *, q: bool | None = None) -> str:
    """Header text as it travels: ASCII as it is, else RFC 2047 words (`q` picks the encoding)."""
    if text.isascii():
        return text
    coded = Charset(charset)
    if q is not None:
        coded.header_encoding = QP if q else BASE64
    return Header(text, coded, maxlinelen=70).encode(linesep="\r\n")


def fold(name: str, value: str, *, tab: bool = False) -> str:
    """One header, folded at spaces before column 78 (RFC 5322 section 2.1.1)."""
    line = f"{name}: {value}"
    if len(line) <= 78 or "\n" in line:  # noqa: PLR2004 - the limit that the RFC recommends
        return line
    lines, current = [], f"{name}:"
    for word in value.split(" "):
        if len(current) + 1 + len(word) > 78 and current.strip():  # noqa: PLR2004 - the same
            lines.append(current)
            current = ("\t" if tab else " ") + word
        else:
            current += " " + word
    return "\r\n".join([*lines, current])


def mailbox(party: Party, charset: str = "utf-8", *, raw: bool = False) -> str:
    """One address as a header shows it; `raw` leaves the name unencoded, as old software does."""
    if not party.name:
        return party.address
    name = party.name
    if raw:
        return f"{name} <{party.address}>"
    if not name.isascii():
        return f"{words(name, charset)} <{party.address}>"
    if SPECIALS & set(name):
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{party.address}>'
    return f"{name} <{party.address}>"


def mailboxes(parties: Sequence[Party], charset: str = "utf-8") -> str:
    """An address list for To or Cc."""
    return ", ".join(mailbox(party, charset) for party in parties)


def part(kind: str, data: bytes, encoding: str = "7bit", *more: str) -> Part:
    """One leaf: a Content-Type value, its data in that transfer encoding, further header lines."""
    if encoding == "base64":
        body = crlf(base64.encodebytes(data))
    elif encoding == "quoted-printable":
        body = crlf(quopri.encodestring(data.replace(b"\r\n", b"\n")))
    else:
        body = crlf(data)
    return Part((f"Content-Type: {kind}", f"Content-Transfer-Encoding: {encoding}", *more), body)


def multipart(subtype: str, parts: Sequence[Part], params: str = "") -> Part:
    """The parts in one container, its boundary drawn from what it holds."""
    inner = b"".join(p.body for p in parts)
    boundary = f"=_{zlib.crc32(inner):08x}{len(inner):x}"
    chunks = [
        f"--{boundary}\r\n".encode() + "\r\n".join(p.headers).encode() + b"\r\n\r\n" + p.body
        for p in parts
    ]
    body = b"\r\n".join(chunks) + f"\r\n--{boundary}--\r\n".encode()
    return Part((f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"{params}',), body)


def plain(text: str, charset: str = "utf-8", encoding: str = "8bit") -> Part:
    """A text/plain leaf."""
    return part(f"text/plain; charset={charset}", text.encode(charset), encoding)


def html(text: str, charset: str = "utf-8", encoding: str = "quoted-printable") -> Part:
    """A text/html leaf that shows the same lines, with the styles and pixels of real mail."""
    lines = "<br>\n".join(escape(line) for line in text.splitlines())
    page = (
        f'<html><head><meta charset="{charset}"><style>p {{ margin: 0 }}</style></head>\n'
        f'<body><p style="font-family: sans-serif">{lines}</p></body></html>\n'
    )
    return part(f"text/html; charset={charset}", page.encode(charset), encoding)


def noise(seed: int, size: int) -> bytes:
    """Bytes that don't compress and are the same each time, for attachments."""
    out, state = bytearray(), seed & 0xFFFFFFFF
    while len(out) < size:
        state = zlib.crc32(state.to_bytes(4, "big"), state)
        out += state.to_bytes(4, "big")
    return bytes(out[:size])


def attachment(name: str, kind: str, data: bytes) -> Part:
    """A file, base64, with its name."""
    return part(
        f'{kind}; name="{name}"',
        data,
        "base64",
        f'Content-Disposition: attachment; filename="{name}"',
    )


def body(form: str, text: str, charset: str = "utf-8") -> Part:  # noqa: PLR0911 - one line a form
    """The text in one of the shapes that mail clients give it, by the name of the shape."""
    size = len(text)
    match form:
        case "quoted-printable" | "base64":
            return plain(text, charset, form)
        case "flowed":
            kind = f"text/plain; charset={charset}; format=flowed; delsp=no"
            return part(kind, text.encode(charset), "8bit")
        case "html":
            return html(text, charset)
        case "alternative":
            return multipart("alternative", [plain(text, charset), html(text, charset)])
        case "inline":
            image = part(
                'image/png; name="logo.png"',
                noise(size, 900),
                "base64",
                "Content-ID: <logo@larkfield>",
                'Content-Disposition: inline; filename="logo.png"',
            )
            related = multipart("related", [html(text, charset), image], ';\r\n type="text/html"')
            return multipart("alternative", [plain(text, charset), related])
        case "attached":
            pdf = attachment("offer.pdf", "application/pdf", b"%PDF-1.4\n" + noise(size, 1500))
            return multipart("mixed", [plain(text, charset), pdf])
        case "signed":
            seal = attachment("smime.p7s", "application/pkcs7-signature", noise(size, 1200))
            params = ';\r\n protocol="application/pkcs7-signature"; micalg=sha-256'
            return multipart("signed", [plain(text, charset, "quoted-printable"), seal], params)
        case _:
            return plain(text, charset)


def message(headers: Sequence[str], content: Part, charset: str = "utf-8") -> bytes:
    """The whole mail with CRLF line ends; `charset` is for headers that carry raw 8-bit text."""
    lines = "\r\n".join([*headers, "MIME-Version: 1.0", *content.headers])
    return lines.encode(charset) + b"\r\n\r\n" + content.body
