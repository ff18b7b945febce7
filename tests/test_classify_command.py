"""`classify.command` as people use it: a program that a running service and a catch-up ask."""

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from dovecot import Post
from service_process import ServiceProcess, eventually

from daemon.ledger.store import Ledger
from daemon.sandbox.crm import Sandbox, Server, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN

PROGRAM = """#!{python}
import json, sys
question = json.load(sys.stdin)
with open({log!r}, "a") as log:
    log.write(question["from"]["address"] + " " + question["subject"] + "\\n")
answer = {{"agency": "pitch", "mills": "machine", "ada": "person"}}
name = question["from"]["address"].partition("@")[0]
if name == "broken":
    sys.exit("no idea")
print(answer.get(name, "perhaps"))
"""


def mail(name: str, number: int = 1) -> bytes:
    return (
        f"From: {name.title()} Byron <{name}@{name}.example>\r\nTo: us@example.com\r\n"
        f"Subject: number {number}\r\nMessage-ID: <{number}@{name}.example>\r\n\r\n"
        "Could we talk about the pumps?\r\n"
    ).encode()


@pytest.fixture
def service(dovecot: Post, tmp_path: Path) -> Iterator[ServiceProcess]:
    settings = Settings(plan="ultimate", burst=False)
    with closing(Sandbox(settings=settings)) as sandbox, Server(sandbox) as crm:
        program = tmp_path / "classify"
        log = str(tmp_path / "asked")
        program.write_text(PROGRAM.format(python=sys.executable, log=log))
        program.chmod(0o700)
        config = {
            "mailboxes": [dovecot.section(tmp_path)],
            "pipedrive": {"base_url": crm.url, "token": DEFAULT_TOKEN, "plan": "ultimate"},
            "poll": {"every": "1h"},
            "classify": {"command": [str(program)]},
            "ledger": str(tmp_path / "ledger.db"),
        }
        yield ServiceProcess(tmp_path, config)


def classes(service: ServiceProcess) -> dict[str, str]:
    with Ledger.open(service.home / "ledger.db", readonly=True) as ledger:
        rows = ledger.rows("SELECT address, class FROM senders")
    return {row["address"].partition("@")[0]: row["class"] for row in rows}


def asked(service: ServiceProcess) -> list[str]:
    return sorted((service.home / "asked").read_text().splitlines())


JUDGED = {"agency": "ignore", "mills": "ignore", "ada": "lead", "broken": "lead", "other": "lead"}


def test_a_running_service_and_a_catch_up_ask_once_of_each_first_mail(
    dovecot: Post, service: ServiceProcess
) -> None:
    for name in JUDGED:
        dovecot.deliver(mail(name))
    service.run("--catch-up", "--intake-only")
    assert classes(service) == JUDGED
    first = [f"{name}@{name}.example number 1" for name in sorted(JUDGED)]
    assert asked(service) == first

    service.run("--catch-up", "--intake-only")
    dovecot.deliver(mail("ada", 2))  # her second
    dovecot.deliver(mail("agency"))  # a copy of its first
    with service.running() as process:
        dovecot.deliver(mail("late"))
        eventually(service.logged("intake.classify_failed"), process)
        eventually(lambda: "late" in classes(service), process)
        eventually(lambda: len(asked(service)) == len(first) + 1, process)
        told = service.run("explain", "--json", "agency@agency.example")
    assert asked(service) == sorted([*first, "late@late.example number 1"])
    assert classes(service) == JUDGED | {"late": "lead"}
    assert "your command says that it is a sales pitch" in told


def test_a_command_that_is_not_there_changes_nothing(
    dovecot: Post, service: ServiceProcess
) -> None:
    (service.home / "classify").unlink()
    for name in JUDGED:
        dovecot.deliver(mail(name))
    service.run("--catch-up", "--intake-only")
    assert classes(service) == dict.fromkeys(JUDGED, "lead")
