"""Mails parsed in a process of their own, while whoever needs them fetches and writes.

Parsing is more than half of a backfill's work and all of it is computing, so a second process uses
the second core. It knows only `daemon.message`, which keeps it small. It also protects us: a mail
on which a C library crashes ends that process, not ours; then its batch is parsed one by one, and
that mail alone is unreadable.

The answers are the same, in the same order, as without a process. Where none can be started, mails
are parsed here. It is no ProcessPoolExecutor, because that starts a third process, imports the
whole program again in the second, and fails all that is under way together with one bad mail.
"""

import copyreg
import fcntl
import gc
import os
import pickle
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO, Any, NamedTuple, Self

from daemon.errors import Unreadable
from daemon.log import event
from daemon.message.candidates import Candidate, Fact
from daemon.message.invite import Invite
from daemon.message.parse import Address, Message, parse
from daemon.message.traces import Traces

_LENGTH = 8  # bytes that tell how long what follows is
_GREETING = "ready"
_AHEAD = 5  # batches in the other process: one that it parses, some that wait or are answered
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
    """Parses batches of mails in their order, long runs of them in a process of its own."""

    def __init__(self, snippet_chars: int, worth_a_process: int | None) -> None:
        """`worth_a_process`: how many mails a run must have; None for never."""
        self._snippet_chars = snippet_chars
        self._worth = worth_a_process if _cores() > 1 else None
        self._number = 0
        self._greeted = False
        self._process: subprocess.Popen[bytes] | None = None
        self._under_way: deque[_Sent] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def start(self) -> None:
        """Start the process ahead of need: it takes a while to be ready."""
        if self._worth is not None and self._process is None:
            try:
                self._process = _start()
            except OSError as error:  # then the first batch tries again
                event("parsing.process_lost", error=error)

    def put(self, jobs: Sequence[Job], *, total: int) -> None:
        """Hand over a batch; `total` is how many mails there are of its kind."""
        here = not jobs or self._worth is None or (self._process is None and total < self._worth)
        self._under_way.append(_Sent(jobs, None if here else self._send(jobs)))

    def is_ready(self) -> bool:
        """Whether the oldest batch should be taken now: it is parsed, or enough are under way."""
        if not self._under_way:
            return False
        if self._under_way[0].number is None or len(self._under_way) > _AHEAD:
            return True
        return self._process is None or _has_more(self._process.stdout)

    def get(self) -> list[Answer]:
        """The answers to the oldest batch."""
        jobs, number = self._under_way.popleft()
        if number is None:
            return parse_here(jobs, self._snippet_chars)
        answers = self._receive(number)
        if answers is None:
            answers = [self._alone(job) for job in jobs]
            # What was handed over meanwhile died with the process.
            for _ in range(len(self._under_way)):
                jobs, number = self._under_way.popleft()
                self._under_way.append(_Sent(jobs, None if number is None else self._send(jobs)))
        return answers

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


class _Sent(NamedTuple):
    """A batch under way, and its number; None if it is to be parsed here, when its turn comes."""

    jobs: Sequence[Job]
    number: int | None


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _has_more(pipe: IO[bytes] | None) -> bool:
    look = select.poll()
    look.register(pipe, select.POLLIN)  # type: ignore[arg-type] # asked for in _start
    return bool(look.poll(0))


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
    for kind in (Address, Candidate, Fact, Message, Invite, Traces):
        _pickle_by_arguments(kind)
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)  # it is told to end by its pipes, at a batch's end
    with os.fdopen(os.dup(1), "wb") as answers, suppress(BrokenPipeError):
        os.dup2(2, 1)  # what a library prints isn't an answer
        _serve(sys.stdin.buffer, answers)
