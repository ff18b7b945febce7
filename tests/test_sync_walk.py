"""Random walks: mails, people's acts, other integrations and a bad line, in any order.

Whatever happens, nothing of ours is there twice, nothing that people removed comes back, and what
people wrote stays as they wrote it.
"""

import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from crm_kit import WE, Shop, invitation, make_shop

from daemon.errors import RetryLater
from daemon.rules.marks import mark_of
from daemon.sandbox.crm import Fault
from daemon.sandbox.crm.faults import Kind

SENDERS = [f"{name}@{firm}.com" for firm in ("acme", "corp", "gmail") for name in ("ada", "bob")]
FAULTS: tuple[Kind, ...] = (
    "drop",
    "reset",
    "timeout",
    "error",
    "truncate",
    "unsuccessful",
    "rate_limit",
)


class Walk:
    """One walk; remembers what people did, so that it can be held against the end."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop = shop
        self.random = random.Random(seed)
        self.removed: set[tuple[str, Any]] = set()
        self.given: dict[int, str] = {}
        self.by_people: Counter[str] = Counter()

    def step(self) -> None:
        acts = (
            *[self.mail] * 6,
            *[self.syncs] * 4,
            self.meets,
            self.person,
            self.delete,
            self.merge,
            self.convert,
            self.archive,
            self.close,
            self.rename,
            self.second_address,
            self.fault,
            self.others_spend,
            self.time_passes,
        )
        self.random.choice(acts)()

    def mail(self) -> None:
        sender = self.random.choice(SENDERS)
        earlier = self.random.randint(1, self.shop._number) if self.shop._number else None
        answers = self.random.choice([None, earlier])
        if self.random.random() < 0.3:
            self.shop.writes(
                *self.random.sample(SENDERS, self.random.randint(1, 2)), answers=answers
            )
        else:
            self.shop.hears(sender, answers=answers)

    def meets(self) -> None:
        sender = self.random.choice(SENDERS)
        uid = self.random.choice(["one", "two"])
        method = self.random.choice(["REQUEST", "CANCEL"])
        sequence = self.random.randint(0, 3)
        self.shop.hears(
            sender,
            invite=invitation(sender, WE, f"{sender} {uid}", method=method, sequence=sequence),
        )

    def syncs(self) -> None:
        with suppress(RetryLater):
            self.shop.sync()

    def person(self) -> None:
        email = self.random.choice(SENDERS)
        if any(email in (e["value"] for e in p["emails"]) for p in self.shop.acts.every("persons")):
            return
        if self.shop.ledger.journal.open_row("person", email) is None:
            self.shop.acts.add_person("By hand", email)

    def delete(self) -> None:
        kind = self.random.choice(["persons", "organizations", "deals", "leads", "activities"])
        if found := self.shop.acts.every(kind):
            chosen = self.random.choice(found)["id"]
            self.shop.acts.delete(kind, chosen)
            self.removed.add((kind, chosen))

    def merge(self) -> None:
        kind = self.random.choice(["persons", "organizations"])
        found = self.shop.acts.every(kind)
        if len(found) > 1:
            lost, kept = self.random.sample(found, 2)
            self.shop.acts.merge(kind, lost["id"], kept["id"])
            self.removed.add((kind, lost["id"]))

    def convert(self) -> None:
        if found := [lead for lead in self.shop.acts.every("leads") if not lead["is_archived"]]:
            self.shop.acts.convert_lead(self.random.choice(found)["id"])

    def archive(self) -> None:
        kind = self.random.choice(["deals", "leads"])
        if found := [doc for doc in self.shop.acts.every(kind) if not doc["is_archived"]]:
            self.shop.acts.archive(kind, self.random.choice(found)["id"])

    def close(self) -> None:
        if found := [deal for deal in self.shop.acts.every("deals") if deal["status"] == "open"]:
            deal = self.random.choice(found)["id"]
            self.random.choice([self.shop.acts.win, self.shop.acts.lose])(deal)

    def rename(self) -> None:
        if found := self.shop.acts.every("persons"):
            chosen = self.random.choice(found)["id"]
            self.given[chosen] = f"Name {len(self.given)}"
            self.shop.acts.rename("persons", chosen, self.given[chosen])

    def second_address(self) -> None:
        known = {e["value"] for p in self.shop.acts.every("persons") for e in p["emails"]}
        fresh = [a for a in SENDERS if a not in known]
        fresh = [a for a in fresh if self.shop.ledger.journal.open_row("person", a) is None]
        found = self.shop.acts.every("persons")
        if fresh and found:
            person = self.random.choice(found)
            emails = [e["value"] for e in person["emails"]]
            self.shop.acts.change_emails(person["id"], *emails, self.random.choice(fresh))

    def fault(self) -> None:
        self.shop.sandbox.faults.add(
            Fault(
                self.random.choice(FAULTS),
                when=self.random.choice(["before", "after"]),
                method=self.random.choice(["POST", "PATCH", "GET"]),
                skip=self.random.randint(0, 5),
            )
        )

    def others_spend(self) -> None:
        self.shop.sandbox.spend_elsewhere(self.random.randint(0, 800))

    def time_passes(self) -> None:
        self.shop.clock.passes(hours=self.random.choice([1, 7, 30]))

    def end(self) -> None:
        """All faults are over, and days pass until nothing is left to do."""
        self.shop.sandbox.faults.clear()
        for _ in range(4):
            self.shop.clock.passes(days=1)
            self.syncs()
        assert not self.shop.ledger.backlog.pending(), self.shop.ledger.rows(
            "SELECT * FROM waiting"
        )
        before = len(self.shop.sandbox.writes())
        self.shop.next_day()
        assert len(self.shop.sandbox.writes()) == before

    def check(self) -> None:
        acts = self.shop.acts
        self.shop.shown()  # no person, organization or activity twice
        marks = Counter(filter(None, map(mark_of, acts.every("activities", deleted=True))))
        assert [mark for mark, count in marks.items() if count > 1] == []
        for kind, identifier in self.removed:
            assert acts.get(kind, identifier)["is_deleted"]
        names = {doc["id"]: doc["name"] for doc in acts.every("persons")}
        for person, name in self.given.items():
            assert names.get(person, name) == name
        open_of = Counter(
            deal["person_id"]
            for deal in acts.every("deals")
            if deal["status"] == "open"
            and not deal["is_archived"]
            and deal["source_lead_id"] is None
        )
        merged = any(kind == "persons" for kind, _ in self.removed)
        assert merged or all(count == 1 for count in open_of.values())
        assert [p for p in self.shop.parked() if p[0] != "activity"] == []


@pytest.mark.parametrize("seed", range(6))
def test_after_a_random_walk_everything_is_as_people_left_it_and_once(
    tmp_path: Path, seed: int
) -> None:
    shop = make_shop(tmp_path, company={"daily_tokens": 2500})
    with shop.ledger:
        walk = Walk(shop, seed)
        for _ in range(60):
            walk.step()
        walk.end()
        walk.check()
