"""Which folders matter, and their counters: on Dovecot, and on servers that are worse."""

import unicodedata

import pytest
from dovecot import Post, with_capability
from hypothesis import given
from hypothesis import strategies as st
from scripted_imap import Answer, ScriptedImap

from daemon.errors import ConfigProblem, Rejected, RetryLater
from daemon.mailbox.folders import (
    FolderRole,
    FolderStatus,
    MailboxFolder,
    listed,
    on_wire,
    quoted,
    readable,
    roles,
    sent_folders,
    sent_names,
    statuses,
)
from daemon.mailbox.imap import Account, Mailbox
from daemon.sandbox.imap_server import installed, start_imap

MAIL = b"From: a@x.org\r\nSubject: hello\r\n\r\nhi\r\n"


def there(*lines: bytes) -> tuple[MailboxFolder, ...]:
    return listed([[line] for line in lines])


def found(
    *folders: MailboxFolder,
    inbox: tuple[str, ...] = ("INBOX",),
    sent: tuple[str, ...] | None = None,
    gmail: bool = False,
) -> list[tuple[str, str]]:
    ours = [one.name for one in sent_folders(folders)] if sent is None else sent
    there, missing = roles(folders, what="sales", inbox=inbox, sent=ours, gmail=gmail)
    if missing:
        raise next(iter(missing.values()))
    return [tuple(one) for one in there]  # type: ignore[misc]


def folder(name: str, *flags: str, delimiter: str = "/") -> MailboxFolder:
    return MailboxFolder(name, on_wire(name), frozenset(flags), delimiter)


INBOX = folder("INBOX")


@pytest.mark.parametrize(
    ("line", "name", "flags"),
    [
        (rb'* LIST (\HasNoChildren) "/" "INBOX"', "INBOX", {"\\hasnochildren"}),
        (rb'* LIST () "." INBOX.Sent', "INBOX.Sent", set()),
        (rb"* list (\Sent) NIL Sent", "Sent", {"\\sent"}),
        (rb'* LIST (\SENT \Marked) "/" "Sent Items"', "Sent Items", {"\\sent", "\\marked"}),
        (rb'* LIST () "/" Sent Items', "Sent Items", set()),
        (rb'* LIST () "\\" "a\\b"', "a\\b", set()),
        (rb'* LIST () "/" "say \"hi\""', 'say "hi"', set()),
        (rb'* LIST () "/" "say "hi""', 'say "hi"', set()),
        (rb'* LIST () "/" "Entw&APw-rfe"', "Entwürfe", set()),
        (rb'* LIST () "/" "&broken"', "&broken", set()),
        ('* LIST () "/" "Entwürfe"'.encode(), "Entwürfe", set()),
        (b'* LIST () "/" "\xfcber"', "\ufffdber", set()),
        (rb'* LIST () "/" INBOX ("CHILDINFO" ("SUBSCRIBED"))', "INBOX", set()),
        (rb'* LIST () "/" "a b" ("OLDNAME" ("c d"))', "a b", set()),
        (rb'* LIST () "" "flat"', "flat", set()),
        (rb'* XLIST (\AllMail) "/" "[Gmail]/All Mail"', "[Gmail]/All Mail", {"\\allmail"}),
    ],
)
def test_a_list_line_is_read_leniently(line: bytes, name: str, flags: set[str]) -> None:
    (one,) = there(line)

    assert (one.name, set(one.flags)) == (name, flags)


@pytest.mark.parametrize(
    "line",
    [
        rb"* LIST",
        rb"* LIST (",
        rb'* LIST () "/"',
        rb'* LIST () "/" ""',
        rb'* LIST (\Noselect) "/" "x"',
        b"* 3 EXISTS",
        rb'* LIST (\NonExistent) "/" x',
    ],
)
def test_what_cannot_be_opened_is_left_out_and_hides_nothing(line: bytes) -> None:
    assert [one.name for one in there(line, rb'* LIST () "/" INBOX')] == ["INBOX"]


