"""The sender's own words in answers of many programs and languages, and texts that look like one."""

import pytest
from answers import LANGUAGES, TABLE, Answer, answers

from daemon.message.body import snippet, words

ALL = list(answers())
# Measured: all of them. Whoever lets one go says so here.
RIGHT_AT_LEAST = 100


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]


def _is_right(one: Answer) -> bool:
    return _lines(snippet(one.plain, one.html, 500)) == _lines(one.own)


def test_the_table_has_a_hundred_answers() -> None:
    assert len({one.name for one in ALL}) == len(ALL) >= 100
    assert len(LANGUAGES) >= 15
    assert len({program for program, _ in TABLE}) >= 12


def test_the_snippet_is_what_the_sender_wrote() -> None:
    wrong = [one.name for one in ALL if not _is_right(one)]
    assert len(ALL) - len(wrong) >= RIGHT_AT_LEAST, wrong


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_what_is_quoted_is_found_too(one: Answer) -> None:
    """So that an answer can be told by our words in it."""
    own, quoted = words(one.plain, one.html, 500)
    first = next(lang.quoted for lang in LANGUAGES.values() if lang.quoted.split("\n")[0] in quoted)
    assert first.split("\n")[1] in quoted
    assert not any(line in own for line in first.split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "Our trip:\nFrom: Berlin\nTo: Munich\nDate: 3 May 2026\nPlease book it.",
        "On 5 May 2026 at 10:00 we have three points:\n- prices\n- dates",
        "You wrote:\nnothing about the price.",
        "Call me at 10:30:\n+41 44 555 01 02",
        "I have an iPhone\nand it doesn't work with your app.",
        "We sell Samsung phones.\n\nDo you buy them?",
        "a | b\n--- | ---\nc | d",
        "Wir haben zwei Fragen:\n\n1. Wann?\n2. Wo?",
        "The subject: pumps. The date: May.",
        "Bitte an info@acme.example schicken:\nden Vertrag",
    ],
)
def test_a_text_that_only_looks_like_a_quotation_is_kept(text: str) -> None:
    assert snippet(text, None, 500) == text


@pytest.mark.parametrize(
    ("plain", "own"),
    [
        ("> a long quoted line that was wrapped by the program that sent it once\nmore\n> and goes on\n\nYes.", "Yes."),
        ("Yes.\n\n-- \nAda\n\nOn 5 May 2026 10:00, Bob wrote:\n> old", "Yes."),
        ("Sent from my iPhone\n\n> On 5 May 2026, Bob <b@x.example> wrote:\n> When?\n\nMonday.", "Monday."),
        ("Yes.\n\n---- On Mon, 05 Oct 2026 10:12:00 +0200 Jane Roe wrote ----\n\nold", "Yes."),
        ("Yes.\n\n-------- Ursprüngliche Nachricht --------\nold", "Yes."),
        ("Yes.\n\n===== Some word nobody knows =====\nstays", "Yes.\n\n===== Some word nobody knows =====\nstays"),
        ("Yes.\n\n>> older\n> old", "Yes."),
        ("Bob <b@x.example> wrote:\n> old\n\nYes.", "Yes."),
        ("Zitat von Bob <b@x.example>:\n\n> old\n\nYes.", "Yes."),
        ("Yes.\nGet Outlook for Android", "Yes."),
    ],
)  # fmt: skip
def test_quotations_of_other_shapes_are_left_out(plain: str, own: str) -> None:
    assert snippet(plain, None, 500) == own
