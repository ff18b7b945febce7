"""What our own mail server said of a message: its spam verdict, and whether DMARC passed.

A stranger may write any field into his mail, so only those are read that our server wrote: it puts
its own above what it was given. Fields are ours down to the first Received whose `by` isn't a host
of the domain that received the mail last, and at most down to what the author's program wrote; of
each field the topmost counts. Spam marks are taken from among the author's fields too, since some
servers add theirs at the end; below another server's Received they are a hint only.
RFC 5321 section 4.4 (trace), RFC 8601 (Authentication-Results).
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from daemon.message.address import Address
from daemon.message.data import read
from daemon.message.fields import VALUE_LIMIT, Fields, Pairs, without_comments

_RESULTS_LIMIT = 16  # Authentication-Results that are read, from the top

# Begins with a set of characters, as others are then skipped quickly; the word stands alone.
_BY = re.compile(r"[bB](?<!\S[bB])[yY]\s+([A-Za-z0-9_.:\[\]-]{1,255})")
_ADDRESS_LITERAL = re.compile(r"[0-9.]+|\[?[0-9a-f.]*:[0-9a-f:.]*\]?")
_LOOPBACK = re.compile(r"localhost(?:\.localdomain)?|\[?127\.[0-9.]{1,12}\]?|\[?::1\]?")
_AUTHSERV_ID = re.compile(r"\s*\"?([^\s;\"=]{1,255}+)\"?(?:\s+[0-9]{1,9})?\s*(?:;|$)")
_DMARC = re.compile(
    r"(?:^|;)\s*dmarc\s*(?:/\s*[0-9]+\s*)?=\s*([a-z]{1,20})(?![\w-])([^;]{0,500})", re.IGNORECASE
)
_HEADER_FROM = re.compile(r"\bheader\.from\s*=\s*\"?([^\s\";]{1,255})", re.IGNORECASE)
_METHOD_FIRST = re.compile(r"\s*(?:spf|dkim|dmarc|arc|iprev|auth)\s*=", re.IGNORECASE)
_COMPAUTH = re.compile(r"\bcompauth\s*=\s*fail(?:\s+reason\s*=\s*([0-9]{3}))?", re.IGNORECASE)
# Where the author's program begins to speak; nothing that we write stands below.
_ORIGINATORS = frozenset({"from", "date", "subject", "message-id", "to"})
# Second-level names under which registries of countries sell names.
_COUNTRY = 2  # letters of a country's top-level domain
_SECOND_LEVEL = frozenset(
    {
        "ac",
        "co",
        "com",
        "edu",
        "go",
        "gob",
        "gouv",
        "gov",
        "gv",
        "info",
        "ltd",
        "me",
        "mil",
        "ne",
        "net",
        "nom",
        "or",
        "org",
        "plc",
        "sch",
    }
)

# Values of X-Forefront-Antispam-Report (Microsoft, "Anti-spam message headers").
_SPAM_FILTER_VERDICTS = frozenset({"SPM", "SKS", "SKB", "BLK"})
_CATEGORIES = {
    **dict.fromkeys(("SPM", "HSPM", "OSPM", "MALW", "AMP"), "server-spam"),
    **dict.fromkeys(("PHSH", "HPHSH", "HPHISH", "SPOOF", "DIMP", "GIMP", "UIMP"), "server-forged"),
    "BULK": "server-bulk",
}
_SPAM_FROM, _BULK_FROM = 5, 7  # SCL and BCL at which Microsoft files mail as junk by default

# Spam filters by the field in which they give their verdict: how the value of a spam begins.
_FILTERS: dict[str, tuple[str, ...]] = {
    field.lower(): tuple(value.strip() for value in values.split(","))
    for field, values, _ in (line.split(" | ") for line in read("spam_filters.txt"))
}
# Fields that only servers write, and that are asked for here.
_OF_SERVERS = _FILTERS.keys() | {
    "authentication-results",
    "x-forefront-antispam-report",
    "x-microsoft-antispam",
}


class _Results(NamedTuple):
    """One Authentication-Results: who wrote it, the result of DMARC, and the whole of it."""

    server: str  # authserv-id, "" where none is named
    dmarc: str
    properties: str  # of the DMARC result
    value: str  # without comments


def server_signals(pairs: Pairs, fields: Fields, author: Address | None) -> Iterator[str]:
    """What servers wrote into a header, as signals; `fields` are the same as `pairs` by name.

    `server:D` names the domain whose host received the mail last, `authserv:I` the topmost
    authserv-id that is of that domain; `dmarc-pass:I`, `dmarc-fail:I` what it found. The same is
    given for servers of other domains, which count only where the configuration names them: a
    gateway before ours. A server deletes what claims its own id (RFC 8601 section 5).
    """
    values = fields.get("authentication-results", ())[:_RESULTS_LIMIT]
    results = [_read(value[:VALUE_LIMIT]) for value in values]
    ours, beside, domain = _written_by_us(pairs)
    yield from _claimed(results, domain, author)
    if not domain:
        return
    yield f"server:{domain}"
    yield from _spam_signals(fields, ours, beside, domain)
    yield from _own_results(results[: len(ours.get("authentication-results", ()))], domain, author)


def _claimed(results: Iterable[_Results], domain: str, author: Address | None) -> Iterator[str]:
    """Results of servers whose place in the header doesn't prove them to be ours.

    Of each the topmost: what else claims to be of that server stands below.
    """
    seen = set[str]()
    for one in results:
        if one.server and one.dmarc == "fail":
            yield f"dmarc-fail:{one.server}"
        if one.server in seen or organization(one.server) == domain:
            continue
        seen.add(one.server)
        if one.server and one.dmarc == "pass" and _is_for(one.properties, author):
            yield f"dmarc-pass:{one.server}"


@lru_cache(maxsize=256)  # of one domain many servers write the same again and again
def _read(value: str) -> _Results:
    bare = without_comments(value)
    server = None if _METHOD_FIRST.match(bare) else _AUTHSERV_ID.match(bare)
    found = _DMARC.search(bare)
    return _Results(
        server[1].lower() if server else "",
        found[1].lower() if found else "",
        found[2] if found else "",
        bare,
    )


def is_forged(signals: Iterable[str], servers: Iterable[str]) -> bool:
    """Whether DMARC failed by a server that is ours: by its place in the header, or its name."""
    signals, known = frozenset(signals), tuple(servers)
    failed = (one.partition(":")[2] for one in signals if one.startswith("dmarc-fail:"))
    return any(f"authserv:{server}" in signals or _is_of(server, known) for server in failed)


def authenticated(
    signals: Iterable[str], servers: Iterable[str], learned: Iterable[str] = ()
) -> str | None:
    """What a server of ours found by DMARC: "pass", "fail", or None if none of them says.

    `servers`: authserv-ids, or domains of them, that the configuration names: believed wherever
    the field stands. `learned`: those that we found out: believed in the mail that they brought.
    """
    signals, known, brought = frozenset(signals), tuple(servers), tuple(learned)
    found = None
    for signal in signals:
        name, _, server = signal.partition(":")
        is_ours = _is_of(server, known) or (
            # Another mailbox's server lets a stranger name this one.
            f"authserv:{server}" in signals and _is_of(server, brought)
        )
        if name in {"dmarc-fail", "dmarc-pass"} and is_ours:
            if name == "dmarc-fail":
                return "fail"
            found = "pass"
    return found


def _is_of(server: str, known: Iterable[str]) -> bool:
    return any(server == one or server.endswith(f".{one}") for one in known)


@lru_cache(maxsize=1024)  # asked of the same hosts again and again
def organization(host: str) -> str:
    """The domain that a host is of, by its last two or three labels."""
    labels = host.lower().strip(".").split(".")
    is_country = len(labels[-1]) == _COUNTRY and labels[-2:-1] and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3 if is_country else -2 :])


def _written_by_us(pairs: Pairs) -> tuple[Fields, Fields, str]:
    """Fields that our server wrote, that it may have written, and the domain of that server.

    What stands among the author's own fields may be ours if no other server's Received is above.
    """
    domain = ""
    ours: Fields = {}
    beside: Fields = {}
    place = ours
    for name, value in pairs:
        if name in _ORIGINATORS:
            place = beside
        elif name == "received":
            host = _receiving_host(value)
            if domain and host and organization(host) != domain:
                break
            domain = domain or (organization(host) if _is_named(host) else "")
        elif name in _OF_SERVERS:
            place.setdefault(name, []).append(value)
    return ours, beside, domain


def _receiving_host(value: str) -> str:
    """The host in the `by` of a Received field, "" for a hop inside one machine."""
    by = _BY.search(without_comments(value[:VALUE_LIMIT]))
    host = by[1].lower().rstrip(".") if by else ""
    return "" if _LOOPBACK.fullmatch(host) else host


def _is_named(host: str) -> bool:
    return "." in host and not _ADDRESS_LITERAL.fullmatch(host)


def _own_results(results: Iterable[_Results], domain: str, author: Address | None) -> Iterator[str]:
    """What the topmost Authentication-Results says that a host of our server's domain wrote."""
    for one in results:
        named = one.server or (domain if _METHOD_FIRST.match(one.value) else "")
        if not named or organization(named) != domain:
            continue  # Microsoft 365 names no server
        yield f"authserv:{named}"
        if one.dmarc == "fail":
            yield f"dmarc-fail:{named}"
            yield "server-forged"
        elif one.dmarc == "pass" and _is_for(one.properties, author):
            yield f"dmarc-pass:{named}"
        compauth = _COMPAUTH.search(one.value) if one.dmarc != "pass" else None
        if compauth:
            # 001: the domain says nothing of who may send for it, as many small ones don't.
            yield "server-doubts" if compauth[1] == "001" else "server-forged"
        return


