"""A year of a small sales team, over HTTP: what people and the API do to us, and what is left.

Every month something happens in Pipedrive that we didn't do. In the end the CRM holds exactly what
the rules say, once each, and nothing that people removed has come back.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crm_kit import START, WE, Shop, invitation, make_shop

from daemon.pipedrive.outcomes import BudgetSpent
from daemon.sandbox.crm import Fault, Server

BUDGET = 3_000
ADA, CARL, HANK, OLGA, PAM, QUINN, FRED = (
    "ada@acme.com",
    "carl@corp.com",
    "hank@globex.com",
    "olga@initech.com",
    "pam@initech.com",
    "quinn@hooli.com",
    "fred@gmail.com",
)
DORA, DORA_AT_HOME = "dora@dora.com", "dora@private.net"
NINA, GUS, IVY, ZED, KIM, LEE = (
    "nina@new.com",
    "gus@gus.com",
    "ivy@ivy.com",
    "zed@zed.com",
    "kim@acme.com",
    "lee@lee.com",
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        shop = make_shop(
            tmp_path,
            url=lambda sandbox: stack.enter_context(Server(sandbox)).url,
            company={"daily_tokens": BUDGET},
            owners={"sales": "bob@example.com"},
        )
        with shop.ledger:
            yield shop


def test_a_year_of_a_small_sales_team(shop: Shop) -> None:
    for month in (
        january,
        february,
        march,
        april,
        may,
        june,
        july,
        august,
        september,
        october,
        november,
    ):
        month(shop)
        shop.clock.passes(days=25)
        shop.next_day()
        shop.shown()  # nothing is there twice, in no month

    december(shop)


def january(shop: Shop) -> None:
    """A CRM that people have kept for years meets a mailbox of some months."""
    globex = shop.acts.add_organization("Globex Corporation", website="http://www.globex.com/")
    shop.acts.add_person("Hank Scorpio", "private@hank.example", "Hank@Globex.com", org_id=globex)
    olga = shop.acts.add_person("Olga", OLGA)
    shop.acts.win(shop.acts.add_deal("Olga's printer", person_id=olga))
    pam = shop.acts.add_person("Pam", PAM)
    shop.acts.add_deal("Pam's paper", person_id=pam)
    quinn = shop.acts.add_person("Quinn", QUINN)
    shop.acts.add_lead("Quinn from the fair", person_id=quinn)
    shop.hears(ADA, name="Ada Lovelace")
    shop.hears_often(CARL, 5)
    shop.hears_often(HANK, 3)
    for address in (OLGA, PAM, QUINN, FRED, GUS, IVY, DORA, DORA_AT_HOME):
        shop.hears_often(address, 2)
    shop.sync()

    assert shop.count() == {
        "organizations": 1 + 8,
        "persons": 4 + 7,
        "leads": 1 + 6,
        "deals": 2 + 1,
        "activities": 1 + 5 + 3 + 16,
    }


def february(shop: Shop) -> None:
    """We answer Ada; people edit what we made, and win Carl's deal."""
    shop.writes(ADA, answers=1)
    shop.sync()
    deal = by_person(shop, "deals", ADA)
    shop.acts.rename("persons", shop.person(ADA)["id"], "Lady Ada")
    shop.acts.rename("deals", deal["id"], "The engine")
    shop.acts.move(deal["id"], shop.acts.stage_id("Sales", "Proposal Made"))
    shop.acts.edit("deals", deal["id"], value=5000)
    shop.acts.win(by_person(shop, "deals", CARL)["id"])
    shop.next_day()
    shop.hears(CARL)
    shop.hears(ADA)


def march(shop: Shop) -> None:
    """Other integrations spend everything, three days in a row."""
    for _ in range(3):
        shop.clock.now = (shop.clock.now + timedelta(days=1)).replace(hour=0, minute=1)
        shop.sandbox.spend_elsewhere(BUDGET)
        shop.hears(NINA)
        shop.hears(CARL)
        before = len(shop.sandbox.writes())
        refused = shop.mark()
        with suppress(BudgetSpent):  # when there isn't even enough to look
            assert shop.sync().resume_at is not None
        assert len(shop.sandbox.writes()) == before
        assert len(shop.requests(refused)) <= 10
    shop.clock.now = (shop.clock.now + timedelta(days=1)).replace(hour=0, minute=1)
    shop.sync()

    assert by_person(shop, "leads", NINA)
    assert activities_of(shop, NINA) == 3


