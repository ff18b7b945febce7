"""A change of the configuration takes effect on what is known, at the next start or reload."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import world as world_module
from postbox import START, WE, Folder, letter
from world import READING, World

from daemon.intake import consent
from daemon.intake.consent import OLD_MAIL
from daemon.intake.poll import Pass
from daemon.intake.scoring import fingerprint
from daemon.ledger.reports import unwanted
from daemon.ledger.store import Ledger
from daemon.rules.classify import Rules
from daemon.rules.organization import public_providers
from daemon.sync import SafetyLimit, Session, Sync, approve, configuration


def change(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """The world's configuration is another one from its next start on."""
    monkeypatch.setattr(world_module, "READING", replace(READING, **changes))


def numbers(world: World) -> dict[str, tuple[str, int]]:
    with world.ledger() as ledger:
        rows = ledger.rows("SELECT address, class, msg_count FROM senders ORDER BY address")
    return {row["address"]: (row["class"], row["msg_count"]) for row in rows}


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    for _ in range(3):
        world.receives("ada@acme.example")
    world.receives("bob@stone.example")
    world.settle()
    with world.ledger() as ledger:
        assert unwanted(ledger, 3) == {"records": {}, "examples": []}
    assert numbers(world) == {
        "ada@acme.example": ("lead", 3),
        "bob@stone.example": ("lead", 1),
    }
    return world


