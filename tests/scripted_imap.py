"""A scripted IMAP server: says byte for byte what a test wants, for faults no real server makes.

`answers` maps a verb ("FETCH" also for "UID FETCH") to bytes, or to a function of the command line
that returns bytes. `TAG` in them becomes the command's tag. What isn't scripted is answered like a
small well-behaved server. An answer that ends with `HANGUP` closes the connection after it, one that
ends with `DRIP` goes on byte by byte until the client leaves.
"""

import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from loopback import Loopback

from daemon.mailbox.imap import Account, Mailbox

HANGUP = b"<hangup>"
DRIP = b"<drip>"
Answer = bytes | Callable[[bytes], bytes]

_USUAL: dict[str, Answer] = {
    "LOGIN": b"TAG OK logged in\r\n",
    "LIST": b'* LIST (\\HasNoChildren) "/" INBOX\r\nTAG OK listed\r\n',
    "EXAMINE": b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 4] ok\r\nTAG OK [READ-ONLY] examined\r\n",
    "UNSELECT": b"TAG OK unselected\r\n",
    "CLOSE": b"TAG OK closed\r\n",
    "NOOP": b"TAG OK nothing\r\n",
    "LOGOUT": b"* BYE then\r\nTAG OK bye\r\n<hangup>",
}


class ScriptedImap(Loopback):
    """Use as a context manager; `commands` holds every command line that came, without its tag."""

    def __init__(
        self,
        answers: Mapping[str, Answer] | None = None,
        *,
        greeting: bytes = b"* OK ready\r\n",
        capabilities: str = "IMAP4rev1",
        segment: int | None = None,
        pace: float = 0.0,
    ) -> None:
        """`segment`: bytes that are sent at once; `pace`: seconds after each of these."""
        super().__init__()
        self.answers: dict[str, Answer] = {
            "CAPABILITY": f"* CAPABILITY {capabilities}\r\nTAG OK done\r\n".encode(),
            **_USUAL,
            **(answers or {}),
        }
        self.greeting = greeting
        self.segment = segment
        self.pace = pace
        self.commands: list[bytes] = []

    def account(self, **changes: Any) -> Account:
        usual: dict[str, Any] = {
            "name": "sales",
            "host": "127.0.0.1",
            "port": self.port,
            "tls": "none",
            "username": "ada",
            "password": lambda: "pw",
            "connect_timeout": 5,
            "read_timeout": 5,
        }
        return Account(**(usual | changes))

    def mailbox(self, **changes: Any) -> Mailbox:
        return Mailbox.connect(self.account(**changes))

    def opened(self) -> Mailbox:
        mailbox = self.mailbox()
        mailbox.examine("INBOX")
        return mailbox

    def serve(self, line: socket.socket) -> None:
        with line.makefile("rb") as commands:
            if self._say(line, self.greeting):
                return
            for command in commands:
                tag, _, rest = command.rstrip(b"\r\n").partition(b" ")
                self.commands.append(rest)
                verb = rest.removeprefix(b"UID ").split(b" ")[0].decode("ascii", "replace").upper()
                answer = self.answers.get(verb, b"TAG BAD unknown\r\n")
                said = answer(rest) if callable(answer) else answer
                if self._say(line, said.replace(b"TAG", tag)):
                    return

    def _say(self, line: socket.socket, said: bytes) -> bool:
        hangup, drips = said.endswith(HANGUP), said.endswith(DRIP)
        said = said.removesuffix(HANGUP).removesuffix(DRIP)
        step = self.segment or max(1, len(said))
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(said), step):
            line.sendall(said[start : start + step])
            if self.pace:
                time.sleep(self.pace)
        while drips and not self.over:
            line.sendall(b"x")  # raises when the client has left
            time.sleep(0.02)
        return hangup


HEADER = b"From: a@x.org\r\nSubject: hello\r\nMessage-ID: <1@x.org>\r\n\r\n"
TEXT = b'("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" %d 1 NIL NIL NIL NIL)'


def facts(
    uid: int,
    *,
    header: bytes = HEADER,
    structure: bytes = TEXT % 4,
    early: bytes | None = None,
    size: int = 300,
) -> bytes:
    """A FETCH response as an answer to our first question; `early` is the piece of part 1."""
    piece = b"" if early is None else b" BODY[1]<0> {%d}\r\n%s" % (len(early), early)
    return (
        b'* %d FETCH (UID %d INTERNALDATE "02-Mar-2026 09:00:00 +0000" RFC822.SIZE %d '
        b"BODY[HEADER.FIELDS (FROM SUBJECT)] {%d}\r\n%s%s BODYSTRUCTURE %s)\r\n"
        % (uid, uid, size, len(header), header, piece, structure)
    )


def part(uid: int, body: bytes = b"hi\r\n", section: bytes = b"1") -> bytes:
    """A FETCH response as an answer to our second question."""
    return b"* %d FETCH (UID %d BODY[%s]<0> {%d}\r\n%s)\r\n" % (uid, uid, section, len(body), body)


def whole(uid: int, raw: bytes) -> bytes:
    """A FETCH response as an answer to our last question."""
    return (
        b'* %d FETCH (UID %d INTERNALDATE "02-Mar-2026 09:00:00 +0000" RFC822.SIZE %d BODY[]<0> {%d}\r\n%s)\r\n'
        % (uid, uid, len(raw), len(raw), raw)
    )


def asked(command: bytes) -> tuple[str, list[int]]:
    """Which of our three questions a FETCH command is, and its UIDs."""
    from daemon.mailbox.cursor import expand

    kind = (
        "facts"
        if b"BODYSTRUCTURE" in command
        else "whole"
        if b"BODY.PEEK[]" in command
        else "parts"
    )
    return kind, expand(command.split(b" ")[2].decode(), limit=10_000)


def serve(
    uids: list[int],
    *,
    facts_of: Callable[[int], bytes] = facts,
    part_of: Callable[[int], bytes] = part,
    whole_of: Callable[[int], bytes] = lambda uid: whole(uid, HEADER + b"whole\r\n"),
) -> Callable[[bytes], bytes]:
    """A FETCH answer for a folder with these UIDs."""
    kinds = {"facts": facts_of, "parts": part_of, "whole": whole_of}

    def answer(command: bytes) -> bytes:
        kind, wanted = asked(command)
        return b"".join(kinds[kind](uid) for uid in wanted if uid in uids) + b"TAG OK fetched\r\n"

    return answer
