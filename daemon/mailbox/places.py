"""What lies under given UIDs of the open folder: size, arrival, header or all of a message.

Small questions with small answers, one command after the other; `fetch` is for many messages.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from daemon.errors import Unreadable
from daemon.mailbox import imap_errors
from daemon.mailbox.connection import LARGE
from daemon.mailbox.cursor import batches, uid_set
from daemon.mailbox.fetch_response import Items, internal_date, number, read_fetch
from daemon.mailbox.session import ImapSession

_AT_ONCE = 250  # messages of one command, which stays below 4,000 bytes
# What `message.parse` makes a message key of.
_IDENTITY = b"BODY.PEEK[HEADER.FIELDS (MESSAGE-ID FROM SENDER DATE SUBJECT)]"


class Place(NamedTuple):
    """A message of a folder as the server counts it, without its content."""

    uid: int
    size: int | None
    internal_date: datetime | None
    header: bytes | None = None  # the fields that identify it, where they were asked for


def places(session: ImapSession, uids: Sequence[int], *, header: bool = False) -> Iterator[Place]:
    """Size and INTERNALDATE of these messages, as far as they are there; the header on demand."""
    asked = b"UID INTERNALDATE RFC822.SIZE" + (b" " + _IDENTITY if header else b"")
    for some in batches(uids, _AT_ONCE):
        line = b"UID FETCH %s (%s)" % (uid_set(some).encode(), asked)
        wanted = set(some)
        reply = session.ask(line)
        if not reply.ok and (not reply.untagged or imap_errors.asks_for_patience(reply.text)):
            raise session.refusal(reply.text)
        # NO with answers: one of them can't be had (RFC 2180, 4.1.3), which says nothing of others.
        for response in reply.untagged:
            items = read_fetch(response) or {}
            uid = number(items.get(b"UID"))
            if uid in wanted:
                yield _place(uid, items)


def _place(uid: int, items: Items) -> Place:
    size = number(items.get(b"RFC822.SIZE"))
    header = items.get(b"[HEADER]")
    arrived_at = internal_date(items.get(b"INTERNALDATE"))
    return Place(uid, size, arrived_at, header if isinstance(header, bytes) else None)


def newest(session: ImapSession, messages: int) -> datetime | None:
    """When the last of so many messages arrived; None without any. A refusal raises."""
    if not messages:
        return None
    reply = session.ask(b"FETCH %d (UID INTERNALDATE)" % messages)
    if not reply.ok and not reply.untagged:  # it can be opened, and not read
        raise session.refusal(reply.text)
    found = [read_fetch(one) or {} for one in reply.untagged]
    dates = [date for one in found if (date := internal_date(one.get(b"INTERNALDATE")))]
    return max(dates, default=None)


def raw(session: ImapSession, uid: int) -> bytes:
    """A whole message; raises Unreadable if it isn't there any more."""
    reply = session.command(b"UID FETCH %d (UID BODY.PEEK[])" % uid, keep=LARGE, most=LARGE)
    for response in reply.untagged:
        items = read_fetch(response) or {}
        body = items.get(b"[]")
        if items.get(b"UID") == b"%d" % uid and isinstance(body, bytes):
            return body
    raise Unreadable("not on the server any more", what=f"{session.account.name} UID {uid}")
