"""What single sentences of programs and of people are taken for, in 34 languages.

`sentences.txt` holds the same few things that every program says, said in each language, beside what
people say with the same words. Each stands alone in a mail without any other trace, so a language
that a table of words leaves out shows here.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.message.data import read
from daemon.message.nature import lift
from daemon.message.parse import parse
from daemon.message.phrases import normal
from daemon.message.us import Us
from daemon.message.verdict import judge

US = Us(domains=frozenset({"us.example"}))
PERSON = "Robin Vale <robin.vale@valeworks.example>"
FIRM = "Valeworks <info@valeworks.example>"
OUTLOOK = "X-Mailer: Microsoft Outlook 16.0"
ANSWERS = "In-Reply-To: <1@us.example>"
# Who writes so, and the fields of the mail's header beside the usual ones
SENDERS = {
    "away": [(PERSON, ANSWERS)],
    "received": [(FIRM, ANSWERS)],
    "challenge": [(PERSON, ANSWERS)],
    "bounce": [("Mail Vale <system@valeworks.example>", ANSWERS)],
    "notice": [
        ("Valeworks <hello@valeworks.example>", ""),
        ("Ada from Valeworks <ada@valeworks.example>", "X-Mailer: PHPMailer 6.9.1"),
    ],
    "offer": [("Valeworks <hello@valeworks.example>", "")],
    "mailing": [(PERSON, OUTLOOK), (PERSON, "")],
    "person": [(PERSON, ANSWERS), (FIRM, OUTLOOK)],
    "decides": [(PERSON, ANSWERS)],
}
ANSWERING = ("away", "received", "challenge", "bounce")


def _sentences() -> dict[str, list[tuple[str, str]]]:
    lines = (Path(__file__).parent / "sentences.txt").read_text(encoding="utf-8").splitlines()
    found: dict[str, list[tuple[str, str]]] = {}
    for line in lines:
        if line.startswith("["):
            some = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            kind, _, said = line.partition(": ")
            some.append((kind, said.replace("\\n", "\n")))
    return found


SENTENCES = _sentences()


def _verdicts(kind: str, said: str) -> Iterator[tuple[str, str]]:
    """How it is judged (contact, evidence), and what would make a contact of it after all."""
    subject, _, text = said.rpartition("|")
    for sender, field in SENDERS[kind]:
        header = [
            f"From: {sender}",
            "To: ada@us.example",
            f"Subject: {subject or 'Re: Offer 5521'}",
        ]
        header += ["Date: Mon, 23 Nov 2026 10:00:00 +0100", "Message-ID: <x@valeworks.example>"]
        header += ["Return-Path: <x@valeworks.example>", "Content-Type: text/plain; charset=utf-8"]
        raw = "\r\n".join([*header, *([field] if field else []), "", text, ""]).encode()
        verdict = judge(parse(raw, size=len(raw)), in_sent=False, us=US).verdict
        yield verdict.kind, lift(verdict.reason)


@pytest.mark.parametrize("language", SENTENCES)
def test_what_a_program_says_is_nobodys(language: str) -> None:
    wrong = [
        said
        for kind, said in SENTENCES[language]
        if kind not in {"person", "decides"}
        for verdict, lifted_by in _verdicts(kind, said)
        if verdict == "contact" or (kind in ANSWERING and lifted_by != "never")
    ]
    assert not wrong


@pytest.mark.parametrize("language", SENTENCES)
def test_what_a_person_says_is_theirs(language: str) -> None:
    wrong = [
        said
        for kind, said in SENTENCES[language]
        if kind in {"person", "decides"}
        for verdict, _ in _verdicts(kind, said)
        if verdict != "contact"
    ]
    assert not wrong


def test_no_phrase_stands_twice_under_a_signal() -> None:
    signal, seen, twice = "", set(), []
    for line in read("phrases.txt"):
        if line.startswith("["):
            signal = line
        else:
            for phrase in line.partition(": ")[2].split(" | "):
                key = (signal, normal(phrase))
                twice += [key] if key in seen else []
                seen.add(key)
    assert not twice
