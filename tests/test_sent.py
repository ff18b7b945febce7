"""What we sent is found wherever a client files it, and what can't be right is said."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dovecot import Post
from scripted_imap import HANGUP, ScriptedImap

from daemon.intake.poll import Pass, poll
from daemon.intake.states import ScoringSettings
from daemon.ledger import reports
from daemon.ledger.store import Ledger
from daemon.mailbox.imap import Mailbox
from daemon.message.verdict import Us
from daemon.rules.classify import Rules
from daemon.rules.organization import PublicProviders

US = "sales@ours.example"
READING = ScoringSettings(
    us=Us(addresses=frozenset({US})),
    rules=Rules(),
    public=PublicProviders(frozenset()),
    snippet_chars=100,
)


def letter(sender: str, to: str, number: int, answers: int | None = None) -> bytes:
    lines = [f"From: {sender}", f"To: {to}", "Subject: hello", f"Message-ID: <{number}@x.example>"]
    if answers is not None:
        lines.append(f"In-Reply-To: <{answers}@x.example>")
    return ("\r\n".join(lines) + "\r\n\r\nhello\r\n").encode()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        yield ledger


def sent(mailbox: Mailbox) -> list[str]:
    return sorted(role.name for role in mailbox.folders() if role.role == "sent")


def test_the_folder_that_is_used_is_found_beside_the_one_that_is_flagged(dovecot: Post) -> None:
    """`Sent` is flagged and empty; the client files into a folder of its own name."""
    dovecot.server.create_folder(dovecot.user, "Éléments envoyés")
    for number in range(4):
        dovecot.deliver(letter(US, "a@x.example", number), folder="Éléments envoyés")
    with dovecot.mailbox() as mailbox:
        assert sent(mailbox) == ["Sent", "Éléments envoyés"]


@pytest.mark.parametrize("name", ["Ausgang 2026", "Von mir"])
def test_a_folder_of_any_name_is_found_by_what_lies_in_it(dovecot: Post, name: str) -> None:
    for number in range(4):
        dovecot.deliver(letter(US, "a@x.example", number), folder=name)
        dovecot.deliver(letter("a@x.example", US, 10 + number), folder="Customers")
        dovecot.deliver(letter(US, "a@x.example", 20 + number), folder="Entwürfe")
    with dovecot.mailbox(is_us=lambda spec: spec == US) as mailbox:
        assert sent(mailbox) == sorted([name, "Sent"])


def test_where_sent_is_used_nothing_else_is_looked_into(dovecot: Post) -> None:
    dovecot.deliver(letter(US, "a@x.example", 1), folder="Sent")
    for number in range(4):
        dovecot.deliver(letter(US, "a@x.example", 10 + number), folder="Copies")
    with dovecot.mailbox(is_us=lambda spec: spec == US) as mailbox:
        assert sent(mailbox) == ["Sent"]


def test_what_another_user_sent_is_not_ours() -> None:
    answers = {
        "LIST": b'* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" "Other Users/bob/Sent"\r\n'
        b'* LIST (\\Sent) "/" Sent\r\n* LIST (\\Sent) "/" "Shared/Sent"\r\nTAG OK\r\n',
        "NAMESPACE": b'* NAMESPACE (("" "/")) (("Other Users/" "/")) (("Shared/" "/"))\r\nTAG OK\r\n',
    }
    with (
        ScriptedImap(answers, capabilities="IMAP4rev1 NAMESPACE") as server,
        server.mailbox() as mailbox,
    ):
        assert sent(mailbox) == ["Sent"]


@pytest.mark.parametrize(
    ("prefix", "separator"), [("mail/", "/"), ("Mail\\", "\\"), ("INBOX.Mail.", ".")]
)
def test_the_folder_for_sent_mail_may_lie_below_our_own_namespace(
    prefix: str, separator: str
) -> None:
    """As with UW IMAP's mail/, and with a separator that has to be escaped."""
    escaped = [one.replace("\\", "\\\\").encode() for one in (separator, prefix)]
    answers = {
        "LIST": b'* LIST () "%s" INBOX\r\n* LIST () "%s" "%ssent-mail"\r\n'
        b'* LIST () "%s" "%sold%ssent"\r\nTAG OK\r\n'
        % (escaped[0], *escaped, *escaped, escaped[0]),
        "NAMESPACE": b'* NAMESPACE (("%s" "%s")) NIL NIL\r\nTAG OK\r\n' % (escaped[1], escaped[0]),
    }
    with (
        ScriptedImap(answers, capabilities="IMAP4rev1 NAMESPACE") as server,
        server.mailbox() as mailbox,
    ):
        assert sent(mailbox) == [f"{prefix}sent-mail"]


