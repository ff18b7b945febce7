"""What a server may do wrong while it serves messages: each UID still comes back exactly once."""

import contextlib
import re
from collections.abc import Callable

import pytest
from scripted_imap import HANGUP, HEADER, TEXT, ScriptedImap, asked, facts, part, serve, whole

from daemon.errors import RetryLater, Unreadable
from daemon.mailbox.fetch import BATCH
from daemon.mailbox.fetch_command import EARLY
from daemon.mailbox.imap import Fetched, Mailbox, Unfetched

Answer = Callable[[bytes], bytes]


def fetch(mailbox: Mailbox, uids: list[int]) -> dict[int, Fetched | Unfetched]:
    found = list(mailbox.fetch(uids))
    assert sorted(one.uid for one in found) == sorted(set(uids))
    return {one.uid: one for one in found}


def test_a_good_server_gives_header_and_text() -> None:
    with ScriptedImap({"FETCH": serve([1, 2, 3])}) as server, server.opened() as mailbox:
        found = fetch(mailbox, [1, 2, 3])

    assert all(isinstance(one, Fetched) and one.raw == HEADER + b"hi\r\n" for one in found.values())


@pytest.mark.parametrize("marker", [rb"{\1}", rb"~{\1}", rb"{\1+}"])
def test_a_literal_may_be_announced_in_any_of_its_forms(marker: bytes) -> None:
    def answer(command: bytes) -> bytes:
        return re.sub(rb"\{(\d+)\}(?=\r\n)", marker, serve([1])(command))

    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        found = fetch(mailbox, [1])

    assert isinstance(found[1], Fetched)
    assert found[1].raw == HEADER + b"hi\r\n"


def test_a_missing_uid_is_unfetched_and_the_others_come() -> None:
    with ScriptedImap({"FETCH": serve([1, 3])}) as server, server.opened() as mailbox:
        found = fetch(mailbox, [1, 2, 3])

    assert found[2] == Unfetched(2, "not returned")
    assert isinstance(found[1], Fetched)
    assert isinstance(found[3], Fetched)


def test_messages_that_are_gone_are_not_blamed_on_pieces() -> None:
    with ScriptedImap({"FETCH": serve([2, 3])}) as server, server.opened() as mailbox:
        uids = mailbox.batches([1, 2, 3], most=1)
        found = list(mailbox.fetch(uids, one_at_a_time=True))
        assert sorted(one.uid for one in found if isinstance(one, Fetched)) == [2, 3]
        assert mailbox.account.ladder.broken() == {}


def test_an_empty_folder_asks_nothing() -> None:
    with ScriptedImap({"FETCH": serve([])}) as server, server.opened() as mailbox:
        assert list(mailbox.fetch([])) == []
        assert not any(b"FETCH" in command for command in server.commands)


@pytest.mark.parametrize("word", [b"NO", b"BAD"])
def test_one_message_that_is_refused_costs_only_itself(word: bytes) -> None:
    def answer(command: bytes) -> bytes:
        if 7 in asked(command)[1]:
            return b"TAG %s message 7 is broken\r\n" % word
        return serve(list(range(1, 21)))(command)

    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        found = fetch(mailbox, list(range(1, 21)))

    assert found[7] == Unfetched(7, "message 7 is broken")
    assert sum(isinstance(one, Fetched) for one in found.values()) == 19


def test_a_message_whose_structure_is_refused_is_fetched_as_it_is() -> None:
    def answer(command: bytes) -> bytes:
        kind, uids = asked(command)
        if kind == "facts" and 2 in uids:
            return b"TAG NO cannot compute\r\n"
        return serve([1, 2, 3])(command)

    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        found = fetch(mailbox, [1, 2, 3])

    assert isinstance(found[2], Fetched)
    assert found[2].raw == HEADER + b"whole\r\n"


def test_partial_data_before_a_no_is_used() -> None:
    def answer(command: bytes) -> bytes:
        kind, uids = asked(command)
        if kind == "facts" and len(uids) == 3:
            return facts(1) + facts(2) + b"TAG NO some failed\r\n"
        return serve([1, 2, 3])(command)

    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        found = fetch(mailbox, [1, 2, 3])
        again = [asked(command) for command in server.commands if b"FETCH" in command]

    assert all(isinstance(one, Fetched) for one in found.values())
    assert ("facts", [3]) in again
    assert ("facts", [1]) not in again


