"""Every key of the configuration file, with its default: one frozen model per section.

Rules between keys stand at the later of the two, so that one run names all problems of a file,
not only those of the first section that fails. The commented `config.yaml` lists the same keys;
a test compares the two.
"""

from datetime import timedelta
from pathlib import Path
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
)

from daemon.config.logins import OAuthSection
from daemon.config.mailboxes import MailboxSection
from daemon.config.section import CHECKED, Section, one_of
from daemon.config.values import (
    Address,
    Command,
    Count,
    Country,
    Domain,
    Duration,
    DurationOrOff,
    FilePath,
    Flag,
    Loopback,
    Part,
    Pause,
    SecretReference,
    Share,
    SnippetLength,
    Subdomain,
    Text,
    Threshold,
    Url,
    Zone,
)

# As `daemon.rules.events` has them: the configuration knows no rules.
EventKind = Literal[
    "lead_created",
    "deal_created",
    "lead_converted",
    "first_reply",
    "follow_up_due",
    "needs_person",
]


class PipedriveSection(Section):
    """The Pipedrive company that is kept in agreement, and what its plan allows."""

    base_url: Url | None = None
    company: Subdomain | None = CHECKED
    token: SecretReference
    plan: Literal["lite", "growth", "premium", "ultimate"] = "lite"
    seats: Count = 1
    daily_share: Share = 1.0
    reserve: Part = 0.2
    pipeline: Text | None = None
    stage: Text = "Initial Contact"
    refresh: Duration = timedelta(minutes=2)

    @field_validator("company")
    @classmethod
    def _one_place(cls, company: str | None, info: ValidationInfo) -> str | None:
        one_of("company", company, "base_url", info)
        return company

    @property
    def url(self) -> str:
        """The address of the API, without a slash at its end."""
        return self.base_url or f"https://{self.company}.pipedrive.com"


class LabelsSection(Section):
    """Names of labels, by the kind of record that gets them."""

    lead: tuple[Text, ...] = ()
    deal: tuple[Text, ...] = ()
    person: tuple[Text, ...] = ()


class RouteSection(Section):
    """Where records of some senders go instead: every condition that is given must hold."""

    name: Text
    mailbox: tuple[Text, ...] = ()
    recipient: tuple[Address, ...] = ()
    domain: tuple[Domain, ...] = ()
    country: tuple[Country, ...] = ()
    source: tuple[Literal["direct", "form", "forward", "group"], ...] = ()
    pipeline: Text | None = None
    stage: Text | None = CHECKED
    owner: tuple[Address, ...] = ()
    channel_id: Text | None = None
    labels: LabelsSection = LabelsSection()

    @field_validator("stage")
    @classmethod
    def _whole_place(cls, stage: str | None, info: ValidationInfo) -> str | None:
        if stage is None and info.data.get("pipeline") is not None:
            raise ValueError("missing (the stage of that pipeline)")
        return stage


class EngagementSection(Section):
    """When a sender becomes a lead or a person with a deal, and which mails count at all."""

    deal_at_messages: Threshold = 5
    deal_at_replies: Threshold = 1
    deal_at_meetings: Threshold = 1
    promote_at_messages: Threshold = 10
    promote_at_replies: Threshold = 1
    promote_at_meetings: Threshold = 1
    count: Literal["received", "exchanged"] = "received"
    roles: Literal["person", "after_reply", "never"] = "person"
    reopen: Flag = False
    max_recipients: Count = 10


class DealsSection(Section):
    """What has one deal, who takes part in it, and which closed deals still get mail."""

    per: Literal["person", "conversation", "organization"] = "person"
    participants: Flag = True
    mail_after_close: Literal["never", "won", "always"] = "never"


class PeopleSection(Section):
    """Who else gets a person (those in To or Cc), and whether one may have several addresses."""

    cc: Literal[False, "contacts", "all"] = False
    join: Flag = True


class UsSection(Section):
    """Who we are, beside the addresses of the mailboxes themselves."""

    domains: tuple[Domain, ...] = ()
    addresses: tuple[Address, ...] = ()
    authserv_id: Text | None = None


class ClassifySection(Section):
    """A command of yours that says whether a first mail is a person's, a machine's or a pitch."""

    command: tuple[Text, ...] = ()


class IgnoreSection(Section):
    """Outside addresses and domains that never count; changes to the list of public providers."""

    addresses: tuple[Address, ...] = ()
    domains: tuple[Domain, ...] = ()
    freemail_extra: tuple[Domain, ...] = ()
    freemail_never: tuple[Domain, ...] = ()


