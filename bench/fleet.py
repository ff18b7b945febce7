"""A week of a company with 500 seats and 2,000 mailboxes, hour by hour, in counts.

What one event costs is measured first, by the real intake and sync against the sandbox, until
nothing is due any more: a new sender, one more mail of a known one, our first answer (which makes a
deal), one more mail of ours. Then such events are drawn for every mailbox and hour of a week, the
same in every run, and worked off by the program's own budget and as fast as the plan's burst limit
lets it, what is new before the rest. At last the same company reads its history.

The rates are assumptions, printed with the result; costs, limits and order are the program's.

    python bench/fleet.py [SEATS [MAILBOXES]]
"""

import logging
import math
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from measure import ratio
from tokens import PUBLIC, Company

from daemon.intake.scoring import IncomingMessage, add
from daemon.intake.states import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.message.parse import parse
from daemon.message.verdict import Us
from daemon.pipedrive.budget import Budget
from daemon.pipedrive.pacing import PLANS, WINDOW, Subscription
from daemon.rules.case import Policy
from daemon.rules.classify import Rules
from daemon.sync import Session, Sync, SyncSettings

WE = "sales@ours.example"
RESERVE = 0.2  # of the day's tokens, kept for what is new: the default of pipedrive.reserve
BURST_USED = 0.97  # see bench/push.py
REFRESH = timedelta(minutes=2)  # the default of pipedrive.refresh
MANY = 25  # events of a kind whose cost is measured together
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
KINDS = ("new", "known", "answer", "ours")
# Assumed: mails a workday and mailbox, and of which kind they are. What is left is machine mail,
# which makes no records.
A_DAY = 30.0
SHARES = {"new": 0.02, "known": 0.22, "answer": 0.015, "ours": 0.2}
WEEKEND = 0.1  # of a workday's mail
BY_HOUR = (1, 1, 1, 1, 1, 2, 4, 8, 14, 16, 15, 13, 10, 12, 14, 14, 12, 9, 5, 3, 2, 2, 1, 1)
ZONES = (0, 0, 1, -5, 8)  # hours that offices are off UTC
SPREAD = 0.8  # sigma of the logarithm of a mailbox's rate: few get most of the mail
HISTORY = 10_000  # mails of a mailbox that were there before


@dataclass(frozen=True, slots=True)
class Cost:
    """What one event takes of Pipedrive, or one listing."""

    requests: float
    tokens: float


class Office:
    """A mailbox, its ledger and its company, with a clock that only waiting moves."""

    def __init__(self, ledger: Ledger) -> None:
        us = Us(addresses=frozenset({WE}), domains=frozenset({"ours.example"}))
        self.scoring = ScoringSettings(us=us, rules=Rules(), public=PUBLIC)
        self.ledger, self.company = ledger, Company()
        with ledger.transaction("bench"):
            ledger.folders.ensure("sales", [("INBOX", "inbox"), ("Sent", "sent")], None)
        self.folders = {one.role: one for one in ledger.folders.of("sales")}
        usual = SyncSettings(Policy(self.scoring.rules), "Sales", "Initial Contact", workers=1)
        company = self.company
        session = Session(ledger, company.client(), company.usage, self.scoring, usual, company.now)
        self.sync = Sync(session)
        self.number = 0
        self.asked: dict[int, int] = {}  # the number of a person's first mail

    def event(self, kind: str, person: int) -> None:
        """One event of a kind, with this person."""
        self.number += 1
        if kind == "new":
            self.asked[person] = self.number
        ours = kind in {"answer", "ours"}
        them, at = f"Pia Person <p{person}@firm{person}.example>", self.company.now()
        sender, to = (WE, them) if ours else (them, WE)
        head = [f"From: {sender}", f"To: {to}", f"Date: {at:%a, %d %b %Y %H:%M:%S +0000}"]
        head += [f"Subject: Offer {person}", f"Message-ID: <{self.number}@mail.example>"]
        if kind == "answer":
            head.append(f"In-Reply-To: <{self.asked[person]}@mail.example>")
        raw = "\r\n".join([*head, "", f"Could you do {self.number} of them?", ""]).encode()
        folder = self.folders["sent" if ours else "inbox"]
        message = IncomingMessage(self.number, at, parse(raw, size=len(raw)))
        with self.ledger.transaction("bench"):
            add(self.ledger, self.scoring, folder.id, folder.role, 1, [message])

    def rests(self) -> Cost:
        """Requests and tokens until nothing is due any more."""
        requests, tokens = len(self.company.sandbox.requests), self.company.spent()
        self.company.passes(6 * 3600)
        self.sync.sync()
        while (due := self.ledger.backlog.next_due()) is not None:
            self.company.seconds = max(self.company.seconds, due.timestamp())
            self.sync.sync()
        return Cost(len(self.company.sandbox.requests) - requests, self.company.spent() - tokens)


