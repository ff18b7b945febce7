"""Hostile mail: the generator itself, and that parse survives each defect without a trace of it."""

import unicodedata
from itertools import islice

import pytest
from hostile import DEFECTS, HEAVY, hostile

from daemon.errors import Unreadable
from daemon.message.parse import Message, parse

NO_MAIL = {"empty", "one-byte", "blank-lines", "no-headers", "nul-everywhere", "html-not-mail"}
BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def texts(message: Message) -> list[str]:
    """All that of a mail may be shown on a terminal or sent to the CRM; a snippet has lines."""
    others = (one.address for one in message.candidates)
    people = [a for a in (message.from_, *others, *message.to) if a]
    return [
        message.subject,
        message.snippet.replace("\n", " "),
        message.message_id or "",
        *message.answers,
        *message.signals,
        *(fact.value for fact in message.facts),
        *(f"{person.name} {person.address} {person.key}" for person in people),
        *(f"{i.summary} {i.uid} {i.method} {i.organizer}" for i in message.invites),
    ]


def test_the_same_seed_gives_the_same_mails() -> None:
    assert list(hostile(3, 600)) == list(hostile(3, 600))
    assert list(hostile(3, 600)) != list(hostile(4, 600))


def test_each_defect_comes_once_before_any_comes_again() -> None:
    assert list(islice(hostile(1, 10_000), len(DEFECTS))) == list(DEFECTS.values())


def test_heavy_mails_stay_below_a_mailbox_s_limit() -> None:
    assert max(len(DEFECTS[name]) for name in HEAVY) < 5_000_000
    assert max(len(raw) for name, raw in DEFECTS.items() if name not in HEAVY) < 300_000


@pytest.mark.parametrize("name", DEFECTS)
def test_parse_reads_it_or_says_unreadable(name: str) -> None:
    raw = DEFECTS[name]
    try:
        message = parse(raw, size=len(raw))
    except Unreadable:
        assert name in NO_MAIL
        return

    for text in texts(message):
        assert not BIDI & set(text)
        assert not {unicodedata.category(c) for c in text} & {"Cc", "Cs"}
    assert len(message.subject) <= 998
    assert len(message.snippet) <= 500
    assert len(message.to) <= 1_000
    assert len(message.answers) <= 32


def test_parse_survives_bitten_mail() -> None:
    read = 0
    for raw in islice(hostile(8, 1_500), len(DEFECTS), None):
        try:
            read += isinstance(parse(raw, size=len(raw)), Message)
        except Unreadable:
            continue

    assert read > 1_000
