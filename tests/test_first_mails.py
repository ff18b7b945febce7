"""A command of the administrator's says what first mails are; what fails changes nothing."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from one_mail import mail

from daemon.intake.first_mails import asked
from daemon.intake.scoring import IncomingMessage
from daemon.intake.states import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.message.verdict import Us
from daemon.rules.classify import Rules
from daemon.rules.organization import PublicProviders

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
PITCH = """
import json, sys
question = json.load(sys.stdin)
with open(sys.argv[1], "a") as log:
    log.write(question["from"]["address"] + "\\n")
print("pitch" if "offer" in question["text"] else "person")
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        yield ledger


def reading(*command: str) -> ScoringSettings:
    us = Us(domains=frozenset({"us.example"}))
    return ScoringSettings(
        us=us, rules=Rules(), public=PublicProviders(frozenset()), classify=command
    )


def incoming(*texts: str) -> list[IncomingMessage]:
    return [
        IncomingMessage(
            n, NOW, mail(text, f"Hello {n}", f"A <a{n}@x.example>", Message_ID=f"<{n}@x.example>")
        )
        for n, text in enumerate(texts)
    ]


def test_the_answer_becomes_a_signal_of_the_message(ledger: Ledger, tmp_path: Path) -> None:
    log = tmp_path / "log"
    settings = reading(sys.executable, "-c", PITCH, str(log))
    seen = asked(ledger, settings, incoming("We offer leads.", "What does it cost?"))
    assert ["asked-pitch" in item.message.signals for item in seen] == [True, False]
    assert ["asked-person" in item.message.signals for item in seen] == [False, True]
    assert log.read_text().split() == ["a0@x.example", "a1@x.example"]


def test_what_the_header_decides_is_not_asked(ledger: Ledger, tmp_path: Path) -> None:
    log = tmp_path / "log"
    settings = reading(sys.executable, "-c", PITCH, str(log))
    bounce = mail("We offer", Return_Path="<>", Auto_Submitted="auto-replied")
    noted = asked(ledger, settings, [IncomingMessage(1, NOW, bounce)])
    assert noted[0].message == bounce
    assert not log.exists()


FAILING = {
    "isn't there": ("/nowhere/command",),
    "fails": (sys.executable, "-c", "print('pitch'); raise SystemExit(3)"),
    "says something else": (sys.executable, "-c", "print('maybe')"),
    "says too much": (sys.executable, "-c", "print('pitch' * 100_000)"),
    "says nothing": (sys.executable, "-c", "pass"),
}


@pytest.mark.parametrize("command", FAILING.values(), ids=FAILING.keys())
def test_a_command_that_fails_changes_nothing(
    ledger: Ledger, command: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    seen = incoming(*["We offer leads."] * 5)
    assert asked(ledger, reading(*command), seen) == seen
    assert caplog.text.count("intake.classify_failed") == 3