@pytest.mark.parametrize(
    "structure",
    [
        b"NIL",
        b"()",
        b"(NIL NIL)",
        b'("TEXT")',
        b"(((((",
        b'"text"',
        b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" "many")',
    ],
)
def test_a_structure_that_makes_no_sense_means_the_beginning_of_the_whole(structure: bytes) -> None:
    answer = serve([1], facts_of=lambda uid: facts(uid, structure=structure))
    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        found = fetch(mailbox, [1])

    assert isinstance(found[1], Fetched)
    assert found[1].raw == HEADER + b"whole\r\n"


@pytest.mark.parametrize(
    ("header", "structure"),
    [
        (b"Content-Type: multipart/mixed; boundary=x\r\n" + HEADER, TEXT % 4),
        (HEADER, b'(%s "MIXED" ("BOUNDARY" "x"))' % (TEXT % 4)),
        (b"\r\n", TEXT % 4),
        (HEADER.replace(b"\r\nSubject", b"\rSubject"), TEXT % 4),
    ],
)
def test_a_structure_that_contradicts_the_header_means_the_whole(
    header: bytes, structure: bytes
) -> None:
    answer = serve([1], facts_of=lambda uid: facts(uid, header=header, structure=structure))
    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        found = fetch(mailbox, [1])[1]

    assert isinstance(found, Fetched)
    assert found.raw == HEADER + b"whole\r\n"


@pytest.mark.parametrize("body", [b'""', b"NIL", b"{0}\r\n"])
def test_a_part_that_comes_empty_against_its_structure_means_the_whole(body: bytes) -> None:
    answer = serve([1], part_of=lambda uid: b"* 1 FETCH (UID %d BODY[1]<0> %s)\r\n" % (uid, body))
    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        found = fetch(mailbox, [1])

    assert isinstance(found[1], Fetched)
    assert found[1].raw == HEADER + b"whole\r\n"


def test_a_part_that_is_missing_from_an_ok_means_the_whole() -> None:
    answer = serve([1], part_of=lambda uid: b"* 1 FETCH (UID %d FLAGS ())\r\n" % uid)
    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        assert isinstance(fetch(mailbox, [1])[1], Fetched)


def test_empty_lines_between_responses_say_nothing() -> None:
    said = b"\r\n" + facts(1) + b"\r\n\n" + part(1) + b"\r\nTAG OK done\r\n"
    with ScriptedImap({"FETCH": said}) as server, server.opened() as mailbox:
        (one,) = mailbox.fetch([1])
        assert isinstance(one, Fetched)
        assert mailbox.command(b"NOOP").ok


def test_unsolicited_responses_neither_count_nor_disturb() -> None:
    noise = (
        b"* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n* 9 EXISTS\r\n* 0 RECENT\r\n"
        b"* 3 FETCH (UID 99 BODY[1] {3}\r\nabc)\r\n* OK [ALERT] maintenance {5}\r\n* VANISHED 4\r\n* 4 EXPUNGE\r\n"
    )
    answer = serve(
        [1, 2, 3], facts_of=lambda uid: noise + facts(uid), part_of=lambda uid: part(uid) + noise
    )
    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        found = fetch(mailbox, [1, 2, 3, 4])

    assert {uid for uid, one in found.items() if isinstance(one, Fetched)} == {1, 2, 3}
    assert isinstance(found[4], Unfetched)


@pytest.mark.parametrize("segment", [1, 7])
def test_answers_may_be_cut_into_segments_anywhere(segment: int) -> None:
    with (
        ScriptedImap({"FETCH": serve([1, 2])}, segment=segment) as server,
        server.opened() as mailbox,
    ):
        found = fetch(mailbox, [1, 2])

    assert all(isinstance(one, Fetched) and one.raw == HEADER + b"hi\r\n" for one in found.values())