def test_a_name_may_come_as_a_literal() -> None:
    (one,) = listed([[rb'* LIST (\Sent) "/" ', b'odd "name', b""]])

    assert (one.name, set(one.flags)) == ('odd "name', {"\\sent"})


def test_a_folder_is_asked_for_by_the_very_bytes_that_the_server_gave() -> None:
    for wire in (b"&broken", b"Entw&APw-rfe", "Entwürfe".encode(), b"\xfcber", b"&AOQ-&AOQ-"):
        (one,) = there(b'* LIST () "/" ' + quoted(wire))

        assert one.wire == wire


@given(st.binary(max_size=60))
def test_any_list_line_is_survived(noise: bytes) -> None:
    line = b"* LIST " + noise
    listed([[line], [line, noise, noise]])
    statuses([[b"* STATUS " + noise], [b"* STATUS ", noise, noise]])


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"]), min_size=1, max_size=30))
def test_a_name_survives_the_wire(name: str) -> None:
    assert readable(on_wire(name)) == name


@pytest.mark.parametrize("name", sorted(sent_names()))
def test_every_known_name_is_found_in_any_case(name: str) -> None:
    for spelled in (name, name.upper(), name.title()):
        if spelled.casefold() == name:
            assert (spelled, "sent") in found(INBOX, folder(spelled))


def test_all_that_is_flagged_or_named_for_sent_mail_counts() -> None:
    """A client may file into a folder of its own name, whatever the server has flagged."""
    assert found(INBOX, folder("Sent"), folder("Ausgang", "\\sent")) == [
        ("INBOX", "inbox"),
        ("Sent", "sent"),
        ("Ausgang", "sent"),
    ]


@pytest.mark.parametrize("name", ["Envoyés", "Éléments envoyés", "Odeslaná pošta", "Gönderilmiş"])
def test_a_name_whose_letters_are_taken_apart_is_the_same_name(name: str) -> None:
    apart = unicodedata.normalize("NFD", name)
    assert apart != name
    assert (apart, "sent") in found(INBOX, folder(apart))
    assert found(INBOX, folder(apart), sent=(name,))[-1] == (apart, "sent")


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        (b"a\x1b[31mred", "a\\x1b[31mred"),
        (b"a\x9b31m", "a\ufffd31m"),
        (b"&AJsAbQ-", "\\x9bm"),
        (on_wire("\u202etxt.exe"), "\\u202etxt.exe"),
    ],
)
def test_a_name_cannot_command_a_terminal(wire: bytes, shown: str) -> None:
    assert readable(wire) == shown


def test_without_special_use_all_that_clients_left_behind_is_ours() -> None:
    folders = (
        INBOX,
        folder("Sent"),
        folder("Sent Items"),
        folder("INBOX/Gesendet"),
        folder("Clients/Sent"),
    )

    assert [name for name, role in found(*folders) if role == "sent"] == [
        "Sent",
        "Sent Items",
        "INBOX/Gesendet",
    ]


def test_no_sent_folder_is_no_role() -> None:
    assert found(INBOX, folder("Sentiment")) == [("INBOX", "inbox")]
    assert found(INBOX, folder("Sent"), sent=()) == [("INBOX", "inbox")]


def test_configured_folders_are_found_by_case_and_below_inbox() -> None:
    courier = (INBOX, folder("INBOX.Kunden", delimiter="."), folder("INBOX.Raus", delimiter="."))
    assert found(*courier, inbox=("inbox", "kunden"), sent=("Raus",)) == [
        ("INBOX", "inbox"),
        ("INBOX.Kunden", "inbox"),
        ("INBOX.Raus", "sent"),
    ]


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("Kunden/Nord", folder("Kunden.Nord", delimiter=".")),
        ("Kunden/Nord", folder("INBOX.Kunden.Nord", delimiter=".")),
        ("INBOX.Kunden.Nord", folder("Kunden/Nord")),
        ("kunden.nord", folder("INBOX/Kunden/Nord")),
    ],
)
def test_a_separator_that_has_changed_hides_no_folder(asked: str, there: MailboxFolder) -> None:
    others = folder("Nord"), folder("Kunden"), folder("Kunden Nord")
    assert found(INBOX, *others, there, inbox=(asked,), sent=()) == [(there.name, "inbox")]
    with pytest.raises(ConfigProblem):
        found(INBOX, *others, inbox=(asked,), sent=())


