"""A receiver of events on this machine, as a team's chat and its programs are: over real HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Hook:
    """What came, and what it answers."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    free: threading.Event = field(default_factory=threading.Event)  # unset: it doesn't answer
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)  # refused ones, too
    taken: dict[str, bytes] = field(default_factory=dict)  # once each, by the id of the event
    doubles: int = 0  # of what was taken

    @property
    def down(self) -> bool:
        """Whether it answers that it can't take anything now."""
        return self.status == 503

    @down.setter
    def down(self, down: bool) -> None:
        self.status = 503 if down else 204

    def events(self) -> list[dict[str, Any]]:
        """Everything that came, in order."""
        return [json.loads(body) for _, body in self.heard]

    def told(self) -> list[tuple[str, str]]:
        """What was taken about whom, in no order of time."""
        documents = map(json.loads, self.taken.values())
        return sorted((one["event"], one["sender"] or "") for one in documents)


@contextmanager
def hooked() -> Iterator[Hook]:
    """A receiver that listens while the block runs."""
    hook = Hook()
    hook.free.set()

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.heard.append((dict(self.headers), body))
            hook.free.wait()
            if hook.status < 300:
                number = self.headers["X-Mail2deal-Delivery"]
                hook.doubles += number in hook.taken
                hook.taken[number] = body
            self.send_response(hook.status)
            for name, value in hook.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hook
    finally:
        hook.free.set()
        server.shutdown()
        thread.join()
        server.server_close()
