"""`mail2deal --dry-run`: the whole catch-up, rehearsed; nothing is written anywhere.

The mailbox is read as always (it never changes), Pipedrive only listed, the ledger copied.
"""

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from daemon.cli import output
from daemon.cli.catch_up import CaughtUp, take_in, write_out
from daemon.errors import RetryLater
from daemon.ledger.store import Ledger
from daemon.pipedrive.pacing import PLANS
from daemon.rehearsal import remote
from daemon.rehearsal.forecast import Forecast, adopted, forecast
from daemon.rehearsal.page import page
from daemon.rehearsal.remote import Company
from daemon.rehearsal.scratch import activities, last_activity, listed, scratch
from daemon.rehearsal.stage import Clock, client, stage
from daemon.sandbox.crm import Sandbox
from daemon.sync import Sync
from daemon.sync.safety_limit import is_first, strangers_touched
from daemon.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A forecast with what it took to make it, and what the configured plan makes of it."""

    forecast: Forecast
    tokens_read: int
    plan: str
    daily: int  # tokens a day that are ours
    problems: tuple[str, ...]
    asks: str  # what the first real run would ask for; empty if nothing

    @property
    def days(self) -> float:
        """Days of the plan's budget that the tokens take."""
        return round(self.forecast.tokens / self.daily, 2) if self.daily else 0.0


def dry_run(
    wiring: Wiring,
    *,
    since: datetime | None,
    mailbox: str | None,
    sync_only: bool,
    as_json: bool,
    html: Path | None,
    watch: Callable[[Sandbox], object] = lambda _sandbox: None,
) -> int:
    """Rehearse and show; the exit status. `watch` sees the sandbox at the end, for tests."""
    result = CaughtUp()
    with tempfile.TemporaryDirectory(prefix="mail2deal-rehearsal-") as home:
        try:
            rehearsed = _rehearse(
                wiring,
                Path(home),
                result,
                since=since,
                mailbox=mailbox,
                intake=not sync_only,
                watch=watch,
            )
        except RetryLater:
            if not wiring.stop.is_set():
                raise
            rehearsed = None  # stopped while it listed
    if rehearsed is None:
        output.errors.print("stopped: nothing was written, and nothing is kept", markup=False)
        return output.LATER
    if html is not None:
        html.write_text(page(as_dict(rehearsed), wiring.now()), encoding="utf-8")
    if as_json:
        output.print_json(as_dict(rehearsed))
    else:
        _show(rehearsed)
        if html is not None:
            _say(f"the page is at {html}")
    for problem in result.problems:
        output.tell(problem)
    statuses = [output.status_of(problem) for problem in result.problems]
    return max(statuses, default=output.DONE, key=output.severity)


class _Scene:
    """The configured program as it plays: in a time that passes by waiting, with all it spends."""

    def __init__(self, wiring: Wiring) -> None:
        self.clock = Clock(wiring.now().replace(microsecond=0))
        self.wiring = Wiring(wiring.config, now=self.clock, stop=wiring.stop)
        self.spent: dict[str, tuple[int, int]] = {}  # calls and tokens by kind of call

    def sandbox(
        self, company: Company, ledger: Ledger, home: Path
    ) -> AbstractContextManager[Sandbox]:
        """What stands for the real Pipedrive, once the mail is in the ledger."""
        pipedrive = self.wiring.config.pipedrive
        return stage(
            company,
            activities(ledger, company.listing["activities"]),
            home,
            self.clock,
            plan=pipedrive.plan,
            seats=pipedrive.seats,
        )

    def spend(self, kind: str, tokens: int) -> None:
        """Note a call and its price."""
        calls, total = self.spent.get(kind, (0, 0))
        self.spent[kind] = (calls + 1, total + tokens)
        self.wiring.usage.add(kind, tokens)

    def pause(self, seconds: float) -> bool:
        """Let the time pass; whether somebody wants to stop."""
        self.clock.sleep(seconds)
        return self.wiring.stop.is_set()


def _rehearse(
    wiring: Wiring,
    home: Path,
    result: CaughtUp,
    *,
    since: datetime | None,
    mailbox: str | None,
    intake: bool,
    watch: Callable[[Sandbox], object],
) -> Rehearsed | None:
    """Play the catch-up with its files in `home`; None if somebody stopped it."""
    company = _look(wiring)
    scene = _Scene(wiring)
    with ExitStack() as stack:
        ledger = stack.enter_context(scratch(wiring.config.ledger, home, scene.clock.moment))
        progress = stack.enter_context(
            output.progress_bars(terminal=output.errors.is_terminal, ledger=ledger)
        )
        before, first = adopted(ledger), is_first(ledger)
        with ledger.transaction("run"):
            run = ledger.runs.begin("dry run", scene.clock())
        if intake:
            for box in scene.wiring.mailboxes(mailbox):
                take_in(scene.wiring, ledger, box, since, result, progress)
        sandbox = stack.enter_context(scene.sandbox(company, ledger, home))
        actor = stack.enter_context(closing(client(sandbox, scene.clock, scene.spend)))
        session = scene.wiring.session(ledger, run, progress, actor, workers=1)
        write_out(Sync(session), result, scene.clock, scene.pause)
        if wiring.stop.is_set():
            return None
        watch(sandbox)
        found = forecast(
            ledger,
            run,
            scene.spent,
            messages_read=result.new,
            quarantined=result.quarantined,
            adopted_before=before,
        )
        return _rehearsed(wiring, found, result, _asks(wiring, found, ledger) if first else "")


