"""An OAuth 2 server for tests: refresh, device and authorization code grants, and introspection."""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, dict[str, Any]]


@dataclass
class OAuthServer:
    """What the server knows, and every form that came, by its path."""

    url: str = ""
    user: str = "sales@example.com"
    life: int = 3600  # seconds, as it says; it never looks at a clock
    rotates: bool = False
    refresh_token: str = "refresh-0"
    active: set[str] = field(default_factory=set)
    forms: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)  # authorization code -> PKCE challenge
    pending: int = 1  # how often a device has to ask
    fault: Callable[[dict[str, str]], Answer | None] = lambda _: None
    headers: dict[str, str] = field(default_factory=dict)  # of each answer, beside the usual ones
    numbers: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, form: dict[str, str]) -> Answer:
        with self.lock:
            self.forms.append((path, form))
            if path == "/introspect":
                good = form.get("token") in self.active
                return 200, {"active": good, "username": self.user, "client_id": "me"}
            if path == "/device":
                return 200, {
                    "device_code": "device-1",
                    "user_code": "WDJB-MJHT",
                    "verification_uri": f"{self.url}/enter",
                    "interval": 1,
                    "expires_in": 30,
                }
            return self.fault(form) or self._token(form)

    def _token(self, form: dict[str, str]) -> Answer:
        kind = form.get("grant_type")
        if kind == "refresh_token":
            if form["refresh_token"] != self.refresh_token:
                return 400, {"error": "invalid_grant", "error_description": "Token was revoked."}
            return 200, self._fresh(refresh=self.rotates)
        if kind == "authorization_code":
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if self.codes.pop(form["code"], None) != challenge:
                return 400, {"error": "invalid_grant"}
            return 200, self._fresh(refresh=True)
        if self.pending > 0:
            self.pending -= 1
            return 400, {"error": "authorization_pending"}
        return 200, self._fresh(refresh=True)

    def _fresh(self, *, refresh: bool) -> dict[str, Any]:
        self.numbers += 1
        access = f"access-{self.numbers}"
        self.active.add(access)
        answer: dict[str, Any] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.life,
        }
        if refresh:
            self.refresh_token = answer["refresh_token"] = f"refresh-{self.numbers}"
        return answer

    def refreshes(self) -> int:
        return sum(form.get("grant_type") == "refresh_token" for _, form in self.forms)


@contextmanager
def oauth_server() -> Iterator[OAuthServer]:
    state = OAuthServer()

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            status, document = state.answer(urlsplit(self.path).path, form)
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
