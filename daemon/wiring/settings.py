"""From the configuration to what the rules and the sync take: each section turned into its type."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from daemon.config import Config
from daemon.intake.states import ScoringSettings
from daemon.message.parse import Address
from daemon.message.us import Source, Sources, Us
from daemon.rules.case import STATISTICS, USUAL_STATISTICS, BounceMark, Policy
from daemon.rules.classify import Rules
from daemon.rules.deals import DealRules
from daemon.rules.events import Subscriber
from daemon.rules.organization import public_providers
from daemon.rules.routing import Route

if TYPE_CHECKING:
    from daemon.sync import SyncSettings

# Requests in flight that fill the plan's burst window at a latency of a few hundred milliseconds.
_WORKERS = {"lite": 6, "growth": 10, "premium": 20, "ultimate": 24}


def scoring_settings(config: Config) -> ScoringSettings:
    """How messages are read and counted."""
    return ScoringSettings(
        us=us(config),
        rules=_thresholds(config),
        public=public_providers(config.ignore.freemail_extra, config.ignore.freemail_never),
        count=config.engagement.count,
        snippet_chars=config.activities.snippet_chars,
        classify=config.classify.command,
        facts=config.sources.facts,
    )


def _thresholds(config: Config) -> Rules:
    engagement = config.engagement
    return Rules(
        deal_at_messages=engagement.deal_at_messages,
        deal_at_replies=engagement.deal_at_replies,
        deal_at_meetings=engagement.deal_at_meetings,
        promote_at_messages=engagement.promote_at_messages,
        promote_at_replies=engagement.promote_at_replies,
        promote_at_meetings=engagement.promote_at_meetings,
        reopen=engagement.reopen,
    )


def sync_settings(config: Config, workers: int | None) -> "SyncSettings":
    """Where records go, and what each of them gets."""
    from daemon.sync import SyncSettings  # noqa: PLC0415 - see the module

    return SyncSettings(
        policy=Policy(
            rules=_thresholds(config),
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
        routes=routes(config),
        deals=_deals(config),
        in_copy=config.people.cc or None,
        join=config.people.join,
        subscribers=_subscribers(config),
        workers=workers or _WORKERS[config.pipedrive.plan],
    )


def routes(config: Config) -> tuple[Route, ...]:
    """Where the records of some senders go."""
    return tuple(
        Route(
            name=one.name,
            mailboxes=one.mailbox,
            recipients=tuple(_keys(one.recipient)),
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
        for one in config.routes
    )


def _deals(config: Config) -> DealRules:
    deals = config.deals
    return DealRules(deals.per, deals.participants, deals.mail_after_close)


def _subscribers(config: Config) -> tuple[Subscriber, ...]:
    return tuple(Subscriber(one.name, frozenset(one.kinds), one.text) for one in config.events)


def us(config: Config) -> Us:
    """Who we are, and where else than in From an author is looked for."""
    own = [m.username for m in config.mailboxes if "@" in m.username] + list(config.us.addresses)
    return Us(
        addresses=frozenset(_keys(own)),
        domains=frozenset(domain.lower() for domain in config.us.domains),
        authserv_ids=frozenset(filter(None, [(config.us.authserv_id or "").lower()])),
        ignored_addresses=frozenset(_keys(config.ignore.addresses)),
        ignored_domains=frozenset(domain.lower() for domain in config.ignore.domains),
        max_recipients=config.engagement.max_recipients,
        copies=config.people.cc is not False,
        roles=config.engagement.roles,
        sources=_sources(config),
    )


def _sources(config: Config) -> Sources:
    sources = config.sources
    relays = tuple(Source(relay.sender, relay.author) for relay in sources.relays)
    return Sources(sources.forms, sources.forwards, sources.groups, relays)


def _keys(addresses: Iterable[str]) -> Iterator[str]:
    return (Address("", address.lower()).key for address in addresses)
