"""The ledger in the browser, read-only, on this machine only.

A page of ours comes first; Datasette, which opens the file with `mode=ro`, has the tables and
questions behind it. In front of both a guard lets through only reads, only for this machine's own
names, and only under a secret path that is made anew with each start. So neither another user of
the machine nor a web page that points its name at loopback can look in.
"""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from daemon.errors import ConfigProblem, Problem
from daemon.ledger.questions import DATABASE, metadata
from daemon.ledger.store import Ledger
from daemon.maintenance.html import document

_HOST = "127.0.0.1"
_NAMES = (_HOST, "localhost")
_READS = ("GET", "HEAD")

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


def inspect(
    ledger: Path, port: int, first_page: Callable[[], str], ready: Callable[[str], object]
) -> None:
    """Serve until ^C; `first_page` makes the page at the address that `ready` is told.

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
        template_dir=str(Path(__file__).with_name("templates")),
        settings={"base_url": prefix, "num_sql_threads": 2, "allow_download": False},
    )
    path = str(ledger.absolute())
    served.add_database(database(served, path=path, is_mutable=True), name=DATABASE)
    app = guard(opened_by(first_page, served.app(), prefix), prefix)
    config = uvicorn.Config(app, host=_HOST, port=port, log_level="error", access_log=False)
    # uvicorn raises ^C again once it has closed everything; ^C is how this ends.
    with suppress(KeyboardInterrupt):
        _server(uvicorn, config, prefix, ready).run()


class _Silent:
    """Stands where Datasette prints tracebacks; the browser is told what was wrong anyway."""

    @classmethod
    def get_console(cls) -> type["_Silent"]:
        return cls

    @staticmethod
    def print_exception(**_: Any) -> None:
        """Print nothing."""


def _server(uvicorn: Any, config: Any, prefix: str, ready: Callable[[str], object]) -> Any:
    class Server(uvicorn.Server):  # type: ignore[misc]  # an optional part, imported at run time
        """Says where it listens once it does."""

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            for server in self.servers:
                port = server.sockets[0].getsockname()[1]
                ready(f"http://{_HOST}:{port}{prefix}")

    return Server(config)


def opened_by(first_page: Callable[[], str], app: App, prefix: str) -> App:
    """Answer `prefix` itself with the first page, and leave the pages below it to `app`."""

    async def opened(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != prefix:
            await app(scope, receive, send)
            return
        try:
            status, text = 200, first_page()
        except Problem as problem:
            status, text = 503, document("mail2deal", [f"<p>{escape(str(problem))}</p>"])
        await _answer(send, status, "text/html; charset=utf-8", text)

    return opened


async def _answer(send: Any, status: int, kind: str, text: str) -> None:
    headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


def guard(app: App, prefix: str) -> App:
    """Let only reads under `prefix`, addressed to this machine by name, reach `app`."""

    async def guarded(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not _is_allowed(scope, prefix):
            await _answer(send, 403, "text/plain", "no\n")
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
