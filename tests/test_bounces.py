"""Mail of ours that comes back for good: whose address it was, and what that changes."""

from pathlib import Path
from typing import Any

import pytest
from crm_kit import Shop, make_shop
from test_follow_ups import TWO_DAYS, later, tasks

from daemon.message.bounce import Bounced
from daemon.message.parse import Message, parse
from daemon.message.us import Us
from daemon.message.verdict import judge
from daemon.rules.case import BounceMark, Policy
from daemon.rules.classify import Rules
from daemon.sandbox.crm import Fault

ADA = "ada@acme.example"
US = Us(addresses=frozenset({"sales@ours.example"}), domains=frozenset({"ours.example"}))

REPORT = """\
From: Mail Delivery System <MAILER-DAEMON@{host}>
To: sales@ours.example
Subject: Undelivered Mail Returned to Sender
Date: Mon, 02 Mar 2026 10:00:00 +0000
Message-ID: <report@{host}>
Auto-Submitted: auto-replied
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; {host}

{recipients}
--b
Content-Type: {returned}

Received: from a by b; Mon, 02 Mar 2026 09:59:00 +0000
Message-ID:
 <ours@ours.example>
Subject: Offer

--b--
"""
ONE = """Original-Recipient: rfc822;Ada@acme.example
Final-Recipient: rfc822; someone+else@relay.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user"""


def report(
    recipients: str = ONE, host: str = "mx.acme.example", returned: str = "message/rfc822"
) -> Message:
    text = REPORT.format(host=host, recipients=recipients, returned=returned)
    raw = text.encode().replace(b"\n", b"\r\n")
    return parse(raw, size=len(raw))


@pytest.mark.parametrize("returned", ["message/rfc822", "text/rfc822-headers"])
def test_a_report_says_who_and_what_came_back(returned: str) -> None:
    message = report(returned=returned)
    assert message.bounced == (Bounced(ADA, "5.1.1"),)
    assert message.answers[0] == "ours@ours.example"


@pytest.mark.parametrize(
    "recipients",
    [
        ONE.replace("5.1.1", "4.4.7"),  # given up for now
        ONE.replace("failed", "delayed"),
        ONE.replace("failed", "relayed"),
        "Final-Recipient: rfc822; nobody\nAction: failed\nStatus: 5.1.1",
        "",
    ],
)
def test_what_is_only_late_or_of_nobody_is_no_bounce(recipients: str) -> None:
    assert report(recipients).bounced == ()


def test_several_recipients_are_read_each_with_its_own_status() -> None:
    two = (
        f"{ONE}\n\nFinal-Recipient: RFC822; bob@b.example (Bob)\nACTION: Failed\nStatus: 5.7.1 (no)"
    )
    assert report(two).bounced == (Bounced(ADA, "5.1.1"), Bounced("bob@b.example", "5.7.1"))


def test_exim_names_them_in_its_header() -> None:
    raw = (
        b"From: Mail Delivery System <Mailer-Daemon@ours.example>\r\n"
        b"To: sales@ours.example\r\nX-Failed-Recipients: ada@acme.example\r\n"
        b"Subject: Mail delivery failed: returning message to sender\r\n"
        b"References: <ours@ours.example>\r\nMessage-ID: <r@ours.example>\r\n\r\n"
        b"SMTP error: 550 5.1.1 ada@acme.example: unknown\r\n"
    )
    message = parse(raw, size=len(raw))
    assert message.bounced == (Bounced(ADA, "5.1.1"),)
    assert "ours@ours.example" in message.answers


def test_it_belongs_to_who_was_not_reached_also_when_our_own_server_tells() -> None:
    for host, parties in (
        ("mx.acme.example", ["mailer-daemon@mx.acme.example", ADA]),
        ("ours.example", [ADA]),
    ):
        judgement = judge(report(host=host), in_sent=False, us=US)
        assert [one.key for one in judgement.parties] == parties
        assert judgement.verdict == ("evidence", "bounce")


# what follows


def labelled(home: Path, **settings: Any) -> Shop:
    policy = Policy(Rules(), follow_up=TWO_DAYS, bounce=BounceMark("Cold lead", marketing=True))
    return make_shop(home, policy=policy, **settings)


def bounces(shop: Shop, answers: int | None, to: str = ADA) -> None:
    shop.hears(
        "mailer-daemon@mx.acme.example",
        answers=answers,
        signals=("bounce", "report"),
        bounced=(Bounced(to, "5.1.1"),),
    )


def label(shop: Shop) -> list[int]:
    (found,) = [
        one["id"]
        for one in shop.acts.every("labels")
        if (one["entity"], one["label"]) == ("person", "Cold lead")
    ]
    return [found]


