"""One message as it comes in pieces: what is known of it so far, and what is still to be asked."""

import re
from dataclasses import dataclass, field
from datetime import datetime

from daemon.mailbox.assemble import assemble, is_silent, whole_lines
from daemon.mailbox.fetch_command import EARLY, WHOLE
from daemon.mailbox.fetch_response import Items, internal_date, number, thread_id
from daemon.mailbox.structure import BodyPart, Want, plan, read_structure
from daemon.mailbox.structure_cache import Described

_MULTIPART = re.compile(rb"\ncontent-type\s*:\s*multipart/")


@dataclass(frozen=True, slots=True)
class Fetched:
    """One message: its small RFC 5322 form, its true size in bytes, when it arrived (UTC)."""

    uid: int
    internal_date: datetime | None
    size: int
    raw: bytes
    thread: str | None


@dataclass(frozen=True, slots=True)
class Unfetched:
    """A message that didn't come, and why, in the server's words where it had any."""

    uid: int
    reason: str
    cost_the_line: bool = False  # the server didn't refuse it: the connection was lost over it


@dataclass(slots=True)
class PartialMessage:
    """What is known of one message so far, and what is still wanted of it."""

    uid: int
    date: datetime | None = None
    size: int = 0
    thread: str | None = None
    header: bytes = b""
    root: BodyPart | None = None
    bodies: dict[str, bytes] = field(default_factory=dict)
    whole: bytes | None = None
    wants: tuple[Want, ...] = ()
    second: Want | None = None
    text: str | None = None
    seen: bool = False
    understood: bool = False

    def learn(self, items: Items, thread_item: bytes | None, known: Described | None) -> None:
        """Take header fields and structure, and plan which parts to ask for."""
        self.date = internal_date(items.get(b"INTERNALDATE"))
        self.size = number(items.get(b"RFC822.SIZE")) or 0
        self.thread = thread_id(items.get(thread_item)) if thread_item else None
        header = items[b"[HEADER]"]
        self.root = known.root if known else read_structure(items.get(b"BODYSTRUCTURE"))
        if self.root and isinstance(header, bytes) and _agree(header, self.root):
            self.header = header
            self.wants, self.text, self.second = known.plan if known else plan(self.root)
            self.understood = True
            early = items.get(b"[1]")
            # As long as what was asked for, it may be cut; an empty one is asked for again.
            if isinstance(early, bytes) and 0 < len(early) < EARLY:
                self.keep(items, tuple(want for want in self.wants if want.section == "1"))

    def keep(self, items: Items, wants: tuple[Want, ...]) -> None:
        """Take parts; one that is there by the structure but comes empty contradicts it."""
        self.wants = tuple(want for want in self.wants if want not in wants)
        parts = {part.section: part for part in self.root.leaves()} if self.root else {}
        for want in wants:
            body = items[b"[%s]" % want.section.encode()]
            if not isinstance(body, bytes) or not body:
                self.understood = False
                return
            # Longer than was asked for where the server can't send a piece of a part.
            body, part = body[: want.limit], parts[want.section]
            self.bodies[want.section] = whole_lines(body, part.encoding, limit=want.limit)
        if self.second and self.text in self.bodies:
            if is_silent(parts[self.text], self.bodies[self.text]):
                self.wants += (self.second,)
            self.second = None

    def keep_whole(self, items: Items) -> None:
        """Take the beginning of the message as it is."""
        whole = items[b"[]"]
        self.whole = whole[: WHOLE.limit] if isinstance(whole, bytes) else b""
        self.date = internal_date(items.get(b"INTERNALDATE"))
        self.size = number(items.get(b"RFC822.SIZE")) or len(self.whole)
        self.understood, self.wants = True, ()

    def assembled(self) -> bytes:
        """The small message, from all that was taken."""
        if self.whole is not None or self.root is None:
            return self.whole or b""
        return assemble(self.header, self.root, self.bodies)


def _agree(header: bytes, root: BodyPart) -> bool:
    """Whether header fields and structure tell of one message; in broken mails they don't."""
    # Servers see one long field in a header that has bare carriage returns for line ends.
    lower = header.lower()
    says_multipart = b"multipart/" in lower and _MULTIPART.search(b"\n" + lower) is not None
    clean = header.count(b"\r") == header.count(b"\r\n")
    return (
        bool(header.strip())
        and clean
        and says_multipart == (root.type == "multipart")
        and root.is_sound()
    )
