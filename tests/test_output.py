"""What a person reads: nothing ends in a traceback, and what they mean is found."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_kit import Desk, run
from click.testing import CliRunner
from terminal import Terminal

from daemon import __version__
from daemon.cli import main, output
from daemon.cli.dry_run import dry_run
from daemon.cli.explain import command as explain
from daemon.ledger.schema import newest
from daemon.rehearsal.demo import servers
from daemon.rules.quantities import days


def test_the_version_tells_that_of_the_ledger_and_short_help_works_everywhere() -> None:
    shown = CliRunner().invoke(main, ["--version"]).output
    assert __version__ in shown
    assert f"ledger {newest()}" in shown
    for command in ([], ["status"], ["sandbox", "board"]):
        assert CliRunner().invoke(main, [*command, "-h"]).output.startswith("Usage: ")


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("one two three", ["one two", "  three"]),
        ("  four five six", ["  four", "    five", "    six"]),
        ("see `a b c d` now", ["see", "  `a b c d`", "  now"]),  # a command to copy stays whole
        ("https://a.example/long", ["https://a.example/long"]),
        ("日本語 日本語", ["日本語", "  日本語"]),  # two columns each
        ("a ` b", ["a ` b"]),
        ("", [""]),
    ],
)
def test_a_line_breaks_between_words(line: str, parts: list[str]) -> None:
    assert output.wrapped(line, 9) == parts


def test_the_help_cuts_no_sentence_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(main, ["--help"]).output
    assert "..." not in shown.partition("Commands:")[2]
    assert "--since YYYY-MM-DD" in shown


def test_a_sender_is_explained_by_a_part_of_its_name_or_by_its_domain(
    read_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_desk.rows(
        "SELECT address, name, organization FROM senders WHERE organization IN (SELECT organization"
        " FROM senders GROUP BY organization HAVING count(*) = 1) ORDER BY address"
    )
    one = rows[0]
    capsys.readouterr()

    for text in (one["address"], one["organization"].upper(), one["organization"].split(".")[0]):
        assert run(explain, read_desk.wiring(), text) == 0
        assert f"<{one['address']}>" in capsys.readouterr().out

    assert run(explain, read_desk.wiring(), "e") == 1
    assert "'e' may mean:" in capsys.readouterr().out


def test_the_whole_rehearsal_is_a_table_that_runs_no_formula(
    office_desk: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "all.csv"
    dry_run(
        office_desk.wiring(), since=None, mailbox=None, sync_only=False, as_json=False, csv=path
    )

    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 79  # the tables on a terminal show twenty
    assert {"address", "name", "organization", "what", "reason"} <= rows[0].keys()
    assert not any(cell[:1] in set("=+-@") for row in rows for cell in row.values())
    assert path.stat().st_mode & 0o077 == 0


def test_a_terminal_without_our_characters_shows_something_else(office_desk: Desk) -> None:
    done = subprocess.run(
        office_desk.command("check", "--offline"),
        capture_output=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


def test_received_and_sent_differ_also_in_ascii() -> None:
    assert "→ us, ← us […]: ü".encode("ascii", "in_place") == b"> us, < us [~]: ?"


def test_a_question_that_nobody_can_answer_names_the_option_that_does(office_desk: Desk) -> None:
    done = subprocess.run(
        office_desk.command("forget", "ada@firm.example"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.endswith("\nmail2deal: nobody is there to answer (--yes answers it)\n")


def test_one_interrupt_leaves_a_question(office_desk: Desk) -> None:
    terminal = Terminal(office_desk.command("forget", "ada@firm.example"), office_desk.home)
    terminal.wait_for("[y/N]: ")
    time.sleep(0.5)  # Python misses a signal between writing a question and waiting for the answer
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 1
    assert "Aborted" in terminal.said


@pytest.mark.parametrize(("number", "said"), [(0.0, "less than a day"), (1.25, "1.25 days")])
def test_a_budget_takes_no_zero_days(number: float, said: str) -> None:
    assert days(number) == said


def test_the_store_of_a_sandbox_is_its_owners_alone(tmp_path: Path) -> None:
    store = tmp_path / "sandbox.db"
    command = [sys.executable, "-m", "daemon", "sandbox", "--store", str(store), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "listens on" in process.stdout.readline()
        process.terminate()
    assert store.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_file_of_another_user_is_told_with_what_to_do(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    config = tmp_path / "config.yaml"
    config.write_text(
        "mailboxes: [{name: a, host: h, username: u, password: {env: X}}]\n"
        f"pipedrive: {{company: acme, token: {{env: X}}}}\nledger: {home}/ledger.db\n"
    )
    for path in (tmp_path, *list(tmp_path.parents)[:3]):
        path.chmod(0o755)
    code = (
        "import os, sys, encodings.idna, daemon.cli.status; from daemon.cli import main; import rich.table;"
        "from daemon.wiring import Wiring; import daemon.config.load;"
        "from daemon.cli.packages import check_packages; check_packages();"
        "os.setgid(65534); os.setuid(65534); sys.argv = ['mail2deal', *sys.argv[1:]]; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--config", str(config), "status"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "permission denied (run it with sudo" in done.stderr


def test_the_demo_keeps_its_files_where_a_relative_path_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with servers(Path("kept"), "auto") as demo:
        assert demo.config == tmp_path / "kept" / "config.yaml"
        assert demo.ledger == tmp_path / "kept" / "ledger.db"
        assert f"ledger: {demo.ledger}" in demo.config.read_text()
