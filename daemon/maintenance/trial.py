"""FLOW one answer of a new user tried for real: a login, a token, a stage; nothing is written.

Each function returns what it found, or raises the Problem that says what is wrong.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from daemon.errors import ConfigProblem, Problem
from daemon.mailbox.account import Account
from daemon.mailbox.imap import Mailbox
from daemon.mailbox.login import connect, hang_up, is_loopback
from daemon.pipedrive.company import place
from daemon.pipedrive.costs import Call
from daemon.pipedrive.read_only import ReadOnlyClient

_SECONDS = 8.0  # a person waits for each of these


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """Whose token it is, and in which company."""

    user: str
    company: str


def ways_in(host: str, port: int | None) -> Iterator[tuple[int, str]]:
    """Ports and kinds of TLS to try, the best first (RFC 8314); plain only on this machine."""
    if port is None:
        yield from ((993, "implicit"), (143, "starttls"))
    else:
        yield from ((port, "implicit"), (port, "starttls"))
    if is_loopback(host):
        yield port or 143, "none"


def server(host: str, port: int | None) -> tuple[int, str]:
    """Under which port and TLS an IMAP server answers; raises the first Problem if none does."""
    first: Problem | None = None
    for number, tls in ways_in(host, port):
        try:
            hang_up(connect(_account(host, number, tls)))
        except Problem as problem:
            first = first or problem
        else:
            return number, tls
    assert first is not None  # noqa: S101 - there is always a first way
    raise first


def _account(host: str, port: int, tls: str) -> Account:
    return Account(
        host,
        host,
        "",
        port=port,
        tls=tls,  # type: ignore[arg-type]
        connect_timeout=_SECONDS,
        read_timeout=_SECONDS,
    )


def log_in(account: Account) -> str:
    """Log in and look at the folders; returns what a person wants to hear."""
    patient = replace(account, connect_timeout=_SECONDS, read_timeout=_SECONDS)
    with Mailbox.connect(patient) as mailbox:
        roles = mailbox.folders()
    sent = [role.name for role in roles if role.role == "sent"]
    if not sent:
        return "logged in; no Sent folder found"
    return f"logged in; your own mail is in {', '.join(sent)}"


@contextlib.contextmanager
def pipedrive(url: str, token: str) -> Iterator[ReadOnlyClient]:
    """A client that can't write, closed afterwards."""
    client = ReadOnlyClient(url, lambda: token, plan="lite", timeout=(_SECONDS, _SECONDS))
    try:
        yield client
    finally:
        client.close()


def company(client: ReadOnlyClient) -> TokenOwner:
    """Who the token belongs to; raises AuthProblem, or ConfigProblem for a company that isn't."""
    try:
        me = client.send(Call.to("users.me")).data
        return TokenOwner(str(me["name"]), str(me["company_name"]))
    except (KeyError, TypeError) as error:
        raise ConfigProblem("this isn't Pipedrive's API", hint="is the company right?") from error


def stage(client: ReadOnlyClient, pipeline: str | None, name: str) -> int:
    """The id of a stage; raises ConfigProblem that names the ones there are."""
    return place(client, pipeline, name)
