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
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Literal, NamedTuple

from daemon.errors import RetryLater
from daemon.mailbox import imap_errors
from daemon.mailbox.connection import Connection, Response
from daemon.mailbox.cursor import Batches
from daemon.mailbox.fetch_command import WHOLE, FetchCommand
from daemon.mailbox.fetch_response import Items, number, read_fetch
from daemon.mailbox.fetched import Fetched, PartialMessage, Unfetched
from daemon.mailbox.ladder import LOST, Ladder
from daemon.mailbox.structure import Want
from daemon.mailbox.structure_cache import Described, take_structure

BATCH = 200  # messages of one command at most, 500 kB of headers
PARTS_BYTES = 8 << 20  # what the parts of one command may add up to
UNDER_WAY = 6  # commands of BATCH messages on the wire at once …
MOST_COMMANDS = 32  # … or so many smaller ones
OPEN = 8  # times BATCH messages are begun and not done, at most
# Of at most so many messages the beginning of part 1 is asked for unseen, which saves a round trip.
# Of more it would cost bytes for nothing, since the line is kept full anyway.
EARLY_FOR = 50
LONGEST_ANSWER = 10.0  # seconds that a command should take at most
MOST_FAILURES = 3  # messages in a row that the server has no time for: it has no time at all


class _Sent(NamedTuple):
    """A command under way; `pipelined`: others were under way when it was sent."""

    tag: bytes
    ask: FetchCommand
    pipelined: bool
    partial: bool  # asked for pieces of parts


