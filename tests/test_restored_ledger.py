"""An older copy of the ledger takes the place of the newer one: nothing is made a second time.

However the older one came about: a backup from the middle of the first run, a write-ahead log that
was lost, yesterday's copy after people have edited what we made.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crm_kit import START, Shop, make_shop

from daemon.rules.case import Policy
from daemon.rules.classify import Rules
from daemon.sync import Sync

ADA, BOB, CYD = "ada@acme.com", "bob@acme.com", "cyd@other.com"


def copied(shop: Shop, home: Path) -> Path:
    """A backup of the ledger as it is now."""
    backup = home / "backup.db"
    shop.ledger.copy_to(backup)
    return backup


def restored(shop: Shop, backup: Path) -> None:
    """The service is stopped, the backup put in place, and the service started again."""
    shop.clock.passes(minutes=1)
    shop.client.answered = False
    shop.reopens(backup)


def posts(shop: Shop, after: int) -> list[str]:
    return [r.path for r in shop.requests(after) if r.method == "POST" and r.outcome in (200, 201)]


def days(shop: Shop, count: int) -> None:
    for _ in range(count):
        shop.next_day()


def company(home: Path, **more: Any) -> Shop:
    """Strangers, people who get deals, and colleagues who share an organization."""
    shop = make_shop(home, workers=1, **more)
    for number in range(4):
        shop.hears(f"p{number}@firm{number}.com")
        shop.hears_often(f"q{number}@firm{number}.com", 6)
    return shop


@pytest.mark.parametrize("lag", [0.0, 8.0])
@pytest.mark.parametrize("writes", [1, 5, 12, 25, 40])
def test_a_backup_made_in_the_middle_of_the_first_run(
    tmp_path: Path, writes: int, lag: float
) -> None:
    shop = company(tmp_path, company={"list_lag": lag})
    backups: list[Path] = []

    def progress(phase: str, done: int, _total: int) -> None:
        if phase == "writing" and done >= writes and not backups:
            backups.append(copied(shop, tmp_path))

    shop.sync_ = Sync(replace(shop.sync_.session, progress=progress))
    shop.sync()
    before, made = shop.shown(), shop.mark()
    shop.clock.passes(minutes=40)

    restored(shop, backups[0])
    shop.sync()
    days(shop, 2)

    assert posts(shop, made) == []
    assert shop.shown() == before


@pytest.mark.parametrize("writes", [4, 7, 12, 16])
def test_a_first_run_that_was_cut_and_has_lost_its_ledgers_last_writes(
    tmp_path: Path, writes: int
) -> None:
    """What it had made passes for nobody's but ours: those who should get a deal get it."""
    calm = company(_home(tmp_path, "calm"))
    calm.sync()
    shop = company(_home(tmp_path, "cut"))
    shop.plan()
    backup = copied(shop, tmp_path)
    done = [0]

    def progress(phase: str, count: int, _total: int) -> None:
        done[0] = count if phase == "writing" else done[0]

    session = replace(shop.sync_.session, progress=progress, stopping=lambda: done[0] >= writes)
    shop.sync_ = Sync(session)
    shop.sync_.sync()
    shop.sync_.session = replace(session, stopping=lambda: False)

    restored(shop, backup)
    shop.sync()
    days(shop, 1)

    assert shop.shown() == calm.shown()
    calm.ledger.close()


def _home(path: Path, name: str) -> Path:
    (path / name).mkdir()
    return path / name


def address_changed(shop: Shop) -> None:
    shop.acts.change_emails(shop.person(ADA)["id"], "ada@private.example")


def note_rewritten(shop: Shop) -> None:
    for activity in shop.activities():
        shop.acts.edit("activities", activity["id"], note="We talked on the phone")


def subject_rewritten(shop: Shop) -> None:
    for activity in shop.activities():
        shop.acts.edit("activities", activity["id"], subject="Call", note="")


def lead_renamed(shop: Shop) -> None:
    for lead in shop.acts.every("leads"):
        shop.acts.edit("leads", lead["id"], title="A chance")


