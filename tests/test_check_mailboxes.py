"""What `check` says of mailboxes whose server does strange things, and of what can't be meant."""

from pathlib import Path

import pytest
from config_kit import written
from scripted_imap import HANGUP, Answer, ScriptedImap

from daemon.config import load
from daemon.errors import exit_status
from daemon.intake.server_memory import remembered
from daemon.ledger.store import Ledger
from daemon.maintenance.check import CheckLine, check_here, check_mailboxes
from daemon.wiring import Wiring

LIST = b'* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Sent\r\nTAG OK listed\r\n'


def wiring(home: Path, port: int = 1, us: str = "{}", box: str = "owner: null") -> Wiring:
    text = f"""
        mailboxes:
          - {{name: sales, host: 127.0.0.1, port: {port}, tls: none, username: ada, password: pw,
             {box}}}
        pipedrive: {{company: yourcompany, token: "{"a" * 40}"}}
        us: {us}
        ledger: {home}/ledger.db
        """
    return Wiring(load(written(home, text)))


def lines(found: Wiring) -> dict[str, CheckLine]:
    return {line.what.removeprefix("mailbox sales: "): line for line in check_mailboxes(found)}


@pytest.mark.parametrize(
    ("inbox", "sent", "both"),
    [
        ("sent", "SENT", True),
        ("Entw\u00fcrfe", "Entwu\u0308rfe", True),
        ("INBOX.Sent", "Sent", True),
        ("auto", "INBOX", True),
        ("Sent", "Sent", False),  # told without a server
        ("inbox", "INBOX", False),
        ("INBOX", "Sent", False),
    ],
)
def test_two_spellings_of_one_folder_are_one_folder_in_both_roles(
    inbox: str, sent: str, both: bool, tmp_path: Path
) -> None:
    there = LIST.replace(b"TAG", b'* LIST () "/" "Entw&APw-rfe"\r\nTAG')
    names = inbox if inbox == "auto" else f"INBOX, {inbox}"
    box = f"folders: {{inbox: [{names}], sent: [{sent}]}}"
    with ScriptedImap({"LIST": there}) as server:
        told = lines(wiring(tmp_path, server.port, box=box)).get("folders")

    assert (told is not None) == both
    if told is not None:
        assert "is named as inbox and as sent" in str(told.problem)


@pytest.mark.parametrize(
    ("first", "second", "problems", "notes"),
    [
        ("inbox: [INBOX], sent: [Sent]", "inbox: [Sent], sent: [INBOX]", 2, 0),
        ("inbox: [INBOX]", "inbox: [SENT], sent: [Old]", 1, 0),  # found by its flag here
        ("inbox: [inbox], sent: [sent]", "inbox: [INBOX.Sent], sent: [Old]", 1, 0),
        ("inbox: [INBOX], sent: [Old]", "inbox: [inbox], sent: [Sent]", 0, 1),
        ("inbox: [INBOX], sent: [Old]", "inbox: [Sent], sent: [Done]", 0, 0),
    ],
)
@pytest.mark.parametrize("login", ["ada", "bob"])
def test_one_account_in_two_entries_has_each_folder_in_one_role(
    first: str, second: str, problems: int, notes: int, login: str, tmp_path: Path
) -> None:
    there = LIST.replace(b"TAG", b'* LIST () "/" Old\r\n* LIST () "/" Done\r\nTAG')
    with ScriptedImap({"LIST": there}) as server:
        server_of = f"host: 127.0.0.1, port: {server.port}, tls: none, password: pw"
        text = f"""
            mailboxes:
              - {{name: sales, {server_of}, username: ada, folders: {{{first}}}}}
              - {{name: info, {server_of}, username: {login}, folders: {{{second}}}}}
            pipedrive: {{company: yourcompany, token: "{"a" * 40}"}}
            us: {{}}
            ledger: {tmp_path}/ledger.db
            """
        found = list(check_mailboxes(Wiring(load(written(tmp_path, text)))))

    told = [line for line in found if line.what == "mailbox info: folders"]
    same = login == "ada"
    assert len([line for line in told if line.problem]) == problems * same
    assert len([line for line in told if "the same account" in line.note]) == notes * same


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"TAG NO [NOPERM] not for you\r\n", 1),
        (b"TAG NO [NONEXISTENT] no such folder\r\n", 1),
        (b"TAG BAD what\r\n", 1),
        (b"TAG NO [INUSE] in use\r\n", 75),
        (b"* BYE internal error\r\n" + HANGUP, 75),
        (HANGUP, 75),
        (b"* 3 EXISTS\r\nTAG OK but no UIDVALIDITY\r\n", 1),
        (b"<html>\r\n", 75),
    ],
)
def test_a_folder_that_cannot_be_opened_gets_no_tick_and_costs_no_other(
    said: bytes, status: int, tmp_path: Path
) -> None:
    good = b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 1] ok\r\nTAG OK\r\n"
    answers: dict[str, Answer] = {
        "LIST": LIST,
        "EXAMINE": lambda one: said if b"INBOX" in one else good,
    }
    with ScriptedImap(answers) as server:
        found = lines(wiring(tmp_path, server.port))

    problem = found["INBOX"].problem
    assert problem is not None
    assert exit_status(problem) == status
    assert found["Sent"].problem is None
    assert "role sent, 0 messages" in found["Sent"].found


@pytest.mark.parametrize("said", [b"TAG NO [NOPERM] no right to read\r\n", b"TAG BAD what\r\n"])
def test_a_folder_that_can_be_opened_and_not_read_gets_no_tick(said: bytes, tmp_path: Path) -> None:
    with ScriptedImap({"LIST": LIST, "FETCH": said}) as server:
        told = lines(wiring(tmp_path, server.port))

    assert told["INBOX"].problem is not None


def test_what_the_service_has_learned_of_a_server_is_shown(tmp_path: Path) -> None:
    with ScriptedImap({"LIST": LIST}, capabilities="IMAP4rev1 ESEARCH") as server:
        service = wiring(tmp_path, server.port)
        account = service.account(service.config.mailboxes[0])
        with Ledger.open(tmp_path / "ledger.db") as ledger, remembered(account, ledger):
            account.ladder.give_up("ESEARCH", "said BAD")
            account.ladder.slow_down(7)
        found = lines(wiring(tmp_path, server.port))

    note = (
        "ESEARCH is offered and fails (said BAD): mail2deal searches with a plain SEARCH for a day"
    )
    assert found["ESEARCH"].note == note
    assert found["pace"].note == "the server is slow: 7 mails are asked for at once"


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ("gmail.com", "public provider"),
        ("Hotmail.DE", "public provider"),
        ("yahoo.co.jp", "public provider"),
        ("co.uk", "customers of its own"),
        ("gov.uk", "customers of its own"),
        ("acme.co.uk", None),
        ("straße.example", None),
        ("mail.acme.example", None),
    ],
)
def test_a_domain_that_cannot_all_be_ours_is_said(
    domain: str, said: str | None, tmp_path: Path
) -> None:
    problems = [
        line.problem for line in check_here(wiring(tmp_path, us=f"{{domains: ['{domain}']}}"))
    ]
    told = [str(problem) for problem in problems if problem is not None]
    assert [said is not None and said in one for one in told] == ([] if said is None else [True])
