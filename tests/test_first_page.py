"""The first page of the browser view, on a real ledger whose mail is known one by one."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, browser
from postbox import START
from world import World

from daemon.ledger.overview import overview
from daemon.maintenance.first_page import Alert, Link, first_page

__all__ = ["browser"]

NOW = START + timedelta(days=40)
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Deals of March, one of them won; in the last week two newcomers and a newsletter."""
    world = World(tmp_path_factory.mktemp("week"))
    for who in ("Anna <anna@old.example>", "Bob <bob@old.example>"):
        first = world.receives(who)
        world.receives(who, answers=world.sends(who, answers=first))
    world.settle()
    (won,) = (
        doc["id"]
        for doc in world.acts.every("deals")
        if doc["person_id"] == world.acts.person_of("bob@old.example")["id"]
    )
    world.acts.win(won)
    world.number = 24 * 36  # a mail an hour: what follows comes in the week before NOW
    world.receives(f'"{HOSTILE}" <carla@new.example>')
    world.sends("Dora <dora@new.example>", answers=world.receives("Dora <dora@new.example>"))
    world.receives("News <news@shop.example>", extra="List-Id: <news.shop.example>\r\n")
    world.clock.now = max(world.clock.now, NOW - timedelta(days=1))
    world.settle()
    with world.ledger() as ledger:
        yield overview(ledger, NOW)


def senders(rows: list[dict[str, Any]]) -> list[str]:
    return [row["sender"] for row in rows]


def text(page: str) -> str:
    body = page.partition("<body>")[2]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def shown(found: dict[str, Any], *alerts: Alert, holder: str | None = "mail2deal") -> str:
    links = [Link("ledger/silent_deals", "Silent deals", "Open deals without a mail.")]
    return first_page(found, alerts, holder, links)


def test_people_are_new_by_the_date_of_their_mail_not_of_their_record(
    found: dict[str, Any],
) -> None:
    assert senders(found["newcomers"]) == ["dora@new.example", "carla@new.example"]
    assert found["made"] == {"deal": 1, "lead": 1}


def test_only_an_open_deal_is_silent(found: dict[str, Any]) -> None:
    assert senders(found["silent"]) == ["anna@old.example"]


def test_who_had_an_answer_doesnt_wait_for_one(found: dict[str, Any]) -> None:
    assert senders(found["unanswered"]) == ["carla@new.example"]


def test_the_page_says_it_in_words(found: dict[str, Any]) -> None:
    words = text(shown(found))

    assert words.index("All is well.") < words.index("2 mails that count came from 2 people")
    assert "2 people are new: 1 lead and 1 deal." in words
    assert "1 other mail (newsletters" in words
    assert "1 person wrote last" in words
    assert "1 open deal has had no mail" in words


def test_what_needs_a_person_comes_before_all_else(found: dict[str, Any]) -> None:
    alerts = (
        Alert("sync: token refused", "mail2deal check", "person"),
        Alert("mailbox sales: away", "", "failing"),
        Alert("clock: 90 s ahead", "set the clock", "note"),
    )
    words = text(shown(found, *alerts, holder=None))

    assert "1 thing needs you. 1 thing fails and is tried again automatically." in words
    assert "All is well" not in words
    assert "mail2deal check" in words
    assert "No mail2deal service or command is working on this ledger now." in words


def test_an_empty_ledger_makes_a_page_too(tmp_path: Path) -> None:
    with World(tmp_path).ledger() as ledger:
        words = text(shown(overview(ledger, NOW)))

    assert "The mailboxes were last read: never; Pipedrive was last updated: never." in words
    assert "No mail that counts came or went." in words
    assert "Nobody: every recent mail has an answer, and no open deal is silent." in words


def test_it_fits_a_phone_and_no_name_is_taken_for_html(
    found: dict[str, Any], browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "first.html"
    probe = "<script>document.title=document.documentElement.scrollWidth+'/'+innerWidth</script>"
    page = shown(found)
    assert HOSTILE not in page
    assert "<script" not in page
    file.write_text(page.replace("</body>", probe + "</body>"))

    dom = browser.dom(file.as_uri(), size="500,900")

    (widths,) = re.findall(r"<title>(\d+/\d+)</title>", dom)
    width, room = map(int, widths.split("/"))
    assert width <= room == 500
