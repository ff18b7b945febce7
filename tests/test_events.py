"""Events: told once by id, in order, signed; a receiver that is away or refuses holds up nobody."""

import hashlib
import hmac
import json
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from event_hook import Hook, hooked
from polling_kit import eventually
from postbox import START
from world import READING, World

from daemon.ledger.store import Ledger
from daemon.rules.events import EventKind, News, Subscriber, event_id, slack
from daemon.service.events import Courier, Receiver, deliver
from daemon.service.health import health

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ALL: frozenset[EventKind] = frozenset(
    {"lead_created", "deal_created", "lead_converted", "first_reply", "needs_person"}
)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hooked() as opened:
        yield opened


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        with opened.transaction("receivers"):
            opened.events.know(["chat"], NOW)
        yield opened


def add(ledger: Ledger, *names: str, kind: str = "lead_created", at: datetime = NOW) -> None:
    with ledger.transaction("events"):
        for name in names:
            news = News(kind, name, at, f"{name}@firm.example", {"name": name.title()})  # type: ignore[arg-type]
            ledger.events.add(["chat"], news)


def chat(hook: Hook, **how: Any) -> tuple[Receiver, ...]:
    return (Receiver(Subscriber("chat", ALL), url=hook.url, **how),)


def test_events_arrive_once_in_order_with_an_id_to_drop_doubles(ledger: Ledger, hook: Hook) -> None:
    add(ledger, "ada", "ben")
    add(ledger, "ada")  # the same thing happens once

    assert deliver(ledger, chat(hook), lambda: NOW) is None
    assert deliver(ledger, chat(hook), lambda: NOW) is None

    assert [one["sender"] for one in hook.events()] == ["ada@firm.example", "ben@firm.example"]
    first, _ = hook.heard[0]
    assert first["X-Mail2deal-Delivery"] == event_id("lead_created", "ada")
    assert hook.events()[0]["id"] == first["X-Mail2deal-Delivery"]


def test_a_request_is_signed_with_its_time(ledger: Ledger, hook: Hook) -> None:
    add(ledger, "ada")
    deliver(ledger, chat(hook, secret=lambda: "hook secret"), lambda: NOW)

    ((headers, body),) = hook.heard
    parts = dict(part.split("=") for part in headers["X-Mail2deal-Signature"].split(","))
    expected = hmac.new(b"hook secret", f"{parts['t']}.".encode() + body, hashlib.sha256)
    assert parts["v1"] == expected.hexdigest()


def test_a_receiver_that_is_away_for_a_day_hears_everything_in_order(
    ledger: Ledger, hook: Hook
) -> None:
    hook.status = 503
    now = NOW
    tries = 0
    while now < NOW + timedelta(days=1):
        add(ledger, f"s{tries}", at=now)
        again = deliver(ledger, chat(hook), lambda: now)  # noqa: B023 - used at once
        assert again is not None
        tries += 1
        now = again
    assert len(hook.heard) == tries  # one try each time, whatever waits behind it
    assert tries < 60
    (problem,) = ledger.conditions.problems()
    assert (problem.part, problem.name, problem.needs_person) == ("events", "chat", False)

    hook.status, hook.heard = 200, []
    deliver(ledger, chat(hook), lambda: now)

    assert [one["sender"] for one in hook.events()] == [f"s{n}@firm.example" for n in range(tries)]
    assert ledger.conditions.problems() == []


def test_a_receiver_is_asked_again_when_it_says(ledger: Ledger, hook: Hook) -> None:
    hook.status, hook.headers = 429, {"Retry-After": "120"}
    add(ledger, "ada")

    assert deliver(ledger, chat(hook), lambda: NOW) == NOW + timedelta(seconds=120)


def test_what_is_refused_is_parked_and_told_again_by_retry(ledger: Ledger, hook: Hook) -> None:
    hook.status = 400
    add(ledger, "ada", "ben")
    assert deliver(ledger, chat(hook), lambda: NOW) is None
    assert [one.needs_person for one in ledger.conditions.problems()] == [True]
    assert len(hook.heard) == 2

    hook.status, hook.heard = 200, []
    with ledger.transaction("retry"):
        assert ledger.events.retry() == 2
    deliver(ledger, chat(hook), lambda: NOW)
    assert len(hook.heard) == 2
    assert ledger.conditions.problems() == []


