"""Routes: the first that fits decides pipeline, stage, owner and channel, and stays so."""

from pathlib import Path

import pytest
from acts import Acts
from crm_kit import Shop, make_shop
from world import World

from daemon.errors import ConfigProblem
from daemon.rules.routing import Origin, Route, choose, country
from daemon.sandbox.crm import Switches

FORM = Origin("web", frozenset({"info@ours.example"}), "eu.acme.de", "form")


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ({}, True),
        ({"mailboxes": ("web",)}, True),
        ({"mailboxes": ("sales",)}, False),
        ({"recipients": ("sales@ours.example", "info@ours.example")}, True),
        ({"recipients": ("sales@ours.example",)}, False),
        ({"domains": ("acme.de",)}, True),
        ({"domains": ("cme.de",)}, False),
        ({"countries": ("at", "de")}, True),
        ({"countries": ("fr",)}, False),
        ({"sources": ("form", "forward")}, True),
        ({"sources": ("direct",)}, False),
        ({"sources": ("form",), "countries": ("fr",)}, False),  # all that is named must hold
    ],
)
def test_a_route_fits_if_all_that_it_names_does(
    condition: dict[str, tuple[str, ...]], fits: bool
) -> None:
    assert Route("r", **condition).fits(FORM) is fits  # type: ignore[arg-type]


def test_the_first_route_that_fits_is_the_one() -> None:
    first, second = Route("a", countries=("de",)), Route("b")
    assert choose([first, second], FORM) == first
    assert choose([second, first], FORM) == second
    assert choose([Route("c", sources=("direct",))], FORM) is None


@pytest.mark.parametrize(
    ("domain", "code"),
    [("a.de", "de"), ("a.co.uk", "gb"), ("a.com", None), ("a.io", None), ("a.eu", None)],
)
def test_a_country_is_told_by_the_domain(domain: str, code: str | None) -> None:
    assert country(domain) == code


def test_records_go_where_the_route_says(tmp_path: Path) -> None:
    routes = (
        Route("dach", countries=("de",), pipeline="DACH", stage="New", channel_id="mail"),
        Route("rest", domains=("other.com",), owners=("bob@example.com",)),
    )
    world = World(tmp_path, routes=routes)
    world.acts.add_pipeline("DACH", ["New", "Talking"])
    new = world.acts.stage_id("DACH", "New")
    usual = world.acts.stage_id("Sales", "Initial Contact")
    for _ in range(5):
        world.receives("five@acme.de")
        world.receives("five@other.com")
    world.receives("one@lead.de")
    world.settle()

    stages = {deal["title"]: deal["stage_id"] for deal in world.acts.every("deals")}
    assert sorted(stages.values()) == sorted([new, usual])
    (lead,) = world.acts.every("leads")
    assert lead["channel_id"] == "mail"

    number = world.sends("one@lead.de", answers=world.number)
    world.receives("one@lead.de", answers=number)
    world.settle()
    deals = world.acts.every("deals")
    assert [deal["stage_id"] for deal in deals].count(new) == 2  # converted into its route's stage
    bob = next(u["id"] for u in world.acts.every("users") if u["email"] == "bob@example.com")
    owned = {
        kind: {one["owner_id"] for one in world.acts.every(kind) if "other" in str(one)}
        for kind in ("deals", "persons", "organizations")
    }
    assert owned == {"deals": {bob}, "persons": {bob}, "organizations": {bob}}

    before = len(world.writes())
    world.settle()
    assert len(world.writes()) == before


def test_all_that_comes_from_a_mailbox_is_its_owners(tmp_path: Path) -> None:
    world = World(tmp_path, owners={"sales": BOB})
    world.receives("one@lead.de")
    for _ in range(5):
        world.receives("five@acme.de")
    world.sends("five@acme.de", answers=world.number)
    world.invites("five@acme.de", "meeting@acme.de")
    world.settle()

    bob = next(u["id"] for u in world.acts.every("users") if u["email"] == BOB)
    kinds = ("organizations", "persons", "leads", "deals", "activities")
    owned = {kind: [one["owner_id"] for one in world.acts.every(kind)] for kind in kinds}
    assert {kind: set(found) for kind, found in owned.items()} == {kind: {bob} for kind in kinds}
    types = {one["type"] for one in world.acts.every("activities")}
    assert types == {"email", "meeting"}