def test_the_connection_may_end_at_any_byte() -> None:
    said = facts(1) + facts(2) + b"TAG OK fetched\r\n"
    for end in range(0, len(said), 5):
        with ScriptedImap({"FETCH": said[:end] + HANGUP}) as server:
            mailbox = server.opened()
            with pytest.raises(RetryLater):
                list(mailbox.fetch([1, 2]))

            assert mailbox.closed


@pytest.mark.parametrize(
    "said",
    [
        b"garbage\r\n",
        b"\r\n",
        b"TAG MAYBE\r\n",
        b"* BYE shutting down\r\n",
        b"* 1 FETCH (UID 1 BODY[] {99999999999}\r\n",
        b"\x00\xff\xfe\r\n",
    ],
)
def test_what_cannot_be_followed_ends_the_connection(said: bytes) -> None:
    with ScriptedImap({"FETCH": said}) as server:
        mailbox = server.opened()
        with pytest.raises(RetryLater):
            list(mailbox.fetch([1]))

        assert mailbox.closed
        with pytest.raises(RetryLater):
            mailbox.command(b"NOOP")


def test_a_literal_shorter_than_announced_ends_the_connection() -> None:
    said = (
        b"* 1 FETCH (UID 1 BODY[HEADER.FIELDS (FROM)] {4000}\r\n"
        + HEADER
        + b")\r\nTAG OK\r\n"
        + HANGUP
    )
    with ScriptedImap({"FETCH": said}) as server, pytest.raises(RetryLater):
        list(server.opened().fetch([1]))


def test_a_literal_longer_than_announced_ends_the_connection() -> None:
    said = facts(1).replace(b"{%d}" % len(HEADER), b"{10}") + b"TAG OK fetched\r\n"
    with ScriptedImap({"FETCH": said}) as server, pytest.raises(RetryLater):
        list(server.opened().fetch([1]))


def test_a_line_of_megabytes_costs_its_own_message_only() -> None:
    endless = b"(" + b'"x" ' * 700_000 + b")"

    def answer(command: bytes) -> bytes:
        if asked(command)[0] == "facts":
            no_uid_yet = b"* 3 FETCH (BODYSTRUCTURE " + endless + b" UID 3 BODY[] {3}\r\nabc)\r\n"
            return facts(1) + facts(2, structure=endless) + no_uid_yet + b"TAG OK\r\n"
        return serve([1, 2])(command)

    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        found = fetch(mailbox, [1, 2, 3])

    assert isinstance(found[1], Fetched)
    assert isinstance(found[2], Fetched)
    assert found[2].raw == HEADER + b"whole\r\n"
    assert found[3] == Unfetched(3, "not returned")


def test_an_endless_header_is_cut_not_kept() -> None:
    header = HEADER.rstrip() + b"\r\nReferences:" + b" <x@y>\r\n" * 300_000 + b"\r\n"
    answer = serve([1], facts_of=lambda uid: facts(uid, header=header))
    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        found = fetch(mailbox, [1])[1]

    assert isinstance(found, Fetched)
    assert len(found.raw) < 300_000
    assert found.raw.startswith(b"From: a@x.org")


THROTTLED = b"Request is throttled. Suggested Backoff Time: 299961 milliseconds"


@pytest.mark.parametrize("word", [b"NO", b"BAD"])
def test_a_throttled_fetch_names_the_wait_and_does_not_ask_again(word: bytes) -> None:
    said = b"TAG %s %s\r\n* BYE Connection closed. 14\r\n" % (word, THROTTLED)
    with ScriptedImap({"FETCH": said}) as server, server.opened() as mailbox:
        with pytest.raises(RetryLater) as problem:
            list(mailbox.fetch([1, 2, 3]))

        assert problem.value.after == pytest.approx(299.961)
        assert sum(b"FETCH" in command for command in server.commands) == 1


def test_a_server_that_is_unavailable_for_every_message_is_left_alone() -> None:
    refuses = {"FETCH": b"TAG NO [UNAVAILABLE] Server error\r\n"}
    with ScriptedImap(refuses) as server, server.opened() as mailbox:
        with pytest.raises(RetryLater):
            list(mailbox.fetch(list(range(1, 200))))

        assert len(server.commands) < 30


