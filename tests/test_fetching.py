"""Messages by one connection or two: each wanted UID once, whatever becomes of the second."""

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest
from correspondence import generate
from dovecot import ARRIVED, Post
from scripted_imap import HANGUP, ScriptedImap, asked, facts

from daemon.errors import RetryLater
from daemon.intake import fetching
from daemon.intake.fetching import Batch, FetchRequest, Suspects, batches
from daemon.mailbox import fetch
from daemon.mailbox.fetch import BATCH
from daemon.mailbox.imap import Mailbox

NOW = datetime(2026, 11, 24, tzinfo=UTC)
UIDS = list(range(8 * BATCH, 0, -1))
Answer = Callable[[bytes], bytes]


@pytest.fixture(autouse=True)
def any_number_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "WORTH_A_SECOND", 1)


def order(
    wanted: list[int], another: Callable[[], Mailbox] | None, *, uidvalidity: int = 7
) -> FetchRequest:
    return FetchRequest(
        "INBOX", uidvalidity, wanted, None, None, NOW, 200, ahead=True, another=another
    )


def fetched(mailbox: Mailbox, what: FetchRequest) -> list[Batch]:
    return list(batches(mailbox, what, Suspects()))


def uids(some: list[Batch]) -> list[int]:
    return sorted(uid for portion in some for uid in portion.uids())


def answer(command: bytes) -> bytes:
    _, wanted = asked(command)
    return b"".join(facts(uid, early=b"hi\r\n") for uid in wanted) + b"TAG OK fetched\r\n"


def after(event: threading.Event, then: Answer = answer) -> Answer:
    """What `then` answers, once the other connection has been asked something, too."""

    def answered(command: bytes) -> bytes:
        assert event.wait(20)
        return then(command)

    return answered


def telling(event: threading.Event, then: Answer = answer) -> Answer:
    def answered(command: bytes) -> bytes:
        event.set()
        return then(command)

    return answered


def asked_of(server: ScriptedImap) -> set[int]:
    """The UIDs that were asked of a server."""
    return {uid for line in server.commands if b"FETCH" in line for uid in asked(line)[1]}


def test_two_connections_share_the_work_and_bring_each_message_once() -> None:
    second_is_at_it = threading.Event()
    with (
        ScriptedImap({"FETCH": after(second_is_at_it)}) as one,
        ScriptedImap({"FETCH": telling(second_is_at_it)}) as two,
        one.opened() as mailbox,
    ):
        found = fetched(mailbox, order(UIDS, two.mailbox))
        mailbox.command(b"NOOP")  # the first is the caller's again

    assert uids(found) == sorted(UIDS)
    assert asked_of(one)
    assert asked_of(two)
    assert asked_of(one) | asked_of(two) == set(UIDS)
    assert not asked_of(one) & asked_of(two)
    assert two.commands[-1] == b"LOGOUT"


def cut_in_the_middle(command: bytes) -> bytes:
    said = answer(command)
    return said[: len(said) // 2] + HANGUP


@pytest.mark.parametrize(
    "then",
    [
        cut_in_the_middle,
        lambda _: b"* BYE too many connections\r\n" + HANGUP,
        lambda _: b"TAG NO [UNAVAILABLE] not now\r\n",
    ],
    ids=["cut", "BYE", "unavailable"],
)
def test_what_a_lost_second_connection_had_taken_over_comes_by_the_first(then: Answer) -> None:
    second_is_at_it = threading.Event()
    with (
        ScriptedImap({"FETCH": after(second_is_at_it)}) as one,
        ScriptedImap({"FETCH": telling(second_is_at_it, then)}) as two,
        one.opened() as mailbox,
    ):
        found = fetched(mailbox, order(UIDS, two.mailbox))

    assert asked_of(two)
    assert uids(found) == sorted(UIDS)
    assert all(not portion.unreadable for portion in found)


def gone() -> None:
    raise RetryLater("the server is away")


def refuse() -> Mailbox:
    raise RetryLater("too many connections from this user")


def test_a_second_connection_that_is_refused_is_done_without() -> None:
    with ScriptedImap({"FETCH": answer}) as one, one.opened() as mailbox:
        assert uids(fetched(mailbox, order(UIDS, refuse))) == sorted(UIDS)


def test_a_second_connection_that_sees_another_folder_under_the_name_is_not_used() -> None:
    with (
        ScriptedImap({"FETCH": answer}) as one,
        ScriptedImap(
            {"FETCH": answer, "EXAMINE": b"* OK [UIDVALIDITY 8] new\r\nTAG OK\r\n"}
        ) as two,
        one.opened() as mailbox,
    ):
        assert uids(fetched(mailbox, order(UIDS, two.mailbox))) == sorted(UIDS)

    assert not asked_of(two)


def test_a_first_connection_that_is_cut_ends_the_folder_after_what_it_brought(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One command at a time: closing with others unread would take back what was said, too.
    monkeypatch.setattr(fetch, "UNDER_WAY", 1)
    first_asked = threading.Event()

    def once(command: bytes) -> bytes:
        if first_asked.is_set():
            return cut_in_the_middle(command)
        first_asked.set()
        return answer(command)

    found: list[Batch] = []
    with ScriptedImap({"FETCH": once}) as one, one.opened() as mailbox:
        monkeypatch.setattr(mailbox, "reconnect", gone)
        with pytest.raises(RetryLater, match="away"):
            found.extend(batches(mailbox, order(UIDS, refuse), Suspects()))

    assert uids(found) == sorted(UIDS[:BATCH])


def test_leaving_early_ends_both_and_logs_the_second_out() -> None:
    with (
        ScriptedImap({"FETCH": answer}) as one,
        ScriptedImap({"FETCH": answer}) as two,
        one.opened() as mailbox,
    ):
        with closing(batches(mailbox, order(UIDS, two.mailbox), Suspects())) as some:
            next(some)
        assert not [one for one in threading.enumerate() if one.name.startswith("ahead")]
        mailbox.command(b"NOOP")


def test_a_read_that_doesnt_end_when_nobody_wants_it_is_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetching, "_PATIENCE", 0.1)
    monkeypatch.setattr(fetching, "_BATCH", 1)

    def half(command: bytes) -> bytes:
        return answer(command)[:2000]  # and then nothing more

    with ScriptedImap({"FETCH": half}) as one, one.opened() as mailbox:
        with closing(batches(mailbox, order(UIDS, None), Suspects())) as some:
            next(some)
        assert mailbox.closed


def test_two_connections_to_dovecot_say_what_one_says(dovecot: Post) -> None:
    mails = generate(12, 300, now=NOW).mails
    dovecot.server.deliver_many(dovecot.user, "INBOX", ((mail.raw, ARRIVED) for mail in mails))

    with dovecot.mailbox() as mailbox:
        status = mailbox.examine("INBOX")
        wanted = mailbox.uids()[::-1]
        ways = [
            fetched(mailbox, order(wanted, another, uidvalidity=status.uidvalidity))
            for another in (None, dovecot.mailbox)
        ]

    by_one, by_two = (
        dict(pair for one in way for pair in zip(one.found, one.jobs, strict=True)) for way in ways
    )
    assert len(by_one) == len(mails)
    assert by_one == by_two
