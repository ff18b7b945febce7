"""Mails parsed in a process of their own, while whoever needs them fetches and writes.

Parsing is the larger half of a backfill's work and all of it is computing, so a second process
uses the second core. It knows only `daemon.message`, which keeps it small. It is also a wall: a
mail on which a C library crashes ends that process, not ours; then its neighbours are parsed one
by one, and it alone is unreadable.

Promises: the same answers in the same order as without a process; it holds a handful of batches.
Where no process can be started, mails are parsed here.
"""

import copyreg
import fcntl
import gc
import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO, Any, Generic, NamedTuple, Self, TypeVar

from daemon.errors import Problem, Unreadable
from daemon.log import event
from daemon.message.invite import Invite
from daemon.message.parse import Address, Message, parse

_LENGTH = 8  # bytes that tell how long what follows is
_GREETING = "ready"
_AHEAD = 5  # batches in the other process: one that it parses, some that wait or are answered
_PIPE = 1 << 20  # bytes that can wait in either direction while the other side is busy

T = TypeVar("T")


class Job(NamedTuple):
    """One mail to parse: its bytes, its RFC822.SIZE, the server's thread id."""

    raw: bytes
    size: int
    thread: str | None


Answer = Message | str  # or the reason why it can't be read


def parse_here(jobs: Iterable[Job], snippet_chars: int) -> list[Answer]:
    """Parse mails in this process."""
    answers: list[Answer] = []
    for job in jobs:
        try:
            answers.append(
                parse(job.raw, size=job.size, thread=job.thread, snippet_chars=snippet_chars)
            )
        except Unreadable as problem:
            answers.append(problem.message)
    return answers


class Parser:
    """Parses batches of mails, in a process of its own from the first long run on."""

    def __init__(self, snippet_chars: int, worth_a_process: int | None) -> None:
        """`worth_a_process`: how many mails a run must have; None for never."""
        self._snippet_chars = snippet_chars
        self._worth = worth_a_process
        self._number = 0
        self._greeted = False
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Start the process ahead of need: it takes a while to be ready."""
        if self._worth is not None and _cores() > 1 and self._process is None:
            try:
                self._process = _start()
            except OSError as error:  # then the first batch tries again
                event("parsing.process_lost", error=error)

    def __exit__(self, *_: object) -> None:
        self._end()

    def run(
        self,
        batches: Iterable[T],
        jobs_of: Callable[[T], Sequence[Job]],
        count_of: Callable[[T], int],
        ready: Callable[[], bool] = lambda: True,
    ) -> Iterator[tuple[T, list[Answer]]]:
        """Each batch with the answers to its jobs; `count_of` says how many are like it.

        Where the next batch isn't `ready`, answers are waited for instead. If `batches` raises, all
        that came before it is answered first.
        """
        under_way: deque[_Sent[T]] = deque()
        try:
            for batch in batches:
                jobs, here = jobs_of(batch), self._is_for_here(count_of(batch))
                under_way.append(_Sent(batch, jobs, None if here else self._send(jobs), here))
                while under_way and (under_way[0].here or len(under_way) > _AHEAD or not ready()):
                    yield self._next(under_way)
        except Problem:
            yield from self._rest(under_way)
            raise
        else:
            yield from self._rest(under_way)
        finally:
            if under_way:
                self._end()  # left early: it has answers that nobody will read

    def _is_for_here(self, count: int) -> bool:
        if self._worth is None or _cores() == 1:
            return True
        return self._process is None and count < self._worth

    def _rest(self, under_way: "deque[_Sent[T]]") -> Iterator[tuple[T, list[Answer]]]:
        while under_way:
            yield self._next(under_way)

    def _next(self, under_way: "deque[_Sent[T]]") -> tuple[T, list[Answer]]:
        batch, jobs, number, here = under_way.popleft()
        if here:
            return batch, parse_here(jobs, self._snippet_chars)
        answers = self._receive(number)
        if answers is None:
            answers = [self._alone(job) for job in jobs]
            # What was handed over meanwhile died with it.
            under_way.extend([one._replace(number=self._again(one)) for one in _taken(under_way)])
        return batch, answers

    def _again(self, one: "_Sent[T]") -> int | None:
        return None if one.here else self._send(one.jobs)

    def _alone(self, job: Job) -> Answer:
        """The answer to one job; a mail on which the process dies is unreadable."""
        number = self._send([job])
        if number is None:
            return parse_here([job], self._snippet_chars)[0]
        answers = self._receive(number)
        if answers is not None:
            return answers[0]
        if self._worth is None:
            return parse_here([job], self._snippet_chars)[0]
        return "the parser crashed on it"

    def _send(self, jobs: Sequence[Job]) -> int | None:
        """Hand over jobs, to a new process if there is none; their number, None if it can't be."""
        if self._worth is None:
            return None
        self._number += 1
        try:
            process = self._process = self._process or _start()
            _write(process.stdin, (self._number, list(map(tuple, jobs)), self._snippet_chars))
        except OSError as error:
            event("parsing.process_lost", error=error)
            self._end()
            return None
        return self._number

    def _receive(self, number: int | None) -> list[Answer] | None:
        """The answers to the oldest jobs handed over; None if the process that had them is dead."""
        process = self._process
        if process is None or number is None:
            return None
        if not self._greeted and not self._greets(process):
            return None
        answered = _read(process.stdout)
        if answered is None or answered[0] != number:
            self._end()
            return None
        return answered[1]  # type: ignore[no-any-return] # the other end of the pipe is `_serve`

    def _greets(self, process: "subprocess.Popen[bytes]") -> bool:
        """Whether a process has come up; one that doesn't is no mail's fault, and the last."""
        self._greeted = _read(process.stdout) == _GREETING
        if not self._greeted:
            event("parsing.process_does_not_start")
            self._worth = None
            self._end()
        return self._greeted

    def _end(self) -> None:
        self._greeted = False
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # what was still to be written is of no use any more
                    pipe.close()  # type: ignore[union-attr] # both were asked for