def test_a_folder_that_is_not_there_lists_those_that_are() -> None:
    for changes in ({"inbox": ("Leads",)}, {"sent": ("Leads",)}):
        with pytest.raises(ConfigProblem, match=r"no folder 'Leads' \(there are: INBOX, Kunden\)"):
            found(INBOX, folder("Kunden"), **changes)  # type: ignore[arg-type]


GMAIL = (
    INBOX,
    folder("Kunden"),
    folder("[Gmail]/All Mail", "\\all"),
    folder("[Gmail]/Sent Mail", "\\sent"),
    folder("[Gmail]/Spam", "\\junk"),
)


@pytest.mark.parametrize(
    ("inbox", "gmail", "names"),
    [
        (("INBOX",), True, ["INBOX"]),
        (("auto",), True, ["[Gmail]/All Mail"]),
        (("INBOX", "Kunden"), True, ["[Gmail]/All Mail"]),
        (("Kunden",), True, ["Kunden"]),
        (("INBOX", "Kunden"), False, ["INBOX", "Kunden"]),
        (("auto",), False, ["INBOX"]),
        (("auto", "Kunden"), False, ["Kunden"]),
    ],
)
def test_gmail_is_read_once_instead_of_by_label(
    inbox: tuple[str, ...], gmail: bool, names: list[str]
) -> None:
    folders = found(*GMAIL, inbox=inbox, gmail=gmail)

    assert [name for name, role in folders if role == "inbox"] == names
    assert ("[Gmail]/Sent Mail", "sent") in folders


def test_gmail_without_all_mail_over_imap_is_read_by_label() -> None:
    folders = tuple(one for one in GMAIL if "\\all" not in one.flags)
    assert ("Kunden", "inbox") in found(*folders, inbox=("INBOX", "Kunden"), gmail=True)


def test_roles_on_dovecot(dovecot: Post) -> None:
    dovecot.server.create_folder(dovecot.user, 'Größe/Überall & "mehr"')
    with dovecot.mailbox(inbox=("INBOX", 'Größe/Überall & "mehr"')) as mailbox:
        roles_there = mailbox.folders()
        assert FolderRole('Größe/Überall & "mehr"', "inbox") in roles_there
        assert FolderRole("Sent", "sent") in roles_there
        assert mailbox.status([one.name for one in roles_there]).keys() == {
            one.name for one in roles_there
        }
        assert mailbox.examine('Größe/Überall & "mehr"').messages == 0


def test_an_empty_list_is_a_server_in_trouble() -> None:
    nothing = {"LIST": b"TAG OK nothing\r\n"}
    with ScriptedImap(nothing) as server, server.mailbox() as mailbox, pytest.raises(RetryLater):
        mailbox.folders()


def test_list_without_special_use_is_asked_again_plainly() -> None:
    def answer(command: bytes) -> bytes:
        return b"TAG BAD what\r\n" if b"RETURN" in command else b'* LIST () "/" INBOX\r\nTAG OK\r\n'

    capabilities = "IMAP4rev1 SPECIAL-USE LIST-EXTENDED"
    with (
        ScriptedImap({"LIST": answer}, capabilities=capabilities) as server,
        server.mailbox() as mailbox,
    ):
        assert mailbox.folders() == (FolderRole("INBOX", "inbox"),)


