"""Step two of judging: a person or a machine, as a score of named signals.

What a signal weighs, in which group, and what lifts it again is data (data/signals.txt); who sends
what from which domain too (data/vendors.txt). Here are only the rules: groups are asked in the
order of trust, weights of one group add up, and the heaviest signal is the reason. Pure.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from daemon.message.address import Address
from daemon.message.data import read
from daemon.message.localparts import (
    begins_the_domain,
    is_given_name,
    is_made_per_mail,
    is_mailbox_provider,
    is_no_reply,
    is_notice,
    is_of_brand,
    is_one_word,
    is_pitch_domain,
    is_role,
    is_sending_host,
    names_a_firm,
    names_a_person,
    names_a_team,
    names_the_domain,
)
from daemon.message.relay import is_conversation, is_desk_of_service, is_of_service
from daemon.message.vendors import kind_of

DECIDES = 100  # the weight at which a group says machine

Group = Literal["server", "header", "command", "absent", "answer", "cold", "mass"]
Lift = Literal["never", "theirs", "any", "either"]
_LIFTS: tuple[Lift, ...] = ("never", "theirs", "any", "either")  # the harder first
GROUPS: tuple[Group, ...] = ("server", "header", "command", "absent", "answer", "cold", "mass")

# What a list or group of ours puts on every mail that it hands on, whoever wrote it.
_OF_GROUP = frozenset(
    {"list-id", "list-unsubscribe", "one-click", "mailing-list", "precedence-bulk", "verp"}
    | {"errors-to", "feedback-id", "by-api", "auto-submitted", "campaign-host", "casual"}
)
# What a calendar puts on the invitations that it sends for people.
_OF_CALENDAR = frozenset(
    {"auto-submitted", "verp", "feedback-id", "by-api", "list-unsubscribe", "no-client", "casual"}
)
_OF_SERVER = ("server-", "spam-mark")  # beginnings of what servers said
_OF_COMMAND = ("asked-",)  # what the administrator's command said
_OF_TEXT = ("says-", "subject-", "asks", "no-words", "long-text", "many-links", "template-left")

# What shows that a person wrote: a name as the address, a mail program, a signature, a request.
_OF_PERSON = frozenset(
    {"named-address", "client", "signed", "asks", "says-wants", "says-decides", "asked-person"}
)
# Senders that call themselves a firm, a team or a machine. A role address alone is none of them:
# from info@ the people of small firms write, tersely and in any language.
_OF_FIRM = frozenset(
    {"brand-name", "group-name", "firm-name", "desk-name", "via-service"}
    | {"notice-address", "no-reply-address"}
)

# What stands in the mail of programs, and in a person's only beside traces of a person.
_OF_NOTICE = frozenset(
    {"subject-notice", "says-notice", "begins-yours", "says-received", "subject-received"}
    | {
        "subject-bounce",
        "status-code",
        "program",
        "many-links",
        "says-automatic",
        "says-no-reply",
        "says-why",
    }
    | {"says-many", "says-offer", "subject-news", "says-unsubscribe", "says-help", "says-review"}
)
_ONE_WORD_DESK = frozenset({"one-word", "role-address"})

_ASKING = frozenset({"asks", "says-wants", "says-decides"})
_TO_MANY = frozenset({"list-unsubscribe", "says-why", "says-view-online"})
_OFFERED = frozenset({"subject-news", "says-offer"})  # to many, where one can unsubscribe
_TO_HIDDEN = frozenset({"says-many", "to-nobody"})  # one letter for all customers, by hand
_BY_HAND = frozenset({"client", "signed", "named-address"})
_IN_BRANDS_NAME = frozenset({"of-brand", "says-unsubscribe", "no-client"})
_BY_BRANDS_PROGRAM = frozenset({"of-brand", "program", "no-client"})  # "Ada from Acme", by its API

_DOMAIN_SIGNALS = {"campaign": "campaign-host", "desk": "desk"}  # by the kind in vendors.txt


class Weighed(NamedTuple):
    """A signal with what it weighs in the group that decided."""

    signal: str
    weight: int


class Nature(NamedTuple):
    """Whether a person or a machine wrote a message; with a `reason` it was a machine."""

    reason: str | None  # the heaviest signal of the group that decided, None for a person
    signals: tuple[
        Weighed, ...
    ]  # all of that group, heaviest first; a person's: of the closest group
    is_desk: bool = False  # it is a role address, like info@


class _Entry(NamedTuple):
    group: Group
    weight: int
    lift: Lift
    words: str
    place: int  # in the list: of equal weights the first is the reason


def nature(signals: Iterable[str], author: Address, way: str = "from") -> Nature:
    """Weigh the signals of a message by this author, found in this way (see `author`).

    What carried a mail says nothing about its author: a list, a form, a calendar.
    """
    return _nature(tuple(signals), _of_address(author), way)


@lru_cache(maxsize=1024)  # most mails of a mailbox are like many others
def _nature(signals: tuple[str, ...], of_address: tuple[str, ...], way: str) -> Nature:
    found = frozenset(_about(signals, of_address, way))
    nearest: tuple[int, tuple[Weighed, ...]] = (0, ())
    by_group = _weighed(found)
    for group in GROUPS:
        weighed = by_group.get(group, ())
        total = sum(weight for _, weight in weighed)
        if total >= DECIDES:
            return Nature(weighed[0].signal, weighed)
        if total > nearest[0]:
            nearest = total, weighed
    return Nature(None, nearest[1], "role-address" in found)


def _about(signals: Iterable[str], of_address: Collection[str], way: str) -> Iterator[str]:
    """The signals that speak of the author."""
    if way == "from":
        yield from _of_sender(frozenset((*signals, *of_address)))
    elif way == "group":
        yield from (*(one for one in signals if one not in _OF_GROUP), *of_address)
    elif way == "invitation":
        of_text = (*_OF_TEXT, *_OF_CALENDAR)
        yield from (*(one for one in signals if not one.startswith(of_text)), *of_address)
    elif way in {"forward", "attached"}:
        kept = (*_OF_SERVER, *_OF_COMMAND, *_OF_TEXT)
        yield from (*(one for one in signals if one.startswith(kept)), *of_address)
    else:
        yield from (one for one in signals if one.startswith(_OF_COMMAND))
        # A portal's own address is nobody's; one that it made for a conversation is somebody's.
        is_portals = way == "relay" and "made-per-mail" not in of_address
        own = {"no-reply-address", "vendor"} if is_portals else {"no-reply-address"}
        yield from (one for one in signals if one.startswith(_OF_SERVER))
        yield from (one for one in of_address if one in own)


def _of_sender(found: frozenset[str]) -> Iterator[str]:
    """What speaks of an author who sent the mail without anybody between."""
    if "says-decides" in found:  # the strongest way of asking; another one adds nothing
        found -= {"asks", "says-wants"}
    if found >= _BY_BRANDS_PROGRAM and found.isdisjoint(_ASKING):
        found = found - {"named-address"} | {"brand-name"}
    is_firm = not found.isdisjoint(_OF_FIRM) or found >= _ONE_WORD_DESK
    if "unnamed" in found and _is_bare_notice(found):
        is_firm, found = True, found - {"named-address"}
    if is_firm and found.isdisjoint(_OF_PERSON):
        yield from _impersonal(found)
    else:
        found -= {"casual"}
    if _is_circular(found):
        found -= {"signed"}
        if "of-brand" in found and "no-client" in found:
            found = found - {"named-address"} | {"programless"}
    elif found >= _TO_HIDDEN and found.isdisjoint(_ASKING):
        found = found - _BY_HAND | {"to-hidden"}
    elif _is_agents(found):
        found -= {"auto-submitted"}
    yield from found


def _is_bare_notice(found: frozenset[str]) -> bool:
    """Whether a mail is worded like a notice, greets nobody and left no mail program's trace."""
    least = 2 if "named-address" in found else 1  # somebody whose name no list has, or a desk
    return (
        "no-client" in found
        and "greets" not in found
        and (len(found & _OF_NOTICE - {"begins-yours"}) >= least)
    )


