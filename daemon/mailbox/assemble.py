"""Header fields and a few parts, put together as one small message that says what the mail says.

Pure. The result has the shape of the original (every part's type, in its place) but only the
bodies that were fetched, so the same parser reads it and finds the same facts. It is not the mail:
attachments are empty, long texts end early, fields that nobody reads are gone.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from daemon.mailbox.structure import BodyPart, Parameters
from daemon.message import mime
from daemon.message.body import says_nothing

# Behind the end of the line before, which is far quicker to find than the beginning of one.
_STRUCTURE_FIELDS = re.compile(
    rb"\n(?:content-(?:type|transfer-encoding|disposition)|mime-version)[ \t]*:"
    rb"[^\n]*(?:\n[ \t][^\n]*)*",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+", re.IGNORECASE)
# So many bytes at the beginning without a sign of quote or signature are somebody's own words.
_OWN_WORDS = 200
_QUOTING = re.compile(rb"[>:@|]|--|__")
_UNQUOTABLE = re.compile(r"[^\x20-\x7e]")
_PADDING = re.compile(rb"[^A-Za-z0-9+/=]")


def assemble(header: bytes, root: BodyPart, bodies: Mapping[str, bytes]) -> bytes:
    """The small message: `header` fields, then the parts of `root` with the fetched `bodies`.

    `bodies` maps sections to contents as transferred, still encoded.
    """
    fields = header.rstrip(b"\r\n") + b"\r\n" if header.strip() else b""
    if root.type != "multipart":
        return fields + b"\r\n" + bodies.get(root.section, b"")
    fields = _STRUCTURE_FIELDS.sub(b"", b"\n" + fields)[1:]
    return fields + b"MIME-Version: 1.0\r\n" + _render(root, bodies, "m2d")


def whole_lines(body: bytes, encoding: str, *, limit: int) -> bytes:
    """A body as it came, or, if it was cut at `limit`, cut again where its encoding can bear it."""
    if len(body) < limit:
        return body
    end = body.rfind(b"\n")
    if end > limit // 2:
        return body[: end + 1]
    if encoding == "base64":
        letters = _PADDING.sub(b"", body)
        return letters[: len(letters) // 4 * 4]
    if encoding == "quoted-printable" and b"=" in body[-2:]:
        return body[: body.rindex(b"=")]
    return body


def is_silent(part: BodyPart, body: bytes) -> bool:
    """Whether the reader of a plain text will find no words in it, and take the HTML beside it."""
    head = body[:_OWN_WORDS]
    if len(head) == _OWN_WORDS and part.encoding != "base64" and not _QUOTING.search(head):
        return False
    kind, parameters = part.media, dict(part.parameters)
    whole = mime.MimePart(kind, parameters, part.encoding, attached=False, start=0, end=len(body))
    return says_nothing(mime.text(body, whole, len(body)))


def _render(part: BodyPart, bodies: Mapping[str, bytes], boundary: str) -> bytes:
    """One part with its own header; multiparts get boundaries of ours, unlike any line in it."""
    if part.type != "multipart":
        fields = _header(
            part.type,
            part.subtype,
            part.parameters,
            part.encoding,
            part.disposition,
            part.disposition_parameters,
        )
        return fields + bodies.get(part.section, b"") + b"\r\n"
    while any(boundary.encode() in body for body in bodies.values()):
        boundary += "x"
    parameters = tuple(one for one in part.parameters if one[0] != "boundary")
    line = b"--" + boundary.encode()
    text = _header(part.type, part.subtype, (*parameters, ("boundary", boundary)))
    for number, child in enumerate(part.children):
        text += line + b"\r\n" + _render(child, bodies, f"{boundary}.{number}")
    return text + line + b"--\r\n"


@lru_cache(maxsize=512)  # most parts of most mails are described alike
def _header(
    kind: str,
    subtype: str,
    parameters: Parameters,
    encoding: str = "",
    disposition: str = "",
    disposition_parameters: Parameters = (),
) -> bytes:
    lines = [f"Content-Type: {_token(kind)}/{_token(subtype)}{_joined(parameters)}"]
    if encoding:
        lines.append(f"Content-Transfer-Encoding: {_token(encoding)}")
    if disposition:
        lines.append(f"Content-Disposition: {_token(disposition)}{_joined(disposition_parameters)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _joined(parameters: Parameters) -> str:
    return "".join(
        f";\r\n {name}={_quoted(value)}" for name, value in parameters if _TOKEN.fullmatch(name)
    )


def _token(text: str) -> str:
    return text if _TOKEN.fullmatch(text) else "x-unknown"


def _quoted(value: str) -> str:
    value = _UNQUOTABLE.sub("_", value)[:500]
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
