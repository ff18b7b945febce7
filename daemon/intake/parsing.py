"""Mails parsed in processes of their own, while whoever needs them fetches and writes.

Parsing is more than half of a backfill's work and all of it is computing, so other processes use
the other cores. They know only `daemon.message`, which keeps them small. A mail on which a C
library crashes ends such a process, not ours; then its batch is parsed one by one, and that mail
alone is unreadable. That protects what these processes parse, and not our own process, which parses
short runs and whatever it would otherwise wait for.

The answers are the same, in the same order, as without a process. Where none can be started, mails
are parsed here. It is no ProcessPoolExecutor, because that starts a third process, imports the
whole program again in the second, and fails all that is under way together with one bad mail.
"""

import fcntl
import os
import pickle
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO, Any, NamedTuple, Self

from daemon.errors import Unreadable
from daemon.intake.garbage import collect_garbage_seldom
from daemon.log import event
from daemon.message.parse import Message, parse

_LENGTH = 8  # bytes that tell how long what follows is
_GREETING = "ready"
_IN_EACH = 6  # batches in each process: one that it parses, and enough for as long as we write
_WAITING = 2  # batches for each process that none has yet: we parse them if we would wait
_MOST_PROCESSES = 3  # one process can't write more than these parse
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
    """Parses batches of mails in their order, long runs of them in processes of their own.

    Whoever would wait for an answer parses a batch itself that no process has yet. So no core is
    idle, however long parsing takes compared with fetching and writing.
    """

    def __init__(self, snippet_chars: int, worth_a_process: int | None) -> None:
        """`worth_a_process`: how many mails a run must have; None for never."""
        self._snippet_chars = snippet_chars
        # One core is left to whoever fetches and writes.
        self._processes = [_Process() for _ in range(min(_cores() - 1, _MOST_PROCESSES))]
        self._worth = worth_a_process if self._processes else None
        self._under_way: deque[_Batch] = deque()

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
        self._under_way.append(_Batch(jobs, is_here=is_short or not jobs))
        self._hand_out()

    def is_ready(self) -> bool:
        """Whether the oldest batch should be taken now: it is parsed, or enough are under way."""
        if not self._under_way:
            return False
        self._collect()
        first = self._under_way[0]
        is_full = len(self._under_way) > (_IN_EACH + _WAITING) * len(self._processes)
        return is_full or first.answers is not None or first.process is None

    def get(self) -> list[Answer]:
        """The answers to the oldest batch."""
        first = self._under_way[0]
        while first.answers is None:
            self._collect()
            if first.answers is None and not self._parse_one() and first.process is not None:
                self._receive(first.process)
        self._under_way.popleft()
        return first.answers

    def _hand_out(self) -> None:
        """Give the processes what they have room for, the oldest first."""
        for batch in self._under_way if self._worth is not None else ():
            if batch.is_waiting and not batch.is_here:
                process = min(self._processes, key=lambda one: len(one.has))
                if len(process.has) >= _IN_EACH or not self._send(batch, process):
                    return

    def _send(self, batch: "_Batch", process: "_Process") -> bool:
        """Give a batch to a process, a new one if that has ended; whether it took it."""
        try:
            process.send(batch, self._snippet_chars)
        except OSError as error:
            event("parsing.process_lost", error=error)
            if not process.has:  # else what it has tells on which mail it died
                process.end()
                batch.is_here = True
            return False
        return True

    def _collect(self) -> None:
        """Take what the processes have answered, and give them more."""
        for process in self._processes:
            while process.has_more():
                self._receive(process)
        self._hand_out()

    def _parse_one(self) -> bool:
        """Parse here the oldest batch that no process has; whether there was one."""
        batch = next((one for one in self._under_way if one.is_waiting), None)
        if batch is not None:
            batch.answers = parse_here(batch.jobs, self._snippet_chars)
        return batch is not None

    def _receive(self, process: "_Process") -> None:
        """Wait for what a process answers next; what it has is parsed elsewhere if it is dead."""
        batch = process.has[0]
        if self._comes_up(process) and not process.receive():
            process.end()
            batch.answers = [self._alone(job, process) for job in batch.jobs]

    def _comes_up(self, process: "_Process") -> bool:
        if process.greets():
            return True
        event("parsing.process_does_not_start")  # no mail's fault, and the last attempt
        self._worth = None
        process.end()
        return False

    def _alone(self, job: Job, process: "_Process") -> Answer:
        """The answer to one job; a mail on which the process dies is unreadable."""
        batch = _Batch([job])
        if self._worth is None or not self._send(batch, process) or not self._comes_up(process):
            return parse_here([job], self._snippet_chars)[0]
        if process.receive() and batch.answers is not None:
            return batch.answers[0]
        process.end()
        return "the parser crashed on it"