def costs() -> tuple[dict[str, Cost], Cost]:
    """What one event of each kind costs, and one listing of what people did."""
    memory = Path("/dev/shm")  # noqa: S108 - TemporaryDirectory makes a private one in it
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as home,
        Ledger.open(Path(home) / "ledger.db") as ledger,
    ):
        office = Office(ledger)
        office.event("new", 0)
        office.rests()  # fields, stage and the first listing are there now
        found: dict[str, Cost] = {}
        listing = Cost(0, 0)
        for kind in KINDS:
            office.event(kind, 0)
            one = office.rests()
            for person in range(1, MANY + 1):
                office.event(kind, person)
            many = office.rests()
            requests = (many.requests - one.requests) / (MANY - 1)
            tokens = (many.tokens - one.tokens) / (MANY - 1)
            found[kind] = Cost(requests, tokens)
            listing = Cost(
                max(listing.requests, one.requests - requests),
                max(listing.tokens, one.tokens - tokens),
            )
    return found, listing


@dataclass(slots=True)
class Day:
    """What one day brought and took."""

    came: Counter[str] = field(default_factory=Counter)
    requests: float = 0.0
    tokens: float = 0.0
    fullest: float = 0.0  # hour: its requests as a share of what the burst limit lets through
    waited: int = 0  # hours, the longest until something was written
    left: float = 0.0  # events at midnight


def drawn(rng: random.Random, mean: float) -> int:
    """How many events there are where so many are expected (Poisson; Knuth's way)."""
    bound, count, product = math.exp(-mean), 0, rng.random()
    while product > bound:
        count += 1
        product *= rng.random()
    return count


def arrivals(mailboxes: int) -> list[Counter[str]]:
    """The events of each hour of a week, in all mailboxes together."""
    rng = random.Random(11)
    rates = [(rng.lognormvariate(-(SPREAD**2) / 2, SPREAD), ZONES[n % 5]) for n in range(mailboxes)]
    hours: list[Counter[str]] = []
    for hour in range(7 * 24):
        came: Counter[str] = Counter()
        for rate, zone in rates:
            local = hour + zone
            of_day = WEEKEND if local // 24 % 7 > 4 else 1.0
            mean = A_DAY * rate * of_day * BY_HOUR[local % 24] / sum(BY_HOUR)
            for kind in KINDS:
                came[kind] += drawn(rng, mean * SHARES[kind])
            came["machine"] += drawn(rng, mean * (1 - sum(SHARES.values())))
        hours.append(came)
    return hours


