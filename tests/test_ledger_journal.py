"""The journal: what is on its way, taken over by newer plans, never closed by an older answer."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from world import World

from daemon.ledger.journal import JournalRow
from daemon.ledger.store import Ledger
from daemon.rules.records import Change
from daemon.sandbox.crm import Fault
from daemon.sandbox.crm import Settings as Company

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


def change(kind: str = "person", action: Any = "create", **fields: Any) -> Change:
    return Change(kind, "ada@acme.example", action, fields, "2", "ada@acme.example")  # type: ignore[arg-type]


def planned(ledger: Ledger, one: Change) -> JournalRow:
    with ledger.transaction("test"):
        ledger.journal.plan(one, NOW, None)
    row = ledger.journal.open_row(one.kind, one.key)
    assert row is not None
    return row


def sent(ledger: Ledger, row: JournalRow) -> None:
    with ledger.transaction("test"):
        ledger.journal.sending([row], NOW)


def test_the_same_plan_twice_is_one_row_of_one_version(ledger: Ledger) -> None:
    first = planned(ledger, change(thread_count=1))
    assert planned(ledger, change(thread_count=1)) == first


def test_a_newer_plan_takes_the_row_over(ledger: Ledger) -> None:
    first = planned(ledger, change(name="Ada", thread_count=1))
    row = planned(ledger, change(thread_count=2))

    assert row.id == first.id
    assert row.version == first.version + 1
    assert row.fields == {"name": "Ada", "thread_count": 2}


def test_an_older_answer_leaves_the_newer_plan_as_an_update(ledger: Ledger) -> None:
    older = planned(ledger, change(thread_count=1))
    sent(ledger, older)
    newer = planned(ledger, change(thread_count=2))
    assert newer.state == "sending"
    with ledger.transaction("test"):
        ledger.journal.done(older, NOW)

    (row,) = ledger.journal.ready(NOW, 9)
    assert (row.action, row.state, row.fields["thread_count"]) == ("update", "planned", 2)
    assert not row.unknown
    with ledger.transaction("test"):
        ledger.journal.done(row, NOW)
    assert ledger.backlog.counts() == {}


def test_what_was_being_sent_at_a_crash_has_an_unknown_outcome(ledger: Ledger) -> None:
    sent(ledger, planned(ledger, change()))
    with ledger.transaction("test"):
        assert ledger.journal.recover(NOW) == 1
    assert ledger.journal.ready(NOW, 9) == []

    (row,) = ledger.journal.ready(NOW + timedelta(seconds=10), 9)
    assert (row.unknown, row.state, row.sent_at) == (True, "waiting", NOW)


@pytest.mark.parametrize("state", ["parked", "waiting"])
def test_a_retry_forgets_neither_a_doubt_nor_a_running_conversion(
    state: str, ledger: Ledger
) -> None:
    row = planned(ledger, change("deal", "convert"))
    sent(ledger, row)
    with ledger.transaction("test"):
        ledger.journal.wait(row, None, "timeout", unknown=True, conversion="c1")
        if state == "parked":
            ledger.journal.park(row, "refused")
        assert ledger.journal.retry() == 1

    (again,) = ledger.journal.ready(NOW, 9)
    assert (again.unknown, again.conversion, again.attempts) == (True, "c1", 0)


def test_what_may_be_done_is_never_taken_back(ledger: Ledger) -> None:
    sent(ledger, planned(ledger, change("lead")))
    planned(ledger, change("person"))
    with ledger.transaction("test"):
        ledger.journal.recover(NOW)
        ledger.journal.drop_of("ada@acme.example")

    assert ledger.journal.open_row("person", "ada@acme.example") is None
    assert ledger.journal.open_row("lead", "ada@acme.example") is not None


def test_what_hangs_on_something_waits_for_it(ledger: Ledger) -> None:
    with ledger.transaction("test"):
        for kind in ("activity", "deal", "person"):
            ledger.journal.plan(change(kind), NOW, None)
        field = Change("field", "mail_key", "create", {}, "0")
        ledger.journal.plan(field, NOW, None)
    for kind in ("field", "person", "deal", "activity"):
        (row,) = ledger.journal.ready(NOW, 9)
        assert row.kind == kind
        sent(ledger, row)
        with ledger.transaction("test"):
            ledger.journal.done(row, NOW)


def test_what_hangs_on_something_postponed_is_due_no_sooner(ledger: Ledger) -> None:
    lead = planned(ledger, replace(change("lead", title="Ada"), sender="ada@acme.com"))
    with ledger.transaction("postponed"):
        ledger.journal.wait(lead, NOW + timedelta(hours=2), "away", unknown=True)
    update = replace(
        change("person", "update", thread_count=2), not_before=NOW, sender="ada@acme.com"
    )
    planned(ledger, update)

    assert ledger.journal.ready(NOW + timedelta(hours=1), 10) == []
    assert ledger.backlog.next_due() == NOW + timedelta(hours=2)


def test_a_field_that_can_not_be_made_does_not_hold_everything_for_ever(ledger: Ledger) -> None:
    planned(ledger, Change("field", "mail_key", "create", {}, "0"))
    planned(ledger, change())
    for _ in range(5):
        row = ledger.journal.open_row("field", "mail_key")
        assert row is not None
        assert next(r.kind for r in ledger.journal.ready(NOW, 9)) == "field"
        sent(ledger, row)
        with ledger.transaction("test"):
            ledger.journal.wait(row, NOW + timedelta(hours=1), "HTTP 500", unknown=True)
        assert ledger.journal.ready(NOW, 9) == [] or row.attempts == 4
        with ledger.transaction("test"):
            ledger.rows("UPDATE journal SET not_before = NULL WHERE kind = 'field'")
    assert {r.kind for r in ledger.journal.ready(NOW, 9)} == {"field", "person"}


LOOK_UPS = {
    "person": ("/persons$", "GET /api/v2/persons"),
    "organization": ("/organizations$", "GET /api/v2/organizations"),
    "lead": ("/v1/leads$", "GET /api/v1/leads"),
    "deal": ("/v2/deals$", "GET /api/v2/deals"),
    "activity": ("/activities$", "GET /api/v2/activities"),
    "conversion": ("/convert/deal$", "GET /api/v2/deals"),
    "field": ("/dealFields$", "GET /api/v2/dealFields"),
}


@pytest.mark.parametrize("kind", LOOK_UPS)
def test_an_unknown_outcome_is_found_by_a_list_never_by_a_search_and_never_repeated(
    kind: str, tmp_path: Path
) -> None:
    path, look_up = LOOK_UPS[kind]
    world = World(tmp_path)
    world.receives("Ada <ada@acme.example>")
    asked = world.sends("bob@beta.example")
    world.receives("bob@beta.example", answers=asked)
    if kind == "conversion":
        world.settle()
        asked = world.sends("ada@acme.example", answers=1)
        world.receives("ada@acme.example", answers=asked)
    world.sandbox.faults.add(Fault("drop", method="POST", path=path))
    world.settle()

    assert world.sandbox.faults.left() == ()
    log = world.sandbox.requests
    lost = next(i for i, r in enumerate(log) if r.fault == "drop")
    calls = [f"{r.method} {r.path}" for r in log[lost + 1 :]]
    assert look_up in calls
    made = [
        r
        for r in log
        if r.method == "POST" and (r.path, r.body) == (log[lost].path, log[lost].body)
    ]
    assert len(made) == 1
    assert not any("search" in r.path for r in log[lost:])
    assert world.doubled() == []


@pytest.mark.parametrize("seconds", [0.0, 20.0, 100.0, 600.0])
def test_a_conversion_that_is_under_way_unknown_to_us_ends_in_one_deal(
    seconds: float, tmp_path: Path
) -> None:
    company = Company(
        burst=False, plan="ultimate", conversion_seconds=seconds, conversion_polls=10_000
    )
    world = World(tmp_path, company)
    world.receives("Ada <ada@acme.example>")
    world.settle()
    world.sandbox.faults.add(Fault("drop", method="POST", path="/convert/deal$"))
    asked = world.sends("ada@acme.example", answers=1)
    world.receives("ada@acme.example", answers=asked)
    world.settle()

    crm = world.crm()
    assert len(crm["deals"]) == 1
    assert crm["deals"][0]["from_lead"]
    assert crm["leads"] == []
    started = [w for w in world.writes() if w.endswith("/convert/deal")]
    assert len(started) == 1 or seconds > 120


@pytest.mark.parametrize(("action", "unknown"), [("create", True), ("convert", False)])
def test_another_way_to_a_record_was_never_tried_but_the_same_may_have_been(
    action: Any, unknown: bool, ledger: Ledger
) -> None:
    row = planned(ledger, change("deal", action))
    sent(ledger, row)
    with ledger.transaction("test"):
        ledger.journal.wait(row, None, "timeout", unknown=True, conversion="c1")
        ledger.journal.create_instead(row)

    again = ledger.journal.open_row("deal", row.key)
    assert again is not None
    assert (again.action, again.state, again.unknown) == ("create", "planned", unknown)
    assert (again.conversion, again.attempts) == (None, 0)
    assert (again.sent_at == NOW) == unknown


@pytest.mark.parametrize("state", ["planned", "waiting", "parked"])
@pytest.mark.parametrize("doubt", ["none", "unknown", "conversion"])
def test_a_run_that_is_undone_takes_back_what_it_certainly_has_not_sent(
    ledger: Ledger, state: str, doubt: str
) -> None:
    with ledger.transaction("test"):
        ledger.journal.plan(change("deal", "convert"), NOW, 7)
    row = ledger.journal.open_row("deal", "ada@acme.example")
    assert row is not None
    with ledger.transaction("test"):
        ledger.rows(
            "UPDATE journal SET state = ?, unknown = ?, conversion = ?",
            *(state, doubt == "unknown", "c1" if doubt == "conversion" else None),
        )
        ledger.journal.drop_of_run(8)
    assert ledger.backlog.keys("deal") == [row.key]

    assert ledger.backlog.unsettled(7) == (0 if doubt == "none" else 1)
    with ledger.transaction("test"):
        ledger.journal.drop_of_run(7)
    assert ledger.backlog.keys("deal") == ([] if doubt == "none" else [row.key])


@pytest.mark.parametrize("state", ["planned", "waiting", "parked"])
def test_what_waits_for_a_person_is_tried_once_there_is_one(ledger: Ledger, state: str) -> None:
    row = planned(ledger, change("lead"))
    with ledger.transaction("test"):
        match state:
            case "waiting":
                ledger.journal.wait(row, NOW + timedelta(hours=1), "away", unknown=False)
            case "parked":
                ledger.journal.park(row, "no person", parked_for="person")
        ledger.journal.release_for_person("ben@acme.example")
    before = ledger.journal.ready(NOW, 9)
    with ledger.transaction("test"):
        ledger.journal.release_for_person("ada@acme.example")

    assert (len(before), len(ledger.journal.ready(NOW, 9))) == {
        "planned": (1, 1),
        "waiting": (0, 0),  # its pause is for another reason
        "parked": (0, 1),
    }[state]


@pytest.mark.parametrize("kind", ["person", "lead", "deal", "organization", "activity"])
def test_only_what_shows_our_fields_waits_for_them(ledger: Ledger, kind: str) -> None:
    planned(ledger, Change("field", "mail_key", "create", {}, "0"))
    planned(ledger, change(kind))
    ready = {row.kind for row in ledger.journal.ready(NOW, 9)}
    assert ready == {"field"} | ({kind} - {"person", "lead", "deal"})


def test_only_what_was_done_long_ago_is_forgotten(ledger: Ledger) -> None:
    for kind, done in (("person", NOW - timedelta(days=9)), ("lead", NOW), ("deal", None)):
        row = planned(ledger, change(kind))
        if done is not None:
            with ledger.transaction("test"):
                ledger.journal.done(row, done)
    with ledger.transaction("test"):
        assert ledger.journal.prune(NOW - timedelta(days=7)) == 1
    left = ledger.rows("SELECT kind FROM journal ORDER BY kind")
    assert [row["kind"] for row in left] == ["deal", "lead"]


@pytest.mark.parametrize(
    ("action", "state", "later", "counts"),
    [
        ("update", "planned", True, 0),  # coalesced with what comes until then
        ("update", "planned", False, 1),
        ("update", "waiting", True, 1),
        ("create", "planned", True, 1),
        ("create", "parked", False, 0),
    ],
)
def test_what_is_postponed_on_purpose_is_not_unfinished(
    ledger: Ledger, action: str, state: str, *, later: bool, counts: int
) -> None:
    planned(ledger, change("person", action))
    with ledger.transaction("test"):
        due = "2026-11-24T12:00:00Z" if later else None
        ledger.rows("UPDATE journal SET state = ?, not_before = ?", state, due)
    assert ledger.backlog.unfinished() == counts


@pytest.mark.parametrize(
    ("name", "domain"), [("acme.example", None), ("Acme", "acme.example"), ("Acme", None)]
)
def test_an_organization_that_people_made_meanwhile_is_known_by_name_or_website(
    ledger: Ledger, name: str, domain: str | None
) -> None:
    planned(ledger, Change("organization", "acme.example", "create", {}, "1"))
    with ledger.transaction("test"):
        ledger.rows(
            "INSERT INTO crm_organizations (id, name, name_key, domain, sweep)"
            " VALUES (1, ?, ?, ?, 1)",
            *(name, name.lower(), domain),
        )
        ledger.rows(
            "INSERT INTO senders (address, name, domain, organization, msg_count, sent_count,"
            " replies, meetings, thread_count, class, reason, digest, version)"
            " VALUES ('ada@acme.example', '', '', 'acme.example', 1, 0, 0, 0, 1, 'lead', '', '', 1)"
        )
    known = name == "acme.example" or domain is not None
    assert ledger.backlog.overtaken() == ({"ada@acme.example"} if known else set())