class _Sent(NamedTuple, Generic[T]):
    """A batch under way, and the number of its jobs; None if they couldn't be handed over."""

    batch: T
    jobs: Sequence[Job]
    number: int | None
    here: bool  # it is to be parsed by us, when its turn comes


def _taken(entries: deque[T]) -> list[T]:
    """All entries, taken out."""
    taken = list(entries)
    entries.clear()
    return taken


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _start() -> "subprocess.Popen[bytes]":
    # It shall find the very package that this process runs, however that one was found.
    home = str(Path(__file__).parent.parent.parent)
    start = (
        "import sys; sys.path.insert(0, sys.argv[1]);from daemon.intake.parsing import main; main()"
    )
    process = subprocess.Popen(  # noqa: S603 - our own constant command
        [sys.executable, "-c", start, home], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    for pipe in (process.stdin, process.stdout):
        if hasattr(fcntl, "F_SETPIPE_SZ") and pipe is not None:  # on Linux
            with suppress(OSError):  # more than this machine lets us have: it works with less
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
    return process


def _write(pipe: IO[bytes] | None, what: object) -> None:
    data = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
    pipe.write(len(data).to_bytes(_LENGTH, "big"))  # type: ignore[union-attr] # asked for in _start
    pipe.write(data)  # type: ignore[union-attr]
    pipe.flush()  # type: ignore[union-attr]


def _read(pipe: IO[bytes] | None) -> Any:
    """The next thing from the other end; None where it ends, or was cut short."""
    length = pipe.read(_LENGTH)  # type: ignore[union-attr] # asked for in _start
    data = pipe.read(int.from_bytes(length, "big"))  # type: ignore[union-attr]
    try:
        return pickle.loads(data)  # noqa: S301 - from ourselves
    except (EOFError, pickle.UnpicklingError):
        return None


def _pickle_by_arguments(kind: type) -> None:
    """Pickle a dataclass as a call of it: the way that dataclasses with slots go is far slower."""
    values = attrgetter(*(one.name for one in fields(kind)))
    copyreg.pickle(kind, lambda instance: (kind, values(instance)))


def _serve(jobs: IO[bytes], answers: IO[bytes]) -> None:
    """Answer jobs until there are no more."""
    # A thread takes in what comes, so that the other side never waits for us to write to it.
    inbox: Queue[Any] = Queue()

    def take_in() -> None:
        more: Any = ()
        while more is not None:
            more = _read(jobs)
            inbox.put(more)

    Thread(target=take_in, daemon=True).start()
    _write(answers, _GREETING)
    while (asked := inbox.get()) is not None:
        number, mails, snippet_chars = asked
        _write(answers, (number, parse_here((Job(*mail) for mail in mails), snippet_chars)))


def collect_garbage_seldom() -> None:
    """Look for cycles less often, and never among what is there now: a backfill makes none.

    It makes many objects, which Python would otherwise go through again and again.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def main() -> None:
    """Serve on standard input and output; ends when the process that started it closes them."""
    collect_garbage_seldom()
    for kind in (Address, Message, Invite):
        _pickle_by_arguments(kind)
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)  # it is told to end by its pipes, at a batch's end
    with os.fdopen(os.dup(1), "wb") as answers, suppress(BrokenPipeError):
        os.dup2(2, 1)  # what a library prints isn't an answer
        _serve(sys.stdin.buffer, answers)
