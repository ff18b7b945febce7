"""Recipients to whom delivery failed permanently, by a delivery status notification (RFC 3464).

Pure. A recipient counts if its action is `failed` and its status of class 5 (RFC 3463): what was
delayed, relayed or delivered has not failed. Exim and Gmail also name them in X-Failed-Recipients.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from daemon.message import mime
from daemon.message.address import key_of
from daemon.message.fields import Fields, body_start, first, scan

READ_BYTES = 4 << 10  # of the status, and of the mail, or its header, that comes back
STATUS_KINDS = frozenset({"message/delivery-status", "message/global-delivery-status"})
RETURNED_KINDS = frozenset({"message/rfc822", "text/rfc822-headers", "message/global"})
_RECIPIENTS = 20
_PERMANENT = re.compile(r"\b5\.\d{1,3}\.\d{1,3}\b")
_BLANK = re.compile(r"\n[ \t]*\n")
_FIELD = re.compile(r"(?im)^([a-z-]{1,40})[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)")
_ADDRESS = re.compile(r"[^\s<>;,\"()]{1,255}@[^\s<>;,\"()]{1,255}")


class Bounced(NamedTuple):
    """One recipient (a sender key) and its status, such as 5.1.1."""

    address: str
    status: str


class Bounce(NamedTuple):
    """The recipients who weren't reached, and the Message-ID of the mail that comes back."""

    recipients: tuple[Bounced, ...]
    message_id: str


NO_BOUNCE = Bounce((), "")


def bounce(raw: bytes, fields: Fields, leaves: Sequence[mime.MimePart], text: str) -> Bounce:
    """What a notification says; `text` is its own words. NO_BOUNCE for what is none."""
    part = next((one for one in leaves if one.kind in STATUS_KINDS), None)
    if part is not None:
        found = _reported(mime.content(raw, part, READ_BYTES))
    else:
        found = _named(first(fields, "x-failed-recipients"), text)
    recipients = {one.address: one for one in found}
    if not recipients:
        return NO_BOUNCE
    returned = next((one for one in leaves if one.kind in RETURNED_KINDS), None)
    name = ""
    if returned is not None:
        block = mime.content(raw, returned, READ_BYTES)
        header = scan(block[: body_start(block, 0, len(block))])
        name = first(header, "message-id").strip().strip("<>").strip()
    return Bounce(tuple(recipients.values())[:_RECIPIENTS], name)


def _reported(octets: bytes) -> Iterator[Bounced]:
    """The recipients of a delivery status: groups of fields, the first the message's."""
    text = octets.decode("utf-8", "replace").replace("\r\n", "\n").strip()
    for group in _BLANK.split(text)[: 2 * _RECIPIENTS]:
        fields = {name.lower(): value for name, value in _FIELD.findall(group)}
        status = _PERMANENT.search(fields.get("status", ""))
        said = fields.get("original-recipient") or fields.get("final-recipient") or ""
        address = _address(said)
        failed = fields.get("action", "failed").strip().lower() == "failed"
        if status and failed and address:
            yield Bounced(address, status[0])


def _named(value: str, text: str) -> Iterator[Bounced]:
    status = _PERMANENT.search(text)
    for one in _ADDRESS.findall(value)[:_RECIPIENTS] if status else ():
        if status and (address := key_of(one)):
            yield Bounced(address, status[0])


def _address(value: str) -> str | None:
    """The sender key of `rfc822; ada@acme.example`, also as xtext (RFC 3461) leaves it."""
    found = _ADDRESS.search(value.partition(";")[2] or value)
    return key_of(found[0]) if found else None
