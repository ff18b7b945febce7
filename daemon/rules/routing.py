"""Where a sender's records go: the first route that fits says pipeline, stage, owner, labels.

Pure. A route fits if everything that it names does: the mailbox that heard first, an address that
was written to, the sender's domain, its country, and how the mail came.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Labelled = Literal["lead", "deal", "person"]
Labels = Mapping[Labelled, tuple[str, ...]]  # names of labels, by what has them

# How a sender came to us, by the ways in which `message.author` knows who wrote.
SOURCES: Mapping[str, str] = {
    "from": "direct",
    "envelope": "direct",
    "claimed": "direct",
    "reply-to": "form",
    "form": "form",
    "text": "form",
    "forward": "forward",
    "attached": "forward",
    "group": "group",
}
# Top-level domains of two letters that companies anywhere use as if they were generic.
_NO_COUNTRY = frozenset({"ai", "cc", "co", "fm", "gg", "io", "me", "tv", "to", "ws", "eu"})


@dataclass(frozen=True, slots=True)
class Origin:
    """What the first mail that counts says of where a sender belongs."""

    mailbox: str | None
    recipients: frozenset[str]  # sender keys of To and Cc
    domain: str
    source: str  # one of the values of SOURCES


@dataclass(frozen=True, slots=True)
class Route:
    """One rule; an empty condition fits everybody. `owners` take turns, by organization."""

    name: str
    mailboxes: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    pipeline: str | None = None
    stage: str | None = None
    owners: tuple[str, ...] = ()
    channel_id: str | None = None
    labels: Labels = field(default_factory=dict)

    def fits(self, origin: Origin) -> bool:
        """Whether this route is for a sender from there."""
        return (
            (not self.mailboxes or origin.mailbox in self.mailboxes)
            and (not self.recipients or not origin.recipients.isdisjoint(self.recipients))
            and (not self.domains or any(_below(origin.domain, one) for one in self.domains))
            and (not self.countries or country(origin.domain) in self.countries)
            and (not self.sources or origin.source in self.sources)
        )

    @property
    def place(self) -> tuple[str | None, str] | None:
        """The pipeline and the stage of its leads and deals, None for the usual ones."""
        return None if self.stage is None else (self.pipeline, self.stage)


def choose(routes: Sequence[Route], origin: Origin) -> Route | None:
    """The first route that fits, None if none does."""
    return next((route for route in routes if route.fits(origin)), None)


def country(domain: str) -> str | None:
    """The country of a domain by its top level (ISO 3166), None for a generic one."""
    end = domain.rpartition(".")[2]
    if len(end) != 2 or end in _NO_COUNTRY:  # noqa: PLR2004 - two letters are a country
        return None
    return "gb" if end == "uk" else end


def _below(domain: str, other: str) -> bool:
    return domain == other or domain.endswith(f".{other}")
