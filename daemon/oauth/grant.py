"""The two ways in which a person grants access once: a code for any browser, or a browser here.

Device flow (RFC 8628) where the provider has it for mail; else the authorization code flow for
native applications (RFC 8252) with PKCE (RFC 7636): the browser comes back to a port of this
machine. Each returns the token endpoint's answer; `Tokens.grant` keeps it.
"""

import base64
import contextlib
import hashlib
import hmac
import secrets
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from daemon.errors import AuthProblem, ConfigProblem, RetryLater
from daemon.oauth.provider import GrantRefused, Provider, for_a_person, post
from daemon.oauth.refusals import advice

_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_LONGEST = 900.0  # seconds that a person may take
_WAIT = 5.0  # seconds between two questions, where the provider names none
_PAGE = b"<!doctype html><title>mail2deal</title><p>%s You can close this page."


@dataclass(frozen=True, slots=True)
class Patience:
    """How time passes while a person types; tests let it pass faster."""

    longest: float = _LONGEST
    sleep: Callable[[float], object] = time.sleep


def device(
    provider: Provider,
    show: Callable[[str, str], object],
    patience: Patience | None = None,
) -> dict[str, Any]:
    """Show (address, code) and wait until somebody has entered the code there.

    Raises AuthProblem if it was denied or nobody came, ConfigProblem without a device endpoint.
    """
    if provider.device_url is None:
        raise ConfigProblem("there is no device_url", what=provider.name)
    patience = patience or Patience()
    form = {**provider.client(), "scope": " ".join(provider.scopes)}
    try:
        asked = post(provider, provider.device_url, form)
    except GrantRefused as refused:
        raise for_a_person(refused, provider) from None
    address = asked.get("verification_uri") or asked.get("verification_url")
    code, user_code = asked.get("device_code"), asked.get("user_code")
    if not (isinstance(address, str) and isinstance(code, str) and isinstance(user_code, str)):
        raise RetryLater("the OAuth server gave no code", what=provider.name)
    show(address, user_code)
    form = {"grant_type": _DEVICE, "device_code": code, **provider.client()}
    wait = max(_seconds(asked.get("interval"), _WAIT), 0.1)
    left = min(_seconds(asked.get("expires_in"), _LONGEST), patience.longest)
    while left > 0:
        patience.sleep(wait)
        left -= wait
        try:
            return post(provider, provider.token_url, form)
        except GrantRefused as refused:
            if refused.code == "slow_down":
                wait += _WAIT  # RFC 8628, 3.5
            elif refused.code != "authorization_pending":
                raise _denied(refused, provider) from None
        except RetryLater:
            wait = min(wait * 2, 60.0)  # the same section: back off, and go on
    raise AuthProblem("nobody entered the code in time", what=provider.name)


def loopback(
    provider: Provider,
    show: Callable[[str], object],
    *,
    port: int = 0,
    patience: Patience | None = None,
) -> dict[str, Any]:
    """Show the address to open in a browser of this machine, and wait for it to come back.

    Raises AuthProblem if it was denied or nobody came, ConfigProblem without that endpoint.
    """
    if provider.authorize_url is None:
        raise ConfigProblem("there is no authorize_url", what=provider.name)
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    with _Return(provider.loopback_host, port, state) as server:
        query = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": server.address,
            "scope": " ".join(provider.scopes),
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **provider.extra,
        }
        show(f"{provider.authorize_url}?{urlencode(query)}")
        answer = server.wait((patience or Patience()).longest)
    if answer is None:
        raise AuthProblem("nobody came back from the browser in time", what=provider.name)
    if "code" not in answer:
        error = answer.get("error", "no code")
        said = " ".join(answer.get("error_description", "").split())[:200]
        refused = GrantRefused(error, f"{error}: {said}" if said else error, what=provider.name)
        raise _denied(refused, provider)
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": server.address,
        "code_verifier": verifier,
        **provider.client(),
    }
    try:
        return post(provider, provider.token_url, form)
    except GrantRefused as refused:
        raise _denied(refused, provider) from None


def _denied(refused: GrantRefused, provider: Provider) -> AuthProblem:
    hint = advice(refused.code, refused.message, is_person=True)
    return AuthProblem(
        f"the login was refused: {refused.message}",
        what=provider.name,
        hint=hint or "check client_id, client_secret, tenant and scopes",
    )


class _Return:
    """A port of this machine to which the browser comes back with the code."""

    def __init__(self, host: str, port: int, state: str) -> None:
        self.state = state
        self.answer: dict[str, str] | None = None
        first = _Listener(("127.0.0.1", port), _Page)
        port = first.server_address[1]
        self._listeners = [first]
        if host == "localhost":
            # A browser may take `localhost` for ::1 (RFC 8252, 7.3); without IPv6 it can't.
            with contextlib.suppress(OSError):
                self._listeners.append(_Listener6(("::1", port), _Page))
        for listener in self._listeners:
            listener.back = self
        # The literal address where the provider takes it: `localhost` may lead elsewhere (8.3).
        self.address = f"http://{host}:{port}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self._listeners:
            listener.server_close()

    def wait(self, seconds: float) -> dict[str, str] | None:
        """What the browser brought; None if it didn't come."""
        end = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            for listener in self._listeners:
                selector.register(listener, selectors.EVENT_READ, listener)
            while self.answer is None and (left := end - time.monotonic()) > 0:
                for ready, _ in selector.select(left):
                    ready.data.handle_request()
        return self.answer


class _Listener(HTTPServer):
    back: _Return


class _Listener6(_Listener):
    address_family = socket.AF_INET6


class _Page(BaseHTTPRequestHandler):
    timeout = 10  # s: browsers open spare connections, which mustn't block the one with the code

    def do_GET(self) -> None:
        """Take the code, if the state is the one that we sent."""
        query = {name: one[0] for name, one in parse_qs(urlsplit(self.path).query).items()}
        assert isinstance(self.server, _Listener)  # noqa: S101 - the only one that uses this class
        server = self.server.back
        ours = hmac.compare_digest(query.get("state", "").encode(), server.state.encode())
        if ours:
            server.answer = query
        done = b"Done, mail2deal is logged in." if ours and "code" in query else b"No login."
        self.send_response(HTTPStatus.OK if ours else HTTPStatus.BAD_REQUEST)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(_PAGE % done)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Nothing: a request line here holds the code."""


def _seconds(value: Any, default: float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return default
