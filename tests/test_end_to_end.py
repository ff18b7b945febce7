"""The main job on real parts: Dovecot in, a Pipedrive over HTTP out, compared with the oracle."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import idna
import pytest
from company_kit import NOW, Crm, Office
from oracle import Expected, expect
from snapshots import snapshot

from daemon.ledger.store import Ledger
from daemon.sandbox.crm import board, duplicates


def stamped(moment: Any) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


@pytest.fixture(scope="module")
def expected(company: Office) -> Expected:
    return expect(company.scenario)


def states(ledger: Ledger) -> dict[str, dict[str, Any]]:
    """Every sender's state as the ledger has it, by address."""
    columns = (
        "address, name, domain, organization, msg_count, sent_count, replies, meetings,"
        " thread_count, first_contact, last_contact, avg_response_hours, class"
    )
    return {row["address"]: row for row in ledger.rows(f"SELECT {columns} FROM senders")}


def wanted_states(expected: Expected) -> dict[str, dict[str, Any]]:
    return {
        address: {
            "address": address,
            "name": sender.name,
            "domain": sender.domain,
            "organization": sender.organization,
            "msg_count": sender.msg_count,
            "sent_count": sender.sent_count,
            "replies": sender.replies,
            "meetings": sender.meetings,
            "thread_count": sender.thread_count,
            "first_contact": stamped(sender.first_contact),
            "last_contact": stamped(sender.last_contact),
            "avg_response_hours": sender.avg_response_hours,
            "class": sender.classified,
        }
        for address, sender in expected.senders.items()
    }


def assert_records(shown: dict[str, list[dict[str, Any]]], expected: Expected) -> None:
    """The CRM holds what the oracle says, and nothing else."""
    domains = map(as_people_write, expected.organizations)
    assert Counter(o["name"] for o in shown["organizations"]) == Counter(domains)
    assert Counter(p["emails"][0] for p in shown["persons"]) == Counter(expected.persons)
    assert Counter(lead["person"] for lead in shown["leads"]) == Counter(expected.leads)
    assert Counter(deal["person"] for deal in shown["deals"]) == Counter(expected.deals)
    assert {(d["pipeline"], d["stage"]) for d in shown["deals"]} <= {("Sales", "Initial Contact")}
    assert_person_fields(shown["persons"], expected)
    assert_activities(shown["activities"], expected)


def as_people_write(domain: str | None) -> str | None:
    """A domain in its own letters (U-labels, RFC 5890)."""
    return idna.decode(domain) if domain and domain.startswith("xn--") else domain


def assert_person_fields(persons: list[dict[str, Any]], expected: Expected) -> None:
    for person in persons:
        sender = expected.senders[person["emails"][0]]
        fields = person["custom_fields"]
        assert person["name"] == sender.name
        assert person["org"] == as_people_write(sender.organization)
        assert fields["Thread count"] == sender.thread_count
        last = f"{sender.last_contact:%Y-%m-%d}" if sender.last_contact else None
        assert fields.get("Last contact") == last
        assert fields.get("Avg response hours") == sender.avg_response_hours


def assert_activities(activities: list[dict[str, Any]], expected: Expected) -> None:
    emails = Counter(
        (f"{a['due_date']} {a['due_time']}", a["person"], frozenset(a["participants"]))
        for a in activities
        if a["type"] == "email"
    )
    assert emails == Counter(
        (f"{a.at:%Y-%m-%d %H:%M:%S}", a.primary, frozenset((a.primary, *a.participants)))
        for a in expected.activities.values()
    )
    assert all(a["done"] for a in activities if a["type"] == "email")
    meetings = Counter(
        tuple(sorted(a["participants"])) for a in activities if a["type"] == "meeting"
    )
    assert meetings == Counter(tuple(sorted(keys)) for keys in expected.meetings.values())