def test_status_of_an_open_folder_is_fresh(dovecot: Post) -> None:
    dovecot.deliver(MAIL)
    with dovecot.mailbox() as mailbox:
        before = mailbox.examine("INBOX")
        dovecot.deliver(MAIL)
        after = mailbox.status(["INBOX"])["INBOX"]

    assert (before.messages, before.uidnext) == (1, 2)
    assert (after.messages, after.uidnext) == (2, 3)
    assert after.uidvalidity == before.uidvalidity


@pytest.mark.parametrize("capability", [None, "IMAP4rev1 UIDPLUS", "IMAP4rev1 CONDSTORE"])
def test_status_of_many_folders(capability: str | None) -> None:
    with start_imap("dovecot", settings=with_capability(capability)) as server:
        post = Post(server, "sales@example.com", "secret")
        names = [f"Kunde {number}/Größe" for number in range(20)]
        for number, name in enumerate(names):
            server.create_folder(post.user, name)
            for _ in range(number):
                post.deliver(MAIL, folder=name)
        with post.mailbox() as mailbox:
            counted = mailbox.status([*names, "absent"])

    assert {name: status.messages for name, status in counted.items()} == {
        name: number for number, name in enumerate(names)
    }


def test_status_where_it_is_offered_is_one_round_trip() -> None:
    said = (
        b'* LIST () "/" INBOX\r\n* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)\r\nTAG OK\r\n'
    )
    capabilities = "IMAP4rev1 LIST-STATUS LIST-EXTENDED"
    with ScriptedImap({"LIST": said}, capabilities=capabilities) as server, server.mailbox() as box:
        before = len(server.commands)
        status = box.status(["INBOX"])
        assert len(server.commands) == before + 1

    assert status == {"INBOX": FolderStatus("INBOX", 7, 4, 3)}


@pytest.mark.parametrize(
    "said",
    [
        b'* STATUS "INBOX" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)\r\nTAG OK\r\n',
        b"* STATUS inbox (uidnext 4 uidvalidity 7 messages 3 recent 0)\r\nTAG OK\r\n",
        b"* STATUS {5}\r\nINBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)\r\nTAG OK\r\n",
        b"* STATUS INBOX ( MESSAGES  3 UIDNEXT 4 UIDVALIDITY 7 )\r\nTAG OK\r\n",
        b"* STATUS other (MESSAGES 9 UIDNEXT 9 UIDVALIDITY 9)\r\n* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)\r\nTAG OK\r\n",
    ],
)
def test_a_status_line_is_read_leniently(said: bytes) -> None:
    with ScriptedImap({"STATUS": said}) as server, server.mailbox() as mailbox:
        assert mailbox.status(["INBOX"]) == {"INBOX": FolderStatus("INBOX", 7, 4, 3)}


@pytest.mark.parametrize(
    "said",
    [
        b"TAG OK but nothing\r\n",
        b"TAG NO [NONEXISTENT] no such folder\r\n",
        b"TAG BAD what\r\n",
        b"* STATUS INBOX (MESSAGES 3)\r\nTAG OK\r\n",
        b"* STATUS INBOX (MESSAGES 3 UIDNEXT %s UIDVALIDITY 7)\r\nTAG OK\r\n" % (b"9" * 5000),
    ],
)
def test_a_folder_without_counters_is_left_out(said: bytes) -> None:
    with ScriptedImap({"STATUS": said}) as server, server.mailbox() as mailbox:
        assert mailbox.status(["INBOX"]) == {}


def test_a_throttled_status_is_for_later() -> None:
    said = b"TAG NO Request is throttled. Suggested Backoff Time: 1500 milliseconds\r\n"
    with ScriptedImap({"STATUS": said}) as server, server.mailbox() as mailbox:
        with pytest.raises(RetryLater) as problem:
            mailbox.status(["INBOX", "Sent"])

        assert problem.value.after == 1.5
        mailbox.command(b"NOOP")


def test_an_unknown_folder_is_refused_and_the_connection_stays(dovecot: Post) -> None:
    with dovecot.mailbox() as mailbox:
        with pytest.raises(Rejected, match="sales/absent"):
            mailbox.examine("absent")
        mailbox.command(b"NOOP")
        assert mailbox.examine("INBOX").messages == 0


