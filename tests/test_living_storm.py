"""One program lives through a storm of faults, and ends where an undisturbed one does.

No restart: the same Sync on the same ledger meets broken lines, odd answers, refusals, redirects, a
locked ledger, a clock that jumps by a day and records that it can't see. When all that is over, no
record exists twice, nothing waits, and there are as many records of each kind as in a calm run.
MAIL2DEAL_STORMS sets how many storms are tried.
"""

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from world import World

from daemon.errors import Problem
from daemon.sandbox.crm import Fault, Switches
from daemon.sandbox.crm import Settings as Company

STORMS = int(os.environ.get("MAIL2DEAL_STORMS", "3"))
COMPANY = Company(burst=False, plan="ultimate", seats=4, search_lag=60)
WRITES = "POST|PATCH|DELETE"
MAILS = 16


def mail(world: World, number: int) -> None:
    """The same mail in every storm: strangers, regulars, answers, invitations."""
    who = f"p{number % 7}@firm{number % 5}.example"
    if number % 6 == 5:
        world.sends(who, answers=max(1, number - 4))
    elif number % 11 == 7:
        world.invites(who, f"meeting-{number}")
    else:
        world.receives(who, answers=number - 1 if number % 4 == 3 else None)


def broken(chance: random.Random) -> Fault:
    kind = chance.choice(["drop", "reset", "timeout", "error", "truncate", "short", "unsuccessful"])
    return Fault(
        kind,  # type: ignore[arg-type]
        when=chance.choice(["before", "after"]),
        method=chance.choice([WRITES, ".*"]),
        skip=chance.randrange(6),
        count=chance.randrange(1, 5),
        status=chance.choice([500, 502, 503]),
    )


def odd(chance: random.Random) -> Fault:
    shapes = ["null", "missing", "swapped", "keyless", "nulls", "scalar", "bare", "array", "html"]
    shape: Any = chance.choice(shapes)
    return Fault("shape", method=chance.choice([WRITES, ".*"]), skip=chance.randrange(6),
                 count=chance.randrange(1, 4), shape=shape)  # fmt: skip


def refused(chance: random.Random) -> Fault:
    return Fault("refuse", method="POST", skip=chance.randrange(6), count=chance.randrange(1, 6),
                 status=chance.choice([402, 403]))  # fmt: skip


def moved(chance: random.Random) -> Fault:
    return Fault("redirect", method=WRITES, skip=chance.randrange(4), count=chance.randrange(1, 9))


def storm(world: World, chance: random.Random) -> Callable[[], None]:
    """One misfortune; what ends it."""
    match chance.randrange(8):
        case 0 | 1 | 2 | 3 as which:
            world.sandbox.faults.add((broken, odd, refused, moved)[which](chance))
            return world.sandbox.faults.clear
        case 4:
            other = sqlite3.connect(world.path, check_same_thread=False)
            if world.path.exists() and world.number > 1:
                other.execute("PRAGMA busy_timeout = 0")
                with suppress(sqlite3.OperationalError):
                    other.execute("BEGIN IMMEDIATE")
            return other.close
        case 5:
            world.ahead = chance.choice([timedelta(days=1), timedelta(days=-1)])
            return lambda: setattr(world, "ahead", timedelta())
        case 6:
            persons = world.acts.every("persons")
            if not persons:
                return lambda: None
            hidden, switches = chance.choice(persons)["id"], Switches(world.sandbox)
            world.sandbox.change(hidden_status=chance.choice([403, 404]))
            switches.hide("persons", hidden)
            return lambda: switches.show("persons", hidden)
        case _:
            world.sandbox.change(list_lag=8.0, read_lag=0.5)
            return lambda: world.sandbox.change(list_lag=0.0, read_lag=0.0)


def calm(world: World) -> None:
    for number in range(1, MAILS + 1):
        mail(world, number)
    for _ in range(3):
        world.settle()


def seen(world: World) -> dict[str, list[Any]]:
    """What people see, without what the time of a run decides."""
    return {kind: sorted(map(_plain, rows)) for kind, rows in world.crm().items()}


def _plain(row: dict[str, Any]) -> str:
    kept = {k: v for k, v in row.items() if k not in {"id", "lead", "add_time", "is_archived"}}
    return repr(sorted(kept.items(), key=lambda item: item[0]))


@pytest.mark.parametrize("seed", range(STORMS))
def test_a_program_that_lives_through_a_storm_ends_where_a_calm_one_does(
    seed: int, tmp_path: Path
) -> None:
    undisturbed, world = (
        World(_home(tmp_path, "calm"), COMPANY),
        World(_home(tmp_path, "storm"), COMPANY),
    )
    undisturbed.stays = world.stays = True
    calm(undisturbed)
    chance = random.Random(seed)
    mail(world, 1)
    world.round()
    for number in range(2, MAILS + 1):
        mail(world, number)
        over = storm(world, chance)
        with suppress(Problem):
            world.round()
        world.clock.sleep(chance.choice([1, 60, 1800]))
        with suppress(Problem):
            world.round()
        over()
    for _ in range(4):
        world.settle()

    assert world.doubled() == []
    with world.ledger() as ledger:
        open_rows = ledger.rows(
            "SELECT kind, key, state, last_error FROM journal WHERE state <> 'done'"
        )
        assert open_rows == []
        assert ledger.rows("SELECT * FROM not_visible") == []
        assert ledger.resting.all() == {}
    mine, theirs = seen(world), seen(undisturbed)
    assert {k: len(v) for k, v in mine.items()} == {k: len(v) for k, v in theirs.items()}
    for one in (world, undisturbed):
        one.end()
        one.sandbox.close()


def _home(path: Path, name: str) -> Path:
    (path / name).mkdir()
    return path / name
