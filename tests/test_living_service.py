"""One service lives through a storm, and ends where an undisturbed one does.

The installed command, a real Dovecot, Pipedrive over HTTP, a disk of its own: faults of every kind
come and go in random order while mail arrives and people edit. Weeks later, when tasks remind people
to answer, faults come again. When they have gone, without a restart, ledger and Pipedrive are those
of a calm run, field by field. Another service is killed by SIGKILL again and again, among faults,
and started each time as systemd does. MAIL2DEAL_LIVES sets how many lives are tried, MAIL2DEAL_LIFE
how many faults of each kind there are in each. The full disk needs root, to mount one: without, a
test of its own is skipped and says so.
"""

import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from snapshots import snapshot
from storm_company import FOLLOW_UP_DAYS, StormCompany, can_mount, can_move_clocks, living
from storm_faults import PIPEDRIVE, SURROUNDINGS, End, killed
from storm_story import BEFORE, scripts, weeks_later

from daemon.sandbox.crm import duplicates
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sandbox.imap_server import installed

LIVES = int(os.environ.get("MAIL2DEAL_LIVES", "1"))
ROUNDS = int(os.environ.get("MAIL2DEAL_LIFE", "1"))
STRANGERS = 12
HOUR = 3600.0
PATIENCE = 300  # seconds: the machine may be busy with other tests
EXIT_STATUS = {0, 1, 2, 75}  # 2: a catch-up that is told of a refused token

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(0),
    pytest.mark.skipif(not can_move_clocks(), reason="apt install libfaketime"),
    pytest.mark.skipif("dovecot" not in installed(), reason="Dovecot 2.3 isn't installed"),
]


def until(condition: Callable[[], object], company: StormCompany, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert company.process.poll() is None, "the service has ended"
        assert time.monotonic() < end, f"{what}: {_waits(company)}"
        time.sleep(0.05)


def _waits(company: StormCompany) -> Any:
    return company.rows("SELECT * FROM waiting"), company.rows("SELECT * FROM problems")


def lives_on(company: StormCompany) -> None:
    """The rest of the story, and two days with nothing new."""
    looks = count(1)

    def told() -> bool:
        if next(looks) % 40 == 0:
            company.passes(8 * HOUR)  # what was refused is tried again by itself
        return not company.goes_on(8)

    until(told, company, "the story doesn't end")
    for seconds in (1200.0, 7 * HOUR, 25 * HOUR, 25 * HOUR):
        company.passes(seconds)
        since = f"{datetime.fromtimestamp(company.now() - 5, UTC):%Y-%m-%dT%H:%M:%SZ}"
        until(partial(is_quiet, company, since), company, "it never rests")


def is_quiet(company: StormCompany, since: str) -> bool:
    """Whether a pass has ended well since then, and nothing is due."""
    passed = company.rows(
        "SELECT 1 FROM conditions WHERE part = 'sync' AND good_at >= ? AND failing_since IS NULL",
        since,
    )
    due = company.rows("SELECT 1 FROM senders WHERE version > synced_version")
    return (
        bool(passed)
        and not due
        and not company.rows(
            "SELECT 1 FROM journal WHERE state IN ('planned', 'sending')"
            " OR (state <> 'done' AND not_before <= ?)",
            f"{datetime.fromtimestamp(company.now(), UTC):%Y-%m-%dT%H:%M:%SZ}",
        )
    )


def storms(company: StormCompany, chance: random.Random, kinds: list[str]) -> None:
    """Each of these misfortunes, some at a time, while the story goes on."""
    running: list[tuple[float, End]] = []
    for kind in kinds:
        begin: Any = PIPEDRIVE.get(kind) or SURROUNDINGS.get(kind, killed)
        subject = company.sandbox if kind in PIPEDRIVE else company
        length = chance.uniform(20, 45) if kind == "locked" and ROUNDS > 1 else chance.uniform(1, 5)
        running.append((time.monotonic() + length, begin(subject, chance)))
        pause = time.monotonic() + chance.uniform(0.5, 2.0)
        while time.monotonic() < pause or len(running) > 3:
            company.goes_on(1)
            time.sleep(0.1)
            for one in [one for one in running if one[0] <= time.monotonic()]:
                running.remove(one)
                one[1]()
        assert company.process.poll() is None, f"the service has ended at {kind}"
    for _, end in running:
        end()


LEDGER = {
    "senders": "SELECT address, class, reason, msg_count, sent_count, replies, meetings,"
    " thread_count, first_contact, last_contact, avg_response_hours, organization, name"
    " FROM senders ORDER BY address",
    "messages": "SELECT message_id, direction, verdict, reason, from_address, subject, snippet,"
    " sent_at FROM messages ORDER BY message_id",
    # Of a part only whose it is: the ids of deals differ.
    "records": "SELECT kind, iif(kind = 'participant', substr(key, instr(key, ' ')), key) AS whose,"
    " origin, tombstone FROM records ORDER BY kind, whose",
    "journal": "SELECT kind, key, action, state, last_error FROM journal WHERE state <> 'done'",
    "not visible": "SELECT * FROM not_visible",
    "resting": "SELECT * FROM resting",
    "problems": "SELECT part, name, reason FROM problems",
}


def outcome(company: StormCompany) -> dict[str, Any]:
    """All that two lives of the same story have in common at their end."""
    shown = snapshot(company.sandbox)
    for activity in shown["activities"]:
        if activity["person"] in BEFORE:  # their person gets its organization before or after
            activity["org"] = None
    return {
        **{f"Pipedrive's {kind}": rows for kind, rows in shown.items()},
        **{f"the ledger's {name}": company.rows(sql) for name, sql in LEDGER.items()},
        "events": sorted(set(company.receiver.told())),
        "doubled": duplicates(company.sandbox),
    }


def sound(company: StormCompany) -> None:
    """Whatever has happened: nobody crashed, nobody told a secret, and all is well by now."""
    said = company.said()
    logs = [company.service.log(), *(text for _, text in said.values())]
    assert not [text for text in logs if "Traceback" in text or DEFAULT_TOKEN in text]
    assert {name: one for name, one in said.items() if one[0] not in EXIT_STATUS} == {}
    status = company.service.beside("status")
    assert status.returncode == 0, status.stdout + status.stderr


def life(home: Path, base: datetime, *storms: Callable[[StormCompany], None]) -> dict[str, Any]:
    """What came of one: of two storms, in the first days and weeks later."""
    with living(home, base, disk=can_mount(home.parent)) as company, company.running():
        until(company.service.logged("service.ready"), company, "it doesn't start")
        acts = ((0.0, scripts(STRANGERS)), (FOLLOW_UP_DAYS * 24 * HOUR, weeks_later()))
        for (later, story), storm in zip(acts, storms, strict=True):
            company.passes(later)
            company.plays(story)
            storm(company)
            lives_on(company)
        sound(company)
        return outcome(company)


def _apart(what: str, calm: list[Any], stormy: list[Any]) -> list[str]:
    """What only one of two lives has."""
    only_calm = [f"calm: {what}: {row}" for row in calm if calm.count(row) > stormy.count(row)]
    return only_calm + [
        f"storm: {what}: {row}" for row in stormy if stormy.count(row) > calm.count(row)
    ]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[datetime, dict[str, Any]]:
    """When a calm life began, and what came of it."""
    base = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=4)
    found = life(tmp_path_factory.mktemp("calm") / "life", base, *[lambda _: None] * 2)
    assert found["the ledger's problems"] == found["doubled"] == []
    assert sum(row["type"] == "task" for row in found["Pipedrive's activities"]) > STRANGERS
    assert any(deal["participants"] for deal in found["Pipedrive's deals"])
    return base, found


