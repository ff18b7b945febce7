"""A sender has one class, whoever computes it and whatever stands for it in ledger and CRM."""

from itertools import product
from pathlib import Path

from crm_kit import Shop, make_shop

from daemon.intake import states
from daemon.sync.planning import draft
from daemon.sync.prepare import prepare

PERSON = ("none", "created", "adopted", "created deleted", "adopted deleted", "adopted merged")
LISTED = ("none", "same", "another", "both")
DEAL = ("none", "of theirs", "with our key", "of another person")
OURS = ("none", "live", "deleted")


def stage(shop: Shop, number: int, person: str, listed: str, deal: str, ours: str) -> str:
    """A sender of three mails, with these records and listed objects."""
    address = f"a{number}@firm{number}.example"
    shop.hears_often(address, 3)
    mine, other = 10_000 + number, 20_000 + number
    rows = shop.ledger.rows
    with shop.ledger.transaction("test"):
        if person != "none":
            origin, _, tombstone = person.partition(" ")
            rows(
                "INSERT INTO records (kind, key, pipedrive_id, origin, fields, tombstone, sender)"
                " VALUES ('person', ?, ?, ?, '{}', ?, ?)",
                *(address, str(mine), origin, tombstone or None, address),
            )
        if ours != "none":
            rows(
                "INSERT INTO records (kind, key, pipedrive_id, origin, fields, tombstone, sender)"
                " VALUES ('deal', ?, ?, 'created', '{}', ?, ?)",
                *(address, str(30_000 + number), None if ours == "live" else ours, address),
            )
        for one, there in ((mine, {"same", "both"}), (other, {"another", "both"})):
            if listed in there:
                rows("INSERT INTO crm_persons (id, name, sweep) VALUES (?, 'A', 1)", one)
                rows("INSERT INTO crm_emails VALUES (?, ?)", address, one)
        if deal != "none":
            holder = {"same": mine, "both": mine, "another": other}.get(listed, mine)
            if deal == "of another person":
                holder = 40_000 + number
            rows(
                "INSERT INTO crm_deals (id, person_id, status, archived, mail_key, sweep)"
                " VALUES (?, ?, 'open', 0, ?, 1)",
                *(50_000 + number, holder, address if deal == "with our key" else None),
            )
    return address


def test_intake_and_sync_classify_alike(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    shop.rules(deal_at_messages=2, promote_at_messages=4)
    cases = {
        stage(shop, number, *case): case
        for number, case in enumerate(product(PERSON, LISTED, DEAL, OURS))
    }
    session = shop.sync_.session
    place, us = prepare(session), states.known_us(shop.ledger, shop.scoring.us)
    with shop.ledger.transaction("test"):
        shop.ledger.states.distrust()
        states.recompute(shop.ledger, shop.scoring, cases)
        reasons = {row["reason"] for row in shop.ledger.rows("SELECT reason FROM senders")}
        assert reasons == {"3 messages", "in Pipedrive before us, 3 of 4 messages"}
        differ = {}
        for address, case in cases.items():
            row = shop.ledger.senders.get(address)
            assert row is not None
            made = draft(session, row, place, us)
            assert made is not None
            if made.plan.class_ != row.class_:
                differ[case] = (row.class_, made.plan.class_)
    assert differ == {}


def test_one_person_with_two_addresses_keeps_its_class_until_the_sync_decides(
    tmp_path: Path,
) -> None:
    shop = make_shop(tmp_path)
    both = ("ada@acme.example", "ada@private.example")
    shop.acts.add_person("Ada", *both)
    for address, count in zip(both, (3, 7), strict=True):
        shop.hears_often(address, count)  # ten, as it takes for a person from before us
    shop.sync()
    assert classes(shop) == dict.fromkeys(both, "person_with_deal")

    shop.hears(both[0])  # alone, its four mails would make a lead
    assert classes(shop) == dict.fromkeys(both, "person_with_deal")
    shop.sync()
    assert classes(shop) == dict.fromkeys(both, "person_with_deal")


def classes(shop: Shop) -> dict[str, str]:
    rows = shop.ledger.rows("SELECT address, class FROM senders ORDER BY address")
    return {row["address"]: row["class"] for row in rows}
