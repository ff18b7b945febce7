"""What a person sees while a long command runs, and what happens when they stop it."""

import json
import os
import pty
import re
import signal
import subprocess
import time
from io import StringIO
from pathlib import Path

import pytest
from cli_kit import Desk, desk
from company_kit import Office
from rich.console import Console

from daemon.cli import output
from daemon.cli.progress import Phases, line, lines
from daemon.cli.sandbox import show_board
from daemon.ledger.store import Ledger
from daemon.sandbox.crm import board, duplicates

README = Path(__file__).parent.parent / "README.md"
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.mark.parametrize(
    ("done", "total", "rate", "text"),
    [
        (400, 0, 20.0, "writing: 400, 20/s"),
        (400, 1200, 20.0, "writing: 400 of 1200, 20/s, 40 s left"),
        (400, 24_400, 20.0, "writing: 400 of 24400, 20/s, 20 min left"),
        (400, 400, 20.0, "writing: 400 of 400, 20/s"),
        (0, 400, 0.0, "writing: 0 of 400, 0/s"),
    ],
)
def test_a_line_says_how_far_how_fast_and_how_long(
    done: int, total: int, rate: float, text: str
) -> None:
    assert line("writing", done, total, rate) == text


def test_without_a_terminal_there_is_one_line_every_30_seconds() -> None:
    now = 0.0
    out = StringIO()
    show = lines(Console(file=out), Phases(clock=lambda: now))
    for second in range(0, 95, 5):
        now = float(second)
        show("sales: INBOX", second * 10, 2000)

    assert out.getvalue().splitlines() == [
        "sales: INBOX: 300 of 2000, 10/s, 170 s left".replace("170 s", "2 min"),
        "sales: INBOX: 600 of 2000, 10/s, 2 min left",
        "sales: INBOX: 900 of 2000, 10/s, 110 s left",
    ]


def test_totals_that_nobody_names_come_from_the_ledger(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        with ledger.transaction("test"):
            ledger.rows("INSERT INTO crm_persons (id, sweep) VALUES (1, 1)")
            for number in range(3):
                ledger.rows(
                    "INSERT INTO journal (kind, key, action, stage, fields, rank, state, version,"
                    " planned_at) VALUES ('person', ?, 'create', 1, '{}', '1', 'planned', 1, '')",
                    str(number),
                )
        phases = Phases(ledger)

        assert phases.at("writing", 1, 0).total == 4
        assert phases.at("writing", 2, 0).total == 4
        assert phases.at("listing persons", 1, 0).total == 1
        assert phases.at("listing persons", 5, 0).total == 5  # more than were known
        assert phases.at("planning", 0, 0).total == 0


def test_at_the_end_an_estimate_becomes_what_there_really_was(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        with ledger.transaction("test"):
            for number in range(3):
                ledger.rows(
                    "INSERT INTO journal (kind, key, action, stage, fields, rank, state, version,"
                    " planned_at) VALUES ('person', ?, 'create', 1, '{}', '1', 'planned', 1, '')",
                    str(number),
                )
        phases = Phases(ledger)
        phases.at("writing", 5, 6)  # three are still in the journal: somebody has stopped it
        phases.at("planning", 2, 9)
        phases.at("judging again", 4, 0)
        phases.at("sales: INBOX", 3, 7)  # the folder failed
        ends = dict(zip(phases.known, phases.end(), strict=True))

        assert {name: (phase.done, phase.total) for name, phase in ends.items()} == {
            "writing": (5, 8),
            "planning": (2, 2),
            "judging again": (4, 4),
            "sales: INBOX": (3, 7),
        }


def test_a_phase_that_begins_again_has_a_new_rate() -> None:
    now = 0.0
    phases = Phases(clock=lambda: now)
    phases.at("writing", 0, 100)
    now = 10.0
    assert phases.at("writing", 100, 100).rate(now) == 10
    phases.at("writing", 0, 50)
    now = 11.0
    assert phases.at("writing", 20, 50).rate(now) == 20


def on_a_terminal(command: list[str], *, columns: int = 100) -> tuple[int, str]:
    """Run a command with a terminal as its stdout and stderr; its status and what it showed."""
    main, side = pty.openpty()
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm-256color"}
    process = subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, env=environment, close_fds=True
    )
    os.close(side)
    shown = b""
    while True:
        try:
            chunk = os.read(main, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(main)
    return process.wait(timeout=60), shown.decode(errors="replace")


def test_on_a_terminal_there_are_bars_and_json_stays_json(
    office_desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, shown = on_a_terminal(office_desk.command("--catch-up"))

    assert status == 0
    plain = ANSI.sub("", shown)
    for phase in ("sales: INBOX", "sales: Sent", "planning", "writing"):
        last = re.findall(rf"{phase}\s+━+.*?(\d+)/(\d+).*\d+/s", plain)[-1]
        assert last[0] == last[1], phase  # a bar that is done is at its end
    assert "read 301 new messages, wrote" in plain

    # The picture in the README is what is there now: these mails are the demo's.
    with monkeypatch.context() as patch:
        patch.setattr(output.console, "_width", 80)
        capsys.readouterr()
        show_board(board(office_desk.sandbox, "Sales"))
        picture = capsys.readouterr().out.partition("nothing in:")[0]
    assert picture in README.read_text()

    status, shown = on_a_terminal(office_desk.command("status", "--json"), columns=30)
    assert status == 0
    assert not ANSI.search(shown)
    narrow = json.loads(shown)
    wide = subprocess.run(
        office_desk.command("status", "--json"), capture_output=True, text=True, check=True
    )
    assert narrow == json.loads(wide.stdout)


def test_ctrl_c_ends_cleanly_says_what_was_done_and_the_same_command_goes_on(
    small_company: Office, tmp_path: Path
) -> None:
    with desk(small_company, tmp_path, latency=0.2) as slow:
        process = subprocess.Popen(
            slow.command("--catch-up"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        while slow.writes() < 20 and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

        assert process.returncode == 75, err
        assert "the same command goes on from here" in err
        assert "Traceback" not in err
        done = re.search(r"read 301 new messages, wrote (\d+) changes", out)
        assert done
        assert int(done[1]) == slow.writes() > 0
        assert "still in the journal" in out

        again = subprocess.run(
            slow.command("--catch-up"), capture_output=True, text=True, check=False, timeout=120
        )
        assert again.returncode == 0, again.stderr
        assert len(slow.acts.every("persons")) == 79
        assert duplicates(slow.sandbox) == []
