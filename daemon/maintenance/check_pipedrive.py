"""FLOW what has to work in Pipedrive, proven by a few listing calls; nothing is written."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from daemon.config import Config
from daemon.errors import ConfigProblem, Problem, Rejected
from daemon.ledger import reports
from daemon.ledger.store import Ledger
from daemon.maintenance.check import CheckLine
from daemon.pipedrive import company
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.objects import FIELDS
from daemon.rules.routing import Route
from daemon.sync.prepare import wanted_labels
from daemon.sync.routes import taken
from daemon.wiring import Wiring
from daemon.wiring.settings import routes

_USUAL = {key: field for key, field in FIELDS.items() if key != "our_response_hours"}
_TAKERS = 5  # that are named
_CLOCKS_APART = 60.0  # seconds that are nothing to tell
_EVERYTHING = {"sales", "global"}  # whose administrator sees every deal, lead and contact
_ADVICE = "take the API token of an administrator of deals and of global settings"
# What a role says of the records that its users make (GET /users/{id}/roleSettings).
_MADE = {
    "person_default_visibility": "persons",
    "org_default_visibility": "organizations",
    "deal_default_visibility": "deals",
    "lead_default_visibility": "leads",
}
_PRIVATE = 1  # visible to its owner, and followers
# What we do, and the permission that it takes (GET /users/{id}/permissions).
_NEEDED = {
    "can_use_api": "use the API",
    "can_add_people": "add persons",
    "can_add_organizations": "add organizations",
    "can_add_deals": "add deals",
    "can_add_leads": "add leads",
}


def check_pipedrive(wiring: Wiring) -> Iterator[CheckLine]:
    """Try the token, the stage, what is listed and written, and what the token's user sees."""
    client = wiring.impatient_client()
    try:
        me = client.send(Call.to("users.me")).object
    except Problem as problem:
        yield CheckLine("pipedrive: token", problem=problem)
        return
    yield CheckLine("pipedrive: token", f"{me.get('name')} at {me.get('company_name')}")
    config = wiring.config.pipedrive
    attempts: list[tuple[str, Callable[[], str]]] = [
        ("stage", lambda: _stage(client, config.pipeline, config.stage)),
        ("fields", lambda: _fields(wiring.config, client)),
        ("activity types", lambda: _activity_types(wiring.config, client)),
        ("lists", lambda: _lists(client)),
    ]
    if owners := _owners(wiring.config):
        attempts.append(("owners", lambda: _active_owners(client, owners, me)))
    for what, attempt in attempts:
        try:
            yield CheckLine(f"pipedrive: {what}", attempt())
        except Problem as problem:
            yield CheckLine(f"pipedrive: {what}", problem=problem)
    takers = _takers(wiring.config)
    for route in routes(wiring.config):
        try:
            found = f"{_route(client, route)}; {takers(route)}"
            yield CheckLine(f"route {route.name}", found)
        except Problem as problem:
            yield CheckLine(f"route {route.name}", problem=problem)
    try:
        yield _permissions(client, me)
    except Problem as problem:
        yield CheckLine("pipedrive: permissions", problem=problem)
    yield from _clock(client)
    yield _budget(client, config.seats)
    if wiring.config.activities.emails:
        yield CheckLine(
            "activities",
            note="every mail becomes an activity: set activities.emails to false if Pipedrive's own"
            " e-mail sync is on for this mailbox, or each mail shows twice",
        )


def _owners(config: Config) -> frozenset[str]:
    """E-mail addresses of all users that the configuration names as owners."""
    boxes = (box.owner.lower() for box in config.mailboxes if box.owner)
    return frozenset(boxes) | {owner for route in routes(config) for owner in route.owners}


def _active_owners(client: Client, addresses: frozenset[str], me: Mapping[str, Any]) -> str:
    """Who owns records; raises ConfigProblem for who left, Rejected for what we wouldn't see."""
    found = company.owners(client, addresses)
    if found.left:
        raise ConfigProblem(
            f"the Pipedrive user {', '.join(found.left)} is deactivated",
            what="mailboxes[].owner",
            hint="activate the user, or name another: " + ", ".join(found.others),
        )
    hidden = []
    for address, user in sorted(found.ids.items()):
        if _sees_everything(me) or user == me.get("id"):
            continue  # whatever its owner's role says
        role = client.send(Call.to("users.role_settings", str(user))).object
        private = [words for name, words in _MADE.items() if role.get(name) == _PRIVATE]
        if private:
            hidden.append(f"{address} ({', '.join(private)})")
    if hidden:
        raise Rejected(
            "this token's user wouldn't see what is made for " + " and ".join(hidden) + ": by their"
            " role it is visible to its owner only",
            hint=f"{_ADVICE}, or change the default visibility of their role",
        )
    return ", ".join(sorted(found.ids))


def _route(client: Client, route: Route) -> str:
    """Where a route leads, each name looked up."""
    said = []
    if route.place is not None:
        said.append(
            f"{' / '.join(filter(None, route.place))} (id {company.place(client, *route.place)})"
        )
    if route.owners:
        said.append(" and ".join(route.owners) + (" in turn" if len(route.owners) > 1 else ""))
    if wanted := wanted_labels([route]):
        there = dict(company.definitions(client).labels)
        if "lead" in wanted:
            there["lead"] = company.lead_labels(client)
        company.chosen_labels(wanted, there)
        said += [f"{kind} labelled {', '.join(names)}" for kind, names in wanted.items()]
    if route.channel_id:
        said.append(f"channel ID {route.channel_id}")
    return "; ".join(said or ["as usual"])


