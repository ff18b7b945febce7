"""A mailbox in memory with verbs: mail arrives, is expunged, a folder gets a new UIDVALIDITY.

It answers like `daemon.mailbox.imap.Mailbox`, so thousands of passes take seconds. Letters are
real RFC 5322 bytes and go through the real parser.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Literal

from daemon.errors import ConfigProblem
from daemon.mailbox.imap import Account, Fetched, FolderRole, FolderStatus, Place, Unfetched

WE = "sales@ours.example"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def letter(
    sender: str,
    to: str,
    *,
    number: int,
    at: datetime,
    answers: int | None = None,
    subject: str = "Hello",
    text: str = "Could we talk about the offer?",
    calendar: bytes | None = None,
    extra: str = "",
) -> bytes:
    """One mail; `number` makes its Message-ID, `answers` the number of the mail it answers."""
    headers = (
        f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{number}@mail.example>\r\n"
        f"Date: {format_datetime(at)}\r\n{extra}MIME-Version: 1.0\r\n"
    )
    if answers is not None:
        headers += f"In-Reply-To: <{answers}@mail.example>\r\n"
    if calendar is None:
        return f"{headers}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n".encode()
    start = f'{headers}Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
    body = f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--b\r\n"
    return (
        (start + body + "Content-Type: text/calendar; charset=utf-8\r\n\r\n").encode()
        + calendar
        + b"\r\n--b--\r\n"
    )


def calendar(
    method: str,
    uid: str,
    *,
    organizer: str,
    attendee: str,
    partstat: str = "NEEDS-ACTION",
    sequence: int = 0,
    starts_at: datetime = START + timedelta(days=2),
) -> bytes:
    """An iTIP part: one event of an hour with one attendee."""
    form = "%Y%m%dT%H%M%SZ"
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:test",
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"SEQUENCE:{sequence}",
        f"DTSTAMP:{START + timedelta(hours=sequence):{form}}",
        f"DTSTART:{starts_at:{form}}",
        f"DTEND:{starts_at + timedelta(hours=1):{form}}",
        "SUMMARY:Kickoff",
        f"ORGANIZER:mailto:{organizer}",
        f"ATTENDEE;PARTSTAT={partstat}:mailto:{attendee}",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
    return "\r\n".join(lines).encode()


@dataclass
class Folder:
    """What lies in one folder, by UID."""

    role: Literal["inbox", "sent"]
    uidvalidity: int = 1
    uidnext: int = 1
    mails: dict[int, tuple[bytes, datetime]] = field(default_factory=dict)


class Postbox:
    """One account's folders; `connect` gives what intake takes for a Mailbox."""

    def __init__(self) -> None:
        self.folders: dict[str, Folder] = {"INBOX": Folder("inbox"), "Sent": Folder("sent")}
        self.withheld: set[tuple[str, int]] = set()  # what FETCH leaves out

    def deliver(self, folder: str, raw: bytes, at: datetime) -> int:
        """A mail arrives; its UID."""
        box = self.folders[folder]
        uid = box.uidnext
        box.mails[uid] = (raw, at)
        box.uidnext += 1
        return uid

    def expunge(self, folder: str, uid: int) -> None:
        """A mail is deleted for good."""
        self.folders[folder].mails.pop(uid, None)

    def reset(self, folder: str) -> None:
        """The server lost its index: all UIDs are new."""
        box = self.folders[folder]
        box.uidvalidity += 1
        box.mails = dict(enumerate(box.mails.values(), 1))
        box.uidnext = len(box.mails) + 1

    def move(self, folder: str, uid: int, target: str) -> None:
        """A person moves a mail to another folder."""
        found = self.folders[folder].mails.pop(uid, None)
        if found is not None:
            self.deliver(target, *found)

    def connect(self) -> "Line":
        """A connection."""
        return Line(self)


class Line:
    """The part of Mailbox that intake uses."""

    def __init__(self, box: Postbox) -> None:
        self._box = box
        self._open = ""
        self.closed = False
        self.account = Account("sales", "imap.example", WE)
        self.missing: dict[str, ConfigProblem] = {}

    def folders(self, *, max_age: object = None) -> tuple[FolderRole, ...]:  # noqa: ARG002 - as Mailbox
        return tuple(FolderRole(name, f.role) for name, f in self._box.folders.items())

    def status(self, names: Sequence[str]) -> dict[str, FolderStatus]:
        return {name: self._status(name) for name in names}

    def _status(self, name: str) -> FolderStatus:
        folder = self._box.folders[name]
        return FolderStatus(name, folder.uidvalidity, folder.uidnext, len(folder.mails))

    def examine(self, name: str) -> FolderStatus:
        self._open = name
        return self._status(name)

    def uids(self, *, since: date | None = None, first: int = 1) -> list[int]:
        mails = self._box.folders[self._open].mails
        return sorted(
            uid
            for uid, (_, at) in mails.items()
            if uid >= first and (since is None or at.date() >= since - timedelta(days=2))
        )

    def batches(self, uids: Sequence[int], **_: object) -> Sequence[int]:
        return uids

    def fetch(self, uids: Sequence[int], **_: bool) -> Iterator[Fetched | Unfetched]:
        mails = self._box.folders[self._open].mails
        for uid in uids:
            if uid not in mails or (self._open, uid) in self._box.withheld:
                yield Unfetched(uid, "not returned")
            else:
                raw, at = mails[uid]
                yield Fetched(uid, at, len(raw), raw, None)

    def places(self, uids: Sequence[int], *, header: bool = False) -> Iterator[Place]:
        mails = self._box.folders[self._open].mails
        for uid in uids:
            if uid in mails:
                raw, at = mails[uid]
                block = raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
                yield Place(uid, len(raw), at, block if header else None)

    def raw(self, uid: int) -> bytes:
        return self._box.folders[self._open].mails[uid][0]

    def close(self) -> None:
        self.closed = True
