"""From UIDs to small messages: headers and structure first, then only the parts that matter.

Promises: every UID asked for comes back exactly once, as `Fetched` or as `Unfetched` with the
reason; a message counts as fetched only if all that was asked for it is there; one message that a
server can't serve costs its batch a few questions more, never the batch. Flags aren't touched:
only BODY.PEEK is used. Memory is bounded by the commands under way.

Commands are pipelined: the next ones are on the wire while this one's answers are read, so a line
with a long delay is kept full. Messages of which the same parts are wanted become one command; its
text stays below 4,000 bytes (Microsoft 365 ends at 4,096) and names UIDs one by one, never `n:*`,
which servers misread.
"""

import contextlib
import re
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from daemon.errors import RetryLater
from daemon.mailbox import imap_errors
from daemon.mailbox.assemble import assemble, is_silent, whole_lines
from daemon.mailbox.connection import Connection, Response
from daemon.mailbox.cursor import Batches, uid_set
from daemon.mailbox.fetch_response import Items, internal_date, number, read_fetch, thread_id
from daemon.mailbox.structure import BodyPart, Want, plan, read_structure
from daemon.mailbox.structure_cache import Described, take_structure
from daemon.message.fields import WANTED

BATCH = 200  # messages of one command: 2,200 characters at most, 500 kB of headers
PARTS_BYTES = 8 << 20  # what the parts of one command may add up to
UNDER_WAY = 6  # commands of BATCH messages on the wire at once …
MOST_COMMANDS = 32  # … or so many smaller ones
OPEN = 8  # times BATCH messages are begun and not done, at most
# Of so few messages, so many bytes of part 1 come unseen: that is all the text of most, and a round
# trip less. Of many they would be bytes for nothing, since the line is kept full anyway.
EARLY_FOR, EARLY = 50, 4 << 10
MOST_FAILURES = 3  # messages in a row that the server has no time for: it has no time at all

_WHOLE = Want("", 64 << 10)  # of a message whose structure can't be relied on
_HEADER = b"BODY.PEEK[HEADER.FIELDS (" + " ".join(WANTED).encode() + b")]"
_EARLY = b"BODY.PEEK[1]<0.%d>" % EARLY
_MULTIPART = re.compile(rb"^content-type\s*:\s*multipart/", re.MULTILINE)


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


@dataclass(slots=True)
class _Message:
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
        self.date = internal_date(items[b"INTERNALDATE"])
        self.size = number(items[b"RFC822.SIZE"]) or 0
        self.thread = thread_id(items.get(thread_item)) if thread_item else None
        header = items[b"[HEADER]"]
        self.root = known.root if known else read_structure(items.get(b"BODYSTRUCTURE"))
        if self.root and isinstance(header, bytes) and _agree(header, self.root):
            self.header = header
            self.wants, self.text, self.second = known.plan if known else plan(self.root)
            self.understood = True
            early = items.get(b"[1]")
            # One that is as long as was asked for may go on, and one that is empty is asked for.
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
            part = parts[want.section]
            self.bodies[want.section] = whole_lines(body, part.encoding, limit=want.limit)
        if self.second and self.text in self.bodies:
            if is_silent(parts[self.text], self.bodies[self.text]):
                self.wants += (self.second,)
            self.second = None

    def keep_whole(self, items: Items) -> None:
        """Take the beginning of the message as it is."""
        whole = items[b"[]"]
        self.whole = whole if isinstance(whole, bytes) else b""
        self.date = internal_date(items[b"INTERNALDATE"])
        self.size = number(items[b"RFC822.SIZE"]) or len(self.whole)
        self.understood, self.wants = True, ()

    def assembled(self) -> bytes:
        """The small message, from all that was taken."""
        if self.whole is not None or self.root is None:
            return self.whole or b""
        return assemble(self.header, self.root, self.bodies)