def test_a_bounce_marks_the_person_and_stops_follow_ups_until_they_write(tmp_path: Path) -> None:
    shop = labelled(tmp_path)
    shop.hears(ADA, subject="Prices?")
    shop.sync()
    number = shop.writes(ADA, answers=1)
    shop.sync()
    later(shop, days=1)
    theirs = shop.acts.every("labels")[0]["id"]
    shop.acts.edit("persons", shop.person(ADA)["id"], label_ids=[theirs])
    bounces(shop, number)
    mark = shop.mark()
    shop.sync()
    assert shop.person(ADA)["label_ids"] == [theirs, *label(shop)]
    assert shop.person(ADA)["marketing_status"] == "unsubscribed"
    assert shop.spent(mark)["PATCH /persons/{id}"] == 1
    later(shop, days=5)
    assert tasks(shop) == []

    shop.hears(ADA, subject="New address of mine")
    shop.sync()
    assert shop.person(ADA)["label_ids"] == [theirs]
    later(shop, days=3)
    assert [subject for subject, *_ in tasks(shop)] == ["Answer Ada: New address of mine"]
    mark = shop.mark()
    shop.next_day()
    assert not [one for one in shop.requests(mark) if one.method != "GET"]


def test_a_report_about_no_mail_of_ours_says_nothing(tmp_path: Path) -> None:
    shop = labelled(tmp_path)
    shop.hears(ADA)
    shop.hears("bob@b.example")
    shop.writes("bob@b.example", answers=2)
    shop.sync()
    bounces(shop, None)
    bounces(shop, 3)  # ours, but to somebody else
    bounces(shop, 1)  # theirs
    shop.sync()
    assert shop.person(ADA)["label_ids"] == []
    later(shop, days=3)
    assert len(tasks(shop)) == 1


def test_the_report_may_be_read_before_the_mail_in_sent(tmp_path: Path) -> None:
    shop = labelled(tmp_path)
    shop.hears(ADA)
    shop.sync()
    bounces(shop, 3)
    shop.sync()
    assert shop.person(ADA)["label_ids"] == []
    shop.writes(ADA, at=shop.clock.now)
    shop.sync()
    assert shop.person(ADA)["label_ids"] == label(shop)


def test_without_the_keys_a_bounce_only_stops_follow_ups(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, policy=Policy(Rules(), follow_up=TWO_DAYS))
    shop.hears(ADA)
    number = shop.writes(ADA, answers=1)
    shop.sync()
    mark = shop.mark()
    bounces(shop, number)
    later(shop, days=3)
    assert "PATCH /persons/{id}" not in shop.spent(mark)
    assert tasks(shop) == []


def notes(shop: Shop) -> list[tuple[str, str, bool]]:
    return [
        (one["subject"], one["note"].partition("<br>")[0], one["done"])
        for one in shop.activities()
        if one["subject"].startswith("Undeliverable")
    ]


def test_a_note_says_once_that_no_mail_arrives_until_they_write(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, policy=Policy(Rules(), bounce=BounceMark(note=True)))
    said = (
        f"Undeliverable: {ADA}",
        f"A mail to {ADA} came back for good, with the status 5.1.1.",
        True,
    )
    shop.hears(ADA)
    number = shop.writes(ADA, answers=1)
    bounces(shop, number)
    shop.sync()
    assert notes(shop) == [said]

    bounces(shop, shop.writes(ADA))  # we try again
    shop.sync()
    assert notes(shop) == [said]
    (one,) = [one for one in shop.activities() if one["subject"] == said[0]]
    shop.acts.delete("activities", one["id"])
    bounces(shop, shop.writes(ADA))
    shop.next_day()
    assert notes(shop) == []  # people don't want it

    shop.hears(ADA)
    bounces(shop, shop.writes(ADA))
    shop.sync()
    assert notes(shop) == [said]
    shop.next_day()
    mark = shop.mark()
    shop.next_day()
    assert not [one for one in shop.requests(mark) if one.method != "GET"]


def test_the_note_is_made_once_although_its_answer_was_lost(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, policy=Policy(Rules(), bounce=BounceMark(note=True)))
    shop.hears(ADA)
    number = shop.writes(ADA, answers=1)
    shop.sync()
    bounces(shop, number)
    shop.sandbox.faults.add(Fault("timeout", method="POST", path="/activities$"))
    shop.sync()
    shop.next_day()
    assert len(notes(shop)) == 1


def test_switched_on_later_it_holds_for_what_came_back_before(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    shop.hears(ADA)
    bounces(shop, shop.writes(ADA, answers=1))
    shop.sync()
    bounce = BounceMark("Cold lead", note=True)
    shop.settings(policy=Policy(Rules(), bounce=bounce))
    shop.next_day()
    assert shop.person(ADA)["label_ids"] == label(shop)
    assert len(notes(shop)) == 1
