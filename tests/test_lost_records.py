"""What a lost ledger had done is adopted once, and only what carries our mark."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from crm_kit import Shop, make_shop

from daemon.pipedrive.costs import Call
from daemon.rules.marks import mark, short
from daemon.sync import Sync
from daemon.sync.lost_records import adopt_lost_activities
from daemon.sync.session import LOST_UNTIL

ADA = "ada@acme.com"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = make_shop(tmp_path)
    with shop.ledger:
        yield shop


def forget(shop: Shop, key: str) -> None:
    with shop.ledger.transaction("test"):
        shop.ledger.rows(
            "DELETE FROM records WHERE kind = 'activity' AND key = ? RETURNING key", key
        )


def test_an_activity_that_the_ledger_has_lost_is_adopted_with_its_people(shop: Shop) -> None:
    shop.hears(ADA)
    shop.hears(ADA)
    shop.sync()
    shop.next_day()  # the listing shows whose addresses there are
    lost, kept = f"{2:032x}", f"{1:032x}"
    forget(shop, lost)

    assert adopt_lost_activities(Sync(shop.sync_.session).session, None) == 1

    record = shop.record("activity", short(lost))
    assert record.origin == "created"
    assert record.fields["participants"] == [ADA]
    assert record.fields["subject"] == "Mail 2"
    assert shop.record("activity", kept) is not None
    assert adopt_lost_activities(shop.sync_.session, None) == 0
    with shop.ledger.transaction("test"):
        shop.ledger.senders.touch([ADA])
    shop.sync()
    assert shop.record("activity", lost).pipedrive_id == record.pipedrive_id
    assert len(shop.activities()) == 2


def test_the_last_mark_of_a_note_tells_whose_it_is(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sync()
    person = shop.person(ADA)["id"]
    quoted, own = f"{8:032x}", f"{9:032x}"
    shop.client.send(
        Call.to(
            "activities.create",
            body={
                "subject": "S",
                "type": "email",
                "note": f"{mark(quoted)} was quoted<br>{mark(own)}",
                "participants": [{"person_id": person, "primary": True}],
            },
        )
    )

    assert adopt_lost_activities(shop.sync_.session, None) == 1

    assert shop.record("activity", short(own)) is not None
    assert shop.record("activity", short(quoted)) is None


def test_what_is_being_looked_for_is_left_to_its_own_look(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sync()
    key = f"{1:032x}"
    record = shop.record("activity", key)
    forget(shop, key)
    with shop.ledger.transaction("test"):
        shop.ledger.rows(
            "UPDATE journal SET state = 'waiting', unknown = 1 WHERE key = ? RETURNING id", key
        )

    assert adopt_lost_activities(shop.sync_.session, None) == 0

    assert shop.record("activity", key) is None
    assert record is not None
    # Else tasks that are due would be taken for some that people have deleted since a backup.
    assert shop.ledger.setting(LOST_UNTIL) is None


def test_a_change_that_waits_is_taken_back_when_it_proves_to_be_done(shop: Shop) -> None:
    shop.hears(ADA)
    shop.hears(ADA)
    shop.sync()
    key = f"{1:032x}"
    forget(shop, key)
    with shop.ledger.transaction("test"):
        shop.ledger.rows("UPDATE journal SET state = 'planned' WHERE key = ? RETURNING id", key)

    assert adopt_lost_activities(shop.sync_.session, None) == 1

    assert shop.ledger.journal.open_row("activity", key) is None
    shop.sync()
    assert len(shop.activities()) == 2


@pytest.mark.parametrize("marks", [True, False])
@pytest.mark.parametrize("fields", [True, False])
def test_a_new_ledger_looks_for_activities_where_something_says_that_we_were_there(
    shop: Shop, *, marks: bool, fields: bool
) -> None:
    shop.hears(ADA)
    shop.sync()
    shop.next_day()  # the listing shows our Mail key
    with shop.ledger.transaction("test"):
        shop.ledger.rows("DELETE FROM records WHERE kind = 'activity'")
        shop.ledger.rows(f"UPDATE records SET origin = '{'adopted' if fields else 'created'}'")
        if not marks:
            shop.ledger.rows("UPDATE crm_leads SET mail_key = NULL")

    assert adopt_lost_activities(shop.sync_.session, None) == (1 if marks or fields else 0)
