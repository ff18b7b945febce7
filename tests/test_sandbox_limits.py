"""Tokens, burst windows and caps of the sandbox."""

import pytest
from sandbox_kit import Api, company

from daemon.sandbox.crm import Settings
from daemon.sandbox.crm.settings import PlanName

V2 = "/api/v2"


def statuses(api: Api, path: str, count: int, **query: object) -> list[int]:
    return [api.get(path, **query).status for _ in range(count)]


def test_each_call_costs_its_tokens_and_usage_says_so() -> None:
    api = company()
    api.post(f"{V2}/persons", {"name": "A"})
    api.get(f"{V2}/persons", limit=500)
    api.get(f"{V2}/persons", limit=1)
    api.get(f"{V2}/persons/1")
    api.get(f"{V2}/persons/search", term="ann")
    api.get("/v1/leads/archived")
    usage = api.sandbox.usage()
    assert (usage.day, usage.calls, usage.tokens, usage.budget) == (
        "2026-11-23",
        6,
        5 + 10 + 10 + 1 + 20 + 40,
        60_000,
    )
    assert usage.by_call["GET /api/v2/persons"] == (2, 20)
    assert usage.by_call["GET /api/v1/leads/archived"] == (1, 40)


def test_a_refused_body_costs_too_an_unknown_path_nothing() -> None:
    api = company()
    api.post(f"{V2}/persons", {})
    api.get(f"{V2}/nothing")
    assert api.sandbox.usage().tokens == 5


@pytest.mark.parametrize(
    ("plan", "budget"),
    [("lite", 60_000), ("growth", 120_000), ("premium", 300_000), ("ultimate", 420_000)],
)
def test_the_budget_is_the_plans_times_seats(plan: PlanName, budget: int) -> None:
    assert Settings(plan=plan, seats=2).daily_budget == budget
    assert Settings(plan=plan, seats=2, top_up=5).daily_budget == budget + 5


def test_a_spent_budget_answers_429_until_utc_midnight() -> None:
    api = company(daily_tokens=25)
    first = api.get(f"{V2}/persons")
    assert first.headers["x-daily-ratelimit-token-limit"] == "25"
    assert first.headers["x-daily-ratelimit-token-remaining"] == "15"
    api.get(f"{V2}/persons")
    assert api.get(f"{V2}/persons").status == 200  # the last call may overdraw
    refused = api.get(f"{V2}/persons")
    assert (refused.status, refused.headers["x-daily-ratelimit-token-remaining"]) == (429, "0")
    assert api.sandbox.usage().tokens == 30
    api.clock.passes(16 * 3600 - 1)
    assert api.get(f"{V2}/persons").status == 429
    api.clock.passes(1)
    assert api.get(f"{V2}/persons").headers["x-daily-ratelimit-token-remaining"] == "15"


def test_other_integrations_spend_from_the_same_budget() -> None:
    api = company(daily_tokens=100)
    api.sandbox.spend_elsewhere(95)
    assert api.get(f"{V2}/persons").headers["x-daily-ratelimit-token-remaining"] == "0"
    assert api.get(f"{V2}/persons").status == 429
    assert api.sandbox.usage().tokens == 10


def test_the_daily_headers_may_be_missing() -> None:
    headers = company(daily_headers=False).get(f"{V2}/persons").headers
    assert "x-daily-ratelimit-token-remaining" not in headers
    assert headers["x-ratelimit-limit"] == "40"


@pytest.mark.parametrize(
    ("plan", "limit"), [("lite", 20), ("growth", 40), ("premium", 100), ("ultimate", 120)]
)
def test_the_burst_window_is_two_rolling_seconds(plan: PlanName, limit: int) -> None:
    api = company(burst=True, plan=plan)
    assert statuses(api, f"{V2}/stages", limit) == [200] * limit
    refused = api.get(f"{V2}/stages")
    assert refused.status == 429
    assert [refused.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset")] == [
        str(limit),
        "0",
        "2",
    ]
    assert "retry-after" not in refused.headers
    api.clock.passes(1.9)
    assert api.get(f"{V2}/stages").status == 429
    api.clock.passes(0.1)
    assert api.get(f"{V2}/stages").headers["x-ratelimit-remaining"] == str(limit - 1)


