"""`check`: every line a tick or the one thing to do, and nothing is written anywhere."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_kit import Desk, desk, run
from company_kit import Office

from daemon.cli.catch_up import catch_up
from daemon.cli.check import command


@pytest.fixture
def office_desk(small_company: Office, tmp_path: Path) -> Iterator[Desk]:
    with desk(small_company, tmp_path) as opened:
        yield opened


def told(at: Desk, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    """The exit status, and each line's text with its mark, by what it is about."""
    capsys.readouterr()
    status = run(command, at.wiring())
    shown = capsys.readouterr().out.splitlines()
    lines = {"end": shown.pop()}
    for line in shown:
        mark, (head, _, rest) = line[:2].strip(), line[3:].partition(": ")
        if head.startswith(("mailbox", "pipedrive")):
            head = f"{head}: {rest.partition(': ')[0]}"
        lines[head] = f"{mark} {rest}"
    return status, lines


def section(at: Desk, name: str, **changes: Any) -> None:
    document = yaml.safe_load(at.config.read_text())
    found = document[name]
    (found[0] if isinstance(found, list) else found).update(changes)
    at.config.write_text(yaml.safe_dump(document))


def test_a_good_configuration_gets_ticks_all_the_way(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    status, lines = told(office_desk, capsys)

    assert status == 0
    assert "✓" in lines["mailbox sales: login"]
    assert "offers IDLE" in lines["mailbox sales: server"]
    assert "role inbox, 206 messages" in lines["mailbox sales: INBOX"]
    assert "role sent, 95 messages" in lines["mailbox sales: Sent"]
    assert "Ada Example" in lines["pipedrive: token"]
    assert "'Initial Contact' in 'Sales'" in lines["pipedrive: stage"]
    assert "will be made: Thread count" in lines["pipedrive: fields"]
    assert "an administrator" in lines["pipedrive: permissions"]
    assert "210000 tokens a day" in lines["pipedrive: budget"]
    assert "! every mail becomes an activity" in lines["activities"]
    assert "all is well" in lines["end"]
    assert office_desk.writes() == 0
    assert not office_desk.ledger.exists()


def test_after_a_run_the_fields_are_there_and_the_ledger_counts(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    catch_up(office_desk.wiring(), since=None, mailbox=None, intake_only=False, sync_only=False)
    status, lines = told(office_desk, capsys)

    assert status == 0
    assert "all there" in lines["pipedrive: fields"]
    assert "301 messages" in lines["ledger"]


def test_fields_that_were_refused_are_named_with_the_reason(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = office_desk.sandbox.settings
    office_desk.sandbox.settings = replace(settings, custom_field_cap=1)
    catch_up(office_desk.wiring(), since=None, mailbox=None, intake_only=False, sync_only=False)

    status, lines = told(office_desk, capsys)

    assert status == 1
    assert "missing: " in lines["pipedrive: fields"]
    assert "feature_capping_custom_fields_limit" in lines["pipedrive: fields"]
    assert "everything else works without" in lines["pipedrive: fields"]


BROKEN = {
    "a wrong password": ("mailboxes", {"password": "wrong"}, "mailbox sales: login", 2),
    "a folder that isn't there": (
        "mailboxes",
        {"folders": {"inbox": ["INBOX"], "sent": ["Gesendet"]}},
        "mailbox sales: Gesendet",
        2,
    ),
    "a server that is away": ("mailboxes", {"port": 1}, "mailbox sales: login", 75),
    "a wrong token": ("pipedrive", {"token": "wrong"}, "pipedrive: token", 2),
    "a stage that isn't there": ("pipedrive", {"stage": "Nowhere"}, "pipedrive: stage", 2),
    "an unknown owner": ("mailboxes", {"owner": "eve@example.com"}, "pipedrive: owners", 2),
}


@pytest.mark.parametrize(("where", "changes", "line", "status"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_broken_is_told_with_the_one_thing_to_do(
    office_desk: Desk,
    capsys: pytest.CaptureFixture[str],
    where: str,
    changes: dict[str, Any],
    line: str,
    status: int,
) -> None:
    section(office_desk, where, **changes)

    found, lines = told(office_desk, capsys)

    assert found == status
    assert "✗" in lines[line]
    assert lines["end"] == "1 thing to do before this can run"


def test_a_plan_that_isnt_theirs_is_noticed(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    section(office_desk, "pipedrive", plan="lite")

    status, lines = told(office_desk, capsys)

    assert status == 0
    assert "set pipedrive.plan and pipedrive.seats to yours" in lines["pipedrive: budget"]
