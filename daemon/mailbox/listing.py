r"""Which folders an account has, and in which of them what we sent lies.

A flag `\Sent` says what a server means, not what clients do: they file into folders of other names
too. So every folder counts that is flagged, named like one in some language, or, where all of these
are empty, found to hold mail from us. RFC 6154 (SPECIAL-USE), RFC 2342 (NAMESPACE).
"""

from collections.abc import Iterable, Sequence
from email.utils import parseaddr
from typing import Protocol

from daemon.errors import Problem, RetryLater
from daemon.log import event
from daemon.mailbox import folders as names
from daemon.mailbox.fetch_response import read_fetch
from daemon.mailbox.folders import FolderStatus, MailboxFolder
from daemon.mailbox.session import ImapSession

_MOST_LOOKED_INTO = 40  # folders
_MOST_LOSSES = 3  # lines lost over these folders
_SAMPLE = 20  # of a folder's last messages
_ENOUGH = 3  # of them at least …
_SHARE = 0.8  # … and this share from us make it a folder for sent mail


class Opener(Protocol):
    """What opens folders: the mailbox."""

    def status(self, names: Sequence[str]) -> dict[str, FolderStatus]:
        """The counters of folders."""

    def examine(self, name: str) -> FolderStatus:
        """Open a folder read-only."""

    def reconnect(self) -> None:
        """Log in anew after a lost line."""


def folders(session: ImapSession) -> tuple[MailboxFolder, ...]:
    """The folders that can be opened; raises RetryLater if there is none."""
    there: tuple[MailboxFolder, ...] = ()
    if "SPECIAL-USE" in session.capabilities:
        reply = session.attempt("LIST-EXTENDED", b'LIST "" "*" RETURN (SPECIAL-USE)')
        there = names.listed(reply.untagged) if reply else ()
        if reply and not any(one.name.upper() == "INBOX" for one in there):
            plain = _plain(session)
            if len(plain) > len(there):
                session.give_up("LIST-EXTENDED", f"lists {len(there)} of {len(plain)} folders")
                there = plain
    if not there:
        there = _plain(session)
    if not there:
        # There is always an INBOX (RFC 3501, 5.1): an empty list is a server in trouble.
        raise RetryLater("the server lists no folder at all", what=session.account.name)
    return there


def _plain(session: ImapSession) -> tuple[MailboxFolder, ...]:
    reply = session.ask(b'LIST "" "*"')
    if not reply.ok:
        raise session.refusal(reply.text)
    return names.listed(reply.untagged)


def sent(opener: Opener, session: ImapSession, there: Sequence[MailboxFolder]) -> tuple[str, ...]:
    """The names of the folders with what we sent: configured, flagged, named so, or found so."""
    if session.account.sent is not None:
        return session.account.sent
    ours, others = _namespaces(session, there)
    own = [one for one in there if not one.wire.startswith(others)] if others else list(there)
    found = names.sent_folders(own, ours)
    memory = session.ladder
    if not memory.looked_for_sent():
        memory.found_sent(_by_contents(opener, session, own, found))
    known = set(memory.sent)
    return tuple(one.name for one in own if one in found or one.name in known)


def _namespaces(
    session: ImapSession, there: Sequence[MailboxFolder]
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The prefixes of our folders and of those of others, where one for sent mail lies deep.

    What lies in other users' and shared folders was sent by others.
    """
    flagged = any("\\sent" in one.flags and not one.is_near_the_top() for one in there)
    named = any(names.is_named_sent(one) for one in there) and not names.sent_folders(there)
    if not (flagged or named):
        return (), ()
    reply = session.attempt("NAMESPACE", b"NAMESPACE")
    return names.namespaces(reply.untagged) if reply else ((), ())


def _by_contents(
    opener: Opener,
    session: ImapSession,
    own: Iterable[MailboxFolder],
    found: Sequence[MailboxFolder],
) -> list[str]:
    """Folders that hold mail from us, looked for where those found otherwise are all empty."""
    try:
        counted = opener.status([one.name for one in found])
        if any(status.messages for status in counted.values()):
            return []
        inboxes = {name.casefold() for name in session.account.inbox}
        candidates = [
            one
            for one in own
            if one not in found and names.may_hold_sent(one) and one.name.casefold() not in inboxes
        ]
        return _with_mail_from_us(opener, session, candidates[:_MOST_LOOKED_INTO])
    except Problem as problem:
        if session.connection.closed:
            raise
        event("mailbox.sent_not_looked_for", mailbox=session.account.name, reason=problem)
        return []


def _with_mail_from_us(
    opener: Opener, session: ImapSession, candidates: Iterable[MailboxFolder]
) -> list[str]:
    """Those whose last messages are from us; one that breaks the line is left out."""
    found: list[str] = []
    losses = 0
    for one in candidates:
        messages = opener.examine(one.name).messages
        try:
            if _is_from_us(session, messages):
                found.append(one.name)
        except RetryLater as problem:
            losses += 1
            if problem.after is not None or losses > _MOST_LOSSES:
                raise
            event(
                "mailbox.sent_not_looked_for",
                mailbox=session.account.name,
                folder=one.name,
                reason=problem,
            )
            opener.reconnect()
    return found


def _is_from_us(session: ImapSession, messages: int) -> bool:
    """Whether the last messages of the open folder are from us."""
    if messages < _ENOUGH:
        return False
    first = max(1, messages - _SAMPLE + 1)
    reply = session.ask(b"FETCH %d:%d (UID BODY.PEEK[HEADER.FIELDS (FROM)])" % (first, messages))
    headers = [(read_fetch(one) or {}).get(b"[HEADER]") for one in reply.untagged]
    specs = [
        parseaddr(one.partition(b":")[2].decode("latin-1").strip())[1]
        for one in headers
        if isinstance(one, bytes)
    ]
    ours = sum(session.account.is_us(spec) for spec in specs)
    return ours >= max(_ENOUGH, _SHARE * len(specs))