@dataclass(frozen=True, slots=True)
class _Ask:
    """One command: these items of these messages."""

    kind: Literal["facts", "parts", "whole"]
    uids: tuple[int, ...]
    wants: tuple[Want, ...] = ()
    early: bool = False

    def line(self, thread_item: bytes | None) -> bytes:
        """The command."""
        if self.kind == "parts":
            asked = [b"BODY.PEEK[%s]<0.%d>" % (s.encode(), limit) for s, limit in self.wants]
        else:
            asked = [b"INTERNALDATE", b"RFC822.SIZE"]
            if self.kind == "whole":
                asked.append(b"BODY.PEEK[]<0.%d>" % _WHOLE.limit)
            else:
                asked += [thread_item] if thread_item else []
                # BODYSTRUCTURE last: where it can't be read, the rest has been.
                asked += [_HEADER, *([_EARLY] if self.early else []), b"BODYSTRUCTURE"]
        return b"UID FETCH %s (UID %s)" % (uid_set(self.uids).encode(), b" ".join(asked))

    def complete(self, items: Items) -> bool:
        """Whether everything asked for is there; OK alone doesn't say so."""
        if self.kind == "parts":
            return all(b"[%s]" % one.section.encode() in items for one in self.wants)
        facts = b"INTERNALDATE" in items and b"RFC822.SIZE" in items
        return facts and (b"[HEADER]" if self.kind == "facts" else b"[]") in items