class Fetch(Iterator[Fetched | Unfetched]):
    """One run over UIDs on a connection; the connection is its own until it has ended."""

    def __init__(
        self,
        wire: Connection,
        uids: Batches,
        *,
        ladder: Ladder,
        give_up: Callable[[str, str], object],
        thread_item: bytes | None,
        one_at_a_time: bool = False,
        plain: bool = False,
        partial: bool = True,
    ) -> None:
        """`thread_item` is the item that holds the server's thread id, if it has one.

        `ladder` tells what the server can't do, `give_up` adds to it. Without `partial` it is tried
        whether the server can do it if no pieces are asked for.
        """
        # When the line was lost: the messages of the first command that had no answer.
        self.suspects: tuple[int, ...] = ()
        self._ladder = ladder
        self._give_up = give_up
        self._partial = partial and not ladder.gave_up("PARTIAL")
        self._proven: set[str] = set()  # extensions that have worked in this run
        self._wire = wire
        self._thread_item = thread_item
        self._facts = uids
        self._first: Literal["facts", "whole"] = "whole" if plain else "facts"
        self._early = uids.count <= EARLY_FOR
        self._most = max(1, UNDER_WAY // uids.lines) * BATCH
        self._waiting: deque[FetchCommand] = deque()  # what has to be asked once more, differently
        self._groups: dict[tuple[Want, ...], list[int]] = {}  # UIDs by what is wanted of them
        self._open: dict[int, PartialMessage] = {}
        self._sent: deque[_Sent] = deque()
        self._items: dict[int, Items] = {}
        self._known: dict[int, Described] = {}
        # One question at a time: on demand, or after a refusal until one is answered.
        self._one_at_a_time = one_at_a_time or ladder.gave_up("PIPELINING")
        self._refusing = self._one_at_a_time
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
                began = time.monotonic()
                ok, text = self._wire.finish(self._sent[0].tag, self._take)
                sent = self._sent.popleft()
                self._keep_pace(sent.ask, time.monotonic() - began)
                yield from self._settle(sent, ok=ok, text=text)
                self._fill()
        except RetryLater:
            if self._sent and self._wire.closed:
                self._blame()
            raise
        finally:
            self._ended = True
            self._drain()

    def _blame(self) -> None:
        """Note what cost the connection: the command without an answer, or pipelining."""
        ask = self._sent[0].ask
        came = [uid for uid in ask.uids if ask.complete(self._items.get(uid, {}))]
        self.suspects = tuple(uid for uid in ask.uids if uid not in came) or ask.uids
        if len(self._sent) > 1 and "PIPELINING" not in self._proven:
            self._give_up("PIPELINING", LOST)
        elif len(self._sent) == 1:
            self._ladder.forgive("PIPELINING", LOST)

    def _keep_pace(self, ask: FetchCommand, waited: float) -> None:
        """Ask for fewer messages at once where the server takes long for each."""
        if waited * self._facts.size > LONGEST_ANSWER * len(ask.uids):
            self._facts.size = max(1, int(LONGEST_ANSWER * len(ask.uids) / waited))
            self._ladder.slow_down(self._facts.size)

    def _fill(self) -> None:
        """Keep the line busy."""
        under_way = sum(len(one.ask.uids) for one in self._sent)
        while (
            len(self._sent) < (1 if self._refusing else MOST_COMMANDS)
            and under_way < self._most
            and (ask := self._next_ask())
        ):
            tag = self._wire.send(ask.line(self._thread_item, partial=self._partial))
            sent = _Sent(tag, ask, pipelined=bool(self._sent), partial=self._partial)
            self._sent.append(sent)
            under_way += len(ask.uids)

    def _next_ask(self) -> FetchCommand | None:
        """Parts of a full group before new messages, and these before the rest of the groups."""
        if self._waiting:
            return self._waiting.popleft()
        largest = max(self._groups, key=lambda wants: len(self._groups[wants]), default=None)
        most = 0 if largest is None else min(_most(largest), self._facts.size)
        is_full = largest is not None and len(self._groups[largest]) >= most
        if not is_full and len(self._open) <= self._most + (OPEN - UNDER_WAY - 1) * BATCH:
            uids = next(self._facts, ())
            if uids:
                self._open |= {uid: PartialMessage(uid) for uid in uids}
                return FetchCommand(self._first, uids, early=self._early and self._first == "facts")
        if largest is None:
            return None
        group = self._groups.pop(largest)
        uids, rest = tuple(group[:most]), group[most:]
        if rest:
            self._groups[largest] = rest
        return FetchCommand("parts" if largest else "whole", uids, largest)

    def _take(self, response: Response) -> None:
        known = take_structure(response)
        items = read_fetch(response)
        uid = number(items.get(b"UID")) if items else None
        if items and uid in self._open:
            self._items.setdefault(uid, {}).update(items)
            if known:
                self._known[uid] = known

    def _settle(self, sent: _Sent, *, ok: bool, text: str) -> Iterator[Fetched | Unfetched]:
        """Use what one command brought; ask again for the messages that need more."""
        ask = sent.ask
        if ok and sent.pipelined:
            self._proven.add("PIPELINING")
        more: list[PartialMessage] = []
        left: list[PartialMessage] = []
        for message in (self._open[uid] for uid in ask.uids):
            items = self._items.pop(message.uid, {})
            if not ask.complete(items):
                message.seen = message.seen or bool(items)
                left.append(message)
                continue
            self._failures = 0
            if ask.kind != "facts" or b"[1]" in items:
                self._pieces_came(sent)
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
            yield from self._left_out(sent, left)
        elif left:
            yield from self._refused(sent, left, text)
        self._ask_more(more)

    def _left_out(self, sent: _Sent, left: list[PartialMessage]) -> Iterator[Unfetched]:
        """OK, but without these: expunged meanwhile, or the server's answer made no sense."""
        ask = sent.ask
        if left and ask.has_pieces and sent.partial and "PARTIAL" not in self._proven:
            self._partial, self._refusing = False, True  # nothing else before this is known
            self._waiting.appendleft(replace(ask, uids=tuple(one.uid for one in left)))
            return
        if left and not sent.partial:  # not the pieces are the reason
            self._partial = not self._ladder.gave_up("PARTIAL")
        for message in left:
            if ask.kind == "whole" or not message.seen:
                yield self._gave_up(message, "not returned")
            else:
                self._waiting.appendleft(FetchCommand("whole", (message.uid,)))

    def _pieces_came(self, sent: _Sent) -> None:
        """Note that the server can send pieces, or that it only sends the whole of what it has."""
        if sent.partial:
            self._proven.add("PARTIAL")
        else:
            self._give_up("PARTIAL", "pieces of parts are refused")

    def _refused(self, sent: _Sent, left: list[PartialMessage], text: str) -> Iterator[Unfetched]:
        """NO or BAD: halve the batch until the message that the server can't serve is alone.

        Where the command may have been refused for its form, it is first asked in a simpler one.
        """
        problem = imap_errors.refused(text, what=self._wire.what)
        if isinstance(problem, imap_errors.NoBackend):
            self._wire.close()
        if self._wire.closed or imap_errors.asks_for_patience(text):
            raise problem
        ask = sent.ask
        uids = tuple(message.uid for message in left)
        if sent.pipelined and "PIPELINING" not in self._proven:
            self._give_up("PIPELINING", text)
            self._one_at_a_time = self._refusing = True
            self._waiting.appendleft(replace(ask, uids=uids))
            return
        self._ladder.forgive("PIPELINING", text)
        if ask.has_pieces and "PARTIAL" not in self._proven:
            if sent.partial:
                self._partial = False
                self._waiting.appendleft(replace(ask, uids=uids))
                return
            # Whole parts are refused, too, so partial fetches aren't the reason.
            self._partial = not self._ladder.gave_up("PARTIAL")
            self._proven.add("PARTIAL")
        if len(uids) > 1:
            half = len(uids) // 2
            self._waiting.extendleft(
                FetchCommand(ask.kind, some, ask.wants) for some in (uids[half:], uids[:half])
            )
        elif ask.kind != "whole":
            self._waiting.appendleft(FetchCommand("whole", uids))
        else:
            self._failures += 1
            if isinstance(problem, RetryLater) and self._failures >= MOST_FAILURES:
                raise problem
            yield self._gave_up(left[0], text)

    def _ask_more(self, messages: list[PartialMessage]) -> None:
        """Have the parts asked for that are still wanted, messages with the same ones together."""
        for message in messages:
            wants = message.wants if message.understood else ()
            self._groups.setdefault(wants, []).append(message.uid)

    def _done(self, message: PartialMessage) -> Fetched:
        del self._open[message.uid]
        return Fetched(message.uid, message.date, message.size, message.assembled(), message.thread)

    def _gave_up(self, message: PartialMessage, reason: str) -> Unfetched:
        del self._open[message.uid]
        return Unfetched(message.uid, reason)

    def _drain(self) -> None:
        """Read what is under way when the caller stops early, so that the connection stays good."""
        for tag, *_ in self._sent:
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
    return min(BATCH, max(1, PARTS_BYTES // sum(one.limit for one in wants or (WHOLE,))))