def _impersonal(found: frozenset[str]) -> Iterator[str]:
    """How a firm's mail without any trace of a person counts: less at desks, where people sit."""
    is_letter = "greets" in found
    if "no-client" in found and not is_letter:
        yield "programless"
    yield "unsigned-letter" if is_letter else "unsigned"
    if is_letter:
        yield "impersonal-letter"
    else:
        yield "impersonal-desk" if "role-address" in found else "impersonal"


def _is_circular(found: frozenset[str]) -> bool:
    """Whether a mail can be stopped like a newsletter and asks nothing, so its end is printed."""
    is_offer = "says-unsubscribe" in found and not found.isdisjoint(_OFFERED)
    to_many = is_offer or not found.isdisjoint(_TO_MANY) or found >= _IN_BRANDS_NAME
    return to_many and found.isdisjoint(_ASKING)


def _is_agents(found: frozenset[str]) -> bool:
    """Whether a helpdesk, which marks all its mail as automatic, sent what its people wrote."""
    return (
        "desk" in found
        and not found.isdisjoint(_ASKING)
        and found.isdisjoint(("auto-reply", "says-received", "says-automatic", "says-no-reply"))
    )


def words(signal: str) -> str:
    """What a signal says, as people say it; the signal itself if it has no words."""
    return next((entry.words for entry in _table().get(signal, ())), signal)


