"""The mail and the edits of a storm: the same for a calm company, and with one possible end.

Each sender has a script. A step that must come after what Pipedrive shows by then (an edit, or a
mail that would make a deal of a lead) waits until the sender is settled: read, planned and sent.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Protocol

from acts import Acts
from postbox import WE, calendar, letter


class Stage(Protocol):
    """What a step needs of the company in which it happens."""

    acts: Acts
    base: datetime

    def deliver(self, folder: str, raw: bytes, at: datetime) -> None: ...
    def identifier(self, kind: str, key: str) -> Any: ...
    def task_of(self, who: str) -> int | None: ...


@dataclass(frozen=True)
class Step:
    """One thing that happens; `after` is whose changes must be through before."""

    act: Callable[[Stage], None]
    after: tuple[str, ...] = ()
    noticed: tuple[str, str] | None = None  # kind and key of what people have closed before
    message: str | None = None  # its Message-ID, if it is a mail
    answers: str | None = None  # the Message-ID that it answers, which must have been read before
    task_of: str | None = None  # who must have a task by then, which reminds people to answer


@dataclass
class Script:
    """What happens around one sender, in this order."""

    who: str
    numbers: Iterator[int]
    steps: list[Step] = field(default_factory=list)
    _settled: tuple[str, ...] = ()
    _noticed: tuple[str, str] | None = None
    _task: bool = False

    def reminded(self) -> "Script":
        """What follows waits until there is a task to answer this sender, as well."""
        self._task = True
        return self.then()

    def then(self, *others: str) -> "Script":
        """What follows waits until this sender, and these, are settled."""
        self._settled = (self.who, *others)
        return self

    def writes(self, times: int = 1, *, answers: int | None = None, **more: Any) -> "Script":
        for _ in range(times):
            self._mail("INBOX", self.who, WE, answers, more)
        return self

    def is_written_to(self, *, answers: int | None = None, **more: Any) -> "Script":
        return self._mail("Sent", WE, self.who, answers, more)

    def invites(self, uid: str) -> "Script":
        part = calendar("REQUEST", uid, organizer=self.who, attendee=WE)
        return self.writes(calendar=part)

    def closes(self, kind: str, act: Callable[[Acts, Any], object]) -> "Script":
        """People close its lead or deal, and what follows waits until the ledger knows."""
        self.edit(kind, act)
        self._noticed = (kind, self.who)
        return self

    def edit(self, kind: str, act: Callable[[Acts, Any], object], key: str = "") -> "Script":
        """People change this sender's record, or the organization with this key."""

        def change(stage: Stage) -> None:
            act(stage.acts, stage.identifier(kind, key or self.who))

        return self._add(Step(change, self._settled or (self.who,)))

    def edit_task(self, act: Callable[[Acts, int], object]) -> "Script":
        """People do something with the task to answer this sender."""

        def change(stage: Stage) -> None:
            task = stage.task_of(self.who)
            assert task is not None
            act(stage.acts, task)

        return self.reminded()._add(Step(change, self._settled))

    @property
    def last(self) -> int:
        """The number of the latest mail."""
        names = [s.message for s in self.steps if s.message]
        return int(names[-1].partition("@")[0])

    def _mail(
        self, folder: str, sender: str, to: str, answers: int | None, more: dict[str, Any]
    ) -> "Script":
        number = next(self.numbers)

        def arrive(stage: Stage) -> None:
            at = stage.base + timedelta(minutes=number)
            raw = letter(sender, to, number=number, at=at, answers=answers, **more)
            stage.deliver(folder, raw, at)

        message = f"{number}@mail.example"
        answered = f"{answers}@mail.example" if answers is not None else None
        return self._add(Step(arrive, self._settled, self._noticed, message, answered))

    def _add(self, step: Step) -> "Script":
        self.steps.append(replace(step, task_of=self.who if self._task else None))
        self._settled, self._noticed, self._task = (), None, False
        return self


