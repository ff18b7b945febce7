"""The line to the API: one request out, one reply in, or an error that says if it went out.

Promises: the token goes to the configured host only (https, or http on loopback), follows no
redirect and stays out of every error; an answer is bounded in size and time. Doesn't do: pacing,
retrying, or understanding the reply.
"""

import json
import ssl
import time
from collections.abc import Callable, Iterator
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from daemon import __version__
from daemon.errors import AuthProblem, ConfigProblem, Problem
from daemon.pipedrive.answers import HttpReply
from daemon.pipedrive.costs import Call
from daemon.pipedrive.outcomes import NotSent, TooLong, Unknown

# Bytes of an answer: 500 rows are some hundred kilobytes. Parsed, they may take twenty times that.
BODY_LIMIT = 8 * 1024 * 1024
ANSWER_TIME = 180.0  # seconds for a whole answer, however slowly it trickles
CONNECTIONS = 128  # kept open at most; one per sending thread
_CHUNK = 64 * 1024


class Transport:
    """Connections to one host, shared by all threads; `timeout` is (connect, read) seconds."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout: tuple[float, float],
        session: requests.Session | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_url = checked_base_url(base_url)
        self._timeout = timeout
        self._session = session or _session(self.base_url)
        self._clock = clock

    @property
    def host(self) -> str:
        """The host that the token goes to."""
        return urlsplit(self.base_url).hostname or ""

    def close(self) -> None:
        """Close the connections; a later `exchange` opens new ones."""
        self._session.close()

    def exchange(self, call: Call, token: str) -> HttpReply | Problem:
        """Put the request on the line and take the reply off it, as a value in every case."""
        headers = {
            "x-api-token": token,
            "Accept": "application/json",
            "User-Agent": f"mail2deal/{__version__}",
        }
        data = None
        if call.body is not None:
            data = json.dumps(call.body, allow_nan=False, separators=(",", ":")).encode()
            headers["Content-Type"] = "application/json"
        try:
            with self._session.request(
                call.method,
                self.base_url + call.path,
                params=call.query,
                data=data,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                names = {name.lower(): value for name, value in response.headers.items()}
                return HttpReply(response.status_code, names, self._body(response))
        except TooLong as problem:
            return problem
        except (requests.RequestException, HTTPError) as error:
            # A new error without this one behind it: its request still holds the token's header.
            return _broken(call, error, self.host)

    def _body(self, response: requests.Response) -> bytes:
        until = self._clock() + ANSWER_TIME
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > BODY_LIMIT:
                raise TooLong(f"more than {BODY_LIMIT >> 20} MiB were answered", what=self.host)
            if self._clock() > until:
                raise requests.ReadTimeout("the answer has no end")
        return bytes(body)


def checked_token(token: str) -> str:
    """The token, if it can be one; an unfit one would end up in the text of an HTTP error."""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise AuthProblem(
            "the API token is empty or holds characters that no token has",
            what="pipedrive.token",
        )
    return token


def checked_base_url(url: str) -> str:
    """`scheme://host[:port]`, https or on loopback http, or raise ConfigProblem."""
    what = "pipedrive.base_url"
    parts = urlsplit(url.strip())
    try:
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise ConfigProblem("not an address like https://yourcompany.pipedrive.com", what=what)
    if parts.path not in ("", "/"):
        raise ConfigProblem("a path isn't part of it", what=what, hint="leave out /api/v2")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ConfigProblem("only https, or http to this machine, keeps the token safe", what=what)
    return f"{parts.scheme}://{parts.netloc}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _session(base_url: str) -> requests.Session:
    session = requests.Session()
    # Proxy and CA bundle of the environment are looked up once instead of with every request;
    # ~/.netrc never is, it would add a second login beside the token.
    if not _is_loopback(urlsplit(base_url).hostname or ""):
        found = session.merge_environment_settings(base_url, {}, None, None, None)
        session.proxies.update(found["proxies"])
        session.verify = found["verify"]
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount(base_url, HTTPAdapter(pool_maxsize=CONNECTIONS, max_retries=0))
    return session


def _broken(call: Call, error: Exception, host: str) -> Problem:
    """An exchange without a reply: certainly not sent, or unknown."""
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return ConfigProblem(
            "the server's certificate can't be verified",
            what="pipedrive.base_url",
            hint="is a proxy in between? its CA goes into REQUESTS_CA_BUNDLE",
        )
    unsent = (NewConnectionError, ConnectTimeoutError, requests.exceptions.ProxyError)
    if any(isinstance(cause, unsent) for cause in causes):
        return NotSent(f"no connection to {host} ({type(error).__name__})", what=call.kind)
    return Unknown(f"no readable answer of {host} ({type(error).__name__})", what=call.kind)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that is wrapped in it, by urllib3's `reason`, arguments and context."""
    queue: list[object] = [error]
    seen: set[int] = set()
    while queue:
        one = queue.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        queue += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]
