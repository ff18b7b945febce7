"""What systemd hears: a NOTIFY_SOCKET for tests, read at once as systemd does."""

import contextlib
import queue
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PATIENCE = 60  # seconds after which a test gives up


class Listener:
    """The datagrams at one socket, in order; `heard` keeps those that were looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while text := self._socket.recv(4096).decode():
            self._queue.put(text)

    def next(self, start: str) -> str:
        """Wait for the next datagram with a line that starts like this."""
        while True:
            text = self._queue.get(timeout=PATIENCE)
            self.heard.append(text)
            if any(line.startswith(start) for line in text.splitlines()):
                return text

    def drain(self) -> list[str]:
        """Return what has been sent until now and wasn't looked at."""
        self._send("END")
        drained = list(iter(lambda: self._queue.get(timeout=PATIENCE), "END"))
        self.heard += drained
        return drained

    def close(self) -> None:
        self._send("")
        self._reader.join()
        self._socket.close()

    def _send(self, text: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(text.encode(), str(self.path))


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    """Listen until the block ends."""
    # A short path: AF_UNIX has room for 108 bytes, fewer than some temporary directories take.
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        listener = Listener(Path(directory, "notify"))
        try:
            yield listener
        finally:
            listener.close()


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; never to measure how fast, only so that a test can fail."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)