def scripts(strangers: int) -> list[Script]:
    """The senders of a storm, with so many more who just write once or twice."""
    numbers = count(1)

    def who(address: str) -> Script:
        return Script(address, numbers)

    ada = who("ada@acme.example").writes().then().writes(4).then()
    ada.edit("deal", lambda acts, i: acts.move(i, acts.stage_id("Sales", "Proposal Made"))).writes()
    bob = who("bob@acme.example").writes().then("ada@acme.example")
    bob.edit("organization", lambda acts, i: acts.rename("organizations", i, "Acme Ltd"),
             key="acme.example").writes()  # fmt: skip
    cyd = who("cyd@beta.example").is_written_to().then()
    cyd.writes(answers=cyd.last).then().closes("deal", lambda acts, i: acts.win(i)).writes()
    dan = who("dan@gmail.com").writes().then()
    dan.edit("person", lambda acts, i: acts.rename("persons", i, "Daniel")).writes()
    eve = who("eve@gamma.example").writes().then()
    eve.edit("lead", lambda acts, i: acts.convert_lead(i)).writes()
    fay = who("fay@delta.example").writes().then()
    fay.edit("lead", lambda acts, i: acts.delete("leads", i)).writes(2)
    gus = who("gus@epsilon.example").writes().then()
    gus.edit("person", lambda acts, i: acts.delete("persons", i)).writes()
    hal = who("hal@zeta.example").writes()
    henry = who("henry@zeta.example").writes().then("hal@zeta.example")
    henry.edit("person", lambda acts, i: acts.merge("persons", i, acts.person_of(hal.who)["id"]))
    henry.writes()
    ivy = who("ivy@eta.example").invites("kickoff").then()
    ivy.is_written_to(answers=ivy.last).writes()
    jon = who("jon@theta.example").writes(2)
    kim = who("kim@iota.example").is_written_to().then()
    kim.writes(answers=kim.last).then().closes("deal", lambda acts, i: acts.lose(i)).writes()
    lea = who("lea@kappa.example").writes().then()
    lea.closes("lead", lambda acts, i: acts.archive("leads", i)).writes()
    mia = who("mia@mu.example").is_written_to().then()
    mia.writes(answers=mia.last, extra="Cc: nat@xi.example\r\n").then()
    mia.is_written_to(answers=mia.last, extra="Cc: max@nu.example\r\n")
    max_ = who("max@nu.example").then(mia.who).writes(answers=mia.last)  # and joins that deal
    robot = who("robot@lambda.example").writes(extra="Auto-Submitted: auto-replied\r\n")
    first = [ada, bob, cyd, dan, eve, fay, gus, hal, henry, ivy, jon, kim, lea, mia, max_, robot]
    more = [who(f"p{n}@firm{n % 9}.example").writes(1 + n % 2) for n in range(strangers)]
    return [*first, *more]


def weeks_later() -> list[Script]:
    """What becomes of the tasks to answer those who have waited."""
    numbers = count(1000)

    def who(address: str) -> Script:
        return Script(address, numbers)

    ada = who("ada@acme.example").reminded().is_written_to()
    dan = who("dan@gmail.com").reminded().writes(subject="Any news?")
    eve = who("eve@gamma.example").edit_task(lambda acts, i: acts.edit("activities", i, done=True))
    ivy = who("ivy@eta.example").edit_task(lambda acts, i: acts.delete("activities", i))
    mover = who("p0@firm0.example").edit_task(
        lambda acts, i: acts.edit("activities", i, due_date="2099-01-01")
    )
    answered = who("p1@firm1.example").reminded().is_written_to().then().writes()
    return [ada, dan, eve.writes(), ivy.writes(), mover.writes(), answered]


# Who is in Pipedrive before, without an organization.
BEFORE = {"jon@theta.example": "Jon Before"}


def furnish(acts: Acts) -> None:
    """Make them."""
    for address, name in BEFORE.items():
        acts.add_person(name, address)