def test_a_folder_that_costs_the_line_when_looked_into_keeps_nothing_from_being_found() -> None:
    opened: list[bytes] = []

    def examine(command: bytes) -> bytes:
        opened.append(command.split(b" ")[1].strip(b'"'))
        return b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 4] ok\r\nTAG OK\r\n"

    def fetch(_: bytes) -> bytes:
        if opened[-1] == b"Sick":
            return HANGUP
        said = b"From: %s\r\n\r\n" % US.encode()
        line = b"* %d FETCH (UID %d BODY[HEADER.FIELDS (FROM)] {%d}\r\n%s)\r\n"
        return b"".join(line % (n, n, len(said), said) for n in (1, 2, 3)) + b"TAG OK\r\n"

    names = (b"INBOX", b"Sick", b"Written")
    listed = b"".join(b'* LIST () "/" %s\r\n' % name for name in names) + b"TAG OK\r\n"
    with (
        ScriptedImap({"LIST": listed, "EXAMINE": examine, "FETCH": fetch}) as server,
        server.mailbox(is_us=lambda spec: spec == US) as mailbox,
    ):
        assert sent(mailbox) == ["Written"]
        mailbox.command(b"NOOP")


def test_answers_to_what_was_never_found_are_counted(dovecot: Post, ledger: Ledger) -> None:
    for number in range(6):
        dovecot.deliver(letter(f"a{number}@x.example", US, number, answers=100 + number))
    run = Pass(READING, "sales", None, lambda: datetime(2026, 3, 3, tzinfo=UTC))
    with dovecot.mailbox() as mailbox:
        poll(mailbox, ledger, run)
        assert reports.unmatched_answers(ledger, "sales") == 6
        assert [row["folder"] for row in reports.sent_folders(ledger, "sales")] == ["Sent"]
        dovecot.deliver(letter(US, "a0@x.example", 100), folder="Sent")
        poll(mailbox, ledger, run)
    assert reports.unmatched_answers(ledger, "sales") == 0
    (sent_folder,) = reports.sent_folders(ledger, "sales")
    assert sent_folder["messages"] == 1
    assert sent_folder["newest"] is not None


@pytest.mark.parametrize(
    ("received", "class_"),
    [
        ("", "person_with_deal"),  # a mail program filed it
        (
            "Received: from mail.x.example by mx.ours.example; Tue, 3 Mar 2026 09:00:00 +0000",
            "lead",
        ),
    ],
)
def test_our_answer_in_the_inbox_is_a_reply_unless_it_may_be_anybodys(
    received: str, class_: str, dovecot: Post, ledger: Ledger
) -> None:
    delivered = (
        b"Received: from mail.x.example by mx.ours.example; Tue, 3 Mar 2026 08:00:00 +0000\r\n"
    )
    dovecot.deliver(delivered + letter("ada@x.example", US, 1))
    stamp = f"{received}\r\n".encode() if received else b""
    dovecot.deliver(stamp + letter(US, "ada@x.example", 2, answers=1))
    with dovecot.mailbox() as mailbox:
        poll(
            mailbox, ledger, Pass(READING, "sales", None, lambda: datetime(2026, 3, 3, tzinfo=UTC))
        )
    rows = ledger.rows("SELECT address, class FROM senders")
    assert [(row["address"], row["class"]) for row in rows] == [("ada@x.example", class_)]