def test_owners_take_turns_by_organization_for_good(tmp_path: Path) -> None:
    owners = ("ada@example.com", "bob@example.com")
    world = World(tmp_path, routes=(Route("all", owners=owners),))
    for firm in range(4):
        world.receives(f"first@firm{firm}.com")
    world.settle()
    for firm in range(4):
        world.receives(f"second@firm{firm}.com")
    world.settle()

    users = {user["id"]: user["email"] for user in world.acts.every("users")}
    by_firm: dict[str, set[str]] = {}
    for person in world.acts.every("persons"):
        firm = person["emails"][0]["value"].partition("@")[2]
        by_firm.setdefault(firm, set()).add(users[person["owner_id"]])
    assert all(len(found) == 1 for found in by_firm.values())  # one firm, one owner
    given = [next(iter(found)) for found in by_firm.values()]
    assert sorted(given) == ["ada@example.com"] * 2 + ["bob@example.com"] * 2


@pytest.mark.parametrize(
    ("route", "says"),
    [
        (Route("x", pipeline="Nirgends", stage="New"), "there is no pipeline named 'Nirgends'"),
        (Route("x", pipeline="Sales", stage="Nirgends"), "has no stage named 'Nirgends'"),
        (Route("x", owners=("who@example.com",)), "who@example.com"),
    ],
)
def test_unknown_names_are_told_before_anything_is_made(
    tmp_path: Path, route: Route, says: str
) -> None:
    shop = make_shop(tmp_path, routes=(route,))
    with shop.ledger:
        shop.hears("ada@acme.example")
        with pytest.raises(ConfigProblem, match=r"there are|it has|no Pipedrive user") as problem:
            shop.sync()
        assert says in str(problem.value)
        assert shop.acts.every("persons") == []


LABELS = {"lead": ("Hot",), "deal": ("Warm",), "person": ("hot lead", "Customer")}


def ids(shop: Shop, kind: str, *names: str) -> list[int | str]:
    if kind == "lead":
        return [o["id"] for o in shop.acts.every("lead_labels") if o["name"] in names]
    there = {o["label"]: o["id"] for o in shop.acts.every("labels") if o["entity"] == kind}
    return [there[name] for name in names]


def test_labels_go_to_what_is_made_and_stay_peoples_own(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, routes=(Route("all", labels=LABELS),))  # type: ignore[arg-type]
    number = shop.hears("ada@acme.example")
    shop.hears_often("bob@other.example", 5)
    theirs = shop.acts.add_person("Eve", "eve@third.example")
    shop.hears("eve@third.example")
    shop.sync()

    (lead,) = [one for one in shop.acts.every("leads") if "Ada" in one["title"]]
    assert lead["label_ids"] == ids(shop, "lead", "Hot")
    (deal,) = shop.acts.every("deals")
    assert deal["label_ids"] == ids(shop, "deal", "Warm")
    given = ids(shop, "person", "Hot lead", "Customer")
    assert shop.person("ada@acme.example")["label_ids"] == given
    assert shop.acts.get("persons", theirs)["label_ids"] == []

    shop.acts.edit("leads", lead["id"], label_ids=[])
    shop.writes("ada@acme.example", answers=number)
    shop.sync()
    deals = shop.acts.every("deals")
    assert [one["label_ids"] for one in deals] == [ids(shop, "deal", "Warm")] * 2
    mark = shop.mark()
    shop.acts.edit("deals", deals[0]["id"], label_ids=[])  # taken off by people: not put on again
    shop.next_day()
    assert shop.acts.get("deals", deals[0]["id"])["label_ids"] == []
    assert not [one for one in shop.requests(mark) if one.method != "GET"]


