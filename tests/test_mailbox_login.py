"""Getting in: certificates, clear text, credentials, and servers that won't let anybody in now."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dovecot import Post, with_capability
from scripted_imap import HANGUP, ScriptedImap

from daemon.errors import AuthProblem, ConfigProblem, Problem, RetryLater
from daemon.mailbox import imap_errors
from daemon.mailbox.imap import Account, Mailbox
from daemon.mailbox.login import is_loopback
from daemon.sandbox.imap_server import start_imap
from daemon.sandbox.ports import kept_ports


@pytest.fixture(scope="module")
def other_certificate() -> Iterator[Path]:
    with start_imap("auto", tls=True) as server:
        assert server.ca_file is not None
        yield server.ca_file


def tls(dovecot: Post, **changes: object) -> Account:
    server = dovecot.server
    implicit = {"tls": "implicit", "port": server.tls_port, "ca_file": str(server.ca_file)}
    return dovecot.account(**(implicit | changes))


def test_implicit_tls_with_a_private_ca(dovecot: Post) -> None:
    with Mailbox.connect(tls(dovecot)) as mailbox:
        assert mailbox.examine("INBOX").messages == 0


def test_starttls_with_a_private_ca(dovecot: Post) -> None:
    account = tls(dovecot, tls="starttls", port=dovecot.server.port)
    with Mailbox.connect(account) as mailbox:
        mailbox.command(b"NOOP")
        assert "LIST-STATUS" in mailbox.capabilities


def test_a_host_name_that_the_certificate_covers(dovecot: Post) -> None:
    with Mailbox.connect(tls(dovecot, host="localhost")) as mailbox:
        mailbox.command(b"NOOP")


@pytest.mark.parametrize("way", ["implicit", "starttls"])
def test_an_untrusted_certificate_is_for_a_person_and_names_ca_file(
    dovecot: Post, way: str
) -> None:
    port = dovecot.server.tls_port if way == "implicit" else dovecot.server.port
    with pytest.raises(ConfigProblem, match="ca_file") as problem:
        Mailbox.connect(tls(dovecot, tls=way, port=port, ca_file=None))

    assert "certificate" in str(problem.value)


def test_a_certificate_of_another_ca_names_the_file(dovecot: Post, other_certificate: Path) -> None:
    with pytest.raises(ConfigProblem, match=str(other_certificate)):
        Mailbox.connect(tls(dovecot, ca_file=str(other_certificate)))


def test_a_ca_file_that_is_missing_or_no_certificate(dovecot: Post, tmp_path: Path) -> None:
    (tmp_path / "junk.pem").write_text("junk")
    for name in ("absent.pem", "junk.pem"):
        with pytest.raises(ConfigProblem, match=name):
            Mailbox.connect(tls(dovecot, ca_file=str(tmp_path / name)))


def test_tls_to_a_port_without_it(dovecot: Post) -> None:
    with pytest.raises(ConfigProblem, match="doesn't speak TLS"):
        Mailbox.connect(tls(dovecot, port=dovecot.server.port))


@pytest.mark.parametrize(
    "reason", ["WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"]
)
def test_each_version_of_openssl_says_otherwise_that_there_is_no_tls(reason: str) -> None:
    error = ssl.SSLError(1, "[SSL] (_ssl.c:1006)")
    error.reason = reason
    assert isinstance(imap_errors.not_connected(error, what="a", ca_file=None), ConfigProblem)


@pytest.mark.parametrize("tell", [imap_errors.lost, imap_errors.not_connected])
def test_no_number_of_the_operating_system_is_told(tell: Callable[..., Problem]) -> None:
    more = {} if tell is imap_errors.lost else {"ca_file": None}
    told = str(tell(ConnectionRefusedError(111, "Connection refused"), what="sales", **more))
    assert told.endswith("Connection refused")
    assert "Errno" not in told


@pytest.mark.parametrize("password", ["wrong", "", "päßwörd", 'with "quotes" and \\'])
def test_a_wrong_password_needs_a_person(dovecot: Post, password: str) -> None:
    with pytest.raises(AuthProblem, match="sales"):
        dovecot.mailbox(password=lambda: password)


@pytest.mark.parametrize("password", ["päßwörd", 'with "quotes" and \\', "with spaces  "])
def test_any_password_works(dovecot: Post, password: str) -> None:
    user = f"odd{abs(hash(password))}@example.com"
    dovecot.server.add_user(user, password)
    with dovecot.mailbox(username=user, password=lambda: password) as mailbox:
        mailbox.command(b"NOOP")


def test_too_many_connections_pass_by_themselves() -> None:
    with start_imap("dovecot", connections=1) as server:
        post = Post(server, "sales@example.com", "secret")
        with post.mailbox(), pytest.raises(RetryLater, match="Maximum number of connections"):
            post.mailbox()


def test_a_weak_server_will_do() -> None:
    with start_imap("dovecot", settings=with_capability("IMAP4rev1 UIDPLUS")) as server:
        post = Post(server, "sales@example.com", "secret")
        post.deliver(b"From: a@x.org\r\n\r\nhi\r\n")
        with post.mailbox() as mailbox:
            assert mailbox.capabilities == {"IMAP4REV1", "UIDPLUS"}
            assert [one.role for one in mailbox.folders()] == ["inbox", "sent"]
            assert mailbox.status(["INBOX", "Sent", "absent"]).keys() == {"INBOX", "Sent"}
            mailbox.examine("INBOX")
            assert mailbox.uids() == [1]
            assert [one.uid for one in mailbox.fetch([1])] == [1]
            # CLOSE instead of UNSELECT, which it hasn't.
            assert mailbox.status(["INBOX"])["INBOX"].messages == 1


def test_clear_text_is_for_loopback_only() -> None:
    with pytest.raises(ConfigProblem, match="clear text"):
        Mailbox.connect(Account("sales", "imap.example.com", "ada", lambda: "pw", tls="none"))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_told_by_its_spelling(host: str, *, loopback: bool) -> None:
    assert is_loopback(host) == loopback


@pytest.mark.parametrize(
    ("user", "password"), [("ada\r\nX LOGOUT", "pw"), ("ada", "pw\nX"), ("a\0", "b")]
)
def test_nothing_configured_becomes_a_second_command(user: str, password: str) -> None:
    for capabilities in ("IMAP4rev1", "IMAP4rev1 AUTH=PLAIN"):
        with ScriptedImap(capabilities=capabilities) as server:
            with pytest.raises(ConfigProblem, match="control character"):
                server.mailbox(username=user, password=lambda password=password: password)

            assert [line.split()[0] for line in server.commands] == [b"CAPABILITY"]


def test_a_user_name_is_quoted_for_login() -> None:
    with ScriptedImap() as server, server.mailbox(username='a "b" \\c', password=lambda: 'p"w'):
        assert rb'LOGIN "a \"b\" \\c" "p\"w"' in server.commands


def test_a_password_beyond_ascii_without_auth_plain_needs_a_person() -> None:
    with ScriptedImap() as server, pytest.raises(ConfigProblem, match="ASCII"):
        server.mailbox(password=lambda: "pässword")


def test_logindisabled_is_obeyed() -> None:
    with ScriptedImap(capabilities="IMAP4rev1 LOGINDISABLED") as server:
        with pytest.raises(ConfigProblem, match="takes no password"):
            server.mailbox()

        assert not any(b"pw" in line for line in server.commands)


def test_starttls_that_is_not_offered_sends_no_password() -> None:
    for greeting, capabilities in (
        (b"* OK hi\r\n", "IMAP4rev1"),
        (b"* PREAUTH welcome\r\n", "IMAP4rev1 STARTTLS"),
    ):
        with ScriptedImap(greeting=greeting, capabilities=capabilities) as server:
            with pytest.raises(ConfigProblem, match="STARTTLS"):
                server.mailbox(tls="starttls")

            assert [line.split()[0] for line in server.commands] == [b"CAPABILITY"]


def test_a_server_that_knows_us_by_the_line_alone_is_asked_for_no_login() -> None:
    greeting = b"* PREAUTH welcome ada\r\n"
    with ScriptedImap(greeting=greeting, capabilities="IMAP4rev1 AUTH=PLAIN") as server:
        with server.mailbox() as mailbox:
            assert mailbox.examine("INBOX").messages == 3

        assert not any(b"pw" in line or b"AUTHENTICATE" in line for line in server.commands)


LATER = [
    b"TAG NO [UNAVAILABLE] Temporary authentication failure.\r\n",
    b"TAG NO [LIMIT] Maximum number of connections\r\n",
    b"TAG NO [INUSE] maildrop locked\r\n",
    b"TAG NO [ALERT] Too many simultaneous connections. (Failure)\r\n",
    b"TAG NO Server Unavailable. 15\r\n",
    b"TAG BAD User is authenticated but not connected.\r\n",
    b"TAG BAD Command Argument Error. 11\r\n",
    b"TAG NO [THROTTLED] slow down\r\n",
    b"* BYE Connection closed. 14\r\n" + HANGUP,
    HANGUP,
    b"complete nonsense\r\n",
]
FOR_A_PERSON = [
    b"TAG NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n",
    b"TAG NO [authenticationfailed] lower case\r\n",
    b"TAG NO [AUTHORIZATIONFAILED] no such user\r\n",
    b"TAG NO [EXPIRED] that password was good once\r\n",
    b"TAG NO LOGIN failed.\r\n",
    b"TAG NO [AUTHENTICATIONFAILED] temporarily blocked\r\n",
]


@pytest.mark.parametrize("said", LATER)
@pytest.mark.parametrize("capabilities", ["IMAP4rev1", "IMAP4rev1 AUTH=PLAIN"])
def test_a_login_that_fails_for_the_servers_own_reasons_is_tried_later(
    said: bytes, capabilities: str
) -> None:
    answers = {"LOGIN": said, "AUTHENTICATE": said}
    with (
        ScriptedImap(answers, capabilities=capabilities) as server,
        pytest.raises(RetryLater, match="sales"),
    ):
        server.mailbox()


def test_a_login_without_a_mailbox_behind_it_is_tried_later_with_the_advice() -> None:
    said = b"TAG BAD User is authenticated but not connected.\r\n"
    with (
        ScriptedImap({"LOGIN": said, "AUTHENTICATE": said}) as server,
        pytest.raises(RetryLater, match=r"not connected.*\(grant FullAccess\)"),
    ):
        server.mailbox(advice="grant FullAccess")


@pytest.mark.parametrize("said", FOR_A_PERSON)
@pytest.mark.parametrize("capabilities", ["IMAP4rev1", "IMAP4rev1 AUTH=PLAIN"])
def test_a_login_that_is_refused_needs_a_person(said: bytes, capabilities: str) -> None:
    answers = {"LOGIN": said, "AUTHENTICATE": said}
    with (
        ScriptedImap(answers, capabilities=capabilities) as server,
        pytest.raises(AuthProblem, match=r"sales: login refused: [\[A-Z]"),
    ):
        server.mailbox()


def test_a_throttled_login_names_the_wait() -> None:
    said = b"TAG NO Request is throttled. Suggested Backoff Time: 120000 milliseconds\r\n"
    with ScriptedImap({"LOGIN": said}) as server, pytest.raises(RetryLater) as problem:
        server.mailbox()

    assert problem.value.after == 120


def test_a_wait_is_bounded() -> None:
    said = b"TAG NO Suggested Backoff Time: 99999999999 milliseconds\r\n"
    with ScriptedImap({"LOGIN": said}) as server, pytest.raises(RetryLater) as problem:
        server.mailbox()

    assert problem.value.after == 3600


@pytest.mark.parametrize(
    "greeting",
    [
        b"* BYE [UNAVAILABLE] too busy\r\n" + HANGUP,
        b"HTTP/1.1 400 Bad Request\r\n\r\n" + HANGUP,
        b"220 smtp.example.com ESMTP\r\n" + HANGUP,
        b"* OK no line end" + HANGUP,
        b"" + HANGUP,
        b"* OK ready\r\n" + b"* OK and another thing\r\n" * 100_000,
        b"* OK " + b"x" * 2_000_000 + b"\r\n",
        b"* OK ready\r\n* LIST {99999999999}\r\n",
    ],
    ids=[
        "bye",
        "http",
        "smtp",
        "cut",
        "nothing",
        "endless lines",
        "endless line",
        "endless literal",
    ],
)
def test_a_strange_greeting_is_tried_later(greeting: bytes) -> None:
    with ScriptedImap(greeting=greeting) as server, pytest.raises(RetryLater, match="sales"):
        server.mailbox()


def test_a_silent_server_is_left_after_the_connect_timeout() -> None:
    for tls_kind in ("none", "implicit"):
        with ScriptedImap(greeting=b"") as server, pytest.raises(RetryLater, match="in time"):
            server.mailbox(connect_timeout=0.2, tls=tls_kind)


def test_a_server_that_goes_silent_is_left_after_the_read_timeout() -> None:
    with ScriptedImap({"NOOP": b""}) as server, pytest.raises(RetryLater, match="in time"):
        server.mailbox(read_timeout=0.2).command(b"NOOP")


def test_a_port_where_nobody_listens_is_tried_later() -> None:
    with kept_ports(1) as (port,):
        account = Account("sales", "127.0.0.1", "ada", lambda: "pw", port=port, tls="none")
        with pytest.raises(RetryLater, match=f"127.0.0.1:{port}"):
            Mailbox.connect(account)


def test_an_unknown_host_is_tried_later() -> None:
    with pytest.raises(RetryLater, match="host not found"):
        Mailbox.connect(Account("sales", "imap.invalid", "ada", lambda: "pw"))


def test_no_error_shows_the_password() -> None:
    secret = "hunter2-very-secret"
    for said in [*LATER, *FOR_A_PERSON]:
        with (
            ScriptedImap({"LOGIN": said}) as server,
            pytest.raises((AuthProblem, RetryLater)) as problem,
        ):
            server.mailbox(password=lambda: secret)

        error: BaseException | None = problem.value
        while error is not None:
            assert secret not in repr(error)
            error = error.__cause__ or error.__context__


def test_netease_hears_our_name_before_a_folder_is_opened() -> None:
    with ScriptedImap({"ID": b"* ID NIL\r\nTAG OK\r\n"}, capabilities="IMAP4rev1 ID") as server:
        with server.opened():
            pass

        verbs = [line.split()[0] for line in server.commands]
        assert verbs.index(b"ID") < verbs.index(b"EXAMINE")
