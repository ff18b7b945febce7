"""The safety limit: a first run that would change much asks before its first write."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cli_kit import Desk, caught_up, days_ago
from cli_kit import run as cli_run
from company_kit import NOW
from crm_kit import make_shop

from daemon.cli.approve import command as approve
from daemon.cli.catch_up import catch_up
from daemon.cli.dry_run import dry_run
from daemon.cli.status import command as status
from daemon.ledger.lock import owned
from daemon.ledger.store import Ledger
from daemon.sync import SafetyLimit, Sync


@pytest.fixture
def office_desk(office_desk: Desk) -> Desk:
    office_desk.change(safety={"max_creates": 150})
    return office_desk


def run(at: Desk, limit: SafetyLimit | None = None, **more: Any) -> int:
    return caught_up(at, limit=limit, **more)


@pytest.mark.parametrize(
    ("creates", "touched", "persons", "objects"),
    [
        (500, 0, 0, False),
        (501, 0, 0, True),
        (0, 10, 12, False),  # a few are always allowed
        (0, 11, 12, True),
        (0, 30, 100, False),
        (0, 31, 100, True),
        (0, 31, None, False),  # too many to be counted
    ],
)
def test_the_limit_objects_to_too_much(
    creates: int, touched: int, persons: int | None, objects: bool
) -> None:
    assert (SafetyLimit().objection(creates, touched, persons) is not None) == objects


def test_a_first_run_that_would_create_too_much_stops_before_its_first_write(
    read_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = read_desk.wiring().safety_limit()

    assert run(read_desk, limit) == 2
    told = capsys.readouterr().err
    assert "the first run would create 223 records" in told
    assert "more than the 150 of safety.max_creates" in told
    assert "--yes" in told
    assert "--max-creates 223" in told
    assert read_desk.writes() == 0

    assert run(read_desk, limit, sync_only=True) == 2  # asking again is no consent
    assert read_desk.writes() == 0

    assert run(read_desk, limit, sync_only=True, granted=219) == 2  # one short
    assert read_desk.writes() == 0

    assert run(read_desk, limit, sync_only=True, granted=223) == 0
    assert len(read_desk.acts.every("persons")) == 79
    person = read_desk.acts.every("persons")[0]
    assert len(person["custom_fields"]) >= 2  # the fields that were held back came in time


def test_a_run_without_anything_to_create_is_never_asked(read_desk: Desk) -> None:
    assert run(read_desk, None) == 0
    read_desk.change(safety={"max_creates": 1})
    writes = read_desk.writes()

    assert run(read_desk, read_desk.wiring().safety_limit()) == 0
    assert read_desk.writes() == writes


def test_records_of_an_earlier_trial_are_no_consent(office_desk: Desk) -> None:
    """They are adopted by their marks, and the ledger has still created nothing itself."""
    assert run(office_desk, since=days_ago(8)) == 0
    made = office_desk.writes()
    office_desk.ledger.unlink()
    limit = SafetyLimit(20)

    for _ in range(3):
        assert run(office_desk, limit) == 2
        assert office_desk.writes() == made


def test_an_archive_that_is_dragged_in_later_waits_and_is_created_when_approved(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(office_desk, SafetyLimit(60), since=days_ago(8)) == 0
    people = len(office_desk.acts.every("persons"))
    with Ledger.open(office_desk.ledger) as ledger, ledger.transaction("days later"):
        ledger.rows("DELETE FROM creates")
        two_days_ago = f"{NOW - timedelta(days=2):%Y-%m-%dT%H}"
        ledger.rows("INSERT INTO creates VALUES (?, 4, 0)", two_days_ago)
    capsys.readouterr()

    assert run(office_desk, SafetyLimit(20)) == 2  # as many as five times four

    told = capsys.readouterr().err
    assert "the next pass would create" in told
    assert "more than the 20 of safety.max_creates" in told
    assert "tokens" in told
    assert "mail2deal approve" in told
    assert len(office_desk.acts.every("persons")) == people
    assert cli_run(status, office_desk.wiring()) == 1
    assert "approval since" in capsys.readouterr().out

    assert cli_run(approve, office_desk.wiring(), "--yes") == 0
    assert run(office_desk, SafetyLimit(20), sync_only=True) == 0
    assert len(office_desk.acts.every("persons")) == 79
    assert cli_run(status, office_desk.wiring()) == 0
    approved = office_desk.rows("SELECT sum(n) AS n, sum(approved) AS approved FROM creates")[0]
    assert approved["n"] == approved["approved"] + 4  # the approved ones are no new measure


def test_who_writes_now_is_a_lead_while_an_archive_waits(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    shop.sync_ = Sync(replace(shop.sync_.session, limit=SafetyLimit(20)))
    shop.hears("ada@acme.com")
    shop.sync()
    long_ago = shop.clock.now - timedelta(days=90)
    for number in range(10):
        shop.hears(f"old@firm{number}.com", at=long_ago)
    shop.hears("eve@beta.com")

    pushed = shop.sync_.sync()

    assert pushed.asks is not None
    assert "would create 33 records" in str(pushed.asks)
    people = {person["emails"][0] for person in shop.shown()["persons"]}
    assert people == {"ada@acme.com", "eve@beta.com"}
    assert len(shop.acts.every("leads")) == 2

    # Many at once who write now are a flood themselves.
    for number in range(12):
        shop.hears(f"new@shop{number}.com")
    shop.sync_.sync()
    assert len(shop.acts.every("leads")) == 2


def test_five_times_the_busiest_day_is_usual() -> None:
    limit = SafetyLimit(20)
    assert limit.to_creates(100, first=False, busiest=20) is None
    assert limit.to_creates(101, first=False, busiest=20) is not None
    assert limit.to_creates(60, first=False, today=41, busiest=20) is not None
    assert "5 times the 20" in str(limit.to_creates(101, first=False, busiest=20))


def test_an_approval_of_a_number_is_used_up(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger, ledger.transaction("test"):
        ledger.approvals.give("test", 2, NOW)
        for number in range(3):
            ledger.rows(
                "INSERT INTO journal (kind, key, action, stage, fields, rank, state, version,"
                " planned_at) VALUES ('person', ?, 'create', 1, '{}', '1', 'sending', 1, '')",
                str(number),
            )
            ledger.rows(
                "UPDATE journal SET state = 'done', done_at = '2026-11-24T08:30:00Z'"
                " WHERE state = 'sending'"
            )
        counted = ledger.approvals.counted(NOW)
        assert (counted.left, counted.today, counted.busiest) == (0, 1, 1)


def test_a_first_run_that_would_touch_many_known_people_asks(
    read_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    run(read_desk, SafetyLimit(1))
    with_person = [
        row["sender"] for row in read_desk.rows("SELECT sender FROM waiting WHERE kind = 'person'")
    ]
    for number, address in enumerate(with_person[:20]):
        read_desk.acts.add_person(f"Known {number}", address)
    read_desk.forget_listings()
    capsys.readouterr()

    assert run(read_desk, SafetyLimit(500)) == 2

    assert "would write to 20 of the 20 persons" in capsys.readouterr().err
    assert read_desk.writes() == 0

    assert run(read_desk, SafetyLimit(500), granted=10_000) == 2  # a number is no word on persons
    assert run(read_desk, SafetyLimit(500), granted="all") == 0


def test_persons_that_carry_our_marks_are_no_strangers_to_a_new_ledger(read_desk: Desk) -> None:
    assert run(read_desk) == 0
    read_desk.ledger.unlink()  # lost; Pipedrive holds what it made

    assert run(read_desk, read_desk.wiring().safety_limit()) == 0


def test_the_dry_run_says_beforehand_that_the_real_run_will_ask(
    read_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    dry_run(read_desk.wiring(), since=None, mailbox=None, sync_only=False, as_json=True, html=None)

    asks = json.loads(capsys.readouterr().out)["asks"]
    assert "the first run would create 223 records" in asks
    assert "--yes" in asks


def test_a_word_given_beside_a_running_service_is_kept_for_it(read_desk: Desk) -> None:
    wiring = read_desk.wiring()
    run(read_desk, wiring.safety_limit())
    wiring.stop.set()  # one look at the service is enough
    with owned(read_desk.ledger, "mail2deal") as ledger:
        catch_up(
            wiring,
            since=None,
            mailbox=None,
            intake_only=False,
            sync_only=False,
            limit=wiring.safety_limit(),
            granted="all",
        )

        service = Sync(read_desk.wiring().session(ledger, None, limit=wiring.safety_limit()))
        assert service.sync().writes > 0
