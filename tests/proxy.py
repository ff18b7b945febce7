"""A line to a server that can be cut or can fall silent, as networks do."""

import contextlib
import selectors
import socket
import threading
from types import TracebackType
from typing import Self


class Proxy:
    """Passes bytes between a port of its own and a server until told otherwise.

    `silent` swallows everything both ways, lines stay open: what a NAT or a dead route does.
    `passed` counts the bytes of all lines, both ways.
    """

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.silent = False
        self.passed = 0
        self._stop = False
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop = True
        self._thread.join()

    def _run(self) -> None:
        while not self._stop:
            for key, _ in self._selector.select(0.02):
                one = key.fileobj
                assert isinstance(one, socket.socket)
                if one is self._listener:
                    self._accept()
                elif one in self._pairs:
                    self._pass(one)
        while self._pairs:  # hanging up takes two out
            self._hang_up(next(iter(self._pairs)))
        self._listener.close()
        self._selector.close()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._server)
        self._pairs |= {client: server, server: client}
        for one in (client, server):
            self._selector.register(one, selectors.EVENT_READ)

    def _pass(self, one: socket.socket) -> None:
        try:
            data = one.recv(65536)
            if data and not self.silent:
                self._pairs[one].sendall(data)
                self.passed += len(data)
        except OSError:
            data = b""
        if not data and not self.silent:
            self._hang_up(one)

    def _hang_up(self, one: socket.socket) -> None:
        for end in (one, self._pairs.pop(one)):
            self._pairs.pop(end, None)
            with contextlib.suppress(KeyError):
                self._selector.unregister(end)
            end.close()
