"""Step 1 of judging a mail: who really wrote it, and how we know. Pure.

The From, unless it only hands on what somebody else wrote: a group or a desk of ours, our web site,
a colleague who forwards, a form service, a portal, a chat window, certified mail. A relay is never
a person. What any stranger can write (a Reply-To, a form, a quoted header) is believed
only from a sender that hands on, and proves nothing about engagement: see `SUBMITTED`.
"""

from typing import NamedTuple

from daemon.message.address import Address
from daemon.message.candidates import COPY, HANDS_ON, Candidate
from daemon.message.form import name_in
from daemon.message.localparts import (
    is_mailbox_provider,
    is_no_reply,
    names_a_person,
)
from daemon.message.own_server import authenticated
from daemon.message.parse import Message
from daemon.message.relay import (
    hands_on,
    is_conversation,
    is_machine_like,
    is_of_service,
    same_site,
    via,
)
from daemon.message.us import Us
from daemon.message.vendors import kind_of

# Ways by which anybody can put any address before us: such mails never add up to a deal.
SUBMITTED = frozenset({"form", "reply-to", "text", "claimed"})
_ASKING = frozenset({"says-wants", "asks"})
# Ways in which a machine's address is the author's too, and judged as such.
_WHOEVER = frozenset({"forward", "attached", "group"})


class Author(NamedTuple):
    """Who wrote a mail: None for nobody, the way we know it, and the reason as a slug."""

    address: Address | None
    way: str
    reason: str


def author(message: Message, sender: Address, us: Us) -> Author:
    """Who wrote a received message whose From is `sender`."""
    place = us.sources.place(sender)
    if place is not None:
        return _configured(message, sender, place, us)
    return _ours(message, sender, us) if us.is_us(sender) else _theirs(message, sender, us)


def _configured(message: Message, sender: Address, place: str, us: Us) -> Author:
    """The author where `sources` in the configuration says that it stands."""
    ways = {"reply-to": ("reply-to",), "body": ("form", "text", "forward", "attached")}
    for way in ways.get(place, ()):
        if found := _first(message, way, us):
            return Author(_named(message, found, sender), way, "configured")
    if place == "from" and not us.is_us(sender):
        return Author(sender, "from", "configured")
    return Author(None, "from", "no-author-in-relay")


def _ours(message: Message, sender: Address, us: Us) -> Author:
    """The author of a mail From us: one whom a group, the web site or a colleague hands on."""
    sources = us.sources
    original = _first(message, "forward", us) or _first(message, "attached", us)
    # A kind that is switched off isn't looked for in the text or in Reply-To, either.
    if member := _first(message, "group", us):
        if sources.groups:
            return Author(_named(message, member, sender), "group", "group-of-ours")
    elif original:
        if sources.forwards:
            return Author(original.address, original.way, "forwarded-by-us")
    elif visitor := _of_our_site(message, sender, us):
        return visitor
    outside = any(not us.is_us(recipient) for recipient in message.to)
    return Author(None, "from", "from-us-not-in-sent" if outside else "internal")


def _of_our_site(message: Message, sender: Address, us: Us) -> Author | None:
    """Who filled in a form of our web site, opened a ticket at our desk or wrote to our list."""
    reply, form = _first(message, "reply-to", us), _first(message, "form", us)
    if reply and kind_of(reply.address.domain) == "desk":
        # Our own helpdesk wants the answer for itself.
        reply, form = None, form or _only(message, sender, us)
    of_list = reply is not None and "list-id" in message.signals
    if not (us.sources.groups if of_list else us.sources.forms):
        return None
    if reply:
        same = form is not None and form.address.key == reply.address.key
        way = "group" if of_list else "form" if same else "reply-to"
        reason = "group-of-ours" if way == "group" else "form-of-ours"
        return Author(_named(message, reply, sender), way, reason)
    if form is None and HANDS_ON in message.signals:
        form = _only(message, sender, us)
    return Author(_named(message, form, sender), form.way, "form-of-ours") if form else None


def _theirs(message: Message, sender: Address, us: Us) -> Author:
    """The author of a mail from outside: its From, or whom a service of others hands on."""
    if found := _first(message, "envelope", us):
        if _is_certified(message, sender, us):
            return Author(found.address, "envelope", "certified-mail")
        return Author(found.address, "claimed", "unproven-certified-mail")
    if us.sources.groups and (member := _member(message, sender, us)):
        return Author(_named(message, member, sender), "group", "group-of-theirs")
    if us.sources.forms and (handed := _handed_on(message, sender, us)):
        return handed
    return Author(sender, "from", "from")


def _member(message: Message, sender: Address, us: Us) -> Candidate | None:
    """Who of a company wrote through a group of it, which put its own address before the name.

    Only of the group's own domain, and of none where strangers have addresses side by side, so that
    nobody can put somebody else there.
    """
    if is_mailbox_provider(sender.domain):
        return None
    found = _first(message, "group", us)
    is_renamed = found is not None and found.address.key != sender.key and via(sender.name)
    return found if found and is_renamed and found.address.domain == sender.domain else None


def _is_certified(message: Message, sender: Address, us: Us) -> bool:
    """Whether a provider of certified mail, who knows its customers, has sent this.

    Anybody can write "on behalf of" before an address and call a mailbox posta-certificata: it
    takes a listed provider, and a server of ours that found its domain authentic.
    """
    passed = authenticated(message.signals, us.authserv_ids, us.learned_servers) == "pass"
    return passed and kind_of(sender.domain) == "certified"


