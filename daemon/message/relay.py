"""Senders that hand on what other people write: what tells them, by their address and their words.

Data and the questions asked of it; which of a mail's candidates is believed is `author`'s decision.
"""

import re
import tomllib
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.resources import files

from daemon.message.address import Address
from daemon.message.localparts import (
    is_mailbox_provider,
    is_no_reply,
    is_role,
    names_a_person,
)
from daemon.message.own_server import organization
from daemon.message.us import within

_SHORTEST = 3  # letters of a service's name: fewer are in many domains
_HEAD_CHARS = 3_000  # of a text in which a program says what it hands on

_VIA = re.compile(
    r"^(?P<name>.{2,100}?)[\s,(\[]++(?:via|über|ueber|through|par|por|tramite|attraverso|przez|přes|prin"
    r"|genom|gjennom|gennem|kautta|üzerinden|через|из|經由|通过|通過|経由)\s++(?P<service>.{2,60}?)[)\]]?$",
    re.IGNORECASE,
)


@lru_cache(maxsize=1024)  # the same people write again and again
def hands_on(address: Address) -> bool:
    """Whether a service whose mail is about visitors sends it: a form, a portal, a chat window.

    People of such a service, and customers of a hoster, write under the same domain.
    """
    if not within(address.domain, _names("visitors")):
        return False
    if is_mailbox_provider(address.domain):
        return is_machine_like(address.local)
    # Under its subdomains there are tenants: acme@acme.chat.example.
    is_theirs = organization(address.domain) == address.domain
    return not (is_theirs and names_a_person(address.local, address.name)) or is_machine_like(
        address.local
    )


def is_desk_of_service(address: Address) -> bool:
    """Whether such a service writes for itself: hello@ of its own domain, no tenant's."""
    is_own = organization(address.domain) == address.domain
    return is_own and is_machine_like(address.local) and hands_on(address)


@lru_cache(maxsize=1024)
def is_conversation(domain: str) -> bool:
    """Whether addresses under this domain stand for one conversation each, never for a company."""
    return within(domain, _names("conversations"))


@lru_cache(maxsize=8192)
def is_machine_like(local: str) -> bool:
    """Whether a program may send from this local part: a site, a desk or what takes no answer."""
    return local in _names("sites") or is_role(local) or is_no_reply(local)


def via(name: str) -> tuple[str, str] | None:
    """The person and the service of a display name like "Ada Lovelace via Booking.com"."""
    found = _VIA.match(name)
    return (found["name"].strip(" '\""), found["service"].strip(" '\"")) if found else None


def is_of_service(sender: Address) -> bool:
    """Whether the name says "Ada via Service" and the address is that service's own."""
    parts = via(sender.name)
    return parts is not None and names_service(parts[1], sender.domain)


def names_service(service: str, domain: str) -> bool:
    """Whether a service's name is its domain's: "Kleinanzeigen" of mail.kleinanzeigen.de.

    Or has the words that its domain is made of: "Acme Form Sign" of acmesign.example.
    """
    plain = re.sub(r"[^a-z0-9]", "", service.casefold().rpartition("/")[2])
    labels = domain.replace("-", "").split(".")
    whole = "".join(labels)
    if len(plain) < _SHORTEST:
        return False
    if plain in whole or any(len(one) > _SHORTEST and one in plain for one in labels[:-1]):
        return True
    words = re.findall(r"[a-z0-9]+", service.casefold())
    return any(len(one) > _SHORTEST and one == _spelled(words, one) for one in labels[:-1])


def _spelled(words: Iterable[str], name: str) -> str:
    """How much of a name the words spell that it is made of, each once and in their order."""
    spelled = ""
    for word in words:
        if name.startswith(word, len(spelled)):
            spelled += word
    return spelled


def same_site(one: str, other: str) -> bool:
    """Whether two domains belong to one owner by their endings: mail.acme.de and acme.de."""
    if one == other or one.endswith(f".{other}") or other.endswith(f".{one}"):
        return True
    ours, theirs = one.split("."), other.split(".")
    need = 3 if len(ours) > 2 and len(ours[-2]) <= 3 and len(ours[-1]) == 2 else 2  # noqa: PLR2004 co.uk
    return len(ours) >= need and ours[-need:] == theirs[-need:]


@lru_cache(maxsize=4096)  # a conversation has one subject
def hands_on_by_subject(subject: str) -> bool:
    """Whether a subject alone says that a program hands on what a visitor wrote."""
    return hands_on_by_words(subject, "")


def hands_on_by_words(subject: str, text: str) -> bool:
    """Whether a program says that it hands on what a visitor wrote."""
    return _says("words", f"{subject}\n{text[:_HEAD_CHARS]}".casefold())


def is_copy_by_words(subject: str, text: str) -> bool:
    """Whether a form says that this is the copy for the one who filled it in."""
    return _says("copies", f"{subject}\n{text[:_HEAD_CHARS]}".casefold())


def _says(kind: str, folded: str) -> bool:
    """Whether a text has one of these words; one in ASCII has none with other letters."""
    if any(words in folded for words in _words(kind, ascii_=True)):
        return True
    return not folded.isascii() and any(words in folded for words in _words(kind, ascii_=False))


@cache
def _names(kind: str) -> frozenset[str]:
    return frozenset(_data("relays")[kind].split())


@cache
def _words(kind: str, *, ascii_: bool) -> tuple[str, ...]:
    lines = _data("submission")[kind].replace("\n", "|").split("|")
    words = (line.strip().casefold() for line in lines if line.strip())
    return tuple(one for one in words if one.isascii() == ascii_)


@cache
def _data(name: str) -> dict[str, str]:
    return tomllib.loads(files("daemon.message.data").joinpath(f"{name}.toml").read_text("utf-8"))
