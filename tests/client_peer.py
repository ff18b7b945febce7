"""A tiny HTTP peer on a loopback socket that answers from a script and keeps what it was asked."""

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Say:
    """One answer; `cut` sends only so many bytes of the body, `reset` sends nothing but an RST."""

    status: int = 200
    body: object = field(default_factory=lambda: {"success": True, "data": {"id": 1}})
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    wait: threading.Event | None = None


def ok(data: object, **additional: object) -> Say:
    return Say(body={"success": True, "data": data, "additional_data": additional})


class Peer:
    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: deque[Say] = deque()
        self.otherwise: Callable[[Asked], Say] = lambda _asked: Say()
        self.url = ""
        self.connections = 0

    def says(self, *answers: Say) -> None:
        self.script.extend(answers)

    def answer(self, asked: Asked) -> Say:
        self.asked.append(asked)
        return self.script.popleft() if self.script else self.otherwise(asked)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        self.server.peer.connections += 1
        super().setup()

    def finish(self) -> None:
        with suppress(OSError):  # a reset has closed the socket under the file already
            super().finish()

    def log_message(self, *_args: object) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        said = self.server.peer.answer(self._asked())
        if said.wait is not None:
            said.wait.wait(10)
        if said.reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            self.close_connection = True
            return
        body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: said.cut])
        self.close_connection = self.close_connection or said.cut is not None

    def _asked(self) -> Asked:
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return Asked(self.command, parts.path, query, headers, json.loads(raw) if raw else None)


@contextmanager
def running_peer() -> Iterator[Peer]:
    peer = Peer()
    server = _Server(peer)
    peer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