@dataclass(slots=True)
class _Batch:
    """A batch under way: by which process it is parsed, and the answers once they are there."""

    jobs: Sequence[Job]
    is_here: bool = False  # it isn't to be given to a process
    process: "_Process | None" = None
    answers: list[Answer] | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether nobody parses it yet."""
        return self.process is None and self.answers is None


class _Process:
    """One process that parses; started when it is first needed, and again after it has died."""

    def __init__(self) -> None:
        self.has: deque[_Batch] = deque()  # what it hasn't answered yet, in order
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

    def send(self, batch: _Batch, snippet_chars: int) -> None:
        """Hand over a batch; raises OSError if there is nobody."""
        _write(self.start().stdin, (list(map(tuple, batch.jobs)), snippet_chars))
        batch.process = self
        self.has.append(batch)

    def greets(self) -> bool:
        """Whether it has come up; waits for it."""
        self._greeted = self._greeted or _read(self.start().stdout) == _GREETING
        return self._greeted

    def receive(self) -> bool:
        """Wait for the answers to the oldest batch that it has; false if it has died."""
        answers = _read(self.start().stdout)
        if answers is not None:
            self.has.popleft().answers = answers
        return answers is not None

    def has_more(self) -> bool:
        """Whether answers are there that weren't received yet, or it has died on a batch."""
        if not self.has or not self._speaks():
            return False
        return self._greeted or not self.greets() or self._speaks()

    def _speaks(self) -> bool:
        look = select.poll()
        look.register(self.start().stdout, select.POLLIN)  # type: ignore[arg-type] # see _start
        return bool(look.poll(0))

    def end(self) -> None:
        """End it, whatever it is doing; what it had may be given to another."""
        self._greeted = False
        for batch in self.has:
            batch.process = None
        self.has.clear()
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # what was still to be written is of no use any more
                    pipe.close()  # type: ignore[union-attr] # both were asked for


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
    # Threads take in what comes and give out what is answered, so that neither side waits for the
    # other to read.
    inbox: Queue[Any] = Queue()
    outbox: Queue[list[Answer] | None] = Queue()

    def take_in() -> None:
        more: Any = ()
        while more is not None:
            more = _read(jobs)
            inbox.put(more)

    def give_out() -> None:
        with suppress(BrokenPipeError):
            while (answered := outbox.get()) is not None:
                _write(answers, answered)

    _write(answers, _GREETING)
    Thread(target=take_in, daemon=True).start()
    giving = Thread(target=give_out, daemon=True)
    giving.start()
    while (asked := inbox.get()) is not None:
        mails, snippet_chars = asked
        outbox.put(parse_here((Job(*mail) for mail in mails), snippet_chars))
    outbox.put(None)
    giving.join()


def main() -> None:
    """Serve on standard input and output; ends when the process that started it closes them."""
    collect_garbage_seldom()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)  # it is told to end by its pipes, at a batch's end
    with os.fdopen(os.dup(1), "wb") as answers, suppress(BrokenPipeError):
        os.dup2(2, 1)  # what a library prints isn't an answer
        _serve(sys.stdin.buffer, answers)
