"""A receiver of events on this machine, as the team's chat and its program are: over real HTTP."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Hook:
    """An HTTP receiver: what it was told, once each; it may be down."""

    url: str = ""
    down: bool = False
    heard: dict[str, bytes] = field(default_factory=dict)  # by the id of the event
    doubles: int = 0

    def told(self) -> Counter[str]:
        """What was told about whom."""
        documents = [json.loads(body) for body in self.heard.values()]
        return Counter(f"{one['event']} {one['sender']}" for one in documents)


@contextmanager
def hooked() -> Iterator[Hook]:
    """A receiver on this machine."""
    state = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not state.down:
                state.doubles += self.headers["X-Mail2deal-Delivery"] in state.heard
                state.heard[self.headers["X-Mail2deal-Delivery"]] = body
            self.send_response(503 if state.down else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()
