"""Several addresses of one person: joined in Pipedrive where a mail proves it, never by a name."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from crm_kit import Shop, make_shop

from daemon.maintenance.explain import tell
from daemon.maintenance.forget import delete_in_pipedrive, erase
from daemon.maintenance.undo import undo
from daemon.sync import Sync

ADA, HOME = "ada.lovelace@acme.example", "ada@private.example"
NAME = "Ada Lovelace"
PASS = ("authserv:mx.ours.example", "dmarc-pass:mx.ours.example")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = make_shop(tmp_path)
    shop.trusts("mx.ours.example")
    with shop.ledger:
        yield shop


def corresponds(shop: Shop) -> int:
    """She writes from the office, and we answer; the number of our mail."""
    asked = shop.hears(ADA, name=NAME, subject="Pumps")
    return shop.writes(ADA, answers=asked, subject="Re: Pumps")


def answers(shop: Shop, ours: int, sender: str = HOME, **more: Any) -> int:
    said = {"name": NAME, "subject": "Re: Pumps", "signals": PASS, **more}
    return shop.hears(sender, answers=ours, **said)


def is_joined(shop: Shop) -> None:
    """One person, one deal, on which all mails hang."""
    seen = shop.shown()
    (person,) = seen["persons"]
    assert sorted(person["emails"]) == sorted([ADA, HOME])
    assert shop.count()["deals"] == 1
    assert shop.count()["leads"] == 0
    deal = int(shop.record("deal", ADA).pipedrive_id)
    assert {a["deal_id"] for a in shop.activities()} == {deal}
    assert "the same person as ada.lovelace@acme.example" in shop.notes(HOME)


@pytest.mark.parametrize("synced_between", [True, False])
def test_who_answers_a_mail_to_her_alone_under_her_name_is_her(
    shop: Shop, *, synced_between: bool
) -> None:
    ours = corresponds(shop)
    if synced_between:
        shop.sync()
    answers(shop, ours)
    shop.sync()
    is_joined(shop)
    assert len(shop.activities()) == 3
    (row,) = shop.ledger.rows("SELECT reason FROM records WHERE kind = 'person' AND key = ?", HOME)
    assert row["reason"] == "answered our mail to ada.lovelace@acme.example under the same name"
    told = tell(shop.ledger, shop.scoring, HOME)
    assert row["reason"] in {one["reason"] for one in told.records}
    shop.next_day()  # the fields of the person, which are written every few hours
    mark = shop.mark()
    shop.next_day()
    assert {r.method for r in shop.requests(mark)} <= {"GET"}


@pytest.mark.parametrize(
    "other",
    [
        {"signals": ()},
        {"signals": ("authserv:mx.evil.example", "dmarc-pass:mx.evil.example")},
        {"name": "Ada"},
        {"name": "Ada Byron"},
        {"name": ""},
        {"name": ADA},
        {"sender": "info@private.example"},
        {"signals": (*PASS, "auto-reply")},
    ],
)
def test_without_proof_it_is_somebody_else(shop: Shop, other: dict[str, Any]) -> None:
    answers(shop, corresponds(shop), **other)
    shop.hears(other.get("sender", HOME), name=NAME)
    shop.sync()
    assert shop.count()["persons"] == 2


def test_a_name_alone_joins_nobody(shop: Shop) -> None:
    corresponds(shop)
    shop.hears(HOME, name=NAME, signals=PASS, subject="Re: Pumps")
    shop.sync()
    assert shop.count()["persons"] == 2


def test_a_mail_to_two_proves_nothing(shop: Shop) -> None:
    asked = shop.hears(ADA, name=NAME)
    answers(shop, shop.writes(ADA, "bob@other.example", answers=asked))
    shop.sync()
    assert shop.count()["persons"] >= 2
    assert shop.person(HOME)["id"] != shop.person(ADA)["id"]


def test_what_people_added_meanwhile_stays(shop: Shop) -> None:
    ours = corresponds(shop)
    shop.sync()
    person = shop.person(ADA)["id"]
    shop.acts.change_emails(person, "a.lovelace@acme.example", ADA)
    answers(shop, ours)
    shop.sync()
    emails = [one["value"] for one in shop.acts.get("persons", person)["emails"]]
    assert emails == ["a.lovelace@acme.example", ADA, HOME]


def test_an_address_that_people_take_out_again_is_never_added_again(shop: Shop) -> None:
    ours = corresponds(shop)
    answers(shop, ours)
    shop.sync()
    person = shop.person(ADA)["id"]
    shop.acts.change_emails(person, ADA)
    shop.next_day()
    assert shop.record("person", HOME).tombstone == "parted"
    mark = shop.mark()
    answers(shop, ours)
    shop.next_day()
    assert [one["value"] for one in shop.acts.get("persons", person)["emails"]] == [ADA]
    assert not [
        r for r in shop.requests(mark) if r.method == "PATCH" and "emails" in (r.body or "")
    ]
    assert shop.count()["persons"] == 1


def test_a_person_that_people_made_of_the_address_takes_its_mail(shop: Shop) -> None:
    ours = corresponds(shop)
    answers(shop, ours)
    shop.sync()
    shop.acts.change_emails(shop.person(ADA)["id"], ADA)
    apart = shop.acts.add_person("Another Ada", HOME)
    shop.next_day()
    assert shop.record("person", HOME).pipedrive_id == str(apart)


def test_a_person_of_its_own_stays(shop: Shop) -> None:
    """It had written before on its own account: people may merge them, we don't."""
    shop.hears(HOME, name=NAME)
    shop.sync()
    answers(shop, corresponds(shop))
    shop.sync()
    assert shop.count()["persons"] == 2


