"""What a server's or a socket's words mean for us: every failure of this edge is named here.

Pure: text or an exception in, one of our errors out. The table follows what servers really say
(RFC 3501 section 7.1, RFC 5530 response codes, and the throttling lines of Gmail and Microsoft
365, which no RFC describes). A refusal that isn't known to pass by itself is `Rejected`; whoever
asked decides whether that means one message, one folder or the login.
"""

import re
import socket
import ssl
from collections.abc import Iterable
from imaplib import IMAP4
from typing import TypeVar

from daemon.errors import AuthProblem, ConfigProblem, Problem, Rejected, RetryLater

P = TypeVar("P", bound=Problem)

LONGEST_WAIT = 3600.0  # seconds; a server may ask for more, but then it is asked again hourly

_CODE = re.compile(r"\[([A-Z][A-Z0-9-]*)", re.IGNORECASE)
_BACKOFF = re.compile(r"Suggested Backoff Time[:= ]+(\d+)", re.IGNORECASE)  # milliseconds
# What a response code says decides (RFC 3501, RFC 5530, RFC 9051; THROTTLED is Gmail's).
_PASSING_CODES = frozenset(
    {"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "THROTTLED", "OVERQUOTA", "BADCHARSET"}
)
_FINAL_CODES = frozenset(
    {"NONEXISTENT", "NOPERM", "CANNOT", "CLIENTBUG", "TRYCREATE", "UNKNOWN-CTE", "CONTACTADMIN"}
)


def _any_of(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


# Where there is no code, words have to do: each beside a server that says so.
_PASSING_WORDS = _any_of(
    "throttl|too many|rate limit|exceeded",  # Gmail, Yahoo, Microsoft 365
    "maximum number of",  # Dovecot: … connections from user+IP exceeded
    "try again|temporar",  # Courier, Cyrus, Yahoo
    "unavailable|server busy|overload",  # Microsoft 365, iCloud
    "not connected|timed? ?out",  # Microsoft 365
    "internal (?:server )?error|connection closed",  # Dovecot, Zimbra
)
_CROWDED = _any_of(
    "maximum number of connections",  # Dovecot
    r"too many (?:\w+ )?connections|connection limit",  # Gmail, Courier, Yahoo
)
_PACE = _any_of("throttl|too many|rate limit|bandwidth", "overquota")  # Gmail, Microsoft 365
_CREDENTIAL_CODES = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED"})
# An account that is locked after wrong passwords: each further try keeps it locked.
_LOCKED = re.compile(
    r"\block(?:ed)?[ -]?out\b|(?<!mailbox )(?<!mailbox is )\blocked\b"
    r"|\b(?:account|user|address|ip|host)\b.{0,40}"
    r"\b(?:suspended|deactivated|blocked|disabled|frozen|banned)\b"
    r"|too many\b.{0,30}\b(?:fail\w*|invalid|incorrect|wrong|bad|unsuccessful)\b"
    r"|too many\b.{0,20}\b(?:log[ -]?ins?|sign[ -]?ins?|auth\w*|password)\b(?!.{0,20}connection)"
    r"|(?:log[ -]?in|sign[ -]?in|password|auth\w*) (?:attempts?|fail\w*|tries)\b.{0,20}\b"
    r"(?:exceed\w*|limit|reached)|maximum\b.{0,20}(?:attempts|fail\w*)|brute.?force"
    r"|web browser|unlock",
    re.IGNORECASE,
)
_FAILED_TOO_OFTEN = re.compile(
    r"too many\b(?!.{0,30}\bconnection)"
    r".{0,30}\b(?:fail\w*|invalid|incorrect|wrong|bad|unsuccessful)\b",
    re.IGNORECASE,
)
_NO_SECRET = 2  # characters that are in any sentence
_NO_BACKEND = re.compile(r"not connected", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
# What OpenSSL calls clear text where TLS should begin: before 3.2, since 3.2, and for some texts.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})


class Crowded(RetryLater):
    """The server has no room for another connection of ours."""


class TurnedAway(RetryLater):
    """A new connection was closed before it had answered anything: perhaps there are too many."""


class NoBackend(RetryLater):
    """The connection has lost the mailbox behind it, and won't recover; a new one may have it."""


def words(text: bytes | str) -> str:
    """What a server said, as one bounded line that is safe to log and to show."""
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return _CONTROL.sub(" ", shown).strip()[:300]


def refused(text: str, *, what: str) -> Rejected | RetryLater:
    """The error for a tagged NO or BAD: one that passes by itself, or a refusal for good."""
    wait = backoff(text)
    if lost_its_backend(text):
        return NoBackend(f"the server says: {text}", what=what, after=wait)
    if wait is not None or _passes(text):
        return RetryLater(f"the server says: {text}", what=what, after=wait)
    return Rejected(f"the server refuses: {text}", what=what)


def login_refused(
    text: str, *, what: str, bad: bool, advice: str = ""
) -> AuthProblem | ConfigProblem | RetryLater:
    """The error for a login answered NO or BAD; `advice` is what a person does about a wrong one.

    Servers answer NO for a wrong password, for too many connections and for their own trouble;
    only what names the credentials, or names nothing at all, is taken for a wrong password.
    """
    code = _code(text)
    if is_locked(text):
        hint = "the account is locked: wait, or unlock it where it is administered; then check"
        return AuthProblem(
            f"login refused: {text}", what=what, hint=f"{hint} username and password"
        )
    if code == "PRIVACYREQUIRED":
        return ConfigProblem(
            f"the server takes no login on this line: {text}",
            what=what,
            hint="tls: implicit, port: 993",
        )
    if code == "CONTACTADMIN":
        hint = "ask whoever runs the mail server, as it says"
        return AuthProblem(f"login refused: {text}", what=what, hint=hint)
    if code in _CREDENTIAL_CODES:
        return _wrong_credentials(text, what, advice)
    wait = backoff(text)
    if bad or wait is not None or _passes(text):
        kind = Crowded if _is_crowded(text) else RetryLater
        # Exchange says this in a bad hour, and always where it knows the token but not its right.
        hint = advice if lost_its_backend(text) else ""
        return kind(f"login put off, the server says: {text}", what=what, after=wait, hint=hint)
    return _wrong_credentials(text, what, advice)


def is_locked(text: str) -> bool:
    """Whether a refused login says that the account is locked for now."""
    if _FAILED_TOO_OFTEN.search(text):
        return True  # even with [LIMIT], which else is about connections
    about_us = _code(text) != "INUSE" and not _is_crowded(text)
    return about_us and _LOCKED.search(text) is not None


def without(problem: P, secrets: Iterable[str]) -> P:
    """The same error without what must not be shown, should the server have repeated it."""
    message = problem.message
    long_enough = (one for one in secrets if len(one) > _NO_SECRET)
    for secret in sorted(long_enough, key=len, reverse=True):
        message = re.sub(re.escape(secret), "***", message, flags=re.IGNORECASE)
        # Its beginning may stand where a long line was cut.
        for length in range(len(secret) - 1, 3, -1):
            if message.casefold().endswith(secret[:length].casefold()):
                message = message[:-length] + "***"
    problem.message = message
    problem.args = (problem.message,)
    return problem


def lost(error: BaseException | str, *, what: str, before_login: bool = False) -> RetryLater:
    """The error for a connection that is gone or can't be trusted any more."""
    text = _said(error)
    if isinstance(error, TimeoutError):
        text = "no answer in time"  # or one that comes so slowly that it doesn't end
    kind = Crowded if _is_crowded(text) else RetryLater
    if before_login and kind is RetryLater and isinstance(error, BaseException):
        kind = _closed_or_not(error)
    return kind(f"connection lost: {text}", what=what, after=backoff(text))


def _said(error: BaseException | str) -> str:
    """An error in words, without the number that the operating system gives it."""
    if isinstance(error, OSError) and error.strerror:
        return words(error.strerror)
    return words(str(error)) or type(error).__name__


def _closed_or_not(error: BaseException) -> type[RetryLater]:
    """Whether a server took a connection and closed it without a word."""
    closed = isinstance(error, ConnectionResetError | EOFError | ssl.SSLEOFError)
    return TurnedAway if closed else RetryLater


def not_connected(error: Exception, *, what: str, ca_file: str | None) -> Problem:
    """The error for a connection that never came to be, from what the libraries raise for it."""
    text = _said(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigProblem(
            f"its certificate isn't trusted: {words(error.verify_message) or text}",
            what=what,
            hint=f"it must be signed by {ca_file}, the ca_file, and name the host"
            if ca_file
            else "name the CA's certificate as ca_file if it is a private one",
        )
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return ConfigProblem("doesn't speak TLS there", what=what, hint="tls: starttls, port: 143")
    if isinstance(error, socket.gaierror):
        return RetryLater(f"host not found: {text}", what=what, hint="is the host name right?")
    if isinstance(error, TimeoutError):
        return RetryLater("no answer in time", what=what, hint="are host, port and tls right?")
    if isinstance(error, IMAP4.error | OSError | EOFError):
        kind = Crowded if _is_crowded(text) else _closed_or_not(error)
        return kind(f"not connected: {text}", what=what, after=backoff(text))
    # What else comes from here was raised by a library on a server's garbage.
    return RetryLater(f"not an IMAP server's words: {type(error).__name__}: {text}", what=what)


def backoff(text: str) -> float | None:
    """Seconds that the server asks us to wait, bounded; None if it names none."""
    asked = _BACKOFF.search(text)
    return min(int(asked[1]) / 1000, LONGEST_WAIT) if asked else None


def lost_its_backend(text: str) -> bool:
    """Whether a connection has lost what is behind it ("authenticated but not connected")."""
    return _NO_BACKEND.search(text) is not None


def _is_crowded(text: str) -> bool:
    return _code(text) == "LIMIT" or _CROWDED.search(text) is not None


def asks_for_patience(text: str) -> bool:
    """Whether a refusal is about our pace, which asking in smaller pieces makes worse."""
    return backoff(text) is not None or _PACE.search(text) is not None


def _code(text: str) -> str:
    code = _CODE.search(text)
    return code[1].upper() if code else ""


def _passes(text: str) -> bool:
    code = _code(text)
    if code in _PASSING_CODES | _FINAL_CODES:
        return code in _PASSING_CODES
    return _PASSING_WORDS.search(text) is not None


def _wrong_credentials(text: str, what: str, advice: str) -> AuthProblem:
    return AuthProblem(
        f"login refused: {text}",
        what=what,
        hint=advice or "check username and password; some providers want an app password",
    )
