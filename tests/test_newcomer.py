"""Somebody with nothing but the README: from the clone to first leads, on a terminal of 80 columns.

The commands are those of the README, as they stand there; only where mailbox and Pipedrive are, both
on this machine, is an answer to a question.
"""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from dovecot import Post
from terminal import Shell, assert_fits

from daemon.sandbox.crm.settings import DEFAULT_TOKEN

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    """What the README tells to type for a real account, line by line."""
    section = README.partition("\n## Five minutes to a real account\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def without_network(directory: Path) -> dict[str, str]:
    """pip takes what the tests have installed instead of asking an index; all of it but mail2deal."""
    packages = directory / "packages"
    packages.mkdir()
    for path in next(Path(entry) for entry in sys.path if entry.endswith("packages")).iterdir():
        if not path.name.startswith(("mail2deal", "_editable", "__editable", "_mail2deal")):
            (packages / path.name).symlink_to(path)
    return {
        "HOME": str(directory),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say yes to a "no" option
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PYTHONPATH": str(packages),
    }


@pytest.mark.long
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone of the repository")
def test_a_newcomer_comes_from_the_clone_to_first_leads(
    tmp_path: Path, dovecot: Post, sandbox_url: str
) -> None:
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, isn't installed")
    for number in range(3):
        dovecot.deliver(
            f"From: Visitor {number} <visitor{number}@firm{number}.example>\r\n"
            f"To: {dovecot.user}\r\nSubject: A question\r\nMessage-ID: <{number}@x.example>\r\n"
            "Date: Mon, 02 Nov 2026 09:00:00 +0000\r\n\r\nHello, what does it cost?\r\n".encode(),
            internal_date=datetime(2026, 11, 2, 9, tzinfo=UTC),
        )
    answers = (
        ("address", "ada"),  # the first mistake
        ("address", dovecot.user),
        ("IMAP server", f"127.0.0.1:{dovecot.server.port}"),
        ("Password", "wrong"),  # the second one
        ("Password", dovecot.password),
        ("company", sandbox_url),
        ("token", DEFAULT_TOKEN),
        ("Stage", ""),
        ("since", "2026-10-01"),
    )
    assert len(answers) < 10
    install, init, check, look, catch_up, service, explain = commands()
    status = "mail2deal status"
    assert status in README
    assert (init, service) == ("mail2deal init", "mail2deal")

    with Shell(tmp_path, without_network(tmp_path)) as shell:
        shell.run(f"git clone --quiet {ROOT} clone")
        shell.run("cd clone")
        shell.run(install)
        shell.run("mkdir ~/sales; cd ~/sales")
        shown = [shell.run(init, answers)]
        shown += [shell.run(command) for command in (check, look, catch_up, status)]
        shown.append(shell.run(explain.rpartition(" ")[0] + " visitor1@firm1.example"))
        shown.append(shell.run(catch_up))

    for said in shown:
        assert "Traceback" not in said
        assert_fits(said)
    told = [line for line in shown[0].splitlines() if "mail2deal --config" in line]
    assert [line.split()[-1] for line in told] == ["check", "--dry-run", "--catch-up"]
    assert "3 leads" in shown[3]
    assert "class lead: 1 message" in shown[5]
    assert "wrote 0 changes" in shown[6]
    assert yaml.safe_load((tmp_path / "sales" / "config.yaml").read_text())["ledger"] == "ledger.db"
    # The program that was typed is the one of the clone, not the one under test.
    where = f"{tmp_path}/mail2deal/bin/python -c 'import daemon; print(daemon.__file__)'"
    found = subprocess.check_output(["sh", "-c", where], cwd=tmp_path, text=True)
    assert found.startswith(str(tmp_path / "mail2deal"))
