"""OAuth 2: tokens that are fresh, durable and nobody else's; the two ways to grant; Dovecot."""

import dataclasses
import json
import socket
import stat
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from dovecot import Post, with_oauth
from oauth_server import OAuthServer, oauth_server
from scripted_imap import ScriptedImap

from daemon.errors import AuthProblem, ConfigProblem, LedgerProblem, RetryLater
from daemon.mailbox.imap import Mailbox
from daemon.oauth import grant
from daemon.oauth.provider import Provider, google, microsoft
from daemon.oauth.tokens import Tokens
from daemon.sandbox.imap_server import installed, start_imap


@pytest.fixture
def server() -> Iterator[OAuthServer]:
    with oauth_server() as running:
        yield running


def provider(server: OAuthServer) -> Provider:
    return Provider(
        "sales",
        "me",
        f"{server.url}/token",
        ("imap",),
        lambda: "client-secret",
        device_url=f"{server.url}/device",
        authorize_url=f"{server.url}/authorize",
    )


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(server: OAuthServer, tmp_path: Path, clock: Clock) -> Tokens:
    return Tokens(
        provider(server), tmp_path / "tokens" / "sales.json", seed=lambda: "refresh-0", now=clock
    )


def test_a_token_is_asked_for_once_and_again_five_minutes_before_it_ends(
    tokens: Tokens, server: OAuthServer, clock: Clock
) -> None:
    assert tokens.access() == tokens.access() == "access-1"

    clock.now += timedelta(seconds=3600 - 301)
    assert tokens.access() == "access-1"
    clock.now += timedelta(seconds=2)
    assert tokens.access() == "access-2"
    assert server.refreshes() == 2


def test_a_refused_token_is_replaced_once_for_all_who_hold_it(
    tokens: Tokens, server: OAuthServer
) -> None:
    first = tokens.access()

    assert tokens.access(first) == tokens.access(first) == "access-2"
    assert server.refreshes() == 2


def test_who_asks_is_said_in_the_form(tokens: Tokens, server: OAuthServer) -> None:
    tokens.access()

    ((path, form),) = server.forms
    assert path == "/token"
    assert form == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-0",
        "client_id": "me",
        "client_secret": "client-secret",
        "scope": "imap",
    }


def test_a_rotated_refresh_token_is_on_disk_and_used_by_the_next_process(
    tokens: Tokens, server: OAuthServer, clock: Clock
) -> None:
    server.rotates = True
    tokens.access()
    clock.now += timedelta(hours=2)
    another = Tokens(tokens.provider, tokens.path, seed=lambda: "refresh-0", now=clock)

    assert another.access() == "access-2"
    assert json.loads(tokens.path.read_text())["refresh_token"] == "refresh-2"


def test_a_rotated_token_that_cannot_be_kept_is_not_used(
    tokens: Tokens, server: OAuthServer
) -> None:
    server.rotates = True
    tokens.path.mkdir(parents=True)  # a rename onto a directory fails

    with pytest.raises(LedgerProblem, match="can't be kept"):
        tokens.access()


def test_a_new_configured_refresh_token_wins_over_the_kept_one(
    tokens: Tokens, server: OAuthServer, clock: Clock
) -> None:
    tokens.access()
    server.refresh_token = "granted-by-hand"

    fresh = Tokens(tokens.provider, tokens.path, seed=lambda: "granted-by-hand", now=clock)
    assert fresh.access() == "access-2"


def test_files_are_for_our_user_only(tokens: Tokens) -> None:
    tokens.access()

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tokens.path.parent.iterdir()}
    assert modes == {"sales.json": 0o600, "sales.lock": 0o600}
    assert stat.S_IMODE(tokens.path.parent.stat().st_mode) == 0o700


def test_many_threads_refresh_once(tokens: Tokens, server: OAuthServer) -> None:
    server.rotates = True
    together = threading.Barrier(8)

    def ask(_: int) -> str:
        mine = Tokens(tokens.provider, tokens.path, seed=lambda: "refresh-0", now=tokens._now)
        together.wait(10)
        return mine.access()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"access-1"}
    assert server.refreshes() == 1


def test_a_dead_refresh_token_needs_a_person_and_says_what_to_run(
    tokens: Tokens, server: OAuthServer
) -> None:
    server.refresh_token = "another"

    with pytest.raises(AuthProblem, match=r"sales: .*ended.*\(mail2deal login sales\)") as problem:
        tokens.access()
    assert "refresh-0" not in str(problem.value)


def test_without_any_refresh_token_a_person_has_to_log_in(
    server: OAuthServer, tmp_path: Path
) -> None:
    with pytest.raises(AuthProblem, match="mail2deal login sales"):
        Tokens(provider(server), tmp_path / "sales.json").access()
    assert server.forms == []


def test_a_damaged_file_needs_a_new_login(server: OAuthServer, tmp_path: Path) -> None:
    (tmp_path / "sales.json").write_text("{half")
    with pytest.raises(AuthProblem, match="mail2deal login sales"):
        Tokens(provider(server), tmp_path / "sales.json").access()


