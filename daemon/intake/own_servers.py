"""Which servers write our Authentication-Results, learned from the mail that they brought. Pure.

A pass by a server of ours proves that a mail is from whom it says, so the server has to be known.
What stands in one mail proves nothing: where our server writes no such field, a stranger's would
be the topmost. But nobody can put one into nearly all mail from many domains (RFC 8601 section 5).
"""

from collections.abc import Iterable, Mapping
from zlib import crc32

from daemon.message.parse import Message

SETTING = "authentication_servers"  # by domain of the server: mails, those with its field, senders

_MAILS = 100  # that a server has brought before anything is said of it
_DOMAINS = 20  # of their senders
_SHARE = 0.95  # of the mails in which the server's field stands
_ENOUGH = 1_000  # mails after which nothing more is counted
_SERVERS = 20

Counts = dict[str, list[list[int]]]  # [[mails], [with its field], hashes of sender domains]


def counted(before: Mapping[str, list[list[int]]], received: Iterable[Message]) -> Counts:
    """The counts with some more received messages."""
    counts = {server: [list(part) for part in parts] for server, parts in before.items()}
    for message in received:
        server = _named(message, "server:")
        if message.from_ is None or not server:
            continue
        if server not in counts and len(counts) >= _SERVERS:
            continue
        mails, fields, domains = counts.setdefault(server, [[0], [0], []])
        if mails[0] >= _ENOUGH:
            continue
        mails[0] += 1
        fields[0] += bool(_named(message, "authserv:"))
        domain = crc32(message.from_.domain.encode())
        if len(domains) < _DOMAINS and domain not in domains:
            domains.append(domain)
    return counts


def learned(counts: Mapping[str, list[list[int]]]) -> frozenset[str]:
    """The domains of servers that write the field into (nearly) all that they bring."""
    return frozenset(
        server
        for server, (mails, fields, domains) in counts.items()
        if mails[0] >= _MAILS and len(domains) >= _DOMAINS and fields[0] >= _SHARE * mails[0]
    )


def _named(message: Message, signal: str) -> str:
    return next((one.removeprefix(signal) for one in message.signals if one.startswith(signal)), "")
