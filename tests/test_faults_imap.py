"""Whatever an IMAP server does wrong: once it is well, the ledger is as if it always was."""

import re
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crash.rig import ledger as content
from postbox import START, WE
from scripted_imap import HANGUP, ScriptedImap, asked, facts, part, whole
from world import READING, Clock

from daemon.errors import Problem
from daemon.intake import parsing
from daemon.intake.poll import Pass
from daemon.intake.poll import poll as take_in
from daemon.ledger.store import Ledger
from daemon.mailbox.fetch import BATCH
from daemon.mailbox.imap import FolderStatus, Mailbox

Fault = Callable[["Server", str, bytes, bytes], bytes]


class Server(ScriptedImap):
    """Two folders with a small conversation; `fault` may change any answer, `cut` ends the line."""

    def __init__(self) -> None:
        super().__init__()
        self.folders = {
            "INBOX": {
                1: _header("ada@acme.example", WE, 1),
                2: _header("bob@beta.example", WE, 2, answers=11),
                5: _header("cyd@gamma.example", WE, 3),
                9: _header("ada@acme.example", WE, 4),
            },
            "Sent": {
                3: _header(WE, "bob@beta.example", 11),
                4: _header(WE, "ada@acme.example", 12),
            },
        }
        self.uidvalidity = 7
        self.modseq = 500
        self.early = False  # whether the first text always comes with the facts
        self.selected = "INBOX"
        self.fault: Fault = lambda _server, _verb, _command, said: said
        self.cut: int | None = None
        self.spoken = 0
        verbs = ("LIST", "STATUS", "EXAMINE", "SEARCH", "FETCH")
        for verb in (*verbs, "LOGIN", "CAPABILITY", "NOOP", "CLOSE"):
            self.answers[verb] = self._answered(verb, self.answers.get(verb, b""))

    def _answered(self, verb: str, usual: Any) -> Callable[[bytes], bytes]:
        def answer(command: bytes) -> bytes:
            own = getattr(self, f"on_{verb.lower()}", None)
            said = own(command) if own is not None else usual
            return self.fault(self, verb, command, said)

        return answer

    def on_list(self, _command: bytes) -> bytes:
        return (
            b"".join(
                b'* LIST (\\HasNoChildren%s) "/" %s\r\n'
                % (b" \\Sent" if name == "Sent" else b"", name.encode())
                for name in self.folders
            )
            + b"TAG OK listed\r\n"
        )

    def on_status(self, command: bytes) -> bytes:
        name = "Sent" if b"Sent" in command else "INBOX"
        mails = self.folders.get(name)
        if mails is None:
            return b"TAG NO no such folder\r\n"
        return b"* STATUS %s (MESSAGES %d UIDNEXT %d UIDVALIDITY %d)\r\nTAG OK\r\n" % (
            name.encode(), len(mails), max(mails) + 1, self.uidvalidity,
        )  # fmt: skip

    def on_examine(self, command: bytes) -> bytes:
        self.selected = "Sent" if b"Sent" in command else "INBOX"
        mails = self.folders.get(self.selected)
        if mails is None:
            return b"TAG NO no such folder\r\n"
        return (
            b"* %d EXISTS\r\n* OK [UIDVALIDITY %d] ok\r\n* OK [UIDNEXT %d] ok\r\n"
            b"* OK [HIGHESTMODSEQ %d] ok\r\nTAG OK [READ-ONLY] examined\r\n"
            % (len(mails), self.uidvalidity, max(mails) + 1, self.modseq)
        )

    def on_search(self, command: bytes) -> bytes:
        found = re.search(rb"UID (\d+):\*", command)
        first = int(found[1]) if found else 1
        uids = [u for u in sorted(self.folders[self.selected]) if u >= first]
        return b"* SEARCH" + b"".join(b" %d" % u for u in uids) + b"\r\nTAG OK searched\r\n"

    def on_fetch(self, command: bytes) -> bytes:
        if command.endswith(b"(UID)"):  # of all, by their numbers in sequence
            uids = sorted(self.folders[self.selected])
            first, _, last = command.split(b" ")[1].partition(b":")
            numbers = range(int(first), int(last or first) + 1)
            said = [b"* %d FETCH (UID %d)\r\n" % (one, uids[one - 1]) for one in numbers]
            return b"".join(said) + b"TAG OK fetched\r\n"
        kind, wanted = asked(command)
        mails = self.folders[self.selected]
        sent = b""
        for uid in wanted:
            if uid in mails and kind == "facts":
                early = b"hi\r\n" if self.early or uid % 2 else None
                sent += facts(uid, header=mails[uid], early=early, size=len(mails[uid]) + 4)
            elif uid in mails:
                sent += part(uid) if kind == "parts" else whole(uid, mails[uid] + b"hi\r\n")
        return sent + b"TAG OK fetched\r\n"

    def _say(self, line: socket.socket, said: bytes) -> bool:
        if self.cut is not None and self.spoken + len(said) > self.cut:
            said = said[: max(0, self.cut - self.spoken)] + HANGUP
            self.cut = None
        self.spoken += len(said)
        return super()._say(line, said)


