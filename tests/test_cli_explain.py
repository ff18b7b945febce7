"""`explain` says of every sender of the generated mailbox what the oracle knows of it."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from company_kit import NOW, Crm, Office, reading
from oracle import Expected, expect

from daemon.errors import Rejected
from daemon.ledger.store import Ledger
from daemon.maintenance.explain import Told, as_dict, tell
from daemon.message.nature import reasons
from daemon.rules.explain import REASONS
from daemon.sandbox.crm import Sandbox, SandboxAdapter, Settings


@pytest.fixture(scope="module")
def expected(company: Office) -> Expected:
    return expect(company.scenario)


@pytest.fixture(scope="module")
def synced(
    company: Office, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Ledger, Sandbox]]:
    """The whole company read and written out in this process."""
    home = tmp_path_factory.mktemp("explained")
    settings = Settings(
        burst=False,
        burst_requests=10**6,
        daily_tokens=10_000_000,
        plan="ultimate",
        open_cap=10**6,
    )
    sandbox = Sandbox(":memory:", settings=settings, clock=NOW.timestamp)
    http = requests.Session()
    http.mount("https://", SandboxAdapter(sandbox))
    with Ledger.open(home / "ledger.db") as ledger:
        company.read(ledger)
        crm = Crm(sandbox, "https://sandbox.pipedrive.com", http)
        crm.sync(ledger, company.scenario, workers=1, emails=False, meetings=False).sync()
        yield ledger, sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def told(synced: tuple[Ledger, Sandbox], company: Office, expected: Expected) -> dict[str, Told]:
    ledger, _ = synced
    rules = reading(company.scenario)
    return {address: tell(ledger, rules, address, newest=None) for address in expected.senders}


def test_every_class_and_reason_of_the_oracle_is_met(expected: Expected) -> None:
    assert {s.classified for s in expected.senders.values()} == {
        "ignore",
        "lead",
        "person_with_deal",
    }
    met = {reason for s in expected.senders.values() for _, _, reason in s.verdicts}
    met |= {judged.reason for judged in expected.messages.values()}
    left_out = {"no-from", "itip-counter", "role-never", "role-after-reply", "answered-by-us"}
    left_out |= {"copy-of-a-form", "no-author-in-relay", "copied"}
    assert met >= set(REASONS) - set(reasons()) - left_out


def test_class_and_numbers_are_the_oracles(told: dict[str, Told], expected: Expected) -> None:
    for address, sender in expected.senders.items():
        said = as_dict(told[address])
        assert said["class"] == sender.classified, address
        numbers = said["numbers"]
        assert (
            numbers["messages"],
            numbers["sent"],
            numbers["replies"],
            numbers["meetings"],
            numbers["threads"],
            numbers["avg_response_hours"],
        ) == (
            sender.msg_count,
            sender.sent_count,
            sender.replies,
            sender.meetings,
            sender.thread_count,
            sender.avg_response_hours,
        ), address


def test_every_message_is_told_with_its_verdict_and_counts_as_the_numbers_say(
    told: dict[str, Told], expected: Expected
) -> None:
    for address, sender in expected.senders.items():
        messages = as_dict(told[address])["messages"]
        # A bounce is told of the sender whom it failed, too, which the oracle doesn't know.
        said = Counter((m["verdict"], m["reason"]) for m in messages if m["reason"] != "bounce")
        wanted = (verdict[1:] for verdict in sender.verdicts if verdict[2] != "bounce")
        assert said == Counter(wanted), address
        assert sum("a message" in m["why"].split(":")[0] for m in messages) == sender.msg_count, (
            address
        )
        assert sum("a reply" in m["why"].split(":")[0] for m in messages) == sender.replies, address
        assert all(m["counts"] != m["why"].startswith("doesn't count") for m in messages), address
        assert [m["sent_at"] for m in messages] == sorted(m["sent_at"] for m in messages)


def test_the_meetings_are_the_oracles(told: dict[str, Told], expected: Expected) -> None:
    for address, sender in expected.senders.items():
        meetings = as_dict(told[address])["meetings"]
        assert Counter(m["counts"] for m in meetings) == Counter(
            attended.counts for attended in sender.attended
        ), address


def test_what_would_change_the_class_is_what_the_rules_ask_for(
    told: dict[str, Told], expected: Expected
) -> None:
    for address, sender in expected.senders.items():
        changes = told[address].explained.changes
        if sender.classified == "person_with_deal":
            assert changes == ()
            continue
        missing = 5 - sender.msg_count
        more = f"{missing} more message" if sender.msg_count else f"{missing} message"
        assert any(change.startswith(more) for change in changes), address
        assert any("lead" in c for c in changes) == (sender.classified == "ignore"), address


def test_the_records_are_named_with_their_place_in_pipedrive(
    told: dict[str, Told], expected: Expected
) -> None:
    for address, sender in expected.senders.items():
        kinds = [row["kind"] for row in told[address].records]
        wanted = {"ignore": [], "lead": ["person", "lead"], "person_with_deal": ["person", "deal"]}
        assert [kind for kind in kinds if kind != "organization"] == wanted[sender.classified]
        for row in told[address].records:
            assert row["url"].startswith("https://sandbox.pipedrive.com/"), row


def test_an_address_that_is_no_sender_is_told_what_became_of_its_mail(
    synced: tuple[Ledger, Sandbox], company: Office, expected: Expected
) -> None:
    ledger, _ = synced
    rules = reading(company.scenario)
    senders = set(expected.senders)
    ignored = {
        (row["from_address"], row["reason"])
        for row in ledger.rows("SELECT * FROM messages WHERE verdict = 'ignored'")
        if row["from_address"] and row["from_address"] not in senders
    }
    assert {"ignored-address", "ignored-domain", "internal"} <= {reason for _, reason in ignored}
    for address, reason in ignored:
        with pytest.raises(Rejected) as refused:
            tell(ledger, rules, address.upper())
        assert REASONS[reason] in refused.value.hint
    with pytest.raises(Rejected, match="no message from it was read"):
        tell(ledger, rules, "nobody@nowhere.example")


def test_a_long_history_is_told_from_its_newest_messages(
    synced: tuple[Ledger, Sandbox], company: Office, told: dict[str, Told]
) -> None:
    whole = max(told.values(), key=lambda one: len(one.explained.timeline))
    count = len(whole.explained.timeline)
    page = tell(synced[0], reading(company.scenario), whole.state.address, newest=3)
    assert page.state == whole.state
    assert page.explained.timeline == whole.explained.timeline[-3:]
    assert page.explained.changes == whole.explained.changes
    assert as_dict(page)["not_told"] == {
        "messages": count - 3,
        "meetings": max(0, len(whole.explained.meetings) - 3),
    }


def test_what_waits_what_is_left_alone_and_what_is_gone_is_said(
    synced: tuple[Ledger, Sandbox], company: Office, expected: Expected
) -> None:
    ledger, _ = synced
    rules = reading(company.scenario)
    address = min(expected.deals)
    later = NOW + timedelta(hours=1)
    with ledger.transaction("test"):
        ledger.records.mark_gone("deal", address, "deleted", NOW, "by people, in Pipedrive")
        ledger.rows(
            "INSERT INTO journal (kind, key, action, sender, stage, fields, rank, state, version,"
            " planned_at, not_before, last_error) VALUES ('activity', 'x', 'create', ?, 3, '{}',"
            " '4', 'waiting', 1, ?, ?, 'the server is away')",
            address,
            f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
            f"{later:%Y-%m-%dT%H:%M:%SZ}",
        )
    try:
        said: dict[str, Any] = as_dict(tell(ledger, rules, address))
    finally:
        with ledger.transaction("test"):
            ledger.rows("DELETE FROM journal WHERE key = 'x'")
            ledger.rows("UPDATE records SET tombstone = NULL WHERE key = ?", address)

    deal = next(row for row in said["records"] if row["kind"] == "deal")
    assert (deal["tombstone"], deal["reason"]) == ("deleted", "by people, in Pipedrive")
    assert said["waiting"] == [
        {
            "kind": "activity",
            "action": "create",
            "state": "waiting",
            "not_before": f"{later:%Y-%m-%dT%H:%M:%SZ}",
            "last_error": "the server is away",
        }
    ]
