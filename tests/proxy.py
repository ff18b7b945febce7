"""A line to a server that can be cut or can fall silent, as networks do."""

import select
import socket

from loopback import Loopback


class Proxy(Loopback):
    """Passes bytes between a port of its own and a server until told otherwise.

    `silent` swallows everything both ways, lines stay open: what a NAT or a dead route does.
    `passed` counts the bytes of all lines, both ways.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self._server = ("127.0.0.1", port)
        self.silent = False
        self.passed = 0

    def serve(self, line: socket.socket) -> None:
        with socket.create_connection(self._server) as server:
            other = {line: server, server: line}
            speaking = {line, server}  # who has hung up in a silence does so at its end
            while not self.over and (self.silent or len(speaking) == len(other)):
                for one in select.select(speaking, [], [], 0.02)[0]:
                    data = one.recv(65536)
                    if not data:
                        speaking.remove(one)
                    elif not self.silent:
                        other[one].sendall(data)
                        self.passed += len(data)