def week(
    plan: Subscription, seats: int, hours: list[Counter[str]], each: dict[str, Cost], listing: Cost
) -> list[Day]:
    """Work a week off by the program's budget; what waits goes on in the next hour."""
    now = [MONDAY]
    budget = Budget(plan.daily_tokens(seats), 1.0, lambda: now[0], reserve=RESERVE)
    an_hour = plan.burst * 3600 / WINDOW * BURST_USED
    waiting: dict[str, list[list[int]]] = {kind: [] for kind in KINDS}  # [hour, events]
    days = [Day() for _ in range(7)]
    for hour, came in enumerate(hours):
        now[0] = MONDAY + timedelta(hours=hour)
        day = days[hour // 24]
        day.came += came
        listings = timedelta(hours=1) / REFRESH
        budget.take(round(listings * listing.tokens))
        requests, tokens = listings * listing.requests, listings * listing.tokens
        for kind in KINDS:  # in this order: what is new first
            cost = each[kind]
            waiting[kind].append([hour, came[kind]])
            for since in waiting[kind]:
                room = (an_hour - requests) / cost.requests
                paid = (budget.remaining() if kind == "new" else budget.for_backlog()) / cost.tokens
                done = min(since[1], int(room), int(paid))
                if done > 0:
                    budget.take(round(done * cost.tokens))
                    since[1] -= done
                    requests += done * cost.requests
                    tokens += done * cost.tokens
                    day.waited = max(day.waited, hour - since[0])
            waiting[kind] = [since for since in waiting[kind] if since[1]]
        day.requests += requests
        day.tokens += tokens
        day.fullest = max(day.fullest, requests / an_hour)
        day.left = sum(since[1] for some in waiting.values() for since in some)
    return days


def show(name: str, plan: Subscription, seats: int, days: list[Day]) -> float:
    """Print the days of one plan; the most that one of them took of its tokens."""
    a_day = plan.daily_tokens(seats)
    print(f"\n{name}: {a_day:,} tokens a day, {plan.burst} requests in 2 s")
    print(
        "day     mails       new    known   answer     ours  requests      tokens  of day"
        "  fullest hour  waits  left"
    )
    for n, day in enumerate(days):
        kinds = "".join(f"{day.came[kind]:>9,}" for kind in KINDS)
        print(
            f"{MONDAY + timedelta(days=n):%a} {day.came.total():>9,} {kinds} {day.requests:>9,.0f}"
            f" {day.tokens:>11,.0f} {day.tokens / a_day:>6.1%} {day.fullest:>12.1%}"
            f" {day.waited:>5} h {day.left:>5,.0f}",
            flush=True,
        )
    return max(day.tokens for day in days) / a_day


def history(plan: Subscription, seats: int, mailboxes: int, each: dict[str, Cost]) -> str:
    """How long the history of all mailboxes takes to be written, and by what it is bound."""
    mails = mailboxes * HISTORY
    events = {kind: mails * share for kind, share in SHARES.items()}
    tokens = sum(events[kind] * each[kind].tokens for kind in KINDS)
    requests = sum(events[kind] * each[kind].requests for kind in KINDS)
    by_tokens = tokens / (plan.daily_tokens(seats) * (1 - RESERVE))
    by_burst = requests / (plan.burst / WINDOW * BURST_USED) / 86_400
    bound = "tokens" if by_tokens > by_burst else "the burst limit"
    return f"{mails:,} mails: {max(by_tokens, by_burst):.1f} days, bound by {bound}"


def main(arguments: list[str]) -> None:
    logging.disable(logging.WARNING)
    seats = int(arguments[0]) if arguments else 500
    mailboxes = int(arguments[1]) if arguments[1:] else 2_000
    each, listing = costs()
    print(f"{seats} seats, {mailboxes} mailboxes; assumed: {A_DAY:g} mails a workday and mailbox,")
    print(
        ", ".join(f"{share:.1%} {kind}" for kind, share in SHARES.items()) + ", the rest machines"
    )
    for kind, cost in each.items():
        print(f"{kind:8} {cost.requests:5.2f} requests {cost.tokens:6.1f} tokens")
    print(f"a listing every {REFRESH}: {listing.requests:.1f} requests {listing.tokens:.1f} tokens")
    hours = arrivals(mailboxes)
    for name in ("lite", "ultimate"):
        taken = show(name, PLANS[name], seats, week(PLANS[name], seats, hours, each, listing))
        ratio(f"fleet: share of a day's tokens, {name}, the fullest day", taken, at_most=0.8)
        print(f"history, {name}: {history(PLANS[name], seats, mailboxes, each)}")
    mail = sum(each[kind].tokens * share for kind, share in SHARES.items())
    print(
        "\nmails a day that a seat's tokens carry: "
        + ", ".join(
            f"{name} {plan.daily_tokens(1) * (1 - RESERVE) / mail:,.0f}"
            for name, plan in PLANS.items()
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
