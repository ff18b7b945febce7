"""The UIDs of a folder: searched in bounded pieces, whole whatever happens in between."""

import tracemalloc
from datetime import UTC, date, datetime, timedelta

import pytest
from dovecot import Post, with_capability
from scripted_imap import Answer, ScriptedImap

from daemon.errors import Rejected, RetryLater
from daemon.mailbox.search import Search
from daemon.sandbox.imap_server import start_imap

MAIL = b"From: a@x.org\r\nSubject: hello\r\n\r\nhi\r\n"


def test_uids_have_gaps_and_a_beginning(dovecot: Post) -> None:
    for _ in range(6):
        dovecot.deliver(MAIL)
    with dovecot.client() as client:
        client.delete_messages([2, 5, 6])
        client.expunge()
    with dovecot.mailbox() as mailbox:
        assert mailbox.examine("INBOX").uidnext == 7
        assert mailbox.uids() == [1, 3, 4]
        assert mailbox.uids(first=3) == [3, 4]
        # `7:*` on the wire names the last message, 4.
        assert mailbox.uids(first=7) == []


def test_uids_of_an_empty_folder(dovecot: Post) -> None:
    with dovecot.mailbox() as mailbox:
        mailbox.examine("INBOX")
        assert mailbox.uids() == mailbox.uids(first=5, since=date(2026, 1, 1)) == []


def test_since_never_leaves_out_a_mail_of_that_day_in_any_time_zone(dovecot: Post) -> None:
    noon = datetime(2026, 3, 10, 12, tzinfo=UTC)
    for days in range(10):
        dovecot.deliver(MAIL, internal_date=noon - timedelta(days=days))
    with dovecot.mailbox() as mailbox:
        mailbox.examine("INBOX")
        assert mailbox.uids(since=date(2026, 3, 8)) == [1, 2, 3, 4, 5]
        assert mailbox.uids(since=date(2026, 3, 8), first=4) == [4, 5]
        assert mailbox.uids(since=date(1, 1, 1)) == list(range(1, 11))


@pytest.mark.parametrize("capability", [None, "IMAP4rev1 UIDPLUS"])
def test_a_large_folder_is_searched_in_pieces(
    monkeypatch: pytest.MonkeyPatch, capability: str | None
) -> None:
    monkeypatch.setattr("daemon.mailbox.search.SEARCH_WIDTH", 700)
    with start_imap("dovecot", settings=with_capability(capability)) as server:
        arrived = datetime(2026, 3, 1, tzinfo=UTC)
        server.deliver_many("sales@example.com", "INBOX", ((MAIL, arrived) for _ in range(2500)))
        post = Post(server, "sales@example.com", "secret")
        with post.client() as client:
            client.delete_messages(range(1, 2501, 3))
            client.expunge()
        left = [uid for uid in range(1, 2501) if uid % 3 != 1]
        with post.mailbox() as mailbox:
            assert mailbox.examine("INBOX").messages == len(left)
            assert mailbox.uids() == left
            assert mailbox.uids(first=1000, since=date(2026, 3, 1)) == [
                uid for uid in left if uid >= 1000
            ]
            assert mailbox.uids(since=date(2026, 3, 5)) == []


def test_an_expunge_between_two_pieces_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, dovecot: Post
) -> None:
    monkeypatch.setattr("daemon.mailbox.search.SEARCH_WIDTH", 10)
    for _ in range(25):
        dovecot.deliver(MAIL)
    with dovecot.mailbox() as mailbox, dovecot.client() as client:
        mailbox.examine("INBOX")
        ask = Search._ask

        def search_and_expunge(
            self: Search, criteria: bytes, most: int, **_: bool
        ) -> set[int] | None:
            uids = ask(self, criteria, most)
            client.delete_messages(client.search()[:2])
            client.expunge()
            return uids

        monkeypatch.setattr(Search, "_ask", search_and_expunge)
        uids = mailbox.uids()
        alive = client.search()

    assert set(alive) <= set(uids)


@pytest.mark.parametrize(
    ("capabilities", "said", "uids"),
    [
        ("IMAP4rev1", b"* SEARCH 2 3\r\n* SEARCH 1 \r\nTAG OK\r\n", [1, 2, 3]),
        ("IMAP4rev1", b"* SEARCH 2 3 9 (MODSEQ 917162500)\r\nTAG OK\r\n", [2, 3, 9]),
        ("IMAP4rev1 ESEARCH", b'* ESEARCH (TAG "TAG") UID ALL 3,1:2\r\nTAG OK\r\n', [1, 2, 3]),
        (
            "IMAP4rev1 ESEARCH",
            b'* ESEARCH (TAG "TAG") UID MODSEQ 5 ALL 4:2\r\nTAG OK\r\n',
            [2, 3, 4],
        ),
        ("IMAP4rev1 ESEARCH", b"* SEARCH 1 2 3\r\nTAG OK\r\n", [1, 2, 3]),
    ],
)
def test_answers_of_search(capabilities: str, said: bytes, uids: list[int]) -> None:
    with (
        ScriptedImap({"SEARCH": said}, capabilities=capabilities) as server,
        server.opened() as mailbox,
    ):
        assert mailbox.uids() == uids