def test_a_server_that_is_unavailable_for_one_message_serves_the_rest() -> None:
    def answer(command: bytes) -> bytes:
        if 5 in asked(command)[1]:
            return b"TAG NO [UNAVAILABLE] UID FETCH Server error while fetching messages\r\n"
        return serve(list(range(1, 11)))(command)

    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        found = fetch(mailbox, list(range(1, 11)))

    assert isinstance(found[5], Unfetched)
    assert "Server error" in found[5].reason
    assert sum(isinstance(one, Fetched) for one in found.values()) == 9


def test_a_fetch_left_early_leaves_a_usable_connection() -> None:
    uids = list(range(1, 2001))
    with ScriptedImap({"FETCH": serve(uids)}) as server, server.opened() as mailbox:
        run = mailbox.fetch(uids)
        next(run)
        mailbox.command(b"NOOP")
        assert isinstance(fetch(mailbox, [4])[4], Fetched)
        with pytest.raises(RuntimeError, match="another command came before"):
            next(run)


def test_a_fetch_read_to_its_end_stays_ended() -> None:
    with ScriptedImap({"FETCH": serve([1])}) as server, server.opened() as mailbox:
        run = mailbox.fetch([1])
        assert len(list(run)) == 1
        mailbox.command(b"NOOP")
        assert list(run) == []


def test_a_connection_lost_while_a_fetch_is_left_says_so() -> None:
    uids = list(range(1, 2001))
    later = [HANGUP]

    def answer(command: bytes) -> bytes:
        kind, wanted = asked(command)
        return serve(uids)(command) if wanted[0] == 1 or kind == "parts" else later[0]

    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        with contextlib.suppress(RetryLater):
            next(mailbox.fetch(uids))
        with pytest.raises(RetryLater):
            mailbox.command(b"NOOP")


def test_commands_stay_short_enough_for_every_server() -> None:
    uids = [10_000_000 + 7 * number for number in range(1000)]
    with ScriptedImap({"FETCH": serve([])}) as server, server.opened() as mailbox:
        list(mailbox.fetch(uids))

        assert max(map(len, server.commands)) < 4000
        assert all(b"*" not in command for command in server.commands if b"FETCH" in command)


def test_a_second_text_is_asked_for_only_if_the_first_says_nothing() -> None:
    both = b'(%s("TEXT" "HTML" NIL NIL NIL "7BIT" 9 1) "ALTERNATIVE" ("BOUNDARY" "x"))' % (TEXT % 4)
    header = b"Content-Type: multipart/alternative; boundary=x\r\n" + HEADER
    for plain, sections in ((b"hi\r\n", [b"1"]), (b" \r\n> hi\r\n", [b"1", b"2"])):

        def parts(command: bytes, plain: bytes = plain) -> bytes:
            kind, uids = asked(command)
            if kind == "facts":
                return facts(uids[0], header=header, structure=both) + b"TAG OK\r\n"
            second = b"BODY.PEEK[2]" in command
            return (
                part(uids[0], b"<p>yes" if second else plain, b"2" if second else b"1")
                + b"TAG OK\r\n"
            )

        with ScriptedImap({"FETCH": parts}) as server, server.opened() as mailbox:
            found = fetch(mailbox, [1])[1]
            sent = [
                line.partition(b"BODY.PEEK[")[2][:1]
                for line in server.commands
                if b"FETCH" in line and asked(line)[0] == "parts"
            ]

        assert isinstance(found, Fetched)
        assert sent == sections
        assert (b"<p>yes" in found.raw) == (b"2" in sections)


