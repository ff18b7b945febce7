"""What an earlier version has read less of is read again, and what that would newly make waits."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cli_kit import run as cli_run
from crm_kit import OPENED
from dovecot import Post
from polling_kit import Desk, at, desk
from test_upgrade import numbers, upgraded
from world import READING, World

from daemon.cli.status import command as status
from daemon.intake.consent import OLD_MAIL
from daemon.intake.poll import poll
from daemon.intake.rebuilding import rebuild
from daemon.ledger.store import Ledger
from daemon.maintenance.catch_up import CaughtUp, take_in
from daemon.service import poll as polling
from daemon.sync import SafetyLimit, Sync
from daemon.sync.safety_limit import approve as approve_all

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
FORM = (
    "From: Our website <{we}>\r\nTo: {we}\r\nReply-To: {name} <{visitor}>\r\n"
    "Subject: Enquiry from the website\r\nMessage-ID: <{number}@web.example.com>\r\n"
    "Date: Mon, 02 Mar 2026 09:00:{number:02} +0000\r\n\r\n"
    "Name: {name}\r\nE-mail: {visitor}\r\nPhone: +49 30 901820{number:02}\r\n"
    "Message: We need forty pumps in May.\r\n"
)
LETTER = (
    "From: Ada Lovelace <ada@engines.example>\r\nTo: {we}\r\nSubject: Engines\r\n"
    "Message-ID: <letter@engines.example>\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n\r\n"
    "Could we talk about the engines?\r\n\r\nKind regards\r\nAda Lovelace\r\n"
    "Head of Purchasing\r\nEngines Ltd\r\nPhone: +44 20 7946 0018\r\n"
)
VISITORS = [f"visitor{number}@firm{number}.example" for number in range(5)]


def form(we: str, number: int) -> bytes:
    mail = FORM.format(we=we, number=number, visitor=VISITORS[number], name=f"Berta Zunt{number}")
    return mail.encode()


def age(ledger: Ledger) -> None:
    """As the first release left it: it found no author but From, and nothing that a mail says."""
    with ledger.transaction("age"):
        ledger.rows(
            "UPDATE messages SET parsed = 0, conversation = NULL,"
            " facts = json_remove(facts, '$.candidates', '$.said', '$.words', '$.marks')"
        )
    rebuild(ledger, READING)


def known(ledger: Ledger) -> list[list[dict[str, object]]]:
    """All that the ledger says but of versions, what waits and where mail was seen."""
    return [
        ledger.rows("SELECT * FROM messages ORDER BY key"),
        ledger.rows("SELECT * FROM correspondence ORDER BY message, sender"),
        ledger.rows("SELECT * FROM sender_facts ORDER BY sender, kind"),
        ledger.rows(
            "SELECT address, name, organization, msg_count, replies, class, reason FROM senders"
            " ORDER BY address"
        ),
    ]


@pytest.fixture
def work(dovecot: Post, tmp_path: Path) -> Iterator[Desk]:
    for number in range(5):
        dovecot.deliver(form(dovecot.user, number), internal_date=START + timedelta(hours=number))
    dovecot.deliver(LETTER.format(we=dovecot.user).encode(), internal_date=START)
    with desk(tmp_path, at(dovecot, since="2020-01-01")) as one:
        one.poll()
        yield one


def test_polls_read_it_again_newest_first_a_bounded_number_each(
    work: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "_AGAIN", 2)
    before = known(work.ledger)
    assert {row["sender"] for row in before[1]} >= set(VISITORS)
    age(work.ledger)
    assert known(work.ledger) != before
    work.start()

    work.poll()
    (dates,) = work.ledger.rows(
        "SELECT group_concat(sent_at) AS of FROM (SELECT sent_at FROM messages"
        " WHERE parsed ORDER BY sent_at DESC)"
    )
    assert dates["of"] == "2026-03-02T10:00:00Z,2026-03-02T09:00:04Z"
    assert work.ledger.rereading.left() == 4
    for _ in range(2):
        work.poll()
    assert known(work.ledger) == before
    assert work.ledger.rereading.left() == 0
    again = work.ledger.changes
    work.later(hours=2)
    work.poll()
    assert work.ledger.rows("SELECT * FROM quarantine") == []
    assert work.ledger.changes - again < 5  # that it was polled


def test_catch_up_reads_all_of_it_at_once(work: Desk) -> None:
    before = known(work.ledger)
    age(work.ledger)
    told: list[tuple[str, int, int]] = []

    result = CaughtUp(1)
    wiring = work.wiring()
    take_in(wiring, work.ledger, wiring.mailboxes()[0], None, result, lambda *at: told.append(at))

    assert known(work.ledger) == before
    assert result.new == 0
    assert told[-1] == ("sales: read again", 6, 6)


def test_what_is_gone_is_let_be_for_good(work: Desk, dovecot: Post) -> None:
    before = known(work.ledger)
    age(work.ledger)
    aged = known(work.ledger)[0]
    with dovecot.client() as somebody:
        somebody.delete_messages([1, 3])
        somebody.expunge()
    work.start()

    work.poll()
    work.later(hours=2)
    work.poll()

    assert work.ledger.rereading.left() == 0
    now = {row["key"]: row for row in known(work.ledger)[0]}
    gone = [key for key, row in now.items() if row["parsed"] is None]
    assert len(gone) == 2
    was = {row["key"]: row for row in aged}
    assert all(now[key]["facts"] == was[key]["facts"] for key in gone)
    others = {row["key"]: row for row in before[0] if row["key"] not in gone}
    assert all(now[key] == others[key] for key in others)


def test_a_mail_that_is_elsewhere_too_is_read_there(work: Desk, dovecot: Post) -> None:
    with dovecot.client() as somebody:
        somebody.create_folder("Second")
        somebody.copy([2], "Second")
    document = yaml.safe_load((work.home / "config.yaml").read_text())
    document["mailboxes"][0]["folders"] = {"inbox": ["INBOX", "Second"]}
    (work.home / "config.yaml").write_text(yaml.safe_dump(document))
    work.start()
    work.poll()
    age(work.ledger)
    with dovecot.client() as somebody:
        somebody.delete_messages([2])
        somebody.expunge()
    work.start()

    work.poll()

    assert work.ledger.rereading.left() == 0
    assert work.ledger.rows("SELECT 1 FROM messages WHERE parsed IS NULL") == []


def test_status_says_how_much_is_left(work: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    age(work.ledger)
    cli_run(status, work.wiring())
    assert "6 messages were read by an earlier version" in capsys.readouterr().out
    work.start()
    work.poll()
    cli_run(status, work.wiring())
    assert "earlier version" not in capsys.readouterr().out


# What that would newly make


def world(home: Path) -> World:
    """A small company where the website's forms were taken for mail among ourselves."""
    made = World(home)
    we = "sales@ours.example"
    for number in range(3):
        made.box.deliver("INBOX", form(we, number), START + timedelta(hours=number))
    made.box.deliver("INBOX", LETTER.format(we=we).encode(), START)
    with made.ledger() as ledger:
        made.take_in(ledger)
        age(ledger)
    made.round()
    assert [person["name"] for person in made.crm()["persons"]] == ["Ada Lovelace"]
    return made