@pytest.mark.parametrize(
    ("status", "document", "kind", "says"),
    [
        (400, {"error": "invalid_grant"}, AuthProblem, "mail2deal login"),
        (400, {"error": "interaction_required"}, AuthProblem, "mail2deal login"),
        (
            401,
            {"error": "invalid_client", "error_description": "AADSTS7000222:\nexpired"},
            AuthProblem,
            "expired .*client_secret",
        ),
        (400, {"error": "invalid_scope"}, AuthProblem, "scopes"),
        (400, {"error": "temporarily_unavailable"}, RetryLater, "400"),
        (500, {"error": "server_error"}, RetryLater, "500"),
        (503, {}, RetryLater, "503"),
        (429, {}, RetryLater, "429"),
        (302, {}, RetryLater, "302"),
        (200, {"token_type": "Bearer"}, AuthProblem, "no access token"),
    ],
)
def test_each_refusal_is_an_error_by_what_to_do_next(
    tokens: Tokens,
    server: OAuthServer,
    status: int,
    document: dict[str, str],
    kind: type[Exception],
    says: str,
) -> None:
    server.fault = lambda _: (status, document)
    with pytest.raises(kind, match=says) as problem:
        tokens.access()
    assert "client-secret" not in repr(problem.value.__cause__) + str(problem.value)

    server.fault = lambda _: None
    assert tokens.access() == "access-1"


@pytest.mark.parametrize(
    ("after", "wait"), [("7", 7), ("9" * 400, 3600), ("\xb2", None), ("-1", None), ("soon", None)]
)
def test_a_wait_that_the_oauth_server_asks_for_is_kept_where_it_is_one(
    tokens: Tokens, server: OAuthServer, after: str, wait: int | None
) -> None:
    server.fault, server.headers = lambda _: (503, {}), {"Retry-After": after}
    with pytest.raises(RetryLater) as problem:
        tokens.access()
    assert problem.value.after == wait


def test_an_oauth_server_that_is_away_is_tried_later(tmp_path: Path) -> None:
    with oauth_server() as gone:
        there = provider(gone)
    with pytest.raises(RetryLater, match="can't be reached"):
        Tokens(there, tmp_path / "t.json", seed=lambda: "r").access()


# Grants


def test_the_device_flow_shows_a_code_and_waits_for_it(tokens: Tokens, server: OAuthServer) -> None:
    server.pending = 2
    shown: list[tuple[str, str]] = []
    waits: list[float] = []
    answer = grant.device(
        tokens.provider, lambda *code: shown.append(code), grant.Patience(sleep=waits.append)
    )
    tokens.grant(answer)

    assert shown == [(f"{server.url}/enter", "WDJB-MJHT")]
    assert waits == [1, 1, 1]
    assert tokens.access() == "access-1"


def test_the_device_flow_slows_down_when_told_and_survives_a_bad_moment(
    tokens: Tokens, server: OAuthServer
) -> None:
    faults = iter([(400, {"error": "slow_down"}), (502, {}), None])
    server.fault = lambda _: next(faults, None)
    waits: list[float] = []
    grant.device(tokens.provider, lambda *_: None, grant.Patience(sleep=waits.append))

    assert waits == [1, 6, 12, 12]


@pytest.mark.parametrize("error", ["access_denied", "expired_token"])
def test_a_denied_device_needs_a_person(tokens: Tokens, server: OAuthServer, error: str) -> None:
    server.fault = lambda _: (400, {"error": error})
    with pytest.raises(AuthProblem, match=error):
        grant.device(tokens.provider, lambda *_: None, grant.Patience(sleep=lambda _: None))


def test_nobody_enters_the_code(tokens: Tokens, server: OAuthServer) -> None:
    server.pending = 10**6
    with pytest.raises(AuthProblem, match="in time"):
        grant.device(tokens.provider, lambda *_: None, grant.Patience(sleep=lambda _: None))


def browse(server: OAuthServer, address: str, host: str = "", **instead: str) -> None:
    """What a browser does: ask the provider, be sent back with a code.

    `host`: the address that the browser takes for the one it is sent back to.
    """
    asked = {name: one[0] for name, one in parse_qs(urlsplit(address).query).items()}
    assert asked["code_challenge_method"] == "S256"
    server.codes["code-1"] = asked["code_challenge"]
    query = {"code": "code-1", "state": asked["state"]} | instead
    text = "&".join(f"{name}={value}" for name, value in query.items() if value)
    back = f"{asked['redirect_uri']}?{text}"
    if host:
        back = back.replace("//localhost:", f"//{host}:")

    def come_back() -> None:
        try:
            with urllib.request.urlopen(back, timeout=10) as page:  # noqa: S310 - our own loopback
                page.read()
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass  # nobody waits any more

    threading.Thread(target=come_back).start()


