"""Pipedrive as it is on bad days: one Sync meets them, and heals by itself when they are over."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from crm_kit import START, Shop, make_shop

from daemon.errors import LedgerProblem, Problem
from daemon.pipedrive.client import Client
from daemon.sandbox.crm import Fault, Switches
from daemon.sync import Sync

ADA, BOB, CYD = "ada@acme.com", "bob@other.com", "cyd@third.com"
WRITES = "POST|PATCH|DELETE"
ALL_THREE = {"organizations": 3, "persons": 3, "leads": 3, "deals": 0, "activities": 3}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = make_shop(tmp_path)
    with shop.ledger:
        yield shop


def three_write(shop: Shop) -> None:
    for who in (ADA, BOB, CYD):
        shop.hears(who)


def states(shop: Shop) -> set[str]:
    return {row["state"] for row in shop.ledger.rows("SELECT state FROM journal")}


def resting(shop: Shop) -> list[str]:
    """The kinds that people are told to rest."""
    return [one.name for one in shop.ledger.conditions.problems() if one.part == "resting"]


def settle(shop: Shop, hours: float = 1) -> None:
    """The same Sync goes on, for so long."""
    until = shop.clock.now + timedelta(hours=hours)
    while shop.clock.now < until:
        due = None
        try:
            due = shop.sync_.sync().resume_at or shop.sync_.next_due()
        except Problem:
            due = shop.clock.now + timedelta(minutes=1)
        shop.clock.now = min(until, max(due or until, shop.clock.now + timedelta(seconds=1)))
    shop.sync()


# what is in flight is never stranded


def test_redirects_for_a_while_strand_nothing(shop: Shop) -> None:
    three_write(shop)
    shop.plan()
    shop.sandbox.faults.add(Fault("redirect", method=WRITES, count=None))
    shop.sync_.sync()
    assert shop.count()["persons"] == 0
    shop.sandbox.faults.clear()

    settle(shop)

    assert shop.count() == ALL_THREE
    assert states(shop) == {"done"}


def shapes(nouns: str, kinds: str) -> list[tuple[str, str]]:
    """Each noun with each shape; a huge answer is cut by its length, of whatever it is: once."""
    return [
        (noun, shape)
        for noun in nouns.split()
        for shape in kinds.split()
        if shape != "huge" or noun == "persons"
    ]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("noun", "shape"),
    shapes(
        "organizations persons leads activities",
        "null missing swapped keyless nulls scalar bare array empty html huge",
    ),
)
def test_an_answer_of_any_shape_to_a_write_doubles_and_strands_nothing(
    shop: Shop, noun: str, shape: str, when: str
) -> None:
    three_write(shop)
    shop.plan()
    shop.sandbox.faults.add(
        Fault("shape", when, method="POST", path=f"/{noun}$", shape=shape)  # type: ignore[arg-type]
    )

    settle(shop)

    assert shop.count() == ALL_THREE
    assert states(shop) == {"done"}


@pytest.mark.parametrize(
    ("noun", "shape"),
    shapes(
        "organizations persons leads deals",
        "null missing swapped strings keyless nulls scalar array html huge",
    ),
)
def test_a_list_of_any_shape_is_no_empty_list(shop: Shop, noun: str, shape: str) -> None:
    shop.acts.add_person("Ada", ADA)
    three_write(shop)
    shop.sandbox.faults.add(
        Fault("shape", method="GET", path=f"/{noun}$", count=3, shape=shape)  # type: ignore[arg-type]
    )
    settle(shop)

    assert shop.count()["persons"] == 3
    assert states(shop) == {"done"}


def test_a_locked_ledger_while_requests_are_on_the_wire_strands_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_write(shop)
    shop.plan()
    shop.ledger.rows("PRAGMA busy_timeout = 50")
    real, other = shop.sandbox.handle, sqlite3.connect(shop.ledger.path, check_same_thread=False)

    def handle(request: object) -> object:
        if not other.in_transaction and getattr(request, "method", "") == "POST":
            other.execute("BEGIN IMMEDIATE")
        return real(request)  # type: ignore[arg-type]

    monkeypatch.setattr(shop.sandbox, "handle", handle)
    with pytest.raises(LedgerProblem, match="locked"):
        shop.sync_.sync()
    assert "sending" in states(shop)
    monkeypatch.setattr(shop.sandbox, "handle", real)
    other.rollback()
    other.close()

    settle(shop)

    assert shop.count() == ALL_THREE
    assert states(shop) == {"done"}


def test_leads_that_are_listed_as_null_are_not_made_again(shop: Shop) -> None:
    three_write(shop)
    shop.plan()
    shop.sandbox.faults.add(Fault("drop", method="POST", path="/leads$", count=2))
    shop.sandbox.faults.add(
        Fault("shape", method="GET", path="/leads$", shape="null", count=None, skip=1)
    )
    settle(shop, hours=3)
    shop.sandbox.faults.clear()

    settle(shop, hours=8)

    assert shop.count() == ALL_THREE
    assert states(shop) == {"done"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("redirect", method=WRITES, status=307, count=None),
        Fault("error", when="before", method=WRITES, status=500, count=None),
    ],
    ids=["redirect", "error"],
)
def test_writes_that_fail_for_long_while_reads_work_are_told(shop: Shop, fault: Fault) -> None:
    three_write(shop)
    shop.plan()
    shop.sandbox.faults.add(fault)
    settle(shop)
    told = {(one.part, one.name) for one in shop.ledger.conditions.problems()}
    assert told == {("waiting", "organization")}
    shop.sandbox.faults.clear()

    settle(shop, hours=8)

    assert shop.count() == ALL_THREE
    assert shop.ledger.conditions.problems() == []


# absence


def test_what_we_made_a_moment_ago_and_nobody_shows_yet_is_not_taken_for_deleted(
    tmp_path: Path,
) -> None:
    shop = make_shop(tmp_path, company={"read_lag": 0.5})
    with shop.ledger:
        three_write(shop)
        settle(shop)

        assert shop.count() == ALL_THREE
        assert shop.ledger.rows("SELECT * FROM records WHERE tombstone IS NOT NULL") == []


def test_what_people_delete_is_noticed_within_hours(shop: Shop) -> None:
    first = shop.writes(ADA)
    shop.hears(ADA, answers=first)
    shop.hears(BOB)
    shop.hears(CYD)
    shop.next_day()
    for kind, key in (("deal", ADA), ("person", BOB), ("organization", "third.com")):
        shop.acts.delete(f"{kind}s", int(shop.record(kind, key).pipedrive_id or 0))
    shop.clock.passes(hours=4)
    before = shop.mark()
    shop.sync()

    assert shop.record("deal", ADA).tombstone == "deleted"
    assert shop.record("person", BOB).tombstone == "deleted"
    assert shop.record("organization", "third.com").tombstone == "deleted"
    assert shop.tokens(before) < 100


def test_a_person_that_is_there_again_lives_again(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sync()
    shop.next_day()
    person = shop.person(ADA)["id"]
    shop.acts.delete("persons", person)
    shop.next_day()
    assert shop.record("person", ADA).tombstone == "deleted"
    Switches(shop.sandbox).restore("persons", person)

    shop.next_day()
    shop.hears(ADA)
    shop.sync()

    assert shop.record("person", ADA).tombstone is None
    assert shop.count()["persons"] == 1
    assert shop.count()["activities"] == 2


@pytest.mark.parametrize("status", [403, 404])
def test_a_person_hidden_from_our_token_hinders_nobody_and_is_never_made_again(
    tmp_path: Path, status: int
) -> None:
    shop = make_shop(tmp_path, company={"hidden_status": status})
    with shop.ledger:
        three_write(shop)
        shop.sync()
        person = shop.person(ADA)["id"]
        Switches(shop.sandbox).hide("persons", person)
        shop.next_day()
        for who in (ADA, BOB):
            shop.hears(who)
        settle(shop, hours=0.5)
        assert shop.record("person", ADA).missing
        assert shop.record("person", ADA).tombstone is None
        assert len(shop.activities()) == 4  # all but the one of whom we don't see
        assert [r["key"] for r in shop.ledger.rows("SELECT key FROM not_visible")][:1] == [ADA]
        told = {(one.part, one.name) for one in shop.ledger.conditions.problems()}
        assert ("not visible", "person") in told

        Switches(shop.sandbox).show("persons", person)
        shop.next_day()

        assert shop.count()["persons"] == 3
        assert len(shop.activities()) == 5
        assert not shop.record("person", ADA).missing


def test_a_merge_that_the_lists_show_late_is_followed_all_the_same(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"list_lag": 300})
    with shop.ledger:
        shop.hears(ADA)
        shop.hears(BOB)
        settle(shop)
        survivor = shop.person(BOB)["id"]
        shop.acts.merge("persons", shop.person(ADA)["id"], survivor)
        shop.hears(ADA)
        shop.sync_.sync()
        assert shop.record("person", ADA).tombstone == "deleted"

        shop.next_day()

        assert shop.record("person", ADA).pipedrive_id == str(survivor)
        assert len(shop.activities()) == 3


def test_lists_that_lag_and_lost_answers_double_nothing(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"list_lag": 8})
    with shop.ledger:
        shop.sandbox.faults.add(
            Fault(
                "error",
                method="POST",
                path="(organizations|persons|leads|activities)$",
                every=3,
                count=None,
            )
        )
        for number in range(12):
            shop.hears(f"p{number}@firm{number}.com")
        settle(shop, hours=2)
        shop.sandbox.faults.clear()
        settle(shop, hours=8)

        assert shop.count() == {k: 12 if n else 0 for k, n in ALL_THREE.items()}
        assert shop.sync_.session.client.lag >= timedelta(seconds=5)


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(minutes=-30), timedelta(days=-1)])
def test_a_wrong_clock_of_ours_doubles_nothing(tmp_path: Path, ahead: timedelta) -> None:
    shop = make_shop(tmp_path, ahead=ahead)
    with shop.ledger:
        shop.hears("first@other.com")
        shop.sync()
        shop.clock.passes(600)
        person = shop.acts.add_person("Ada", ADA)
        shop.hears(ADA)
        shop.sandbox.faults.add(Fault("error", method="POST", path="/activities$"))
        settle(shop)

        assert shop.record("person", ADA).pipedrive_id == str(person)
        assert len(shop.activities()) == 2
        assert shop.ledger.setting("clock_offset_s") == round(ahead.total_seconds())
        assert shop.ledger.conditions.is_failing("clock")


def test_what_has_become_due_while_the_machine_slept_is_done_when_it_wakes(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sandbox.faults.add(Fault("refuse", status=403, method="POST", path="/leads$"))
    shop.sync()
    assert shop.parked() == [("lead", ADA)]
    shop.clock.sleeps(hours=8)

    assert shop.sync_.sync().writes > 0

    assert shop.count()["leads"] == 1
    assert not shop.ledger.conditions.is_failing("clock")


@pytest.mark.parametrize("shape", ["null", "none"])
def test_a_listing_that_shows_nothing_although_something_is_there_is_listed_again(
    shop: Shop, shape: str
) -> None:
    person = shop.acts.add_person("Ada", ADA)
    lead = shop.acts.add_lead("By hand", person_id=person)
    shop.hears(BOB)
    shop.sync()
    for noun in ("leads", "persons", "organizations"):
        shop.sandbox.faults.add(
            Fault("shape", method="GET", path=f"/{noun}$", count=None, shape=shape)  # type: ignore[arg-type]
        )
    shop.clock.passes(days=1)
    shop.hears(ADA)
    with pytest.raises(Problem, match=r"list"):
        shop.sync_.sync()
    assert [one.part for one in shop.ledger.conditions.problems()] == ["listing"]
    shop.sandbox.faults.clear()

    settle(shop, hours=8)

    assert shop.ledger.conditions.problems() == []

    assert [one["id"] for one in shop.acts.every("leads") if one["person_id"] == person] == [lead]
    assert shop.count()["persons"] == 2


def test_leads_that_were_updated_are_listed_again_after_a_null(shop: Shop) -> None:
    shop.hears(BOB)
    shop.sync()
    shop.clock.passes(minutes=40)
    person = shop.acts.add_person("Ada", ADA)
    lead = shop.acts.add_lead("By hand", person_id=person)
    shop.hears(ADA)
    shop.sandbox.faults.add(Fault("shape", method="GET", path="/leads$", count=None, shape="null"))
    with pytest.raises(Problem, match="list"):
        shop.sync_.sync()
    shop.sandbox.faults.clear()

    settle(shop)

    assert [one["id"] for one in shop.acts.every("leads") if one["person_id"] == person] == [lead]


def test_a_pass_that_asks_nothing_forgets_nothing_that_pipedrive_said(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"daily_tokens": 1234})
    with shop.ledger:
        shop.hears(ADA)
        shop.sync()
        said = shop.ledger.setting("daily_tokens")
        anew = Client("http://127.0.0.1:9", lambda: "", plan=shop.client.plan)  # nobody is there
        shop.sync_ = Sync(replace(shop.sync_.session, client=anew))
        assert shop.sync_.sync().problem is None

        assert said == shop.ledger.setting("daily_tokens") == 1234


def test_a_lead_whose_answer_was_lost_is_found_as_the_deal_that_people_made_of_it(
    shop: Shop,
) -> None:
    shop.hears(ADA)
    shop.plan()
    shop.sandbox.faults.add(Fault("drop", method="POST", path="/leads$"))
    shop.sync_.sync()
    deal = shop.acts.convert_lead(shop.acts.every("leads")[0]["id"])
    shop.acts.win(deal)

    settle(shop)

    assert shop.count()["leads"] == 0
    assert [d["id"] for d in shop.acts.every("deals")] == [deal]
    assert shop.record("deal", ADA).pipedrive_id == str(deal)
    assert shop.record("lead", ADA).tombstone == "converted"


def test_what_people_make_while_our_change_waits_is_listed_before_it_is_sent(shop: Shop) -> None:
    shop.hears(ADA)
    shop.plan()
    shop.sandbox.faults.add(Fault("refuse", method="POST", count=1, status=403, path="persons$"))
    shop.sync_.sync()
    shop.clock.passes(minutes=40)
    person = shop.acts.add_person("Ada", ADA)

    shop.sync_.sync()

    assert shop.record("person", ADA).pipedrive_id == str(person)
    assert shop.count()["persons"] == 1


# refusals


def test_one_refused_activity_parks_itself_alone_and_comes_back_by_itself(shop: Shop) -> None:
    shop.hears_often(ADA, 8)
    shop.sandbox.faults.add(Fault("refuse", status=403, method="POST", body="Mail 3", count=1))
    shop.sync_.sync()
    assert shop.parked() == [("activity", f"{3:032x}")]
    assert shop.count()["activities"] == 7

    settle(shop, hours=0.5)

    assert shop.count()["activities"] == 8
    assert shop.parked() == []


@pytest.mark.parametrize("status", [402, 403])
def test_a_kind_rests_after_three_and_goes_on_by_itself(shop: Shop, status: int) -> None:
    for number in range(9):
        shop.hears(f"p{number}@firm{number}.com")
    shop.sandbox.faults.add(
        Fault("refuse", status=status, method="POST", path="/leads$", count=None)
    )
    before = shop.mark()
    settle(shop, hours=3)
    tried = [r for r in shop.requests(before) if (r.method, r.path[-6:]) == ("POST", "/leads")]
    assert 3 < len(tried) <= 3 + 3  # and one each time that it is tried again
    assert shop.count()["activities"] == 9
    rest = shop.ledger.resting.all()["lead"]
    assert rest.next_try is not None
    assert resting(shop) == ["lead"]
    shop.sandbox.faults.clear()

    settle(shop, hours=7)

    assert shop.count()["leads"] == 9
    assert shop.parked() == []
    assert shop.ledger.resting.all() == {}
    assert resting(shop) == []
    leads = {lead["person_id"]: lead["id"] for lead in shop.acts.every("leads")}
    assert all(a["lead_id"] == leads[a["person_id"]] for a in shop.activities())


def test_after_a_refusal_one_of_that_kind_is_tried_at_a_time(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, workers=8)
    shop.sandbox.faults.add(Fault("refuse", status=403, method="POST", path="/leads$", count=None))
    shop.hears("first@firm.com")
    shop.sync_.sync()
    for number in range(8):
        shop.hears(f"p{number}@firm{number}.com")
    before = shop.mark()

    shop.sync_.sync()

    tried = [r for r in shop.requests(before) if (r.method, r.path[-6:]) == ("POST", "/leads")]
    assert len(tried) == 2  # with the first it makes three different ones, and the kind rests


def test_who_comes_while_a_kind_rests_is_set_aside_untried(shop: Shop) -> None:
    for number in range(3):
        shop.hears(f"p{number}@firm{number}.com")
    shop.sandbox.faults.add(Fault("refuse", status=403, method="POST", path="/leads$", count=None))
    shop.sync_.sync()
    assert resting(shop) == ["lead"]

    before = shop.mark()
    shop.hears("late@elsewhere.com")
    shop.sync_.sync()

    asked = [(r.method, r.path[-6:]) for r in shop.requests(before)]
    assert ("POST", "/leads") not in asked
    assert shop.count()["activities"] == 4


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 410, 412, 422, 429, 500, 503])
def test_whatever_writes_are_answered_for_an_hour_all_is_made_once_afterwards(
    shop: Shop, status: int
) -> None:
    """A lead and its conversion, a deal, activities; each is struck, and nothing says how long."""
    first = shop.hears(BOB)
    shop.sync()
    shop.writes(BOB, answers=first)
    shop.hears_often(ADA, 5)
    shop.hears(CYD)
    kind = "error" if status >= 500 else "refuse"
    shop.sandbox.faults.add(
        Fault(kind, status=status, method=WRITES, count=None, when="before")  # type: ignore[arg-type]
    )
    with suppress(Problem):  # 429 without a number is taken for the end of the day's tokens
        settle(shop, hours=1)
    assert shop.count()["activities"] == 1
    shop.sandbox.faults.clear()

    settle(shop, hours=32)

    counted = shop.count() | {
        # A conversion that was refused becomes a deal, and its lead is archived.
        "leads": len([lead for lead in shop.acts.every("leads") if not lead["is_archived"]])
    }
    assert counted == {
        "organizations": 3, "persons": 3, "leads": 1, "deals": 2, "activities": 8,
    }  # fmt: skip
    assert states(shop) <= {"done"}
    assert shop.parked() == []


def test_many_refused_at_once_make_a_kind_rest_no_longer(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, workers=8)
    with shop.ledger:
        for number in range(16):
            shop.hears(f"p{number}@firm{number}.com")
        shop.sandbox.change(latency=0.01)  # so that they are on their way together
        shop.sandbox.faults.add(
            Fault("refuse", status=403, method="POST", path="/leads$", count=None)
        )
        shop.sync_.sync()
        rest = shop.ledger.resting.all()["lead"]

        assert rest.tries == 1
        assert rest.next_try is not None
        assert rest.next_try - shop.clock.now < timedelta(minutes=16)


def test_everything_is_linked_to_an_organization_that_comes_later(shop: Shop) -> None:
    first = shop.writes(ADA)
    shop.hears(ADA, answers=first)
    shop.hears(BOB)
    shop.sandbox.faults.add(
        Fault("refuse", status=403, method="POST", path="/organizations$", count=None)
    )
    shop.sync()
    assert shop.count() == {
        "organizations": 0, "persons": 2, "leads": 1, "deals": 1, "activities": 3,
    }  # fmt: skip
    shop.sandbox.faults.clear()

    settle(shop, hours=8)

    organization = {one["name"]: one["id"] for one in shop.acts.every("organizations")}
    for who in (ADA, BOB):
        its = organization[who.partition("@")[2]]
        person = shop.person(who)
        assert person["org_id"] == its
        mine = [a for a in shop.activities() if a["person_id"] == person["id"]]
        assert {a["org_id"] for a in mine} == {its}
    assert shop.acts.every("deals")[0]["org_id"] == organization["acme.com"]
    assert shop.acts.every("leads")[0]["organization_id"] == organization["other.com"]


def test_activities_are_linked_to_a_deal_that_comes_later(shop: Shop) -> None:
    shop.hears_often(ADA, 5)
    shop.sandbox.faults.add(
        Fault(
            "refuse",
            status=403,
            method="POST",
            path="/deals$",
            count=1,
            code="feature_capping_deals_limit",
        )
    )
    shop.sync()
    assert {a["deal_id"] for a in shop.activities()} == {None}

    settle(shop)

    (deal,) = shop.acts.every("deals")
    assert [a["deal_id"] for a in shop.activities()] == [deal["id"]] * 5


def test_a_refused_conversion_becomes_a_deal_and_an_archived_lead(shop: Shop) -> None:
    first = shop.hears(ADA)
    shop.sync()
    shop.writes(ADA, answers=first)
    shop.sandbox.faults.add(
        Fault("refuse", status=403, method="POST", path="/convert/deal$", count=None)
    )

    settle(shop)

    assert shop.count()["deals"] == 1
    assert [lead["is_archived"] for lead in shop.acts.every("leads")] == [True]
    assert shop.parked() == []


# the fresh goes first


def test_a_stranger_is_a_lead_while_a_backlog_is_pushed(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, workers=1)
    with shop.ledger:
        shop.hears_often(ADA, 60, at=START - timedelta(days=400))
        written = [0]

        def progress(phase: str, done: int, _total: int) -> None:
            shop.clock.passes(1)
            if phase == "writing" and done == 30 and not written[0]:
                written[0] = shop.hears(BOB)

        shop.sync_ = Sync(replace(shop.sync_.session, progress=progress))
        shop.sync_.sync()

        calls = [r.call.rpartition("/")[2] for r in shop.sandbox.writes()]
        assert calls.count("leads") == 1  # Bob's: Ada has a deal
        assert calls.index("leads") < len(calls) - 15
        assert calls.count("activities") == 61


def test_a_part_of_the_days_tokens_is_kept_for_what_is_new(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"daily_tokens": 1000}, reserve=0.2)
    with shop.ledger:
        shop.hears_often(ADA, 300, at=START - timedelta(days=400))
        pushed = shop.sync()
        assert pushed.resume_at is not None
        left = shop.client.budget.remaining()
        assert 150 <= left <= 200
        shop.hears(BOB)
        shop.sync()

        assert len(shop.acts.every("leads")) == 1  # Ada's is a deal
        assert shop.person(BOB) is not None
        shop.clock.now = pushed.resume_at + timedelta(minutes=1)
        before = len(shop.activities())
        shop.sync()
        assert len(shop.activities()) > before
