"""systemd's own tools read the unit files; elsewhere these tests are skipped with the reason."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon.mailbox.account import Account
from daemon.service.work import Timing

UNITS = Path(__file__).parent.parent / "systemd"
SERVICES = ("mail2deal.service", "mail2deal@.service", "mail2deal-catch-up.service")
SANDBOX = "# What follows takes away what mail2deal never needs."


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Copies whose program exists on any machine; systemd-analyze wants to find it."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze isn't installed")
    for unit in UNITS.glob("*.*"):
        text = unit.read_text().replace("/opt/mail2deal/bin/mail2deal", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    (tmp_path / "mail2deal@.service").rename(tmp_path / "mail2deal@acme.service")
    return tmp_path


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "name", ["mail2deal.service", "mail2deal@acme.service", "mail2deal-catch-up.timer"]
)
def test_systemd_finds_nothing_to_complain_about(units: Path, name: str) -> None:
    verified = analyze("verify", "--man=no", units / name)
    # Unknown keys and bad values are told without an exit status.
    assert (verified.returncode, verified.stderr) == (0, "")


def test_a_unit_with_a_mistake_would_be_found(units: Path) -> None:
    unit = units / "mail2deal.service"
    unit.write_text(unit.read_text().replace("PrivateTmp=yes", "PrivateTemp=yes"))
    assert "'PrivateTemp'" in analyze("verify", "--man=no", unit).stderr


@pytest.mark.parametrize(
    "name", ["mail2deal.service", "mail2deal@acme.service", "mail2deal-catch-up.service"]
)
def test_the_exposure_is_at_most_1_2(units: Path, name: str) -> None:
    judged = analyze("security", "--offline=yes", "--threshold=12", "--no-pager", units / name)
    assert judged.returncode == 0, judged.stdout


def settings(name: str) -> list[str]:
    lines = (UNITS / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_setting_is_explained_by_a_comment_above() -> None:
    """A comment speaks for the lines below it until the next one, at most eight."""
    for name in SERVICES:
        since_comment = 99
        for line in (UNITS / name).read_text().splitlines():
            if line.startswith("#"):
                since_comment = 0
            elif line.startswith("["):
                since_comment = 0  # a section's first lines speak for themselves
            elif line:
                since_comment += 1
                assert since_comment <= 8, f"{name}: {line}"


def test_the_instance_differs_from_the_service_only_in_its_user_and_places() -> None:
    plain, instance = settings("mail2deal.service"), settings("mail2deal@.service")
    ours = {line.partition("=")[0]: line for line in instance if line not in plain}
    assert [line.partition("=")[0] for line in plain if line not in instance] == [
        "Description",
        "ExecStart",
        "ExecReload",
        "User",
        "Group",
        "StateDirectory",
        "LoadCredential",
    ]
    assert ours.pop("DynamicUser") == "DynamicUser=yes"
    assert ours.keys() == {
        "Description", "ExecStart", "ExecReload", "User", "StateDirectory", "LoadCredential",
    }  # fmt: skip
    assert all("%i" in line for line in ours.values())


def test_a_reload_checks_first_what_it_is_given() -> None:
    for name in ("mail2deal.service", "mail2deal@.service"):
        start, *reloads = (line for line in settings(name) if line.startswith("Exec"))
        program = start.removeprefix("ExecStart=")
        assert [line.endswith(f"{program} check --offline") for line in reloads] == [True, False]


def test_the_catch_up_has_the_service_s_sandbox_user_and_places() -> None:
    def sandbox(name: str) -> str:
        text = (UNITS / name).read_text().partition(SANDBOX)[2].partition("[Install]")[0]
        return re.sub("^.*`systemd-analyze.*\n", "", text.strip(), flags=re.MULTILINE)

    assert len(sandbox("mail2deal.service").splitlines()) > 30
    assert sandbox("mail2deal-catch-up.service") == sandbox("mail2deal.service")
    shared = ("User=", "Group=", "StateDirectory", "LoadCredential=")
    catch_up = settings("mail2deal-catch-up.service")
    for line in settings("mail2deal.service"):
        if line.startswith(shared):
            assert line in catch_up


def test_the_unit_runs_what_the_package_installs() -> None:
    pyproject = (UNITS.parent / "pyproject.toml").read_text()
    assert 'mail2deal = "daemon.cli:main"' in pyproject
    start = [line for line in settings("mail2deal.service") if line.startswith("ExecStart=")]
    assert start == ["ExecStart=/opt/mail2deal/bin/mail2deal --config /etc/mail2deal/config.yaml"]


def test_the_watchdog_is_more_patient_than_a_server_may_be_slow() -> None:
    """Half of its time is the service's patience with a pass, which may wait for one answer."""
    (watchdog,) = (line for line in settings("mail2deal.service") if line.startswith("WatchdogSec"))
    patience = int(watchdog.removeprefix("WatchdogSec=").removesuffix("min")) * 60 / 2
    account = Account("sales", "imap.example", "sales@us.example")
    assert account.connect_timeout + account.read_timeout < patience
    assert patience == Timing().patience


def test_the_user_is_one_that_systemd_can_make() -> None:
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("systemd-sysusers isn't installed")
    made = subprocess.run(
        ["systemd-sysusers", "--dry-run", UNITS / "mail2deal.sysusers"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Creating user 'mail2deal' (mail2deal daemon)" in made.stderr
