"""From the configuration to the edges: the one place that builds them and hands them down.

What only some commands need (HTTP, the sync, OAuth) is imported where it is built: reading mail
needs none of it, which is a third of the memory and of the start.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote

from daemon.config import Config, MailboxSection, OAuthSection
from daemon.errors import ConfigProblem, hide
from daemon.intake.states import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.mailbox.account import Account
from daemon.message.address import key_of
from daemon.message.parse import Address
from daemon.message.us import Source, Sources, Us
from daemon.pipedrive.usage import TokenUsage
from daemon.rules.case import STATISTICS, USUAL_STATISTICS, BounceMark, Policy
from daemon.rules.classify import Rules
from daemon.rules.deals import DealRules
from daemon.rules.events import Subscriber
from daemon.rules.organization import public_providers
from daemon.rules.routing import Route

if TYPE_CHECKING:
    from daemon.oauth.provider import Provider
    from daemon.oauth.tokens import Tokens
    from daemon.pipedrive.client import Client
    from daemon.pipedrive.read_only import ReadOnlyClient
    from daemon.sync import SafetyLimit, Session, SyncSettings

    C = TypeVar("C", bound=Client)

# Requests in flight that fill the plan's burst window at a latency of a few hundred milliseconds.
_PATIENCE = 15.0  # seconds that a person waits for a silent server
_WORKERS = {"lite": 6, "growth": 10, "premium": 20, "ultimate": 24}


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Wiring:
    """A configuration and what is built from it; `stop` ends every wait."""

    config: Config
    now: Callable[[], datetime] = utc_now
    stop: threading.Event = field(default_factory=threading.Event)
    usage: TokenUsage = field(default_factory=TokenUsage)
    accounts: dict[str, Account] = field(default_factory=dict)
    on_answer: Callable[[str, float], None] = lambda _kind, _seconds: None

    def mailboxes(self, only: str | None = None) -> list[MailboxSection]:
        """The configured mailboxes, or the one of that name; raises ConfigProblem without it."""
        chosen = [m for m in self.config.mailboxes if only in {None, m.name}]
        if not chosen:
            names = ", ".join(m.name for m in self.config.mailboxes)
            raise ConfigProblem(f"no mailbox is named {only!r}", hint=f"there are: {names}")
        return chosen

    def account(self, mailbox: MailboxSection) -> Account:
        """How to reach one mailbox; the same object each time, so that connections can be kept."""
        if mailbox.name not in self.accounts:
            self.accounts[mailbox.name] = Account(
                name=mailbox.name,
                host=mailbox.host,
                username=mailbox.username,
                password=mailbox.password.read if mailbox.password else None,
                token=self._token(mailbox) if mailbox.oauth else None,
                advice=self._advice(mailbox),
                port=mailbox.port,
                tls=mailbox.tls,
                ca_file=str(mailbox.ca_file) if mailbox.ca_file else None,
                inbox=mailbox.folders.inbox,
                sent=mailbox.folders.sent,
                is_us=self._is_us,
            )
        return self.accounts[mailbox.name]

    def tokens(self, mailbox: MailboxSection) -> "Tokens":
        """The OAuth 2 tokens of a mailbox; raises ConfigProblem where they aren't ours to keep."""
        from daemon.oauth.tokens import Tokens  # noqa: PLC0415 - see the module

        oauth = mailbox.oauth
        if oauth is None or oauth.provider is None:
            raise ConfigProblem(
                "has no oauth.provider", what=mailbox.name, hint="only such a mailbox needs a login"
            )
        # Beside the ledger: the one directory that the service may write.
        provider = _provider(mailbox.name, mailbox.username, oauth)
        directory = self.config.ledger.parent / "tokens"
        path = directory / f"{quote(provider.shared or mailbox.name, safe='')}.json"
        seed = oauth.refresh_token.read if oauth.refresh_token else None
        return Tokens(provider, path, seed=seed, now=self.now)

    def _advice(self, mailbox: MailboxSection) -> str:
        """What a person does where the server refuses a good token."""
        if mailbox.oauth is None or mailbox.oauth.provider is None:
            return ""
        return _provider(mailbox.name, mailbox.username, mailbox.oauth).refused_by_server

    def _token(self, mailbox: MailboxSection) -> Callable[[str | None], str]:
        if mailbox.oauth is not None and mailbox.oauth.command is not None:
            helper = mailbox.oauth.command
            return lambda _refused: helper.read()
        tokens = self.tokens(mailbox)
        return lambda refused: hide(tokens.access(refused))

    def floor(self, mailbox: MailboxSection) -> datetime | None:
        """Where a mailbox begins, if `since` says so."""
        return midnight(mailbox.since) if mailbox.since else None

    def reading(self) -> ScoringSettings:
        """How messages are read and counted."""
        config = self.config
        return ScoringSettings(
            us=self._us(),
            rules=self.rules(),
            public=public_providers(config.ignore.freemail_extra, config.ignore.freemail_never),
            count=config.engagement.count,
            snippet_chars=config.activities.snippet_chars,
            classify=config.classify.command,
            facts=config.sources.facts,
        )

    def rules(self) -> Rules:
        """The thresholds."""
        engagement = self.config.engagement
        return Rules(
            deal_at_messages=engagement.deal_at_messages,
            deal_at_replies=engagement.deal_at_replies,
            deal_at_meetings=engagement.deal_at_meetings,
            promote_at_messages=_or_never(engagement.promote_at_messages),
            promote_at_replies=_or_never(engagement.promote_at_replies),
            promote_at_meetings=_or_never(engagement.promote_at_meetings),
            reopen=engagement.reopen,
        )

    def client(self) -> "Client":
        """The API of the configured company."""
        from daemon.pipedrive.client import Client  # noqa: PLC0415 - see the module

        return self._client(Client)

    def reading_client(self) -> "ReadOnlyClient":
        """The same, for which every write is refused."""
        from daemon.pipedrive.read_only import ReadOnlyClient  # noqa: PLC0415 - see the module

        return self._client(ReadOnlyClient)

    def impatient_client(self) -> "ReadOnlyClient":
        """The same for a person who waits: a silent server costs 15 seconds, once."""
        from daemon.pipedrive.read_only import ImpatientClient  # noqa: PLC0415 - see the module

        return self._client(ImpatientClient, timeout=(_PATIENCE, _PATIENCE))

    def _client(self, kind: "type[C]", **more: Any) -> "C":
        pipedrive = self.config.pipedrive
        return kind(
            pipedrive.url,
            pipedrive.token.read,
            plan=pipedrive.plan,
            seats=pipedrive.seats,
            daily_share=pipedrive.daily_share,
            reserve=pipedrive.reserve,
            stop=self.stop,
            wall=self.now,
            on_usage=self.usage.add,
            on_answer=self.on_answer,
            **more,
        )

    def session(
        self,
        ledger: Ledger,
        run: int | None,
        progress: Callable[[str, int, int], None] = lambda *_: None,
        client: "Client | None" = None,
        *,
        workers: int | None = None,
        limit: "SafetyLimit | None" = None,
    ) -> "Session":
        """One sync over a ledger; today's tokens are those that the ledger knows to be spent."""
        from daemon.sync import Session  # noqa: PLC0415 - see the module

        client = client or self.client()
        today = self.now().date()
        client.budget.start(today, ledger.runs.spent(today.isoformat()))
        return Session(
            ledger=ledger,
            client=client,
            usage=self.usage,
            reading=self.reading(),
            settings=self._settings(workers),
            wall=self.now,
            run=run,
            limit=limit,
            stopping=self.stop.is_set,
            progress=progress,
        )

    def daily_tokens(self, ledger: Ledger) -> int:
        """API tokens that we may spend on one day: as the server last said, else by the plan."""
        from daemon.pipedrive.pacing import PLANS, share_of  # noqa: PLC0415 - see the module

        pipedrive = self.config.pipedrive
        said: int | None = ledger.setting("daily_tokens")
        if said is not None:
            return share_of(said, pipedrive.daily_share)
        return PLANS[pipedrive.plan].daily_tokens(pipedrive.seats, pipedrive.daily_share)

    def safety_limit(self) -> "SafetyLimit":
        """What may be done without a person's approval."""
        from daemon.sync import SafetyLimit  # noqa: PLC0415 - see the module

        return SafetyLimit(self.config.safety.max_creates)

    def _settings(self, workers: int | None) -> "SyncSettings":
        from daemon.sync import SyncSettings  # noqa: PLC0415 - see the module

        config = self.config
        return SyncSettings(
            policy=Policy(
                rules=self.rules(),
                fields_every=config.fields.every,
                zone=config.timezone,
                follow_up=config.activities.follow_up,
                bounce=BounceMark(**dict(config.bounces)),
                fields=STATISTICS if config.fields.our_response_hours else USUAL_STATISTICS,
            ),
            pipeline=config.pipedrive.pipeline,
            stage=config.pipedrive.stage,
            owners={m.name: m.owner for m in config.mailboxes if m.owner},
            refresh=config.pipedrive.refresh,
            emails=config.activities.emails,
            meetings=config.activities.meetings,
            routes=self.routes(),
            deals=self.deals(),
            in_copy=config.people.cc or None,
            subscribers=self.subscribers(),
            workers=workers or _WORKERS[config.pipedrive.plan],
        )

    def routes(self) -> tuple[Route, ...]:
        """Where the records of some senders go."""
        return tuple(
            Route(
                name=one.name,
                mailboxes=one.mailbox,
                recipients=tuple(Address("", address).key for address in one.recipient),
                domains=one.domain,
                countries=one.country,
                sources=one.source,
                pipeline=one.pipeline,
                stage=one.stage,
                owners=tuple(owner.lower() for owner in one.owner),
                channel_id=one.channel_id,
                labels={
                    "lead": one.labels.lead,
                    "deal": one.labels.deal,
                    "person": one.labels.person,
                },
            )
            for one in self.config.routes
        )

    def deals(self) -> DealRules:
        """What has one deal."""
        deals = self.config.deals
        return DealRules(deals.per, deals.participants, deals.mail_after_close)

    def subscribers(self) -> tuple[Subscriber, ...]:
        """Who is told what happened."""
        return tuple(
            Subscriber(one.name, frozenset(one.kinds), one.text) for one in self.config.events
        )

    def _is_us(self, spec: str) -> bool:
        return self._us().is_us(key_of(spec) or "")

    def _us(self) -> Us:
        config = self.config
        own = [m.username for m in config.mailboxes if "@" in m.username] + list(
            config.us.addresses
        )
        return Us(
            addresses=frozenset(Address("", address.lower()).key for address in own),
            domains=frozenset(domain.lower() for domain in config.us.domains),
            authserv_ids=frozenset(filter(None, [(config.us.authserv_id or "").lower()])),
            ignored_addresses=frozenset(
                Address("", address.lower()).key for address in config.ignore.addresses
            ),
            ignored_domains=frozenset(domain.lower() for domain in config.ignore.domains),
            max_recipients=config.engagement.max_recipients,
            copies=config.people.cc is not False,
            roles=config.engagement.roles,
            sources=self._sources(),
        )

    def _sources(self) -> Sources:
        sources = self.config.sources
        relays = tuple(Source(relay.sender, relay.author) for relay in sources.relays)
        return Sources(sources.forms, sources.forwards, sources.groups, relays)


