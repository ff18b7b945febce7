"""One activity a mail, one a meeting: who is named, where it hangs, what it says."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from crm_kit import START, WE, Shop, invitation, make_shop

from daemon.rules.records import Change

ADA, BOB, EVE = "ada@acme.com", "bob@other.com", "eve@third.com"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = make_shop(tmp_path)
    with shop.ledger:
        yield shop


def named(shop: Shop, activity: dict[str, Any]) -> list[str]:
    """The participants by address, the primary one first."""
    people = {p["id"]: p["emails"][0]["value"] for p in shop.acts.every("persons")}
    parties = sorted(activity["participants"], key=lambda item: not item["primary"])
    return [people[item["person_id"]] for item in parties]


def test_a_mail_is_logged_done_at_its_time_in_utc_with_an_escaped_note(shop: Shop) -> None:
    at = datetime(2026, 3, 1, 7, 5, 9, tzinfo=UTC)
    shop.hears(ADA, at=at, subject="Prices", snippet="1 < 2 & <script>alert(1)</script>\nBye")

    shop.sync()

    (activity,) = shop.acts.every("activities")
    assert (activity["type"], activity["subject"], activity["done"]) == ("email", "Prices", True)
    assert (activity["due_date"], activity["due_time"]) == ("2026-03-01", "07:05:09")
    assert "1 &lt; 2 &amp; &lt;script&gt;alert(1)&lt;/script&gt;<br>Bye" in activity["note"]
    assert activity["note"].endswith(f"<br><br>m2d:{1:012x}")


def test_a_huge_note_stays_below_pipedrives_limit(shop: Shop) -> None:
    shop.hears(ADA, snippet="<ä>" * 60_000)

    shop.sync()

    (activity,) = shop.acts.every("activities")
    assert 50_000 < len(activity["note"].encode()) < 100_000
    assert activity["note"].endswith("m2d:000000000001")


def test_an_empty_subject_and_a_very_long_one_are_taken(shop: Shop) -> None:
    shop.hears(ADA, subject=" ")
    shop.hears(ADA, subject="x" * 900)

    shop.sync()

    assert shop.parked() == []
    assert len(shop.activities()) == 2


def test_a_mail_hangs_on_the_open_deal_or_else_the_lead(shop: Shop) -> None:
    shop.hears(ADA)
    shop.hears_often(BOB, 5)

    shop.sync()

    by_person = {named(shop, a)[0]: a for a in shop.activities()}
    assert by_person[ADA]["lead_id"] == shop.record("lead", ADA).pipedrive_id
    assert by_person[ADA]["deal_id"] is None
    assert by_person[BOB]["deal_id"] == int(shop.record("deal", BOB).pipedrive_id)
    assert by_person[BOB]["org_id"] == int(shop.record("organization", "other.com").pipedrive_id)


def test_a_mail_of_ours_to_several_is_logged_once_with_all_who_have_a_record(shop: Shop) -> None:
    shop.hears(BOB)
    shop.hears(ADA)
    shop.writes(EVE, BOB, ADA)  # Eve never wrote: no record

    shop.sync()

    ours = shop.activities()[-1] if len(shop.activities()) == 3 else None
    (ours,) = [a for a in shop.activities() if len(a["participants"]) > 1]
    assert named(shop, ours) == [BOB, ADA]
    assert len(shop.activities()) == 3


def test_a_recipient_who_gets_a_record_later_joins_and_people_may_join_too(shop: Shop) -> None:
    shop.hears(BOB)
    shop.writes(EVE, BOB)
    shop.sync()
    (ours,) = [a for a in shop.activities() if a["subject"] == "Mail 2"]
    assert named(shop, ours) == [BOB]
    guest = shop.acts.add_person("A guest", "guest@x.com")
    people = [*ours["participants"], {"person_id": guest, "primary": False}]
    shop.acts.edit("activities", ours["id"], participants=people, deal_id=None)

    shop.hears(EVE)
    shop.sync()

    (ours,) = [a for a in shop.activities() if a["subject"] == "Mail 2"]
    assert sorted(named(shop, ours)) == [BOB, EVE, "guest@x.com"]
    assert named(shop, ours)[0] == BOB
    assert len(shop.activities()) == 3


def test_a_recipient_whose_person_is_parked_joins_once_it_is_there(shop: Shop) -> None:
    shop.hears(BOB)
    shop.sync()
    shop.hears(EVE)
    shop.writes(EVE, BOB)
    shop.plan()
    with shop.ledger.transaction("test"):
        row = shop.ledger.journal.open_row("person", EVE)
        assert row is not None
        shop.ledger.journal.park(row, "HTTP 400: for the test")
    shop.sync()
    assert len(shop.activities()) == 2
    with shop.ledger.transaction("test"):
        shop.ledger.journal.retry()
    shop.sync()
    shop.sync()

    (ours,) = [a for a in shop.activities() if a["subject"] == "Mail 3"]
    assert sorted(named(shop, ours)) == [BOB, EVE]
    assert len(shop.activities()) == 3
    assert shop.parked() == []


def test_mails_can_be_left_to_pipedrives_own_email_sync(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, emails=False)
    with shop.ledger:
        shop.hears(ADA)
        shop.writes(ADA)
        shop.invited(ADA)
        shop.sync()

        assert shop.activities() == []
        assert len(shop.activities("meeting")) == 1
        assert shop.count()["deals"] == 1


# meetings


def test_a_meeting_is_logged_when_it_will_be_and_moves_with_its_update(shop: Shop) -> None:
    shop.writes(ADA)
    shop.invited(ADA, starts_at=START + timedelta(days=3), hours=1.5)
    shop.sync()
    (meeting,) = shop.activities("meeting")
    assert (meeting["due_date"], meeting["due_time"]) == ("2026-03-05", "09:00:00")
    assert (meeting["duration"], meeting["done"]) == ("01:30:00", False)
    shop.acts.edit("activities", meeting["id"], done=True, note="we had fun")

    shop.invited(ADA, starts_at=START + timedelta(days=4), sequence=1, summary="Late lunch")
    shop.sync()

    (moved,) = shop.activities("meeting")
    assert moved["id"] == meeting["id"]
    assert (moved["due_date"], moved["duration"]) == ("2026-03-06", "01:00:00")
    assert moved["subject"] == "Late lunch"
    # What people did with it stays.
    assert (moved["done"], moved["note"]) == (True, "we had fun")


def test_a_cancelled_meeting_is_marked_and_makes_no_second_activity(shop: Shop) -> None:
    shop.writes(ADA)
    shop.invited(ADA)
    shop.sync()

    shop.invited(ADA, method="CANCEL", sequence=1)
    shop.sync()
    before = shop.mark()
    shop.hears(BOB)
    shop.hears(ADA)
    shop.sync()

    (meeting,) = shop.activities("meeting")
    assert meeting["subject"] == "Cancelled: Lunch"
    assert named(shop, meeting) == [ADA]
    assert "PATCH /activities/{id}" not in shop.spent(before)


def test_a_strangers_invitation_is_a_mail_until_we_write_back(shop: Shop) -> None:
    shop.invited(ADA)
    shop.sync()
    assert shop.activities("meeting") == []
    assert shop.count()["leads"] == 1

    shop.writes(ADA)
    shop.sync()

    assert len(shop.activities("meeting")) == 1
    assert shop.count()["deals"] == 1


def test_two_senders_in_one_meeting_share_its_activity(shop: Shop) -> None:
    invite = invitation(WE, ADA, "board", also=(BOB,))
    shop.writes(ADA, BOB, invite=invite)
    shop.hears(ADA, invite=invitation(WE, ADA, "board", method="REPLY", partstat="ACCEPTED"))
    shop.sync()
    (meeting,) = shop.activities("meeting")
    assert named(shop, meeting) == [ADA]

    shop.hears(BOB, invite=invitation(WE, BOB, "board", method="REPLY", partstat="ACCEPTED"))
    shop.sync()

    (meeting,) = shop.activities("meeting")
    assert sorted(named(shop, meeting)) == [ADA, BOB]

    # One of them declines after all: it stays a meeting with the other.
    shop.hears(
        BOB,
        invite=invitation(
            WE,
            BOB,
            "board",
            method="REPLY",
            partstat="DECLINED",
            stamped=START + timedelta(hours=2),
        ),
    )
    shop.sync()
    (meeting,) = shop.activities("meeting")
    assert meeting["subject"] == "Lunch"


def test_a_meeting_of_the_past_is_logged_done(shop: Shop) -> None:
    shop.writes(ADA)
    shop.invited(ADA, starts_at=START - timedelta(days=30))

    shop.sync()

    (meeting,) = shop.activities("meeting")
    assert meeting["done"]


def unlogged(shop: Shop) -> list[tuple[str, int]]:
    """Senders with contact messages whose activity doesn't name them, as far as is noted."""
    rows = shop.ledger.rows(
        "SELECT sender, count(*) AS n FROM correspondence WHERE verdict = 'contact' AND NOT logged"
        " GROUP BY sender ORDER BY sender"
    )
    return [(row["sender"], row["n"]) for row in rows]


