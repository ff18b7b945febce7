"""The client over a real socket."""

import logging
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from client_peer import Asked, Peer, Say, ok, running_peer

from daemon.errors import AuthProblem, ConfigProblem, Problem
from daemon.pipedrive import transport
from daemon.pipedrive.client import READ_TRIES, Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.outcomes import (
    Blocked,
    BudgetSpent,
    Gone,
    Moved,
    NotSent,
    Refused,
    TooMany,
    Unknown,
)
from daemon.sandbox.ports import kept_ports

TOKEN = "0123456789abcdef0123456789abcdef01234567"
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CREATE = Call.to("persons.create", body={"name": "Ada Löwe", "emails": []})
READ = Call.to("persons.read", 17)
NO = {"success": False, "error": "too many"}
HTML = b"<html>Access denied</html>"

Made = Callable[..., Client]


@pytest.fixture
def peer() -> Iterator[Peer]:
    with running_peer() as running:
        yield running


@pytest.fixture
def client(peer: Peer) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(url: str | None = None, **options: object) -> Client:
        given = {"plan": "ultimate", "sleep": lambda _s: None, "wall": lambda: NOON, **options}
        made.append(Client(url or peer.url, lambda: TOKEN, **given))  # type: ignore[arg-type] # options are typed where they are given
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_write_carries_json_and_the_token_in_its_header_only(peer: Peer, client: Made) -> None:
    peer.says(ok({"id": 7}, next_cursor=None))
    answer = client().send(CREATE)
    (asked,) = peer.asked
    assert (answer.status, answer.data, answer.cost) == (200, {"id": 7}, 5)
    assert (asked.method, asked.path, asked.query) == ("POST", "/api/v2/persons", {})
    assert asked.body == {"name": "Ada Löwe", "emails": []}
    assert asked.headers["x-api-token"] == TOKEN
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["user-agent"].startswith("mail2deal/")


def test_a_read_carries_its_query_and_no_body(peer: Peer, client: Made) -> None:
    query: dict[str, str | bool] = {"term": "a&b=ü", "exact_match": True}
    client().send(Call.to("persons.search", query=list(query.items())))
    assert peer.asked[0].query == {"term": "a&b=ü", "exact_match": "true"}
    assert peer.asked[0].body is None
    assert "content-type" not in peer.asked[0].headers


@pytest.mark.parametrize(
    "said",
    [Say(500), Say(503, HTML), Say(reset=True), Say(cut=4), Say(200, HTML), Say(200, b"{")],
    ids=["500", "503", "reset", "cut", "html", "half"],
)
def test_a_write_with_an_unknown_outcome_leaves_once(peer: Peer, client: Made, said: Say) -> None:
    peer.says(said)
    with pytest.raises(Unknown):
        client().send(CREATE)
    assert len(peer.asked) == 1


def test_a_write_without_an_answer_in_time_is_unknown(peer: Peer, client: Made) -> None:
    hold = threading.Event()
    peer.says(Say(wait=hold))
    try:
        with pytest.raises(Unknown):
            client(timeout=(1, 0.05)).send(CREATE)
    finally:
        hold.set()
    assert len(peer.asked) == 1


@pytest.mark.parametrize(
    "said", [Say(500), Say(reset=True), Say(cut=4), Say(429, NO)], ids=["500", "reset", "cut", "429"]
)  # fmt: skip
def test_a_read_is_tried_again_and_gives_up_in_the_end(peer: Peer, client: Made, said: Say) -> None:
    used = client(clock=_Ticking())
    peer.says(*[said] * (READ_TRIES - 1), ok({"id": 17}))
    assert used.send(READ).data == {"id": 17}
    peer.says(*[said] * READ_TRIES, ok({"id": 17}))
    with pytest.raises((Unknown, NotSent)):
        used.send(READ)
    assert len(peer.asked) == 2 * READ_TRIES


