"""Where a mailbox's IMAP server is and how one logs in, from its address.

A table of providers by domain, then the domain's MX records, then, behind a filter that hides the
provider, its `autodiscover` name and SPF record, then SRV records (RFC 6186 section 3.4). DNS is
asked only by `look_up`, for three seconds at most; whatever fails there means: ask the person.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

SECONDS = 3.0  # for all look-ups of one address together

# Filters in front of a mail server (their own set-up guides name these MX hosts).
_FILTERS = {
    "mimecast.com": "Mimecast",
    "mimecast.co.za": "Mimecast",
    "pphosted.com": "Proofpoint",
    "ppe-hosted.com": "Proofpoint",
    "barracudanetworks.com": "Barracuda",
    "hornetsecurity.com": "Hornetsecurity",
    "messagelabs.com": "Symantec",
    "iphmx.com": "Cisco",
    "trendmicro.com": "Trend Micro",
    "trendmicro.eu": "Trend Micro",
    "sophos.com": "Sophos",
    "mailcontrol.com": "Forcepoint",
    "antispamcloud.com": "SpamExperts",
    "spamexperts.com": "SpamExperts",
    "mailspamprotection.com": "SpamExperts",
    "retarus.com": "Retarus",
    "vadesecure.com": "Vade",
}
_BEHIND = {  # what a record beside the MX says of the server behind a filter
    "autodiscover.outlook.com": "Microsoft 365",
    "include:spf.protection.outlook.com": "Microsoft 365",
    "include:_spf.google.com": "Google Workspace",
}

Login = Literal["password", "app", "microsoft", "google", "bridge"]
# (name, type of record) → the records as text; raises any exception where there are none
Ask = Callable[[str, str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class MailProvider:
    """One provider: where its server is, and what a login there needs."""

    name: str
    host: str
    login: Login = "password"
    port: int = 993
    tls: Literal["implicit", "starttls"] = "implicit"
    hint: str = ""
    cloud: str = "global"
    user: Literal["address", "local"] = "address"
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Discovered:
    """What was found out about an address: the provider, and how we know."""

    provider: MailProvider
    why: str


@cache
def providers() -> tuple[MailProvider, ...]:
    """The table, in its order."""
    text = files("daemon.config").joinpath("providers.yaml").read_text(encoding="utf-8")
    return tuple(_provider(entry) for entry in yaml.safe_load(text))


def _provider(entry: dict[str, Any]) -> MailProvider:
    lists = {key: tuple(entry.get(key, ())) for key in ("domains", "mx")}
    return MailProvider(**(entry | lists))


def by_domain(domain: str) -> Discovered | None:
    """The provider whose own domain this is."""
    for one in providers():
        if domain in one.domains:
            return Discovered(one, f"{domain} is {one.name}")
    return None


def look_up(domain: str, ask: Ask) -> tuple[Discovered | None, str]:
    """What DNS says of a domain; and the name of the filter in front of it, "" without one."""
    filter_name = ""
    for host in _in_order(_records(ask, domain, "MX")):
        for one in providers():
            if any(_ends(host, end) for end in one.mx):
                return Discovered(one, f"the MX record of {domain} is {host}"), ""
        filter_name = filter_name or next(
            (name for end, name in _FILTERS.items() if _ends(host, end)), ""
        )
    if filter_name and (behind := _behind(domain, ask)):
        return behind, filter_name
    return _service(domain, ask), filter_name


def _behind(domain: str, ask: Ask) -> Discovered | None:
    names = [record.rstrip(".") for record in _records(ask, f"autodiscover.{domain}", "CNAME")]
    spf = [word for text in _records(ask, domain, "TXT") for word in text.strip('"').split()]
    for said in (*names, *spf):
        name = _BEHIND.get(said.lower())
        if name is not None:
            (provider,) = (one for one in providers() if one.name == name)
            return Discovered(provider, f"a DNS record of {domain} names {said}")
    return None


def _service(domain: str, ask: Ask) -> Discovered | None:
    """The server that the domain's SRV records name (RFC 6186), implicit TLS first (RFC 8314)."""
    for service, tls in (("_imaps", "implicit"), ("_imap", "starttls")):
        for record in _in_order(_records(ask, f"{service}._tcp.{domain}", "SRV")):
            # priority, weight, port, target; the target "." says: not offered
            port, _, host = record.partition(" ")
            if host and port.isdecimal():
                provider = MailProvider(domain, host, port=int(port), tls=tls)  # type: ignore[arg-type]
                return Discovered(provider, f"{domain} names {host} in an SRV record")
    return None


def _in_order(records: Sequence[str]) -> list[str]:
    """MX and SRV records by their priority: the host of an MX, `port host` of an SRV."""
    rows = []
    for record in records:
        priority, *rest = record.lower().rstrip(".").split()
        if priority.isdecimal() and len(rest) in {1, 3}:  # an SRV without a target offers nothing
            weight = int(rest[0]) if rest[0].isdecimal() else 0
            rows.append((int(priority), -weight, " ".join(rest[-2:])))
    return [text for *_, text in sorted(rows)]


def _records(ask: Ask, name: str, kind: str) -> Sequence[str]:
    # Nothing that a name server says or fails to say may end the questions to a person.
    with contextlib.suppress(Exception):
        return ask(name, kind)
    return ()


def _ends(host: str, end: str) -> bool:
    return host == end or host.endswith(f".{end}")


def system_resolver() -> Ask | None:
    """This machine's name servers within SECONDS in all; None without dnspython (extra `dns`)."""
    try:
        import dns.resolver  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    import time  # noqa: PLC0415 - only here

    resolver = dns.resolver.Resolver()
    end = time.monotonic() + SECONDS

    def ask(name: str, kind: str) -> list[str]:
        left = end - time.monotonic()
        if left <= 0:
            return []
        return [record.to_text() for record in resolver.resolve(name, kind, lifetime=left)]

    return ask