def test_what_was_refused_shows_while_the_receiver_is_away_and_after(
    ledger: Ledger, hook: Hook
) -> None:
    hook.status = 400
    add(ledger, "ada")
    deliver(ledger, chat(hook), lambda: NOW)
    hook.status = 503
    add(ledger, "ben")
    again = deliver(ledger, chat(hook), lambda: NOW)
    assert again is not None
    assert [one.needs_person for one in ledger.conditions.problems()] == [True, False]

    hook.status = 200
    deliver(ledger, chat(hook), lambda: again)
    (left,) = ledger.conditions.problems()
    assert (left.name, left.needs_person) == ("chat", True)
    assert left.reason.startswith("1 refused: ")


def test_a_receiver_that_is_no_longer_configured_is_no_problem(
    tmp_path: Path, ledger: Ledger, hook: Hook
) -> None:
    hook.status = 503
    add(ledger, "ada")
    deliver(ledger, chat(hook), lambda: NOW)
    assert len(ledger.conditions.problems()) == 1

    Courier(lambda: Ledger.open(tmp_path / "ledger.db"), lambda: NOW).follow((), ledger)
    assert ledger.conditions.problems() == []


def test_after_three_days_an_event_is_left_to_a_person(ledger: Ledger, hook: Hook) -> None:
    hook.status = 500
    add(ledger, "ada")
    later = NOW + timedelta(days=3, hours=1)

    deliver(ledger, chat(hook), lambda: later)

    assert ledger.events.waiting("chat") == []
    assert "three days" in ledger.conditions.problems()[0].reason