@pytest.fixture(scope="module")
def plain_run(
    company: Office, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Ledger, Crm]]:
    """All folders in large batches, then a sync over HTTP: what every other way must equal."""
    from daemon.sandbox.crm import Sandbox, Server, Settings

    home = tmp_path_factory.mktemp("plain")
    settings = Settings(
        burst_requests=1_000_000, daily_tokens=10_000_000, plan="ultimate", open_cap=10**6
    )
    with Ledger.open(home / "ledger.db") as ledger:
        sandbox = Sandbox(home / "crm.db", settings=settings, clock=NOW.timestamp)
        with Server(sandbox) as server:
            crm = Crm(sandbox, server.url, None)
            company.read(ledger)
            crm.sync(ledger, company.scenario).sync()
            yield ledger, crm
        sandbox.close()


def test_every_senders_state_is_what_the_generator_knows(
    plain_run: tuple[Ledger, Crm], expected: Expected
) -> None:
    ledger, _ = plain_run

    assert states(ledger) == wanted_states(expected)
    assert ledger.quarantine.count() == 0


def test_every_verdict_is_what_the_generator_knows(
    plain_run: tuple[Ledger, Crm], expected: Expected
) -> None:
    ledger, _ = plain_run
    rows = ledger.rows("SELECT verdict, reason, count(*) AS n FROM messages GROUP BY 1, 2")

    assert {(r["verdict"], r["reason"]): r["n"] for r in rows} == Counter(
        (judged.kind, judged.reason) for judged in expected.messages.values()
    )


def test_pipedrive_holds_exactly_the_records_that_the_rules_make(
    plain_run: tuple[Ledger, Crm], expected: Expected
) -> None:
    ledger, crm = plain_run

    assert_records(snapshot(crm.sandbox), expected)
    assert duplicates(crm.sandbox) == []
    assert ledger.backlog.counts() == {}
    columns = {column.name: len(column.cards) for column in board(crm.sandbox, "Sales")}
    assert columns["Leads Inbox"] == len(expected.leads)
    assert columns["Initial Contact"] == len(expected.deals)


def test_a_second_run_reads_nothing_and_writes_nothing(
    company: Office, plain_run: tuple[Ledger, Crm]
) -> None:
    ledger, crm = plain_run
    requests_before = len(crm.sandbox.requests)

    tally = company.read(ledger)
    pushed = crm.sync(ledger, company.scenario).sync()

    assert (tally.new, pushed.writes) == (0, 0)
    assert len(crm.sandbox.requests) == requests_before


def test_the_token_is_only_ever_in_its_header(plain_run: tuple[Ledger, Crm]) -> None:
    _, crm = plain_run

    for logged in crm.sandbox.requests:
        assert "sandbox-token" not in logged.path + logged.query + logged.body


@pytest.mark.long
def test_one_message_at_a_time_and_other_folders_first_give_the_same(
    company: Office,
    plain_run: tuple[Ledger, Crm],
    crm: Callable[..., Crm],
    tmp_path: Path,
) -> None:
    other = crm("other")
    with Ledger.open(tmp_path / "one-by-one.db") as ledger:
        # Folders are read by name, so the order is turned round by reading them one by one.
        for folders in (("Clients",), ("Archive/2026",), ("INBOX",)):
            company.read(ledger, batch=1, folders=folders)
        company.read(ledger, batch=1)
        other.sync(ledger, company.scenario).sync()

        assert states(ledger) == states(plain_run[0])
    assert snapshot(other.sandbox) == snapshot(plain_run[1].sandbox)


def test_two_mailboxes_with_the_same_mail_count_it_once(
    plain_run: tuple[Ledger, Crm], company: Office, tmp_path: Path
) -> None:
    company.server.add_user("twin", "secret")
    for name, _role in company.scenario.roles:
        mails = [(m.raw, m.internal_date) for m in company.scenario.folder(name)]
        company.server.deliver_many("twin", name, mails)

    with Ledger.open(tmp_path / "twins.db") as ledger:
        company.read(ledger)
        second = company.read(ledger, mailbox="twin")

        assert second.new == 0
        seen = "SELECT count(*) AS n FROM sightings s JOIN folders f ON f.id = s.folder GROUP BY mailbox"
        assert [row["n"] for row in ledger.rows(seen)] == [len(company.scenario.mails)] * 2
        assert states(ledger) == states(plain_run[0])
