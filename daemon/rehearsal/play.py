"""FLOW the whole catch-up, rehearsed; nothing is written anywhere.

The mailbox is read as always (it never changes), Pipedrive only listed, the ledger copied.
"""

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.errors import Problem, RetryLater
from daemon.intake import consent
from daemon.ledger.store import Ledger
from daemon.maintenance.catch_up import CaughtUp, Show, take_in, write_out
from daemon.rehearsal import remote
from daemon.rehearsal.forecast import everybody, forecast
from daemon.rehearsal.per_setting import deals_by_setting
from daemon.rehearsal.remote import ListedCompany
from daemon.rehearsal.scratch import activities, last_activity, listed, scratch
from daemon.rehearsal.stage import StageClock, client, stage
from daemon.sandbox.crm import Sandbox
from daemon.sync import Sync, configuration
from daemon.sync.routes import routes_of
from daemon.sync.safety_limit import is_first, strangers_touched
from daemon.wiring import Wiring
from daemon.wiring.settings import routes

# In the order of docs/rehearsal.md.
_KEYS = (
    "create deals_per participants tokens conversions fields updates adopted refused"
    " no_longer_made budget asks important left_out ignored_senders tokens_by_call read problems"
    " where"
)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What was found, in the shape of `--dry-run --json`, and the problems that were met."""

    found: dict[str, Any]
    problems: tuple[Problem, ...]
    everybody: list[dict[str, Any]]  # as `important`, all who would get a lead or a deal


def rehearse(
    wiring: Wiring,
    *,
    since: datetime | None,
    mailbox: str | None,
    intake: bool,
    tell_price: Callable[[str], object],
    progress: Callable[[Ledger], AbstractContextManager[Show]],
    watch: Callable[[Sandbox], object] = lambda _sandbox: None,
) -> Rehearsed | None:
    """Play the whole catch-up; None if somebody stopped it. `watch` sees the sandbox at its end."""
    with tempfile.TemporaryDirectory(prefix="mail2deal-rehearsal-") as home:
        try:
            company = _look(wiring, tell_price)
            return _play(
                wiring,
                Path(home),
                company,
                since=since,
                mailbox=mailbox,
                intake=intake,
                progress=progress,
                watch=watch,
            )
        except RetryLater:
            if not wiring.stop.is_set():
                raise
            return None  # stopped while it listed


class _Scene:
    """The configured program as it plays: in a time that passes by waiting, with all it spends."""

    def __init__(self, wiring: Wiring) -> None:
        self.clock = StageClock(wiring.now().replace(microsecond=0))
        self.wiring = Wiring(wiring.config, now=self.clock, stop=wiring.stop)
        self.spent: dict[str, tuple[int, int]] = {}  # calls and tokens by kind of call

    def sandbox(
        self, company: ListedCompany, ledger: Ledger, home: Path
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


def _play(
    wiring: Wiring,
    home: Path,
    company: ListedCompany,
    *,
    since: datetime | None,
    mailbox: str | None,
    intake: bool,
    progress: Callable[[Ledger], AbstractContextManager[Show]],
    watch: Callable[[Sandbox], object],
) -> Rehearsed | None:
    """The catch-up, with its files in `home`."""
    scene = _Scene(wiring)
    with ExitStack() as stack:
        ledger = stack.enter_context(scratch(wiring.config.ledger, home, scene.clock.moment))
        show = stack.enter_context(progress(ledger))
        before, first = ledger.records.adopted_counts(), is_first(ledger)
        with ledger.transaction("run"):
            result = CaughtUp(ledger.runs.begin("dry run", scene.clock()))
        if intake:
            for box in scene.wiring.mailboxes(mailbox):
                take_in(scene.wiring, ledger, box, since, result, show)
        sandbox = stack.enter_context(scene.sandbox(company, ledger, home))
        per = deals_by_setting(scene.wiring, ledger, sandbox, scene.clock, home)
        actor = stack.enter_context(closing(client(sandbox, scene.clock, scene.spend)))
        session = scene.wiring.session(ledger, result.run, show, actor, workers=1)
        configuration.follow(session)
        held = consent.why_held(ledger)
        with ledger.transaction("consent"):
            consent.release(ledger, scene.clock())
        write_out(Sync(session), result, scene.clock, scene.pause)
        if wiring.stop.is_set():
            return None
        watch(sandbox)
        routes = routes_of(session)
        made = forecast(ledger, result.run, scene.spent, before, routes)
        daily = company.daily_tokens
        old = daily - int(daily * wiring.config.pipedrive.reserve)
        found = {
            **made,
            "where": _where(scene.wiring, ledger, company, mailbox, since),
            "deals_per": per,
            "budget": {
                "plan": wiring.config.pipedrive.plan,
                "tokens_a_day": daily,
                "days": round(made["tokens"] / old, 2) if old else 0.0,
            },
            "asks": _asks(wiring, made, ledger, held, first=first),
            "read": {
                "messages": result.new,
                "quarantined": result.quarantined,
                "tokens": wiring.usage.total,
            },
            "problems": [str(problem) for problem in result.problems],
        }
        document = {key: found[key] for key in _KEYS.split()}
        return Rehearsed(document, tuple(result.problems), everybody(ledger, result.run, routes))


def _where(
    wiring: Wiring,
    ledger: Ledger,
    company: ListedCompany,
    mailbox: str | None,
    since: datetime | None,
) -> dict[str, Any]:
    """What the rehearsal is of: the mailboxes, the company, and where new deals go."""
    place = ledger.setting("place") or {}
    stages = {row["id"]: row for row in company.listing["stages"]}
    pipelines = {row["id"]: row["name"] for row in company.listing["pipelines"]}
    stage = stages.get(place.get("stage_id"), {})
    configured = wiring.config.pipedrive
    return {
        "company": company.domain,
        "mailboxes": [
            {"name": box.name, "since": str(since.date() if since else box.since or "") or None}
            for box in wiring.mailboxes(mailbox)
        ],
        "pipeline": pipelines.get(stage.get("pipeline_id"), configured.pipeline),
        "stage": stage.get("name", configured.stage),
    }


def _asks(wiring: Wiring, found: dict[str, Any], ledger: Ledger, held: str, *, first: bool) -> str:
    """What the real run will ask for; empty if nothing."""
    waits = f"{held}: that waits until `mail2deal approve`" if held else ""
    if not first:
        return waits
    creates = sum(n for kind, n in found["create"].items() if kind != "activities")
    touched = strangers_touched(ledger, done=True)
    why = wiring.safety_limit().objection(creates, touched, ledger.crm.count("person"))
    stops = f"{why}: it will stop and ask; pass --yes to let it go on" if why else ""
    return "; ".join(text for text in (stops, waits) if text)


def _look(wiring: Wiring, tell_price: Callable[[str], object]) -> ListedCompany:
    """List the real CRM, having said what that costs."""
    with closing(wiring.reading_client()) as client_:
        known = listed(wiring.config.ledger)
        last = last_activity(wiring.config.ledger)
        labels = any(route.labels.get("lead") for route in routes(wiring.config))
        more = "" if known else ", and 10 to 20 more for each further 500 objects of a kind"
        tell_price(
            f"a rehearsal: nothing is written; reading Pipedrive by listing takes"
            f" {remote.price(known, activities=last is not None, labels=labels)} tokens{more}"
        )
        return remote.read(client_, last, lead_labels=labels)