def test_the_window_rolls_and_does_not_step() -> None:
    api = company(burst=True, burst_requests=2)
    api.get(f"{V2}/stages")
    api.clock.passes(1.5)
    api.get(f"{V2}/stages")
    api.clock.passes(0.6)
    assert statuses(api, f"{V2}/stages", 2) == [200, 429]


def test_searches_have_a_narrower_window_of_their_own() -> None:
    api = company(burst=True, plan="ultimate")
    assert statuses(api, f"{V2}/persons/search", 11, term="ann") == [200] * 10 + [429]
    assert api.get(f"{V2}/organizations/search", term="ann").status == 429
    assert api.get(f"{V2}/stages").status == 200


def test_each_token_has_its_own_window() -> None:
    api = company(
        burst=True, burst_requests=1, tokens={"a": "ada@example.com", "b": "bob@example.com"}
    )
    found = []
    for token in ("a", "a", "b"):
        api.session.headers["x-api-token"] = token
        found.append(api.get(f"{V2}/stages").status)
    assert found == [200, 429, 200]


def test_a_refused_request_costs_nothing_and_does_nothing() -> None:
    api = company(burst=True, burst_requests=1)
    api.get(f"{V2}/stages")
    assert api.post(f"{V2}/persons", {"name": "A"}).status == 429
    assert api.sandbox.usage().tokens == 5
    assert api.acts.every("persons") == []


def test_retry_after_comes_when_switched_on() -> None:
    api = company(burst=True, burst_requests=1, retry_after=True)
    api.get(f"{V2}/stages")
    assert api.get(f"{V2}/stages").headers["retry-after"] == "2"


def test_a_client_that_hammers_meets_a_html_403_for_a_while() -> None:
    api = company(burst=True, burst_requests=1, hammer_after=3, hammer_block=30)
    assert statuses(api, f"{V2}/stages", 6) == [200, 429, 429, 429, 403, 403]
    blocked = api.get(f"{V2}/stages")
    assert blocked.headers["content-type"].startswith("text/html")
    assert blocked.body.startswith("<!DOCTYPE html>")
    api.clock.passes(29)
    assert api.get(f"{V2}/stages").status == 403
    api.clock.passes(2)
    assert api.get(f"{V2}/stages").status == 200


def test_a_client_that_waits_after_a_429_is_not_blocked() -> None:
    api = company(burst=True, burst_requests=1, hammer_after=3)
    for _ in range(20):
        api.get(f"{V2}/stages")
        assert api.get(f"{V2}/stages").status == 429
        api.clock.passes(5)


def test_open_deals_and_leads_share_one_cap() -> None:
    api = company(open_cap=2)
    person = api.acts.add_person("Ann")
    deal = api.post(f"{V2}/deals", {"title": "D"}).data["id"]
    lead = api.post("/api/v1/leads", {"title": "L", "person_id": person}).data["id"]
    for path, body in (
        (f"{V2}/deals", {"title": "D"}),
        ("/api/v1/leads", {"title": "L", "person_id": person}),
    ):
        refused = api.post(path, body)
        assert (refused.status, refused.code) == (403, "feature_capping_deals_limit")
        assert "Open deals limit reached" in refused.error
    assert api.post(f"{V2}/deals", {"title": "D", "status": "won"}).status == 200
    api.acts.win(deal)
    assert api.post(f"{V2}/deals", {"title": "E"}).status == 200
    assert api.patch(f"{V2}/deals/{deal}", {"status": "open"}).status == 403
    assert api.post(f"{V2}/leads/{lead}/convert/deal").status == 200
    api.clock.passes(5)
    assert len(api.ids(f"{V2}/deals", status="open")) == 2
