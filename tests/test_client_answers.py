import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import AuthProblem, ConfigProblem, Problem, Rejected, RetryLater
from daemon.pipedrive.answers import WORDS_LIMIT, HttpReply, asked_pause, plain, read
from daemon.pipedrive.costs import Call
from daemon.pipedrive.outcomes import (
    Answer,
    Blocked,
    Capped,
    Gone,
    Moved,
    NotSent,
    Refused,
    TooMany,
    Unknown,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CREATE = Call.to("deals.create", body={"title": "t"})
HTML = b"<html><body>Attention Required! | Cloudflare</body></html>"


def _reply(status: int, body: object, **headers: str) -> HttpReply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(status, {k.replace("_", "-"): v for k, v in headers.items()}, raw)


def _error(text: str, **more: object) -> dict[str, object]:
    return {"success": False, "error": text, "error_info": "Please check developers.pipedrive.com",
            "data": None, "additional_data": None, **more}  # fmt: skip


def test_a_success_is_its_data_and_additional_data() -> None:
    reply = _reply(201, {"success": True, "data": [1], "additional_data": {"next_cursor": "c"}})
    assert read(CREATE, reply) == Answer(201, [1], {"next_cursor": "c"}, 5)
    assert read(CREATE, _reply(200, {"success": True, "data": {}})) == Answer(200, {}, {}, 5)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"success": true, "da', Unknown),
        (200, HTML, Unknown),
        (200, b"", Unknown),
        (204, b"", Unknown),
        (200, [1], Unknown),
        (200, {"data": 1}, Unknown),
        (200, {"success": True}, Unknown),
        (200, {"success": "yes"}, Unknown),
        (200, b"[" * 100_000, Unknown),
        (200, b'{"success": true, "data": "\xff"}', Unknown),
        (200, _error("no"), Unknown),
        (301, HTML, Moved),
        (302, b"", Moved),
        (400, _error("bad"), Refused),
        (400, HTML, Refused),
        (401, _error("unauthorized access", errorCode=401), AuthProblem),
        (401, HTML, AuthProblem),
        (402, _error("closed"), Capped),
        (403, _error("limit", code="feature_capping_deals_limit"), Capped),
        (403, HTML, Blocked),
        (403, b"", Blocked),
        (404, _error("Deal not found"), Gone),
        (410, _error("gone"), Gone),
        (404, HTML, Unknown),
        (404, {"message": "no Route matched"}, Unknown),
        (405, _error("no"), Refused),
        (407, HTML, ConfigProblem),
        (408, b"", Unknown),
        (415, _error("no"), Refused),
        (422, _error("no"), Refused),
        (425, b"", Unknown),
        (429, _error("too many"), TooMany),
        (429, HTML, TooMany),
        (500, _error("oops"), Unknown),
        (501, _error("oops"), Unknown),
        (503, HTML, Unknown),
        (524, HTML, Unknown),
    ],
)
def test_each_status_becomes_the_error_that_says_what_to_do(
    status: int, body: object, kind: type
) -> None:
    assert type(read(CREATE, _reply(status, body))) is kind


@pytest.mark.parametrize(
    ("kind", "repeatable"),
    [(TooMany, True), (Blocked, True), (Unknown, False)],
)
def test_only_what_was_certainly_not_processed_may_be_repeated(
    kind: type[RetryLater], repeatable: bool
) -> None:
    assert issubclass(kind, RetryLater)
    assert issubclass(kind, NotSent) is repeatable
    assert not issubclass(kind, Rejected)


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (400, _error("Validation failed: custom_fields: Unknown key 'x'", code="ERR_SCHEMA_VALIDATION_FAILED"),
         "ERR_SCHEMA_VALIDATION_FAILED", "Unknown key 'x' [ERR_SCHEMA_VALIDATION_FAILED]"),
        (403, _error("Open deals limit reached.", code="feature_capping_deals_limit"),
         "feature_capping_deals_limit", "Open deals limit reached."),
        (403, _error("Forbidden"), "permission", "Forbidden"),
        (402, _error("Company account is closed", code="x"), "payment", "closed"),
        (400, {"success": False, "error": "a", "error_info": "b"}, "", "a; b"),
        (400, {"success": False, "error": {"deep": 1}}, "", "no reason given"),
        (400, HTML, "", "no reason given"),
    ],
)  # fmt: skip
def test_a_refusal_keeps_the_words_and_the_code(
    status: int, body: object, code: str, said: str
) -> None:
    refused = read(CREATE, _reply(status, body))
    assert isinstance(refused, Refused)
    assert (refused.status, refused.code, refused.what) == (status, code, "deals.create")
    assert said in str(refused)
    assert "developers.pipedrive.com" not in str(refused)


@given(st.text() | st.integers() | st.none(), st.text(), st.integers(100, 599))
def test_whatever_the_api_says_stays_one_bounded_plain_line(
    error: object, code: str, status: int
) -> None:
    got = read(CREATE, _reply(status, {"success": False, "error": error, "code": code}))
    assert isinstance(got, Problem)
    assert str(got).isprintable()
    assert len(str(got)) < WORDS_LIMIT + 200


@given(st.binary(), st.integers(100, 599))
def test_any_body_at_all_is_read_without_a_crash(body: bytes, status: int) -> None:
    assert isinstance(read(CREATE, HttpReply(status, {}, body)), Answer | Problem)


def test_plain_text_has_no_control_characters() -> None:
    assert plain("a\r\nb\x1b[31m\u202ec\x00") == "a b [31m c"
    assert plain("x" * 1000, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"x-ratelimit-reset": "2", "retry-after": "60"}, 2.0),
        (429, {"x-ratelimit-reset": "0.4"}, 0.4),
        (429, {"x-ratelimit-reset": "0"}, 0.05),
        (429, {"x-ratelimit-reset": "soon", "retry-after": "3"}, 3.0),
        (429, {"x-ratelimit-reset": "-5"}, None),
        (429, {"x-ratelimit-reset": "nan"}, None),
        (429, {"retry-after": "inf"}, 3600.0),
        (429, {"x-ratelimit-reset": str(int(NOW.timestamp()) + 2)}, 2.0),
        (429, {"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT"}, 30.0),
        (429, {"retry-after": "Tue, 24 Nov 2026 11:00:00 GMT"}, 0.05),
        (429, {"retry-after": "Tue, 24 Nov 2026 12:00:10 -0000"}, 10.0),
        (429, {"retry-after": "999999"}, 3600.0),
        (429, {}, None),
        (503, {"x-ratelimit-reset": "2", "retry-after": "60"}, 60.0),
        (503, {"x-ratelimit-reset": "2"}, None),
    ],
)
def test_the_pause_asked_for_is_read_and_bounded(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    assert asked_pause(HttpReply(status, headers, b""), NOW) == seconds


def test_a_redirect_names_the_host_and_nothing_secret() -> None:
    reply = _reply(302, b"", location="https://user:pass@evil.example/x?api_token=1")
    problem = read(CREATE, reply)
    assert "evil.example" in str(problem)
    assert "base_url" in str(problem)
    assert "pass" not in str(problem)
    assert "api_token" not in str(problem)


def test_a_correlation_id_is_one_bounded_word() -> None:
    assert _reply(500, b"", x_correlation_id="ab-12\n\x1b" + "x" * 500).correlation is not None
    assert len(_reply(500, b"", x_correlation_id="x" * 500).correlation or "") == 80
    assert _reply(500, b"").correlation is None
