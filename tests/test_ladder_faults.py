"""Each advertised extension failing in each way a server can fail: the mail is read all the same.

The server offers everything and does it well, but for one extension. One pass reads all its mail,
and what failed is given up for the account.
"""

from pathlib import Path

import pytest
from scripted_imap import HANGUP, Answer
from test_isolation import LIST, NOW, READING, Server, quarantined, seen

from daemon.intake.poll import Pass, poll
from daemon.ledger.store import Ledger
from daemon.mailbox.imap import Mailbox
from daemon.mailbox.ladder import INSTEAD

OFFERED = (
    "IMAP4rev1 AUTH=PLAIN SASL-IR ID SPECIAL-USE LIST-EXTENDED LIST-STATUS ESEARCH"
    " CONDSTORE NAMESPACE COMPRESS=DEFLATE NOTIFY IDLE"
)
WAYS: dict[str, bytes] = {
    "NO": b"TAG NO can't do that\r\n",
    "BAD": b"TAG BAD unknown command\r\n",
    "silence": b"",
    "a closed line": HANGUP,
    "BYE": b"* BYE internal error\r\n" + HANGUP,
    "garbage": b"\x00\xff%%% what?\r\n",
    "nothing but OK": b"TAG OK done\r\n",
}


EVERYTHING = {("INBOX", uid) for uid in range(1, 8)} | {("Sent", 1), ("Sent", 2)}
NEED_NO_ANSWER = {"AUTH=PLAIN", "ID", "NOTIFY", "NAMESPACE"}
WITH = {  # a server that can't search can't do it in any form
    "SEARCH": ["ESEARCH", "SEARCH"],
    "LIST-STATUS": ["CONDSTORE", "LIST-STATUS"],
}


class Able(Server):
    """Offers all that we use; `failing` names the one extension that it fails at, by `way`."""

    def __init__(self, failing: str, way: bytes, count: int) -> None:
        super().__init__(lambda *_: None, count=count, capabilities=OFFERED)
        self.failing, self.way = failing, way
        self.flags = b"\\Sent" if failing != "NAMESPACE" else b"\\HasNoChildren"
        self.answers |= {
            "AUTHENTICATE": self.ext("AUTH=PLAIN", b"TAG OK logged in\r\n"),
            "ID": self.ext("ID", b"* ID NIL\r\nTAG OK done\r\n"),
            "LIST": self.list,
            "SEARCH": self.find,
            "FETCH": self.give,
            "NAMESPACE": self.ext("NAMESPACE", b'* NAMESPACE (("" "/")) NIL NIL\r\nTAG OK\r\n'),
            "COMPRESS": self.ext("COMPRESS=DEFLATE", b"TAG NO not here\r\n"),
            "NOTIFY": self.ext("NOTIFY", b"TAG OK done\r\n"),
        }

    def ext(self, name: str, good: bytes) -> Answer:
        return self.way if name == self.failing else good

    def list(self, command: bytes) -> bytes:
        there, names = LIST, ["INBOX", "Sent"]
        if self.failing == "NAMESPACE":
            names.append("Other/bob/Sent")
            there = b'* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" "Other/bob/Sent"\r\n' + there
        if b"STATUS" in command:
            if self.failing == "LIST-STATUS" or (
                self.failing == "CONDSTORE" and b"MODSEQ" in command
            ):
                return self.way
            return there.replace(b"TAG", b"".join(map(self.said, names)) + b"TAG")
        if b"RETURN" in command and self.failing == "LIST-EXTENDED":
            return self.way
        return there

    def said(self, name: str) -> bytes:
        count = self.count if name == "INBOX" else 2
        said = b"* STATUS %s (MESSAGES %d UIDNEXT %d UIDVALIDITY 7)\r\n"
        return said % (name.encode(), count, count + 1)

    def find(self, command: bytes) -> bytes:
        if b"RETURN" in command:
            if self.failing in {"ESEARCH", "SEARCH"}:
                return self.way
            return b'* ESEARCH (TAG "TAG") UID ALL 1:%d\r\nTAG OK\r\n' % self.there()
        return self.way if self.failing == "SEARCH" else self.search(command)

    def give(self, command: bytes) -> bytes:
        if self.failing == "PARTIAL" and b"<0." in command:
            return self.way
        if command.startswith(b"UID"):
            return self.fetch(command)
        first, _, last = command.split(b" ")[1].partition(b":")
        return (
            b"".join(
                b'* %d FETCH (UID %d INTERNALDATE "02-Mar-2026 09:00:00 +0000")\r\n' % (n, n)
                for n in range(int(first), int(last or first) + 1)
            )
            + b"TAG OK\r\n"
        )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [one for one in INSTEAD if one not in {"PIPELINING", "IDLE"}])
def test_an_extension_that_fails_is_done_without(name: str, way: str, tmp_path: Path) -> None:
    with Able(name, WAYS[way], 7) as server, Ledger.open(tmp_path / "ledger.db") as ledger:
        account = server.account(read_timeout=0.2, compress=name == "COMPRESS=DEFLATE")
        with Mailbox.connect(account, bulk=True) as mailbox:
            tally = poll(mailbox, ledger, Pass(READING, "sales", None, lambda: NOW))
            mailbox.examine("INBOX")
            told = name != "NOTIFY" or mailbox.notify(["Sent"])
        assert (tally.problems, quarantined(ledger)) == ([], {})
        others = {one for one in seen(ledger) if one[0].startswith("Other/")}
        assert seen(ledger) - others == EVERYTHING
        assert bool(others) == (name == "NAMESPACE")
    if way == "nothing but OK" and name in NEED_NO_ANSWER:
        assert told
        assert account.ladder.broken() == {}
    else:
        assert list(account.ladder.broken()) == WITH.get(name, [name])