def _or_never(threshold: int | Literal["never"]) -> int | None:
    return None if threshold == "never" else threshold


def midnight(day: date) -> datetime:
    """The first instant of a day, UTC."""
    return datetime.combine(day, time(), UTC)


def _provider(name: str, user: str, oauth: OAuthSection) -> "Provider":
    """The provider that an `oauth` section describes, for the mailbox `name` of the user `user`."""
    from daemon.oauth.application import (  # noqa: PLC0415 - see the module
        google_service_account,
        microsoft_application,
    )
    from daemon.oauth.provider import Provider, google, microsoft  # noqa: PLC0415 - the same

    client_id = oauth.client_id or ""  # the configuration has it checked
    secret = oauth.client_secret.read if oauth.client_secret else None
    match oauth.provider, oauth.grant:
        case "google", "application":
            assert oauth.service_account is not None  # noqa: S101 - the configuration has it checked
            chosen = google_service_account(name, user, oauth.service_account.read)
        case "google", _:
            chosen = google(name, client_id, secret)
        case "microsoft", "application":
            chosen = microsoft_application(
                name,
                client_id,
                oauth.tenant,
                oauth.cloud,
                client_secret=secret,
                certificate=oauth.certificate.read if oauth.certificate else None,
            )
        case "microsoft", _:
            chosen = microsoft(name, client_id, secret, oauth.tenant, oauth.cloud)
        case _:
            chosen = Provider(name, client_id, oauth.token_url or "", (), secret)
    return replace(
        chosen,
        token_url=oauth.token_url or chosen.token_url,
        device_url=oauth.device_url or chosen.device_url,
        authorize_url=oauth.authorize_url or chosen.authorize_url,
        scopes=oauth.scopes or chosen.scopes,
    )