@pytest.mark.parametrize("kind", ["lead", "deal", "person"])
def test_an_unknown_label_is_named_with_those_that_there_are(tmp_path: Path, kind: str) -> None:
    shop = make_shop(tmp_path, routes=(Route("all", labels={kind: ("Tepid",)}),))  # type: ignore[dict-item]
    shop.hears("ada@acme.example")
    with pytest.raises(ConfigProblem, match=f"no label 'Tepid' of a {kind}") as raised:
        shop.sync()
    assert "Hot" in str(raised.value.hint)
    assert shop.acts.every("persons") == []


@pytest.mark.parametrize("renamed", [True, False])
@pytest.mark.parametrize("kind", ["lead", "deal", "person"])
def test_a_label_that_people_delete_or_rename_stops_nothing(
    tmp_path: Path, kind: str, *, renamed: bool
) -> None:
    shop = make_shop(tmp_path, routes=(Route("all", labels={kind: LABELS[kind][-1:]}),))  # type: ignore[dict-item]
    shop.hears("ada@acme.example")
    shop.sync()
    (label,) = ids(shop, kind, *LABELS[kind][-1:])
    table = "lead_labels" if kind == "lead" else "labels"
    with shop.sandbox.at_work() as call:
        if renamed:
            doc = call.store.get(table, label)
            assert doc is not None
            doc["name" if kind == "lead" else "label"] = "Other"
            call.store.save(table, doc, call.now)
        else:
            call.store.db.execute(f"DELETE FROM {table} WHERE id = ?", (label,))
    shop.hears("bob@other.example")
    shop.hears_often("cid@third.example", 5)
    shop.sync()
    shop.next_day()
    shop.hears("dan@fourth.example")
    shop.sync()

    assert (len(shop.acts.every("leads")), len(shop.acts.every("deals"))) == (3, 1)
    assert shop.parked() == []
    told = [(one.part, one.needs_person) for one in shop.ledger.conditions.problems()]
    assert told == ([] if renamed else [("label", True)])
    made = shop.acts.every(f"{kind}s")[-1]
    assert made["label_ids"] == ([label] if renamed else [])


BOB = "bob@example.com"


def test_who_has_left_owns_nothing_new_after_a_start_and_is_told(tmp_path: Path) -> None:
    route = Route("all", owners=(BOB, "ada@example.com"))
    world = World(tmp_path, routes=(route,))
    world.receives("first@firm.com")
    world.settle()
    assert owners(world.acts) == [BOB]
    Switches(world.sandbox).deactivate(BOB)
    world.receives("second@firm.com")
    world.receives("third@other.com")
    world.settle()

    assert owners(world.acts) == ["ada@example.com"] * 2 + [BOB]
    with world.ledger() as ledger:
        (told,) = ledger.conditions.of("owner")
    assert (told.name, "deactivated" in told.reason) == (BOB, True)

    Switches(world.sandbox).activate(BOB)
    world.receives("fourth@more.com")
    world.settle()
    with world.ledger() as ledger:
        assert ledger.conditions.of("owner") == []


@pytest.mark.parametrize("sender", ["second@firm.com", "second@other.com"])
def test_an_owner_who_leaves_while_the_service_runs_is_noticed_at_the_refusal(
    tmp_path: Path, sender: str
) -> None:
    shop = make_shop(tmp_path, routes=(Route("all", owners=(BOB,)),))
    with shop.ledger:
        shop.hears("first@firm.com")
        shop.sync()
        Switches(shop.sandbox).deactivate(BOB)
        shop.hears_often(sender, 5)
        shop.sync()

        assert owners(shop.acts) == ["ada@example.com", BOB]  # the token's user
        assert {one["owner_id"] for one in shop.acts.every("deals")} != set()
        assert len(shop.activities()) == 6
        assert shop.ledger.backlog.pending() == {}
        assert shop.ledger.conditions.is_failing("owner", BOB)


def owners(acts: Acts) -> list[str]:
    users = {user["id"]: user["email"] for user in acts.every("users")}
    return sorted(users[one["owner_id"]] for one in acts.every("persons"))
