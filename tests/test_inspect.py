"""The ledger in the browser: every question answers, the charts are drawn, no write is possible."""

import itertools
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import requests
from browser import Browser, browser
from cli_kit import Desk, desk
from company_kit import Office

from daemon.cli.catch_up import catch_up
from daemon.ledger.questions import CHARTS, QUESTIONS

__all__ = ["browser"]


@dataclass(frozen=True)
class Opened:
    desk: Desk
    url: str  # with the secret path, a slash at its end
    root: str


@pytest.fixture(scope="module")
def opened(small_company: Office, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    pytest.importorskip("datasette_dashboards", reason="pip install 'mail2deal[inspect]'")
    with desk(small_company, tmp_path_factory.mktemp("inspected")) as at:
        assert not catch_up(
            at.wiring(), since=None, mailbox=None, intake_only=False, sync_only=False
        )
        process = subprocess.Popen(
            at.command("inspect", "--port", "0"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"((http://127\.0\.0\.1:\d+)/[\w-]{20,}/)$", line.strip())
            assert found, line
            yield Opened(at, found[1], found[2])
        finally:
            process.send_signal(signal.SIGINT)  # as it says itself
            _, complaints = process.communicate(timeout=30)
        assert process.returncode == 0
        # Datasette itself tells of SQL that it refused to run.
        assert [
            line for line in complaints.splitlines() if not line.startswith("ERROR: conn=")
        ] == []


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_every_canned_query_answers(opened: Opened, name: str) -> None:
    answer = requests.get(f"{opened.url}ledger/{name}.json?_shape=objects", timeout=30).json()

    assert answer.get("ok", True), answer
    assert isinstance(answer["rows"], list)
    if name in {"deals_by_reason", "noisiest_ignored_senders", "tokens_per_day"}:
        assert answer["rows"]


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_every_chart_has_data(opened: Opened, name: str) -> None:
    query = {"sql": CHARTS[name]["query"], "_shape": "objects"}
    answer = requests.get(f"{opened.url}ledger.json", params=query, timeout=30).json()

    assert answer["rows"]


def test_the_funnel_counts_people_only_and_each_step_is_part_of_the_one_before(
    opened: Opened,
) -> None:
    query = {"sql": CHARTS["funnel"]["query"], "_shape": "objects"}
    rows = requests.get(f"{opened.url}ledger.json", params=query, timeout=30).json()["rows"]

    assert [row["people"] for row in rows] == [129, 106, 79, 39]


def test_a_week_without_mail_is_a_week_of_zeros(opened: Opened) -> None:
    query = {"sql": CHARTS["weeks"]["query"], "_shape": "objects", "_size": "max"}
    rows = requests.get(f"{opened.url}ledger.json", params=query, timeout=30).json()["rows"]

    weeks = sorted({date.fromisoformat(row["week"]) for row in rows})
    apart = {later - earlier for earlier, later in itertools.pairwise(weeks)}
    assert apart == {timedelta(days=7)}
    assert weeks[-1] > datetime.now(UTC).date() - timedelta(days=7)
    assert len(rows) == 3 * len(weeks)
    assert sum(row["messages"] for row in rows) == 301


def test_the_first_page_links_to_everything_and_each_link_answers(opened: Opened) -> None:
    answer = requests.get(opened.url, timeout=30)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    links = re.findall(r'<a href="([^"h][^"]*)"', answer.text)
    assert len(links) == len(QUESTIONS) + 2
    for link in links:
        assert requests.get(opened.url + link, timeout=30).status_code == 200, link


def test_sql_is_shown_when_asked_for(opened: Opened) -> None:
    page = requests.get(f"{opened.url}ledger/silent_deals", timeout=30).text

    assert "SELECT p.name" not in page
    assert "_hide_sql=" in page or "_show_sql=" in page
    shown = requests.get(f"{opened.url}ledger/silent_deals?_show_sql=1", timeout=30).text
    assert "SELECT p.name" in shown


def test_pages_load_and_charts_are_drawn_in_a_browser(opened: Opened, browser: Browser) -> None:
    dom = browser.dom(f"{opened.url}ledger/deals_by_reason")
    assert "Deals by reason" in dom
    assert "replies" in dom

    dashboard = f"{opened.url}-/dashboards/overview"
    dom = browser.dom(dashboard)
    assert len(re.findall(r'<svg[^>]*class="marks"', dom)) == len(CHARTS)
    for chart in CHARTS.values():
        assert chart["title"] in dom


def test_nothing_is_loaded_from_outside(opened: Opened) -> None:
    for page in ("", "ledger", "ledger/silent_deals", "-/dashboards/overview"):
        text = requests.get(opened.url + page, timeout=30).text
        loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]+)"', text)
        loaded += re.findall(r'import\s[^;]*?from\s+["\']([^"\']+)', text)
        for source in loaded:
            assert source.startswith(("/", opened.root)), source


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "ledger"),
        ("POST", "ledger/senders/-/delete"),
        ("DELETE", "ledger"),
        ("PUT", "ledger"),
        ("OPTIONS", "ledger"),
    ],
)
def test_only_reading_methods_get_through(opened: Opened, method: str, path: str) -> None:
    answer = requests.request(method, opened.url + path, timeout=30)

    assert answer.status_code == 403


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM senders",
        "UPDATE senders SET name = 'x'",
        "SELECT 1; DROP TABLE senders",
        "WITH x AS (SELECT 1) DELETE FROM senders",
        "PRAGMA user_version = 9",
        "ATTACH 'other.db' AS other",
    ],
)
def test_no_sql_writes(opened: Opened, sql: str) -> None:
    before = opened.desk.rows("SELECT count(*) AS n FROM senders")

    answer = requests.get(f"{opened.url}ledger.json", params={"sql": sql}, timeout=30)

    assert answer.status_code == 400
    assert opened.desk.rows("SELECT count(*) AS n FROM senders") == before


def test_only_who_knows_the_address_and_only_by_this_machines_name(opened: Opened) -> None:
    for path in ("/", "/ledger", "/wrong-secret/ledger"):
        assert requests.get(opened.root + path, timeout=30).status_code == 403
    foreign = {"host": "attacker.example"}
    assert requests.get(f"{opened.url}ledger", headers=foreign, timeout=30).status_code == 403
    assert requests.get(f"{opened.url}ledger.db", timeout=30).status_code in {403, 404}


def test_without_the_extra_it_says_what_to_install(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    from daemon.errors import ConfigProblem
    from daemon.maintenance import inspect

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(inspect, "import_module", missing)
    with pytest.raises(ConfigProblem, match=re.escape("mail2deal[inspect]")):
        inspect.inspect(opened.desk.ledger, 0, str, print)


def test_there_has_to_be_a_ledger(small_company: Office, tmp_path: Path) -> None:
    with desk(small_company, tmp_path) as empty:
        done = subprocess.run(
            empty.command("inspect"), capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 2
    assert "there is no ledger yet" in done.stderr