@pytest.mark.parametrize("all_of_them", [b"1:4294967295", b"1::2", b",", b"1:" + b"9" * 5000])
def test_impossible_uids_are_asked_for_in_a_plainer_way(all_of_them: bytes) -> None:
    def search(command: bytes) -> bytes:
        if b"RETURN" in command:
            return b'* ESEARCH (TAG "TAG") UID ALL %s\r\nTAG OK\r\n' % all_of_them
        return b"* SEARCH 1 2 3\r\nTAG OK\r\n"

    with (
        ScriptedImap({"SEARCH": search}, capabilities="IMAP4rev1 ESEARCH") as server,
        server.opened() as mailbox,
    ):
        assert mailbox.uids() == [1, 2, 3]
        assert list(mailbox.account.ladder.broken()) == ["ESEARCH"]


def uids_by_fetch(command: bytes) -> bytes:
    """What a server with the UIDs 11, 12 and 13 says to FETCH; the last arrived in March 2026."""
    first, _, last = command.split(b" ")[1].partition(b":")
    return (
        b"".join(
            b'* %d FETCH (UID %d INTERNALDATE "02-Mar-%d 09:00:00 +0000")\r\n'
            % (number, 10 + number, 2023 + number)
            for number in range(int(first), int(last or first) + 1)
        )
        + b"TAG OK\r\n"
    )


@pytest.mark.parametrize(
    "said",
    [
        b"* SEARCH\r\nTAG OK\r\n",
        b"TAG OK\r\n",
        b"* SEARCH 12\r\nTAG OK\r\n",
        b"TAG BAD unknown command\r\n",
        b"TAG NO [SERVERBUG] the index is broken\r\n",
        b"* SEARCH" + b"".join(b" %d" % uid for uid in range(1, 90_000)) + b"\r\nTAG OK\r\n",
        b"* SEARCH 1 2 3" * 20_000 + b"\r\nTAG OK\r\n",
    ],
    ids=["empty", "silent", "short", "BAD", "NO", "ninety thousand", "garbage"],
)
def test_a_search_that_cannot_be_true_is_not_believed(said: bytes) -> None:
    """EXISTS says three: an empty answer would leave mail unread for ever, without a word."""
    answers: dict[str, Answer] = {"SEARCH": said, "FETCH": uids_by_fetch}
    with ScriptedImap(answers) as server, server.opened() as mailbox:
        assert mailbox.uids() == [11, 12, 13]
        assert "SEARCH" in mailbox.account.ladder.broken()
        mailbox.examine("INBOX")
        before = len(server.commands)
        assert mailbox.uids(first=12) == [12, 13]
        assert not [one for one in server.commands[before:] if b"SEARCH" in one]
        assert mailbox.uids(since=date(2026, 1, 1)) == [13]


def test_a_search_since_a_day_that_misses_the_last_message_is_not_believed() -> None:
    answers: dict[str, Answer] = {"SEARCH": b"* SEARCH\r\nTAG OK\r\n", "FETCH": uids_by_fetch}
    with ScriptedImap(answers) as server, server.opened() as mailbox:
        assert mailbox.uids(since=date(2025, 1, 1)) == [12, 13]
    with ScriptedImap(answers) as server, server.opened() as mailbox:
        assert mailbox.uids(since=date(2027, 1, 1)) == []
        assert not mailbox.account.ladder.broken()


@pytest.mark.parametrize("pieces", [1, 2000])
def test_ten_million_uids_for_three_messages_are_not_read(pieces: int) -> None:
    """In one line or in many; and the server is asked differently, not left."""
    numbers = b"".join(b" %d" % uid for uid in range(10_000_000, 10_200_000))
    step = len(numbers) // pieces
    said = b"".join(
        b"* SEARCH%s\r\n" % numbers[start : start + step] for start in range(0, len(numbers), step)
    )
    answers: dict[str, Answer] = {"SEARCH": said + b"TAG OK\r\n", "FETCH": uids_by_fetch}
    with ScriptedImap(answers) as server, server.opened() as mailbox:
        tracemalloc.start()
        try:
            assert mailbox.uids() == [11, 12, 13]
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
        finally:
            tracemalloc.stop()


def test_a_folder_must_be_open_to_be_read(dovecot: Post) -> None:
    with dovecot.mailbox() as mailbox:
        for act in (mailbox.uids, lambda: mailbox.fetch([1]), lambda: mailbox.raw(1)):
            with pytest.raises(RuntimeError, match="no folder is open"):
                act()


def test_a_closed_mailbox_says_so(dovecot: Post) -> None:
    mailbox = dovecot.mailbox()
    mailbox.close()
    mailbox.close()

    assert mailbox.closed
    with pytest.raises(RetryLater):
        mailbox.command(b"NOOP")


def test_uids_that_cannot_be_are_said() -> None:
    said = b"".join(b"* %d FETCH (UID %d)\r\n" % (n, 2**63 + n) for n in (1, 2, 3)) + b"TAG OK\r\n"
    with (
        ScriptedImap({"SEARCH": b"TAG BAD what\r\n", "FETCH": said}) as server,
        server.opened() as mailbox,
        pytest.raises(Rejected, match="3 messages a UID that can't be"),
    ):
        mailbox.uids()
