"""`sources:` as it is typed into the configuration, on a real mailbox."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from dovecot import Post
from polling_kit import at, desk

RELAY = (
    "From: Marketplace <lead-4711@market.example>\r\nTo: {we}\r\n"
    "Reply-To: Ada Roe <ada@reply.example>\r\nSubject: Pumps\r\nMessage-ID: <1@market.example>\r\n\r\n"
    "Name: Bea Horn\r\nE-mail: bea@body.example\r\nPhone: +44 20 7946 0018\r\n"
    "Message: What does a pump cost?\r\n"
)
FORM = (
    "From: Website <{we}>\r\nTo: {we}\r\nReply-To: Ada Roe <ada@reply.example>\r\n"
    "Subject: Enquiry from the website\r\nMessage-ID: <2@web.example>\r\n\r\n"
    "Name: Ada Roe\r\nE-mail: ada@reply.example\r\nPhone: +44 20 7946 0018\r\n"
    "Message: What does a pump cost?\r\n"
)
FORWARD = (
    "From: Cy Lund <cy@ours.example>\r\nTo: {we}\r\nSubject: Fwd: Pumps\r\n"
    "Message-ID: <3@ours.example>\r\n\r\nPlease answer.\r\n\r\n"
    "---------- Forwarded message ---------\r\nFrom: Dan Vik <dan@forward.example>\r\n"
    "Date: Mon, Mar 2, 2026 at 9:00 AM\r\nSubject: Pumps\r\nTo: <cy@ours.example>\r\n\r\n"
    "What does a pump cost?\r\n"
)
GROUP = (
    "From: 'Eva Ros' via Sales <sales@ours.example>\r\nTo: sales@ours.example\r\n"
    "X-Original-From: Eva Ros <eva@group.example>\r\nReply-To: Eva Ros <eva@group.example>\r\n"
    "List-ID: <sales.ours.example>\r\nMailing-list: list sales@ours.example\r\nSubject: Pumps\r\n"
    "Message-ID: <4@group.example>\r\n\r\nWhat does a pump cost?\r\n"
)
MARKET = "lead-4711@market.example"


def relay(author: str, sender: str = "*@market.example") -> dict[str, Any]:
    return {"relays": [{"sender": sender, "author": author}]}


@pytest.mark.parametrize(
    ("mail", "sources", "found"),
    [
        (RELAY, relay("reply-to"), {"ada@reply.example"}),
        (RELAY, relay("body"), {"bea@body.example"}),
        (RELAY, relay("from"), {MARKET}),
        (RELAY, relay("nobody"), set()),
        (RELAY, relay("body", "lead-*@market.example"), {"bea@body.example"}),
        (FORM, {}, {"ada@reply.example"}),
        (FORM, {"forms": False}, set()),
        (FORWARD, {}, {"dan@forward.example"}),
        (FORWARD, {"forwards": False}, set()),
        (GROUP, {}, {"eva@group.example"}),
        (GROUP, {"groups": False}, set()),
    ],
)
def test_what_is_typed_is_what_counts(
    dovecot: Post, tmp_path: Path, mail: str, sources: dict[str, Any], found: set[str]
) -> None:
    dovecot.deliver(mail.format(we=dovecot.user).encode())
    with desk(tmp_path, at(dovecot, since="2020-01-01")) as one:
        path = tmp_path / "config.yaml"
        document = yaml.safe_load(path.read_text())
        document |= {"sources": sources, "us": {"domains": ["ours.example"]}}
        path.write_text(yaml.safe_dump(document))
        one.start()
        one.poll()
        leads = one.ledger.rows("SELECT address FROM senders WHERE class = 'lead'")
        assert {row["address"] for row in leads} == found


@pytest.mark.parametrize("kept", [True, False])
def test_one_key_keeps_no_phones_and_titles(dovecot: Post, tmp_path: Path, *, kept: bool) -> None:
    dovecot.deliver(FORM.format(we=dovecot.user).encode())
    with desk(tmp_path, at(dovecot, since="2020-01-01")) as one:
        path = tmp_path / "config.yaml"
        path.write_text(path.read_text() + yaml.safe_dump({"sources": {"facts": kept}}))
        one.start()
        one.poll()
        facts = one.ledger.rows("SELECT kind, value, source FROM sender_facts")
        phone = {"kind": "phone", "value": "+44 20 7946 0018", "source": "form"}
        assert (phone in [dict(row) for row in facts]) == kept
