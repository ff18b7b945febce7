"""`check`: every line a tick or the one thing to do, and nothing is written anywhere."""

import socket
from dataclasses import replace
from typing import Any

import pytest
import yaml
from cli_kit import Desk, caught_up, run

from daemon.cli.check import command
from daemon.sandbox.crm import Fault, Sandbox, Switches


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
    assert "an administrator, who sees everything" in lines["pipedrive: permissions"]
    assert "email, meeting" in lines["pipedrive: activity types"]
    assert "archived" in lines["pipedrive: lists"]
    assert "210000 tokens a day" in lines["pipedrive: budget"]
    assert "! every mail becomes an activity" in lines["activities"]
    assert "all is well" in lines["end"]
    assert office_desk.writes() == 0
    assert not office_desk.ledger.exists()


def test_after_a_run_the_fields_are_there_and_the_ledger_counts(
    read_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    caught_up(read_desk)
    status, lines = told(read_desk, capsys)

    assert status == 0
    assert "all there" in lines["pipedrive: fields"]
    assert "301 messages" in lines["ledger"]


def test_fields_that_were_refused_are_named_with_the_reason(
    read_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = read_desk.sandbox.settings
    read_desk.sandbox.settings = replace(settings, custom_field_cap=1)
    caught_up(read_desk)

    status, lines = told(read_desk, capsys)

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


def test_a_deactivated_owner_an_inactive_type_and_a_blind_token_are_told(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox = office_desk.sandbox
    settings = sandbox.settings
    sandbox.change(inactive_types=("email",), lists_all_permissions=True)
    blind = replace(settings.users[0], apps=(), denied=("can_see_other_users", "can_add_leads"))
    others = list(settings.users[1:])
    section(office_desk, "mailboxes", owner=others[0].email)
    Switches(sandbox).deactivate(others[0].email)

    status, lines = told(office_desk, capsys)

    assert status == 2
    assert "email is missing or switched off" in lines["pipedrive: activity types"]
    assert "set activities.emails: false" in lines["pipedrive: activity types"]
    assert f"{others[0].email} is deactivated" in lines["pipedrive: owners"]

    Switches(sandbox).permit(settings.users[0].email, denied=blind.denied, apps=())
    status, lines = told(office_desk, capsys)
    assert "this user may not add leads" in lines["pipedrive: permissions"]
    Switches(sandbox).permit(settings.users[0].email, denied=("can_see_other_users",), apps=())
    _, lines = told(office_desk, capsys)
    assert "sees no other user's records" in lines["pipedrive: permissions"]
    assert "administrator of deals and of global settings" in lines["pipedrive: permissions"]


def makes_for(sandbox: Sandbox, email: str, level: int) -> None:
    """Who sees what a user makes by default: 1 its owner, 3 everybody."""
    with sandbox.at_work() as call:
        (user,) = [one for one in call.store.select("users") if one["email"] == email]
        call.store.save("users", user | {"visibility": level}, call.now)


def test_lists_that_the_token_may_not_read_are_told(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in ("/leads$", "/deals/archived$"):
        fault = Fault("refuse", status=403, method="GET", path=path, count=None)
        office_desk.sandbox.faults.add(fault)

    status, lines = told(office_desk, capsys)

    assert status != 0
    assert lines["pipedrive: lists"].startswith("✗")
    assert "leads.list" in lines["pipedrive: lists"]
    assert "deals.archived" in lines["pipedrive: lists"]
    assert "leads.archived" not in lines["pipedrive: lists"]


def test_owners_whose_records_would_be_hidden_from_the_token_are_told(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox = office_desk.sandbox
    me, other = (user.email for user in sandbox.settings.users[:2])
    section(office_desk, "mailboxes", owner=other)
    makes_for(sandbox, other, 1)

    _, lines = told(office_desk, capsys)
    assert "✓" in lines["pipedrive: owners"]  # an administrator sees it all the same

    Switches(sandbox).permit(me, apps=("account_settings",))
    status, lines = told(office_desk, capsys)
    assert status == 1
    assert "✗" in lines["pipedrive: owners"]
    assert f"{other} (persons, organizations, deals, leads)" in lines["pipedrive: owners"]

    makes_for(sandbox, other, 3)
    _, lines = told(office_desk, capsys)
    assert "✓" in lines["pipedrive: owners"]


def test_what_is_wrong_on_this_machine_is_found_without_any_server(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    section(office_desk, "mailboxes", since="2999-01-01", password={"file": "nowhere"})
    section(office_desk, "mailboxes", folders={"inbox": ["INBOX", "Both"], "sent": ["Both"]})
    office_desk.change(us={"domains": ["larkfield.example", "Gmail.com"]})
    oauth = {"provider": "google", "client_id": "c", "client_secret": {"env": "NOT_SET_ANYWHERE"}}
    office_desk.change(ledger=str(office_desk.config / "ledger.db"), logins={"google": oauth})
    before = office_desk.requests()
    capsys.readouterr()

    assert run(command, office_desk.wiring(), "--offline") == 2

    shown = capsys.readouterr().out
    assert "since is 2999-01-01, in the future" in shown
    assert "nowhere can't be read" in shown
    assert "config.yaml isn't a directory" in shown
    assert "gmail.com is a public provider" in shown
    assert "Both is named as inbox and as sent" in shown
    assert "logins.google.client_secret: {env: NOT_SET_ANYWHERE}" in shown
    assert "6 things to do" in shown
    assert office_desk.requests() == before


def test_a_server_that_accepts_and_says_nothing_is_named_and_costs_one_try(
    office_desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.wiring.edges._PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        section(office_desk, "pipedrive", base_url=f"http://{host}")
        status, lines = told(office_desk, capsys)

    assert status == 75
    assert "127.0.0.1" in lines["pipedrive: token"]


def test_a_plan_that_isnt_theirs_is_noticed(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    section(office_desk, "pipedrive", plan="lite")

    status, lines = told(office_desk, capsys)

    assert status == 0
    assert "set pipedrive.plan and pipedrive.seats to yours" in lines["pipedrive: budget"]