def april(shop: Shop) -> None:
    """Dora is one person: people merge the two that we made, and drop the second lead."""
    keep, lose = shop.person(DORA)["id"], shop.person(DORA_AT_HOME)["id"]
    shop.acts.delete("leads", by_person(shop, "leads", DORA_AT_HOME)["id"])
    shop.acts.merge("persons", lose, keep)
    shop.hears(DORA_AT_HOME)  # her fifth
    shop.sync()


def may(shop: Shop) -> None:
    """Leads: Nina's is converted by hand, Gus's deleted, Ivy's archived."""
    shop.acts.convert_lead(by_person(shop, "leads", NINA)["id"])
    shop.acts.delete("leads", by_person(shop, "leads", GUS)["id"])
    shop.acts.archive("leads", by_person(shop, "leads", IVY)["id"])
    for address in (NINA, GUS, IVY):
        asked = shop.writes(address)
        shop.hears(address, answers=asked)
    shop.sync()


def june(shop: Shop) -> None:
    """Zed comes, gets a deal, and is deleted with it."""
    shop.hears_often(ZED, 6)
    shop.sync()
    shop.acts.delete("deals", by_person(shop, "deals", ZED)["id"])
    shop.acts.delete("persons", shop.person(ZED)["id"])
    shop.hears_often(ZED, 6)
    shop.sync()


def july(shop: Shop) -> None:
    """Acme becomes part of a holding; a colleague of Ada's writes."""
    acme = next(o["id"] for o in shop.acts.every("organizations") if o["name"] == "acme.com")
    shop.acts.merge("organizations", acme, shop.acts.add_organization("Acme Holding"))
    shop.next_day()
    shop.hears(KIM)
    shop.sync()


def august(shop: Shop) -> None:
    """Hank, who was there before us, writes for the tenth time; Quinn, who has a lead, answers."""
    shop.hears_often(HANK, 6)
    asked = shop.writes(QUINN)
    shop.hears(QUINN, answers=asked)
    shop.sync()
    assert not [d for d in shop.acts.every("deals") if d["person_id"] == shop.person(HANK)["id"]]
    shop.hears(HANK)
    shop.sync()


def september(shop: Shop) -> None:
    """A meeting with Carl and Fred is accepted and moved."""
    day = START + timedelta(days=300)
    shop.writes(CARL, FRED, invite=invitation(WE, CARL, starts_at=day, also=(FRED,)))
    for address in (CARL, FRED):
        yes = invitation(WE, address, method="REPLY", partstat="ACCEPTED", starts_at=day)
        shop.hears(address, invite=yes)
    shop.sync()
    later = day + timedelta(days=2)
    moved = invitation(WE, CARL, sequence=1, starts_at=later, also=(FRED,), stamped=day)
    shop.writes(CARL, FRED, invite=moved)
    shop.sync()


def october(shop: Shop) -> None:
    """The meeting is cancelled, and the line is bad: answers are lost, after the work or before."""
    gone = invitation(WE, CARL, method="CANCEL", sequence=2, also=(FRED,))
    shop.writes(CARL, FRED, invite=gone)
    shop.sync()
    shop.hears_often(LEE, 5)
    shop.plan()
    for fault in (
        Fault("drop", method="POST", path="/organizations$"),
        Fault("truncate", method="POST", path="/persons$"),
        Fault("error", method="POST", path="/deals$", status=502),
        Fault("reset", method="POST", path="/activities$", count=2),
        Fault("rate_limit", method="POST", path="/activities$", skip=1),
        Fault("unsuccessful", method="POST", path="/activities$", when="before", skip=1),
    ):
        shop.sandbox.faults.add(fault)
    shop.sync()


def november(shop: Shop) -> None:
    """People tidy up: a field goes, the stage gets another name, Ada another address."""
    number = next(
        f["id"] for f in shop.acts.every("fields") if f["field_name"] == "Avg response hours"
    )
    with shop.sandbox.at_work() as call:
        call.store.remove("fields", number)
    stage = shop.acts.stage_id("Sales", "Initial Contact")
    shop.acts.edit("stages", stage, name="First talk")
    shop.acts.change_emails(shop.person(ADA)["id"], "ada@royal.example", ADA)
    shop.hears("ada@royal.example")
    shop.sync()


