"""Mails parsed in processes of their own, while whoever needs them fetches and writes.

Parsing is more than half of a backfill's work and all of it is computing, so other processes use
the other cores. They know only `daemon.message`, which keeps them small. It also protects us: a
mail on which a C library crashes ends that process, not ours; then its batch is parsed one by one,
and that mail alone is unreadable.

The answers are the same, in the same order, as without a process. Where none can be started, mails
are parsed here. It is no ProcessPoolExecutor, because that starts a third process, imports the
whole program again in the second, and fails all that is under way together with one bad mail.
"""

import fcntl
import gc
import os
import pickle
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO, Any, NamedTuple, Self

from daemon.errors import Unreadable
from daemon.log import event
from daemon.message.parse import Message, parse

_LENGTH = 8  # bytes that tell how long what follows is
_GREETING = "ready"
_AHEAD = 5  # batches in each process: one that it parses, some that wait or are answered
_MOST_PROCESSES = 3  # one process can't write more than these parse
_SELDOM = (50_000, 20, 20)  # objects that are made before Python looks for cycles; see `gc`
_PIPE = 1 << 20  # bytes that can wait in either direction while the other side is busy


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
    """Parses batches of mails in their order, long runs of them in processes of their own."""

    def __init__(self, snippet_chars: int, worth_a_process: int | None) -> None:
        """`worth_a_process`: how many mails a run must have; None for never."""
        self._snippet_chars = snippet_chars
        # One core is left to whoever fetches and writes.
        self._processes = [_Process() for _ in range(min(_cores() - 1, _MOST_PROCESSES))]
        self._worth = worth_a_process if self._processes else None
        self._number = 0
        self._under_way: deque[_Sent] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.end()

    def start(self) -> None:
        """Start the processes ahead of need: they take a while to be ready."""
        if self._worth is not None:
            try:
                for process in self._processes:
                    process.start()
            except OSError as error:  # then the first batch tries again
                event("parsing.process_lost", error=error)

    def put(self, jobs: Sequence[Job], *, total: int) -> None:
        """Hand over a batch; `total` is how many mails there are of its kind."""
        is_short = self._worth is None or (
            total < self._worth and not any(one.is_up for one in self._processes)
        )
        process = None if is_short or not jobs else self._least_busy()
        self._under_way.append(self._sent(jobs, process))

    def is_ready(self) -> bool:
        """Whether the oldest batch should be taken now: it is parsed, or enough are under way."""
        if not self._under_way:
            return False
        first = self._under_way[0]
        if first.process is None or len(self._under_way) > _AHEAD * len(self._processes):
            return True
        return not first.process.is_up or first.process.has_more()

    def get(self) -> list[Answer]:
        """The answers to the oldest batch."""
        jobs, process, number = self._under_way.popleft()
        if process is None:
            return parse_here(jobs, self._snippet_chars)
        answers = self._receive(process, number)
        if answers is None:
            answers = [self._alone(job, process) for job in jobs]
            # What was handed over to the same process meanwhile died with it.
            for one in range(len(self._under_way)):
                if self._under_way[one].process is process:
                    self._under_way[one] = self._sent(self._under_way[one].jobs, process)
        return answers

    def _least_busy(self) -> "_Process":
        busy = [one.process for one in self._under_way]
        return min(self._processes, key=busy.count)

    def _alone(self, job: Job, process: "_Process") -> Answer:
        """The answer to one job; a mail on which the process dies is unreadable."""
        _, sent_to, number = self._sent([job], process)
        if sent_to is None:
            return parse_here([job], self._snippet_chars)[0]
        answers = self._receive(process, number)
        if answers is not None:
            return answers[0]
        if self._worth is None:
            return parse_here([job], self._snippet_chars)[0]
        return "the parser crashed on it"

    def _sent(self, jobs: Sequence[Job], process: "_Process | None") -> "_Sent":
        """Hand over jobs to a process, a new one if it has ended; else they are parsed here."""
        if self._worth is None or process is None:
            return _Sent(jobs, None, 0)
        self._number += 1
        try:
            process.send((self._number, list(map(tuple, jobs)), self._snippet_chars))
        except OSError as error:
            event("parsing.process_lost", error=error)
            process.end()
            return _Sent(jobs, None, 0)
        return _Sent(jobs, process, self._number)

    def _receive(self, process: "_Process", number: int) -> list[Answer] | None:
        """The answers to the oldest jobs of a process; None if the one that had them is dead."""
        if not process.is_up:
            return None
        if not process.greets():  # it doesn't come up: no mail's fault, and the last attempt
            event("parsing.process_does_not_start")
            self._worth = None
            process.end()
            return None
        answered = process.receive()
        if answered is None or answered[0] != number:
            process.end()
            return None
        return answered[1]  # type: ignore[no-any-return] # the other end of the pipe is `_serve`


class _Process:
    """One process that parses; started when it is first needed, and again after it has died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._greeted = False

    @property
    def is_up(self) -> bool:
        """Whether it was started, and not found dead yet."""
        return self._process is not None

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it, if it isn't; raises OSError where that can't be."""
        self._process = self._process or _start()
        return self._process

    def send(self, what: object) -> None:
        """Hand something over; raises OSError if there is nobody."""
        _write(self.start().stdin, what)

    def greets(self) -> bool:
        """Whether it has come up; waits for it."""
        self._greeted = self._greeted or _read(self.start().stdout) == _GREETING
        return self._greeted

    def receive(self) -> Any:
        """What it answers next; None if it has died."""
        return _read(self.start().stdout)

    def has_more(self) -> bool:
        """Whether it has answered something that wasn't received yet."""
        look = select.poll()
        look.register(self.start().stdout, select.POLLIN)  # type: ignore[arg-type] # see _start
        return bool(look.poll(0))

    def end(self) -> None:
        """End it, whatever it is doing."""
        self._greeted = False
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # what was still to be written is of no use any more
                    pipe.close()  # type: ignore[union-attr] # both were asked for


class _Sent(NamedTuple):
    """A batch under way, who parses it and its number; None if it is to be parsed here."""

    jobs: Sequence[Job]
    process: _Process | None
    number: int


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
    gc.set_threshold(*_SELDOM)


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look for cycles less often for a while, in a process that goes on with other things."""
    before = gc.get_threshold()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def main() -> None:
    """Serve on standard input and output; ends when the process that started it closes them."""
    collect_garbage_seldom()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)  # it is told to end by its pipes, at a batch's end
    with os.fdopen(os.dup(1), "wb") as answers, suppress(BrokenPipeError):
        os.dup2(2, 1)  # what a library prints isn't an answer
        _serve(sys.stdin.buffer, answers)