def lead_converted(shop: Shop) -> None:
    for lead in shop.acts.every("leads"):
        shop.acts.win(shop.acts.convert_lead(lead["id"]))


def lead_archived(shop: Shop) -> None:
    for lead in shop.acts.every("leads"):
        shop.acts.archive("leads", lead["id"])


def organization_renamed(shop: Shop) -> None:
    for one in shop.acts.every("organizations"):
        shop.acts.rename("organizations", one["id"], f"{one['name']} Ltd")


def merged(shop: Shop) -> None:
    """Of two persons of ours, who have a lead each."""
    shop.acts.merge("persons", shop.person(BOB)["id"], shop.person(ADA)["id"])


EDITS: list[Callable[[Shop], None]] = [
    address_changed,
    note_rewritten,
    subject_rewritten,
    lead_renamed,
    lead_converted,
    lead_archived,
    organization_renamed,
    merged,
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
@pytest.mark.parametrize("hours", [1, 30])
def test_what_people_edited_since_the_backup_is_recognised_all_the_same(
    tmp_path: Path, edit: Callable[[Shop], None], hours: int
) -> None:
    shop = make_shop(tmp_path)
    shop.hears(CYD)
    shop.sync()
    shop.hears(ADA)
    shop.hears(BOB)
    backup = copied(shop, tmp_path)
    shop.sync()
    edit(shop)
    shop.clock.passes(hours=hours)
    before, made = shop.shown(), shop.mark()

    restored(shop, backup)
    shop.sync()
    days(shop, 2)

    assert posts(shop, made) == []
    assert _without_values(shop.shown()) == _without_values(before)


def test_archived_leads_are_listed_only_for_what_the_other_lists_do_not_show(
    tmp_path: Path,
) -> None:
    shop = make_shop(tmp_path)
    shop.hears(BOB)
    shop.sync()
    shop.hears(ADA)
    shop.hears(CYD)
    backup = copied(shop, tmp_path)
    shop.sync()
    restored(shop, backup)
    before, made = shop.mark(), shop.shown()

    shop.sync()

    assert [one.path for one in shop.requests(before) if "archived" in one.path] == []
    assert shop.shown() == made


def _without_values(shown: dict[str, list[Any]]) -> dict[str, list[str]]:
    """What is there; the links of activities aside, which follow a merged or converted record."""
    aside = {"custom_fields", "org"}
    return {
        kind: sorted(str({k: v for k, v in row.items() if k not in aside}) for row in rows)
        for kind, rows in shown.items()
    }


FOLLOW_UPS = Policy(Rules(), follow_up=timedelta(days=2))


@pytest.mark.parametrize("deleted", [True, False])
def test_a_task_that_people_deleted_since_the_backup_is_not_made_again(
    tmp_path: Path, *, deleted: bool
) -> None:
    shop = make_shop(tmp_path, policy=FOLLOW_UPS)
    shop.hears(ADA)
    shop.hears(CYD)
    shop.sync()
    backup = copied(shop, tmp_path)
    shop.clock.passes(days=2)
    shop.sync()
    tasks = shop.activities("task")
    assert len(tasks) == 2
    if deleted:
        shop.acts.delete("activities", tasks[0]["id"])
    shop.clock.passes(hours=3)

    restored(shop, backup)
    days(shop, 2)

    assert len(shop.activities("task")) == 2 - deleted
    shop.hears(ADA, subject="Hello?")
    shop.hears(CYD, subject="Hello?")
    days(shop, 3)
    open_tasks = [one["subject"] for one in shop.activities("task")]
    assert sorted(open_tasks) == ["Answer Ada: Hello?", "Answer Cyd: Hello?"]


def test_a_task_that_became_due_since_the_backup_is_made(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, policy=FOLLOW_UPS)
    shop.hears(ADA)
    shop.sync()
    backup = copied(shop, tmp_path)
    shop.hears(CYD)
    shop.sync()
    shop.clock.now = START + timedelta(days=1)

    restored(shop, backup)
    shop.sync()
    days(shop, 2)

    assert len(shop.activities("task")) == 1  # of Cyd's mail the restored ledger knows nothing
