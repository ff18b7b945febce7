"""Ports of loopback that are kept for one server, so that no other program is given them meanwhile.

A server that can't pick its own port and say which is told a number, and until it listens there
the kernel may give that number to whoever asks for any. On Linux a socket that is bound but doesn't
listen prevents that, and is in nobody's way who is told the number and sets SO_REUSEADDR, as
servers do (socket(7), ip(7)). Elsewhere it would be in the way, so there a number is only known to
have been free.
"""

import contextlib
import socket
import sys
from collections.abc import Iterator

HOST = "127.0.0.1"


@contextlib.contextmanager
def kept_ports(count: int) -> Iterator[list[int]]:
    """So many ports where nobody listens until the block ends but who is told their numbers."""
    with contextlib.ExitStack() as stack:
        keepers = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in keepers:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((HOST, 0))
        ports = [one.getsockname()[1] for one in keepers]
        if not sys.platform.startswith("linux"):
            stack.close()
        yield ports
