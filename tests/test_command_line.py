"""The program as people start it: what it says and how it exits when something isn't right."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_kit import call
from click.testing import CliRunner
from company_kit import Office

from daemon import errors
from daemon.cli import main
from daemon.sandbox.crm import Sandbox, Server, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sandbox.ports import kept_ports

SECRETS = {"TEST_PASSWORD": "secret", "TEST_TOKEN": DEFAULT_TOKEN}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def pipedrive() -> Iterator[Server]:
    sandbox = Sandbox(settings=Settings(plan="ultimate", seats=10))
    with Server(sandbox) as server:
        yield server
    sandbox.close()


@pytest.fixture
def config(small_company: Office, pipedrive: Server, tmp_path: Path) -> dict[str, Any]:
    """A configuration that works; tests break one thing of it."""
    office = small_company.scenario.office
    return {
        "mailboxes": [
            {
                "name": "sales",
                "host": small_company.server.host,
                "port": small_company.server.port,
                "tls": "none",
                "username": "sales",
                "password": {"env": "TEST_PASSWORD"},
            }
        ],
        "pipedrive": {
            "base_url": pipedrive.url,
            "token": {"env": "TEST_TOKEN"},
            "plan": "ultimate",
            "pipeline": "Sales",
        },
        "us": {"domains": list(office.domains), "addresses": list(office.addresses)},
        "ledger": str(tmp_path / "ledger.db"),
    }


@pytest.fixture
def mail2deal(tmp_path: Path) -> Run:
    """Run the program with a configuration, in this process."""
    return lambda config, *arguments, **environment: call(
        "--config", str(written(tmp_path, config)), *arguments, **SECRETS | environment
    )


@pytest.fixture
def started(tmp_path: Path) -> Run:
    """Run the program with a configuration, as a process of its own."""
    return lambda config, *arguments: subprocess.run(
        [sys.executable, "-m", "daemon", "--config", str(written(tmp_path, config)), *arguments],
        env=os.environ | SECRETS,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def written(home: Path, config: dict[str, Any]) -> Path:
    path = home / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def test_a_bad_configuration_lists_all_its_problems_with_their_paths(
    config: dict[str, Any], started: Run
) -> None:
    config["mailboxes"][0].pop("host")
    config["mailboxes"][0]["port"] = "many"
    config["pipedrive"]["plan"] = "free"
    config["engagment"] = {}

    done = started(config, "--catch-up")

    assert done.returncode == errors.USAGE
    for place in ("mailboxes[0].host", "mailboxes[0].port", "pipedrive.plan", "engagment"):
        assert f"{place}: " in done.stderr
    assert "Traceback" not in done.stderr


BROKEN: dict[str, tuple[Callable[[dict[str, Any], int], object], dict[str, str], int, str]] = {
    "wrong password": (
        lambda _config, _nobody: None,
        {"TEST_PASSWORD": "guess"},
        errors.USAGE,
        "sales",
    ),
    "unknown folder": (
        lambda config, _nobody: config["mailboxes"][0].update(folders={"inbox": ["Inbux"]}),
        {},
        errors.USAGE,
        "Inbux",
    ),
    "unreachable server": (
        lambda config, nobody: config["mailboxes"][0].update(port=nobody),
        {},
        errors.LATER,
        "sales",
    ),
    "refused token": (
        lambda _config, _nobody: None,
        {"TEST_TOKEN": "nobodys-token"},
        errors.USAGE,
        "token",
    ),
    "unknown stage": (
        lambda config, _nobody: config["pipedrive"].update(stage="Frist Contact"),
        {},
        errors.USAGE,
        "Initial Contact",
    ),
    "unknown pipeline": (
        lambda config, _nobody: config["pipedrive"].update(pipeline="Slaes"),
        {},
        errors.USAGE,
        "Sales",
    ),
}


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port where nobody listens."""
    with kept_ports(1) as (port,):
        yield port


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("command", ["--catch-up", "check"])
def test_each_fault_gives_one_clear_line_and_its_exit_status(
    fault: str, command: str, config: dict[str, Any], nobody: int, mail2deal: Run
) -> None:
    break_it, environment, status, named = BROKEN[fault]
    break_it(config, nobody)

    done = mail2deal(config, command, **environment)

    said = done.stderr + done.stdout
    assert done.returncode == status, said
    lines = [
        line for line in said.splitlines() if named in line and ("✗" in line or "mail2deal" in line)
    ]
    assert len(lines) == 1, said
    assert "Traceback" not in said
    for secret in ("guess", "nobodys-token", DEFAULT_TOKEN):
        assert secret not in said


def test_catch_up_then_status_explain_and_check_work(
    config: dict[str, Any], mail2deal: Run, started: Run
) -> None:
    caught_up = started(config, "--catch-up")
    assert caught_up.returncode == errors.DONE, caught_up.stderr

    again = mail2deal(config, "--catch-up")
    assert "read 0 new messages, wrote 0 changes" in again.stdout

    shown = started(config, "status")
    assert shown.returncode == errors.DONE
    assert "person_with_deal" in shown.stdout
    assert mail2deal(config, "check").returncode == errors.DONE
    explained = mail2deal(config, "explain", "nobody@nowhere.example")
    assert explained.returncode == errors.ATTENTION
    assert "isn't a sender" in explained.stderr


def test_intake_and_sync_can_run_apart(config: dict[str, Any], nobody: int, mail2deal: Run) -> None:
    url = f"http://127.0.0.1:{nobody}"
    nowhere = config | {"pipedrive": config["pipedrive"] | {"base_url": url}}
    read = mail2deal(nowhere, "--catch-up", "--intake-only")
    assert read.returncode == errors.DONE, read.stderr
    assert "read 301 new messages, wrote 0 changes" in read.stdout

    config["mailboxes"][0]["port"] = nobody
    written = mail2deal(config, "--catch-up", "--sync-only")
    assert written.returncode == errors.DONE, written.stderr
    assert "read 0 new messages" in written.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--since", "2026-01-01"), "goes with --catch-up"),
        (("--catch-up", "--intake-only", "--sync-only"), "exclude each other"),
        (("--catch-up", "--mailbox", "nobody"), "there are: sales"),
        (("no-such-command",), "No such command"),
    ],
)
def test_wrong_usage_is_said_with_status_2(
    arguments: tuple[str, ...], says: str, config: dict[str, Any], mail2deal: Run
) -> None:
    done = mail2deal(config, *arguments)

    assert done.returncode == errors.USAGE
    assert says in done.stderr


def test_a_missing_configuration_names_the_places_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    done = call("check")

    assert done.returncode == errors.USAGE
    assert "config.yaml" in done.stderr
    assert "--config" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--since", "yesterday"), "must be a day like 2026-01-01"),
        (("--catch-up", "--max-creates", "x"), "'x' is not a valid whole number"),
        (("sandbox", "--port", "99999"), "99999 is not in the range 0<=x<=65535"),
        (("inspect", "--port", "-1"), "-1 is not in the range 0<=x<=65535"),
        (("login", "sales", "--port", "70000"), "70000 is not in the range 0<=x<=65535"),
        (("undo", "last"), "'last' is not a valid whole number"),
    ],
)
def test_an_argument_that_is_none_is_told_in_plain_words(
    arguments: tuple[str, ...], says: str
) -> None:
    done = CliRunner().invoke(main, arguments)

    assert done.exit_code == 2
    assert says in done.output
    assert all(len(line) <= 80 for line in done.output.splitlines())
