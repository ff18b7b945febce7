"""A Dovecot with a benchmark mailbox, and a configuration of ours for it."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml
from corpus import bench_corpus, generate, write_maildir

from daemon.sandbox.imap_server import ImapServer, start_imap

PASSWORD = "secret"  # noqa: S105 - of a mailbox that lives as long as this program
SENT = "Sent"


@dataclass(frozen=True, slots=True)
class PostOffice:
    """A running server, the folder for everything that is written, and the mailboxes' folders."""

    server: ImapServer
    home: Path
    folders: dict[str, list[str]]

    def mailbox(self, user: str, count: int) -> None:
        """Give `user` a mailbox of so many mails."""
        self.server.add_user(user, PASSWORD)
        root = self.server.home / "mail" / user / "Maildir"
        number, total = write_maildir(root, bench_corpus(count))
        self.folders[user] = sorted(
            "INBOX" if path == root else path.name[1:].replace(".", "/")
            for path in (root, *root.glob(".*"))
            if (path / "cur").is_dir()
        )
        if self.server.owner is not None:
            for path in (root, *root.rglob("*")):
                os.chown(path, *self.server.owner)
        print(f"{user}: {number} mails, {total / 1e6:.0f} MB", flush=True)

    def config(self, user: str, ledger: Path, port: int | None = None) -> Path:
        """A configuration for one mailbox, which a fresh process of ours can run with."""
        office = generate(1, 50, now=datetime(2026, 11, 24, 9, tzinfo=UTC)).office
        document = {
            "mailboxes": [
                {
                    "name": "bench",
                    "host": "127.0.0.1",
                    "port": port or self.server.port,
                    "tls": "none",
                    "username": user,
                    "password": PASSWORD,
                    "folders": {"inbox": [n for n in self.folders[user] if n != SENT]},
                }
            ],
            "pipedrive": {"base_url": "http://127.0.0.1:9", "token": "none", "plan": "ultimate"},
            "us": {
                "domains": list(office.domains),
                "addresses": list(office.addresses),
                "authserv_id": office.authserv_id,
            },
            "ignore": {
                "addresses": list(office.ignored_addresses),
                "domains": list(office.ignored_domains),
            },
            "ledger": str(ledger),
        }
        path = ledger.with_suffix(".yaml")
        path.write_text(yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False))
        path.chmod(0o600)
        return path


@contextmanager
def post_office(
    *,
    tls: bool = False,
    connections: int = 100,
    settings: Callable[[Path], str] | None = None,
) -> Iterator[PostOffice]:
    """Run a Dovecot until the block ends; everything is gone then."""
    with (
        tempfile.TemporaryDirectory(prefix="m2d-bench-") as home,
        start_imap(
            "dovecot", sent=SENT, tls=tls, connections=connections, settings=settings
        ) as server,
    ):
        yield PostOffice(server, Path(home), {})
