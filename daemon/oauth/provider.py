"""Where a provider's endpoints are, what to ask for there, and one form POST with its errors.

Promises: every answer of a token endpoint is tokens or one of our errors, by what to do next
(RFC 6749 section 5.2, RFC 8628 section 3.5); no error and no log line holds a secret, a code or a
token. Redirects aren't followed: a form with a secret in it goes where the configuration says.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import requests

from daemon.errors import AuthProblem, ConfigProblem, Problem, RetryLater
from daemon.oauth.refusals import advice

_TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two pieces of the answer
_LARGEST = 1 << 16  # bytes of an answer; tokens are a few kilobytes
_LONGEST_WAIT = 3600.0
_DEAD = frozenset({"invalid_grant", "interaction_required", "consent_required", "login_required"})
_PASSING = frozenset({"temporarily_unavailable", "server_error"})

GOOGLE_SCOPE = "https://mail.google.com/"
GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address

Cloud = Literal["global", "us", "us-dod", "china"]


@dataclass(frozen=True, slots=True)
class _MicrosoftCloud:
    """Where one of Microsoft's clouds keeps its logins, and what its Exchange is called there."""

    login: str
    exchange: str  # the resource that tokens are asked for
    delegated: str  # the same for the login of a person


# https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
_CLOUDS: dict[Cloud, _MicrosoftCloud] = {
    "global": _MicrosoftCloud(
        "login.microsoftonline.com", "https://outlook.office365.com", "https://outlook.office.com"
    ),
    "us": _MicrosoftCloud(
        "login.microsoftonline.us", "https://outlook.office365.us", "https://outlook.office365.us"
    ),
    "us-dod": _MicrosoftCloud(
        "login.microsoftonline.us",
        "https://outlook-dod.office365.us",
        "https://outlook-dod.office365.us",
    ),
    "china": _MicrosoftCloud(
        "login.partner.microsoftonline.cn",
        "https://partner.outlook.cn",
        "https://partner.outlook.cn",
    ),
}


@dataclass(frozen=True, slots=True)
class Provider:
    """One OAuth 2 provider, for one mailbox: `name` says which, in errors."""

    name: str
    client_id: str
    token_url: str
    scopes: tuple[str, ...] = ()
    client_secret: Callable[[], str] | None = None
    device_url: str | None = None
    authorize_url: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)  # for the authorization request
    # Where no person logs in: the form that asks for a token, given the endpoint and the time.
    application: Callable[[str, datetime], dict[str, str]] | None = None
    shared: str = ""  # the same in all mailboxes that one token opens
    refused_by_server: str = ""  # what to do where the IMAP server refuses a good token
    # What a browser here is sent back to; Entra's portal takes `localhost` only.
    loopback_host: Literal["127.0.0.1", "localhost"] = "127.0.0.1"

    @property
    def login_hint(self) -> str:
        """What a person has to do to grant access again."""
        return f"mail2deal login {self.name}"

    def client(self) -> dict[str, str]:
        """The form fields that say who we are."""
        secret = {"client_secret": self.client_secret()} if self.client_secret else {}
        return {"client_id": self.client_id, **secret}


def google(name: str, client_id: str, client_secret: Callable[[], str] | None) -> Provider:
    """Gmail. Its device flow gives no mail scope, so the grant goes through a browser here.

    https://developers.google.com/identity/protocols/oauth2/native-app
    """
    return Provider(
        name,
        client_id,
        GOOGLE_TOKEN_URL,
        (GOOGLE_SCOPE,),
        client_secret,
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        # Without these, a second grant comes without a refresh token.
        extra={"access_type": "offline", "prompt": "consent"},
        refused_by_server=GMAIL_REFUSED,
    )


def microsoft(
    name: str,
    client_id: str,
    client_secret: Callable[[], str] | None,
    tenant: str = "common",
    cloud: Cloud = "global",
) -> Provider:
    """Microsoft 365 and Outlook.com, for a person who logs in.

    https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
    """
    base = f"https://{_CLOUDS[cloud].login}/{tenant}/oauth2/v2.0"
    return Provider(
        name,
        client_id,
        f"{base}/token",
        (f"{_CLOUDS[cloud].delegated}/IMAP.AccessAsUser.All", "offline_access"),
        client_secret,
        device_url=f"{base}/devicecode",
        authorize_url=f"{base}/authorize",
        extra={"prompt": "select_account"},
        refused_by_server=_OFFICE_USER,
        loopback_host="localhost",
    )


def exchange_scope(cloud: Cloud) -> str:
    """The scope of a token for an application: all that its permissions in Exchange allow."""
    return f"{_CLOUDS[cloud].exchange}/.default"


_OFFICE_USER = (
    "switch IMAP on for the mailbox (Set-CASMailbox -ImapEnabled $true) and log in as somebody who"
    " may open it"
)
GMAIL_REFUSED = (
    "switch IMAP on for the user's organizational unit (Admin console > Apps > Google Workspace >"
    " Gmail > End User Access) and allow any mail client there"
)


class GrantRefused(Problem):
    """The endpoint said no; `code` is its word for why (RFC 6749, 5.2)."""

    def __init__(self, code: str, message: str, *, what: str) -> None:
        super().__init__(message, what=what)
        self.code = code


def post(provider: Provider, url: str, form: Mapping[str, str]) -> dict[str, Any]:
    """Send a form and return the JSON object that came back.

    Raises GrantRefused for an OAuth error, RetryLater where the endpoint is away or busy.
    """
    what = provider.name
    try:
        with requests.post(
            url,
            data=form,
            headers={"Accept": "application/json"},
            timeout=_TIMEOUT,
            allow_redirects=False,
            stream=True,
        ) as response:
            status, body = response.status_code, response.raw.read(_LARGEST, decode_content=True)
            after = response.headers.get("Retry-After", "")
    except requests.exceptions.SSLError:
        raise ConfigProblem(
            "the certificate of the OAuth server isn't trusted", what=what
        ) from None
    except (requests.RequestException, OSError) as error:
        # `from None`: the error behind it holds the request, and that the secrets.
        kind = type(error).__name__
        raise RetryLater(f"the OAuth server can't be reached: {kind}", what=what) from None
    answer = _object(body)
    if status == requests.codes.ok and answer is not None:
        return answer
    code = str((answer or {}).get("error", ""))
    if not code or status >= requests.codes.server_error or code in _PASSING:
        wait = min(float(after), _LONGEST_WAIT) if after.isdecimal() else None
        raise RetryLater(f"the OAuth server answers {status} {code}".strip(), what=what, after=wait)
    said = " ".join(str((answer or {}).get("error_description", "")).split())[:200]
    raise GrantRefused(code, f"{code}: {said}" if said else code, what=what)


def for_a_person(refused: GrantRefused, provider: Provider) -> Problem:
    """What a refusal of the token endpoint means for this mailbox."""
    is_person = provider.application is None
    hint = advice(refused.code, str(refused), is_person=is_person)
    if is_person and refused.code in _DEAD:
        again = provider.login_hint
        return AuthProblem(
            f"the OAuth login has ended ({refused.message})",
            what=provider.name,
            hint=f"{hint}; then {again}" if hint else again,
        )
    return AuthProblem(
        f"the OAuth server refuses: {refused.message}",
        what=provider.name,
        hint=hint or "check client_id, client_secret, tenant and scopes",
    )


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None
