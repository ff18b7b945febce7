"""What the generator knows about each mail, because it decided it before it wrote the bytes.

Nothing in here is ever derived from a rendered mail. So an oracle that computes from facts alone
is independent of every parser, ours included. Facts say nothing about verdicts, counts or classes:
those are for the oracle to work out.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Party:
    """One person or machine with an address, as it appears in one header.

    `address` is what the header shows (any case, any +tag, U-labels or A-labels); `key` is the
    address it all comes down to. `organization` is the registrable domain a CRM would file the
    party under, None for freemail and for our own people.
    """

    name: str
    address: str
    key: str
    organization: str | None = None


@dataclass(frozen=True, slots=True)
class InviteFacts:
    """One iTIP object (RFC 5546) that a mail carries; addresses are keys, times are UTC."""

    method: str
    uid: str
    sequence: int
    dtstamp: datetime
    organizer: str
    attendees: tuple[tuple[str, str], ...]
    starts_at: datetime
    ends_at: datetime
    summary: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is true of one distinct mail, however many folders hold a copy of it.

    `id` numbers the distinct mails of a scenario. `date` is what the Date header says in UTC, None
    where the header is absent or can't be read; `written_at` is when it was really written.
    `answers` are the Message-IDs it names: In-Reply-To, then References from last to first.
    `group_sender` is the outside author that a group of ours, or our web form, put into
    X-Original-Sender, X-Original-From or Reply-To; `own_list` says that a list of ours handed the
    mail on, so its list headers say nothing about who wrote it. `signals` are the machine
    headers it carries, in the words of the message contract (`list-id`, `auto-reply`, ...). `text`
    opens its readable body, "" where there is none. `thread` numbers its conversation.
    """

    id: int
    kind: str
    author: Party | None
    recipients: tuple[Party, ...]
    subject: str
    text: str
    written_at: datetime
    date: datetime | None
    message_id: str | None
    answers: tuple[str, ...]
    thread: int
    group_sender: Party | None = None
    signals: frozenset[str] = frozenset()
    invite: InviteFacts | None = None
    opaque: bool = False
    own_list: bool = False


@dataclass(frozen=True, slots=True)
class Mail:
    """One copy of a mail in one folder: CRLF bytes, and its INTERNALDATE in UTC."""

    folder: str
    raw: bytes
    internal_date: datetime
    facts: Facts
    mailbox: str = "sales"


@dataclass(frozen=True, slots=True)
class Office:
    """The company whose mailbox this is, as its configuration file would tell it.

    `alias` is an address outside `domains` that its owner also writes from; nobody configured it,
    so it has to be learned from Sent.
    """

    name: str
    domains: tuple[str, ...]
    owner: Party
    staff: tuple[Party, ...]
    group: Party
    alias: Party
    authserv_id: str
    ignored_addresses: tuple[str, ...]
    ignored_domains: tuple[str, ...]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The configured addresses of ours; the alias isn't one of them."""
        return (self.owner.key, self.group.key)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole correspondence: who we are, every copy of every mail by arrival, the folder roles."""

    office: Office
    mails: tuple[Mail, ...]
    roles: tuple[tuple[str, str], ...]
    now: datetime

    def folder(self, name: str, mailbox: str = "sales") -> tuple[Mail, ...]:
        """The copies in one folder, in the order in which they get their UIDs."""
        return tuple(m for m in self.mails if m.folder == name and m.mailbox == mailbox)

    def distinct(self) -> tuple[Facts, ...]:
        """The facts of each distinct mail once, by id."""
        return tuple(
            by_id for _, by_id in sorted({m.facts.id: m.facts for m in self.mails}.items())
        )
