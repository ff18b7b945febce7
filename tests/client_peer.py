"""A tiny HTTP peer on a loopback socket that answers from a script and keeps what it was asked."""

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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


@contextmanager
def running_peer() -> Iterator[Peer]:
    peer = Peer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def setup(self) -> None:
            peer.connections += 1
            super().setup()

        def log_message(self, *_args: object) -> None:
            pass

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            parts = urlsplit(self.path)
            said = peer.answer(
                Asked(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query, keep_blank_values=True)),
                    {name.lower(): value for name, value in self.headers.items()},
                    json.loads(raw) if raw else None,
                )
            )
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
            if said.cut is not None:
                self.close_connection = True

        do_GET = do_POST = do_PATCH = do_DELETE = _serve

        def finish(self) -> None:
            try:
                super().finish()
            except OSError:
                pass

    server = _Server(("127.0.0.1", 0), Handler)
    peer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