def test_what_is_logged_is_not_looked_at_again_and_what_is_taken_back_is(shop: Shop) -> None:
    for hour in range(3):
        shop.hears(ADA, at=START + timedelta(hours=hour))
    assert unlogged(shop) == [(ADA, 3)]
    shop.sync()
    assert unlogged(shop) == []

    shop.hears(ADA, at=START + timedelta(hours=9))
    with shop.ledger.transaction("planned, and taken back"):
        shop.ledger.activities.logged(ADA)
        (key,) = (row["key"] for row in shop.ledger.rows(_LATEST))
        change = Change("activity", key, "create", {"participants": [ADA]}, "1", ADA)
        shop.ledger.journal.plan(change, START, None)
        assert unlogged(shop) == []
        shop.ledger.journal.drop_of(ADA)
    assert unlogged(shop) == [(ADA, 1)]

    shop.sync()
    assert (unlogged(shop), len(shop.activities())) == ([], 4)


def test_whom_an_activity_does_not_name_is_looked_for_again(shop: Shop) -> None:
    shop.writes(ADA, BOB, at=START)
    shop.hears(ADA, at=START + timedelta(hours=1))
    shop.sync()
    assert unlogged(shop) == [(BOB, 1)]  # who has no record yet

    shop.hears(BOB, at=START + timedelta(hours=2))
    shop.sync()

    first = min(shop.acts.every("activities"), key=lambda one: str(one["due_time"]))
    assert sorted(named(shop, first)) == [ADA, BOB]
    assert unlogged(shop) == []
    with shop.ledger.transaction("without Bob"):
        record = shop.ledger.records.get("activity", shop.ledger.rows(_FIRST)[0]["key"])
        assert record is not None
        shop.ledger.records.written(
            *("activity", record.key, record.pipedrive_id or "", {"participants": [ADA]}, START),
            sender=ADA,
            run=None,
            created=False,
        )
    assert unlogged(shop) == [(BOB, 1)]


_LATEST = "SELECT key FROM messages ORDER BY sent_at DESC LIMIT 1"
_FIRST = "SELECT key FROM messages ORDER BY sent_at LIMIT 1"
