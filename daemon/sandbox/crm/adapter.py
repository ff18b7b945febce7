"""The sandbox as a transport of requests: `session.mount(url, SandboxAdapter(sandbox))`.

No socket is opened. A broken line becomes the exception that requests would raise for it; slow
answers sleep through the function given, so that a test's clock can do it.
"""

import time
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.response import HTTPResponse

from daemon.sandbox.crm.core import Sandbox
from daemon.sandbox.crm.exchange import Request, Response


class SandboxAdapter(BaseAdapter):
    """Hands every request of a session to a sandbox."""

    def __init__(self, sandbox: Sandbox, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Mount this sandbox; `sleep` is called for answers that are slow on purpose."""
        super().__init__()
        self.sandbox = sandbox
        self.sleep = sleep

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002 - the signature of requests
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,  # noqa: ARG002 - the same
        cert: Any = None,  # noqa: ARG002 - the same
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002 - the same
    ) -> requests.Response:
        """Answer, or raise what requests raises when a line breaks."""
        parts = urlsplit(request.url or "")
        body = request.body or b""
        answer = self.sandbox.handle(
            Request(
                request.method or "GET",
                parts.path,
                parts.query,
                dict(request.headers),
                body.encode() if isinstance(body, str) else bytes(body),
            )
        )
        self._break(request, answer, timeout[1] if isinstance(timeout, tuple) else timeout)
        return _response(request, answer)

    def _break(
        self, request: requests.PreparedRequest, answer: Response, patience: float | None
    ) -> None:
        if answer.cut == "timeout" or (patience is not None and answer.delay > patience):
            raise requests.ReadTimeout("Read timed out.", request=request)
        if answer.delay:
            self.sleep(answer.delay)
        if answer.cut == "short":
            raise requests.exceptions.ChunkedEncodingError(
                "Connection broken: IncompleteRead", request=request
            )
        if answer.cut:
            what = {"reset": "Connection reset by peer"}.get(
                answer.cut, "Remote end closed connection without response"
            )
            raise requests.ConnectionError(f"Connection aborted: {what}", request=request)

    def close(self) -> None:
        """Nothing is open."""


def _response(request: requests.PreparedRequest, answer: Response) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers = CaseInsensitiveDict(answer.headers)
    response.url = request.url or ""
    response.request = request
    response.encoding = "utf-8"
    response.raw = HTTPResponse(
        BytesIO(answer.body), headers=answer.headers, status=answer.status, preload_content=False
    )
    return response
