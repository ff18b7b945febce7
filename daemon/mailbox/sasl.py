"""Credentials onto the wire: a password, or an OAuth 2 token that is renewed once if refused.

Nothing that a configuration or a token server gives can put a second command on the wire, and a
mechanism is used only if the server offers it.
RFC 4616 (PLAIN), RFC 7628 (OAUTHBEARER), https://developers.google.com/gmail/imap/xoauth2-protocol
"""

import base64
import re
from collections.abc import Callable
from imaplib import IMAP4

from imapclient.exceptions import LoginError

from daemon.errors import AuthProblem, ConfigProblem, Problem, RetryLater
from daemon.mailbox import imap_errors
from daemon.mailbox.account import Account
from daemon.mailbox.client import ImapClient

MECHANISMS = ("XOAUTH2", "OAUTHBEARER")  # in this order: every provider has proven the first

_QUOTABLE = re.compile(r"[\x20-\x7e]*")
_TOKEN = re.compile(r"[\x21-\x7e]+")  # RFC 6750, 2.1 is stricter; providers aren't
_LONG = 8  # characters that no ordinary word is mistaken for
_BREAKING = re.compile(r"[\x00\x01\r\n]")


class PlainLost(Exception):
    """The line was lost over AUTHENTICATE PLAIN, where LOGIN is possible; `problem` says how."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def authenticate(client: ImapClient, account: Account, *, plain: bool = True) -> None:
    """Log in; raises AuthProblem, ConfigProblem, or RetryLater (not now, or the line is gone).

    Raises PlainLost where another connection may do better without `plain`. What the server says of
    a failure is told without the password or token, should it repeat them.
    """
    secrets: set[str] = set()
    try:
        _log_in(client, account, secrets, plain=plain)
    except PlainLost as lost:
        imap_errors.without(lost.problem, secrets)
        raise
    except Exception as error:  # noqa: BLE001 - garbage from a server raises nearly anything
        raise imap_errors.without(_problem(error, account, client), secrets) from None


def _problem(error: Exception, account: Account, client: ImapClient) -> Problem:
    """What a failed login means, whoever raised it."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, LoginError):
        return _refusal(error, account, client)
    what = f"{account.name} ({account.host}:{account.port})"
    return imap_errors.not_connected(error, what=what, ca_file=account.ca_file)


def _log_in(client: ImapClient, account: Account, secrets: set[str], *, plain: bool) -> None:
    if account.token is not None:
        _with_token(client, account, account.token, secrets)
    elif account.password is not None:
        password = account.password()
        secrets |= _forms(password) | _forms(f"\0{account.username}\0{password}")
        _with_password(client, account, password, plain=plain)
    else:
        raise ConfigProblem("neither a password nor a token", what=account.name)


def _with_password(client: ImapClient, account: Account, password: str, *, plain: bool) -> None:
    """By AUTHENTICATE PLAIN; where that fails, by LOGIN, before the password is called wrong."""
    if _BREAKING.search(account.username + password):
        raise ConfigProblem("user name or password holds a control character", what=account.name)
    quotable = _QUOTABLE.fullmatch(account.username + password) is not None
    may_log_in = quotable and not client.has_capability("LOGINDISABLED")
    refused: Problem | None = None
    plain = plain and not account.ladder.gave_up("AUTH=PLAIN")
    if client.has_capability("AUTH=PLAIN") and (plain or not may_log_in):
        refused = _refused_plain(client, account, password, another_way=may_log_in)
        if refused is None:
            return
    if may_log_in:
        try:
            # imaplib quotes the password but not the user name.
            client.login(_quoted(account.username), password)
        except (LoginError, OSError) as error:
            raise refused or _problem(error, account, client) from None
        if refused is not None:
            account.ladder.give_up("AUTH=PLAIN", refused.message)
        return
    if client.has_capability("LOGINDISABLED"):
        raise ConfigProblem(
            "the server takes no password on this line",
            what=account.name,
            hint="use tls: implicit or starttls, or the provider wants oauth",
        )
    raise ConfigProblem(
        "user name or password isn't ASCII, and the server takes nothing else",
        what=account.name,
        hint="set a password of plain letters and digits",
    )


def _refused_plain(
    client: ImapClient, account: Account, password: str, *, another_way: bool
) -> Problem | None:
    """Log in by AUTHENTICATE PLAIN; what the server says if there is `another_way` to try then."""
    try:
        client.plain_login(account.username, password)  # UTF-8, no quoting
    except (LoginError, OSError) as error:
        if another_way and _lost_the_line(error, account, client):
            raise PlainLost(_problem(error, account, client)) from None
        if not another_way or isinstance(error, OSError):
            raise
        if not _is_worth_another_way(error, account, client):
            raise
        return _refusal(error, account, client)
    return None


def _lost_the_line(error: Exception, account: Account, client: ImapClient) -> bool:
    """Whether there was no answer that can be read, and nothing that says to come back later."""
    if isinstance(error, LoginError) and not isinstance(error.__context__, IMAP4.abort):
        return False
    problem = _problem(error, account, client)
    asks = isinstance(problem, imap_errors.Crowded)
    return isinstance(problem, RetryLater) and problem.after is None and not asks


def _is_worth_another_way(error: LoginError, account: Account, client: ImapClient) -> bool:
    """Whether a refusal may mean the mechanism, not the account, the server or the line."""
    text = _said(error)
    if isinstance(error.__context__, IMAP4.abort) or imap_errors.is_locked(text):
        return False
    refusal = _refusal(error, account, client)
    return isinstance(refusal, AuthProblem) or client.imap4.said_bad


def _with_token(
    client: ImapClient,
    account: Account,
    token: Callable[[str | None], str],
    secrets: set[str],
) -> None:
    offered = [one for one in MECHANISMS if client.has_capability(f"AUTH={one}")]
    if not offered:
        raise ConfigProblem(
            "the server offers no OAuth login", what=account.name, hint="use a password"
        )
    first = token(None)
    secrets |= {first} | _forms(first)
    try:
        _bear(client, account, offered[0], first)
    except LoginError as error:
        # A new token helps against a refusal, not against a server that is full or gone.
        if not isinstance(_refusal(error, account, client), AuthProblem):
            raise
        second = token(first)
        secrets |= {second} | _forms(second)
        if second == first:
            raise
        _bear(client, account, offered[0], second)


def _refusal(error: LoginError, account: Account, client: ImapClient) -> Problem:
    """What a failed login means: imapclient wraps a lost connection, a BYE and a NO alike."""
    if isinstance(error.__context__, IMAP4.abort):
        return imap_errors.lost(error, what=account.name, before_login=True)
    text = _said(error)
    bad = client.imap4.said_bad
    return imap_errors.login_refused(text, what=account.name, bad=bad, advice=account.advice)


def _said(error: LoginError) -> str:
    said = error.__context__.args[0] if error.__context__ else str(error)
    return imap_errors.words(said if isinstance(said, bytes | str) else str(said))


def _forms(secret: str) -> set[str]:
    """A secret in all forms in which a server, or an error of a library, may repeat it."""
    # Without its end, which depends on what stands behind it.
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]
    quoted = secret.replace("\\", "\\\\").replace('"', '\\"')
    plain = {secret, quoted}
    return {
        encoded if len(encoded) >= _LONG else "",
        *plain,
        *(repr(one.encode())[2:-1] for one in plain),
    }


def _bear(client: ImapClient, account: Account, mechanism: str, token: str) -> None:
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