@pytest.mark.parametrize(
    ("early", "text", "kinds"),
    [
        (b"hi\r\n", b"hi\r\n", ["facts"]),  # all that is wanted came with the facts
        (b"", b"hi\r\n", ["facts", "parts"]),  # an empty one is asked for: it may be a mistake
        (b"x" * EARLY, b"x" * EARLY + b"\r\ny\r\n", ["facts", "parts"]),  # it may go on
        (None, b"hi\r\n", ["facts", "parts"]),  # the server has left it out
    ],
)
def test_a_short_text_comes_with_the_facts(
    early: bytes | None, text: bytes, kinds: list[str]
) -> None:
    answer = serve(
        [1, 2],
        facts_of=lambda uid: facts(uid, structure=TEXT % len(text), early=early),
        part_of=lambda uid: part(uid, text),
    )
    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        found = fetch(mailbox, [1, 2])
        sent = [asked(line)[0] for line in server.commands if b"FETCH" in line]

    assert [one.raw for one in found.values() if isinstance(one, Fetched)] == [HEADER + text] * 2
    assert sent == kinds


def test_a_first_part_that_isnt_wanted_is_left_where_it_came() -> None:
    file = b'("APPLICATION" "PDF" ("NAME" "a.pdf") NIL NIL "BASE64" 8 NIL ("ATTACHMENT" NIL))'
    mixed = b'(%s%s "MIXED" ("BOUNDARY" "x"))' % (file, TEXT % 4)
    header = b"Content-Type: multipart/mixed; boundary=x\r\n" + HEADER
    answer = serve(
        [1],
        facts_of=lambda uid: facts(uid, header=header, structure=mixed, early=b"JVBERi0K"),
        part_of=lambda uid: part(uid, section=b"2"),
    )
    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        found = fetch(mailbox, [1])[1]

    assert isinstance(found, Fetched)
    assert b"hi\r\n" in found.raw
    assert b"JVBER" not in found.raw


def test_messages_that_want_the_same_wait_for_one_another_across_commands() -> None:
    uids = list(range(1, 2 * BATCH + 1))
    with ScriptedImap({"FETCH": serve(uids)}) as server, server.opened() as mailbox:
        fetch(mailbox, uids)
        sent = [asked(line) for line in server.commands if b"FETCH" in line]

    assert [(kind, len(some)) for kind, some in sent] == [
        (kind, BATCH) for kind in ("facts", "facts", "parts", "parts")
    ]


def test_what_a_server_says_unasked_isnt_lost_where_much_is_expected() -> None:
    """It was: half a line lay in the buffer that a larger one replaced."""
    capability = b"* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n"
    told = iter([capability, capability + b"* OK half of"])  # before and after the login
    answers: dict[str, bytes | Answer] = {
        "CAPABILITY": lambda _: next(told),
        "LIST": b' it\r\n* LIST () "/" INBOX\r\nTAG OK listed\r\n',
        "FETCH": serve([1, 2]),
    }
    with (
        ScriptedImap(answers) as server,
        Mailbox.connect(server.account(), bulk=True) as mailbox,
    ):
        assert [role.name for role in mailbox.folders()] == ["INBOX"]
        mailbox.examine("INBOX")
        assert len(fetch(mailbox, [1, 2])) == 2


def test_raw_gives_the_message_or_says_that_it_is_gone() -> None:
    def answer(command: bytes) -> bytes:
        return (whole(3, b"all of it") if b"FETCH 3 " in command else b"") + b"TAG OK\r\n"

    with ScriptedImap({"FETCH": answer}) as server, server.opened() as mailbox:
        assert mailbox.raw(3) == b"all of it"
        with pytest.raises(Unreadable, match="not on the server"):
            mailbox.raw(4)


def test_thread_ids_of_gmail_and_of_rfc_8474() -> None:
    for capability, item, thread in (
        ("X-GM-EXT-1", b"X-GM-THRID 1266894439832287888", "1266894439832287888"),
        ("OBJECTID", b"THREADID (T64b478a75b7ea9)", "T64b478a75b7ea9"),
        ("OBJECTID", b"THREADID NIL", None),
    ):
        answer = serve(
            [1],
            facts_of=lambda uid, item=item: facts(uid).replace(
                b" RFC822", b" " + item + b" RFC822"
            ),  # type: ignore[misc]
        )
        server = ScriptedImap({"FETCH": answer}, capabilities=f"IMAP4rev1 {capability}")
        with server, server.opened() as mailbox:
            found = fetch(mailbox, [1])[1]

        assert isinstance(found, Fetched)
        assert found.thread == thread
