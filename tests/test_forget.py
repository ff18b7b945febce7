"""`forget` leaves nothing of a sender in the ledger's file, and knows its later mail."""

from pathlib import Path

import pytest
from world import READING, World

from daemon import failpoints
from daemon.intake.rebuilding import rebuild
from daemon.maintenance.forget import delete_in_pipedrive, erase, remains

ADA = "ada@acme.example"


def company(home: Path) -> World:
    home.mkdir(exist_ok=True)
    world = World(home, store=home / "crm.db")
    world.receives(
        "Ada Quartz <ada+crm@acme.example>", subject="Zebra offer", text="Quagga stripes"
    )
    world.sends(f"{ADA}, bob@beta.example", answers=1, subject="Okapi", text="Giraffe spots")
    world.receives("bob@beta.example", answers=2, extra=f"Cc: Ada Quartz <{ADA}>\r\n")
    world.sends(ADA, answers=1, subject="Tapir")
    world.invites(ADA, "m1")
    world.settle()
    return world


def forgotten(world: World) -> None:
    with world.ledger() as ledger:
        erase(ledger, READING, ADA, world.clock())


def everything(world: World) -> bytes:
    files = world.path.parent.glob("ledger.db*")
    return b"".join(file.read_bytes() for file in files).lower()


@pytest.mark.parametrize(
    "word", ["ada@acme", "quartz", "zebra", "quagga", "okapi", "giraffe", "tapir", "ada+crm"]
)
def test_no_word_of_the_sender_is_left_in_the_file(word: str, tmp_path: Path) -> None:
    world = company(tmp_path)
    assert word.encode() in everything(world)
    forgotten(world)
    assert word.encode() not in everything(world)


def test_others_keep_their_state_and_their_records(tmp_path: Path) -> None:
    world = company(tmp_path)
    sql = "SELECT address, msg_count, sent_count, replies, class FROM senders WHERE address = ?"
    with world.ledger() as ledger:
        before = ledger.rows(sql, "bob@beta.example")
    forgotten(world)
    with world.ledger() as ledger:
        assert ledger.rows(sql, "bob@beta.example") == before
        assert rebuild(ledger, READING) == 0
        assert ledger.rows("SELECT * FROM senders WHERE address = ?", ADA) == []
    writes = world.writes()
    world.settle()
    assert world.writes() == writes
    assert world.doubled() == []


def test_later_mail_and_mail_seen_again_is_ignored(tmp_path: Path) -> None:
    world = company(tmp_path)
    forgotten(world)
    world.box.reset("INBOX")
    world.box.reset("Sent")
    world.receives("Ada Quartz <ada@acme.example>", subject="Zebra again")
    world.sends(ADA, subject="Tapir again")
    writes = world.writes()
    world.settle()

    assert world.writes() == writes
    for word in (b"ada@acme", b"zebra", b"tapir"):
        # What Pipedrive lists of the person that is still there isn't ours to erase.
        with world.ledger() as ledger:
            rows = ledger.rows("SELECT * FROM messages") + ledger.rows("SELECT * FROM senders")
        assert word not in repr(rows).lower().encode()
    with world.ledger() as ledger:
        reasons = ledger.rows("SELECT DISTINCT reason FROM messages WHERE verdict = 'ignored'")
    assert reasons == [{"reason": "forgotten"}]


def test_it_says_what_remains_in_pipedrive_and_deletes_it_only_if_asked(tmp_path: Path) -> None:
    world = company(tmp_path)
    with world.ledger() as ledger:
        kinds = [one.kind for one in remains(ledger, ADA)]
        assert kinds[-2:] == ["deal", "person"]
        session = world.session(ledger)
        assert delete_in_pipedrive(ledger, session.client, ADA, world.clock()) == len(kinds)
        erase(ledger, READING, ADA, world.clock())
        assert remains(ledger, ADA) == []
    crm = world.crm()
    assert [p["emails"] for p in crm["persons"]] == [["bob@beta.example"]]
    assert all(d["person"] == "bob@beta.example" for d in crm["deals"])
    world.settle()
    assert world.crm()["persons"] == crm["persons"]


def test_killed_at_any_step_and_repeated_it_ends_the_same(tmp_path: Path) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    def whole(world: World) -> None:
        with world.ledger() as ledger:
            client = world.session(ledger).client
            delete_in_pipedrive(ledger, client, ADA, world.clock())
            erase(ledger, READING, ADA, world.clock())

    begun = company(tmp_path / "begun")
    undisturbed = begun.copy(tmp_path / "whole")
    log = tmp_path / "steps"
    failpoints.arm(log=str(log))
    whole(undisturbed)
    failpoints.arm()
    for number in range(1, len(log.read_text().splitlines()) + 1):
        world = begun.copy(tmp_path / str(number))
        failpoints.arm(kill_at=number, die=die)
        with pytest.raises(KeyboardInterrupt):
            whole(world)
        failpoints.arm()
        whole(world)
        assert world.crm() == undisturbed.crm(), number
        assert b"ada@acme" not in everything(world), number