def compare(calm: dict[str, Any], stormy: dict[str, Any]) -> None:
    apart = [line for what, rows in calm.items() for line in _apart(what, rows, stormy[what])]
    assert not apart, "\n".join(apart)


def _without_disk(kinds: list[str], home: Path) -> list[str]:
    return kinds if can_mount(home) else [kind for kind in kinds if kind != "full"]


def test_the_storms_fill_the_disk(tmp_path: Path) -> None:
    if not can_mount(tmp_path):
        pytest.skip("only root may mount a disk of its own: no storm here fills one")
    assert "full" in _without_disk([*PIPEDRIVE, *SURROUNDINGS], tmp_path)


@pytest.mark.parametrize("seed", range(LIVES))
def test_a_service_that_lives_through_a_storm_ends_where_a_calm_one_does(
    seed: int, tmp_path: Path, calm: tuple[datetime, dict[str, Any]]
) -> None:
    chance = random.Random(seed)
    kinds = _without_disk([*PIPEDRIVE, *SURROUNDINGS] * ROUNDS, tmp_path)
    chance.shuffle(kinds)
    again = chance.sample(kinds, 10)

    stormy = life(
        tmp_path / "storm", calm[0],
        lambda company: storms(company, chance, kinds),
        lambda company: storms(company, chance, again),
    )  # fmt: skip

    compare(calm[1], stormy)


@pytest.mark.parametrize("seed", range(LIVES))
def test_a_service_that_is_killed_again_and_again_ends_where_a_calm_one_does(
    seed: int, tmp_path: Path, calm: tuple[datetime, dict[str, Any]]
) -> None:
    chance = random.Random(f"killed {seed}")
    kinds = [*PIPEDRIVE, *["killed"] * 10 * ROUNDS]
    chance.shuffle(kinds)

    stormy = life(
        tmp_path / "storm", calm[0],
        lambda company: storms(company, chance, kinds),
        lambda company: storms(company, chance, ["killed"] * 5 * ROUNDS),
    )  # fmt: skip

    compare(calm[1], stormy)