def test_a_lower_threshold_makes_a_deal_of_a_known_sender(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Rules(deal_at_messages=3)
    change(monkeypatch, rules=rules)
    world.settings = replace(world.settings, policy=replace(world.settings.policy, rules=rules))
    world.settle()

    assert numbers(world)["ada@acme.example"] == ("person_with_deal", 3)
    assert len(world.crm()["deals"]) == 1


def test_who_is_ignored_from_now_on_is_no_sender_and_keeps_the_records(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(world.crm()["leads"]), len(world.writes())
    change(monkeypatch, us=replace(READING.us, ignored_domains=frozenset({"stone.example"})))
    world.settle()

    assert "bob@stone.example" not in numbers(world)
    with world.ledger() as ledger:
        assert unwanted(ledger, 3) == {
            "records": {"lead": 1, "person": 1},
            "examples": ["bob@stone.example"],
        }
    assert (len(world.crm()["leads"]), len(world.writes())) == before


def test_who_is_us_from_now_on_is_no_sender(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    us = replace(READING.us, domains=READING.us.domains | {"acme.example"})
    change(monkeypatch, us=us)
    world.settle()

    assert list(numbers(world)) == ["bob@stone.example"]


def test_a_domain_that_was_ours_for_a_while_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, crm, writes = numbers(world), world.crm(), len(world.writes())
    change(monkeypatch, us=replace(READING.us, domains=frozenset({"ours.example", "acme.example"})))
    world.receives("carl@acme.example")
    world.settle()
    assert numbers(world) == {"bob@stone.example": ("lead", 1)}
    assert world.crm() == crm
    change(monkeypatch)
    world.settle()
    assert numbers(world) == before | {"carl@acme.example": ("lead", 1)}
    made = [one for one in world.writes()[writes:] if one.startswith("POST")]
    assert sorted(one.rpartition("/")[2] for one in made) == ["activities", "leads", "persons"]
    assert world.doubled() == []


def test_the_same_configuration_judges_nothing_again(world: World) -> None:
    with world.ledger() as ledger:
        versions = ledger.rows("SELECT address, version FROM senders")
    world.settle()
    with world.ledger() as ledger:
        assert ledger.rows("SELECT address, version FROM senders") == versions


def test_activities_that_are_switched_on_are_made_for_known_mail(tmp_path: Path) -> None:
    world = World(tmp_path, emails=False)
    world.receives("ada@acme.example")
    world.settle()
    assert world.crm()["activities"] == []
    world.settings = replace(world.settings, emails=True)
    world.settle()

    assert len(world.crm()["activities"]) == 1


def test_a_fingerprint_is_the_same_in_any_order() -> None:
    names = ("a@x.example", "b@x.example")
    one, other = (
        replace(READING, us=replace(READING.us, addresses=frozenset(order)))
        for order in (names, names[::-1])
    )
    assert fingerprint(one) == fingerprint(other) != fingerprint(READING)


def test_new_mail_does_not_wait_until_what_is_known_is_judged_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads: list[int] = []  # in Pipedrive, whenever the judging lets others work

    def others_work(_: float) -> None:
        if not leads:
            world.number = (world.clock.now - START) // timedelta(hours=1)
            world.receives("eve@third.example")
            with Ledger.open(world.path) as other:
                world.take_in(other)
        leads.append(len(world.crm()["leads"]))

    change(monkeypatch, count="exchanged")
    with world.ledger() as ledger:
        Sync(replace(world.session(ledger), rest=others_work)).sync()

    assert leads[:2] == [2, 3]


# What an edit would newly make of old mail


class Limited(World):
    """A world whose sync has a safety limit, as every service has."""

    def session(self, ledger: Ledger, run: int | None = None) -> Session:
        return replace(super().session(ledger, run), limit=SafetyLimit())

    def edit(self, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
        """Edit what is counted; `rules` means the sync's, too."""
        change(monkeypatch, **changes)
        if "rules" in changes:
            policy = replace(self.settings.policy, rules=changes["rules"])
            self.settings = replace(self.settings, policy=policy)

    def waits(self) -> str:
        with self.ledger() as ledger:
            return "; ".join(one.reason for one in ledger.conditions.of(OLD_MAIL))

    def approve(self) -> None:
        with self.ledger() as ledger, ledger.transaction("approve"):
            approve(ledger, "mail2deal approve", None, self.clock())

    def counts(self) -> dict[str, int]:
        return {kind: len(rows) for kind, rows in self.crm().items() if rows}


SHARED = "carl@mailbox.example"  # at a provider that the configuration names as public
# The edit, what it would make in words, and of which kind then one is made.
EDITS: dict[str, tuple[dict[str, Any], str, str]] = {
    "threshold": ({"rules": Rules(deal_at_messages=3)}, "1 deal", "deals"),
    "no longer ignored": ({"us": READING.us}, "1 lead", "leads"),
    "no longer ours": ({"us": READING.us}, "1 lead", "leads"),
    "no longer public": ({"public": READING.public}, "other records of 1 sender", "organizations"),
}
BEFORE: dict[str, dict[str, Any]] = {
    "threshold": {},
    "no longer ignored": {
        "us": replace(READING.us, ignored_domains=frozenset({"stone.example"})),
    },
    "no longer ours": {
        "us": replace(READING.us, domains=frozenset({"ours.example", "stone.example"})),
    },
    "no longer public": {"public": public_providers(("mailbox.example",), ())},
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_an_edit_newly_makes_of_old_mail_waits_however_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: str
) -> None:
    change(monkeypatch, **BEFORE[edit])
    world = Limited(tmp_path)
    for _ in range(3):
        world.receives("ada@acme.example")
    world.receives("bob@stone.example")
    world.receives(SHARED)
    world.settle()
    before = world.counts()
    changes, asked, kind = EDITS[edit]
    world.edit(monkeypatch, **changes)
    world.settle()

    assert world.counts() == before
    assert world.waits() == f"the changed configuration would newly make up to {asked}"
    world.receives("eve@third.example")  # news isn't held up
    world.settle()
    meanwhile = world.counts()
    assert meanwhile["leads"] == before["leads"] + 1
    world.approve()
    world.settle()
    assert world.waits() == ""
    assert world.counts()[kind] == meanwhile.get(kind, 0) + 1
    assert world.doubled() == []


def test_activities_that_are_switched_on_wait_for_old_mail_only(tmp_path: Path) -> None:
    world = Limited(tmp_path, emails=False)
    for who in ("ada@acme.example", "bob@stone.example"):
        world.receives(who)
    world.settle()
    world.settings = replace(world.settings, emails=True)
    world.receives("ada@acme.example")
    world.receives("eve@third.example")
    world.settle()

    assert world.waits().endswith("up to other records of 1 sender")
    assert world.counts()["activities"] == 3  # of Ada, who wrote again, and of Eve
    world.approve()
    world.settle()
    assert world.counts()["activities"] == 4


def test_a_first_run_has_no_old_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = Limited(tmp_path)
    for _ in range(3):
        world.receives("ada@acme.example")
    with world.ledger() as ledger:
        world.take_in(ledger)
        configuration.follow(world.session(ledger))
    world.edit(monkeypatch, rules=Rules(deal_at_messages=3))
    world.settle()

    assert world.waits() == ""
    assert world.counts()["deals"] == 1


class Reading(Limited):
    """A limited world that reads the mail of `account` from its `floor` on."""

    account, floor = "sales at mail.example", START - timedelta(days=1)

    def run_of(self) -> Pass:
        return Pass(READING, "sales", self.floor, self.clock, account=self.account)

    def start(self, reading: dict[str, Any], *, since: datetime | None = None) -> None:
        """What a start or reload of the service does with folders and oldest dates."""
        with self.ledger() as ledger, ledger.transaction("start"):
            if since is not None:
                ledger.folders.lower_floor("sales", since)
            consent.read_further(ledger, reading, self.clock())

    def letter(self, folder: str, who: str, at: datetime) -> None:
        self.number += 1
        self.box.deliver(folder, letter(who, WE, number=self.number, at=at), at)


@pytest.mark.parametrize("edit", ["since", "folders"])
def test_old_mail_that_an_edit_has_us_read_waits_and_what_came_meanwhile_does_not(
    tmp_path: Path, edit: str
) -> None:
    world, long_ago = Reading(tmp_path), START - timedelta(days=60)
    world.start({world.account: "before"})
    old_folder = "INBOX" if edit == "since" else "Archive"
    if edit == "since":
        world.letter("INBOX", "old@acme.example", long_ago)
    world.receives("ada@acme.example")
    world.settle()
    assert world.counts()["leads"] == 1

    # The service is down; the configuration is edited, and mail arrives.
    if edit == "folders":
        world.box.folders["Archive"] = Folder("inbox", uidvalidity=9)
        world.floor = long_ago - timedelta(days=1)
        world.letter(old_folder, "old@acme.example", long_ago)
    world.clock.sleep(3600)
    world.letter("INBOX", "eve@third.example", world.clock())
    world.letter("INBOX", "ada@acme.example", world.clock())
    world.start({world.account: "after"}, since=long_ago - timedelta(days=1))
    world.settle()

    names = {person["name"] for person in world.crm()["persons"]}
    assert len(names) == 2, names
    assert world.waits().endswith("up to 1 lead")
    world.approve()
    world.settle()
    assert world.counts()["leads"] == 3
