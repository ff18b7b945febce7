"""The burst window, the daily budget, and what happens to those who don't heed them.

Rolling windows of 2 seconds per token: all requests, and searches apart. Refused requests don't
count against the window; a client that keeps sending into refusals meets Cloudflare's HTML 403
for a while. The daily budget is the company's, resets at UTC midnight and is kept in the store.
"""

from collections import deque
from dataclasses import dataclass, field

from daemon.sandbox.crm.exchange import Refusal, Response, html_response
from daemon.sandbox.crm.settings import SEARCH_BURST, WINDOW_SECONDS, Settings

HAMMER_SECONDS = 10.0
HTTP_TOO_MANY = 429


@dataclass(slots=True)
class _Windows:
    every: deque[float] = field(default_factory=deque)
    searches: deque[float] = field(default_factory=deque)
    refused: deque[float] = field(default_factory=deque)
    blocked_until: float = 0.0


class Limits:
    """The windows of every token; the daily sum is handed in."""

    def __init__(self) -> None:
        """Start with empty windows, as after a quiet while."""
        self._tokens: dict[str, _Windows] = {}

    def refuse(
        self, settings: Settings, token: str, *, search: bool, now: float, spent: int
    ) -> Response | None:
        """The answer that refuses this request, or None when it may pass (and is counted)."""
        windows = self._tokens.setdefault(token, _Windows())
        if now < windows.blocked_until:
            return html_response(403, "Error 1015 You are being rate limited")
        burst = settings.burst and self._is_full(settings, windows, search=search, now=now)
        daily = spent >= settings.daily_budget
        if not burst and not daily:
            windows.every.append(now)
            if search:
                windows.searches.append(now)
            return None
        windows.refused.append(now)
        _expire(windows.refused, now, HAMMER_SECONDS)
        if settings.hammer_after is not None and len(windows.refused) > settings.hammer_after:
            windows.blocked_until = now + settings.hammer_block
            windows.refused.clear()
            return html_response(403, "Error 1015 You are being rate limited")
        refusal = Refusal(
            HTTP_TOO_MANY,
            "Daily API token budget exceeded" if daily else "Rate limit exceeded",
        )
        return refusal.response()

    def headers(
        self, settings: Settings, token: str, *, search: bool, now: float, spent: int, status: int
    ) -> dict[str, str]:
        """The headers that tell a client where it stands after this request."""
        windows = self._tokens.setdefault(token, _Windows())
        window, limit = (
            (windows.searches, SEARCH_BURST) if search else (windows.every, settings.burst_limit)
        )
        _expire(window, now, WINDOW_SECONDS)
        reset = max(1, round(window[0] + WINDOW_SECONDS - now)) if window else 2
        headers = {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(max(0, limit - len(window))),
            "x-ratelimit-reset": str(reset),
        }
        if settings.daily_headers:
            headers["x-daily-ratelimit-token-limit"] = str(settings.daily_budget)
            headers["x-daily-ratelimit-token-remaining"] = str(
                max(0, settings.daily_budget - spent)
            )
        if status == HTTP_TOO_MANY and settings.retry_after:
            headers["retry-after"] = str(reset)
        return headers

    def _is_full(self, settings: Settings, windows: _Windows, *, search: bool, now: float) -> bool:
        _expire(windows.every, now, WINDOW_SECONDS)
        _expire(windows.searches, now, WINDOW_SECONDS)
        if search and len(windows.searches) >= SEARCH_BURST:
            return True
        return len(windows.every) >= settings.burst_limit


def _expire(window: deque[float], now: float, seconds: float) -> None:
    while window and window[0] <= now - seconds:
        window.popleft()
