"""Every fault at every kind of write: once the API is well again, the CRM is as if it always was."""

import random
import re
import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from postbox import START
from world import World

from daemon.errors import Problem
from daemon.rules.deals import DealRules
from daemon.sandbox.crm import Fault, Server
from daemon.sandbox.crm import Settings as Company

FAULTS = {
    "answer dropped after the work": Fault("drop"),
    "dropped before the work": Fault("drop", when="before"),
    "reset after the work": Fault("reset"),
    "reset before the work": Fault("reset", when="before"),
    "timeout after the work": Fault("timeout"),
    "timeout before the work": Fault("timeout", when="before"),
    "500 after the work": Fault("error", status=500),
    "500 before the work": Fault("error", status=500, when="before"),
    "502 twice": Fault("error", status=502, count=2, when="before"),
    "503 after the work": Fault("error", status=503),
    "JSON cut off": Fault("truncate"),
    "body shorter than announced": Fault("short"),
    "success: false after the work": Fault("unsuccessful"),
    "429 storm": Fault("rate_limit", count=12),
    "403 of the gate": Fault("blocked"),
    "slow": Fault("slow", seconds=3),
}
# One of each way to fail: before the work, after it, with half an answer, and by refusing.
FEW = ("dropped before the work", "500 after the work", "JSON cut off", "429 storm")
WRITES = {
    "person field": ("POST", "/personFields$"),
    "deal field": ("POST", "/dealFields$"),
    "organization": ("POST", "/organizations$"),
    "person": ("POST", "/persons$"),
    "lead": ("POST", "/leads$"),
    "deal": ("POST", "/deals$"),
    "activity": ("POST", "/activities$"),
    "conversion": ("POST", "/convert/deal$"),
    "fields of a person": ("PATCH", "/persons/"),
    "move of a meeting": ("PATCH", "/activities/"),
    "archiving of a lead": ("PATCH", "/leads/"),
    "participant": ("POST", "/participants$"),
}
SHARED = DealRules("organization")
CONVERTS = Company(burst=False, plan="ultimate", seats=4, search_lag=60)
DOES_NOT = Company(burst=False, plan="ultimate", seats=4, search_lag=60, conversion_ends="failed")


def _long_unless_few(name: str) -> Any:
    return name if name in FEW else pytest.param(name, marks=pytest.mark.long)


def live(world: World) -> None:
    """Two leads of one firm, a deal by reply and a meeting; then a lead answers, a meeting moves.

    Colleagues share a deal, so the other lead joins that of the first.
    """
    world.receives("Ada <ada@acme.example>")
    asked = world.sends("bob@beta.example")
    world.receives("bob@beta.example", answers=asked)
    world.sends("cyd@gmail.com")
    world.invites("cyd@gmail.com", "m1")
    world.receives("abe@acme.example")
    _settle(world)
    asked = world.sends("ada@acme.example", answers=1)
    world.receives("ada@acme.example", answers=asked)
    world.invites("cyd@gmail.com", "m1", sequence=1, starts_at=START + timedelta(days=90))
    _settle(world)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    seen = {}
    for name, company in (("converts", CONVERTS), ("does not", DOES_NOT)):
        world = World(tmp_path_factory.mktemp("undisturbed"), company, deals=SHARED)
        live(world)
        seen[name] = world.crm(), sorted(world.writes())
    return seen


def test_the_scenario_makes_every_kind_of_write(undisturbed: dict[str, Any]) -> None:
    writes = undisturbed["converts"][1] + undisturbed["does not"][1]
    for method, path in WRITES.values():
        assert any(w.startswith(method) and re.search(path, w) for w in writes), path


