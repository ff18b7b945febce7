"""What a command of the administrator's says of a first mail: a person's, a machine's, a pitch.

Asked once of each mail from somebody who isn't in the ledger yet, and only where neither our server
nor the mail's own header has decided. The answer becomes a signal of the message: it is kept with
it, and judged again with it. Bounded in number and time; a command that fails changes nothing.
"""

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from daemon.intake.scoring import IncomingMessage
from daemon.intake.states import ScoringSettings, known_us
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.message.nature import lift
from daemon.message.parse import Message
from daemon.message.verdict import judge

ANSWERS = {"person": "asked-person", "machine": "asked-machine", "pitch": "asked-pitch"}
_SECONDS = 10.0  # for one answer
_BATCH_SECONDS = 30.0  # for all answers of a batch
_MOST = 50  # questions of a batch
_FAILURES = 3  # after which a batch asks no more
_LONGEST = 200  # bytes of an answer that are looked at


def asked(
    ledger: Ledger, settings: ScoringSettings, seen: Sequence[IncomingMessage]
) -> list[IncomingMessage]:
    """The received messages of a batch, with what the command says of those that are first ones."""
    until = time.monotonic() + _BATCH_SECONDS
    failures = 0
    said: dict[str, str] = {}
    for number, message in enumerate(_first_ones(ledger, settings, seen)):
        if failures >= _FAILURES or number >= _MOST or time.monotonic() >= until:
            event("intake.classify_stopped", asked=number, failed=failures)
            break
        answer = _ask(settings.classify, message)
        if answer in ANSWERS:
            said[message.key] = ANSWERS[answer]
        else:
            failures += 1
    return [
        replace(item, message=_with(item.message, said[item.message.key]))
        if item.message.key in said
        else item
        for item in seen
    ]


def _first_ones(
    ledger: Ledger, settings: ScoringSettings, seen: Sequence[IncomingMessage]
) -> Iterator[Message]:
    """Messages that nobody knew, from senders that nobody knew, one of each."""
    us = known_us(ledger, settings.us)
    stored = ledger.messages.stored(item.message.key for item in seen)
    met = set[str]()
    for item in seen:
        if item.message.key in stored:
            continue
        judgement = judge(item.message, in_sent=False, us=us)
        verdict = judgement.verdict
        open_ = verdict.kind == "contact" or lift(verdict.reason) in {"any", "either"}
        for party in judgement.parties if open_ else ():
            if party.key not in met and ledger.senders.get(party.key) is None:
                yield item.message
            met.add(party.key)


def _ask(command: Sequence[str], message: Message) -> str:
    """The command's answer, "" if it has none."""
    try:
        done = subprocess.run(  # noqa: S603 - the command is the administrator's own choice
            command,
            input=_question(message),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        event("intake.classify_failed", key=message.key, error=type(error).__name__)
        return ""
    answer = done.stdout[:_LONGEST].decode(errors="replace").strip().lower()
    if done.returncode or answer not in ANSWERS:
        event("intake.classify_failed", key=message.key, status=done.returncode)
        return ""
    return answer


def _question(message: Message) -> bytes:
    sender = message.from_
    question = {
        "from": {"name": sender.name, "address": sender.address} if sender else None,
        "subject": message.subject,
        "text": message.snippet,
        "signals": [one for one in message.signals if ":" not in one],
    }
    return json.dumps(question, ensure_ascii=False).encode("utf-8", "replace")


def _with(message: Message, signal: str) -> Message:
    return message._replace(signals=tuple(sorted({*message.signals, signal})))
