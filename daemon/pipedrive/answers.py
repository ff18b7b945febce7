"""Reading what came back: status, headers and body become an `Answer` or an error by what to do.

Promises: never believes a success that it can't read, never takes a web page for a word of the
API, and keeps every message one bounded plain line. Doesn't do: waiting, counting or sending.
Statuses: https://pipedrive.readme.io/docs/core-api-concepts-http-status-codes
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from daemon.errors import AuthProblem, ConfigProblem, Problem
from daemon.pipedrive.costs import Call
from daemon.pipedrive.outcomes import (
    Answer,
    Blocked,
    Capped,
    Gone,
    Moved,
    Refused,
    TooMany,
    Unknown,
)

WORDS_LIMIT = 300  # characters of the API's own words that an error keeps
LONGEST_ASKED = 3600.0  # seconds; a longer wish is cut to it
_A_MOMENT = 1_000_000_000.0  # seconds since 1970, in 2001
_COPY_IT = "copy the token from Pipedrive: Personal preferences, API"
_NOT_THE_API = "is pipedrive.company or base_url right, or is a proxy in between?"


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What came over the line; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def number(self, header: str) -> int | None:
        """A header as a whole number, None when it is absent or isn't one."""
        text = self.headers.get(header, "").strip()
        return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None

    @property
    def succeeded(self) -> bool:
        """Whether the status says so; the body has the last word."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def from_gate(self) -> bool:
        """Whether it was refused in front of the API, which neither saw nor counted it."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS or (
            self.status == HTTPStatus.FORBIDDEN and not self.envelope
        )

    @property
    def envelope(self) -> dict[str, Any] | None:
        """The JSON object of the body; None for web pages, cut JSON and bare values."""
        try:
            body = json.loads(self.body)
        except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested to harm
            return None
        return body if isinstance(body, dict) else None

    @property
    def date(self) -> datetime | None:
        """When the server answered, by its own clock (RFC 9110 section 6.6.1)."""
        try:
            moment = parsedate_to_datetime(self.headers.get("date", ""))
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    @property
    def correlation(self) -> str | None:
        """The id to give to Pipedrive's support, one bounded word."""
        return plain(self.headers.get("x-correlation-id", ""), 80) or None


def read(call: Call, reply: HttpReply) -> Answer | Problem:
    """Turn a reply into the Answer or the error that it means."""
    match reply.status // 100:
        case 2:
            return _success(call, reply)
        case 3:
            return _redirect(call, reply)
        case 4:
            return _no(call, reply)
        case _:
            return Unknown(f"HTTP {reply.status}", what=call.kind)


def asked_pause(reply: HttpReply, now: datetime) -> float | None:
    """Seconds that a refusal asks us to wait: `x-ratelimit-reset` (429), else `Retry-After`."""
    too_many = reply.status == HTTPStatus.TOO_MANY_REQUESTS
    for header in ("x-ratelimit-reset", "retry-after") if too_many else ("retry-after",):
        text = reply.headers.get(header, "").strip()
        seconds = _seconds(text, now) if text else None
        if seconds is not None:
            return min(max(seconds, 0.05), LONGEST_ASKED)
    return None


def plain(text: str, limit: int = WORDS_LIMIT) -> str:
    """One line without control characters, at most `limit` characters."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text[: limit * 4]).split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


def _success(call: Call, reply: HttpReply) -> Answer | Problem:
    body = reply.envelope
    if body is None or not isinstance(body.get("success"), bool) or "data" not in body:
        return Unknown(
            f"HTTP {reply.status} with a body that isn't the API's",
            what=call.kind,
            hint=_NOT_THE_API,
        )
    if body["success"] is False:
        # A refusal has a status of its own. This may have been done, then gone wrong.
        words = _refused(Refused, call, reply, body).message
        return Unknown(f"HTTP {reply.status} without success: {words}", what=call.kind)
    additional = body.get("additional_data")
    return Answer(
        status=reply.status,
        data=body.get("data"),
        additional=additional if isinstance(additional, dict) else {},
        cost=call.cost,
        kind=call.kind,
    )


def _no(call: Call, reply: HttpReply) -> Problem:
    body = reply.envelope or {}
    problem: Problem
    match reply.status:
        case HTTPStatus.UNAUTHORIZED:
            problem = AuthProblem(
                "the API token was refused", what="pipedrive.token", hint=_COPY_IT
            )
        case HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            problem = ConfigProblem("the HTTP proxy wants a login", what="pipedrive")
        case HTTPStatus.TOO_MANY_REQUESTS:
            problem = TooMany("too many requests", what=call.kind)
        case HTTPStatus.FORBIDDEN if not body:
            problem = Blocked("shut out by the gate before the API (403)", what=call.kind)
        case HTTPStatus.PAYMENT_REQUIRED | HTTPStatus.FORBIDDEN:
            problem = _refused(Capped, call, reply, body)
        case HTTPStatus.NOT_FOUND | HTTPStatus.GONE if body.get("success") is False:
            problem = _refused(Gone, call, reply, body)
        case HTTPStatus.NOT_FOUND | HTTPStatus.GONE:
            # One that isn't the API's own must never read as "the record is gone".
            problem = Unknown(f"HTTP {reply.status}", what=call.kind, hint=_NOT_THE_API)
        case HTTPStatus.REQUEST_TIMEOUT | HTTPStatus.TOO_EARLY:
            problem = Unknown(f"HTTP {reply.status}", what=call.kind)
        case _:
            problem = _refused(Refused, call, reply, body)
    return problem


def _refused(kind: type[Refused], call: Call, reply: HttpReply, body: Mapping[str, Any]) -> Refused:
    code = plain(str(body.get("code") or ""), 80)
    if kind is Capped and not code.startswith("feature_capping"):
        code = "payment" if reply.status == HTTPStatus.PAYMENT_REQUIRED else code or "permission"
    said = [body.get("error"), body.get("error_info")]
    # error_info mostly is a link to the documentation, which helps nobody.
    words = [w for w in said if isinstance(w, str) and not w.startswith("Please check developers")]
    text = plain("; ".join(words)) or "no reason given"
    shown = f" [{code}]" if code and code not in text else ""
    return kind(
        f"HTTP {reply.status}: {text}{shown}", what=call.kind, status=reply.status, code=code
    )


def _redirect(call: Call, reply: HttpReply) -> Problem:
    target = urlsplit(reply.headers.get("location", ""))
    host = plain(target.netloc.rpartition("@")[2], 100) or "elsewhere"
    return Moved(
        f"{call.kind} was answered with a redirect to {host}, which is never followed",
        what="pipedrive",
        hint="if the company has another address now, name it as pipedrive.company or base_url",
    )


def _seconds(text: str, now: datetime) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return _until_date(text, now)
    if value != value or value < 0:  # noqa: PLR0124 - NaN is the one value that isn't itself
        return None
    # The unit isn't documented; a number of this size can only be a moment.
    return value - now.timestamp() if value > _A_MOMENT else value


def _until_date(text: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()