def _rehearsed(wiring: Wiring, found: Forecast, result: CaughtUp, asks: str) -> Rehearsed:
    pipedrive = wiring.config.pipedrive
    daily = PLANS[pipedrive.plan].daily_tokens(pipedrive.seats) * pipedrive.daily_share
    return Rehearsed(
        forecast=found,
        tokens_read=wiring.usage.total,
        plan=pipedrive.plan,
        daily=int(daily),
        problems=tuple(str(problem) for problem in result.problems),
        asks=asks,
    )


def _asks(wiring: Wiring, found: Forecast, ledger: Ledger) -> str:
    """What the first real run will want to be told."""
    touched = strangers_touched(ledger, done=True)
    why = wiring.valve().objection(found.objects, touched, ledger.crm.count("person"))
    return f"{why}: it will stop and ask; pass --yes to let it go on" if why else ""


def _look(wiring: Wiring) -> Company:
    """List the real CRM, having said what that costs."""
    with closing(wiring.reading_client()) as client_:
        known = listed(wiring.config.ledger)
        last = last_activity(wiring.config.ledger)
        more = "" if known else ", and 10 to 20 more for each further 500 objects of a kind"
        output.errors.print(
            f"a rehearsal: nothing is written; reading Pipedrive by listing takes"
            f" {remote.price(known, activities=last is not None)} tokens{more}",
            markup=False,
        )
        return remote.read(client_, last)


def as_dict(rehearsed: Rehearsed) -> dict[str, Any]:
    """The rehearsal for programs; this is the shape of `--json`."""
    found = rehearsed.forecast
    return {
        "create": dict(found.create),
        "tokens": found.tokens,
        "conversions": found.conversions,
        "fields": found.fields,
        "updates": dict(found.updates),
        "adopted": dict(found.adopted),
        "refused": dict(found.parked),
        "budget": {
            "plan": rehearsed.plan,
            "tokens_a_day": rehearsed.daily,
            "days": rehearsed.days,
        },
        "asks": rehearsed.asks,
        "important": [asdict(one) for one in found.important],
        "left_out": [asdict(one) for one in found.left_out],
        "ignored_senders": found.ignored_senders,
        "tokens_by_call": [asdict(one) for one in found.spent],
        "read": {
            "messages": found.messages_read,
            "quarantined": found.quarantined,
            "tokens": rehearsed.tokens_read,
        },
        "problems": list(rehearsed.problems),
    }


def _show(rehearsed: Rehearsed) -> None:
    found = rehearsed.forecast
    unreadable = f"; {found.quarantined} can't be read" if found.quarantined else ""
    _say(f"read {found.messages_read} new messages{unreadable}")
    made = ", ".join(f"{n} {kind}" for kind, n in found.create.items())
    _say(f"would make {made}")
    _say(
        f"  and {found.fields} custom fields; {found.conversions} of the deals come from leads;"
        f" {found.updates['persons']} persons and {found.updates['activities']} activities"
        " would be updated"
    )
    taken = ", ".join(f"{n} {kind}" for kind, n in found.adopted.items() if n)
    _say(f"already there and used as they are: {taken or 'none'}")
    for why, count in found.parked.items():
        _say(f"Pipedrive would refuse {count}: {why}")
    _table(
        f"the {len(found.important)} most important",
        ("who", "organization", "what", "because"),
        [
            (f"{one.name} <{one.address}>", one.organization or "", one.what, one.reason)
            for one in found.important
        ],
    )
    _table(
        f"left out ({found.ignored_senders} senders get no record)",
        ("messages", "why", "for example"),
        [(str(one.messages), one.words, ", ".join(one.examples)) for one in found.left_out],
    )
    _table(
        "tokens",
        ("call", "calls", "tokens"),
        [(one.call, str(one.calls), str(one.tokens)) for one in found.spent],
    )
    _say(
        f"{found.tokens} tokens: {rehearsed.days} days of the {rehearsed.daily} a day that the"
        f" plan {rehearsed.plan} gives; the rehearsal itself read {rehearsed.tokens_read}"
    )
    if rehearsed.asks:
        _say(rehearsed.asks)


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if not rows:
        return
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(output.plain(value) for value in row))
    output.console.print(table)


def _say(text: str) -> None:
    output.console.print(text, markup=False)
