"""One conversation that is long: what its next mail costs, and what is told of it.

Twenty people of five firms and we write in turn, one mail in four is ours, and each answers the one
before it. Ours goes to who wrote last and their colleagues, but never to one of the twenty, the
bystander. As mail programs do, a mail names the first one, and the last thirty, in References. A
real Dovecot has the mails; they are read by `--catch-up --intake-only` in a process of its own, and
synced into a sandbox. Then one more mail comes, of somebody who takes part already, of the
bystander, of somebody new, and of us; and one that names every mail of the conversation.

    python bench/conversation.py [MAILS ...]
"""

import contextlib
import io
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import yaml
from company import table
from desk import Desk
from imapclient import IMAPClient
from measure import grown, ratio, run
from postoffice import PASSWORD, SENT, PostOffice, post_office

from daemon.cli.explain import command as explain
from daemon.rules.deals import Per

SIZES = (200, 2_000)
PEOPLE, FIRMS, OURS = 20, 5, 4  # one mail in four is ours
NAMED = 30  # mails in References, besides the first
TIMES = 7
BYSTANDER = 19
USER = "talk"
WE = "sales@ours.example"
NOW = datetime.now(UTC).replace(microsecond=0)


def person(number: int) -> str:
    """The address of one of the people."""
    return f"p{number}@firm{number % FIRMS}.example.org"


