"""IDLE: news at once, and every way in which a line can end without anybody saying so."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dovecot import Post
from scripted_imap import HANGUP, ScriptedImap

from daemon.errors import Problem, RetryLater
from daemon.mailbox.imap import Mailbox
from daemon.mailbox.watch import Rhythm, Watcher
from daemon.sandbox.imap_server import installed, start_imap

PATIENCE = 20  # seconds after which a test gives up
MAIL = b"From: a@x.org\r\nSubject: hello\r\n\r\nhi\r\n"
IDLING = b"+ idling\r\n"
ENDED = b"m2dw1 OK done\r\n"


class News:
    """What the watcher told, in its order."""

    def __init__(self) -> None:
        self.told: queue.SimpleQueue[str] = queue.SimpleQueue()

    def next(self) -> str:
        return self.told.get(timeout=PATIENCE)

    def nothing(self) -> bool:
        return self.told.empty()


@pytest.fixture
def news() -> News:
    return News()


@contextmanager
def watching(news: News, **rhythm: Any) -> Iterator[Watcher]:
    watcher = Watcher(news.told.put, Rhythm(**rhythm))
    watcher.start()
    try:
        yield watcher
    finally:
        watcher.stop()
        assert not watcher.is_running()


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


@pytest.fixture(params=["plain", "tls"])
def mailbox(request: pytest.FixtureRequest, dovecot: Post) -> Mailbox:
    server = dovecot.server
    if request.param == "plain":
        return dovecot.mailbox()
    return dovecot.mailbox(tls="implicit", port=server.tls_port, ca_file=str(server.ca_file))


def test_a_mail_is_told_when_it_arrives(dovecot: Post, mailbox: Mailbox, news: News) -> None:
    with watching(news) as watcher:
        assert watcher.wants("sales")
        assert watcher.watch("sales", mailbox)
        assert not watcher.wants("sales")
        assert news.next() == "sales"  # once when IDLE begins: what came before it
        assert news.nothing()
        for _ in range(3):
            dovecot.deliver(MAIL)
            assert news.next() == "sales"


def test_renewals_are_silent_and_lose_nothing(dovecot: Post, mailbox: Mailbox, news: News) -> None:
    with watching(news, renew=0.05) as watcher:
        watcher.watch("sales", mailbox)
        news.next()
        lines = watcher._lines()
        eventually(lambda: lines[0].tags > 5)
        assert news.nothing()
        for _ in range(3):
            dovecot.deliver(MAIL)
            news.next()
        assert watcher.watched() == 1


def test_a_server_that_is_restarted_is_news_and_a_new_line_is_welcome(news: News) -> None:
    if "dovecot" not in installed():
        pytest.skip("Dovecot 2.3 isn't installed")
    with watching(news) as watcher:
        with start_imap("dovecot") as server:
            post = Post(server, "sales@example.com", "secret")
            watcher.watch("sales", post.mailbox())
            news.next()
            server.stop()
            assert news.next() == "sales"
            eventually(lambda: watcher.wants("sales"))
            with pytest.raises(RetryLater):
                post.mailbox()  # nobody else can have its port yet
        with start_imap("dovecot") as server:
            post = Post(server, "sales@example.com", "secret")
            watcher.watch("sales", post.mailbox())
            news.next()
            post.deliver(MAIL)
            assert news.next() == "sales"


def test_a_server_without_idle_is_left_to_polling(news: News) -> None:
    with ScriptedImap() as server, watching(news) as watcher:
        assert not watcher.watch("sales", server.mailbox())
        assert not watcher.wants("sales")
        assert server.commands[-1] == b"LOGOUT"
        assert watcher.wants("support")


def idle(server: ScriptedImap, *answers: bytes) -> None:
    """Answer the first IDLE like this, and later ones in turn, the last for ever."""
    left = list(answers)
    server.answers["IDLE"] = lambda _: left.pop(0) if len(left) > 1 else left[0]


@pytest.fixture
def scripted() -> Iterator[ScriptedImap]:
    with ScriptedImap(capabilities="IMAP4rev1 IDLE") as server:
        server.answers[""] = ENDED  # to DONE, which has no tag
        yield server


@pytest.mark.parametrize(
    "said",
    [
        b"+ idling\r\n* 11 EXISTS\r\n",  # in one segment
        b"* 11 EXISTS\r\n+ idling\r\n",  # before the `+`
        b"+ idling\r\n* OK still here\r\n* 11 EXISTS\r\n* 1 RECENT\r\n",
        b"+\r\n* 11 exists\r\n",
        b"+ idling\n* 11 EXISTS\n",
    ],
)
@pytest.mark.parametrize("segment", [None, 1, 7])
def test_news_is_found_however_it_is_cut(said: bytes, segment: int | None, news: News) -> None:
    with (
        ScriptedImap(capabilities="IMAP4rev1 IDLE", segment=segment) as server,
        watching(news) as watcher,
    ):
        idle(server, said)
        watcher.watch("sales", server.mailbox())
        assert news.next() == "sales"
        assert watcher.watched() == 1


def test_what_is_read_ahead_with_the_answer_to_examine_is_not_lost(
    scripted: ScriptedImap, news: News
) -> None:
    scripted.answers["EXAMINE"] = (
        b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 4] ok\r\nTAG OK examined\r\n"
        b"* 4 EXISTS\r\n* 5 EXI"
    )
    idle(scripted, b"STS\r\n+ idling\r\n")
    with watching(news) as watcher:
        watcher.watch("sales", scripted.mailbox())
        for _ in range(2):  # 4 EXISTS; 5 EXISTS with the beginning of IDLE
            news.next()
        assert watcher.watched() == 1


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"+ idling\r\n* BYE Autologout\r\n" + HANGUP, "BYE Autologout"),
        (b"+ idling\r\n" + HANGUP, "closed by the server"),
        (HANGUP, "closed by the server"),
        (b"+ idling\r\nTAG OK you have idled enough\r\n", "ended by the server"),
        (b"+ idling\r\nHTTP/1.1 200 OK\r\n", "not a response"),
        (b"+ idling\r\n* " + b"x" * 100_000, "without end"),
        (b"", "no answer in time"),
    ],
)
def test_a_line_that_ends_is_news_and_its_reason_is_logged(
    scripted: ScriptedImap, news: News, said: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    idle(scripted, said)
    patience = PATIENCE if said else 0.3
    with watching(news, answer=patience) as watcher, caplog.at_level("DEBUG", "mail2deal"):
        watcher.watch("sales", scripted.mailbox())
        eventually(lambda: "watch.lost" in caplog.text)
        assert news.next() == "sales"
        assert watcher.watched() == 0
        assert watcher.wants("sales")
    assert reason in caplog.text


@pytest.mark.parametrize("said", [b"TAG NO not for you\r\n", b"TAG BAD what\r\n"])
def test_idle_that_is_refused_is_not_asked_for_again_soon(
    scripted: ScriptedImap, news: News, said: bytes
) -> None:
    idle(scripted, said)
    with watching(news) as watcher:
        account = scripted.account()
        watcher.watch("sales", Mailbox.connect(account))
        news.next()
        assert not watcher.wants("sales")
        assert list(account.ladder.broken()) == ["IDLE"]


@pytest.mark.parametrize("said", [b"", HANGUP, b"<html>\r\n", b"* BYE what\r\n" + HANGUP])
def test_idle_that_never_begins_is_given_up_after_two_lines(
    scripted: ScriptedImap, news: News, said: bytes
) -> None:
    idle(scripted, said)
    account = scripted.account()
    with watching(news, answer=0.2) as watcher:
        for lines in (1, 2):
            watcher.watch("sales", Mailbox.connect(account))
            news.next()
            assert list(account.ladder.broken()) == ["IDLE"][: lines - 1]
        assert not watcher.watch("sales", Mailbox.connect(account))
        assert watcher.watched() == 0


def test_a_connection_that_a_nat_has_forgotten_is_noticed_at_its_renewal(
    scripted: ScriptedImap, news: News
) -> None:
    idle(scripted, IDLING)
    scripted.answers[""] = b""  # as if nobody were there
    with watching(news, renew=0.05, answer=1) as watcher:
        watcher.watch("sales", scripted.mailbox())
        assert [news.next(), news.next()] == ["sales", "sales"]
        assert watcher.watched() == 0


def test_a_server_that_drops_every_line_is_left_to_polling(
    scripted: ScriptedImap, news: News
) -> None:
    idle(scripted, IDLING + HANGUP)
    with watching(news, again=(3600.0,)) as watcher:
        for _ in range(2):
            assert watcher.wants("sales")
            watcher.watch("sales", scripted.mailbox())
            eventually(lambda: watcher.watched() == 0)
        assert not watcher.wants("sales")


def test_a_renewal_makes_good_for_earlier_failures(scripted: ScriptedImap, news: News) -> None:
    idle(scripted, IDLING + HANGUP, IDLING, b"+ idling\r\n")
    with watching(news, renew=0.05, answer=10) as watcher:
        watcher.watch("sales", scripted.mailbox())
        eventually(lambda: watcher.wants("sales"))
        watcher.watch("sales", scripted.mailbox())
        eventually(lambda: scripted.commands.count(b"IDLE") >= 3)
        eventually(lambda: watcher._trust._folders["sales", "INBOX"].failures == 0)


def test_a_folder_that_cannot_be_opened_raises_and_leaves_nothing_behind(
    scripted: ScriptedImap, news: News
) -> None:
    scripted.answers["EXAMINE"] = b"TAG NO [UNAVAILABLE] not now\r\n"
    with watching(news) as watcher:
        with pytest.raises(Problem):
            watcher.watch("sales", scripted.mailbox())
        assert watcher.watched() == 0
        assert watcher.wants("sales")


def test_forgetting_closes_the_lines_without_news(scripted: ScriptedImap, news: News) -> None:
    idle(scripted, IDLING)
    with watching(news) as watcher:
        watcher.watch("sales", scripted.mailbox())
        news.next()
        watcher.forget()
        eventually(lambda: not watcher._lines())
        assert watcher.wants("sales")
        assert news.nothing()


def test_one_line_that_fails_keeps_no_other_waiting(scripted: ScriptedImap, news: News) -> None:
    idle(scripted, IDLING)
    with ScriptedImap(capabilities="IMAP4rev1 IDLE") as silent, watching(news) as watcher:
        idle(silent, b"")
        watcher.watch("silent", silent.mailbox())
        watcher.watch("sales", scripted.mailbox())
        assert news.next() == "sales"


def test_hundreds_of_lines_need_one_thread(dovecot: Post, news: News) -> None:
    before = set(threading.enumerate())
    with watching(news) as watcher:
        for number in range(50):
            watcher.watch(f"box{number}", dovecot.mailbox())
        assert {news.next() for _ in range(50)} == {f"box{number}" for number in range(50)}
        assert len(set(threading.enumerate()) - before) == 1
        dovecot.deliver(MAIL)
        assert {news.next() for _ in range(50)} == {f"box{number}" for number in range(50)}


def test_a_server_with_notify_tells_of_every_folder_by_one_line(
    dovecot: Post, mailbox: Mailbox, news: News
) -> None:
    assert "NOTIFY" in mailbox.capabilities
    with watching(news) as watcher, dovecot.client() as client:
        mailbox.folders()
        assert watcher.watch("sales", mailbox, folders=["INBOX", "Sent"])
        news.next()
        assert not watcher.wants("sales", "Sent")  # that line hears of it
        for _ in range(2):
            dovecot.deliver(MAIL)
            assert news.next() == "sales"
            client.append("Sent", MAIL)  # as a mail program files an answer
            assert news.next() == "sales"
        assert watcher.watched() == 1


def test_a_notify_that_is_refused_is_an_idle(news: News) -> None:
    answers = {"NOTIFY": b"TAG BAD unknown\r\n", "IDLE": b"+ idling\r\n* 4 EXISTS\r\n"}
    with ScriptedImap(answers, capabilities="IMAP4rev1 IDLE NOTIFY") as server:
        mailbox = server.mailbox()
        with watching(news) as watcher:
            assert watcher.watch("sales", mailbox, folders=["INBOX", "Sent"])
            assert news.next() == "sales"
            assert watcher.wants("sales", "Sent")
            assert watcher.watch("sales", server.mailbox(), "Sent")
            assert not watcher.wants("sales", "Sent")
            assert watcher.watched() == 1
        assert list(mailbox.account.ladder.broken()) == ["NOTIFY"]
        assert not [one for one in server.commands if one.startswith(b"NOTIFY")][1:]
        assert b'EXAMINE "Sent"' in server.commands


def test_a_server_that_stops_telling_is_asked_anew(news: News) -> None:
    said = b"* STATUS Sent (MESSAGES 3)\r\n* OK [NOTIFICATIONOVERFLOW] too many\r\n"
    answers = {"NOTIFY": b"TAG OK\r\n", "IDLE": IDLING + said}
    with (
        ScriptedImap(answers, capabilities="IMAP4rev1 IDLE NOTIFY") as server,
        watching(news) as watcher,
    ):
        assert watcher.watch("sales", server.mailbox(), folders=["INBOX", "Sent"])
        assert news.next() == "sales"
        eventually(lambda: watcher.watched() == 0)
        assert watcher.wants("sales")
