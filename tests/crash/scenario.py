"""A dozen and a half mails in three days that make mail2deal do everything it can do once.

Day one: a lead, a deal by reply, a meeting, an adopted person, machine mail. Day two: the lead
answers (conversion), the meeting moves, more mail (fields). Day three: what people did in the CRM
meanwhile, and the daily listing that finds it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from postbox import START, WE, calendar, letter

from daemon.sandbox.crm import Acts

ADA, ABE = "Ada <ada@acme.example>", "abe@acme.example"
BOB, CYD, DAN, EVE = "bob@beta.example", "cyd@gamma.example", "dan@gmail.com", "eve@delta.example"


@dataclass
class Day:
    """Mail by folder in order of arrival, what people do first, and hours since the day before."""

    hours: float
    mails: list[tuple[str, bytes, datetime]] = field(default_factory=list)
    people: Callable[[Acts], None] = lambda _acts: None


def days() -> list[Day]:
    """The three days, each with a fresh sequence of numbers."""
    number = count(1)
    return [_first(number), _second(number), _third(number)]


def _mail(
    day: Day,
    number: Iterator[int],
    folder: str,
    who: str,
    *,
    answers: int | None = None,
    part: bytes | None = None,
    extra: str = "",
) -> int:
    """Add a mail from (INBOX) or to (Sent) somebody; its number."""
    one = next(number)
    at = START + timedelta(hours=one)
    sender, to = (who, WE) if folder == "INBOX" else (WE, who)
    raw = letter(sender, to, number=one, at=at, answers=answers, calendar=part, extra=extra)
    day.mails.append((folder, raw, at))
    return one


def _first(number: Iterator[int]) -> Day:
    def people(acts: Acts) -> None:
        delta = acts.add_organization("Delta Industries", website="https://www.delta.example/")
        acts.add_person("Eve at Delta", EVE, org_id=delta)

    day = Day(0, people=people)
    _mail(day, number, "INBOX", ADA)
    asked = _mail(day, number, "Sent", f"{BOB}, {CYD}")
    _mail(day, number, "INBOX", BOB, answers=asked)
    meeting = calendar("REQUEST", "m1@gamma", organizer=CYD, attendee=WE)
    _mail(day, number, "INBOX", CYD, part=meeting)
    _mail(day, number, "INBOX", DAN)
    _mail(day, number, "INBOX", EVE)
    _mail(day, number, "INBOX", "news@shop.example", extra="List-Id: <news>\r\n")
    return day


def _second(number: Iterator[int]) -> Day:
    day = Day(7)
    asked = _mail(day, number, "Sent", ADA, answers=1)
    _mail(day, number, "INBOX", ADA, answers=asked)
    later = START + timedelta(days=5)
    moved = calendar("REQUEST", "m1@gamma", organizer=CYD, attendee=WE, sequence=1, starts_at=later)
    _mail(day, number, "INBOX", CYD, part=moved)
    _mail(day, number, "INBOX", BOB)
    _mail(day, number, "INBOX", ABE)
    return day


def _third(number: Iterator[int]) -> Day:
    def people(acts: Acts) -> None:
        lead = next(d for d in acts.every("leads") if d["person_id"] == acts.person_of(DAN)["id"])
        acts.archive("leads", lead["id"])
        acts.delete("persons", acts.person_of(BOB)["id"])
        acts.rename("persons", acts.person_of(CYD)["id"], "Cyd of Gamma")

    day = Day(25, people=people)
    _mail(day, number, "INBOX", DAN)
    _mail(day, number, "INBOX", BOB)
    _mail(day, number, "INBOX", ABE)
    _mail(day, number, "INBOX", CYD)
    return day
