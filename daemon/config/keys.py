"""Every key of the configuration file, with its default: one frozen model per section.

Rules between keys stand at the later of the two, so that one run names all problems of a file,
not only those of the first section that fails. The commented `config.yaml` lists the same keys;
a test compares the two.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
)

from daemon.config.values import (
    Address,
    Command,
    Count,
    Country,
    Day,
    Domain,
    Duration,
    FilePath,
    Flag,
    Host,
    Loopback,
    Part,
    Pause,
    Port,
    SecretCommand,
    SecretReference,
    SentFolders,
    Share,
    SnippetLength,
    Subdomain,
    Text,
    Url,
    Zone,
    is_loopback,
)

# A key that may be absent, but not in every company: its validator sees the absence as None.
_CHECKED: Any = Field(default=None, validate_default=True)
_APPLICATION_KEYS = ("certificate", "service_account")  # each logs an application in, never a user
_SHARED_TENANTS = ("common", "organizations", "consumers")  # of users, not of one directory
_PORTS = {"implicit": 993, "starttls": 143, "none": 143}  # RFC 8314, RFC 9051


# As `daemon.rules.events` has them: the configuration knows no rules.
EventKind = Literal[
    "lead_created",
    "deal_created",
    "lead_converted",
    "first_reply",
    "follow_up_due",
    "needs_person",
]


class Section(BaseModel):
    """What all sections share: they can't be changed, and a key they don't know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FoldersSection(Section):
    """Which folders are read; `sent` None means that the Sent folder is found by itself."""

    inbox: tuple[Text, ...] = ("INBOX",)
    sent: SentFolders = None

    @field_validator("inbox")
    @classmethod
    def _some_folder(cls, inbox: tuple[str, ...]) -> tuple[str, ...]:
        if not inbox:
            raise ValueError("must name at least one folder")
        return inbox


class OAuthSection(Section):
    """An OAuth 2 login: a provider whose tokens we keep fresh, or a command that prints a token.

    `grant` says who is logged in: a user, once, by `mail2deal login`, or this application itself.
    """

    command: SecretCommand | None = None
    provider: Literal["google", "microsoft", "custom"] | None = _CHECKED
    certificate: SecretReference | None = None
    service_account: SecretReference | None = None
    client_secret: SecretReference | None = None
    client_id: Text | None = _CHECKED
    refresh_token: SecretReference | None = None
    tenant: Text = "common"
    cloud: Literal["global", "us", "us-dod", "china"] = "global"
    grant: Literal["user", "application"] | None = _CHECKED
    token_url: Url | None = _CHECKED
    device_url: Url | None = None
    authorize_url: Url | None = None
    scopes: tuple[Text, ...] = ()

    @field_validator("provider")
    @classmethod
    def _one_source(cls, provider: str | None, info: ValidationInfo) -> str | None:
        _one_of("provider", provider, "command", info)
        return provider

    @field_validator("client_id")
    @classmethod
    def _known_client(cls, client_id: str | None, info: ValidationInfo) -> str | None:
        named = info.data.get("provider") is not None
        if client_id is None and named and info.data.get("service_account") is None:
            raise ValueError("missing")
        return client_id

    @field_validator("certificate", "service_account")
    @classmethod
    def _of_its_provider(cls, key: Any, info: ValidationInfo) -> Any:
        whose = {"certificate": "microsoft", "service_account": "google"}[info.field_name or ""]
        provider = info.data.get("provider", whose)
        if key is not None and provider != whose:
            raise ValueError(f"is for provider {whose} only")
        return key

    @field_validator("grant")
    @classmethod
    def _who_logs_in(cls, grant: str | None, info: ValidationInfo) -> str | None:
        data = info.data
        if data.get("provider") not in {"google", "microsoft"}:
            return _refuse(grant == "application", grant, "application: google and microsoft only")
        keys = [key for key in _APPLICATION_KEYS if data.get(key) is not None]
        is_secret = data["provider"] == "microsoft" and data.get("client_secret") is not None
        known_tenant = data.get("tenant") not in _SHARED_TENANTS
        if grant is None:
            # A secret alone is an application's; with a refresh token somebody has logged in.
            alone = is_secret and known_tenant and data.get("refresh_token") is None
            grant = "application" if keys or alone else "user"
        if grant == "user":
            return _refuse(bool(keys), grant, f"user: {' and '.join(keys)} log no user in")
        if data["provider"] == "google":
            return _refuse(not keys, grant, "application: needs service_account")
        _refuse(not (keys or is_secret), grant, "application: needs client_secret or certificate")
        _refuse(bool(keys) and is_secret, grant, "client_secret and certificate: choose one")
        return _refuse(not known_tenant, grant, "application: tenant must name your directory")

    @field_validator("token_url")
    @classmethod
    def _known_endpoint(cls, token_url: str | None, info: ValidationInfo) -> str | None:
        if token_url is None and info.data.get("provider") == "custom":
            raise ValueError("missing")
        return token_url


def _named_login(value: Any, info: ValidationInfo) -> Any:
    """An `oauth` section itself, or the name of one under `logins`."""
    if not isinstance(value, str):
        return value
    logins: Mapping[str, OAuthSection] | None = (info.context or {}).get("logins")
    if logins is None:  # they failed their own check, and its problems are named already
        return None
    if value not in logins:
        there = ", ".join(logins) or "none"
        raise ValueError(f"no login is named {value} (under logins: {there})")
    return logins[value]