def _takers(config: Config) -> Callable[[Route], str]:
    """Of each route, how many senders with a person take it, and the first of them."""
    every, chosen = routes(config), defaultdict[str, list[str]](list)
    if every and config.ledger.exists():
        with Ledger.open(config.ledger, readonly=True) as ledger:
            for address in sorted(ledger.records.with_person()):
                route = taken(ledger, every, address)
                if route is not None:
                    chosen[route.name].append(address)

    def said(route: Route) -> str:
        there = chosen[route.name]
        names = ", ".join(there[:_TAKERS])
        return f"{len(there)} senders so far: {names}" if there else "nobody so far"

    return said


def _activity_types(config: Config, client: Client) -> str:
    """Whether the types of our activities are there and switched on: else each is refused."""
    activities = config.activities
    wanted = {
        "email": activities.emails,
        "meeting": activities.meetings,
        "task": activities.follow_up is not None,
    }
    keys = {"email": "emails: false", "meeting": "meetings: false", "task": "follow_up: off"}
    active = {
        row.get("key_string")
        for row in client.send(Call.to("activity_types.list")).items
        if row.get("active_flag") is not False
    }
    off = [name for name, is_on in wanted.items() if is_on and name not in active]
    if off:
        raise Rejected(
            f"the activity type {' and '.join(off)} is missing or switched off",
            hint="switch it on in Pipedrive (Company settings, Activities), or set "
            + " and ".join(f"activities.{keys[name]}" for name in off),
        )
    return ", ".join(name for name, is_on in wanted.items() if is_on) or "none wanted"


def _lists(client: Client) -> str:
    """Whether leads and archived objects can be listed: if not, records would be doubled."""
    refused = []
    for kind in ("leads.list", "leads.archived", "deals.archived"):
        try:
            client.send(Call.to(kind, query={"limit": 1}))
        except Rejected as problem:
            refused.append(f"{kind} ({problem.message})")
    if refused:
        raise Rejected(
            "can't be listed: " + ", ".join(refused),
            hint="take the API token of an administrator, or have the plan's Leads switched on",
        )
    return "leads, archived leads and archived deals can be listed"


def _permissions(client: Client, me: Mapping[str, Any]) -> CheckLine:
    """What the token's user sees: what is hidden would be made a second time."""
    if _sees_everything(me):
        return CheckLine("pipedrive: permissions", "an administrator, who sees everything")
    may = client.send(Call.to("users.permissions", str(me.get("id")))).object
    lacking = [words for name, words in _NEEDED.items() if may.get(name) is False]
    if lacking:
        raise Rejected(f"this user may not {', '.join(lacking)}", hint=_ADVICE)
    blind = " and sees no other user's records" if may.get("can_see_other_users") is False else ""
    fields = ""
    if may.get("can_add_custom_fields") is False:
        kinds = ", ".join(f"{name}: {kind}" for _, name, kind in _USUAL.values())
        fields = f"; it may not make our fields, so an administrator makes them ({kinds})"
    return CheckLine(
        "pipedrive: permissions",
        note=f"not an administrator{blind}: what this user can't see would be made again;"
        f" {_ADVICE}{fields}",
    )


def _sees_everything(me: Mapping[str, Any]) -> bool:
    entries = [one for one in me.get("access") or () if isinstance(one, Mapping)]
    return {str(one.get("app")) for one in entries if one.get("admin")} >= _EVERYTHING


def _clock(client: Client) -> Iterator[CheckLine]:
    offset = client.clock_offset
    if offset is not None and abs(offset.total_seconds()) > _CLOCKS_APART:
        seconds = offset.total_seconds()
        way = "ahead of" if seconds > 0 else "behind"
        text = f"this machine's clock is {abs(seconds):.0f} s {way} Pipedrive's"
        note = f"{text}: set it (timedatectl)"
        yield CheckLine("clock", note=note)


def _budget(client: Client, seats: int) -> CheckLine:
    budget, configured = client.budget, client.plan.daily_tokens(seats)
    found = (
        f"{budget.limit} tokens a day, {budget.remaining()} of them left for us today;"
        f" {client.plan.burst} requests per 2 s"
    )
    if budget.limit != configured:
        return CheckLine(
            "pipedrive: budget",
            note=f"{found}; the configured plan would give {configured}:"
            " set pipedrive.plan and pipedrive.seats to yours",
        )
    return CheckLine("pipedrive: budget", found)


def _stage(client: Client, pipeline: str | None, stage: str) -> str:
    number = company.place(client, pipeline, stage)
    return f"{stage!r} in {pipeline!r} (id {number})" if pipeline else f"{stage!r} (id {number})"


def _fields(config: Config, client: Client) -> str:
    """Which of our fields there are; raises Rejected if some can't be had, and says why."""
    found = company.fields(client)
    wanted = FIELDS if config.fields.our_response_hours else _USUAL
    missing = {key: name for key, (_, name, _) in wanted.items() if key not in found}
    if not missing:
        return "all there"
    why = _why_missing(config)
    lost = [f"{name} ({why[key]})" for key, name in missing.items() if key in why]
    if lost:
        raise Rejected(
            "missing: " + "; ".join(lost),
            hint="everything else works without; an administrator can make them by name and type",
        )
    return "will be made: " + ", ".join(missing.values())


def _why_missing(config: Config) -> dict[str, str]:
    """Why fields aren't made, by our names: Pipedrive refused, or people deleted them."""
    if not config.ledger.exists():
        return {}
    with Ledger.open(config.ledger, readonly=True) as ledger:
        return reports.missing_fields(ledger)