class _Ticking:
    """A clock that goes on by a second whenever it is read, so that pauses pass unslept."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.mark.parametrize("said", [Say(404, {"success": False, "error": "no"}), Say(400, NO)])
def test_a_refused_read_is_not_tried_again(peer: Peer, client: Made, said: Say) -> None:
    peer.says(said)
    with pytest.raises(Refused):
        client().send(READ)
    assert len(peer.asked) == 1


def test_no_connection_is_certainly_not_sent(client: Made) -> None:
    with kept_ports(1) as (port,):
        used = client(f"http://127.0.0.1:{port}")
        with pytest.raises(NotSent):
            used.send(CREATE)
        assert used.budget.spent == 0


def test_a_host_without_a_name_is_certainly_not_sent(
    client: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_args: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    used = client("https://nosuchcompany.pipedrive.com")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NotSent):
        used.send(CREATE)


@pytest.fixture
def tls_url(tmp_path: Path) -> Iterator[str]:
    """A loopback TLS server whose certificate only it vouches for."""
    key, certificate = tmp_path / "key", tmp_path / "crt"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl can't make a certificate here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve() -> None:
        plain, _ = listening.accept()
        with plain, suppress(OSError):
            context.wrap_socket(plain, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def test_a_certificate_that_nobody_vouches_for_is_a_configuration_problem(
    client: Made, tls_url: str
) -> None:
    with pytest.raises(ConfigProblem, match="certificate"):
        client(tls_url).send(CREATE)


@pytest.mark.parametrize(("bound", "value"), [("BODY_LIMIT", 10), ("ANSWER_TIME", -1.0)])
def test_an_answer_without_end_is_given_up_as_unknown(
    peer: Peer, client: Made, monkeypatch: pytest.MonkeyPatch, bound: str, value: float
) -> None:
    monkeypatch.setattr(transport, bound, value)
    with pytest.raises(Unknown):
        client().send(CREATE)
    assert len(peer.asked) == 1


def test_a_redirect_is_never_followed(peer: Peer, client: Made) -> None:
    peer.says(Say(302, b"", {"Location": f"{peer.url}/elsewhere"}))
    with pytest.raises(Moved, match="base_url"):
        client().send(READ)
    assert len(peer.asked) == 1


def test_cookies_are_not_kept(peer: Peer, client: Made) -> None:
    peer.says(Say(headers={"Set-Cookie": "__cf_bm=1; path=/"}))
    used = client()
    used.send(READ)
    used.send(READ)
    assert "cookie" not in peer.asked[1].headers


@pytest.mark.parametrize(
    "url",
    ["http://yourcompany.pipedrive.com", "http://192.0.2.1:8080", "ftp://127.0.0.1",
     "https://yourcompany.pipedrive.com/api/v2", "https://a:b@yourcompany.pipedrive.com",
     "https://yourcompany.pipedrive.com?api_token=1", "yourcompany", "", "https://",
     "http://127.0.0.1.evil.example", "https://yourcompany.pipedrive.com:port"],
)  # fmt: skip
def test_an_address_that_would_put_the_token_at_risk_is_refused(url: str) -> None:
    with pytest.raises(ConfigProblem, match="base_url"):
        Client(url, lambda: TOKEN, plan="lite")


@pytest.mark.parametrize(
    "url",
    ["https://yourcompany.pipedrive.com/", "http://localhost:8080", "http://127.0.0.9",
     "http://[::1]:80", " https://yourcompany.pipedrive.com "],
)  # fmt: skip
def test_an_address_may_be_https_or_loopback(url: str) -> None:
    Client(url, lambda: TOKEN, plan="lite").close()


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "a\r\nX-Evil: 1", "tökén"])
def test_a_token_that_cant_be_one_is_never_sent_nor_shown(peer: Peer, token: str) -> None:
    used = Client(peer.url, lambda: token, plan="lite")
    with pytest.raises(AuthProblem) as caught:
        used.send(CREATE)
    assert not peer.asked
    if token:
        assert token not in str(caught.value)


def test_the_token_is_in_no_error_log_or_repr(
    peer: Peer, client: Made, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hold = threading.Event()
    hold.set()
    used = client()
    peer.says(
        Say(), Say(500), Say(401, NO), Say(403, NO), Say(404, NO), Say(reset=True), Say(302, b"")
    )
    shown = [repr(used), repr(CREATE)]
    for _ in range(7):
        try:
            shown.append(repr(used.send(CREATE)))
        except Problem as problem:
            chain: BaseException | None = problem
            while chain is not None:
                shown += [repr(chain), str(chain), repr(vars(chain))]
                request = getattr(chain, "request", None)
                assert request is None, "an error that holds the request holds the token"
                chain = chain.__cause__ or chain.__context__
    assert len(peer.asked) == 7
    assert TOKEN not in "\n".join([*shown, caplog.text])


def test_what_happened_is_logged_in_one_line_each(
    peer: Peer, client: Made, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "mail2deal")
    peer.says(Say(), Say(400, {"success": False, "error": "bad"}, {"X-Correlation-Id": "c-1"}))
    used = client()
    used.send(CREATE)
    with pytest.raises(Refused):
        used.send(CREATE)
    good, bad = [r for r in caplog.records if r.name == "mail2deal"]
    assert good.getMessage().startswith("pipedrive.request kind=persons.create status=200 ms=")
    assert good.getMessage().endswith("tokens=5")
    assert good.levelno == logging.DEBUG
    assert bad.getMessage().startswith(
        'pipedrive.refused kind=persons.create status=400 outcome=Refused reason="HTTP 400: bad"'
    )
    assert bad.getMessage().endswith("correlation=c-1")
    assert bad.levelno == logging.WARNING


def test_usage_is_told_for_what_was_processed_only(peer: Peer, client: Made) -> None:
    told: list[tuple[str, int]] = []
    used = client(on_usage=lambda kind, tokens: told.append((kind, tokens)), clock=_Ticking())
    peer.says(Say(), Say(500), Say(400, NO), Say(429, NO), Say(404, NO))
    for _ in range(5):
        with suppress(Problem):
            used.send(CREATE)
    assert told == [("persons.create", 5)] * 4
    assert used.budget.spent == 20


def test_a_429_carries_the_pause_that_the_answer_asks_for(peer: Peer, client: Made) -> None:
    peer.says(Say(429, NO, {"x-ratelimit-reset": "7", "Retry-After": "60"}))
    with pytest.raises(TooMany) as caught:
        client().send(CREATE)
    assert 7 <= (caught.value.after or 0) <= 7 * 1.25
    assert len(peer.asked) == 1


@pytest.mark.parametrize("header", ["x-daily-ratelimit-token-remaining", "x-daily-requests-left"])
def test_a_429_at_the_end_of_the_day_closes_the_budget(
    peer: Peer, client: Made, header: str
) -> None:
    peer.says(Say(429, NO, {header: "0", "Retry-After": "3"}))
    used = client()
    with pytest.raises(BudgetSpent) as caught:
        used.send(CREATE)
    assert caught.value.resets_at == datetime(2026, 11, 25, tzinfo=UTC)
    assert caught.value.after == 3600
    with pytest.raises(BudgetSpent):
        used.send(READ)
    assert len(peer.asked) == 1


def test_429s_without_numbers_that_outlast_the_windows_are_the_days_end(
    peer: Peer, client: Made
) -> None:
    peer.otherwise = lambda _asked: Say(429, NO)
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    used = client(clock=lambda: now[0], sleep=sleep)
    for _ in range(10):
        try:
            used.send(CREATE)
        except BudgetSpent:
            break
        except TooMany as problem:
            now[0] += problem.after or 0
    else:
        pytest.fail("never took it for the end of the day")
    assert len(peer.asked) == 6


def test_the_budget_refuses_before_anything_is_sent(peer: Peer, client: Made) -> None:
    used = client(plan="lite", daily_share=0.0002)  # 6 tokens
    used.send(CREATE)
    with pytest.raises(BudgetSpent) as caught:
        used.send(CREATE)
    assert caught.value.after == 12 * 3600
    assert len(peer.asked) == 1
    assert used.send(READ).status == 200


def test_the_headers_tell_what_the_company_has_left(peer: Peer, client: Made) -> None:
    headers = {"x-daily-ratelimit-token-limit": "50000", "x-daily-ratelimit-token-remaining": "4"}
    peer.says(Say(headers=headers))
    used = client()
    used.send(READ)
    assert (used.budget.limit, used.budget.remaining()) == (50_000, 4)
    with pytest.raises(BudgetSpent):
        used.send(CREATE)


def test_html_instead_of_an_answer_means_a_long_silence(peer: Peer, client: Made) -> None:
    peer.says(Say(403, HTML))
    used = client()
    with pytest.raises(Blocked) as caught:
        used.send(CREATE)
    assert caught.value.after == pytest.approx(900)
    with pytest.raises(Blocked):
        used.send(READ)
    assert len(peer.asked) == 1
    assert used.budget.spent == 0


def test_stopping_sends_nothing_more(peer: Peer, client: Made) -> None:
    stop = threading.Event()
    used = client(stop=stop)
    stop.set()
    with pytest.raises(NotSent, match="stopping"):
        used.send(READ)
    assert not peer.asked
    assert used.budget.spent == 0


def test_threads_share_the_connections_and_lose_nothing(peer: Peer, client: Made) -> None:
    peer.otherwise = lambda asked: ok({"name": asked.body["name"]})
    used = client()
    with ThreadPoolExecutor(8) as pool:
        calls = [Call.to("persons.create", body={"name": f"p{n}"}) for n in range(100)]
        answers = list(pool.map(used.send, calls))
    assert [a.data["name"] for a in answers] == [f"p{n}" for n in range(100)]
    assert peer.connections <= 8
    assert used.budget.spent == 500


# What tells that a row is whole, for each kind of list that is paged here.
ROW: dict[str, Any] = {"emails": [], "person_id": None, "custom_fields": {}, "note": None}


def _rows(asked: Asked, total: int, size: int | None = None) -> tuple[list[dict[str, Any]], int]:
    start = int(asked.query.get("cursor") or asked.query.get("start") or 0)
    end = min(total, start + (size or int(asked.query["limit"])))
    return [{"id": n, **ROW} for n in range(start, end)], end


def _v2(asked: Asked) -> Say:
    rows, end = _rows(asked, 1203)
    return ok(rows, next_cursor=str(end) if end < 1203 else None)


def _v1_wrapped(asked: Asked) -> Say:
    rows, end = _rows(asked, 1203, 100)
    more = end < 1203
    numbers = {"start": end - len(rows), "limit": 100, "more_items_in_collection": more}
    return ok(rows, pagination={**numbers, **({"next_start": end} if more else {})})


def _v1_bare(asked: Asked) -> Say:
    rows, end = _rows(asked, 1203, 100)
    return ok(rows, start=end - len(rows), limit=100, more_items_in_collection=end < 1203)


def _v1_silent(asked: Asked) -> Say:
    return Say(body={"success": True, "data": _rows(asked, 1203)[0] or None})


@pytest.mark.parametrize(
    ("kind", "answering", "requests"),
    [("persons.list", _v2, 3), ("leads.list", _v1_wrapped, 13), ("leads.list", _v1_bare, 13),
     ("leads.archived", _v1_silent, 3)],
)  # fmt: skip
def test_all_rows_of_a_list_come_once_whatever_the_paging(
    peer: Peer, client: Made, kind: str, answering: Callable[[Asked], Say], requests: int
) -> None:
    peer.otherwise = answering
    call = Call.to(kind, query={"owner_id": 5})
    rows = [row["id"] for page in client().pages(call) for row in page]
    assert rows == list(range(1203))
    assert len(peer.asked) == requests
    assert {(a.query["owner_id"], a.query["limit"]) for a in peer.asked} == {("5", "500")}


def test_a_search_gives_its_bare_items_a_hundred_a_page(peer: Peer, client: Made) -> None:
    hits = [{"result_score": 1.0, "item": {"id": n}} for n in (3, 1)]
    peer.says(ok({"items": hits}, next_cursor=None))
    assert list(client().pages(Call.to("persons.search", query={"term": "a@b.de"}))) == [
        [{"id": 3}, {"id": 1}]
    ]
    assert peer.asked[0].query["limit"] == "100"


def test_a_list_without_pages_is_asked_for_none(peer: Peer, client: Made) -> None:
    peer.says(ok([{"id": 1}]))
    assert list(client().pages(Call.to("users.list"))) == [[{"id": 1}]]
    assert peer.asked[0].query == {}


def test_a_page_size_of_ones_own_is_kept(peer: Peer, client: Made) -> None:
    peer.says(ok([], next_cursor=None))
    assert list(client().pages(Call.to("persons.list", query={"limit": 1}))) == [[]]
    assert peer.asked[0].query["limit"] == "1"


@pytest.mark.parametrize(
    ("kind", "said"),
    [("persons.list", ok([{"id": 1, **ROW}], next_cursor="again")),
     ("leads.list", ok([{"id": 1, **ROW}], pagination={"more_items_in_collection": True, "next_start": 0})),
     ("leads.list", ok([], more_items_in_collection=True)),
     ("persons.list", ok({"id": 1})), ("persons.list", ok(["a"])),
     ("persons.search", ok({"items": 5}))],
)  # fmt: skip
def test_paging_that_makes_no_sense_ends_in_an_error(
    peer: Peer, client: Made, kind: str, said: Say
) -> None:
    peer.otherwise = lambda _asked: said
    with pytest.raises(Unknown):
        list(client().pages(Call.to(kind)))
    assert len(peer.asked) <= 2


def test_gone_is_told_from_a_wrong_address(peer: Peer, client: Made) -> None:
    peer.says(
        Say(404, {"success": False, "error": "Deal not found"}), *[Say(404, HTML)] * READ_TRIES
    )
    used = client()
    with pytest.raises(Gone, match="Deal not found"):
        used.send(Call.to("deals.read", 1))
    with pytest.raises(Unknown, match="base_url"):
        used.send(Call.to("deals.read", 1))
