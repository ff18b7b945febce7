"""What fails stands in the ledger, and everything that tells how the program is reads it there."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli_kit import Desk, caught_up, run

from daemon.cli.status import command as status
from daemon.ledger.lock import Lock
from daemon.ledger.store import Ledger
from daemon.sandbox.crm import Fault
from daemon.service.health import exit_status_of, health, summary

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def shown(at: Desk, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    done = run(status, at.wiring())
    return done, capsys.readouterr().out


def test_after_a_good_run_all_is_well(read_desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert caught_up(read_desk) == 0

    done, text = shown(read_desk, capsys)

    assert done == 0
    assert text.startswith("all is well\n")
    assert "sync: last good pass 2026-11-24T" in text
    assert run(status, read_desk.wiring(), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["problems"] == []
    assert found["sync"]["failing_since"] is None
    assert found["budget"]["daily"] == 210_000  # as the server says


def test_a_refused_token_needs_a_person_and_is_told_with_its_beginning_and_the_next_command(
    read_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    read_desk.sandbox.faults.add(Fault("error", status=401, when="before", count=None))
    assert caught_up(read_desk) == 2
    first = read_desk.rows("SELECT * FROM problems")
    assert caught_up(read_desk) == 2

    done, text = shown(read_desk, capsys)

    assert done == 1
    assert text.startswith("needs you:\n  sync since 2026-11-24 ")
    assert "→ mail2deal check" in text
    again = read_desk.rows("SELECT * FROM problems")
    assert [row["since"] for row in again] == [row["since"] for row in first]

    read_desk.sandbox.faults.clear()
    assert caught_up(read_desk) == 0
    assert shown(read_desk, capsys)[0] == 0


def test_errors_of_pipedrive_are_told_as_failing(
    read_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    read_desk.sandbox.faults.add(Fault("error", status=500, when="before", count=None))
    assert caught_up(read_desk) == 75

    done, text = shown(read_desk, capsys)

    assert done == 75
    assert text.startswith("fails, and is tried again by itself:\n  sync since")


def a_ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "ledger.db")


def test_what_needs_a_person_comes_first_then_what_fails_then_notes(tmp_path: Path) -> None:
    with a_ledger(tmp_path) as ledger:
        with ledger.transaction("test"):
            ledger.conditions.failed("budget", "spent", NOW, next_try=NOW + timedelta(hours=3))
            ledger.conditions.failed("listing", "500", NOW, "deal")
            ledger.conditions.failed("approval", "520 records", NOW, needs_person=True)
            ledger.troubles.failed("sales", "refused", None, NOW)
            ledger.troubles.failed("support", "away", NOW + timedelta(minutes=5), NOW)
            ledger.set("clock_offset_s", -90)
        lines = health(ledger, NOW)
        assert [(line.weight, line.part, line.name) for line in lines] == [
            ("person", "approval", ""),
            ("person", "mailbox", "sales"),
            ("failing", "listing", "deal"),
            ("failing", "mailbox", "support"),
            ("note", "budget", ""),
            ("note", "clock", ""),
        ]
        assert all(line.do for line in lines if line.weight == "person")
        assert exit_status_of(lines) == 1
        assert exit_status_of(lines[2:]) == 75
        assert exit_status_of(lines[4:]) == 0
        assert "approval since 2026-11-24 12:00: 520 records (and 3 more" in summary(lines)
        assert "90 s behind Pipedrive's" in str(lines[-1])


@pytest.mark.parametrize(("minutes", "seen"), [(4, 0), (6, 1)])
def test_a_change_without_an_answer_for_five_minutes_is_a_problem(
    tmp_path: Path, minutes: int, seen: int
) -> None:
    with a_ledger(tmp_path) as ledger:
        sent = datetime.now(UTC) - timedelta(minutes=minutes)
        with ledger.transaction("test"):
            ledger.rows(
                "INSERT INTO journal (kind, key, action, stage, fields, rank, state, version,"
                " planned_at, sending_since) VALUES ('person', 'a', 'create', 1, '{}', '1',"
                " 'sending', 1, '', ?)",
                f"{sent:%Y-%m-%dT%H:%M:%SZ}",
            )
        assert len([one for one in health(ledger, NOW) if one.part == "in flight"]) == seen


def test_changes_that_wait_while_no_service_runs_are_told(tmp_path: Path) -> None:
    with a_ledger(tmp_path) as ledger:
        with ledger.transaction("test"):
            ledger.conditions.good("sync", NOW - timedelta(hours=1))
            ledger.rows(
                "INSERT INTO journal (kind, key, action, stage, fields, rank, state, version,"
                " planned_at) VALUES ('person', 'a', 'create', 1, '{}', '1', 'planned', 1, '')"
            )
        assert [line.part for line in health(ledger, NOW)] == ["service"]
        lock = Lock(ledger.path)
        lock.acquire("mail2deal")
        try:
            assert lock.is_held()
            assert (lock.holder() or "").startswith("mail2deal (pid")
            assert health(ledger, NOW) == []
        finally:
            lock.release()
        assert not lock.is_held()


def test_a_ledger_of_an_older_version_is_told_as_such(tmp_path: Path, office_desk: Desk) -> None:
    with a_ledger(tmp_path) as ledger, ledger.transaction("older"):
        ledger.rows("DROP VIEW problems")
    done = subprocess.run(
        office_desk.command("status"), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "older version" in done.stderr
    assert "Traceback" not in done.stderr
