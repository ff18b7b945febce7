"""What is sent from a domain, by data/vendors.txt: campaigns, notices, or a helpdesk's mail."""

from collections.abc import Mapping
from functools import lru_cache

from daemon.message.data import read
from daemon.message.own_server import organization

_DOMAIN_LIMIT = 253  # characters of a name in the DNS, RFC 1035 section 2.3.4


@lru_cache(maxsize=1024)
def kind_of(domain: str) -> str | None:
    """The kind under which a domain or one that it is under is listed, None if it isn't."""
    if len(domain) > _DOMAIN_LIMIT:
        return None
    table = _table()
    name = domain
    while name:
        if name in table:
            return table[name]
        name = name.partition(".")[2]
    return table.get(f"{organization(domain).partition('.')[0]}.*")


@lru_cache(maxsize=1)
def _table() -> Mapping[str, str]:
    table: dict[str, str] = {}
    kind = ""
    for line in read("vendors.txt"):
        if line.startswith("["):
            kind = line.strip("[]")
        else:
            domains, _ = line.split(" | ")
            table.update(dict.fromkeys(domains.split(), kind))
    return table