def december(shop: Shop) -> None:
    """The year is over: what is there is what the rules say, and another day changes nothing."""
    before = len(shop.sandbox.writes())
    shop.next_day()
    assert len(shop.sandbox.writes()) == before
    assert shop.parked() == []
    assert shop.sandbox.faults.left() == ()

    shown = shop.shown()
    assert organizations(shown) == {
        "Globex Corporation",
        "Acme Holding",
        *(f"{name}.com" for name in ("corp", "dora", "gus", "hooli", "initech", "ivy", "lee")),
        "new.com",
        "private.net",
        "zed.com",
    }
    assert {(p["name"], p["org"], p["owner"]) for p in shown["persons"]} == {
        ("Hank Scorpio", "Globex Corporation", "ada@example.com"),
        ("Olga", "initech.com", "ada@example.com"),
        ("Pam", "initech.com", "ada@example.com"),
        ("Quinn", "hooli.com", "ada@example.com"),
        ("Lady Ada", "Acme Holding", "bob@example.com"),
        ("Carl", "corp.com", "bob@example.com"),
        ("Fred", None, "bob@example.com"),
        ("Dora", "dora.com", "bob@example.com"),
        ("Nina", "new.com", "bob@example.com"),
        ("Gus", "gus.com", "bob@example.com"),
        ("Ivy", "ivy.com", "bob@example.com"),
        ("Kim", "Acme Holding", "bob@example.com"),
        ("Lee", "lee.com", "bob@example.com"),
    }
    assert len(shown["persons"]) == 13
    assert sorted(
        (d["title"], d["status"], d["stage"], d["from_lead"]) for d in shown["deals"]
    ) == [
        ("Carl (corp.com)", "won", "First talk", False),
        ("Dora (dora.com)", "open", "First talk", True),
        ("Fred (gmail.com)", "open", "First talk", True),
        ("Hank (globex.com)", "open", "First talk", False),
        ("Lee (lee.com)", "open", "First talk", False),
        ("Nina (new.com)", "open", "Qualified", True),
        ("Olga's printer", "won", "Qualified", False),
        ("Pam's paper", "open", "Qualified", False),
        ("Quinn from the fair", "open", "First talk", True),
        ("The engine", "open", "Proposal Made", True),
    ]
    assert sorted((lead["title"], lead["is_archived"]) for lead in shown["leads"]) == [
        ("Ivy (ivy.com)", True),
        ("Kim (acme.com)", False),
    ]
    assert shown_activities(shop) == {
        ADA: 1 + 1 + 1 + 1,
        CARL: 5 + 1 + 3 + 2,
        HANK: 3 + 6 + 1,
        OLGA: 2,
        PAM: 2,
        QUINN: 2 + 2,
        FRED: 2,
        DORA: 2 + 2 + 1,
        NINA: 3 + 2,
        GUS: 2 + 2,
        IVY: 2 + 2,
        KIM: 1,
        LEE: 5,
        None: 6,  # of Zed, who is no more
    }
    (meeting,) = shop.activities("meeting")
    assert meeting["subject"] == "Cancelled: Lunch"
    assert meeting["due_date"] == f"{START + timedelta(days=302):%Y-%m-%d}"
    names = [f["field_name"] for f in shop.acts.every("fields")]
    assert sorted(names) == ["Last contact", "Mail key", "Thread count"]
    assert shop.field(CARL, "Thread count") is not None
    assert "left so" in shop.notes(GUS)
    assert "left so" in shop.notes(IVY)
    assert "left so" in shop.notes(ZED)


def organizations(shown: dict[str, list[Any]]) -> set[str]:
    return {doc["name"] for doc in shown["organizations"]}


def by_person(shop: Shop, kind: str, email: str) -> Any:
    person = shop.person(email)["id"]
    (found,) = [doc for doc in shop.acts.every(kind) if doc["person_id"] == person]
    return found


def activities_of(shop: Shop, email: str) -> int:
    person = shop.person(email)["id"]
    return sum(a["person_id"] == person for a in shop.activities())


def shown_activities(shop: Shop) -> dict[str | None, int]:
    """E-mail activities by the address of their primary participant."""
    wanted = {ADA, CARL, HANK, OLGA, PAM, QUINN, FRED, DORA, NINA, GUS, IVY, KIM, LEE}
    people = {shop.person(address)["id"]: address for address in wanted}
    return dict(Counter(people.get(a["person_id"]) for a in shop.activities()))