SharedLogin = Annotated[OAuthSection, BeforeValidator(_named_login)]


class MailboxSection(Section):
    """One IMAP account of ours."""

    name: Text
    host: Host
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    port: Port = _CHECKED
    ca_file: FilePath | None = None
    username: Text
    oauth: SharedLogin | None = None
    password: SecretReference | None = _CHECKED
    folders: FoldersSection = FoldersSection()
    since: Day | None = None
    owner: Text | None = None

    @field_validator("tls")
    @classmethod
    def _no_secret_in_the_clear(cls, tls: str, info: ValidationInfo) -> str:
        if tls == "none" and "host" in info.data and not is_loopback(info.data["host"]):
            raise ValueError("none is for this machine only: use implicit or starttls")
        return tls

    @field_validator("port", mode="before")
    @classmethod
    def _usual_port(cls, port: Any, info: ValidationInfo) -> Any:
        if port is None:
            return _PORTS[info.data.get("tls", "implicit")]
        return port

    @field_validator("password")
    @classmethod
    def _one_login(cls, password: Any, info: ValidationInfo) -> Any:
        _one_of("password", password, "oauth", info)
        return password


class PipedriveSection(Section):
    """The Pipedrive company that is kept in agreement, and what its plan allows."""

    base_url: Url | None = None
    company: Subdomain | None = _CHECKED
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
        _one_of("company", company, "base_url", info)
        return company

    @property
    def url(self) -> str:
        """The address of the API, without a slash at its end."""
        return self.base_url or f"https://{self.company}.pipedrive.com"


class RouteSection(Section):
    """Where records of some senders go instead: all conditions must hold, an empty one does."""

    name: Text
    mailbox: tuple[Text, ...] = ()
    recipient: tuple[Address, ...] = ()
    domain: tuple[Domain, ...] = ()
    country: tuple[Country, ...] = ()
    source: tuple[Literal["direct", "form", "forward", "group"], ...] = ()
    pipeline: Text | None = None
    stage: Text | None = _CHECKED
    owner: tuple[Address, ...] = ()
    channel_id: Text | None = None

    @field_validator("stage")
    @classmethod
    def _whole_place(cls, stage: str | None, info: ValidationInfo) -> str | None:
        if stage is None and info.data.get("pipeline") is not None:
            raise ValueError("missing (the stage of that pipeline)")
        return stage


class EngagementSection(Section):
    """When a sender becomes a lead or a person with a deal, and which mails count at all."""

    deal_at_messages: Count = 5
    deal_at_replies: Count = 1
    deal_at_meetings: Count = 1
    promote_at_messages: Count | Literal["never"] = 10
    promote_at_replies: Count | Literal["never"] = 1
    promote_at_meetings: Count | Literal["never"] = 1
    count: Literal["received", "exchanged"] = "received"
    roles: Literal["person", "after_reply", "never"] = "person"
    reopen: Flag = False
    max_recipients: Count = 10


class UsSection(Section):
    """Who we are, beside the addresses of the mailboxes themselves."""

    domains: tuple[Domain, ...] = ()
    addresses: tuple[Address, ...] = ()
    authserv_id: Text | None = None


class IgnoreSection(Section):
    """Outside addresses and domains that never count, and our say about public providers."""

    addresses: tuple[Address, ...] = ()
    domains: tuple[Domain, ...] = ()
    freemail_extra: tuple[Domain, ...] = ()
    freemail_never: tuple[Domain, ...] = ()


class ActivitiesSection(Section):
    """Which activities are made; `snippet_chars` 0 keeps no text of a mail at all."""

    emails: Flag = True
    meetings: Flag = True
    snippet_chars: SnippetLength = 500


class PollSection(Section):
    """How often a mailbox is looked at; `jitter` spreads many of them, a limit spares servers."""

    every: Duration = timedelta(seconds=60)
    jitter: Pause = timedelta(seconds=5)
    idle: Flag = True
    connections_per_host: Count = 100


class FieldsSection(Section):
    """How often the three fields of one person may be written."""

    every: Duration = timedelta(hours=6)


class SafetySection(Section):
    """The most records that one run creates before it asks a person."""

    max_creates: Count = 500


class EventsSection(Section):
    """Who is told what happened, by an HTTP request or by a command that reads it on its input."""

    name: Text
    command: Command | None = None
    url: Url | None = _CHECKED
    secret: SecretReference | None = None
    format: Literal["json", "slack"] = "json"
    kinds: tuple[EventKind, ...] = get_args(EventKind)
    text: Flag = False

    @field_validator("url")
    @classmethod
    def _one_way(cls, url: str | None, info: ValidationInfo) -> str | None:
        _one_of("url", url, "command", info)
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
    us: UsSection = UsSection()
    ignore: IgnoreSection = IgnoreSection()
    activities: ActivitiesSection = ActivitiesSection()
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


def _one_of(key: str, value: object, other: str, info: ValidationInfo) -> None:
    # A partner that failed its own check isn't in `data`: its problem is named already.
    if other not in info.data:
        return
    if value is None and info.data[other] is None:
        raise ValueError(f"missing ({key} or {other})")
    if value is not None and info.data[other] is not None:
        raise ValueError(f"can't stand beside {other}: choose one")


def _refuse(wrong: bool, value: str | None, why: str) -> str | None:
    if wrong:
        raise ValueError(why)
    return value
