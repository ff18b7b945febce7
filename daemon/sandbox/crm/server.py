"""The sandbox on loopback: a threaded HTTP/1.1 server with keep-alive.

It listens on 127.0.0.1 and nowhere else. Broken lines really break: the socket is closed, reset
or left silent. Answers leave in one piece without Nagle's delay.
"""

import contextlib
import logging
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Self

from daemon.log import event
from daemon.sandbox.crm.admin import PREFIX, administer
from daemon.sandbox.crm.core import Sandbox
from daemon.sandbox.crm.exchange import Request, Response, json_response
from daemon.sandbox.crm.settings import Settings

HOST = "127.0.0.1"
BODY_MAX = 16 * 1024 * 1024
SILENCE_SECONDS = 3600.0
_OUR_NAMES = (HOST, "localhost")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one write
    disable_nagle_algorithm = True  # else 40 ms an answer against delayed acknowledgements
    server: "_Listener"

    def _serve(self) -> None:
        host = (self.headers.get("host") or HOST).partition(":")[0]
        if host not in _OUR_NAMES:  # a page whose name was made to point at loopback
            self._send(json_response(421, {"success": False, "error": "Misdirected Request"}))
            self.close_connection = True
            return
        body = self._body()
        if body is None:
            self._send(json_response(411, {"success": False, "error": "Length Required"}))
            self.close_connection = True
            return
        path, _, query = self.path.partition("?")
        request = Request(self.command, path, query, dict(self.headers.items()), body)
        if path.startswith(PREFIX):
            self._send(administer(self.server.sandbox, request))
            return
        answer = self.server.sandbox.handle(request)
        if answer.delay and answer.cut != "timeout":
            time.sleep(answer.delay)
        if answer.cut:
            self._cut(answer)
        else:
            self._send(answer)

    # The names that http.server looks for.
    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - given names

    def _body(self) -> bytes | None:
        length = self.headers.get("content-length")
        if length is None:
            return None if self.headers.get("transfer-encoding") else b""
        if not length.isdigit() or int(length) > BODY_MAX:
            return None
        return self.rfile.read(int(length))

    def _send(self, answer: Response, *, length: int | None = None) -> None:
        self.send_response_only(answer.status)  # an answer names its own server
        for name, value in {"date": self.date_time_string(), **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body) if length is None else length))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    def _cut(self, answer: Response) -> None:
        self.close_connection = True
        if answer.cut == "timeout":
            self.server.stopped.wait(answer.delay or SILENCE_SECONDS)
        elif answer.cut == "short":
            half = Response(answer.status, answer.headers, answer.body[: len(answer.body) // 2])
            self._send(half, length=len(answer.body))
        elif answer.cut == "reset":
            # Linger of zero seconds: closing sends a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is given
        """The store keeps the log; nothing is written to stderr."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, sandbox: Sandbox, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.sandbox = sandbox
        self.stopped = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of ours; anything else is one, and is logged."""
        error = sys.exception()
        if isinstance(error, OSError):
            event("sandbox.client_gone", level=logging.DEBUG, error=error)
            return
        trace = "".join(traceback.format_exception(error))
        event("sandbox.broken", level=logging.ERROR, client=client_address, error=trace)
        del request


class Server:
    """A running server; `url` is its base. A context manager that stops it."""

    def __init__(self, sandbox: Sandbox, port: int = 0) -> None:
        """Listen on a loopback port (0 picks a free one) and answer from a thread."""
        self.sandbox = sandbox
        self._listener = _Listener(sandbox, port)
        self.port = int(self._listener.server_address[1])
        self.url = f"http://{HOST}:{self.port}"
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; the sandbox stays open."""
        self._listener.stopped.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run_server(
    port: int,
    store: str | Path = ":memory:",
    *,
    settings: Settings | None = None,
    ready: Callable[[str, Mapping[str, str]], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is told the URL and the tokens once it listens.

    OSError when the port is taken. To be called from the main thread.
    """
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    with contextlib.closing(Sandbox(store, settings=settings)) as sandbox:
        with Server(sandbox, port) as server:
            event("sandbox.ready", url=server.url, store=store)
            if ready is not None:
                ready(server.url, sandbox.settings.tokens)
            stop.wait()
        event("sandbox.stopped", requests=len(sandbox.requests))