def test_the_loopback_flow_brings_the_code_home(tokens: Tokens, server: OAuthServer) -> None:
    answer = grant.loopback(tokens.provider, lambda address: browse(server, address))
    tokens.grant(answer)

    assert tokens.access() == "access-1"
    assert server.forms[-1][1]["redirect_uri"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_browser_may_take_localhost_for_either_loopback_address(
    tokens: Tokens, server: OAuthServer, address: str
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.create_server((address, 0), family=family).close()
    except OSError:
        pytest.skip(f"this machine has no {address}")
    host = f"[{address}]" if ":" in address else address
    asked = dataclasses.replace(tokens.provider, loopback_host="localhost")
    tokens.grant(grant.loopback(asked, lambda url: browse(server, url, host)))

    assert tokens.access() == "access-1"
    assert server.forms[-1][1]["redirect_uri"].startswith("http://localhost:")


def test_a_code_with_a_foreign_state_is_not_taken(tokens: Tokens, server: OAuthServer) -> None:
    with pytest.raises(AuthProblem, match="in time"):
        grant.loopback(
            tokens.provider,
            lambda address: browse(server, address, state="forged"),
            patience=grant.Patience(longest=0.5),
        )


def test_a_person_may_say_no(tokens: Tokens, server: OAuthServer) -> None:
    with pytest.raises(AuthProblem, match="access_denied"):
        grant.loopback(
            tokens.provider, lambda address: browse(server, address, code="", error="access_denied")
        )


def test_google_and_microsoft_are_asked_for_mail_and_a_lasting_login() -> None:
    gmail, office = google("g", "id", None), microsoft("m", "id", None, "acme")
    assert (gmail.scopes, gmail.device_url) == (("https://mail.google.com/",), None)
    assert gmail.extra == {"access_type": "offline", "prompt": "consent"}
    assert "offline_access" in office.scopes
    assert office.token_url == "https://login.microsoftonline.com/acme/oauth2/v2.0/token"
    for one in (gmail, office):
        assert all(
            url is None or url.startswith("https://")
            for url in (one.token_url, one.device_url, one.authorize_url)
        )


# Over IMAP


@pytest.fixture
def post(server: OAuthServer) -> Iterator[Post]:
    if "dovecot" not in installed():
        pytest.skip("Dovecot 2.3 isn't installed")
    with start_imap("dovecot", settings=with_oauth(f"{server.url}/introspect")) as running:
        yield Post(running, "sales@example.com", "secret")


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_dovecot_takes_a_token_and_a_refused_one_is_renewed_once(
    post: Post, server: OAuthServer, tokens: Tokens, mechanism: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.mailbox.sasl.MECHANISMS", (mechanism,))
    account = post.account(password=None, token=tokens.access)
    with Mailbox.connect(account) as mailbox:
        assert mailbox.examine("INBOX").messages == 0

    server.active.clear()  # revoked, before its time
    with Mailbox.connect(account) as mailbox:
        mailbox.command(b"NOOP")
    assert server.refreshes() == 2

    server.fault = lambda _: (200, {"access_token": "access-nobody-knows", "expires_in": 3600})
    server.active.clear()
    with pytest.raises(AuthProblem, match="sales"):
        Mailbox.connect(account)
    assert server.refreshes() == 3


def test_a_token_helper_that_gives_the_same_token_is_not_tried_twice(
    post: Post, server: OAuthServer
) -> None:
    asked: list[str | None] = []

    def helper(refused: str | None) -> str:
        asked.append(refused)
        return "stale"

    with pytest.raises(AuthProblem):
        post.mailbox(password=None, token=helper)
    assert asked == [None, "stale"]
    assert [form["token"] for path, form in server.forms if path == "/introspect"] == ["stale"]


def test_a_server_that_offers_no_oauth_gets_no_token() -> None:
    with ScriptedImap(capabilities="IMAP4rev1 AUTH=PLAIN") as imap:
        with pytest.raises(ConfigProblem, match="no OAuth"):
            Mailbox.connect(dataclasses.replace(imap.account(), token=lambda _: "t"))
        assert [line.split()[0] for line in imap.commands] == [b"CAPABILITY"]


def test_a_server_with_a_trouble_of_its_own_costs_no_refresh() -> None:
    asked: list[str | None] = []

    def token(refused: str | None) -> str:
        asked.append(refused)
        return f"token-{len(asked)}"

    said = b"TAG NO [UNAVAILABLE] Temporary authentication failure.\r\n"
    server = ScriptedImap({"AUTHENTICATE": said}, capabilities="IMAP4rev1 AUTH=XOAUTH2")
    with server as imap, pytest.raises(RetryLater):
        Mailbox.connect(dataclasses.replace(imap.account(), token=token))
    assert asked == [None]


@pytest.mark.parametrize("token", ["a\r\nX1 LOGOUT", "a\x01b", "", "with space"])
def test_a_strange_token_never_reaches_the_wire(token: str) -> None:
    with ScriptedImap(capabilities="IMAP4rev1 AUTH=XOAUTH2") as imap:
        with pytest.raises(ConfigProblem, match="control character"):
            Mailbox.connect(dataclasses.replace(imap.account(), token=lambda _: token))
        assert [line.split()[0] for line in imap.commands] == [b"CAPABILITY"]
