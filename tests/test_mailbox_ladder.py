"""One rung down to plain RFC 3501 wherever an advertised extension fails, remembered for a day."""

import base64
import gc
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from dovecot import Post
from scripted_imap import HANGUP, Answer, ScriptedImap, asked, facts, part, whole

from daemon.errors import AuthProblem, ConfigProblem, Problem, Rejected, RetryLater
from daemon.intake.server_memory import remembered
from daemon.ledger.store import Ledger
from daemon.mailbox.fetch import BATCH
from daemon.mailbox.imap import Fetched, FolderRole, Mailbox
from daemon.mailbox.ladder import DAY, INSTEAD, Ladder

PLAIN_LIST = b'* LIST () "/" INBOX\r\n* LIST () "/" Sent\r\nTAG OK listed\r\n'
BOTH = (FolderRole("INBOX", "inbox"), FolderRole("Sent", "sent"))
OK = b"TAG OK done\r\n"


def broken(mailbox: Mailbox) -> list[str]:
    return list(mailbox.account.ladder.broken())


@pytest.mark.parametrize(
    "said",
    [
        b"TAG OK nothing\r\n",
        b"TAG BAD no such option\r\n",
        b"TAG NO not now\r\n",
        b'* LIST (\\Sent) "/" Sent\r\nTAG OK a part\r\n',
        HANGUP,
    ],
    ids=["OK and nothing", "BAD", "NO", "without INBOX", "hung up"],
)
def test_a_list_with_options_that_fails_is_asked_for_without(said: bytes) -> None:
    answer: Answer = lambda one: said if b"RETURN" in one else PLAIN_LIST  # noqa: E731
    offered = "IMAP4rev1 SPECIAL-USE LIST-EXTENDED"
    with ScriptedImap({"LIST": answer}, capabilities=offered) as server:
        account = server.account()
        for _ in range(2):
            with Mailbox.connect(account) as mailbox:
                assert mailbox.folders() == BOTH
                assert broken(mailbox) == ["LIST-EXTENDED"]
    # Twice, where it was the first that a new connection was asked.
    assert len([one for one in server.commands if b"RETURN" in one]) <= 2


@pytest.mark.parametrize("said", [b"TAG BAD no\r\n", b"TAG OK\r\n", b"TAG NO no\r\n", HANGUP])
def test_a_list_status_that_fails_is_asked_for_folder_by_folder(said: bytes) -> None:
    def status(command: bytes) -> bytes:
        name = command.split(b" ")[1]
        return b"* STATUS %s (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)\r\nTAG OK\r\n" % name

    answers: dict[str, Answer] = {
        "LIST": lambda one: said if b"STATUS" in one else PLAIN_LIST,
        "STATUS": status,
    }
    offered = "IMAP4rev1 LIST-STATUS LIST-EXTENDED"
    with ScriptedImap(answers, capabilities=offered) as server, server.mailbox() as mailbox:
        for _ in range(2):
            found = mailbox.status(["INBOX", "Sent"])
            assert {name: one.messages for name, one in found.items()} == {"INBOX": 3, "Sent": 3}
        assert broken(mailbox) == ["LIST-STATUS"]
    assert len([one for one in server.commands if one.startswith(b"LIST")]) <= 2


@pytest.mark.parametrize("said", [b"TAG BAD no\r\n", b"TAG OK\r\n", HANGUP])
def test_an_extended_search_that_fails_is_a_plain_one(said: bytes) -> None:
    answer: Answer = lambda one: (  # noqa: E731
        said if b"RETURN" in one else b"* SEARCH 1 2 3\r\nTAG OK\r\n"
    )
    with (
        ScriptedImap({"SEARCH": answer}, capabilities="IMAP4rev1 ESEARCH") as server,
        server.opened() as mailbox,
    ):
        assert mailbox.uids() == [1, 2, 3]
        assert mailbox.uids() == [1, 2, 3]
        assert broken(mailbox) == ["ESEARCH"]


def refuse(text: bytes) -> Answer:
    """A server that takes no AUTHENTICATE."""
    return lambda _: b"TAG " + text + b"\r\n"


