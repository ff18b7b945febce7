"""The commands of docs/operating.md that install and uninstall, played in a directory of their own.

A shell runs them as they stand, with what stands for sudo, systemd and pip; `make systemd-test` does
it for real.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
UNITS = ROOT / "systemd"
OPERATING = (ROOT / "docs" / "operating.md").read_text()
STAND_INS = """
set -euo pipefail
sudo() { "$@"; }
systemctl() { echo "systemctl $*" >>"$CALLS"; }
systemd-sysusers() { echo "systemd-sysusers $*" >>"$CALLS"; }
userdel() { echo "userdel $*" >>"$CALLS"; }
python3() {
  mkdir -p "$3/bin"
  printf '#!/bin/sh\\ntouch "%s/bin/mail2deal"\\n' "$3" >"$3/bin/pip"
  chmod +x "$3/bin/pip"
}
"""


def recipe(heading: str) -> list[str]:
    """The blocks of commands under a heading."""
    section = OPERATING.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert found, heading
    return found


class Machine:
    """A root directory, and what systemd was told on it."""

    def __init__(self, root: Path, calls: Path) -> None:
        self.root = root
        self.calls = calls
        for folder in ("etc/systemd/system", "usr/local/bin", "opt", "var/lib"):
            (root / folder).mkdir(parents=True)
        self.write("etc/systemd/system/other.service", "usr/local/bin/other", "etc/sysusers.d/o")
        self.before = self.files()

    def follow(self, commands: str) -> None:
        here = re.sub(r"(?<=\s)/(?=(etc|opt|usr|var)/)", f"{self.root}/", commands)
        subprocess.run(
            ["bash", "-c", STAND_INS + here], cwd=ROOT, env={"CALLS": str(self.calls)}, check=True
        )

    def write(self, *names: str) -> None:
        for name in names:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def files(self) -> set[str]:
        found = self.root.rglob("*")
        return {str(p.relative_to(self.root)) for p in found if p.is_symlink() or p.is_file()}

    def told(self, word: str) -> set[str]:
        """The units that a systemctl command was given for."""
        lines = map(str.split, self.calls.read_text().splitlines())
        return {name for line in lines if line[:2] == ["systemctl", word] for name in line[2:]}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "root", tmp_path / "calls")
    machine.follow(recipe("Install as a service")[0])
    return machine


def test_the_recipe_installs_every_unit_and_links_the_program(machine: Machine) -> None:
    units = {path.name for path in UNITS.iterdir() if path.suffix != ".sysusers"}
    found = machine.files() - machine.before
    folder = "etc/systemd/system/"

    assert {name.removeprefix(folder) for name in found if name.startswith(folder)} == units
    assert "etc/sysusers.d/mail2deal.conf" in found
    program = machine.root / "usr/local/bin/mail2deal"
    assert program.resolve() == machine.root / "opt/mail2deal/bin/mail2deal"
    assert program.exists()


def test_the_program_goes_and_what_it_knew_stays_until_that_is_asked_for(machine: Machine) -> None:
    mine = {
        "etc/mail2deal/config.yaml",
        "etc/mail2deal/credentials/sales-imap",
        "etc/mail2deal/acme/config.yaml",
        "var/lib/mail2deal/ledger.db",
        "var/lib/mail2deal/tokens/sales.json",
    }
    # As `systemctl edit` leaves them.
    machine.write(*mine, "etc/systemd/system/mail2deal.service.d/override.conf")
    machine.write("etc/systemd/system/mail2deal@acme.service.d/override.conf")
    program, knowledge = recipe("Uninstall")

    machine.follow(program)
    assert machine.files() == machine.before | mine
    folders = {path.name for path in (machine.root / "etc/systemd/system").iterdir()}
    assert folders == {"other.service"}

    machine.follow(knowledge)
    assert machine.files() == machine.before
    assert {path.name for path in (machine.root / "var/lib").iterdir()} == set()
    assert "userdel mail2deal" in machine.calls.read_text()


def test_whatever_can_be_enabled_is_disabled(machine: Machine) -> None:
    machine.follow(recipe("Uninstall")[0])
    enabled = {path.name for path in UNITS.iterdir() if "\n[Install]\n" in path.read_text()}
    assert len(enabled) == 3
    assert machine.told("disable") == enabled
    assert machine.told("stop") == {"mail2deal*"}


def test_an_upgrade_brings_the_units_again_and_restarts_what_runs(machine: Machine) -> None:
    unit = machine.root / "etc/systemd/system/mail2deal.service"
    unit.write_text("old")

    machine.follow(recipe("Upgrade")[0])

    assert unit.read_text() == (UNITS / "mail2deal.service").read_text()
    assert machine.told("try-restart") == {"mail2deal*"}