def test_a_folder_without_uidvalidity_is_refused_unless_it_is_empty() -> None:
    for exists, refused in ((3, True), (0, False)):
        said = b"* %d EXISTS\r\nTAG OK [READ-ONLY]\r\n" % exists
        with ScriptedImap({"EXAMINE": said}) as server, server.mailbox() as mailbox:
            if refused:
                with pytest.raises(Rejected, match="UIDVALIDITY"):
                    mailbox.examine("INBOX")
            else:
                assert mailbox.examine("INBOX") == FolderStatus("INBOX", 0, 1, 0)


def test_a_folder_that_cannot_hold_so_many_is_refused_at_once() -> None:
    said = b"* 4294967295 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 4] ok\r\nTAG OK\r\n"
    with (
        ScriptedImap({"EXAMINE": said}) as server,
        server.mailbox() as mailbox,
        pytest.raises(Rejected, match="counts 4294967295 messages"),
    ):
        mailbox.examine("INBOX")
    assert not any(b"SEARCH" in one or b"FETCH" in one for one in server.commands)


def test_a_missing_uidnext_is_found_by_the_last_uid() -> None:
    answers = {
        "EXAMINE": b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7]\r\nTAG OK\r\n",
        "FETCH": b"* 3 FETCH (UID 41)\r\nTAG OK\r\n",
    }
    with ScriptedImap(answers) as server, server.mailbox() as mailbox:
        assert mailbox.examine("INBOX").uidnext == 42


@pytest.mark.skipif("pymap" not in installed(), reason="pymap isn't installed")
def test_a_server_that_closes_no_read_only_folder_is_asked_for_status_all_the_same() -> None:
    with start_imap("pymap", users={"sales": "secret"}) as server:
        server.deliver("sales", "INBOX", b"From: a@b.example\r\n\r\nhello")
        account = Account("sales", server.host, "sales", lambda: "secret", server.port, "none")
        with Mailbox.connect(account) as mailbox:
            mailbox.examine("INBOX")

            assert mailbox.status(["INBOX"])["INBOX"].messages == 1


@pytest.mark.parametrize("refused", [b"INBOX", b"Sent"])
def test_a_folder_whose_status_is_refused_for_now_costs_no_other(refused: bytes) -> None:
    def answer(command: bytes) -> bytes:
        if refused in command:
            return b"TAG NO [SERVERBUG] index is broken, try again later\r\n"
        name = command.split(b" ")[1]
        return b"* STATUS %s (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)\r\nTAG OK\r\n" % name

    there = {"INBOX", "Archive", "Sent"}
    with ScriptedImap({"STATUS": answer}) as server, server.mailbox() as mailbox:
        assert mailbox.status(sorted(there)).keys() == there - {refused.decode()}
        with pytest.raises(RetryLater, match="index is broken"):
            mailbox.status([refused.decode()])


@pytest.mark.parametrize(
    ("exists", "found"), [(0, 3), (2, 3), (2, 2), (0, 0)], ids=["none", "fewer", "one gone", "all"]
)
def test_an_examine_that_counts_fewer_than_status_has_search_decide(
    exists: int, found: int
) -> None:
    opened = b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 1] ok\r\nTAG OK\r\n"
    uids = b"".join(b" %d" % uid for uid in range(1, found + 1))
    answers: dict[str, Answer] = {
        "STATUS": b"* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)\r\nTAG OK\r\n",
        "EXAMINE": opened % exists,
        "SEARCH": b"* SEARCH" + uids + b"\r\nTAG OK\r\n",
    }
    with ScriptedImap(answers) as server, server.mailbox() as mailbox:
        mailbox.status(["INBOX"])
        mailbox.examine("INBOX")
        assert mailbox.uids() == list(range(1, found + 1))
        assert not mailbox.account.ladder.broken()
