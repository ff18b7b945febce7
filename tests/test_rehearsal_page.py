"""The page of a dry run, in a real browser: whole in itself, and safe with whatever mail brings."""

import re
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, browser
from cli_kit import clock

from daemon.rehearsal.page import page

__all__ = ["browser"]

HOSTILE = "<script>document.title='taken'</script>"


def found(**changes: Any) -> dict[str, Any]:
    one = {
        "address": "ada@analytical.example",
        "name": "Ada Lovelace",
        "organization": "analytical.example",
        "what": "new deal",
        "reason": "2 replies",
        "messages": 3,
        "replies": 2,
        "meetings": 1,
        "last_contact": "2026-11-20T08:00:00Z",
    }
    return {
        "create": {"organizations": 1, "persons": 2, "leads": 1, "deals": 1, "activities": 7},
        "deals_per": {"person": 1, "conversation": 1, "organization": 1},
        "participants": 0,
        "tokens": 245,
        "conversions": 0,
        "fields": 4,
        "updates": {"persons": 0, "activities": 0},
        "adopted": {"organizations": 0, "persons": 1, "leads": 0, "deals": 0},
        "refused": {},
        "no_longer_made": {"records": {}, "examples": []},
        "budget": {"plan": "lite", "tokens_a_day": 30_000, "days": 0.01},
        "asks": "",
        "important": [one, one | {"name": HOSTILE, "address": "b@x.example", "what": "new lead"}],
        "left_out": [
            {
                "reason": "list-id",
                "words": "from a mailing list (List-Id)",
                "messages": 12,
                "examples": ["news@shop.example"],
            }
        ],
        "ignored_senders": 1,
        "tokens_by_call": [
            {"call": "activities.create", "calls": 7, "tokens": 35},
            {"call": "persons.create", "calls": 2, "tokens": 10},
        ],
        "read": {"messages": 20, "quarantined": 0, "tokens": 162},
        "problems": [],
        "where": {
            "company": "analytical",
            "mailboxes": [
                {"name": "sales", "since": "2026-10-01"},
                {"name": "info", "since": None},
            ],
            "pipeline": "New business",
            "stage": "Initial Contact",
        },
    } | changes


def test_the_page_shows_what_would_be_made_to_whom_and_why(
    browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "rehearsal.html"
    file.write_text(page(found(), clock()))

    dom = browser.dom(file.as_uri())

    assert "<title>What mail2deal would make at analytical</title>" in dom  # no script has run
    text = re.sub(r"<[^>]+>", " ", dom)
    of = ("sales, mail since 2026-10-01; info, new mail only", "analytical.pipedrive.com")
    place = ("New business &gt; Initial Contact", f"{clock():%Y-%m-%d %H:}")
    people = ("Ada Lovelace", "2 replies", "7 activities", "from a mailing list (List-Id)")
    for said in (*of, *place, *people):
        assert said in re.sub(r"\s+", " ", text)
    picture = tmp_path / "page.png"
    browser.picture(file.as_uri(), picture)
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize("what", ["src=", "href=", "http:", "https:", "url(", "<script", "@import"])
def test_the_page_loads_nothing_and_runs_nothing(what: str) -> None:
    assert what not in page(found(), clock())


def test_what_needs_a_person_stands_on_top() -> None:
    text = page(found(problems=["sales: login refused"], asks="pass --yes"), clock())

    assert text.index("login refused") < text.index('class="cards"')
    assert "pass --yes" in text


def test_every_key_of_the_json_is_documented() -> None:
    text = (Path(__file__).parent.parent / "docs" / "rehearsal.md").read_text()

    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(found())


def test_the_page_fits_a_phone(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "rehearsal.html"
    long = "A" * 80
    text = page(found(important=[found()["important"][0] | {"name": long}]), clock())
    probe = "<script>document.title=document.documentElement.scrollWidth+'/'+innerWidth</script>"
    file.write_text(text.replace("</body>", probe + "</body>"))

    dom = browser.dom(file.as_uri(), size="500,900")

    assert "<title>500/500</title>" in dom
