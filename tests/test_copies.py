"""One mail in several copies is one message, whatever was done to a copy on its way."""

from collections.abc import Callable
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest
from postbox import START, WE
from world import World

ADA = "Ada Byron <ada@acme.example>"
TEXT = "Could we talk about the offer for the forty chairs on Monday?"
DATE = "Mon, 02 Mar 2026 09:00:00 +0000"


def mail(
    sender: str = ADA,
    *,
    to: str = WE,
    subject: str = "The offer",
    ident: str | None = "1@acme.example",
    date: str = DATE,
    text: str = TEXT,
    extra: str = "",
) -> bytes:
    own = f"Message-ID: <{ident}>\r\n" if ident else ""
    return (
        f"{extra}From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\n{own}Date: {date}\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()


TRACE = "Received: from a.example by b.example; Mon, 2 Mar 2026 09:00:01 +0000\r\n"
GROUP = "X-Original-Sender: ada@acme.example\r\nList-Id: <sales.ours.example>\r\n"
HTML = (
    mail(text="")
    .replace(b"text/plain", b"text/html")
    .replace(
        b"\r\n\r\n\r\n",
        f"\r\n\r\n<p>Could we talk about <b>the offer</b> {TEXT[30:]}</p>\r\n".encode(),
    )
)
COPIES = {
    "a tagged subject": [mail(), mail(subject="[EXTERNAL] The offer")],
    "a tag without brackets": [mail(), mail(subject="EXTERN: The offer")],
    "a banner in the text": [mail(), mail(text=f"CAUTION: from outside!\r\n\r\n{TEXT}")],
    "another zone": [mail(), mail(date="Mon, 02 Mar 2026 04:00:00 -0500")],
    "a group in From": [
        mail(),
        mail("'Ada Byron' via Sales <sales@ours.example>", extra=GROUP, subject="[Sales] The offer"),
    ],
    "three at once": [mail(), mail(subject="[EXT] The offer"), mail(text=f"> {TEXT}\r\n{TEXT}")],
    "no id, another way": [mail(ident=None), mail(ident=None, extra=TRACE * 3)],
    "no id, a relay gave one": [mail(ident=None), mail(extra=TRACE)],
    "no id, a tag": [mail(ident=None), mail(ident=None, subject="[EXT] The offer", extra=TRACE)],
    "no id and html": [mail(ident=None), HTML.replace(b"Message-ID: <1@acme.example>\r\n", b"")],
}  # fmt: skip
APART = {
    "one id, other people": [mail(), mail("eve@evil.example", text="Buy our watches now", subject="Watch")],
    "one id, another day": [
        mail(),
        mail(subject="Next", text="Something else", date="Tue, 03 Mar 2026 09:00:00 +0000"),
    ],
    "no id, a minute apart": [mail(ident=None), mail(ident=None, date="Mon, 02 Mar 2026 09:01:00 +0000")],
    "no id, other words": [mail(ident=None), mail(ident=None, text="Not that offer", subject="No")],
    "two ids": [mail(), mail(ident="2@acme.example")],
}  # fmt: skip


def settled(home: Path, deliver: Callable[[World], object]) -> World:
    world = World(home)
    deliver(world)
    world.settle()
    return world


def state(world: World) -> list[dict[str, object]]:
    with world.ledger() as ledger:
        return ledger.rows(
            "SELECT address, name, class, msg_count, sent_count, replies, last_contact FROM senders"
            " ORDER BY address"
        )


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_one_message_in_any_order(tmp_path: Path, name: str) -> None:
    states = []
    for number, order in enumerate(permutations(COPIES[name])):
        home = tmp_path / str(number)
        home.mkdir()

        def deliver(world: World, order: tuple[bytes, ...] = order) -> None:
            for minute, raw in enumerate(order):
                world.box.deliver("INBOX", raw, START + timedelta(minutes=minute))
                with world.ledger() as ledger:
                    world.take_in(ledger)

        world = settled(home, deliver)
        states.append(state(world))
        assert len(world.crm()["activities"]) == 1
        with world.ledger() as ledger:
            assert sum(ledger.counts("messages").values()) == 1
            subjects = ledger.rows("SELECT subject FROM messages")
            assert subjects == [{"subject": "The offer"}]

    assert all(one == states[0] for one in states)
    assert [row["msg_count"] for row in states[0]] == [1]


@pytest.mark.parametrize("name", COPIES)
def test_copies_that_come_together_are_one_too(tmp_path: Path, name: str) -> None:
    def deliver(world: World) -> None:
        for minute, raw in enumerate(COPIES[name]):
            world.box.deliver("INBOX", raw, START + timedelta(minutes=minute))

    assert [row["msg_count"] for row in state(settled(tmp_path, deliver))] == [1]


@pytest.mark.parametrize("name", APART)
def test_different_mails_stay_two(tmp_path: Path, name: str) -> None:
    def deliver(world: World) -> None:
        for minute, raw in enumerate(APART[name]):
            world.box.deliver("INBOX", raw, START + timedelta(minutes=minute))

    world = settled(tmp_path, deliver)

    with world.ledger() as ledger:
        assert sum(ledger.counts("messages").values()) == 2


@pytest.mark.parametrize("answered", ["s1@client.example", "s2@exchange.example"])
def test_what_a_server_renders_anew_into_sent_is_one_mail_by_both_ids(
    tmp_path: Path, answered: str
) -> None:
    text = "Yes, gladly.\r\nMonday at ten would be fine for me and for my colleague."
    ours = mail(WE, to=ADA, ident="s1@client.example", text=text)
    again = mail(
        f"Sales <{WE}>",
        to="ada@acme.example",
        ident="s2@exchange.example",
        text=text.replace("\r\n", " "),
        date="Mon, 02 Mar 2026 09:00:07 +0000",
    )

    def deliver(world: World) -> None:
        world.box.deliver("Sent", ours, START)
        world.box.deliver("Sent", again, START)
        theirs = mail(ident="9@acme.example", extra=f"In-Reply-To: <{answered}>\r\n")
        world.box.deliver("INBOX", theirs, START + timedelta(hours=1))

    world = settled(tmp_path, deliver)

    (ada,) = state(world)
    assert (ada["sent_count"], ada["msg_count"], ada["replies"]) == (1, 1, 1)
    assert len(world.crm()["activities"]) == 2