def read_again(of: World, limit: SafetyLimit | None) -> Sync:
    """What a start of the next version does."""
    ledger = Ledger.open(of.path)
    OPENED.append(ledger)
    poll(of.box.connect(), ledger, replace(of.run_of(), again=99))  # type: ignore[arg-type]
    return Sync(replace(of.session(ledger), limit=limit))


def people(of: World) -> set[str]:
    return {str(person["name"]) for person in of.crm()["persons"]}


def test_it_waits_for_consent_whatever_the_limit(tmp_path: Path) -> None:
    company = world(tmp_path)
    sync = read_again(company, SafetyLimit())
    ledger = sync.session.ledger

    for _ in range(3):
        sync.sync()
    assert people(company) == {"Ada Lovelace"}
    (asked,) = ledger.conditions.of(OLD_MAIL)
    assert asked.reason.endswith("up to 3 leads")

    with ledger.transaction("approve"):
        approve_all(ledger, "test", None, company.clock())
    for _ in range(3):
        sync.sync()
    assert people(company) == {"Ada Lovelace", "Berta Zunt0", "Berta Zunt1", "Berta Zunt2"}
    assert ledger.conditions.of(OLD_MAIL) == []
    assert company.doubled() == []
    ledger.close()


def test_who_writes_now_waits_no_longer_nor_does_anybody_new(tmp_path: Path) -> None:
    company = world(tmp_path)
    sync = read_again(company, SafetyLimit())
    sync.sync()
    company.receives("carla@new.example")
    company.receives(VISITORS[1])
    company.take_in(sync.session.ledger)
    for _ in range(3):
        sync.sync()
    made = {mail["value"] for p in company.acts.every("persons") for mail in p["emails"]}
    assert made == {"ada@engines.example", "carla@new.example", VISITORS[1]}
    (asked,) = sync.session.ledger.conditions.of(OLD_MAIL)
    assert asked.reason.endswith("up to 2 leads")
    sync.session.ledger.close()


def test_the_first_releases_ledger_is_read_again_without_a_change(tmp_path: Path) -> None:
    with upgraded(tmp_path) as old:
        old.settle()
        before, made = numbers(old), len(old.writes())
        with old.ledger() as ledger:
            assert ledger.rereading.left() > 0
        sync = read_again(old, SafetyLimit())
        assert sync.session.ledger.rereading.left() == 0
        for _ in range(3):
            sync.sync()
        sync.session.ledger.close()
        assert numbers(old) == before
        assert len(old.writes()) == made


def test_what_the_command_said_of_a_mail_stays_when_it_is_read_again(
    dovecot: Post, tmp_path: Path
) -> None:
    dovecot.deliver(LETTER.format(we=dovecot.user).encode(), internal_date=START)
    with desk(tmp_path, at(dovecot, since="2020-01-01")) as one:
        document = yaml.safe_load((tmp_path / "config.yaml").read_text())
        document["classify"] = {"command": [sys.executable, "-c", "print('pitch')"]}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(document))
        one.start()
        one.poll()
        before = known(one.ledger)
        assert {row["class"] for row in before[3]} == {"ignore"}
        with one.ledger.transaction("age"):
            one.ledger.rows("UPDATE messages SET parsed = 0")
        del document["classify"]
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(document))
        one.start()
        one.poll()
        assert one.ledger.rereading.left() == 0
        assert known(one.ledger) == before