def _is_for(properties: str, author: Address | None) -> bool:
    """Whether a DMARC result is about the domain of the From that we read."""
    named = _HEADER_FROM.search(properties)
    if author is None:
        return False
    return named is None or organization(named[1]) == organization(author.domain)


def _spam_signals(fields: Fields, ours: Fields, beside: Fields, domain: str) -> Iterator[str]:
    yield from _microsoft(ours)
    if not _is_marked(fields):
        return
    checker = fields.get("x-spam-checker-version", [""])[0].rpartition(" on ")[2].strip()
    if "." in checker:  # SpamAssassin names the host that it ran on
        yield "server-spam" if organization(checker) == domain else "spam-mark"
    else:
        yield "server-spam" if _is_marked(ours) or _is_marked(beside) else "spam-mark"


def _is_marked(fields: Fields) -> bool:
    """Whether a spam filter's field says spam."""
    return any(
        fields[name][0].strip().lower().startswith(_FILTERS[name])
        for name in _FILTERS.keys() & fields.keys()
    )


def _microsoft(fields: Fields) -> Iterator[str]:
    """Exchange Online Protection's verdict on mail that came in."""
    if "x-forefront-antispam-report" not in fields and "x-microsoft-antispam" not in fields:
        return
    report = _pairs(fields.get("x-forefront-antispam-report", [""])[0])
    if report.get("DIR", "INB") == "OUT":
        return  # written where the mail was sent
    category = _CATEGORIES.get(report.get("CAT", ""))
    if category:
        yield category
    elif report.get("SFV") in _SPAM_FILTER_VERDICTS or _number(report.get("SCL", "")) >= _SPAM_FROM:
        yield "server-spam"
    if _number(_pairs(fields.get("x-microsoft-antispam", [""])[0]).get("BCL", "")) >= _BULK_FROM:
        yield "server-bulk"


def _pairs(value: str) -> dict[str, str]:
    """`CIP:1.2.3.4;SCL:6;` as a dict; the first of a name counts."""
    found: dict[str, str] = {}
    for item in value[:VALUE_LIMIT].split(";"):
        name, _, rest = item.strip().partition(":")
        found.setdefault(name.strip().upper(), rest.strip().upper())
    return found


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if re.fullmatch(r"[0-9]{1,3}", text) else -1
