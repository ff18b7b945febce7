"""The people and companies of the generated correspondence: invented, believable, never repeated.

No mail is ever sent to any of them; the domains are made up or end in `.example` (RFC 2606).
Every address is handed out once, so each is one sender.
"""

import random
from dataclasses import dataclass, replace

from daemon.sandbox.company.facts import Office, Party
from daemon.sandbox.company.words import WORDS

NAMES_RUN_SHORT = 40  # draws without a free name, after which names get numbers


@dataclass(frozen=True, slots=True)
class Company:
    """One outside company: `domain` is where its mail comes from, `organization` its key."""

    name: str
    domain: str
    organization: str


def _ours(name: str, address: str) -> Party:
    return Party(name, address, address)


OFFICE = Office(
    name="Larkfield Sensors",
    domains=("larkfield.example",),
    owner=_ours("Ada Marlow", "ada.marlow@larkfield.example"),
    staff=(
        _ours("Ben Okafor", "ben.okafor@larkfield.example"),
        _ours("Mila Novak", "mila.novak@larkfield.example"),
        _ours("Workshop", "workshop@plant.larkfield.example"),
    ),
    group=_ours("Sales", "sales@larkfield.example"),
    alias=_ours("Ada Marlow", "ada@larkfield-sensors.example"),
    authserv_id="mx.larkfield.example",
    ignored_addresses=("tax.advisor@kettler-partner.example",),
    ignored_domains=("landlord-portal.example",),
)


def tagged(party: Party, tag: str) -> Party:
    """The same sender with a +tag in its address."""
    local, _, domain = party.address.partition("@")
    return replace(party, address=f"{local}+{tag}@{domain}")


def shouted(party: Party) -> Party:
    """The same sender as an old client writes it: capitals in local part and domain."""
    local, _, domain = party.address.partition("@")
    return replace(party, address=f"{local.title()}@{domain.upper()}")


def chance(rng: random.Random, percent: int) -> bool:
    """True in that many of a hundred cases."""
    return rng.random() * 100 < percent


class Cast:
    """Hands out companies and people, each once, as the seed has it."""

    def __init__(self, rng: random.Random) -> None:
        """Draw from `rng` only, so that the same seed gives the same people."""
        self._rng = rng
        self._taken: set[str] = set()

    def company(self) -> Company:
        """A company that nobody has met yet, its mail coming from its registrable domain."""
        rng = self._rng
        number = 0
        while True:
            number += 1
            stem, trade, ending = (rng.choice(WORDS[w]) for w in ("stems", "trades", "endings"))
            more = "" if number < NAMES_RUN_SHORT else f"-{number}"
            domain = f"{stem}-{trade}{more}.{ending}"
            if domain not in self._taken:
                self._taken.add(domain)
                return Company(f"{stem.title()} {trade.title()}", domain, domain)

    def person(self, company: Company) -> Party:
        """Somebody new at that company."""
        return self._somebody(company.domain, company.organization)

    def private(self) -> Party:
        """Somebody new with a freemail address, so without an organization."""
        return self._somebody(self._rng.choice(WORDS["freemail"]), None)

    def stranger(self) -> Party:
        """Somebody new: three in four at a company of their own, the others on freemail."""
        if chance(self._rng, 25):
            return self.private()
        return self.person(self.company())

    def mailbox(self, name: str, local: str, company: Company) -> Party:
        """An address of a company that isn't a person's, such as info@ or noreply@."""
        address = f"{local}@{company.domain}"
        self._taken.add(address)
        return Party(name, address, address, company.organization)

    def _somebody(self, domain: str, organization: str | None) -> Party:
        rng = self._rng
        number = 0
        while True:
            number += 1
            first, last = rng.choice(WORDS["first"]), rng.choice(WORDS["last"])
            plain = last.lower().replace("ö", "o")
            style = rng.choice(("{f}.{l}", "{f}.{l}", "{f}.{l}", "{f}", "{i}.{l}", "{f}_{l}"))
            local = style.format(f=first.lower(), l=plain, i=first[0].lower())
            more = "" if number < NAMES_RUN_SHORT else str(number)
            address = f"{local}{more}@{domain}"
            if address not in self._taken:
                self._taken.add(address)
                return Party(f"{first} {last}", address, address, organization)
