"""Which organization a sender's domain stands for, or none.

Promises: the answer depends on the domain and on lists that ship with us only (the public suffix
list, public e-mail providers, resold domains); nothing is looked up on the network.
It doesn't say whether the organization exists, or what it is called.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

from publicsuffixlist import PublicSuffixList

from daemon.message.address import ascii_domain
from daemon.message.relay import is_conversation

# Names that only exist inside somebody's network (RFC 2606, 6761, 6762, 8375, 9476 and common use).
_LOCAL_ONLY = frozenset(
    {
        "alt",
        "arpa",
        "corp",
        "home",
        "internal",
        "intranet",
        "invalid",
        "lan",
        "local",
        "localdomain",
        "localhost",
        "onion",
    }
)

# Labels that a shared domain puts between itself and the customer's.
_NO_CUSTOMER = frozenset({"mail", "email", "smtp", "bounce", "bounces", "reply", "inbound", "www"})

_KEPT_ANSWERS = 8192  # a mailbox has many senders of few domains


@dataclass(frozen=True, slots=True)
class PublicProviders:
    """Domains (lower case, A-labels) that give mailboxes to the public, with their sub-domains."""

    domains: frozenset[str]

    def __contains__(self, domain: str) -> bool:
        """True for a domain of a public provider and for all that lies under it."""
        name = _plain(domain)
        while name:
            if name in self.domains:
                return True
            name = name.partition(".")[2]
        return False


def public_providers(extra: Iterable[str] = (), never: Iterable[str] = ()) -> PublicProviders:
    """Our own list, plus `extra`, minus `never` (`ignore.freemail_*` in the configuration)."""
    added = {_plain(domain) for domain in extra}
    removed = {_plain(domain) for domain in never}
    return PublicProviders((_listed("freemail") | added) - removed - {""})


@lru_cache(maxsize=_KEPT_ANSWERS)
def registrable_domain(domain: str) -> str:
    """The part of a domain that somebody registered: `eu.mail.acme.co.uk` is `acme.co.uk`.

    Lower case, A-labels. Names that nobody registered come back whole: an IP address, a single
    label, a public suffix, what is no name at all. Public suffixes are those of the ICANN section
    of https://publicsuffix.org/list/, and of its private section those in `data/resold.txt`.
    """
    name = _plain(domain)
    if not _is_host_name(name):
        return name
    registered = _suffixes().privatesuffix(name)
    if registered is None:
        return name
    return _customer(name, str(registered))


def _customer(name: str, registered: str) -> str:
    """Of a domain that is given out label by label, the customer's part; else all of it.

    `acme.mail.onmicrosoft.com` belongs to `acme`.
    """
    shared = next((one for one in _endings(name) if one in _given_out()), None)
    if shared is None or shared == name:
        return registered
    labels = [one for one in name.removesuffix(f".{shared}").split(".") if one not in _NO_CUSTOMER]
    return f"{labels[-1]}.{shared}" if labels else registered


def _endings(name: str) -> Iterator[str]:
    """A domain and those above it, the longest first."""
    while name:
        yield name
        name = name.partition(".")[2]


@cache
def _given_out() -> frozenset[str]:
    return _listed("resold") | _listed("tenants")


def organization_key(domain: str, public: PublicProviders) -> str | None:
    """The registrable domain that keys a sender's organization; None where there is none.

    None for public e-mail providers, for portals' addresses of one conversation, and for names that
    nobody can have registered: an IP address, a single label, a public suffix, a local name.
    """
    name = _plain(domain)
    return None if domain in public or is_conversation(name) else _registered(name)


@lru_cache(maxsize=_KEPT_ANSWERS)
def _registered(name: str) -> str | None:
    if (
        not _is_host_name(name)
        or name.rpartition(".")[2] in _LOCAL_ONLY
        or name in _listed("resold")
    ):
        return None
    return None if _suffixes().is_public(name) else registrable_domain(name)


def warm_up() -> None:
    """Load what the first question would have to wait for."""
    _suffixes()


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)


@cache
def _listed(name: Literal["freemail", "resold", "tenants"]) -> frozenset[str]:
    text = files("daemon.message.data").joinpath(f"{name}.txt").read_text(encoding="ascii")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return frozenset(line for line in lines if line)


def _plain(domain: str) -> str:
    """Lower case, A-labels, without what people write around a domain (`@`, a final dot)."""
    name = domain.strip().lower().lstrip("@").rstrip(".")
    return name if name.isascii() else ascii_domain(name) or name


def _is_host_name(name: str) -> bool:
    """More than one label, and neither an IP address nor anything that mail can't be sent to."""
    if "." not in name or name.startswith("[") or ascii_domain(name) != name:
        return False
    # A dotted IPv4 address ends in a digit; one of IPv6 has colons, which no host name has.
    return not name[-1].isdigit() or not _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