@pytest.mark.parametrize(
    "text",
    [b"NO [AUTHENTICATIONFAILED] bad", b"NO unsupported", b"BAD unknown command", b"BAD syntax"],
)
def test_login_is_tried_before_the_password_is_called_wrong(text: bytes) -> None:
    answers = {"AUTHENTICATE": refuse(text)}
    with ScriptedImap(answers, capabilities="IMAP4rev1 AUTH=PLAIN") as server:
        account = server.account()
        for _ in range(2):
            Mailbox.connect(account).close()
        assert list(account.ladder.broken()) == ["AUTH=PLAIN"]
    verbs = [one.split(b" ")[0] for one in server.commands]
    assert (verbs.count(b"AUTHENTICATE"), verbs.count(b"LOGIN")) == (1, 2)


@pytest.mark.parametrize(
    ("plain", "login", "kind"),
    [
        (b"NO [AUTHENTICATIONFAILED] bad", b"NO bad", AuthProblem),
        (b"NO [UNAVAILABLE] later", b"NO bad", RetryLater),
        (b"NO too many connections", b"NO bad", RetryLater),
        (b"NO account is temporarily locked", b"OK", AuthProblem),
        (b"NO [AUTHENTICATIONFAILED] bad", HANGUP, AuthProblem),
    ],
)
def test_what_both_ways_say_decides(plain: bytes, login: bytes, kind: type[Problem]) -> None:
    answers = {"AUTHENTICATE": refuse(plain), "LOGIN": b"TAG " + login + b"\r\n"}
    if login == HANGUP:
        answers["LOGIN"] = HANGUP
    with (
        ScriptedImap(answers, capabilities="IMAP4rev1 AUTH=PLAIN") as server,
        pytest.raises(kind),
    ):
        server.mailbox()


@pytest.mark.parametrize(
    "said",
    [
        "Account temporarily locked, try again later",
        "too many login failures",
        "[LIMIT] Too many failed logins",
        "[UNAVAILABLE] Too many failed login attempts, please try again later",
        "Your account has been locked out",
        "[AUTHENTICATIONFAILED] account is disabled",
        "Maximum number of login attempts exceeded",
        "[ALERT] Please log in via your web browser",
        "Your IP address was blocked after failed logins",
        "Too many invalid attempts. Temporarily unavailable",
        "User account suspended",
    ],
)
def test_a_locked_account_is_a_refused_login(said: str) -> None:
    with (
        ScriptedImap({"LOGIN": b"TAG NO %s\r\n" % said.encode()}) as server,
        pytest.raises(AuthProblem, match="locked: wait"),
    ):
        server.mailbox()


@pytest.mark.parametrize(
    "said",
    [
        "[UNAVAILABLE] Temporary authentication failure",
        "Too many simultaneous connections",
        "[LIMIT] Maximum number of connections from user+IP exceeded",
        "Mailbox is locked by another session, try again",
        "Server too busy, try again later",
        "[INUSE] temporarily unavailable",
    ],
)
def test_what_passes_by_itself_is_no_refused_login(said: str) -> None:
    with (
        ScriptedImap({"LOGIN": b"TAG NO %s\r\n" % said.encode()}) as server,
        pytest.raises(RetryLater),
    ):
        server.mailbox()


@pytest.mark.parametrize(
    ("said", "kind", "hint"),
    [
        ("[PRIVACYREQUIRED] Plaintext login is temporarily off", ConfigProblem, "tls: implicit"),
        ("[CONTACTADMIN] Try again when your administrator agrees", AuthProblem, "whoever runs"),
        ("[AUTHENTICATIONFAILED] Try again", AuthProblem, "check username and password"),
        ("[LIMIT] Go away", RetryLater, ""),
    ],
)
def test_a_response_code_says_more_than_the_words_beside_it(
    said: str, kind: type[Problem], hint: str
) -> None:
    with (
        ScriptedImap({"LOGIN": b"TAG NO %s\r\n" % said.encode()}) as server,
        pytest.raises(kind) as problem,
    ):
        server.mailbox()
    assert hint in str(problem.value)