def author(number: int) -> str:
    """Who writes the mail of this number."""
    return WE if number % OURS == OURS - 1 else person(number // OURS * 3 % PEOPLE + number % OURS)


def answered(number: int) -> str:
    """To whom our answer goes: a firm's people, but never the bystander."""
    firm = range(number // OURS % FIRMS, PEOPLE, FIRMS)
    return ", ".join(person(one) for one in firm if one != BYSTANDER)


def named(number: int) -> str:
    """The Message-ID of the mail of this number."""
    return f"<{number}.talk@example.org>"


def mail(number: int, count: int, *, who: str | None = None, all_of_it: bool = False) -> bytes:
    """One mail of the conversation; `count` were there at the beginning, a minute apart."""
    who = who or author(number)
    to = answered(number) if who == WE else WE
    at = NOW + timedelta(minutes=number - count) if number < count else datetime.now(UTC)
    ids = range(number) if all_of_it else [0, *range(max(1, number - NAMED), number)]
    answers = "".join(f"\r\n {named(one)}" for one in ids) if number else ""
    return (
        f"From: Person <{who}>\r\nTo: {to}\r\nSubject: {'Re: ' if number else ''}Our offer\r\n"
        f"Message-ID: {named(number)}\r\n"
        + (f"In-Reply-To: {named(number - 1)}\r\nReferences:{answers}\r\n" if number else "")
        + f"Date: {at:%a, %d %b %Y %H:%M:%S} +0000\r\n\r\nThis is answer {number}.\r\n"
    ).encode()


def filled(office: PostOffice, count: int) -> None:
    """Give the mailbox the conversation."""
    office.server.add_user(USER, PASSWORD)

    def mails(*, ours: bool) -> Iterator[tuple[bytes, datetime]]:
        for number in range(count):
            if (author(number) == WE) == ours:
                yield mail(number, count), NOW + timedelta(minutes=number - count)

    office.server.deliver_many(USER, "INBOX", mails(ours=False))
    office.server.deliver_many(USER, SENT, mails(ours=True))
    office.folders[USER] = ["INBOX"]


def configured(office: PostOffice, ledger: Path, per: str) -> Path:
    """A configuration for it."""
    path = office.config(USER, ledger)
    document = yaml.safe_load(path.read_text()) | {
        "us": {"domains": ["ours.example"]},
        "poll": {"idle": False},
        "deals": {"per": per},
        "safety": {"max_creates": 1_000_000},
    }
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def later(config: Path, port: int, count: int) -> dict[str, float]:
    """The first sync, and what comes after it; in a fresh process."""
    found: dict[str, float] = {}
    with Desk.open(config) as desk, IMAPClient("127.0.0.1", port=port, ssl=False) as mine:
        mine.login(USER, PASSWORD)
        desk.poll()
        found["first sync, CPU s"] = desk.cpu(lambda: found.update(mb=grown(desk.sync)[1]))
        found["first sync, sandbox included, MB"] = found.pop("mb")
        found["first sync, tokens"] = desk.tokens()
        number = count

        def comes(who: str, *, all_of_it: bool = False) -> dict[str, float]:
            nonlocal number
            folder = SENT if who == WE else "INBOX"
            mine.append(folder, mail(number, count, who=who, all_of_it=all_of_it))
            number += 1
            desk.later(minutes=3)
            before = desk.tokens()
            polled = desk.cpu(lambda: [desk.poll()])
            return {
                "intake": 1e3 * polled,
                "sync": 1e3 * desk.cpu(desk.sync),
                "tokens": desk.tokens() - before,
            }

        cases: dict[str, list[dict[str, float]]] = {
            "somebody in it": [comes(person(one)) for one in range(TIMES)],
            "the bystander": [comes(person(BYSTANDER)) for _ in range(TIMES)],
            "somebody new": [comes(f"new{one}@firm0.example.org") for one in range(TIMES)],
            "us": [comes(WE) for _ in range(TIMES)],
            "all in References": [comes(person(one), all_of_it=True) for one in range(TIMES)],
        }
        for case, several in cases.items():
            for what in several[0]:
                unit = "" if what == "tokens" else ", CPU ms"
                median = statistics.median(one[what] for one in several)
                found[f"a mail of {case}: {what}{unit}"] = median
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            seconds = desk.cpu(
                lambda: explain.main([person(0)], obj=desk.wiring, standalone_mode=False)
            )
        found["explain, CPU ms"] = 1e3 * seconds
        found["explain, lines"] = told.getvalue().count("\n")
    return found


def conversation(count: int, per: str) -> dict[str, float]:
    """What a conversation of so many mails costs."""
    with post_office() as office, tempfile.TemporaryDirectory(prefix="m2d-bench-") as home:
        filled(office, count)
        config = configured(office, Path(home) / "ledger.db", per)
        command = [sys.executable, "-m", "daemon", "--config", str(config)]
        cost = run([*command, "--catch-up", "--intake-only"], timeout=3600)
        more = ["later", str(config), str(office.server.port), str(count)]
        again = [sys.executable, __file__, *more]
        said = subprocess.run(again, check=True, stdout=subprocess.PIPE, text=True).stdout
        lines = (line.split("\t") for line in said.splitlines())
        return {
            "first read, CPU s": cost.cpu,
            "first read, MB of all processes": cost.rss / 1e6,
            **{name: float(value) for name, value in lines},
        }


def main(arguments: Sequence[str]) -> None:
    """Measure each size, for each `deals.per`."""
    if arguments[:1] == ["later"]:
        found = later(Path(arguments[1]), int(arguments[2]), int(arguments[3]))
        for name, value in found.items():
            print(f"{name}\t{value}")
        return
    sizes = tuple(map(int, arguments)) or SIZES
    flat = math.log10(2)  # twice as much each decade
    for per in get_args(Per):
        columns = {size: conversation(size, per) for size in sizes}
        powers = table(f"mails in one conversation, per {per}", columns)
        for what in ("first read, CPU s", "first sync, CPU s"):
            ratio(f"conversation, per {per}: {what}, exponent", powers[what], at_most=1.1)
        mails = {what: power for what, power in powers.items() if what.startswith("a mail of")}
        worst = max(mails, key=mails.__getitem__)
        ratio(f"conversation, per {per}: {worst}, exponent", mails[worst], at_most=flat)
        lines = powers["explain, lines"]
        ratio(f"conversation, per {per}: lines of explain, exponent", lines, at_most=flat)


if __name__ == "__main__":
    main(sys.argv[1:])
