"""What goes wrong in a storm, one function a kind; each begins, and gives what ends it.

Those about Pipedrive need nothing but a sandbox; the others need the company of `storm_company`.
"""

import random
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any

from storm_company import StormCompany
from storm_story import BEFORE

from daemon.sandbox.crm import Fault, Sandbox, Switches

WRITES = "POST|PATCH|DELETE"
ANY = ".*"
SHAPES = (
    "null", "missing", "swapped", "strings", "keyless", "nulls", "scalar", "bare", "array", "empty",
    "html",
)  # fmt: skip
NOUNS = ("organizations", "persons", "leads", "deals", "activities")
_names = count(1)
End = Callable[[], object]


def strikes(sandbox: Sandbox, chance: random.Random, kind: Any, **more: Any) -> End:
    """One rule that strikes some requests; until it is taken away if nothing limits it."""
    name = f"storm {next(_names)}"
    usual = {"skip": chance.randrange(4), "count": chance.choice([1, 2, 4, 8, None])}
    sandbox.faults.add(Fault(kind, name=name, **(usual | more)))
    return lambda: sandbox.faults.clear(name)


def broken(sandbox: Sandbox, chance: random.Random) -> End:
    kinds = ["drop", "reset", "error", "truncate", "short", "unsuccessful"]
    return strikes(
        sandbox, chance, chance.choice(kinds), when=chance.choice(["before", "after"]),
        method=chance.choice([WRITES, ANY]), status=chance.choice([500, 502, 503, 504]),
    )  # fmt: skip


def odd(sandbox: Sandbox, chance: random.Random) -> End:
    return strikes(
        sandbox, chance, "shape", shape=chance.choice(SHAPES), method=chance.choice([WRITES, ANY]),
        when=chance.choice(["before", "after"]),
    )  # fmt: skip


def moved(sandbox: Sandbox, chance: random.Random) -> End:
    status = chance.choice([300, 301, 302, 303, 307, 308])
    return strikes(
        sandbox, chance, "redirect", status=status, method=chance.choice([WRITES, ANY]),
        location=chance.choice(["https://elsewhere.invalid", "http://127.0.0.1:9"]),
    )  # fmt: skip


def refused_record(sandbox: Sandbox, chance: random.Random) -> End:
    return strikes(
        sandbox, chance, "refuse", status=chance.choice([400, 402, 403]), method=WRITES,
        count=chance.choice([1, 2]),
    )  # fmt: skip


def refused_kind(sandbox: Sandbox, chance: random.Random) -> End:
    return strikes(
        sandbox, chance, "refuse", status=chance.choice([402, 403]), method="POST",
        path=f"/{chance.choice(NOUNS)}$", count=None, skip=0,
    )  # fmt: skip


def unauthorized(sandbox: Sandbox, chance: random.Random) -> End:
    return strikes(sandbox, chance, "refuse", status=401, error="unauthorized access", count=None)


def limited(sandbox: Sandbox, chance: random.Random) -> End:
    return strikes(sandbox, chance, "rate_limit", retry_after=chance.choice([None, 1]), count=4)


def slow(sandbox: Sandbox, chance: random.Random) -> End:
    return strikes(sandbox, chance, "slow", seconds=1.5, count=4)


def silent(sandbox: Sandbox, chance: random.Random) -> End:
    return strikes(sandbox, chance, "timeout", seconds=2.0, count=2,
                   when=chance.choice(["before", "after"]))  # fmt: skip


def changed(sandbox: Sandbox, **changes: Any) -> End:
    """Settings of the company that are otherwise for a while."""
    before = {name: getattr(sandbox.settings, name) for name in changes}
    sandbox.change(**changes)
    return lambda: sandbox.change(**before)


def lists_lag(sandbox: Sandbox, _chance: random.Random) -> End:
    return changed(sandbox, list_lag=6.0)


def reads_lag(sandbox: Sandbox, _chance: random.Random) -> End:
    return changed(sandbox, read_lag=1.0)


def capped(sandbox: Sandbox, _chance: random.Random) -> End:
    return changed(sandbox, open_cap=0)


def not_converted(sandbox: Sandbox, chance: random.Random) -> End:
    return changed(sandbox, conversion_polls=chance.choice([0, 6]))


def hidden(sandbox: Sandbox, chance: random.Random) -> End:
    """One record of ours; what people made, and no one sees before we look, can't be known."""
    with sandbox.at_work() as call:
        found = [
            (kind, doc["id"])
            for kind in NOUNS
            for doc in call.store.select(kind, "is_deleted = 0")
            if doc.get("name") not in BEFORE.values()
        ]
    if not found:
        return lambda: None
    (kind, identifier), switches = chance.choice(found), Switches(sandbox)
    sandbox.change(hidden_status=chance.choice([403, 404]))
    switches.hide(kind, identifier)
    return lambda: switches.show(kind, identifier)


PIPEDRIVE: Mapping[str, Callable[[Sandbox, random.Random], End]] = {
    f.__name__: f
    for f in (
        broken, odd, moved, refused_record, refused_kind, unauthorized, limited, slow, silent,
        lists_lag, reads_lag, capped, not_converted, hidden,
    )
}  # fmt: skip


def locked(company: StormCompany, _chance: random.Random) -> End:
    """Another program holds the ledger's write lock."""
    other = sqlite3.connect(company.ledger_path, check_same_thread=False, timeout=5)
    with suppress(sqlite3.OperationalError):
        other.execute("BEGIN IMMEDIATE")
    return other.close


def full(company: StormCompany, _chance: random.Random) -> End:
    company.fills_disk()
    return company.frees_disk


def wrong_clock(company: StormCompany, chance: random.Random) -> End:
    company.ahead(chance.choice([86_400.0, -86_400.0, 1800.0, -1800.0]))
    return lambda: company.ahead(0)


def time_passes(company: StormCompany, chance: random.Random) -> End:
    company.passes(chance.choice([60.0, 960.0, 4000.0]))
    return lambda: None


def reloaded(company: StormCompany, _chance: random.Random) -> End:
    company.reloads()
    return lambda: None


def command(company: StormCompany, chance: random.Random) -> End:
    company.starts(*chance.choice([("retry",), ("status",), ("status", "--json")]))
    return lambda: None


def caught_up(company: StormCompany, _chance: random.Random) -> End:
    company.starts("--catch-up")
    return lambda: None


def lines_cut(company: StormCompany, _chance: random.Random) -> End:
    company.cuts_imap()
    return company.cuts_imap


def imap_away(company: StormCompany, _chance: random.Random) -> End:
    company.stops_imap()
    return company.starts_imap


def receiver_broken(company: StormCompany, _chance: random.Random) -> End:
    company.receiver.down = True
    return lambda: setattr(company.receiver, "down", False)


SURROUNDINGS: Mapping[str, Callable[[StormCompany, random.Random], End]] = {
    f.__name__: f
    for f in (
        locked, full, wrong_clock, time_passes, reloaded, command, caught_up, lines_cut, imap_away,
        receiver_broken,
    )
}  # fmt: skip


def killed(company: StormCompany, _chance: random.Random) -> End:
    """The service dies at any moment, and is started again."""
    company.kills()
    return lambda: None
