"""A folder that fails is left alone for longer each time, and the others go on."""

from datetime import timedelta
from pathlib import Path

from postbox import Line, Postbox
from world import World

from daemon.errors import RetryLater
from daemon.intake.poll import poll
from daemon.mailbox.imap import FolderStatus, Mailbox


class _Sick(Line):
    """A connection on which one folder can't be opened while `sick` says so."""

    def __init__(self, box: Postbox, sick: list[str], tried: list[str]) -> None:
        super().__init__(box)
        self._sick, self._tried = sick, tried

    def examine(self, name: str) -> FolderStatus:
        self._tried.append(name)
        if name in self._sick:
            raise RetryLater("can't be opened", what=name)
        return super().examine(name)


def test_a_folder_that_fails_waits_longer_each_time(tmp_path: Path) -> None:
    world = World(tmp_path)
    began, sick, tried = world.clock.now, ["Sent"], list[str]()
    at: list[int] = []
    with world.ledger() as ledger:
        for minute in range(16 * 60):
            world.clock.now = began + timedelta(minutes=minute)
            if minute == 5:
                world.receives("ada@firm.example")
            before = tried.count("Sent")
            line: Mailbox = _Sick(world.box, sick, tried)  # type: ignore[assignment]
            tally = poll(line, ledger, world.run_of())
            if tried.count("Sent") > before:
                at.append(minute)
                assert [problem.what for problem in tally.problems] == ["Sent"]

        assert at == [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 871]
        assert ledger.counts("messages") == {"contact": 1}
        sick.clear()
        world.clock.now = began + timedelta(hours=24)
        poll(_Sick(world.box, sick, tried), ledger, world.run_of())  # type: ignore[arg-type]
        assert {row["failures"] for row in ledger.rows("SELECT failures FROM folders")} == {0}
