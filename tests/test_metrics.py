"""What Prometheus sees, what the alerts ask for, and the log for programs."""

import json
import logging
import re
import socket
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from dovecot import Post
from polling_kit import MAIL, Desk, at, desk

from daemon.cli.output import log_to_stderr
from daemon.config import Listen
from daemon.errors import ConfigProblem
from daemon.log import event
from daemon.sandbox.ports import kept_ports
from daemon.service.metrics import Metrics

ALERTS = Path(__file__).parent.parent / "docs" / "alerts.yml"


@contextmanager
def metrics(work: Desk) -> Iterator[Metrics]:
    with kept_ports(1) as (port,):
        one = Metrics(Listen("127.0.0.1", port), work.polling, work.now)
        try:
            yield one
        finally:
            one.close()


def scrape(one: Metrics) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{one.listen}/metrics", timeout=20) as page:
        lines = page.read().decode().splitlines()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
    }


def test_the_numbers_are_those_of_the_ledger_and_of_the_service(
    dovecot: Post, tmp_path: Path
) -> None:
    with desk(tmp_path, at(dovecot), count=2) as work, metrics(work) as one:
        work.poll("sales")
        dovecot.deliver(MAIL, internal_date=work.now)
        work.poll("sales")
        work.later(minutes=20)
        work.poll("sales")
        one.observe("persons.create", 0.3)
        seen = scrape(one)

    assert seen["mail2deal_polls_total"] == 3
    assert seen["mail2deal_poll_failures_total"] == 0
    assert seen['mail2deal_messages{verdict="contact"}'] == 1
    assert seen['mail2deal_senders{class="lead"}'] == 1
    assert seen['mail2deal_journal{state="parked"}'] == 0
    assert seen["mail2deal_quarantined_messages"] == 0
    assert seen['mail2deal_poll_lag_seconds{mailbox="box1"}'] == 1200
    assert seen['mail2deal_poll_lag_seconds{mailbox="sales"}'] <= 1200
    assert seen['mail2deal_mailbox_parked{mailbox="sales"}'] == 0
    assert seen["mail2deal_tokens_left_today"] > seen["mail2deal_tokens_spent_today"] == 0
    assert seen['mail2deal_request_seconds_count{kind="persons.create"}'] == 1
    assert seen["mail2deal_watched_mailboxes"] == 0
    assert seen["mail2deal_sync_failing"] == 0
    assert seen['mail2deal_problems{part="parked",weight="person"}'] == 0


def test_a_mailbox_that_needs_a_person_is_seen(dovecot: Post, tmp_path: Path) -> None:
    with desk(tmp_path, at(dovecot, password="wrong")) as work, metrics(work) as one:
        for _ in range(6):
            work.fails()
            work.later(days=1)
        seen = scrape(one)

    assert seen['mail2deal_mailbox_parked{mailbox="sales"}'] == 1
    assert seen['mail2deal_problems{part="mailbox",weight="person"}'] == 1
    assert seen["mail2deal_poll_failures_total"] == 6
    assert seen['mail2deal_poll_lag_seconds{mailbox="sales"}'] == 6 * 86400


def test_every_metric_and_label_of_the_alerts_is_one_that_there_is(
    dovecot: Post, tmp_path: Path
) -> None:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    with desk(tmp_path, at(dovecot)) as work, metrics(work) as one:
        seen = scrape(one)
    labels: dict[str, set[str]] = {}
    for name in seen:
        plain, _, rest = name.partition("{")
        labels.setdefault(plain, set()).update(re.findall(r"(\w+)=", rest))
    for rule in group["rules"]:
        assert rule["for"]
        assert rule["annotations"].keys() == {"summary", "description"}
        for name, selector in re.findall(r"(mail2deal_\w+)(\{[^}]*\})?", rule["expr"]):
            assert set(re.findall(r"(\w+)(?:=|!~)", selector)) <= labels[name]


def test_the_documentation_names_every_metric_and_no_other(dovecot: Post, tmp_path: Path) -> None:
    told = set(re.findall(r"mail2deal_\w+", (ALERTS.parent / "monitoring.md").read_text()))
    with desk(tmp_path, at(dovecot)) as work, metrics(work) as one:
        work.poll()
        one.observe("persons.create", 0.3)
        seen = {name.partition("{")[0] for name in scrape(one)}
    # Of messages and senders there are none yet; a histogram has three names.
    seen = {re.sub("_(bucket|count|sum|created)$", "", name) for name in seen}
    assert told == seen | {"mail2deal_messages", "mail2deal_senders"}


def test_a_port_that_is_taken_and_a_missing_library_are_said_plainly(
    dovecot: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk(tmp_path, at(dovecot)) as work:
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            pytest.raises(ConfigProblem, match=r"metrics: 127\.0\.0\.1:.*in use"),
        ):
            Metrics(Listen("127.0.0.1", taken.getsockname()[1]), work.polling, work.now)
        monkeypatch.setitem(sys.modules, "prometheus_client", None)
        with pytest.raises(ConfigProblem, match=r"mail2deal\[metrics\]"):
            Metrics(Listen("127.0.0.1", 0), work.polling, work.now)


def test_the_log_for_programs_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("json")
    event("intake.polled", mailbox="sales", new=3, nothing=None, share=0.5, done=True)
    event("odd", logging.WARNING, text='a "b"\nfake event=1\x1b[31m')
    logging.getLogger("mail2deal").error("%d left", 2)

    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "event": "intake.polled",
            "level": "info",
            "mailbox": "sales",
            "new": 3,
            "share": 0.5,
            "done": True,
        },
        {"event": "odd", "level": "warning", "text": 'a "b"\nfake event=1\x1b[31m'},
        {"event": "2 left", "level": "error"},
    ]
    assert "\x1b" not in "".join(lines)
