"""The ledger in the browser, read-only, on this machine only.

Datasette opens the file with `mode=ro`; in front of it a guard lets through only reads, only for
this machine's own names, and only under a secret path that is made anew with each start. So
neither another user of the machine nor a web page that points its name at loopback can look in.
"""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import Any

from daemon.errors import ConfigProblem
from daemon.ledger.questions import DASHBOARD, DATABASE, metadata
from daemon.ledger.store import Ledger

_HOST = "127.0.0.1"
_NAMES = (_HOST, "localhost")
_READS = ("GET", "HEAD")

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


def inspect(ledger: Path, port: int, ready: Callable[[str, str], object]) -> None:
    """Serve until ^C; `ready` is told the addresses of the tables and of the charts.

    Raises ConfigProblem without the extra, LedgerProblem without a ledger.
    """
    with Ledger.open(ledger, readonly=True):  # refuses what isn't a ledger
        pass
    try:
        datasette, uvicorn = import_module("datasette.app"), import_module("uvicorn")
        database = import_module("datasette.database").Database
        import_module("datasette_dashboards")
        # A wrong query would print a traceback with all its variables, mail subjects among them.
        errors: Any = import_module("datasette.handle_exception")
        errors.rich = _Silent
    except ImportError as error:
        raise ConfigProblem(
            f"the browser view isn't installed ({error.name})",
            hint="pip install 'mail2deal[inspect]'",
        ) from error
    prefix = f"/{secrets.token_urlsafe(16)}/"
    served = datasette.Datasette(
        [],
        metadata=metadata(),
        settings={"base_url": prefix, "num_sql_threads": 2, "allow_download": False},
    )
    path = str(ledger.absolute())
    served.add_database(database(served, path=path, is_mutable=True), name=DATABASE)
    config = uvicorn.Config(
        guard(served.app(), prefix), host=_HOST, port=port, log_level="error", access_log=False
    )
    _server(uvicorn, config, prefix, ready).run()


class _Silent:
    """Stands where Datasette prints tracebacks; the browser is told what was wrong anyway."""

    @classmethod
    def get_console(cls) -> type["_Silent"]:
        return cls

    @staticmethod
    def print_exception(**_: Any) -> None:
        """Print nothing."""


def _server(uvicorn: Any, config: Any, prefix: str, ready: Callable[[str, str], object]) -> Any:
    class Server(uvicorn.Server):  # type: ignore[misc]  # an optional part, imported at run time
        """Says where it listens once it does."""

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            for server in self.servers:
                port = server.sockets[0].getsockname()[1]
                url = f"http://{_HOST}:{port}{prefix}"
                ready(f"{url}{DATABASE}", f"{url}-/dashboards/{DASHBOARD}")

    return Server(config)


def guard(app: App, prefix: str) -> App:
    """Let only reads under `prefix`, addressed to this machine by name, reach `app`."""

    async def guarded(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not _is_allowed(scope, prefix):
            start = {
                "type": "http.response.start",
                "status": 403,
                "headers": [(b"content-type", b"text/plain")],
            }
            await send(start)
            await send({"type": "http.response.body", "body": b"no\n"})
            return
        await app(scope, receive, send)

    return guarded


def _is_allowed(scope: Scope, prefix: str) -> bool:
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    names = {host.decode("latin-1").rpartition(":")[0] or host.decode("latin-1") for host in hosts}
    return (
        scope["method"] in _READS
        and len(hosts) == 1
        and names <= set(_NAMES)
        and scope["path"].startswith(prefix)
    )