def test_a_redirect_is_not_followed_and_the_address_is_not_logged(
    ledger: Ledger, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status, hook.headers = 302, {"Location": hook.url + "/secret-elsewhere"}
    add(ledger, "ada")
    with caplog.at_level("DEBUG", logger="mail2deal"):
        deliver(ledger, chat(hook), lambda: NOW)

    assert len(hook.heard) == 1
    assert hook.url not in caplog.text


def test_what_lies_before_a_receiver_was_named_is_no_news_to_it(ledger: Ledger, hook: Hook) -> None:
    old = News("lead_created", "ada", NOW, "ada@firm.example")
    with ledger.transaction("events"):
        ledger.events.add(["chat"], old, fresh=NOW - timedelta(days=400))
        ledger.events.add(["nobody"], old)

    deliver(ledger, chat(hook), lambda: NOW)
    assert hook.heard == []


def script(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "tell"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return (str(path),)


def test_a_command_reads_the_event_on_its_input(ledger: Ledger, tmp_path: Path) -> None:
    command = script(tmp_path, 'cat >>heard; echo " $MAIL2DEAL_EVENT" >>heard')
    add(ledger, "ada", "ben")
    receiver = Receiver(Subscriber("chat", ALL), command=command, directory=tmp_path)

    assert deliver(ledger, (receiver,), lambda: NOW) is None

    first, second = (tmp_path / "heard").read_text().splitlines()
    assert json.loads(first.rpartition(" ")[0])["sender"] == "ada@firm.example"
    assert second.endswith(" lead_created")


@pytest.mark.parametrize(("ends", "waiting"), [("exit 1", 1), ("exit 65", 0), ("kill $$", 1)])
def test_a_command_that_fails_is_tried_again_one_that_refuses_is_not(
    ledger: Ledger, tmp_path: Path, ends: str, waiting: int
) -> None:
    add(ledger, "ada")
    receiver = Receiver(
        Subscriber("chat", ALL), command=script(tmp_path, f"cat >/dev/null; {ends}")
    )
    deliver(ledger, (receiver,), lambda: NOW)
    assert len(ledger.events.waiting("chat")) == waiting


def test_slack_reads_a_line_and_nothing_in_it_is_markup() -> None:
    facts = {
        "name": "<!channel> & Co",
        "url": "https://x.pipedrive.com/deal/7",
        "reason": "1 reply",
    }
    text = slack(News("deal_created", "a", NOW, "a@b.example", facts))["text"]

    assert text == (
        "*New deal*: &lt;!channel&gt; &amp; Co, 1 reply"
        " (<https://x.pipedrive.com/deal/7|open in Pipedrive>)"
    )


def test_what_needs_a_person_is_told_once(ledger: Ledger, hook: Hook) -> None:
    with ledger.transaction("failed"):
        ledger.conditions.failed("sync", "token refused", NOW, needs_person=True)
    for _ in range(3):
        deliver(ledger, chat(hook), lambda: NOW)

    (told,) = hook.events()
    assert (told["event"], told["what"], told["reason"]) == (
        "needs_person",
        "sync",
        "token refused",
    )


@pytest.fixture
def courier(tmp_path: Path) -> Iterator[Courier]:
    courier = Courier(lambda: Ledger.open(tmp_path / "ledger.db"), lambda: NOW)
    yield courier
    courier.close()
    assert not [one for one in threading.enumerate() if one.name == "events"]


def test_a_courier_tells_while_it_lives_and_ends_when_told(
    courier: Courier, ledger: Ledger, hook: Hook
) -> None:
    courier.follow(chat(hook), ledger)
    add(ledger, "ada")
    courier.stir()
    eventually(lambda: len(hook.heard) == 1)


def test_a_slow_receiver_delays_only_its_own_events(
    courier: Courier, ledger: Ledger, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.ledger.events._AT_ONCE", 3)  # fewer than there are
    with hooked() as slow:
        slow.free.clear()
        both = (Receiver(Subscriber("archive", ALL), url=slow.url), *chat(hook))
        courier.follow(both, ledger)
        with ledger.transaction("events"):
            for number in range(8):
                news = News("lead_created", str(number), NOW, f"s{number}@firm.example", {})
                ledger.events.add(["archive", "chat"], news)
        courier.stir()
        eventually(lambda: len(hook.taken) == 8)
        assert len(slow.heard) == 1
        assert ledger.events.behind(NOW) == []
        later = NOW + timedelta(seconds=1)
        eventually(lambda: ledger.events.behind(later) == [("archive", 8, NOW)])
        (line,) = health(ledger, NOW + timedelta(hours=1))
        assert str(line).startswith("events archive since 2026-03-02 09:00: 8 events not sent")
        assert line.weight == "note"

        slow.free.set()
        eventually(lambda: len(slow.taken) == 8)
        eventually(lambda: ledger.events.behind(later) == [])
        assert [one["sender"] for one in slow.events()] == [
            f"s{number}@firm.example" for number in range(8)
        ]


def test_a_receiver_that_leaves_the_configuration_ends_its_thread_alone(
    courier: Courier, ledger: Ledger, hook: Hook
) -> None:
    with hooked() as other:
        courier.follow((Receiver(Subscriber("archive", ALL), url=other.url), *chat(hook)), ledger)
        courier.follow(chat(hook), ledger)
        add(ledger, "ada")
        courier.stir()
        eventually(lambda: len(hook.taken) == 1)
        eventually(lambda: sum(one.name == "events" for one in threading.enumerate()) == 1)
        assert other.heard == []


def test_a_receiver_that_is_removed_while_it_is_told_leaves_no_failure(
    courier: Courier, ledger: Ledger, hook: Hook
) -> None:
    hook.status = 503
    hook.free.clear()
    add(ledger, "ada")
    courier.follow(chat(hook), ledger)
    eventually(lambda: len(hook.heard) == 1)
    courier.follow((), ledger)

    hook.free.set()
    eventually(lambda: not any(one.name == "events" for one in threading.enumerate()))
    assert ledger.conditions.problems() == []


def test_a_thread_that_is_told_to_end_while_it_turns_to_the_next_look_ends(
    tmp_path: Path, ledger: Ledger, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    closing = Courier(lambda: Ledger.open(tmp_path / "ledger.db"), lambda: NOW)

    class Late(threading.Event):
        """It is cleared after `leave` has set it."""

        def clear(self) -> None:
            for line in tuple(closing._lines.values()):
                line.leave()
            super().clear()
            told.set()

    monkeypatch.setattr("daemon.service.events._LOOK", 3600.0)
    with monkeypatch.context() as patch:
        patch.setattr("daemon.service.events.threading.Event", Late)
        closing.follow(chat(hook), ledger)
    closing.stir()
    eventually(told.is_set)
    eventually(lambda: not any(one.name == "events" for one in threading.enumerate()))


@pytest.mark.parametrize("after", ["\xb2", "9" * 400, "-1", "soon"])
def test_a_receiver_that_asks_for_a_wait_that_is_none_is_tried_again_all_the_same(
    ledger: Ledger, hook: Hook, after: str
) -> None:
    hook.status, hook.headers = 503, {"Retry-After": after}
    add(ledger, "ada")

    again = deliver(ledger, chat(hook), lambda: NOW)
    assert again is not None
    assert NOW < again <= NOW + timedelta(days=1)
    assert ledger.conditions.problems()[0].reason == "chat: answers 503"


def test_a_fault_of_ours_in_telling_is_told_and_tried_again(ledger: Ledger, hook: Hook) -> None:
    add(ledger, "ada")

    def broken() -> str:
        raise ValueError("not a secret")

    again = deliver(ledger, chat(hook, secret=broken), lambda: NOW)
    assert again is not None
    assert ledger.conditions.problems()[0].reason == "chat: ValueError: not a secret"

    deliver(ledger, chat(hook), lambda: again)
    assert len(hook.taken) == 1
    assert ledger.conditions.problems() == []


def test_the_life_of_a_sender_is_told_as_it_happens(tmp_path: Path, hook: Hook) -> None:
    told = Subscriber("chat", ALL)
    world = World(tmp_path, subscribers=(told,))
    receivers = (Receiver(told, url=hook.url),)
    with world.ledger() as ledger, ledger.transaction("receivers"):
        ledger.events.know(["chat"], START)
    world.receives("ada@firm.example")
    world.settle()
    number = world.sends("ada@firm.example", answers=1)
    world.receives("ada@firm.example", answers=number)
    world.settle()
    with world.ledger() as ledger:
        deliver(ledger, receivers, world.clock)

    events = hook.events()
    assert [one["event"] for one in events] == ["lead_created", "first_reply", "lead_converted"]
    assert {one["sender"] for one in events} == {"ada@firm.example"}
    assert "/leads/inbox/" in events[0]["url"]
    assert "/deal/" in events[2]["url"]
    assert "snippet" not in events[0]

    world.settle()
    with world.ledger() as ledger:
        deliver(ledger, receivers, world.clock)
    assert len(hook.heard) == 3


def test_text_is_told_where_it_is_asked_for_and_forgotten_with_its_sender(tmp_path: Path) -> None:
    told = Subscriber("chat", ALL, text=True)
    world = World(tmp_path, subscribers=(told,))
    with world.ledger() as ledger, ledger.transaction("receivers"):
        ledger.events.know(["chat"], START)
    world.receives("ada@firm.example", subject="What does it cost?")
    world.settle()
    with world.ledger() as ledger:
        ((_, news),) = ledger.events.waiting("chat")
        assert news.facts is not None
        assert news.facts["subject"] == "What does it cost?"

        with ledger.transaction("forget"):
            ledger.forgotten.erase("ada@firm.example", READING.us, world.clock())
        assert ledger.events.waiting("chat") == []


def test_the_first_reply_is_told_once_in_a_life(tmp_path: Path, hook: Hook) -> None:
    told = Subscriber("chat", frozenset({"first_reply"}))
    world = World(tmp_path, subscribers=(told,))
    receivers = (Receiver(told, url=hook.url),)
    with world.ledger() as ledger, ledger.transaction("receivers"):
        ledger.events.know(["chat"], START)
    number = world.sends("ada@firm.example")
    for friend in ("bob", "cyd", "dan", "eve"):
        world.receives("ada@firm.example", answers=number)
        world.receives(f"{friend}@firm.example", answers=world.sends(f"{friend}@firm.example"))
        world.settle()
        with world.ledger() as ledger:
            deliver(ledger, receivers, world.clock)
        # What was told is forgotten after a while; a mail is an hour younger than the one before.
        world.clock.now += timedelta(days=40)
        world.number += 40 * 24
    told_of = sorted(one["sender"].partition("@")[0] for one in hook.events())
    assert told_of == ["ada", "bob", "cyd", "dan", "eve"]


def test_a_first_reply_before_the_receiver_was_added_is_no_news(tmp_path: Path, hook: Hook) -> None:
    told = Subscriber("chat", frozenset({"first_reply"}))
    world = World(tmp_path, subscribers=(told,))
    number = world.sends("ada@firm.example")
    world.receives("ada@firm.example", answers=number)
    world.settle()
    with world.ledger() as ledger, ledger.transaction("receivers"):
        ledger.events.know(["chat"], world.clock())
    world.clock.now += timedelta(days=1)
    world.receives("ada@firm.example", answers=number)
    world.settle()
    with world.ledger() as ledger:
        deliver(ledger, (Receiver(told, url=hook.url),), world.clock)
    assert hook.heard == []
