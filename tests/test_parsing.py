"""Parsing in a process of its own: the same answers, whatever becomes of that process."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from correspondence import generate
from hostile import DEFECTS

from daemon.intake import parsing
from daemon.intake.parsing import Answer, Job, Parser, parse_here
from daemon.message.parse import Message

NOW = datetime(2026, 11, 24, tzinfo=UTC)
JOBS = [
    *(Job(mail.raw, len(mail.raw), None) for mail in generate(3, 60, now=NOW).mails),
    *(Job(raw, len(raw), "thread") for raw in DEFECTS.values()),
    Job(b"", 0, None),
]


def in_batches(jobs: list[Job]) -> list[list[Job]]:
    return [jobs[start : start + 9] for start in range(0, len(jobs), 9)]


# What is quick to parse, for what concerns the processes; more batches than three have under way.
BATCHES = in_batches([job for job in JOBS if job.size < 10_000])


@cache
def expected(at: int) -> list[Answer]:
    """What a batch gives in this process."""
    return parse_here(BATCHES[at], 500)


def all_expected() -> list[list[Answer]]:
    return [expected(at) for at in range(len(BATCHES))]


# A worker that dies on one mail as it would in a C library.
DEADLY = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from daemon.intake import parsing
parse = parsing.parse
def deadly(raw, **more):
    if b"die of this" in raw:
        os.kill(os.getpid(), signal.SIGKILL)
    return parse(raw, **more)
parsing.parse = deadly
parsing.main()
"""
POISON = Job(b"Subject: die of this\r\n\r\n", 24, None)


def answers(parser: Parser, batches: list[list[Job]], total: int = 1000) -> list[list[Answer]]:
    found: list[list[Answer]] = []
    for batch in batches:
        parser.put(batch, total=total)
        while parser.is_ready():
            found.append(parser.get())
    return found + [parser.get() for _ in range(len(batches) - len(found))]


@pytest.fixture(autouse=True)
def cores(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int:
    """On two cores one process parses, on four three do; two where a test says nothing."""
    count = int(getattr(request, "param", 2))
    monkeypatch.setattr(parsing, "_cores", lambda: count)
    return count


on_two_and_four_cores = pytest.mark.parametrize("cores", [2, 4], indirect=True)


@pytest.fixture
def parser() -> Iterator[Parser]:
    with Parser(500, worth_a_process=1) as parser:
        yield parser


def start_with(script: str) -> "subprocess.Popen[bytes]":
    home = str(Path(parsing.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-c", script, home], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_a_process_gives_the_answers_that_we_would_give(parser: Parser) -> None:
    batches = in_batches(JOBS)

    assert answers(parser, batches) == [parse_here(batch, 500) for batch in batches]


@on_two_and_four_cores
def test_processes_answer_in_order_and_again(parser: Parser) -> None:
    assert answers(parser, BATCHES) == all_expected()
    assert answers(parser, BATCHES[:2]) == all_expected()[:2]


@pytest.mark.parametrize(
    ("cores", "at"), [(2, 0), (2, 1), (4, 2), (4, len(BATCHES) - 1)], indirect=["cores"]
)
def test_a_mail_that_kills_the_process_is_the_only_one_unreadable(
    parser: Parser, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr(parsing, "_start", lambda: start_with(DEADLY))
    batches = [*BATCHES[:at], [*BATCHES[at][:4], POISON, *BATCHES[at][4:]], *BATCHES[at + 1 :]]
    unhurt = expected(at)
    hurt = [*unhurt[:4], "the parser crashed on it", *unhurt[4:]]

    assert answers(parser, batches) == [*all_expected()[:at], hurt, *all_expected()[at + 1 :]]
    assert isinstance(parse_here([POISON], 500)[0], Message)


@pytest.mark.parametrize("script", ["raise SystemExit(1)", "import os; os.kill(os.getpid(), 9)"])
def test_where_no_process_comes_up_mails_are_parsed_here(
    parser: Parser, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    starts = []

    def start() -> Any:
        starts.append(1)
        return start_with(script)

    monkeypatch.setattr(parsing, "_start", start)

    assert answers(parser, BATCHES) == all_expected()
    assert len(starts) <= 6


def test_where_no_process_may_be_made_mails_are_parsed_here(
    parser: Parser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> "subprocess.Popen[bytes]":
        raise PermissionError("no more processes")

    monkeypatch.setattr(parsing, "_start", refuse)

    assert answers(parser, BATCHES) == all_expected()


@on_two_and_four_cores
def test_no_more_than_a_handful_of_batches_is_under_way(parser: Parser, cores: int) -> None:
    for _ in range((parsing._IN_EACH + parsing._WAITING) * (cores - 1)):
        parser.put(BATCHES[0], total=1000)
    parser.put(BATCHES[0], total=1000)

    assert parser.is_ready()
    while parser.is_ready():
        assert parser.get() == expected(0)


@pytest.mark.parametrize(
    ("cores", "worth"),
    [(4, lambda at: at % 2), (2, lambda at: at > 3), (2, lambda at: at == 0)],
    indirect=["cores"],
)
def test_batches_of_short_and_long_runs_keep_their_order(
    parser: Parser, worth: Callable[[int], int]
) -> None:
    for at, batch in enumerate(BATCHES):
        parser.put(batch, total=int(worth(at)))

    assert [parser.get() for _ in BATCHES] == all_expected()


def test_a_short_run_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "_start", lambda: pytest.fail("not worth it"))

    with Parser(500, worth_a_process=1001) as parser:
        answers(parser, BATCHES[:2])
    with Parser(500, worth_a_process=None) as parser:
        answers(parser, BATCHES[:2])


@on_two_and_four_cores
def test_there_are_as_many_processes_as_other_cores(
    parser: Parser, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    started = []
    start = parsing._start

    def counted() -> Any:
        started.append(1)
        return start()

    monkeypatch.setattr(parsing, "_start", counted)

    answers(parser, BATCHES)

    assert len(started) == cores - 1


def test_one_core_parses_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "_cores", lambda: 1)
    monkeypatch.setattr(parsing, "_start", lambda: pytest.fail("there is no other core"))

    with Parser(500, worth_a_process=1) as parser:
        assert answers(parser, BATCHES) == all_expected()


# A worker that does nothing until somebody else has parsed something.
IDLE = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from daemon.intake import parsing
parse, until = parsing.parse, time.monotonic() + 300
def later(raw, **more):
    while not os.path.exists({sign!r}):
        if time.monotonic() > until:
            os._exit(1)
        time.sleep(0.01)
    return parse(raw, **more)
parsing.parse = later
parsing.main()
"""


@on_two_and_four_cores
def test_who_would_wait_parses_what_no_process_has_yet(
    parser: Parser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cores: int
) -> None:
    sign = tmp_path / "parsed here"
    monkeypatch.setattr(parsing, "_start", lambda: start_with(IDLE.format(sign=str(sign))))

    def parse_and_tell(jobs: Iterable[Job], snippet_chars: int) -> list[Answer]:
        sign.touch()
        return parse_here(jobs, snippet_chars)

    monkeypatch.setattr(parsing, "parse_here", parse_and_tell)
    several = [BATCHES[0]] * (parsing._IN_EACH * (cores - 1) + 1)

    assert answers(parser, several) == [expected(0)] * len(several)
    assert sign.exists()