@pytest.mark.parametrize("code", ["NONEXISTENT", "NOPERM", "CANNOT"])
def test_a_folder_that_is_refused_for_good_is_not_waited_for(code: str) -> None:
    said = b"TAG NO [%s] temporarily unavailable\r\n" % code.encode()
    with (
        ScriptedImap({"EXAMINE": said}) as server,
        server.mailbox() as mailbox,
        pytest.raises(Rejected),
    ):
        mailbox.examine("INBOX")


SECRET = 'Tr0ub4dor "&3'


@pytest.mark.parametrize(
    "repeat",
    [
        lambda line: b"TAG NO can't do " + line + b"\r\n",
        lambda line: b"TAG BAD " + line.upper() + b"\r\n",
        lambda line: b"* BYE bad line: " + line + b"\r\n" + HANGUP,
        lambda line: b"?? " + line + b"\r\n",
        lambda _: b"TAG NO password " + SECRET.encode() + b" is wrong\r\n",
    ],
    ids=["NO", "BAD", "BYE", "garbage", "the password"],
)
@pytest.mark.parametrize("capability", ["IMAP4rev1", "IMAP4rev1 AUTH=PLAIN SASL-IR"])
def test_a_server_that_repeats_the_password_gets_it_shown_nowhere(
    repeat: Callable[[bytes], bytes], capability: str
) -> None:
    answers: dict[str, Answer] = {"LOGIN": repeat, "AUTHENTICATE": repeat}
    with (
        ScriptedImap(answers, capabilities=capability) as server,
        pytest.raises(Problem) as problem,
    ):
        server.mailbox(password=lambda: SECRET)
    said = f"{problem.value} {problem.value!r}".lower()
    assert "tr0ub4dor" not in said
    assert base64.b64encode(f"\0ada\0{SECRET}".encode())[:12].decode().lower() not in said


def without_pieces(command: bytes) -> bytes:
    """A server that has no partial FETCH."""
    if b"<0." in command:
        return b"TAG BAD partial fetch isn't implemented\r\n"
    return served(command)


def served(command: bytes) -> bytes:
    kind, uids = asked(command)
    if kind == "whole":
        return b"".join(whole(uid, b"From: a@b\r\n\r\nhi") for uid in uids) + OK
    return b"".join(facts(uid) if kind == "facts" else part(uid) for uid in uids) + OK


@pytest.mark.parametrize("count", [1, 3, 400])
def test_a_partial_fetch_that_is_refused_is_done_without(count: int) -> None:
    with ScriptedImap({"FETCH": without_pieces}) as server, server.opened() as mailbox:
        found = list(mailbox.fetch(range(1, count + 1)))
        assert len(found) == count
        assert all(isinstance(one, Fetched) and b"hi\r\n" in one.raw for one in found)
        assert broken(mailbox) == ["PARTIAL"]
        asked_before = len([one for one in server.commands if b"<0." in one])
        list(mailbox.fetch([1]))
        assert len([one for one in server.commands if b"<0." in one]) == asked_before


def test_a_piece_that_is_named_in_another_way_is_the_piece() -> None:
    """`<0.4096>` is echoed where RFC 3501 says `<0>`."""

    def echo(command: bytes) -> bytes:
        early = b"hi\r\n" if b"BODY.PEEK[1]" in command else None
        kind, uids = asked(command)
        said = b"".join(facts(uid, early=early) if kind == "facts" else part(uid) for uid in uids)
        return said.replace(b"<0>", b"<0.4096>") + OK

    with ScriptedImap({"FETCH": echo}) as server, server.opened() as mailbox:
        (one,) = mailbox.fetch([1])
        assert isinstance(one, Fetched)
        assert one.raw.endswith(b"hi\r\n")
        many = list(mailbox.fetch(range(1, 101)))
        assert all(isinstance(one, Fetched) and one.raw.endswith(b"hi\r\n") for one in many)


