"""Who we are, and whom we don't want to see: what the configuration says, and what was learned."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from daemon.message.address import Address, ascii_domain

# Where the author of a relay's mail stands; "nobody": it never has one.
Place = Literal["from", "reply-to", "body", "nobody"]
# When a mail from a role address (info@) counts: as anybody's, once there was a reply, or never.
Roles = Literal["person", "after_reply", "never"]


@dataclass(frozen=True, slots=True)
class Source:
    """A relay that the configuration names: senders by pattern, and where the author stands."""

    pattern: str  # of a sender key: *@forms.example.com
    author: Place


@dataclass(frozen=True, slots=True)
class Sources:
    """Which kinds of relayed mail are looked into, and the relays that the configuration names."""

    forms: bool = True
    forwards: bool = True
    groups: bool = True
    relays: tuple[Source, ...] = ()

    def place(self, address: Address) -> Place | None:
        """Where the configuration says that the author of this sender's mail stands."""
        for source in self.relays:
            if fnmatchcase(address.key, source.pattern):
                return source.author
        return None


@dataclass(frozen=True, slots=True)
class Us:
    """Who we are and whom we don't want to see: sender keys and domains, all lower case."""

    addresses: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    authserv_ids: frozenset[str] = frozenset()  # servers whose Authentication-Results are believed
    learned_servers: frozenset[str] = frozenset()  # the same, in mail that they brought themselves
    ignored_addresses: frozenset[str] = frozenset()
    ignored_domains: frozenset[str] = frozenset()
    max_recipients: int = 10
    copies: bool = False  # whether those in To and Cc of a mail that counts are kept with it
    roles: Roles = "person"
    sources: Sources = field(default_factory=Sources)

    def is_us(self, address: Address | str) -> bool:
        """Whether an address (or a sender key) is one of ours, by itself or by its domain."""
        key = address if isinstance(address, str) else address.key
        return key in self.addresses or within(key.rpartition("@")[2], self.domains)

    def ignores(self, address: Address) -> str | None:
        """The reason why this address is ignored, None if it isn't."""
        if address.key in self.ignored_addresses or address.address in self.ignored_addresses:
            return "ignored-address"
        return "ignored-domain" if within(address.domain, self.ignored_domains) else None


def within(domain: str, domains: frozenset[str]) -> bool:
    """Whether a domain is one of these or a subdomain of one."""
    if not domains:
        return False
    domain = ascii_domain(domain) or domain
    while domain:
        if domain in domains:
            return True
        domain = domain.partition(".")[2]
    return False
