"""The UIDs of the open folder: by SEARCH, held against EXISTS; by FETCH where that is broken.

A server may find less than there is, find nothing, or name millions of UIDs for three messages.
None of that is believed: the UIDs are fetched then, which every server can do.
RFC 3501 section 6.4.4, RFC 4731 (ESEARCH).
"""

import re
from collections.abc import Callable
from datetime import date

from daemon.errors import Rejected, RetryLater
from daemon.mailbox import imap_errors
from daemon.mailbox.connection import ImapReply, Response
from daemon.mailbox.cursor import expand, search_from, windows
from daemon.mailbox.fetch_response import internal_date, number, read_fetch
from daemon.mailbox.folders import FolderStatus
from daemon.mailbox.session import ImapSession

SEARCH_WIDTH = 80_000  # UIDs of one answer: 10 digits and a blank each stay below a megabyte
_SLACK = 1000  # messages that may arrive between EXAMINE and the answer
_LINE = 64 << 10  # bytes that an answer may have beside its UIDs
_MONTHS = (*("Jan", "Feb", "Mar", "Apr", "May", "Jun"), *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"))
_SEARCH = re.compile(rb"\* SEARCH((?: +\d{1,10}\b)*)", re.IGNORECASE)
_ESEARCH = re.compile(rb"\* ESEARCH\b(?:.*? ALL ([\d:,]+))?", re.IGNORECASE)


class Search:
    """Finds UIDs in one open folder; `reopen` opens it again after a lost line."""

    def __init__(
        self, session: ImapSession, status: FolderStatus, reopen: Callable[[], FolderStatus]
    ) -> None:
        self._session = session
        self._messages = status.messages
        self._reopen = reopen

    def uids(self, *, since: date | None, first: int) -> list[int]:
        """UIDs from `first` on, in ascending order; with `since`, those that arrived then or later.

        A few of the two days before may be among them: servers compare by their own day.
        """
        if not self._messages:
            return []
        day = search_from(since)
        if not self._session.ladder.gave_up("SEARCH"):
            found = self._search(day, first)
            if found is not None:
                # `n:*` names the last message even if its UID is below n (RFC 3501, sequence-set).
                return sorted(uid for uid in found if uid >= first)
        return sorted(uid for uid in self._fetch(day, first) if uid >= first)

    def last(self) -> int | None:
        """The UID of the last message there is."""
        return max(self._fetch(None, 1, only_last=True), default=None) if self._messages else None

    def _search(self, day: date | None, first: int) -> set[int] | None:
        """What SEARCH finds; None if that can't be true."""
        criteria = [b"UID %d:*" % first] if first > 1 else []
        if day is not None:
            criteria.append(
                b"SINCE %d-%s-%d" % (day.day, _MONTHS[day.month - 1].encode(), day.year)
            )
        found: set[int] = set()
        for low, high in windows(self._messages, SEARCH_WIDTH):
            # A range of sequence numbers bounds the answer, however the UIDs are spread.
            every = self._messages <= SEARCH_WIDTH
            span = [] if every else [b"%d:%d" % (low, high)]
            some = self._ask(b" ".join(span + criteria) or b"ALL", high - low + 1)
            if some is None:
                return None
            found.update(some)
        missing = "" if len(found) <= self._messages + _SLACK else "finds more than there are"
        if first == 1 and day is None and len(found) < self._messages and not self._is_gone():
            missing = f"finds {len(found)} of {self._messages} messages"
        elif not missing and (not found or (first == 1 and day is not None)):
            last = self._last_of(day)
            if last is not None and last >= first and last not in found:
                missing = f"doesn't find UID {last}"
        if not missing:
            return found
        if self._session.can("ESEARCH"):
            self._session.give_up("ESEARCH", missing)
            return self._search(day, first)
        self._session.give_up("SEARCH", missing)
        return None

    def _is_gone(self) -> bool:
        """Whether messages were expunged since the folder was opened: then it is opened again."""
        before, self._messages = self._messages, self._reopen().messages
        return self._messages < before

    def _last_of(self, day: date | None) -> int | None:
        """The last message, if it arrived on that day or later."""
        return max(self._fetch(day, 1, only_last=True), default=None)

    def _ask(self, criteria: bytes, most: int, *, again: bool = False) -> set[int] | None:
        session = self._session
        size, limit = _LINE + 24 * (most + _SLACK), 2 * most + _SLACK
        try:
            reply = session.attempt(
                "ESEARCH",
                b"UID SEARCH RETURN (ALL) " + criteria,
                good=lambda one: _answers(one) and _found(one, limit=limit) is not None,
                most=size,
                reopen=self._reopen,
            )
            if reply is None:
                reply = session.ask(b"UID SEARCH " + criteria, most=size)
        except RetryLater as problem:
            if problem.after is not None or not session.connection.closed:
                raise
            session.log_in()
            self._reopen()
            if not again:  # lines are lost for many reasons
                return self._ask(criteria, most, again=True)
            session.give_up("SEARCH", problem.message)
            return None
        if not reply.ok:
            if imap_errors.asks_for_patience(reply.text):
                raise session.refusal(reply.text)
            session.give_up("SEARCH", reply.text)
            return None
        uids = _found(reply, limit=limit)
        if uids is None:
            session.give_up("SEARCH", "finds impossible UIDs")
        return uids

    def _fetch(self, day: date | None, first: int, *, only_last: bool = False) -> set[int]:
        """UIDs by FETCH, of messages that arrived on `day` or later."""
        what = b"(UID INTERNALDATE)" if day else b"(UID)"
        found: set[int] = set()
        impossible: list[object] = []

        def take(response: Response) -> None:
            items = read_fetch(response) or {}
            uid, arrived = number(items.get(b"UID")), internal_date(items.get(b"INTERNALDATE"))
            if not uid and b"UID" in items:
                impossible.append(items[b"UID"])
            early = arrived is not None and day is not None and arrived.date() < day
            if uid and uid >= first and not early:
                found.add(uid)

        low = self._messages if only_last else 1
        for start, end in windows(self._messages, SEARCH_WIDTH):
            if end < low:
                break
            span = b"%d:%d" % (max(start, low), end)
            wire = self._session.wire
            size = _LINE + 200 * (end - max(start, low) + 1 + _SLACK)
            ok, text = wire.finish(wire.send(b"FETCH %s %s" % (span, what)), take, most=size)
            if not ok and only_last:
                return set()
            if not ok:
                raise self._session.refusal(text)
        if impossible:
            raise Rejected(
                f"the server gives {len(impossible)} messages a UID that can't be",
                what=self._session.account.name,
            )
        if len(found) > self._messages + _SLACK:
            raise RetryLater(
                f"the server names {len(found)} UIDs for {self._messages} messages",
                what=self._session.account.name,
            )
        return found


def _answers(reply: ImapReply) -> bool:
    return bool(reply.matching(_ESEARCH) or reply.matching(_SEARCH))


def _found(reply: ImapReply, *, limit: int) -> set[int] | None:
    """The UIDs of a SEARCH or ESEARCH answer; some servers split it over several lines."""
    uids = {int(uid) for line in reply.matching(_SEARCH) for uid in line[1].split()}
    try:
        for line in reply.matching(_ESEARCH):
            if line[1]:
                uids.update(expand(line[1].decode("ascii"), limit=limit))
    except ValueError:
        return None
    return uids if len(uids) <= limit else None
