"""A thousand hostile mails in a real mailbox: none lost, none in the way of another."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from company_kit import NOW, Crm, Office
from hostile import hostile

from daemon.ledger.store import Ledger
from daemon.sandbox.crm import duplicates

FOLDERS = ("Hostile",)
COUNT = 1_000


def deliver(company: Office, user: str, mails: list[bytes]) -> None:
    company.server.add_user(user, "secret")
    dated = [(raw, NOW - timedelta(minutes=n)) for n, raw in enumerate(mails)]
    company.server.deliver_many(user, FOLDERS[0], dated)


def test_a_thousand_hostile_mails_are_all_accounted_for(
    company: Office, crm: Callable[..., Crm], ledger: Ledger
) -> None:
    deliver(company, "hostile", list(hostile(3, COUNT)))

    tally = company.read(ledger, mailbox="hostile", folders=FOLDERS)
    made = crm()
    pushed = made.sync(ledger, company.scenario).sync()

    seen = ledger.rows("SELECT count(*) AS n FROM sightings")[0]["n"]
    assert seen + tally.quarantined == COUNT
    assert tally.problems == []
    reasons = Counter(row["reason"] for row in ledger.rows("SELECT reason FROM quarantine"))
    assert set(reasons) <= {"no header field", "empty"}
    assert pushed.parked == 0
    assert ledger.backlog.counts() == {}
    assert duplicates(made.sandbox) == []


def test_nothing_in_a_mail_puts_control_characters_into_the_ledger(
    company: Office, ledger: Ledger
) -> None:
    deliver(company, "terminal", list(hostile(4, 400)))

    company.read(ledger, mailbox="terminal", folders=FOLDERS)

    for row in ledger.rows("SELECT subject, from_name, from_address, message_id FROM messages"):
        for value in row.values():
            assert value is None or value.isprintable(), row
    for row in ledger.rows("SELECT name, address FROM senders"):
        assert row["name"].isprintable(), row
        assert row["address"].isprintable(), row


def test_what_cannot_be_read_is_quarantined_and_the_folder_goes_on(
    company: Office, ledger: Ledger
) -> None:
    good = (
        b"From: ada@acme-glass.com\r\nTo: sales@larkfield.example\r\nMessage-ID: <%d@a>\r\n\r\nhi"
    )
    deliver(company, "mixed", [good % 1, b"\r\n\r\nno header at all\r\n", good % 2])

    tally = company.read(ledger, mailbox="mixed", folders=FOLDERS)

    assert (tally.new, tally.quarantined) == (2, 1)
    (row,) = ledger.rows("SELECT reason, attempts, not_before FROM quarantine")
    assert row["reason"] == "no header field"
    assert row["attempts"] == 1
    assert row["not_before"] is not None


def test_a_quarantined_mail_that_somebody_deleted_is_let_go(
    company: Office, ledger: Ledger
) -> None:
    deliver(company, "vanishing", [b"\r\n\r\nno header at all\r\n"])
    company.read(ledger, mailbox="vanishing", folders=FOLDERS)
    for mail in company.server.create_folder("vanishing", FOLDERS[0]).glob("cur/*"):
        mail.unlink()
    with ledger.transaction("due"):
        ledger.quarantine.release(NOW)

    tally = company.read(ledger, mailbox="vanishing", folders=FOLDERS)

    assert tally.quarantined == 0
    assert ledger.quarantine.count() == 0