def test_forgetting_one_address_leaves_the_person_to_the_other(shop: Shop) -> None:
    answers(shop, corresponds(shop))
    shop.sync()
    person = shop.person(ADA)["id"]
    delete_in_pipedrive(shop.ledger, shop.client, HOME, shop.clock())
    erase(shop.ledger, shop.scoring, HOME, shop.clock())
    assert [one["value"] for one in shop.acts.get("persons", person)["emails"]] == [ADA]
    shop.next_day()
    assert shop.count()["persons"] == 1


def test_forgetting_the_first_address_leaves_the_person_to_the_second(shop: Shop) -> None:
    answers(shop, corresponds(shop))
    shop.sync()
    person = shop.person(ADA)["id"]
    delete_in_pipedrive(shop.ledger, shop.client, ADA, shop.clock())
    erase(shop.ledger, shop.scoring, ADA, shop.clock())
    (left,) = shop.acts.get("persons", person)["emails"]
    assert (left["value"], left["primary"]) == (HOME, True)
    rows = [
        row
        for table in ("records", "journal", "senders")
        for row in shop.ledger.rows(f"SELECT * FROM {table}")
    ]
    assert not [row for row in rows if ADA in str(tuple(row))]


def test_undoing_the_run_that_joined_takes_the_address_out_for_good(shop: Shop) -> None:
    ours = corresponds(shop)
    shop.sync()
    with shop.ledger.transaction("run"):
        run = shop.ledger.runs.begin("catch-up", shop.clock())
    shop.clock.passes(hours=3)
    shop.sync_ = Sync(replace(shop.sync_.session, run=run))
    answers(shop, ours)
    shop.sync()
    is_joined(shop)
    undo(shop.sync_.session, run)
    undo(shop.sync_.session, run)
    assert [one["value"] for one in shop.person(ADA)["emails"]] == [ADA]
    shop.sync_ = Sync(replace(shop.sync_.session, run=None))
    answers(shop, ours)
    shop.next_day()
    assert [one["value"] for one in shop.person(ADA)["emails"]] == [ADA]


def test_undoing_the_run_that_made_the_person_deletes_it(shop: Shop) -> None:
    with shop.ledger.transaction("run"):
        run = shop.ledger.runs.begin("catch-up", shop.clock())
    shop.sync_ = Sync(replace(shop.sync_.session, run=run))
    answers(shop, corresponds(shop))
    shop.sync()
    result = undo(shop.sync_.session, run)
    assert result.kept == []
    assert shop.count()["persons"] == 0


def test_one_whose_person_is_refused_keeps_nobody_waiting(shop: Shop) -> None:
    ours = corresponds(shop)
    shop.sync()
    shop.acts.delete("persons", shop.person(ADA)["id"])
    answers(shop, ours)
    shop.sync()
    shop.next_day()
    assert shop.person(HOME) is not None
    assert not shop.ledger.senders.due(1)


def test_one_key_switches_it_off_and_what_was_joined_stays(shop: Shop) -> None:
    ours = corresponds(shop)
    shop.sync()
    shop.settings(join=False)
    answers(shop, ours)
    shop.sync()
    assert shop.count()["persons"] == 2
    assert shop.count()["deals"] == 2

    third = "ada@third.example"
    shop.settings(join=True)
    answers(shop, ours, third)
    shop.sync()
    assert shop.count()["persons"] == 2
    shop.settings(join=False)
    shop.hears(third, name=NAME, subject="Pumps again")
    shop.next_day()
    assert shop.count()["persons"] == 2
    (joined,) = (p for p in shop.shown()["persons"] if third in p["emails"])
    assert ADA in joined["emails"]
