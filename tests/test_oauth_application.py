"""Logins of an application: assertions checked as the providers document it, and their refusals."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cli_kit import run
from config_kit import SMALL, written
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from oauth_server import Answer, OAuthServer, oauth_server
from scripted_imap import ScriptedImap

from daemon.cli.login import command as login
from daemon.config import load
from daemon.errors import AuthProblem, ConfigProblem
from daemon.mailbox.imap import Mailbox
from daemon.oauth.provider import Provider
from daemon.wiring import Wiring

NOW = datetime.now(UTC)  # PyJWT's own check of `exp` reads the clock
SCOPE_365 = "https://outlook.office365.com/.default"
SCOPE_GOOGLE = "https://www.googleapis.com/auth/gmail.imap_admin"


class Authority:
    """A key with its certificate, as an administrator makes them, and what a provider knows of it."""

    def __init__(self, *, ends: datetime = NOW + timedelta(days=30)) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail2deal")])
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(NOW - timedelta(days=60))
            .not_valid_after(ends)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def key_pem(self) -> str:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(encoding, form, serialization.NoEncryption()).decode()

    @property
    def certificate_pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def thumbprint(self) -> str:
        digest = self.certificate.fingerprint(hashes.SHA256())
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def google_key(self, **instead: Any) -> str:
        account = {
            "type": "service_account",
            "client_email": "m2d@project.iam.gserviceaccount.example",
            "private_key_id": "key-7",
            "private_key": self.key_pem,
            "token_uri": "https://attacker.example/token",  # never asked
        }
        return json.dumps(account | instead)

    def claims(self, token: str, server: OAuthServer, algorithm: str) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token, self.key.public_key(), [algorithm], audience=f"{server.url}/token"
        )
        assert timedelta() < timedelta(seconds=claims["exp"] - claims["iat"]) <= timedelta(hours=1)
        return claims


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server() -> Iterator[OAuthServer]:
    with oauth_server() as running:
        yield running


def entra(server: OAuthServer, authority: Authority, secret: str = "app-secret") -> None:
    """The token endpoint grants to an application whose proof is right, as Entra does."""

    def answer(form: dict[str, str]) -> Answer | None:
        assert (form["grant_type"], form["client_id"], form["scope"]) == (
            *("client_credentials", "app-1"),
            SCOPE_365,
        )
        if form.get("client_secret") == secret:
            return 200, server._fresh(refresh=False)
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        assert form["client_assertion_type"] == kind
        token = form["client_assertion"]
        header = jwt.get_unverified_header(token)
        assert header["x5t#S256"] == authority.thumbprint
        claims = authority.claims(token, server, "PS256")
        assert claims["iss"] == claims["sub"] == "app-1"
        assert len(claims["jti"]) >= 16
        return 200, server._fresh(refresh=False)

    server.fault = answer


def workspace(server: OAuthServer, authority: Authority, users: set[str]) -> None:
    """The token endpoint grants for users of one Workspace, as Google does."""

    def answer(form: dict[str, str]) -> Answer | None:
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        assert "client_id" not in form
        assert jwt.get_unverified_header(form["assertion"])["kid"] == "key-7"
        claims = authority.claims(form["assertion"], server, "RS256")
        assert claims["iss"] == "m2d@project.iam.gserviceaccount.example"
        assert claims["scope"] == SCOPE_GOOGLE
        if claims["sub"] not in users:
            said = "Invalid email or User ID"
            return 400, {"error": "invalid_grant", "error_description": said}
        return 200, server._fresh(refresh=False)

    server.fault = answer


def wired(tmp_path: Path, logins: dict[str, Any], *boxes: dict[str, Any]) -> Wiring:
    """A configuration with these logins and mailboxes, and its ledger in `tmp_path`."""
    small = json.loads(json.dumps(load_yaml(SMALL)))
    template = small["mailboxes"][0]
    template.pop("password")
    small["logins"] = logins
    small["mailboxes"] = [template | box for box in boxes]
    small["ledger"] = str(tmp_path / "ledger.db")
    return Wiring(load(written(tmp_path, json.dumps(small))))


def load_yaml(text: str) -> Any:
    import yaml

    return yaml.safe_load(text)


def office(server: OAuthServer, **more: Any) -> dict[str, Any]:
    section = {"provider": "microsoft", "tenant": "acme.example", "client_id": "app-1"}
    return section | {"token_url": f"{server.url}/token"} | more


def test_a_secret_opens_all_mailboxes_with_one_token(
    server: OAuthServer, authority: Authority, tmp_path: Path
) -> None:
    entra(server, authority)
    logins = {"office": office(server, client_secret="app-secret")}
    boxes = [
        {"name": name, "username": f"{name}@acme.example", "oauth": "office"}
        for name in ("sales", "info")
    ]
    wiring = wired(tmp_path, logins, *boxes)

    tokens = [wiring.tokens(box).access() for box in wiring.config.mailboxes]

    assert tokens == ["access-1", "access-1"]
    assert len(server.forms) == 1


@pytest.mark.parametrize("key_first", [True, False])
def test_a_certificate_signs_for_the_application(
    server: OAuthServer, authority: Authority, tmp_path: Path, *, key_first: bool
) -> None:
    entra(server, authority)
    both = [authority.key_pem, authority.certificate_pem]
    (tmp_path / "office.pem").write_text("".join(both if key_first else reversed(both)))
    box = {"oauth": office(server, certificate={"file": "office.pem"})}
    (mailbox,) = (wiring := wired(tmp_path, {}, box)).config.mailboxes

    tokens = wiring.tokens(mailbox)

    assert tokens.access() == "access-1"
    assert tokens.access("access-1") == "access-2"  # refused by the server: asked for anew
    assert "PRIVATE KEY" not in tokens.path.read_text()


def test_an_application_asks_again_before_its_token_ends(
    server: OAuthServer, authority: Authority, tmp_path: Path
) -> None:
    entra(server, authority)
    box = {"oauth": office(server, client_secret="app-secret")}
    wiring = wired(tmp_path, {}, box)
    (mailbox,) = wiring.config.mailboxes
    wiring.now = lambda: NOW
    assert wiring.tokens(mailbox).access() == "access-1"

    wiring.now = lambda: NOW + timedelta(minutes=54)
    assert wiring.tokens(mailbox).access() == "access-1"
    wiring.now = lambda: NOW + timedelta(minutes=56)
    assert wiring.tokens(mailbox).access() == "access-2"


def test_a_service_account_reads_each_mailbox_as_its_user(
    server: OAuthServer, authority: Authority, tmp_path: Path
) -> None:
    workspace(server, authority, {"sales@acme.example", "info@acme.example"})
    (tmp_path / "key.json").write_text(authority.google_key())
    login = {"provider": "google", "service_account": {"file": "key.json"}}
    login["token_url"] = f"{server.url}/token"
    boxes = [
        {"name": name, "username": f"{name}@acme.example", "oauth": "workspace"}
        for name in ("sales", "info", "ghost")
    ]
    boxes[2]["username"] = "alias@acme.example"
    wiring = wired(tmp_path, {"workspace": login}, *boxes)
    sales, info, ghost = wiring.config.mailboxes

    assert wiring.tokens(sales).access() == "access-1"
    assert wiring.tokens(info).access() == "access-2"
    with pytest.raises(AuthProblem, match=r"ghost: .*not an alias or a group"):
        wiring.tokens(ghost).access()


REFUSALS = [
    ("invalid_client", "AADSTS7000222: The provided client secret keys are expired.", "make a new"),
    ("invalid_client", "AADSTS7000215: Invalid client secret provided.", "Value, not its ID"),
    ("unauthorized_client", "AADSTS700016: Application not found in the directory.", "Overview"),
    ("invalid_grant", "AADSTS65001: The user or administrator has not consented.", "consent"),
    ("invalid_client", "AADSTS700027: The certificate is not registered.", "upload its public"),
    ("access_denied", "AADSTS53003: Blocked by Conditional Access.", "--browser"),
    ("invalid_request", "AADSTS90002: Tenant 'x' not found.", "tenant"),
]


@pytest.mark.parametrize(("code", "said", "advice"), REFUSALS)
def test_a_refusal_says_what_an_administrator_does(
    server: OAuthServer, tmp_path: Path, code: str, said: str, advice: str
) -> None:
    server.fault = lambda _: (400, {"error": code, "error_description": said})
    box = {"oauth": office(server, client_secret="app-secret")}
    (mailbox,) = (wiring := wired(tmp_path, {}, box)).config.mailboxes

    with pytest.raises(AuthProblem, match=advice) as refused:
        wiring.tokens(mailbox).access()
    assert "app-secret" not in f"{refused.value!r}{refused.value}"
    assert "mail2deal login sales" not in str(refused.value)  # nobody logs in here


GOOGLE_REFUSALS = [
    ("unauthorized_client", "Client is unauthorized to retrieve access tokens.", "delegation"),
    ("invalid_grant", "Invalid JWT Signature.", "new JSON key"),
    ("invalid_grant", "Token must be a short-lived token (60 minutes).", "clock"),
]


@pytest.mark.parametrize(("code", "said", "advice"), GOOGLE_REFUSALS)
def test_a_refusal_of_google_says_what_an_administrator_does(
    server: OAuthServer, authority: Authority, tmp_path: Path, code: str, said: str, advice: str
) -> None:
    server.fault = lambda _: (400, {"error": code, "error_description": said})
    (tmp_path / "key.json").write_text(authority.google_key())
    login = {"provider": "google", "service_account": {"file": "key.json"}}
    box = {"oauth": login | {"token_url": f"{server.url}/token"}}
    (mailbox,) = (wiring := wired(tmp_path, {}, box)).config.mailboxes

    with pytest.raises(AuthProblem, match=advice):
        wiring.tokens(mailbox).access()


def broken(authority: Authority) -> dict[str, str]:
    other = Authority()
    ended = Authority(ends=NOW - timedelta(days=1))
    return {
        "no certificate": authority.key_pem,
        "isn't that of the certificate": other.key_pem + authority.certificate_pem,
        "ended on": ended.key_pem + ended.certificate_pem,
        "no RSA private key": "rubbish",
    }


@pytest.mark.parametrize(
    "says",
    [
        "no RSA private key",
        "no certificate",
        "isn't that of the certificate",
        "ended on",
    ],
)
def test_a_wrong_certificate_file_is_named_and_nothing_of_it_shown(
    server: OAuthServer, authority: Authority, tmp_path: Path, says: str
) -> None:
    text = broken(authority)[says]
    (tmp_path / "office.pem").write_text(text)
    box = {"oauth": office(server, certificate={"file": "office.pem"})}
    (mailbox,) = (wiring := wired(tmp_path, {}, box)).config.mailboxes

    with pytest.raises(ConfigProblem, match=says) as problem:
        wiring.tokens(mailbox).access()
    assert server.forms == []
    assert not any(line in str(problem.value) for line in text.splitlines() if len(line) > 20)


@pytest.mark.parametrize(
    "damage",
    [lambda _: "{half", lambda one: one.google_key(private_key=5), lambda _: "[]"],
)
def test_a_wrong_key_file_of_google_is_named(
    authority: Authority, tmp_path: Path, damage: Callable[[Authority], str]
) -> None:
    (tmp_path / "key.json").write_text(damage(authority))
    box = {"oauth": {"provider": "google", "service_account": {"file": "key.json"}}}
    (mailbox,) = (wiring := wired(tmp_path, {}, box)).config.mailboxes

    with pytest.raises(ConfigProblem, match="JSON key of a service account"):
        wiring.tokens(mailbox).access()


@pytest.mark.parametrize(
    ("cloud", "host", "scope"),
    [
        ("global", "login.microsoftonline.com", "https://outlook.office365.com/.default"),
        ("us", "login.microsoftonline.us", "https://outlook.office365.us/.default"),
        ("us-dod", "login.microsoftonline.us", "https://outlook-dod.office365.us/.default"),
        ("china", "login.partner.microsoftonline.cn", "https://partner.outlook.cn/.default"),
    ],
)
def test_each_cloud_has_its_own_hosts(tmp_path: Path, cloud: str, host: str, scope: str) -> None:
    section = {"provider": "microsoft", "tenant": "acme.example", "client_id": "app-1"}
    box = {"oauth": section | {"client_secret": "s", "cloud": cloud}}
    (mailbox,) = (wiring := wired(tmp_path, {}, box)).config.mailboxes

    provider: Provider = wiring.tokens(mailbox).provider
    assert provider.token_url == f"https://{host}/acme.example/oauth2/v2.0/token"
    assert provider.scopes == (scope,)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"provider": "google", "certificate": "x", "client_id": "a"}, "certificate: is for prov"),
        (
            {"provider": "microsoft", "service_account": "x", "client_id": "a"},
            "service_account: is for provider google only",
        ),
        ({"provider": "microsoft", "client_id": "a", "certificate": "x"}, "tenant must name"),
        (
            {
                "provider": "microsoft",
                "client_id": "a",
                "tenant": "t",
                "certificate": "x",
                "client_secret": "s",
            },
            "choose one",
        ),
        (
            {"provider": "microsoft", "client_id": "a", "tenant": "t", "grant": "application"},
            "needs client_secret or certificate",
        ),
        ({"provider": "google", "client_id": "a", "grant": "application"}, "needs service_account"),
        (
            {"provider": "google", "service_account": "x", "grant": "user"},
            "service_account log no user in",
        ),
        ("office", "no login is named office"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_runs(
    tmp_path: Path, section: Any, problem: str
) -> None:
    with pytest.raises(ConfigProblem) as refused:
        wired(tmp_path, {}, {"oauth": section})
    assert problem in str(refused.value)


def test_a_person_may_still_log_in_with_a_secret(tmp_path: Path) -> None:
    section = {"provider": "microsoft", "tenant": "t", "client_id": "a", "client_secret": "s"}
    for more in ({"grant": "user"}, {"refresh_token": "r"}, {"tenant": "common"}):
        (box,) = wired(tmp_path, {}, {"oauth": section | more}).config.mailboxes
        assert box.oauth is not None
        assert box.oauth.grant == "user"


def test_an_imap_server_that_refuses_a_good_token_says_what_an_administrator_does(
    server: OAuthServer, authority: Authority, tmp_path: Path
) -> None:
    entra(server, authority)
    box = {"oauth": office(server, client_secret="app-secret")}
    (mailbox,) = (wiring := wired(tmp_path, {}, box)).config.mailboxes
    said = b"TAG NO AUTHENTICATE failed.\r\n"

    with ScriptedImap({"AUTHENTICATE": said}, capabilities="IMAP4rev1 AUTH=XOAUTH2") as imap:
        there = replace(wiring.account(mailbox), host=imap.account().host, port=imap.account().port)
        with pytest.raises(AuthProblem, match="New-ServicePrincipal") as refused:
            Mailbox.connect(replace(there, tls="none"))

    assert "access-" not in str(refused.value)


def test_the_login_command_has_nothing_to_ask_for_an_application(
    server: OAuthServer, authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entra(server, authority, secret="another")
    server.fault = lambda _: (
        400,
        {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."},
    )
    wiring = wired(tmp_path, {}, {"oauth": office(server, client_secret="app-secret")})
    with pytest.raises(AuthProblem, match="Value, not its ID"):
        run(login, wiring, "sales")
    assert capsys.readouterr().out == ""
