"""Prometheus metrics on loopback: what the ledger says at the moment of asking, and our counters.

Needs the extra `metrics` (prometheus-client). A scrape opens the ledger for reading only and ends
within its own thread; it can't hold up a poll, and a ledger that can't be read makes it fail,
which `up == 0` shows. Labels are names of mailboxes, kinds and states: never an address.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import product
from typing import Any

from daemon.config import Listen
from daemon.errors import ConfigProblem
from daemon.ledger import reports
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.service.health import PARTS, health
from daemon.service.poll import Polling
from daemon.wiring import Wiring

_STATES = ("planned", "sending", "waiting", "parked", "done")


class Metrics:
    """The endpoint, from `start` to `close`."""

    def __init__(self, listen: Listen, polling: Polling, started_at: datetime) -> None:
        """Listen; raises ConfigProblem without the library or if the port is taken."""
        try:
            import prometheus_client as prometheus  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise ConfigProblem(
                "needs prometheus-client",
                what="metrics",
                hint="pip install 'mail2deal[metrics]'",
            ) from error
        self.listen = listen
        registry = prometheus.CollectorRegistry()
        registry.register(_Collector(polling, started_at))
        self.requests = prometheus.Histogram(
            "mail2deal_request_seconds",
            "Time that Pipedrive took to answer, by kind of call",
            ["kind"],
            registry=registry,
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )
        try:
            self._server, self._thread = prometheus.start_http_server(
                listen.port, listen.host, registry
            )
        except OSError as error:
            raise ConfigProblem(f"{listen}: {error.strerror}", what="metrics") from error
        event("metrics.listening", address=listen)

    def observe(self, kind: str, seconds: float) -> None:
        """Count one answered request."""
        self.requests.labels(kind).observe(seconds)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Collector:
    """Asked at each scrape; prometheus-client calls `collect`."""

    def __init__(self, polling: Polling, started_at: datetime) -> None:
        self._polling = polling
        self._started_at = started_at

    def collect(self) -> Iterator[Any]:
        """Every metric but the histogram."""
        wiring = self._polling.wiring
        yield from self._counters()
        with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
            yield from self._mailboxes(wiring, ledger)
            for name, says, label, counts in (
                ("messages", "Messages in the ledger", "verdict", ledger.counts("messages")),
                ("senders", "Senders", "class", ledger.counts("senders")),
                ("journal", "Changes in the journal", "state", ledger.backlog.counts()),
            ):
                every = dict.fromkeys(_STATES, 0) if name == "journal" else {}
                yield _gauges(name, f"{says} by {label}", label, every | counts)
            yield _gauge("quarantined_messages", "Unreadable", ledger.quarantine.count())
            spent = ledger.runs.spent(wiring.now().date().isoformat())
            yield _gauge("tokens_spent_today", "API tokens spent on this UTC day", spent)
            left = max(0, wiring.daily_tokens(ledger) - spent)
            yield from _health(ledger, wiring.now(), self._started_at)
            yield _gauge("tokens_left_today", "API tokens of our share that are left today", left)

    def _counters(self) -> Iterator[Any]:
        tallies = self._polling.tallies
        yield _counter("polls", "Polls of a mailbox that ended well", tallies.polls)
        yield _counter("poll_failures", "Polls of a mailbox that failed", tallies.failures)
        watched = self._polling.watcher.watched()
        yield _gauge("watched_mailboxes", "Mailboxes with a connection in IDLE", watched)

    def _mailboxes(self, wiring: Wiring, ledger: Ledger) -> Iterator[Any]:
        names = [box.name for box in wiring.config.mailboxes]
        polled = {
            mailbox: datetime.fromisoformat(at) for mailbox, at in reports.polled_at(ledger).items()
        }
        now = wiring.now()
        lag = {
            name: max(0.0, (now - polled.get(name, self._started_at)).total_seconds())
            for name in names
        }
        says = "Time since the last good poll of all folders of a mailbox"
        yield _gauges("poll_lag_seconds", says, "mailbox", lag)
        troubles = reports.troubles(ledger)
        parked = {row["mailbox"] for row in troubles if row["next_due"] is None}
        says = "1 if a mailbox needs a person: its logins are refused"
        yield _gauges("mailbox_parked", says, "mailbox", {name: name in parked for name in names})


def _health(ledger: Ledger, now: datetime, started_at: datetime) -> Iterator[Any]:
    """What the view `problems` and the conditions say."""
    says = "Things that are wrong, by part and by whether a person is needed or it is tried again"
    family = _core().GaugeMetricFamily("mail2deal_problems", says, labels=["part", "weight"])
    wrong = Counter((line.part, line.weight) for line in health(ledger, now))
    none = dict.fromkeys(product(PARTS, ("person", "failing")), 0)
    for labels, number in (none | wrong).items():
        family.add_metric(labels, number)
    yield family
    (sync,) = ledger.conditions.of("sync") or (None,)
    failing = sync is not None and sync.failing_since is not None
    yield _gauge("sync_failing", "1 while no pass of the sync goes well", failing)
    good_at = (sync.good_at if sync else None) or started_at
    says = "When a pass of the sync last went well (or the service began), in seconds since 1970"
    yield _gauge("sync_last_success_seconds", says, good_at.timestamp())
    facts = ledger.settings("clock_offset_s", "lag_s")
    says = "Seconds by which this machine's clock is ahead of Pipedrive's"
    yield _gauge("clock_offset_seconds", says, facts.get("clock_offset_s") or 0.0)
    says = "Longest that a new object was missing in Pipedrive's lists"
    yield _gauge("lag_seconds", says, facts.get("lag_s") or 0.0)


def _gauge(name: str, says: str, value: float) -> Any:
    return _core().GaugeMetricFamily(f"mail2deal_{name}", says, value=value)


def _counter(name: str, says: str, value: float) -> Any:
    return _core().CounterMetricFamily(f"mail2deal_{name}", says, value=value)


def _gauges(name: str, says: str, label: str, values: Mapping[str, float]) -> Any:
    family = _core().GaugeMetricFamily(f"mail2deal_{name}", says, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _core() -> Any:
    from prometheus_client import core  # noqa: PLC0415 - an optional extra

    return core
