"""A Pipedrive for one machine: the endpoints mail2deal calls, as strict as the real ones.

`Sandbox(store, settings=…, clock=…).handle(request)` answers one request out of SQLite; the
`SandboxAdapter` mounts it into a requests session without a socket, `Server` puts it on loopback.
It promises official field names, types, token costs, limits and error bodies for what it knows,
and a 404 for everything else. It is not a place to keep data, and it sends nothing anywhere.
"""

from daemon.sandbox.crm.adapter import SandboxAdapter
from daemon.sandbox.crm.board import Card, Column, board, duplicates
from daemon.sandbox.crm.core import Logged, Sandbox, Usage
from daemon.sandbox.crm.exchange import Request, Response
from daemon.sandbox.crm.faults import Fault, Faults
from daemon.sandbox.crm.seed import seed_from
from daemon.sandbox.crm.server import Server, run_server
from daemon.sandbox.crm.settings import Settings, User
from daemon.sandbox.crm.switches import Switches

__all__ = [
    "Card",
    "Column",
    "Fault",
    "Faults",
    "Logged",
    "Request",
    "Response",
    "Sandbox",
    "SandboxAdapter",
    "Server",
    "Settings",
    "Switches",
    "Usage",
    "User",
    "board",
    "duplicates",
    "run_server",
    "seed_from",
]