class RelaySection(Section):
    """One relay: whose mail it is by a pattern of its From, and where the author stands."""

    sender: Text
    author: Literal["reply-to", "body", "from", "nobody"]

    @field_validator("sender")
    @classmethod
    def _is_pattern(cls, sender: str) -> str:
        if "@" not in sender:
            raise ValueError("must be an address, or a pattern of addresses such as *@example.com")
        return sender.lower()


class SourcesSection(Section):
    """Where else than in From an author is looked for, and what is kept of what mails say."""

    forms: Flag = True
    forwards: Flag = True
    groups: Flag = True
    facts: Flag = True
    relays: tuple[RelaySection, ...] = ()


class ActivitiesSection(Section):
    """Which activities are made; `snippet_chars` 0 keeps no text of a mail at all."""

    emails: Flag = True
    meetings: Flag = True
    snippet_chars: SnippetLength = 500
    follow_up: DurationOrOff = None


class BouncesSection(Section):
    """What is written to a person to whom delivery of our mail failed permanently."""

    label: Text | None = None
    marketing: Flag = False
    note: Flag = False


class PollSection(Section):
    """How often mailboxes are polled, spread by `jitter`, and how many connections a host gets."""

    every: Duration = timedelta(seconds=60)
    jitter: Pause = timedelta(seconds=5)
    idle: Flag = True
    connections_per_host: Count = 100


class FieldsSection(Section):
    """How often fields of one person are updated, and whether our response time is one of them."""

    every: Duration = timedelta(hours=6)
    our_response_hours: Flag = False


class SafetySection(Section):
    """The most records that one run creates before it asks a person."""

    max_creates: Count = 500


class EventsSection(Section):
    """Who is told what happened, by an HTTP request or by a command that reads it on its input."""

    name: Text
    command: Command | None = None
    url: Url | None = CHECKED
    secret: SecretReference | None = None
    format: Literal["json", "slack"] = "json"
    kinds: tuple[EventKind, ...] = get_args(EventKind)
    text: Flag = False

    @field_validator("url")
    @classmethod
    def _one_way(cls, url: str | None, info: ValidationInfo) -> str | None:
        one_of("url", url, "command", info)
        return url


class LogSection(Section):
    """How log lines look, `text` for people and the journal, `json` for programs, and how many."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(Section):
    """The whole configuration."""

    logins: dict[Text, OAuthSection] = Field(default_factory=dict, validate_default=True)
    mailboxes: tuple[MailboxSection, ...]
    pipedrive: PipedriveSection
    routes: tuple[RouteSection, ...] = ()
    engagement: EngagementSection = EngagementSection()
    deals: DealsSection = DealsSection()
    people: PeopleSection = PeopleSection()
    us: UsSection = UsSection()
    ignore: IgnoreSection = IgnoreSection()
    classify: ClassifySection = ClassifySection()
    sources: SourcesSection = SourcesSection()
    activities: ActivitiesSection = ActivitiesSection()
    bounces: BouncesSection = BouncesSection()
    poll: PollSection = PollSection()
    fields: FieldsSection = FieldsSection()
    safety: SafetySection = SafetySection()
    events: tuple[EventsSection, ...] = ()
    log: LogSection = LogSection()
    timezone: Zone = ZoneInfo("UTC")
    metrics: Loopback | None = None
    ledger: FilePath = Path("/var/lib/mail2deal/ledger.db")

    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @field_validator("logins")
    @classmethod
    def _for_mailboxes(
        cls, logins: dict[str, OAuthSection], info: ValidationInfo
    ) -> dict[str, OAuthSection]:
        if info.context is not None:
            info.context["logins"] = logins  # mailboxes, checked next, name them
        return logins

    @field_validator("mailboxes")
    @classmethod
    def _some_mailbox(cls, mailboxes: tuple[MailboxSection, ...]) -> tuple[MailboxSection, ...]:
        if not mailboxes:
            raise ValueError("must list at least one mailbox")
        return mailboxes

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works but shouldn't stay so, each `path: what is wrong`."""
        return self._warnings

    def with_warnings(self, warnings: tuple[str, ...]) -> "Config":
        """Return the same configuration with these warnings."""
        copy = self.model_copy()
        copy._warnings = warnings  # noqa: SLF001 -- our own copy, before anybody else sees it
        return copy
