"""Fixtures for tests on a real Dovecot: `dovecot` is a fresh user on a server that all tests share."""

import itertools
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from daemon.mailbox.imap import Account, Mailbox
from daemon.sandbox.imap_server import ImapServer, installed, start_imap

ARRIVED = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
_numbers = itertools.count(1)


@dataclass
class Post:
    """One user's mail on a running server."""

    server: ImapServer
    user: str
    password: str

    def deliver(
        self, raw: bytes, *, folder: str = "INBOX", internal_date: datetime = ARRIVED
    ) -> None:
        self.server.deliver(self.user, folder, raw, internal_date)

    def let_in_with(self, password: str) -> None:
        """Have the server take this password from now on, and no other.

        Dovecot looks for changes of the user's file at most once a second: it may take the old
        password until then, so we wait until it takes the new one.
        """
        self.server.add_user(self.user, password)
        for _ in range(100):
            with IMAPClient(self.server.host, port=self.server.port, ssl=False) as client:
                try:
                    client.login(self.user, password)
                except LoginError:
                    time.sleep(0.1)
                else:
                    return
        pytest.fail("Dovecot doesn't take the new password")

    def account(self, **changes: Any) -> Account:
        plain = Account(
            name="sales",
            host=self.server.host,
            port=self.server.port,
            tls="none",
            username=self.user,
            password=lambda: self.password,
            connect_timeout=10,
            read_timeout=20,
        )
        return replace(plain, **changes)

    def section(self, home: Path) -> dict[str, Any]:
        """The mailbox's entry of a configuration in `home`, where its password is put in a file."""
        (home / "password").write_text(self.password)
        return {
            "name": "sales",
            "host": self.server.host,
            "port": self.server.port,
            "tls": "none",
            "username": self.user,
            "password": {"file": "password"},
            "since": "2020-01-01",
        }

    def mailbox(self, **changes: Any) -> Mailbox:
        """A connection of ours; close it, or use it as a context manager."""
        return Mailbox.connect(self.account(**changes))

    def client(self, folder: str = "INBOX") -> IMAPClient:
        """A connection of somebody else's, with the folder selected for writing."""
        client = IMAPClient(self.server.host, port=self.server.port, ssl=False)
        client.login(self.user, self.password)
        client.select_folder(folder)
        return client


@pytest.fixture(scope="session")
def dovecot_server() -> Iterator[ImapServer]:
    if "dovecot" not in installed():
        pytest.skip("Dovecot 2.3 isn't installed")
    with start_imap("dovecot", tls=True) as server:
        yield server


@pytest.fixture
def dovecot(dovecot_server: ImapServer) -> Post:
    user = f"user{next(_numbers)}@example.com"
    dovecot_server.add_user(user, "secret")
    return Post(dovecot_server, user, "secret")


def with_capability(line: str | None) -> Callable[[Path], str]:
    """A server that says it can do this and no more; None for all it can."""
    return lambda _home: f"imap_capability = {line}" if line else ""


def with_oauth(introspection_url: str) -> Callable[[Path], str]:
    """A server that asks there whether an access token is good, and whose it is (RFC 7662)."""

    def settings(home: Path) -> str:
        file = home / "oauth2.conf"
        file.write_text(
            f"introspection_mode = post\nintrospection_url = {introspection_url}\n"
            "username_attribute = username\nactive_attribute = active\nactive_value = true\n"
            "force_introspection = yes\ntimeout_msecs = 5000\n"
        )
        return (
            "auth_mechanisms = plain login xoauth2 oauthbearer\npassdb {\n  driver = oauth2\n"
            f"  mechanisms = xoauth2 oauthbearer\n  args = {file}\n}}"
        )

    return settings


def with_compression(_home: Path) -> str:
    """A server with COMPRESS=DEFLATE (RFC 4978), where its plugin is installed."""
    return "mail_plugins = zlib\nprotocol imap {\n  mail_plugins = zlib imap_zlib\n}"


def can_compress() -> bool:
    """Whether that plugin is installed; a distribution may pack it apart."""
    asks = shutil.which("doveconf")
    if asks is None:
        return False
    command = [asks, "-d", "-h", "mail_plugin_dir"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    return bool(list(Path(shown.stdout.strip() or "/nowhere").glob("lib*_imap_zlib_plugin.so")))
