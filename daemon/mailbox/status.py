"""The counters of folders: without opening any, by LIST-STATUS (RFC 5819) or STATUS, or opened.

With CONDSTORE (RFC 7162) HIGHESTMODSEQ is among those of LIST-STATUS.
"""

import re
from collections.abc import Mapping

from daemon.errors import RetryLater
from daemon.mailbox import folders, imap_errors
from daemon.mailbox.connection import ImapReply, Response
from daemon.mailbox.folders import FolderStatus
from daemon.mailbox.ladder import LOST
from daemon.mailbox.session import ImapSession

_ITEMS = b"MESSAGES UIDNEXT UIDVALIDITY"
_EXISTS = re.compile(rb"\* (\d{1,18}) EXISTS", re.IGNORECASE)
_COUNTER = re.compile(rb"\* OK \[(UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ) (\d{1,18})\]", re.IGNORECASE)
_OBJECT_ID = re.compile(rb"\* OK \[MAILBOXID \(([A-Za-z0-9_-]{1,255})\)\]", re.IGNORECASE)
_AT_ONCE = 8  # STATUS commands on the wire

Counters = dict[bytes, dict[str, int]]  # by the folder's name on the wire, INBOX in capitals


def counters(session: ImapSession, wires: Mapping[str, bytes]) -> Counters:
    """What the server counts in these folders; one that it refuses is left out."""
    if wires and session.can("LIST-STATUS", "LIST-EXTENDED"):
        patterns = b" ".join(folders.quoted(wire) for wire in wires.values())
        line = b'LIST "" (%s) RETURN (STATUS (%s))'
        # First with what CONDSTORE adds: where that fails, it may be the reason.
        counted = session.attempt(
            "CONDSTORE",
            line % (patterns, _ITEMS + b" HIGHESTMODSEQ"),
            good=lambda said: bool(folders.statuses(said.untagged)),
        )
        reply = counted or session.attempt("LIST-STATUS", line % (patterns, _ITEMS))
        found = folders.statuses(reply.untagged) if reply is not None else {}
        left = [one for one in wires.values() if folders.canonical(one) not in found]
        if left and (also := _each(session, left)):
            # A folder may be gone; but one that STATUS counts should have been in that list.
            session.give_up("LIST-STATUS", "leaves folders out")
            found |= also
        return found
    return _each(session, list(wires.values()))


def opened(reply: ImapReply, name: str) -> FolderStatus:
    """The counters in the answer to EXAMINE."""
    numbers = {str(one[1].upper(), "ascii"): int(one[2]) for one in reply.matching(_COUNTER)}
    for found in reply.matching(_EXISTS):
        numbers["MESSAGES"] = int(found[1])  # the last one counts
    object_id = next((found[1].decode() for found in reply.matching(_OBJECT_ID)), None)
    return FolderStatus.of(name, numbers, object_id)


def _each(session: ImapSession, wires: list[bytes]) -> Counters:
    """STATUS one by one, a few on the wire at once where the server bears that."""
    found: Counters = {}
    passing: list[RetryLater] = []
    pipelining = not session.ladder.gave_up("PIPELINING") and len(wires) > 1
    at_once = _AT_ONCE if pipelining else 1
    for start in range(0, len(wires), at_once):
        untagged: list[Response] = []
        wire = session.wire
        lines = [
            b"STATUS %s (%s)" % (folders.quoted(one), _ITEMS)
            for one in wires[start : start + at_once]
        ]
        try:
            tags = [wire.send(line) for line in lines]
            answers = [wire.finish(tag, untagged.append) for tag in tags]
        except RetryLater as problem:
            if not pipelining or problem.after is not None or not untagged:
                raise
            session.give_up("PIPELINING", LOST)
            session.log_in()
            return _each(session, wires)
        if pipelining and not start and answers[0][0] and not any(ok for ok, _ in answers[1:]):
            session.give_up("PIPELINING", answers[1][1])
            return _each(session, wires)
        found |= folders.statuses(untagged)
        for refusal in [session.refusal(text) for ok, text in answers if not ok]:
            if session.connection.closed or imap_errors.asks_for_patience(refusal.message):
                raise refusal
            if isinstance(refusal, RetryLater):
                passing.append(refusal)
    if passing and not found:
        raise passing[0]  # the server's trouble; of one folder among others it is that folder's
    return found