@pytest.mark.parametrize("said", [b"TAG BAD a command is under way\r\n", b"TAG NO busy\r\n", b""])
def test_a_server_that_bears_one_command_at_a_time_is_asked_so(said: bytes) -> None:
    uids = range(1, 3 * BATCH + 1)
    # Of three commands at once, it answers the first.
    given: list[bytes] = []

    def fetch(command: bytes) -> bytes:
        given.append(command)
        return said if 1 < len(given) <= 3 else served(command)

    with ScriptedImap({"FETCH": fetch}) as server:
        account = server.account(read_timeout=0.5)
        with Mailbox.connect(account) as mailbox:
            mailbox.examine("INBOX")
            found = set()
            try:
                found = {one.uid for one in mailbox.fetch(uids) if isinstance(one, Fetched)}
            except RetryLater:
                assert said == b""
                mailbox.reconnect()
                mailbox.examine("INBOX")
                found = {one.uid for one in mailbox.fetch(uids) if isinstance(one, Fetched)}
            assert found == set(uids)
            assert broken(mailbox) == ["PIPELINING"]


def test_pipelining_that_has_worked_is_not_blamed_for_a_lost_line() -> None:
    uids = range(1, 3 * BATCH + 1)
    given: list[bytes] = []

    def fetch(command: bytes) -> bytes:
        given.append(command)
        return served(command) if len(given) <= 2 else HANGUP

    with ScriptedImap({"FETCH": fetch}) as server, server.opened() as mailbox:
        with pytest.raises(RetryLater):
            list(mailbox.fetch(uids))
        assert broken(mailbox) == []
        assert mailbox.under_way


def test_pipelining_is_used_again_if_one_command_alone_costs_the_line_too() -> None:
    uids = range(1, 3 * BATCH + 1)
    with ScriptedImap({"FETCH": lambda _: HANGUP}) as server, server.opened() as mailbox:
        for given_up in (["PIPELINING"], []):
            with pytest.raises(RetryLater):
                list(mailbox.fetch(uids))
            assert broken(mailbox) == given_up
            mailbox.reconnect()
            mailbox.examine("INBOX")


def test_what_is_known_lasts_a_day_and_is_kept_in_the_ledger(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    with ScriptedImap() as server, Ledger.open(tmp_path / "ledger.db") as ledger:
        account = server.account(ladder=Ladder(lambda: now[0]))
        with remembered(account, ledger):
            account.ladder.give_up("ESEARCH", "said BAD")
            account.ladder.slow_down(20)
            account.ladder.found_sent(["Ausgang"])
        again = server.account(ladder=Ladder(lambda: now[0]))
        with remembered(again, ledger):
            assert again.ladder.broken() == {"ESEARCH": "said BAD"}
            assert (again.ladder.batch, again.ladder.sent) == (20, ("Ausgang",))
        now[0] += DAY + 1
        assert not again.ladder.gave_up("ESEARCH")
        assert not again.ladder.looked_for_sent()
        # A stamp of a clock that ran ahead doesn't last longer either.
        again.ladder.give_up("ESEARCH", "said BAD")
        now[0] -= 40 * DAY
        assert not again.ladder.gave_up("ESEARCH")
        other = server.account(username="bob", ladder=Ladder(lambda: now[0]))
        with remembered(other, ledger):
            assert other.ladder.broken() == {}


def test_every_rung_is_told() -> None:
    ladder = Ladder()
    for name in INSTEAD:
        assert ladder.give_up(name, "why")
        assert not ladder.give_up(name, "why again")
    assert ladder.broken() == dict.fromkeys(sorted(INSTEAD), "why")
    assert json.loads(json.dumps(ladder.save()))


def test_nothing_is_given_up_on_a_good_server(dovecot: Post) -> None:
    for _ in range(3):
        dovecot.deliver(b"From: a@x.org\r\n\r\nhi\r\n")
    with dovecot.mailbox(compress=None) as mailbox:
        mailbox.folders()
        mailbox.status(["INBOX", "Sent"])
        mailbox.examine("INBOX")
        assert len(list(mailbox.fetch(mailbox.uids()))) == 3
        assert broken(mailbox) == []


def test_a_server_that_has_no_time_after_the_login_leaves_no_line_open() -> None:
    with ScriptedImap({"ID": b"TAG NO throttled\r\n"}, capabilities="IMAP4rev1 ID") as server:
        with pytest.raises(RetryLater, match="throttled"):
            server.mailbox()
        gc.collect()  # a socket that is still open is an error of this test then
