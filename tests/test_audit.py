"""`audit` sees every kind of gap and closes it; `retry` and the other commands as people call them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from dovecot import Post
from postbox import START, WE, letter
from world import READING, World

from daemon.cli import main
from daemon.errors import RetryLater
from daemon.mailbox.imap import FolderStatus
from daemon.maintenance.audit import activity_gaps, close, mailbox_gaps, record_gaps, state_gaps
from daemon.maintenance.doubles import OtherLedger, doubles
from daemon.rules.records import Change
from daemon.sandbox.crm import Server
from daemon.sandbox.crm.settings import DEFAULT_TOKEN


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.receives("Ada <ada@acme.example>")
    asked = world.sends("bob@beta.example")
    world.receives("bob@beta.example", answers=asked)
    world.settle()
    return world


def gaps(world: World) -> list[tuple[str, str]]:
    with world.ledger() as ledger:
        client = world.session(ledger).client
        found = [
            *mailbox_gaps(world.box.connect(), ledger, "sales"),  # type: ignore[arg-type]
            *activity_gaps(ledger),
            *record_gaps(ledger, client),
            *state_gaps(ledger, READING),
        ]
        return [(gap.kind, gap.key) for gap in found]


def repaired(world: World) -> None:
    with world.ledger() as ledger:
        client = world.session(ledger).client
        found = [
            *mailbox_gaps(world.box.connect(), ledger, "sales"),  # type: ignore[arg-type]
            *activity_gaps(ledger),
            *record_gaps(ledger, client),
            *state_gaps(ledger, READING),
        ]
        close(ledger, READING, found, world.clock())
    world.round()


def damage(world: World, sql: str) -> None:
    with world.ledger() as ledger, ledger.transaction("damage"):
        ledger.rows(sql)


def test_a_quiet_company_has_no_gap(world: World) -> None:
    assert gaps(world) == []


def test_looking_writes_nothing_anywhere(world: World) -> None:
    before = world.writes(), world.path.stat().st_mtime_ns
    gaps(world)
    assert (world.writes(), world.path.stat().st_mtime_ns) == before


def test_mail_that_was_not_read_is_a_gap(world: World) -> None:
    world.receives("cyd@gamma.example")
    assert gaps(world) == [("message", "sales/INBOX UID 3")]
    repaired(world)
    assert gaps(world) == []


def test_another_mail_under_a_known_uid_is_a_gap_and_is_read(world: World) -> None:
    at = START + timedelta(days=9)
    world.box.folders["INBOX"].mails[1] = (letter("cyd@x.example", WE, number=9, at=at), at)
    assert gaps(world) == [("message", "sales/INBOX UID 1")]
    repaired(world)
    assert gaps(world) == []
    with world.ledger() as ledger:
        assert ledger.senders.get("cyd@x.example")


@pytest.mark.parametrize("closed", [True, False])
def test_a_folder_that_cannot_be_opened_is_a_gap_and_the_others_are_compared(
    world: World, *, closed: bool
) -> None:
    world.sends("new@acme.example")
    line = world.box.connect()
    usual, line.reconnect = line.examine, lambda: setattr(line, "closed", False)  # type: ignore[attr-defined]

    def examine(name: str) -> FolderStatus:
        assert not line.closed
        if name == "INBOX":
            line.closed = closed
            raise RetryLater("connection lost")
        return usual(name)

    line.examine = examine  # type: ignore[method-assign]
    with world.ledger() as ledger:
        found = list(mailbox_gaps(line, ledger, "sales"))  # type: ignore[arg-type]

    assert [(gap.kind, gap.key, gap.why) for gap in found] == [
        ("folder", "sales/INBOX", "not compared: connection lost"),
        ("message", "sales/Sent UID 2", "not read"),
    ]


def test_a_lost_sighting_is_a_gap_and_is_read_again(world: World) -> None:
    damage(world, "DELETE FROM sightings WHERE uid = 1")
    assert ("message", "sales/INBOX UID 1") in gaps(world)
    repaired(world)
    assert gaps(world) == []
    assert world.doubled() == []


def test_a_lost_activity_is_a_gap_and_is_made_again(world: World) -> None:
    before = world.crm()
    activity = world.acts.every("activities")[0]
    damage(
        world, f"DELETE FROM records WHERE kind = 'activity' AND pipedrive_id = {activity['id']}"
    )
    assert [kind for kind, _ in gaps(world)] == ["activity"]
    world.acts.delete("activities", activity["id"])
    repaired(world)
    assert gaps(world) == []
    assert world.crm() == before


def test_a_person_of_two_addresses_that_is_gone_is_a_gap_for_each(world: World) -> None:
    person = world.acts.add_person("Cyd", "cyd@gamma.example", "office@gamma.example")
    world.receives("cyd@gamma.example")
    world.receives("office@gamma.example")
    world.settle()
    assert gaps(world) == []  # although the sync has found a class of its own
    world.acts.delete("persons", person)
    found = [key for kind, key in gaps(world) if kind == "person"]
    assert found == ["cyd@gamma.example", "office@gamma.example"]
    repaired(world)
    assert gaps(world) == []


def test_what_people_deleted_is_a_gap_and_is_buried(world: World) -> None:
    world.acts.delete("persons", world.acts.person_of("ada@acme.example")["id"])
    world.acts.delete("activities", world.acts.every("activities")[0]["id"])
    assert sorted(kind for kind, _ in gaps(world)) == ["activity", "person"]
    writes = len(world.sandbox.writes())
    repaired(world)
    assert gaps(world) == []
    assert len(world.sandbox.writes()) == writes


@pytest.mark.parametrize("more", ["", ", digest = 'x'"])
def test_a_wrong_state_is_a_gap_and_is_computed_anew(world: World, more: str) -> None:
    damage(world, f"UPDATE senders SET msg_count = 7{more} WHERE address LIKE 'ada%'")
    assert gaps(world) == [("state", "ada@acme.example")]
    repaired(world)
    assert gaps(world) == []


def test_quarantine_is_a_gap_until_the_mail_can_be_read(world: World) -> None:
    world.receives("cyd@gamma.example")
    world.box.withheld.add(("INBOX", 3))
    world.round()
    assert gaps(world) == [("quarantined", "sales/INBOX UID 3")]
    world.box.withheld.clear()
    repaired(world)
    assert gaps(world) == []


def test_a_quarantined_mail_is_tried_again_by_itself_five_times(world: World) -> None:
    world.receives("cyd@gamma.example")
    world.box.withheld.add(("INBOX", 3))
    for _ in range(20):
        world.round()
        world.clock.sleep(2 * 86_400)
    with world.ledger() as ledger:
        rows = ledger.rows("SELECT attempts, not_before FROM quarantine")
    assert rows == [{"attempts": 6, "not_before": None}]


@dataclass
class Desk:
    """The commands over a real mailbox and a real socket."""

    world: World
    post: Post
    config: Path

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(self.config), *arguments])

    def writes(self) -> int:
        return len(self.world.sandbox.writes())


@pytest.fixture
def desk(tmp_path: Path, dovecot: Post) -> Iterator[Desk]:
    from datetime import UTC, datetime

    world = World(tmp_path)
    world.clock.now = datetime.now(UTC)
    for number, who in enumerate(("ada@acme.example", "bob@beta.example"), 1):
        dovecot.deliver(letter(who, WE, number=number, at=START), internal_date=START)
    with Server(world.sandbox) as server:
        config = tmp_path / "config.yaml"
        config.write_text(
            f"""
