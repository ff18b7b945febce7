"""A dozen and a half mails in three days that make mail2deal do everything it can do once.

Day one: a lead, a deal by reply, a meeting, an adopted person, machine mail, somebody in copy. Day
two: the lead answers (conversion), who was in copy and a colleague become participants, the meeting
moves, more mail (fields). Day three: what people did in the CRM meanwhile, and the daily listing that
finds it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from acts import Acts
from postbox import START, WE, calendar, letter


@dataclass(frozen=True)
class Cast:
    """Who plays in it; a larger scenario has several casts in firms of their own."""

    number: str

    def __getattr__(self, name: str) -> str:
        firms = {
            "ada": "acme",
            "abe": "acme",
            "zoe": "acme",
            "bob": "beta",
            "cyd": "gamma",
            "eve": "delta",
        }
        if name == "dan":
            return f"dan{self.number}@gmail.com"
        return f"{name}@{firms[name]}{self.number}.example"


@dataclass
class Day:
    """Mail by folder in order of arrival, what people do first, and hours since the day before."""

    hours: float
    mails: list[tuple[str, bytes, datetime]] = field(default_factory=list)
    people: Callable[[Acts], None] = lambda _acts: None


def days(casts: int = 1) -> list[Day]:
    """The three days, played by so many casts at once."""
    number = count(1)
    plays = [Cast("" if one == 0 else str(one)) for one in range(casts)]
    asked = {play: next(number) for play in plays}  # the first letter of each Ada
    return [
        _joined([_first(number, play, asked[play]) for play in plays]),
        _joined([_second(number, play, asked[play]) for play in plays]),
        _joined([_third(number, play) for play in plays]),
    ]


def _joined(days: list[Day]) -> Day:
    def people(acts: Acts) -> None:
        for day in days:
            day.people(acts)

    return Day(days[0].hours, [mail for day in days for mail in day.mails], people)


def _mail(
    day: Day,
    number: Iterator[int],
    folder: str,
    who: str,
    *,
    answers: int | None = None,
    as_number: int | None = None,
    part: bytes | None = None,
    extra: str = "",
) -> int:
    """Add a mail from (INBOX) or to (Sent) somebody; its number."""
    one = as_number or next(number)
    at = START + timedelta(hours=one)
    sender, to = (who, WE) if folder == "INBOX" else (WE, who)
    raw = letter(sender, to, number=one, at=at, answers=answers, calendar=part, extra=extra)
    day.mails.append((folder, raw, at))
    return one


def _first(number: Iterator[int], cast: Cast, first: int) -> Day:
    def people(acts: Acts) -> None:
        website = f"https://www.delta{cast.number}.example/"
        delta = acts.add_organization(f"Delta Industries {cast.number}".strip(), website=website)
        acts.add_person("Eve at Delta", cast.eve, org_id=delta)

    day = Day(0, people=people)
    copy = f"Cc: {cast.zoe}\r\n"  # who never writes
    _mail(day, number, "INBOX", f"Ada <{cast.ada}>", as_number=first, extra=copy)
    asked = _mail(day, number, "Sent", f"{cast.bob}, {cast.cyd}")
    _mail(day, number, "INBOX", cast.bob, answers=asked)
    meeting = calendar("REQUEST", f"m1@{cast.cyd}", organizer=cast.cyd, attendee=WE)
    _mail(day, number, "INBOX", cast.cyd, part=meeting)
    _mail(day, number, "INBOX", cast.dan)
    _mail(day, number, "INBOX", cast.eve)
    _mail(day, number, "INBOX", "news@shop.example", extra="List-Id: <news>\r\n")
    return day


def _second(number: Iterator[int], cast: Cast, first: int) -> Day:
    day = Day(7)
    asked = _mail(day, number, "Sent", cast.ada, answers=first)
    _mail(day, number, "INBOX", cast.ada, answers=asked)
    later = START + timedelta(days=5)
    moved = calendar(
        "REQUEST", f"m1@{cast.cyd}", organizer=cast.cyd, attendee=WE, sequence=1, starts_at=later
    )
    _mail(day, number, "INBOX", cast.cyd, part=moved)
    _mail(day, number, "INBOX", cast.bob)
    _mail(day, number, "INBOX", cast.abe)
    return day


def _third(number: Iterator[int], cast: Cast) -> Day:
    def people(acts: Acts) -> None:
        lead = next(
            d for d in acts.every("leads") if d["person_id"] == acts.person_of(cast.dan)["id"]
        )
        acts.archive("leads", lead["id"])
        acts.delete("persons", acts.person_of(cast.bob)["id"])
        acts.rename("persons", acts.person_of(cast.cyd)["id"], "Cyd of Gamma")

    day = Day(25, people=people)
    _mail(day, number, "INBOX", cast.dan)
    _mail(day, number, "INBOX", cast.bob)
    _mail(day, number, "INBOX", cast.abe)
    _mail(day, number, "INBOX", cast.cyd)
    return day