class Fetch(Iterator[Fetched | Unfetched]):
    """One run over UIDs on a connection; the connection is its own until it has ended."""

    def __init__(
        self,
        wire: Connection,
        uids: Batches,
        *,
        thread_item: bytes | None,
        one_at_a_time: bool = False,
    ) -> None:
        """`thread_item` is the item that holds the server's thread id, if it has one."""
        # When the line was lost: the messages of the first command that had no answer.
        self.suspects: tuple[int, ...] = ()
        self._wire = wire
        self._thread_item = thread_item
        self._facts = uids
        self._early = uids.count <= EARLY_FOR
        self._most = max(1, UNDER_WAY // uids.lines) * BATCH
        self._waiting: deque[_Ask] = deque()  # what has to be asked once more, differently
        self._groups: dict[tuple[Want, ...], list[int]] = {}  # UIDs by what is wanted of them
        self._open: dict[int, _Message] = {}
        self._sent: deque[tuple[bytes, _Ask]] = deque()
        self._items: dict[int, Items] = {}
        self._known: dict[int, Described] = {}
        # One question at a time: on demand, or after a refusal until one is answered.
        self._one_at_a_time = self._refusing = one_at_a_time
        self._failures = 0
        self._run = self._messages()
        self._ended = False
        self._interrupted = False

    def __next__(self) -> Fetched | Unfetched:
        """The next message that is whole; raises what the connection raises."""
        if self._interrupted:
            raise RuntimeError("another command came before this fetch was read to its end")
        return next(self._run)

    def interrupt(self) -> None:
        """Make the connection free for another command; a run that isn't at its end can't go on."""
        self._interrupted |= not self._ended
        self._run.close()

    def _messages(self) -> Generator[Fetched | Unfetched, None, None]:
        try:
            self._fill()
            while self._sent:
                tag, ask = self._sent[0]
                ok, text = self._wire.finish(tag, self._take)
                self._sent.popleft()
                yield from self._settle(ask, ok=ok, text=text)
                self._fill()
        except RetryLater:
            if self._sent and self._wire.closed:
                ask = self._sent[0][1]
                came = [uid for uid in ask.uids if ask.complete(self._items.get(uid, {}))]
                self.suspects = tuple(uid for uid in ask.uids if uid not in came) or ask.uids
            raise
        finally:
            self._ended = True
            self._drain()

    def _fill(self) -> None:
        """Keep the line busy."""
        under_way = sum(len(ask.uids) for _, ask in self._sent)
        while (
            len(self._sent) < (1 if self._refusing else MOST_COMMANDS)
            and under_way < self._most
            and (ask := self._next_ask())
        ):
            self._sent.append((self._wire.send(ask.line(self._thread_item)), ask))
            under_way += len(ask.uids)

    def _next_ask(self) -> _Ask | None:
        """Parts of a full group before new messages, and these before the rest of the groups."""
        if self._waiting:
            return self._waiting.popleft()
        largest = max(self._groups, key=lambda wants: len(self._groups[wants]), default=None)
        is_full = largest is not None and len(self._groups[largest]) >= _most(largest)
        if not is_full and len(self._open) <= self._most + (OPEN - UNDER_WAY - 1) * BATCH:
            uids = next(self._facts, ())
            if uids:
                self._open |= {uid: _Message(uid) for uid in uids}
                return _Ask("facts", uids, early=self._early)
        if largest is None:
            return None
        group = self._groups.pop(largest)
        uids, rest = tuple(group[: _most(largest)]), group[_most(largest) :]
        if rest:
            self._groups[largest] = rest
        return _Ask("parts" if largest else "whole", uids, largest)

    def _take(self, response: Response) -> None:
        known = take_structure(response)
        items = read_fetch(response)
        uid = number(items.get(b"UID")) if items else None
        if items and uid in self._open:
            self._items.setdefault(uid, {}).update(items)
            if known:
                self._known[uid] = known

    def _settle(self, ask: _Ask, *, ok: bool, text: str) -> Iterator[Fetched | Unfetched]:
        """Use what one command brought; ask on for the messages that need more."""
        more: list[_Message] = []
        left: list[_Message] = []
        for message in (self._open[uid] for uid in ask.uids):
            items = self._items.pop(message.uid, {})
            if not ask.complete(items):
                message.seen = message.seen or bool(items)
                left.append(message)
                continue
            self._failures = 0
            if ask.kind == "facts":
                message.learn(items, self._thread_item, self._known.pop(message.uid, None))
            elif ask.kind == "parts":
                message.keep(items, ask.wants)
            else:
                message.keep_whole(items)
            if message.wants or not message.understood:
                more.append(message)
            else:
                yield self._done(message)
        self._refusing = self._one_at_a_time or not ok
        if ok:
            yield from self._left_out(ask, left)
        elif left:
            yield from self._refused(ask, left, text)
        self._ask_more(more)

    def _left_out(self, ask: _Ask, left: list[_Message]) -> Iterator[Unfetched]:
        """OK, but without these: expunged meanwhile, or the server's answer made no sense."""
        for message in left:
            if ask.kind == "whole" or not message.seen:
                yield self._gave_up(message, "not returned")
            else:
                self._waiting.appendleft(_Ask("whole", (message.uid,)))

    def _refused(self, ask: _Ask, left: list[_Message], text: str) -> Iterator[Unfetched]:
        """NO or BAD: halve the batch until the message that the server can't serve is alone."""
        problem = imap_errors.refused(text, what=self._wire.what)
        if imap_errors.asks_for_patience(text):
            raise problem
        uids = tuple(message.uid for message in left)
        if len(uids) > 1:
            half = len(uids) // 2
            self._waiting.extendleft(
                _Ask(ask.kind, some, ask.wants) for some in (uids[half:], uids[:half])
            )
        elif ask.kind != "whole":
            self._waiting.appendleft(_Ask("whole", uids))
        else:
            self._failures += 1
            if isinstance(problem, RetryLater) and self._failures >= MOST_FAILURES:
                raise problem
            yield self._gave_up(left[0], text)

    def _ask_more(self, messages: list[_Message]) -> None:
        """Have the parts asked for that are still wanted, messages with the same ones together."""
        for message in messages:
            wants = message.wants if message.understood else ()
            self._groups.setdefault(wants, []).append(message.uid)

    def _done(self, message: _Message) -> Fetched:
        del self._open[message.uid]
        return Fetched(message.uid, message.date, message.size, message.assembled(), message.thread)

    def _gave_up(self, message: _Message, reason: str) -> Unfetched:
        del self._open[message.uid]
        return Unfetched(message.uid, reason)

    def _drain(self) -> None:
        """Read what is under way when the caller stops early, so that the connection stays good."""
        for tag, _ in self._sent:
            if self._wire.closed:
                break
            with contextlib.suppress(
                RetryLater
            ):  # lost: then it is closed, and the next use says so
                self._wire.finish(tag, lambda _: None)
        self._sent.clear()
        self._open.clear()


def _most(wants: tuple[Want, ...]) -> int:
    """How many messages one command may ask these parts of."""
    return min(BATCH, max(1, PARTS_BYTES // sum(one.limit for one in wants or (_WHOLE,))))


def _agree(header: bytes, root: BodyPart) -> bool:
    """Whether header fields and structure tell of one message; in broken mails they don't."""
    # Servers see one long field in a header that has bare carriage returns for line ends.
    lower = header.lower()
    says_multipart = b"multipart/" in lower and _MULTIPART.search(lower) is not None
    clean = header.count(b"\r") == header.count(b"\r\n")
    return (
        bool(header.strip())
        and clean
        and says_multipart == (root.type == "multipart")
        and root.is_sound()
    )