mailboxes:
  - {{name: sales, host: {dovecot.server.host}, port: {dovecot.server.port}, tls: none,
      username: {dovecot.user}, password: {dovecot.password}, since: 2020-01-01}}
pipedrive: {{base_url: "{server.url}", token: {DEFAULT_TOKEN}, plan: ultimate, seats: 4,
            pipeline: Sales, stage: Initial Contact}}
us: {{domains: [ours.example]}}
ledger: {world.path}
"""
        )
        config.chmod(0o600)
        desk = Desk(world, dovecot, config)
        assert desk("--catch-up").exit_code == 0
        yield desk


def test_the_audit_command_counts_and_repairs(desk: Desk) -> None:
    assert desk("audit").stdout.strip() == "0 gaps"
    desk.post.deliver(letter("cyd@gamma.example", WE, number=3, at=START), internal_date=START)
    found = desk("audit")
    assert (found.exit_code, found.stdout.splitlines()[-1]) == (1, "1 gap")
    assert desk("audit", "--repair").exit_code == 0
    assert desk("audit", "--json").stdout.split() == ["{", '"gaps":', "0,", '"found":', "[]", "}"]
    assert desk("audit", "--rebuild").exit_code == 0


def test_undo_without_a_run_lists_them_and_with_one_takes_it_back(desk: Desk) -> None:
    assert "left to undo" not in desk("undo").stdout
    made: dict[str, Any] = desk.world.crm()
    assert len(made["persons"]) == 2
    assert desk("undo", "1", "--yes").exit_code == 0
    assert desk.world.crm()["persons"] == []
    (line,) = [one for one in desk("undo").stdout.splitlines() if "catch-up" in one]
    assert line.endswith("; nothing of it is left to undo")
    requests = len(desk.world.sandbox.requests_after(0))
    assert desk("undo", "1").stdout == "nothing that run 1 created is left to delete\n"
    assert len(desk.world.sandbox.requests_after(0)) == requests
    assert desk("undo", "99", "--yes").exit_code == 2
    writes = desk.writes()
    assert desk("--catch-up").exit_code == 0
    assert desk.writes() == writes


def test_undo_asks_first(desk: Desk) -> None:
    writes = desk.writes()
    asked = desk("undo", "1")  # nobody is there to answer
    assert asked.exit_code == 2
    assert "--yes" in asked.output
    assert desk.writes() == writes


def test_forget_says_what_remains(desk: Desk) -> None:
    found = desk("forget", "Ada@acme.example", "--yes")
    assert found.exit_code == 1
    assert "still in Pipedrive: person" in found.stdout
    assert desk("forget", "bob@beta.example", "--in-pipedrive", "--yes").exit_code == 0
    assert [p["emails"] for p in desk.world.crm()["persons"]] == [["ada@acme.example"]]
    assert desk("audit").stdout.strip() == "0 gaps"


def test_retry_saves_the_raw_mail_and_keeps_it_out_of_the_log(desk: Desk, tmp_path: Path) -> None:
    with desk.world.ledger() as ledger, ledger.transaction("test"):
        ledger.rows("INSERT INTO quarantine SELECT folder, uidvalidity, uid, 'test', 9,"
                    " '2026-03-01T00:00:00Z', NULL FROM sightings WHERE uid = 1")  # fmt: skip
        ledger.rows("DELETE FROM sightings WHERE uid = 1")
    found = desk("retry", "--save", str(tmp_path / "saved"))
    assert found.exit_code == 0, found.output
    (saved,) = (tmp_path / "saved").iterdir()
    assert saved.read_bytes() == letter("ada@acme.example", WE, number=1, at=START)
    assert saved.stat().st_mode & 0o077 == 0
    assert "offer" not in found.output
    assert desk("audit").stdout.strip() == "0 gaps"


def test_retry_sends_parked_changes_and_mailboxes_again(desk: Desk) -> None:
    with desk.world.ledger() as ledger, ledger.transaction("test"):
        ledger.troubles.failed("sales", "refused", None, desk.world.clock())
        ledger.journal.plan(
            Change(
                "person", "ada@acme.example", "update", {"thread_count": 5}, "3", "ada@acme.example"
            ),
            desk.world.clock(),
            None,
        )
        row = ledger.journal.open_row("person", "ada@acme.example")
        assert row is not None
        ledger.journal.park(row, "refused")
    assert desk("retry").exit_code == 0
    with desk.world.ledger() as ledger:
        assert ledger.troubles.of("sales") is None
        assert ledger.backlog.counts() == {}
    counts = [p["custom_fields"]["Thread count"] for p in desk.world.crm()["persons"]]
    assert sorted(counts) == [1, 5]


def test_retry_beside_a_running_service_only_makes_things_due(desk: Desk) -> None:
    from daemon.ledger.lock import owned

    with desk.world.ledger() as ledger, ledger.transaction("test"):
        ledger.rows("INSERT INTO quarantine SELECT folder, uidvalidity, uid, 'test', 9,"
                    " '2026-03-01T00:00:00Z', NULL FROM sightings WHERE uid = 1")  # fmt: skip
    with owned(desk.world.path, "mail2deal service"):
        found = desk("retry")
        assert found.exit_code == 0
        assert "mail2deal service" in found.stdout
    with desk.world.ledger() as ledger:
        assert ledger.rows("SELECT attempts FROM quarantine") == [{"attempts": 0}]


def test_what_exists_twice_is_found_when_one_of_it_is_ours(world: World) -> None:
    with world.ledger() as ledger:
        assert list(doubles(ledger, world.session(ledger).client)) == []
    world.acts.add_person("Ada again", "ada@acme.example")
    world.acts.add_organization("Acme.example")
    world.acts.add_person("Eve", "eve@delta.example")
    world.acts.add_person("Eve of theirs", "eve@delta.example")
    (deal,) = world.acts.every("deals")
    with world.ledger() as ledger:
        code = ledger.records.live_id("field", "mail_key")
    world.acts.add_deal("Bob", custom_fields={code: "bob@beta.example"})
    activity = world.acts.every("activities")[0]
    world.acts.add_activity("again", note=activity["note"])

    with world.ledger() as ledger:
        found = [(kind, key) for kind, key, _ in doubles(ledger, world.session(ledger).client)]

    assert found[:3] == [
        ("organization", "acme.example"),
        ("person", "ada@acme.example"),
        ("deal", "bob@beta.example"),
    ]
    assert [kind for kind, _ in found[3:]] == ["activity"]
    assert deal


def test_a_double_is_seen_although_the_mail_key_itself_exists_twice(world: World) -> None:
    """As where two ledgers have begun at the same moment: each deal carries its own field."""
    field = world.acts.add_field("deal", "Mail key", "varchar")
    world.acts.add_deal("Bob", custom_fields={field: "bob@beta.example"})

    with world.ledger() as ledger:
        found = [(kind, key) for kind, key, _ in doubles(ledger, world.session(ledger).client)]

    assert found == [("deal", "bob@beta.example"), ("field", "deal: Mail key")]


def test_the_deal_after_a_closed_one_is_no_double(world: World) -> None:
    (deal,) = world.acts.every("deals")
    world.acts.win(deal["id"])
    with world.ledger() as ledger:
        code = ledger.records.live_id("field", "mail_key")
        world.acts.add_deal("Bob", custom_fields={code: "bob@beta.example"})
        assert list(doubles(ledger, world.session(ledger).client)) == []


def at_work(world: World) -> str | None:
    """What an audit says of other ledgers, after this one has made one activity more."""
    world.clock.sleep(60)
    world.receives("cyd@gamma.example")
    world.round()
    with world.ledger() as ledger:
        client = world.session(ledger).client
        other = OtherLedger(ledger, world.clock())
        list(doubles(ledger, client, other))
        return other.sentence()


def test_a_second_ledger_at_work_on_the_company_is_told(world: World) -> None:
    """It has mail of its own, or the same mail as ours."""
    world.stays = True
    assert at_work(world) is None
    activities = world.acts.every("activities")
    world.acts.add_activity("copied by hand", note=activities[0]["note"])
    assert at_work(world) is None
    made = world.acts.add_activity("of another mailbox", note="Hello<br><br>m2d:0123456789ab")
    told = at_work(world)
    assert told is not None
    assert f"{made}" in told
    assert "a second one is at work" in told
    world.clock.sleep(8 * 86_400)
    assert at_work(world) is None  # it was stopped

    for activity in activities[:2]:
        world.acts.add_activity("again", note=activity["note"])
    assert "a second one is at work" in (at_work(world) or "")
    world.end()
