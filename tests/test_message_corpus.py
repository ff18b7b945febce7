"""Each mail of tests/messages is read and judged as its JSON says; the defect is in its name.

The JSON names what matters for this one mail, not every field.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import Unreadable
from daemon.message.parse import Address, Message, parse
from daemon.message.verdict import Us, judge

CORPUS = Path(__file__).parent / "messages"
US = Us(domains=frozenset({"us.example"}), authserv_ids=frozenset({"mx.us.example"}))
MAILS = sorted(CORPUS.glob("*.eml"))


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_a_mail_is_read_and_judged_as_its_json_says(path: Path) -> None:
    raw = path.read_bytes()
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    if "unreadable" in expected:
        with pytest.raises(Unreadable, match=expected["unreadable"]):
            parse(raw, size=len(raw))
        return
    message = parse(raw, size=len(raw))
    assert facts(message, expected) == expected


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_a_mail_with_other_line_ends_is_the_same_message(path: Path) -> None:
    raw = path.read_bytes()
    if b"\r\n" not in raw or raw.startswith(b"\r\n"):
        pytest.skip("has no such line ends")
    assert parse(raw.replace(b"\r\n", b"\n"), size=1) == parse(raw, size=1)


def test_the_corpus_is_complete() -> None:
    assert len(MAILS) > 100
    assert {path.stem for path in CORPUS.glob("*.json")} == {path.stem for path in MAILS}


def facts(message: Message, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What a message says, as JSON has it, of the keys that are wanted."""
    judgement = judge(message, in_sent=bool(wanted.get("in_sent")), us=US)
    found = {name: plain(value) for name, value in message._asdict().items()}
    found["from_"] = pair(message.from_)
    found["candidates"] = [[one.way, *(pair(one.address) or ())] for one in message.candidates]
    found["to"] = [pair(address) for address in message.to]
    found["invites"] = [plain(invite._asdict()) for invite in message.invites]
    found["verdict"] = list(judgement.verdict)
    found["in_sent"] = wanted.get("in_sent")
    found["key_of_from"] = message.from_ and message.from_.key
    found["party"] = judgement.parties[0].key if judgement.parties else None
    found["snippet_begins"] = message.snippet[: len(wanted.get("snippet_begins", ""))]
    return {name: found[name] for name in wanted}


def pair(address: Address | None) -> list[str] | None:
    return [address.name, address.address] if address else None


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value