def _header(sender: str, to: str, number: int, *, answers: int | None = None) -> bytes:
    lines = [
        f"From: {sender}",
        f"To: {to}",
        f"Subject: Hello {number}",
        f"Message-ID: <{number}@mail.example>",
        "Date: Mon, 02 Mar 2026 09:00:00 +0000",
    ]
    if answers is not None:
        lines.append(f"In-Reply-To: <{answers}@mail.example>")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def poll(
    server: Server, ledger: Ledger, clock: Clock, apart: int | None = None, **how: Any
) -> bool:
    """One pass; whether all went well. `apart`: from how many mails on by thread and process."""
    run = Pass(replace(READING, **how), "sales", None, clock, worth_a_process=apart)
    try:
        with server.mailbox(inbox=("INBOX",), sent=None) as mailbox:
            return not take_in(mailbox, ledger, run).problems
    except Problem:
        return False


def outcome(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = content(path)
    return {
        name: found[name]
        for name in ("messages", "answers", "senders", "correspondence", "quarantine")
    }


def lived(server: Server, path: Path, apart: int | None = None) -> dict[str, Any]:
    """The ledger after a pass with the fault, then passes until the server is well for a day."""
    clock = Clock(START + timedelta(days=30))
    with Ledger.open(path) as ledger:
        poll(server, ledger, clock, apart)
        for _ in range(3):
            clock.sleep(25 * 3600)
            well = poll(server, ledger, clock)
    assert well
    return outcome(path)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    with Server() as server:
        path = tmp_path_factory.mktemp("undisturbed") / "ledger.db"
        clock = Clock(START + timedelta(days=30))
        with Ledger.open(path) as ledger:
            assert poll(server, ledger, clock)
        spoken = server.spoken
        found = outcome(path)
    assert len(found["messages"]) == 6
    assert len(found["senders"]) == 3
    return found, spoken


def test_a_line_that_is_cut_after_any_byte_loses_nothing(
    undisturbed: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    for cut in range(0, undisturbed[1], 41):
        with Server() as server:
            server.cut = cut
            assert lived(server, tmp_path / f"{cut}.db") == undisturbed[0], cut


@pytest.mark.parametrize("every", [499, pytest.param(199, marks=pytest.mark.long)])
def test_a_line_that_is_cut_while_it_is_read_ahead_loses_nothing(
    undisturbed: tuple[dict[str, Any], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    every: int,
) -> None:
    monkeypatch.setattr(parsing, "_cores", lambda: 2)
    for cut in range(0, undisturbed[1], every):
        with Server() as server:
            server.cut = cut
            assert lived(server, tmp_path / f"{cut}.db", apart=1) == undisturbed[0], cut


@pytest.mark.parametrize("apart", [None, 1], ids=["parsed here", "read ahead"])
def test_what_came_before_the_line_was_cut_is_kept(
    apart: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "_cores", lambda: 2)

    def cut_in_the_second(_server: Server, verb: str, command: bytes, said: bytes) -> bytes:
        second = verb == "FETCH" and max(asked(command)[1]) <= BATCH
        return said[: len(said) // 2] + HANGUP if second else said

    with Server() as server, Ledger.open(tmp_path / "ledger.db") as ledger:
        mails = (_header("ada@acme.example", WE, number) for number in range(2 * BATCH))
        server.folders["INBOX"] = dict(enumerate(mails, 1))
        server.early = True
        server.fault = cut_in_the_second
        clock = Clock(START + timedelta(days=30))
        assert not poll(server, ledger, clock, apart, batch=10 * BATCH)

        (counted,) = ledger.rows("SELECT count(*) AS n FROM sightings")
        assert counted["n"] == BATCH


@pytest.mark.parametrize("apart", [None, 1], ids=["parsed here", "read ahead"])
def test_a_folder_is_opened_while_the_one_before_it_is_still_to_be_written(
    apart: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "_cores", lambda: 2)
    written_when_opened: list[int] = []

    with Server() as server, Ledger.open(tmp_path / "ledger.db") as ledger:
        examine = Mailbox.examine

        def opened(mailbox: Mailbox, name: str) -> FolderStatus:
            (counted,) = ledger.rows("SELECT count(*) AS n FROM sightings")
            written_when_opened.append(counted["n"])
            return examine(mailbox, name)

        monkeypatch.setattr(Mailbox, "examine", opened)
        assert poll(server, ledger, Clock(START + timedelta(days=30)), apart, batch=1000)

        assert written_when_opened == [0, 4 if apart is None else 0]
        folders = ledger.rows("SELECT scanned_at FROM folders")
        assert all(folder["scanned_at"] for folder in folders)
        (counted,) = ledger.rows("SELECT count(*) AS n FROM sightings")
        assert counted["n"] == 6


def once(verb: str, said: bytes, *, skip: int = 0) -> Fault:
    """This answer instead of the right one, once."""
    left = [skip]

    def fault(_server: Server, asked_verb: str, _command: bytes, right: bytes) -> bytes:
        if asked_verb != verb or left[0] < 0:
            return right
        left[0] -= 1
        return said if left[0] < 0 else right

    return fault


ANSWERS = {
    "NO": b"TAG NO not now\r\n",
    "BAD": b"TAG BAD what\r\n",
    "BYE": b"* BYE going down\r\n" + HANGUP,
    "UNAVAILABLE": b"TAG NO [UNAVAILABLE] later\r\n",
    "THROTTLED": b"TAG NO [THROTTLED] later\r\n",
    "back off": b"TAG BAD User is throttled. Suggested Backoff Time: 1000 milliseconds\r\n",
    "nothing": HANGUP,
    "nonsense": b"\x00\xff* {99999999999}\r\n" + HANGUP,
    "a literal longer than what comes": b"* 1 FETCH (UID 1 BODY[] {900}\r\nabc)\r\n" + HANGUP,
    "a literal of a gigabyte": b"* 1 FETCH (UID 1 BODY[] {1073741824}\r\nabc" + HANGUP,
    "an empty OK": b"TAG OK\r\n",
}


@pytest.mark.parametrize(
    "verb", ["CAPABILITY", "LOGIN", "LIST", "STATUS", "EXAMINE", "SEARCH", "FETCH"]
)
@pytest.mark.parametrize("said", ANSWERS)
def test_any_bad_answer_to_any_command_loses_nothing(
    verb: str, said: str, undisturbed: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    for skip in (0, 1):
        with Server() as server:
            server.fault = once(verb, ANSWERS[said], skip=skip)
            assert lived(server, tmp_path / f"{skip}.db") == undisturbed[0]


def test_a_uidvalidity_that_changes_between_two_answers_loses_and_doubles_nothing(
    undisturbed: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    def fault(server: Server, verb: str, _command: bytes, said: bytes) -> bytes:
        if verb == "FETCH" and server.uidvalidity == 7:
            server.uidvalidity = 8
            server.folders["INBOX"] = dict(enumerate(server.folders["INBOX"].values(), 20))
            return b"TAG OK fetched\r\n"  # none of the UIDs is there any more
        return said

    with Server() as server:
        server.fault = fault
        assert lived(server, tmp_path / "ledger.db") == undisturbed[0]


def test_a_message_that_is_expunged_while_it_is_fetched_is_let_go(tmp_path: Path) -> None:
    def fault(server: Server, verb: str, _command: bytes, said: bytes) -> bytes:
        if verb == "FETCH":
            server.folders["INBOX"].pop(5, None)
            return server.on_fetch(_command)
        return said

    with Server() as server:
        server.fault = fault
        found = lived(server, tmp_path / "ledger.db")
    assert found["quarantine"] == []
    assert len(found["messages"]) == 5


def test_a_message_that_fetch_leaves_out_for_a_while_comes_later(
    undisturbed: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    left = [2]  # a command in each pass

    def fault(server: Server, verb: str, command: bytes, said: bytes) -> bytes:
        if verb == "FETCH" and server.selected == "INBOX" and left[0] > 0:
            left[0] -= 1
            hidden = server.folders["INBOX"].pop(2)
            said = server.on_fetch(command)
            server.folders["INBOX"][2] = hidden
        return said

    with Server() as server:
        server.fault = fault
        assert lived(server, tmp_path / "ledger.db") == undisturbed[0]


def test_a_highestmodseq_that_goes_down_changes_nothing(
    undisturbed: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    def fault(server: Server, verb: str, _command: bytes, said: bytes) -> bytes:
        if verb == "EXAMINE":
            server.modseq = max(1, server.modseq - 100)
        return said

    with Server() as server:
        server.fault = fault
        assert lived(server, tmp_path / "ledger.db") == undisturbed[0]


@pytest.mark.parametrize("verb", ["LIST", "EXAMINE"])
def test_a_folder_that_is_renamed_away_and_back_loses_nothing(
    verb: str, undisturbed: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    away: dict[str, Any] = {}

    def fault(server: Server, asked_verb: str, command: bytes, said: bytes) -> bytes:
        if asked_verb == verb and "Sent" not in away:
            away["Sent"] = server.folders.pop("Sent")
            return getattr(server, f"on_{verb.lower()}")(command)  # type: ignore[no-any-return]
        if asked_verb == "LOGIN" and "Sent" in away:
            server.folders.setdefault("Sent", away["Sent"])
        return said

    with Server() as server:
        server.fault = fault
        assert lived(server, tmp_path / "ledger.db") == undisturbed[0]