def lift(reason: str) -> Lift:
    """What makes a contact of evidence with this reason after all; see data/signals.txt."""
    lifts = {entry.lift for entry in _table().get(reason, ()) if entry.weight > 0}
    return next((one for one in _LIFTS if one in lifts), "never")


def reasons() -> Mapping[str, str]:
    """Every signal that can be a reason, in words."""
    return {signal: entries[0].words for signal, entries in _table().items()}


def _weighed(found: frozenset[str]) -> dict[Group, tuple[Weighed, ...]]:
    """The signals that are there, with their weights by group; heaviest first."""
    table = _table()
    some: dict[Group, list[tuple[int, int, str]]] = {}
    for signal in found & table.keys():
        for entry in table[signal]:
            some.setdefault(entry.group, []).append((-entry.weight, entry.place, signal))
    return {
        group: tuple(Weighed(signal, -weight) for weight, _, signal in sorted(entries))
        for group, entries in some.items()
    }


@lru_cache(maxsize=4096)  # the same people write again and again
def _of_address(author: Address) -> tuple[str, ...]:
    """What an address and its display name say."""
    return tuple(_address_signals(author))


def _address_signals(author: Address) -> Iterator[str]:
    local, domain = author.local, author.domain
    is_brand = names_the_domain(author.name, domain)
    is_team = names_a_team(author.name)
    is_single = is_one_word(author.name) and not is_team
    # "Vipps <vipps@vipps.example>" is a firm; "Ada <ada@...>" is somebody.
    is_via = is_of_service(author)
    is_unnamed = not is_team and _is_unnamed(author)
    is_firms = is_via or (is_brand and is_single)
    is_firms = is_firms or (is_unnamed and begins_the_domain(local, domain))
    is_person = not is_firms and names_a_person(local, author.name)
    is_public = is_mailbox_provider(domain)
    yield from _local_signals(local, is_person=is_person)
    for signal, is_so in (
        ("made-per-mail", is_made_per_mail(local)),
        ("sending-subdomain", is_sending_host(domain)),
        ("pitch-domain", is_pitch_domain(domain)),
        ("brand-name", is_brand),
        ("of-brand", is_of_brand(author.name, domain)),
        ("unnamed", is_unnamed),
        ("one-word", is_single and not (is_person or is_brand or is_public)),
        ("firm-name", not is_person and names_a_firm(author.name)),
        ("via-service", is_via),
        ("group-name", is_team),
        ("desk-name", not (is_brand or is_person or is_team) and _is_desks(local, author.name)),
    ):
        if is_so:
            yield signal
    kind = kind_of(domain)
    if kind == "notices" and not is_person and not is_conversation(domain):
        if not is_public or is_notice(local) or is_role(local) or is_no_reply(local):
            yield "vendor"
    elif not is_person and is_desk_of_service(author):
        yield "vendor"
    elif kind in _DOMAIN_SIGNALS:
        yield _DOMAIN_SIGNALS[kind]


def _is_unnamed(author: Address) -> bool:
    """Whether a display name and its address have nobody's first name among their words."""
    words = (*author.name.replace("-", " ").split(), *author.local.replace("-", ".").split("."))
    return bool(author.name) and not any(is_given_name(word.strip(".,'\"()")) for word in words)


def _is_desks(local: str, name: str) -> bool:
    """Whether a role address stands under a name in which nobody's first name is."""
    words = name.split()
    return len(words) > 1 and is_role(local) and not any(map(is_given_name, words))


def _local_signals(local: str, *, is_person: bool) -> Iterator[str]:
    if is_person:
        yield "named-address"
    elif is_no_reply(local):
        yield "no-reply-address"
    elif is_notice(local):
        yield "notice-address"
    elif is_role(local):
        yield "role-address"


@lru_cache(maxsize=1)
def _table() -> Mapping[str, tuple[_Entry, ...]]:
    """data/signals.txt by signal; a signal may stand in several groups."""
    table: dict[str, tuple[_Entry, ...]] = {}
    for place, line in enumerate(read("signals.txt")):
        signal, group, weight, lifted_by, said = (part.strip() for part in line.split("|"))
        entry = _Entry(group, int(weight), lifted_by, said, place)  # type: ignore[arg-type]  # see tests
        table[signal] = (*table.get(signal, ()), entry)
    return table
