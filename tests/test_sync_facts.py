"""What forms and signatures say of a person goes into Pipedrive once, and only where nothing is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from world import READING, World

from daemon.ledger.store import Ledger
from daemon.maintenance.explain import as_dict, tell
from daemon.sandbox.crm import Settings as Company

ADA = "Ada Lovelace <ada@engines.example>"
SIGNED = (
    "Could we talk about the engines?\r\n\r\nKind regards\r\nAda Lovelace\r\n"
    "Head of Purchasing\r\nEngines Ltd\r\nPhone: +44 20 7946 0018\r\n"
)
PLAIN = "Could we talk about the engines?"


def world(home: Path, *, contact_sync: bool = False, **more: Any) -> World:
    company = Company(burst=False, plan="ultimate", seats=4, contact_sync=contact_sync)
    return World(home, company, **more)


def person(of: World) -> dict[str, Any]:
    (found,) = of.acts.every("persons")
    return dict(found)


def numbers(of: World) -> list[str]:
    return [entry["value"] for entry in person(of)["phones"]]


def writes(of: World, method: str = "") -> int:
    return len([line for line in of.writes() if line.startswith(method)])


def test_they_are_written_to_a_person_that_we_make(tmp_path: Path) -> None:
    company = world(tmp_path, contact_sync=True)
    company.receives(ADA, text=SIGNED)
    company.settle()
    assert numbers(company) == ["+44 20 7946 0018"]
    assert person(company)["job_title"] == "Head of Purchasing"
    assert [one["name"] for one in company.acts.every("organizations")] == ["Engines Ltd"]
    assert writes(company, "PATCH") == 0
    before = writes(company)
    company.settle()
    assert writes(company) == before


def test_without_contact_sync_there_is_no_title_to_write(tmp_path: Path) -> None:
    company = world(tmp_path)
    company.receives(ADA, text=SIGNED)
    company.settle()
    assert "job_title" not in person(company)
    assert numbers(company) == ["+44 20 7946 0018"]


def test_a_person_that_is_there_gets_what_it_lacks_and_keeps_its_name(tmp_path: Path) -> None:
    company = world(tmp_path, contact_sync=True)
    company.acts.add_person("A. Lovelace (VIP)", "ada@engines.example")
    company.receives(ADA, text=SIGNED)
    company.settle()
    assert numbers(company) == ["+44 20 7946 0018"]
    assert person(company)["job_title"] == "Head of Purchasing"
    assert person(company)["name"] == "A. Lovelace (VIP)"
    before = writes(company)
    company.receives(ADA, text=SIGNED.replace("0018", "0019"))
    company.settle()
    assert numbers(company) == ["+44 20 7946 0018"]  # what is there stays
    again = writes(company)
    company.settle()
    assert (again > before, writes(company)) == (True, again)


def test_what_people_have_there_is_theirs(tmp_path: Path) -> None:
    company = world(tmp_path, contact_sync=True)
    made = company.acts.add_person("Ada", "ada@engines.example")
    company.acts.edit("persons", made, phones=[{"value": "1"}], job_title="Countess")
    company.receives(ADA, text=SIGNED)
    company.settle()
    assert numbers(company) == ["1"]
    assert person(company)["job_title"] == "Countess"


def test_our_own_person_gets_a_number_that_comes_later_unless_people_took_it_out(
    tmp_path: Path,
) -> None:
    company = world(tmp_path)
    company.receives(ADA, text=PLAIN)
    company.settle()
    assert numbers(company) == []
    company.receives(ADA, text=SIGNED)
    company.settle()
    assert numbers(company) == ["+44 20 7946 0018"]
    company.acts.edit("persons", person(company)["id"], phones=[])
    company.receives(ADA, text=SIGNED.replace("0018", "0019"))
    company.settle()
    assert numbers(company) == []


def test_one_key_turns_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    company = world(tmp_path)
    monkeypatch.setattr("world.READING", replace(READING, facts=False))
    company.receives(ADA, text=SIGNED)
    company.settle()
    assert numbers(company) == []
    assert [one["name"] for one in company.acts.every("organizations")] == ["engines.example"]


@pytest.mark.parametrize(
    ("firm", "domain", "name"),
    [
        ("Engines Ltd", "engines.example", "Engines Ltd"),
        ("Babbage Holding Ltd", "engines.example", "engines.example"),  # somebody else's
        ("Müller GmbH", "xn--mller-kva.example", "müller.example"),
    ],
)
def test_an_organization_is_named_as_the_firm_names_itself(
    tmp_path: Path, firm: str, domain: str, name: str
) -> None:
    company = world(tmp_path)
    company.receives(f"Ada Lovelace <ada@{domain}>", text=SIGNED.replace("Engines Ltd", firm))
    company.settle()
    company.receives(f"Bo Ek <bo@{domain}>", text=PLAIN)
    company.settle()
    (made,) = company.acts.every("organizations")
    assert made["name"] == name
    assert made["website"] == f"https://{domain}"
    assert {one["org_id"] for one in company.acts.every("persons")} == {made["id"]}


def test_a_lost_ledger_finds_the_organization_by_its_website(tmp_path: Path) -> None:
    company = world(tmp_path)
    company.receives(ADA, text=SIGNED)
    company.settle()
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()
    company.settle()
    assert len(company.acts.every("organizations")) == 1
    assert len(company.acts.every("persons")) == 1


def test_explain_says_where_each_stands(tmp_path: Path) -> None:
    company = world(tmp_path)
    company.receives(ADA, text=SIGNED)
    company.settle()
    with Ledger.open(company.path) as ledger:
        facts = as_dict(tell(ledger, READING, "ada@engines.example"))["facts"]
    assert {"kind": "title", "value": "Head of Purchasing", "source": "from"} in facts