@pytest.mark.parametrize(
    "faults", [FEW, pytest.param(tuple(FAULTS), marks=pytest.mark.long)], ids=["few", "all"]
)
@pytest.mark.parametrize("write", WRITES)
def test_a_fault_at_a_write_changes_nothing_in_the_end(
    write: str, faults: tuple[str, ...], undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    company = "does not" if write == "archiving of a lead" else "converts"
    method, path = WRITES[write]
    for number, name in enumerate(faults):
        home = tmp_path / str(number)
        home.mkdir()
        world = World(home, DOES_NOT if company == "does not" else CONVERTS, deals=SHARED)
        world.timeout = (5, 1)
        world.sandbox.faults.add(_at(FAULTS[name], method, path))
        live(world)
        assert world.sandbox.faults.left() == (), name
        assert world.doubled() == [], name
        assert world.crm() == undisturbed[company][0], name


@pytest.mark.parametrize("fault", [_long_unless_few(name) for name in FAULTS if name != "slow"])
def test_a_fault_at_any_read_changes_nothing_in_the_end(
    fault: str, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    for skip in (0, 7):
        home = tmp_path / str(skip)
        home.mkdir()
        world = World(home, CONVERTS, deals=SHARED)
        world.sandbox.faults.add(_at(FAULTS[fault], "GET", ".*", skip=skip, count=4))
        live(world)
        assert world.doubled() == []
        assert world.crm() == undisturbed["converts"][0]


@pytest.mark.parametrize("fault", [_long_unless_few(name) for name in FAULTS])
@pytest.mark.parametrize("write", ["lead"])
def test_a_fault_on_a_real_line_changes_nothing_in_the_end(
    write: str, fault: str, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    world = World(tmp_path, CONVERTS, deals=SHARED)
    # Given up on before the work is done, it would be done after it was looked for.
    world.timeout = (10, 2 if fault.startswith("timeout") else 10)
    seconds = 0.1 if fault == "slow" else 0.0
    world.sandbox.faults.add(_at(FAULTS[fault], *WRITES[write], seconds=seconds))
    with Server(world.sandbox) as server:
        world.url = server.url
        live(world)
    assert world.doubled() == []
    assert world.crm() == undisturbed["converts"][0]


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 2, 3))])
def test_many_workers_in_a_storm_of_faults_double_and_lose_nothing(
    seed: int, tmp_path: Path
) -> None:
    def company(home: Path) -> World:
        home.mkdir()
        world = World(home, CONVERTS, workers=8, deals=SHARED)
        for number in range(24):
            who = f"person{number}@firm{number % 7}.example"
            world.receives(who)
            if number % 3 == 0:
                world.receives(who, answers=world.sends(f"{who}, person1@firm1.example"))
        return world

    calm, stormy = company(tmp_path / "calm"), company(tmp_path / "stormy")
    calm.settle()
    chance = random.Random(seed)
    for _ in range(25):
        fault = FAULTS[chance.choice(sorted(FAULTS.keys() - {"403 of the gate", "429 storm"}))]
        method, path = chance.choice([*WRITES.values(), ("GET", ".*")])
        stormy.sandbox.faults.add(_at(fault, method, path, skip=chance.randrange(9), count=1))
    _settle(stormy)
    assert stormy.doubled() == []
    stormy.sandbox.faults.clear()
    _settle(stormy)
    assert stormy.doubled() == []
    assert _unordered(stormy) == _unordered(calm)


def _unordered(world: World) -> dict[str, int]:
    return {kind: len(found) for kind, found in world.crm().items()}


def test_without_names_or_a_server_everything_waits_and_nothing_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, CONVERTS, deals=SHARED)
    with Server(world.sandbox) as server:
        world.url = server.url
        live(world)
        before = world.crm()

        def no_names(*_: object, **__: object) -> list[Any]:
            raise socket.gaierror(-3, "Temporary failure in name resolution")

        world.receives("new@delta.example")
        with monkeypatch.context() as broken:
            broken.setattr(socket, "getaddrinfo", no_names)
            with pytest.raises(Problem):
                world.round()
        assert world.crm() == before
        world.settle()
    assert world.doubled() == []
    assert any("new@delta.example" in person["emails"] for person in world.crm()["persons"])


def test_an_unknown_outcome_is_looked_up_before_anything_is_made_again(tmp_path: Path) -> None:
    world = World(tmp_path, CONVERTS, deals=SHARED)
    world.sandbox.faults.add(Fault("drop", method="POST", path="/leads$"))
    world.receives("ada@acme.example")
    world.settle()

    calls = [f"{r.method} {r.path}" for r in world.sandbox.requests]
    made = calls.index("POST /api/v1/leads")
    assert "GET /api/v1/leads" in calls[made:]
    assert calls.count("POST /api/v1/leads") == 1


def _at(fault: Fault, method: str, path: str, **changes: Any) -> Fault:

    return replace(fault, method=method, path=path, **changes)


def _settle(world: World) -> None:
    """To the next quiet point; where the program ends with an error it is started again."""
    for _ in range(20):
        try:
            world.settle()
        except Problem:
            world.clock.sleep(60)
        else:
            return
    raise AssertionError("never gets well")
