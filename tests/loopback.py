"""A server of one's own for a block: a port, a thread for each line, and nothing left at the end."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Loopback:
    """Use as a context manager; a subclass says in `serve` what it does with a line.

    A line is shut down when `serve` returns, and at the end of the block, which all threads have
    ended when it is left.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.over = False
        self._lines: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for line in self._lines:
            _shut(line)
        for thread in self._threads[1:]:
            thread.join()
        for one in (self._listener, *self._lines):
            one.close()

    def serve(self, line: socket.socket) -> None:
        """In a thread of its own; an OSError means that the client has left."""
        raise NotImplementedError

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return  # the block has ended
            self._lines.append(line)
            self._threads.append(threading.Thread(target=self._serve, args=(line,)))
            self._threads[-1].start()

    def _serve(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.serve(line)
        _shut(line)


def _shut(line: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the client was faster
        line.shutdown(socket.SHUT_RDWR)
