"""The plan of one sender as a diff: tables for what it says, properties for what it never does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from letters import ADA, ours, state, theirs

from daemon.rules.case import Policy, SenderPlan, activity_rank
from daemon.rules.classify import Rules
from daemon.rules.plan import choose_person, plan_sender
from daemon.rules.records import CrmDeal, CrmLead, CrmPerson, LocalRecords, Record, RemoteMatches
from daemon.rules.sender import SenderState

NOW = datetime(2026, 4, 1, tzinfo=UTC)
POLICY = Policy(Rules())
FIRM = "acme.example"


def correspondence(messages: int, *, replied: bool = False) -> SenderState:
    mails = [theirs(n) for n in range(messages)]
    return state(*mails, *([ours(90, answers=[0])] if replied else []))


def record(kind: Any, identifier: str = "1", **more: Any) -> Record:
    key = FIRM if kind == "organization" else ADA
    given: dict[str, Any] = {"origin": "created", "fields": {}}
    return Record(kind=kind, key=key, pipedrive_id=identifier, **{**given, **more})


def planned(plan: SenderPlan) -> list[tuple[str, str]]:
    return [(change.kind, change.action) for change in plan.changes]


def adopted(plan: SenderPlan) -> list[tuple[str, str]]:
    return [(adoption.kind, adoption.pipedrive_id) for adoption in plan.adoptions]


def test_a_stranger_gets_organization_person_and_lead_in_this_order() -> None:
    plan = plan_sender(correspondence(1), LocalRecords(), RemoteMatches(), POLICY)

    assert planned(plan) == [("organization", "create"), ("person", "create"), ("lead", "create")]
    ranks = [change.rank for change in plan.changes]
    assert ranks == sorted(ranks)
    assert [change.organization for change in plan.changes] == [None, FIRM, FIRM]


@pytest.mark.parametrize(
    ("made_as", "listed_as", "origin", "becomes"),
    [
        ("Ada", "Ada", "created", "Ada Lovelace"),
        ("Ada", None, "created", "Ada Lovelace"),
        ("Ada", "Countess Lovelace", "created", None),
        ("Countess", "Countess", "created", None),
        ("Ada", "Ada", "adopted", None),
    ],
    ids=["as we wrote it", "not listed yet", "changed by people", "a real name", "not ours"],
)
def test_a_name_that_we_made_up_gives_way_to_a_real_one(
    made_as: str, listed_as: str | None, origin: str, becomes: str | None
) -> None:
    named = state(theirs(1, name="Ada Lovelace"))
    known = LocalRecords(person=record("person", origin=origin, fields={"name": made_as}))
    crm = RemoteMatches(persons=(CrmPerson(1, None, name=listed_as),))

    changes = plan_sender(named, known, crm, POLICY).changes

    names = [c.fields.get("name") for c in changes if c.kind == "person"]
    assert names == [becomes]


def test_one_who_only_got_mail_of_ours_gets_nothing() -> None:
    assert plan_sender(state(ours(1)), LocalRecords(), RemoteMatches(), POLICY).changes == []


def test_deals_come_before_leads_and_leads_before_values_and_those_before_activities() -> None:
    deal = plan_sender(correspondence(5), LocalRecords(), RemoteMatches(), POLICY).changes
    lead = plan_sender(correspondence(1), LocalRecords(), RemoteMatches(), POLICY).changes
    crm = RemoteMatches(persons=(CrmPerson(1, None),))
    (value,) = [
        c
        for c in plan_sender(correspondence(1), LocalRecords(), crm, POLICY).changes
        if c.kind == "person"
    ]

    assert max(c.rank for c in deal) < min(c.rank for c in lead)
    assert max(c.rank for c in lead) < value.rank < activity_rank(NOW)
    assert activity_rank(NOW) < activity_rank(NOW - timedelta(seconds=1))


def test_a_lead_is_converted_when_its_sender_crosses_a_threshold() -> None:
    known = LocalRecords(
        organization=record("organization"),
        person=record("person", fields={"class": "lead"}),
        lead=record("lead", "aaa"),
    )

    plan = plan_sender(correspondence(2, replied=True), known, RemoteMatches(), POLICY)

    assert ("deal", "convert") in planned(plan)
    assert ("deal", "create") not in planned(plan)


@pytest.mark.parametrize(
    ("known", "crm", "note"),
    [
        (
            LocalRecords(person=record("person", tombstone="deleted")),
            RemoteMatches(),
            "the person was deleted in Pipedrive: left so",
        ),
        (
            LocalRecords(person=record("person"), deal=record("deal", tombstone="deleted")),
            RemoteMatches(),
            "the deal was deleted in Pipedrive: left so",
        ),
        (
            LocalRecords(person=record("person"), lead=record("lead", tombstone="archived")),
            RemoteMatches(),
            "the lead was archived in Pipedrive: left so",
        ),
        (
            LocalRecords(organization=record("organization", tombstone="deleted")),
            RemoteMatches(),
            "the organization was deleted in Pipedrive: left so",
        ),
        (
            LocalRecords(),
            RemoteMatches(
                persons=(CrmPerson(1, None),), deals=(CrmDeal(1, "lost", archived=False),)
            ),
            "the person has had a deal (won, lost or archived): no new one",
        ),
    ],
)
def test_what_people_removed_or_closed_is_left_so_and_said(
    known: LocalRecords, crm: RemoteMatches, note: str
) -> None:
    plan = plan_sender(correspondence(12), known, crm, POLICY)

    assert note in plan.notes
    if "organization" not in note:
        assert {kind for kind, _ in planned(plan)} <= {"organization", "person"}


def test_a_person_that_is_gone_is_found_again_at_another() -> None:
    known = LocalRecords(person=record("person", "1", tombstone="deleted"))
    crm = RemoteMatches(persons=(CrmPerson(1, None), CrmPerson(7, None, ours=True)))

    plan = plan_sender(correspondence(1), known, crm, POLICY)

    assert ("person", "7") in adopted(plan)


def test_an_older_listing_brings_back_no_deal_and_no_lead_that_we_know_to_be_gone() -> None:
    person = record("person", fields={"class": "person_with_deal"})
    for known, crm in (
        (
            LocalRecords(person=person, deal=record("deal", "7", tombstone="deleted")),
            RemoteMatches(deals=(CrmDeal(7, "open", archived=False, mail_key=ADA),)),
        ),
        (
            LocalRecords(person=person, lead=record("lead", "a", tombstone="deleted")),
            RemoteMatches(leads=(CrmLead("a", archived=False, mail_key=ADA),)),
        ),
    ):
        plan = plan_sender(correspondence(5), known, crm, POLICY)

        assert {kind for kind, _ in adopted(plan)} <= {"organization"}
        assert not {kind for kind, _ in planned(plan)} & {"lead", "deal"}


def test_values_wait_for_their_interval_unless_the_class_changes() -> None:
    fields = {"class": "lead", "thread_count": 1, "organization": FIRM}
    person = record("person", fields=fields, written_at=NOW)
    known = LocalRecords(
        organization=record("organization"), person=person, lead=record("lead", "a")
    )

    (change,) = plan_sender(correspondence(2), known, RemoteMatches(), POLICY).changes
    assert change.not_before == NOW + timedelta(hours=6)
    assert "email" not in change.fields
    assert "name" not in change.fields

    changes = plan_sender(correspondence(2, replied=True), known, RemoteMatches(), POLICY).changes
    assert [c.not_before for c in changes if c.kind == "person"] == [None]


def test_nothing_different_is_nothing_to_do() -> None:
    plan = plan_sender(correspondence(1), LocalRecords(), RemoteMatches(), POLICY)
    known = LocalRecords(
        organization=record("organization"),
        person=record("person", fields=plan.changes[1].fields, written_at=NOW),
        lead=record("lead", "a"),
    )

    again = plan_sender(correspondence(1), known, RemoteMatches(), POLICY)

    assert (again.changes, again.adoptions, again.notes) == ([], [], [])


def test_fields_that_pipedrive_does_not_have_are_not_written() -> None:
    policy = Policy(Rules(), fields=())
    plan = plan_sender(correspondence(1), LocalRecords(), RemoteMatches(), policy)

    assert not {"thread_count", "last_contact"} & set(plan.changes[1].fields)
    crm = RemoteMatches(persons=(CrmPerson(1, 5),))
    assert planned(plan_sender(correspondence(1), LocalRecords(), crm, policy)) == [
        ("organization", "create")
    ]


# What never happens, whatever there is

GONE = st.sampled_from([None, None, "deleted", "archived", "converted"])


@st.composite
def records(draw: st.DrawFn, kind: Any) -> Record | None:
    if draw(st.booleans()):
        return None
    return record(
        kind,
        str(draw(st.integers(1, 3))),
        origin=draw(st.sampled_from(["created", "adopted"])),
        tombstone=draw(GONE),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[SenderState, LocalRecords, RemoteMatches, Policy]:
    known = LocalRecords(
        organization=draw(records("organization")),
        person=draw(records("person")),
        lead=draw(records("lead")),
        deal=draw(records("deal")),
    )
    numbers = st.lists(st.integers(1, 3), unique=True, max_size=3)
    flags = st.booleans()
    crm = RemoteMatches(
        persons=tuple(
            CrmPerson(n, draw(st.sampled_from([None, 9])), draw(flags)) for n in draw(numbers)
        ),
        organization=draw(st.sampled_from([None, (1, "its name"), (2, "its website")])),
        deals=tuple(
            CrmDeal(
                n,
                draw(st.sampled_from(["open", "won", "lost"])),
                draw(flags),
                draw(st.sampled_from([None, ADA])),
            )
            for n in draw(numbers)
        ),
        leads=tuple(CrmLead(str(n), draw(flags)) for n in draw(numbers)),
    )
    rules = Rules(reopen=draw(flags))
    return correspondence(draw(st.integers(0, 12)), replied=draw(flags)), known, crm, Policy(rules)


@given(cases())
def test_no_case_makes_two_of_anything_or_brings_back_what_was_removed(
    case: tuple[SenderState, LocalRecords, RemoteMatches, Policy],
) -> None:
    sender, known, crm, policy = case
    plan = plan_sender(sender, known, crm, policy)
    made = [c.kind for c in plan.changes if c.action in {"create", "convert"}]
    taken = [a.kind for a in plan.adoptions]

    assert len(made) == len(set(made))
    assert not {"lead", "deal"} <= set(made)
    assert not set(made) - {"deal"} & set(taken)  # a lead that is adopted may be converted at once
    assert {c.action for c in plan.changes} <= {"create", "update", "convert"}
    for kind in ("organization", "person", "lead", "deal"):
        there: Record | None = getattr(known, kind)
        if there is not None and there.tombstone:
            assert kind not in made or (policy.rules.reopen and (crm.deals or known.deal))
        if there is not None and not there.tombstone and kind != "deal":
            assert kind not in made
    if choose_person(known.person, crm) is not None:
        assert "person" not in made
    open_ones = [d for d in crm.deals if d.status == "open" and not d.archived]
    if open_ones and (
        known.deal is None or known.deal.pipedrive_id not in {str(d.id) for d in open_ones}
    ):
        assert "deal" not in made
    if not policy.rules.reopen and crm.deals:
        assert "deal" not in made


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", "2026-03-01"), ("Pacific/Auckland", "2026-03-02"), ("America/New_York", "2026-03-01")],
)
def test_last_contact_is_a_day_where_people_are(zone: str, day: str) -> None:
    late = replace(correspondence(1), last_contact=datetime(2026, 3, 1, 22, 30, tzinfo=UTC))
    policy = replace(POLICY, zone=ZoneInfo(zone))

    plan = plan_sender(late, LocalRecords(), RemoteMatches(), policy)

    (person,) = [change for change in plan.changes if change.kind == "person"]
    assert person.fields["last_contact"] == day