def _handed_on(message: Message, sender: Address, us: Us) -> Author | None:
    """The visitor of a form, portal, chat or booking page of others; None if it is none."""
    service = hands_on(sender)
    says = HANDS_ON in message.signals
    machine_local = is_machine_like(sender.local)
    machine = service or machine_local
    reply = _outside(message, "reply-to", sender, us)
    form = _outside(message, "form", sender, us)
    if _is_copy(message, us) and not form:
        return Author(None, "form", "copy-of-a-form")
    if is_conversation(sender.domain) or (
        is_of_service(sender)
        and any(map(str.isdigit, sender.local))
        and not (reply or machine_local)
    ):
        return Author(_bare(sender), "relay", "relay-of-a-portal")
    # A form service that nobody has listed: no person's address, and it says what it does.
    unlisted = says and not (
        names_a_person(sender.local, sender.name) or is_mailbox_provider(sender.domain)
    )
    if form and (machine or unlisted or (reply and reply.address.key == form.address.key)):
        visitor = reply if reply and not form.address.name and reply.address.name else form
        return Author(_named(message, visitor, sender), "form", "form-of-others")
    foreign = says and reply and not _is_same_person(sender, reply.address, message)
    of_service = (
        service and (machine_local or is_conversation(reply.address.domain)) if reply else False
    )
    if reply and (foreign or of_service):
        way = "relay" if is_conversation(reply.address.domain) else "reply-to"
        if same_site(reply.address.domain, sender.domain):
            way = "relay"
        return Author(_named(message, reply, sender), way, "form-of-others")
    asks = service and not _ASKING.isdisjoint(message.signals)
    if machine and (says or asks) and (found := _only(message, sender, us)):
        return Author(_named(message, found, sender), "text", "form-of-others")
    return None


def _is_same_person(sender: Address, other: Address, message: Message) -> bool:
    """Whether somebody only has answers sent to another address of the same person."""
    if is_machine_like(sender.local) or hands_on(sender) or is_of_service(sender):
        return False
    named = name_in([other.name], sender.address) or name_in([sender.name], other.address)
    return bool(message.answers or named) or sender.name == other.name


def _is_copy(message: Message, us: Us) -> bool:
    """Whether a form of others was filled in with our address, and this is the copy for us."""
    if "list-id" in message.signals:
        return False  # a list of ours sends answers to itself
    replies = [one for one in message.candidates if one.way == "reply-to"]
    filled = [one for one in message.candidates if one.way == "form"]
    if any(us.is_us(one.address) for one in filled) and all(
        us.is_us(one.address) for one in filled
    ):
        return COPY in message.signals or HANDS_ON in message.signals or bool(replies)
    return COPY in message.signals and any(us.is_us(one.address) for one in replies)


def _first(message: Message, way: str, us: Us) -> Candidate | None:
    """The first candidate found this way that can be a person outside."""
    for one in message.candidates:
        if (
            one.way == way
            and not us.is_us(one.address)
            and (way in _WHOEVER or not is_no_reply(one.address.local))
        ):
            return one
    return None


def _outside(message: Message, way: str, sender: Address, us: Us) -> Candidate | None:
    """The first candidate of this way that isn't ours, and not the relay's own address."""
    for one in message.candidates:
        if (
            one.way == way
            and not us.is_us(one.address)
            and not is_no_reply(one.address.local)
            and (
                not same_site(one.address.domain, sender.domain)
                or (way == "reply-to" and _reaches_one(one.address, sender))
            )
        ):
            return one
    return None


def _reaches_one(reply: Address, sender: Address) -> bool:
    """Whether a portal's Reply-To stands for one person: it has a number, and another name."""
    if is_conversation(reply.domain):
        return True
    own = kind_of(sender.domain) is None and reply.name not in {"", sender.name}
    return own and any(map(str.isdigit, reply.local))


def _only(message: Message, sender: Address, us: Us) -> Candidate | None:
    """The one address in the text that can be a visitor's, None if there are more."""
    found = [
        one
        for one in message.candidates
        if one.way == "text"
        and not us.is_us(one.address)
        and not is_no_reply(one.address.local)
        and not same_site(one.address.domain, sender.domain)
    ]
    return found[0] if len(found) == 1 else None


def _bare(address: Address) -> Address:
    parts = via(address.name)
    return Address(parts[0], address.address) if parts else address


def _named(message: Message, candidate: Candidate, sender: Address) -> Address:
    """The author with the best name that the mail has for it."""
    address = candidate.address
    told = next((fact.value for fact in message.facts if fact.kind == "name"), "")
    other = next(
        (
            one.address.name
            for one in message.candidates
            if one.address.key == address.key and one.address.name
        ),
        "",
    )
    name = told if candidate.way != "group" else ""
    return Address(name or address.name or other or _name_of(sender, address), address.address)


def _name_of(sender: Address, visitor: Address) -> str:
    """The relay's display name where it is the visitor's: it says via, or the address agrees."""
    parts = via(sender.name)
    name = (parts[0] if parts else sender.name).strip(" '\"")
    if parts or is_conversation(visitor.domain):
        return name
    return name if name_in([name], visitor.address) and not hands_on(sender) else ""
