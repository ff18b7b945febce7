"""Credentials onto the wire: a password, or an OAuth 2 token that is renewed once if refused.

Promises: nothing that a configuration or a token server gives can put a second command on the
wire; a mechanism is used only if the server offers it. Errors are the libraries' own here, except
for what a person has to change; `login` turns the rest into ours.
RFC 4616 (PLAIN), RFC 7628 (OAUTHBEARER), https://developers.google.com/gmail/imap/xoauth2-protocol
"""

import re
from collections.abc import Callable
from imaplib import IMAP4

from imapclient.exceptions import LoginError

from daemon.errors import AuthProblem, ConfigProblem, Problem
from daemon.mailbox import imap_errors
from daemon.mailbox.account import Account
from daemon.mailbox.client import Client

MECHANISMS = ("XOAUTH2", "OAUTHBEARER")  # in this order: every provider has proven the first

_QUOTABLE = re.compile(r"[\x20-\x7e]*")
_TOKEN = re.compile(r"[\x21-\x7e]+")  # RFC 6750, 2.1 is stricter; providers aren't
_BREAKING = re.compile(r"[\x00\x01\r\n]")


def authenticate(client: Client, account: Account) -> None:
    """Log in; raises LoginError (refused, or the line is gone) or ConfigProblem."""
    if account.token is not None:
        _with_token(client, account, account.token)
    elif account.password is not None:
        _with_password(client, account, account.password())
    else:
        raise ConfigProblem("neither a password nor a token", what=account.name)


def _with_password(client: Client, account: Account, password: str) -> None:
    if _BREAKING.search(account.username + password):
        raise ConfigProblem("user name or password holds a control character", what=account.name)
    if client.has_capability("AUTH=PLAIN"):
        client.plain_login(account.username, password)  # UTF-8, no quoting
    elif client.has_capability("LOGINDISABLED"):
        raise ConfigProblem(
            "the server takes no password on this line",
            what=account.name,
            hint="use tls: implicit or starttls, or the provider wants oauth",
        )
    elif _QUOTABLE.fullmatch(account.username + password):
        # imaplib quotes the password but not the user name.
        client.login(_quoted(account.username), password)
    else:
        raise ConfigProblem(
            "user name or password isn't ASCII, and the server takes nothing else",
            what=account.name,
            hint="set a password of plain letters and digits",
        )


def _with_token(client: Client, account: Account, token: Callable[[str | None], str]) -> None:
    offered = [one for one in MECHANISMS if client.has_capability(f"AUTH={one}")]
    if not offered:
        raise ConfigProblem(
            "the server offers no OAuth login", what=account.name, hint="use a password"
        )
    first = token(None)
    try:
        _bear(client, account, offered[0], first)
    except LoginError as error:
        # A new token helps against a refusal, not against a server that is full or gone.
        if not isinstance(refusal(error, account), AuthProblem):
            raise
        second = token(first)
        if second == first:
            raise
        _bear(client, account, offered[0], second)


def refusal(error: LoginError, account: Account) -> Problem:
    """What a failed login means: imapclient wraps a lost connection, a BYE and a NO alike."""
    if isinstance(error.__context__, IMAP4.abort):
        return imap_errors.lost(error, what=account.name)
    said = error.__context__.args[0] if error.__context__ else str(error)
    text = imap_errors.words(said if isinstance(said, bytes | str) else str(said))
    bad = " command error: BAD " in text
    return imap_errors.login_refused(text, what=account.name, bad=bad, advice=account.advice)


def _bear(client: Client, account: Account, mechanism: str, token: str) -> None:
    """One attempt."""
    if _BREAKING.search(account.username) or not _TOKEN.fullmatch(token):
        raise ConfigProblem("user name or token holds a control character", what=account.name)
    if mechanism == "XOAUTH2":
        response, consent = f"user={account.username}\x01auth=Bearer {token}\x01\x01", b""
    else:
        name = account.username.replace("=", "=3D").replace(",", "=2C")
        where = f"host={account.host}\x01port={account.port}"
        response = f"n,a={name},\x01{where}\x01auth=Bearer {token}\x01\x01"
        consent = b"\x01"
    challenges = 0

    def answer(_: bytes) -> bytes:
        nonlocal challenges
        challenges += 1
        # The second challenge is the refusal; this answer lets the server say NO.
        return response.encode() if challenges == 1 else consent

    client.sasl_login(mechanism, answer)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
