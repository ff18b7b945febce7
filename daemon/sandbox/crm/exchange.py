"""One request, one answer, and the refusal that becomes an answer.

Plain values without a socket: the adapter and the server both speak these. The error bodies have
the shapes of Pipedrive's v1 and v2 answers as observed in late 2026.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

ERROR_INFO = "Please check developers.pipedrive.com for more information about Pipedrive API."
SCHEMA_FAILED = "ERR_SCHEMA_VALIDATION_FAILED"
HTTP_UNAUTHORIZED = 401

Doc = dict[str, Any]
"""One JSON object, as stored and as sent."""

Cut = Literal["", "drop", "reset", "timeout", "short"]
"""How the line breaks instead of an answer: closed, reset, silent, or closed inside the body."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `query` as it stands in the URL."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def pairs(self) -> list[tuple[str, str]]:
        """The query as decoded pairs, in order."""
        return parse_qsl(self.query, keep_blank_values=True)

    def header(self, name: str) -> str | None:
        """One header by its name, in any case; None when it isn't there."""
        return next((v for k, v in self.headers.items() if k.lower() == name), None)


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; with `cut` set the line breaks instead, after `delay` seconds either way."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: Cut = ""
    delay: float = 0.0

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint says; `empty_additional` sends `additional_data` as null."""

    data: Any
    status: int = 200
    additional: Doc | None = None
    empty_additional: bool = False

    def response(self) -> Response:
        """The answer as bytes."""
        body: Doc = {"success": True, "data": self.data}
        if self.additional is not None or self.empty_additional:
            body["additional_data"] = self.additional
        return json_response(self.status, body)


class Refusal(Exception):
    """A request that is answered with an error; rolls its work back."""

    def __init__(
        self,
        status: int,
        error: str,
        *,
        code: str | None = None,
        info: str = ERROR_INFO,
        extra: Doc | None = None,
    ) -> None:
        """Keep the status and the parts of the error body."""
        super().__init__(error)
        self.status = status
        self.error = error
        self.code = code
        self.info = info
        self.extra = extra or {}

    def response(self) -> Response:
        """The error in Pipedrive's envelope."""
        body: Doc = {"success": False, "error": self.error, "error_info": self.info}
        if self.status == HTTP_UNAUTHORIZED:
            return json_response(self.status, body | {"errorCode": self.status})
        body |= {"data": None, "additional_data": None}
        if self.code:
            body["code"] = self.code
        return json_response(self.status, body | self.extra)


def invalid(*problems: str) -> Refusal:
    """The 400 of a body or query that doesn't fit the schema; problems are `path: what`."""
    return Refusal(400, "Validation failed: " + "; ".join(problems), code=SCHEMA_FAILED)


def not_found(noun: str) -> Refusal:
    """The 404 of one record."""
    return Refusal(404, f"{noun} not found")


def json_response(status: int, body: Any) -> Response:
    """An answer with a JSON body."""
    return Response(
        status,
        {"content-type": "application/json; charset=utf-8"},
        json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
    )


def html_response(status: int, title: str) -> Response:
    """An answer of the machinery in front of the API: HTML, never JSON."""
    page = (
        "<!DOCTYPE html>\n<html lang='en-US'><head><title>"
        f"{title}</title></head><body><h1>{title}</h1><p>Cloudflare</p></body></html>\n"
    )
    return Response(
        status, {"content-type": "text/html; charset=UTF-8", "server": "cloudflare"}, page.encode()
    )
