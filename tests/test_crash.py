"""kill -9 at every step, then a restart: the same ledger and the same CRM as without the kill.

`make test` kills at each twentieth step, `make test-all` at each; MAIL2DEAL_CRASH_CASTS makes the scenario so many times as large.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from acts import Acts
from crash.rig import COMPANY, DIED, Home, Rig, crm, ledger
from crash.scenario import Day, days
from postbox import WE

from daemon.rules.case import Policy
from daemon.rules.classify import Rules
from daemon.sandbox.crm import Sandbox, Server
from daemon.sandbox.imap_server import installed, start_imap

CASTS = int(os.environ.get("MAIL2DEAL_CRASH_CASTS", "1"))


@pytest.fixture
def rig() -> Iterator[Rig]:
    if "dovecot" not in installed():
        pytest.skip("Dovecot 2.3 isn't installed")
    memory = Path("/dev/shm")  # noqa: S108 - every commit waits for the disk, else
    work = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    with start_imap("dovecot", users={WE: "secret"}, connections=1000) as server:
        yield Rig(server, work)
    shutil.rmtree(work)


def begin(rig: Rig, home: Home, day: Day) -> float:
    """Let the day's mail arrive and people do their part; the time when it begins."""
    for folder, raw, at in day.mails:
        rig.server.deliver(WE, folder, raw, at)
    rig.clock.set(rig.clock.seconds() + day.hours * 3600)
    _act(rig, home, day)
    return rig.clock.seconds()


@pytest.mark.timeout(900 * CASTS**2)
@pytest.mark.parametrize("each", [20, pytest.param(1, marks=pytest.mark.long)])
def test_kill_at_every_step_changes_nothing(
    each: int,
    rig: Rig,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = Home(rig.work / "company")
    home.path.mkdir()
    names: Counter[str] = Counter()
    for number, day in enumerate(days(CASTS), 1):
        starts_at = begin(rig, home, day)
        before = home.copy(rig.work / "before")
        log = rig.work / f"steps-{number}"
        with rig.pipedrive(home) as port:
            assert rig.run(home, port, log=log) == 0, rig.said()
        done_at = rig.clock.seconds()
        wanted = crm(home), ledger(home.ledger)
        steps = [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
        names.update(steps[number % each :: each])
        for step in range(1 + number % each, len(steps) + 1, each):
            rig.clock.set(starts_at)
            killed = before.copy(rig.work / "killed")
            with rig.pipedrive(killed) as port:
                assert rig.run(killed, port, kill_at=step) == DIED
                assert rig.run(killed, port) == 0, rig.said()
            where = f"day {number}, killed at step {step}: {steps[step - 1]}"
            assert crm(killed) == wanted[0], where
            assert ledger(killed.ledger) == wanted[1], where
        rig.clock.set(done_at)
    with capsys.disabled():
        total = f" {names.total()} steps of {len(names)} kinds: {dict(names)} "
        print(total, end="")  # noqa: T201 - how many were tried is part of the result
    record_property("steps", names.total())


# A start that lists all of Pipedrive, as each day does, takes up to 17 steps until that is kept.
@pytest.mark.parametrize("every", [19, pytest.param(23, marks=pytest.mark.long)])
def test_dying_again_and_again_it_still_gets_done(every: int, rig: Rig) -> None:
    steady, dying = Home(rig.work / "steady"), Home(rig.work / "dying")
    steady.path.mkdir()
    deaths = 0
    for number, day in enumerate(days(), 1):
        begun = begin(rig, steady, day)
        if number == 1:
            steady.copy(dying.path)
        else:
            _act(rig, dying, day)
        with rig.pipedrive(steady) as port:
            assert rig.run(steady, port) == 0, rig.said()
        ended = rig.clock.seconds()
        rig.clock.set(begun)
        with rig.pipedrive(dying) as port:
            while rig.run(dying, port, kill_at=every) == DIED:
                deaths += 1
                assert deaths < 200
            # A field that was made last shows its values with the next statistics.
            rig.clock.wait(Policy(Rules()).fields_every.total_seconds())
            assert rig.run(dying, port) == 0, rig.said()
        assert crm(dying) == crm(steady)
        assert ledger(dying.ledger) == ledger(steady.ledger)
        rig.clock.set(max(ended, rig.clock.seconds()))
    assert deaths > 5


def test_a_real_process_is_killed_where_the_environment_says(rig: Rig) -> None:
    home = Home(rig.work / "company")
    home.path.mkdir()
    begin(rig, home, days()[0])
    sandbox = Sandbox(home.store, settings=COMPANY)
    with Server(sandbox) as server:
        config = home.configure(rig.server, server.port)
        statuses = []
        for kill_at in (9, 30, 0):
            environment = os.environ | {
                "MAIL2DEAL_KILL_AT": str(kill_at),
                "PYTHONPATH": str(Path(__file__).parent.parent),
            }
            command = [sys.executable, "-m", "daemon", "--config", str(config), "--catch-up"]
            done = subprocess.run([*command, "--yes"], env=environment, check=False)
            statuses.append(done.returncode)
    sandbox.close()
    assert statuses == [DIED, DIED, 0]
    made = crm(home)["made"]
    assert (made["persons"], made["leads"], made["deals"], made["activities"]) == (6, 2, 2, 7)


def _act(rig: Rig, home: Home, day: Day) -> None:
    sandbox = Sandbox(home.store, settings=COMPANY, clock=rig.clock.seconds)
    day.people(Acts(sandbox))
    sandbox.close()
