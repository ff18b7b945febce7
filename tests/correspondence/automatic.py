"""Rarer stories of mail that no person wrote, and of people's mail that looks like it."""

from daemon.sandbox.company import render
from daemon.sandbox.company.conversations import answer, answer_by_us, converse
from daemon.sandbox.company.desk import Desk
from daemon.sandbox.company.facts import Party
from daemon.sandbox.company.machines import (
    bounce,
    exchange_ndr,
    machine_mail,
    newsletters,
    no_reply,
    our_absence,
    out_of_office,
    returned_mail,
)


def mailing_list(desk: Desk) -> None:
    """A person writes to a discussion list that we read; Precedence: list in lower-case header."""
    company = desk.cast.company()
    author = desk.cast.person(company)
    headers = [f"List-Id: <users.{company.domain}>", "precedence: list"]
    signals = {"list-id", "precedence-bulk"}
    machine_mail(desk, author, "mailing-list", "asks", signals=signals, headers=headers)


def sales_tool(desk: Desk) -> None:
    """A cold mail with List-Unsubscribe only; to one of two we write, and it answers as a person.

    The tool keeps adding its header to the answer, which counts all the same.
    """
    author = desk.cast.person(desk.cast.company())
    header = "List-Unsubscribe: <mailto:stop@tool.example>"
    signals = {"list-unsubscribe"}
    first = machine_mail(
        desk, author, "list-unsubscribe-only", "notices", signals=signals, headers=[header]
    )
    other = desk.cast.person(desk.cast.company())
    cold = machine_mail(
        desk, other, "list-unsubscribe-only", "notices", signals=signals, headers=[header]
    )
    ours = answer_by_us(desk, other, cold, kind="answer-to-sales-tool")
    kind = "list-unsubscribe-answers-us"
    answer(desk, other, ours, kind=kind, headers=(header,), signals=signals)
    answer(desk, author, first, kind="list-unsubscribe-only", headers=(header,), signals=signals)


def no_reply_answers(desk: Desk) -> None:
    """A shop mails from no-reply@, but answers there as a person when we write to it."""
    company = desk.cast.company()
    author = desk.cast.mailbox(f"{company.name} Orders", "no-reply", company)
    machine_mail(desk, author, "no-reply", "notices")
    ours = converse(desk, [author], "u", kind="outreach-to-no-reply")[0]
    answer(desk, author, ours, kind="no-reply-answers-us")


def notification(desk: Desk) -> None:
    """A system that says so itself: Auto-Submitted: auto-generated, once with a comment."""
    company = desk.cast.company()
    author = desk.cast.mailbox(f"{company.name} Portal", "portal.system", company)
    headers = ["Auto-Submitted: (by our portal) auto-generated; owner-email=a@b.example"]
    signals = {"auto-submitted"}
    machine_mail(desk, author, "auto-generated", "notices", signals=signals, headers=headers)


def not_automatic(desk: Desk) -> None:
    """Headers that look automatic on mail of people: they count."""
    for header in ("Auto-Submitted: no", "X-Auto-Response-Suppress: All"):
        author = desk.cast.stranger()
        machine_mail(desk, author, "human-with-auto-header", "asks", headers=[header])


def plain_bounce(desk: Desk) -> None:
    """An old server returns a mail as plain text, and our own server does: that one is internal."""
    them = desk.cast.stranger()
    domain = them.key.partition("@")[2]
    ours = converse(desk, [them], "u", kind="outreach-bounced")[0]
    theirs = Party("", f"MAILER-DAEMON@{domain}", f"mailer-daemon@{domain}", them.organization)
    host = desk.office.authserv_id
    own = Party("Mail Delivery Subsystem", f"mailer-daemon@{host}", f"mailer-daemon@{host}")
    text = f"Hi. This is the qmail-send program. I couldn't deliver to <{them.key}>."
    for author, kind in ((theirs, "bounce-plain"), (own, "bounce-internal")):
        returned_mail(
            desk,
            ours,
            author,
            {"bounce"},
            kind=kind,
            subject="failure notice",
            content=render.plain(text),
            headers=(f"X-Failed-Recipients: {them.key}",),
        )


def read_receipt(desk: Desk) -> None:
    """Their client says that our mail was shown (RFC 8098): a report, not a reply."""
    them = desk.cast.stranger()
    ours = converse(desk, [them], "u", kind="outreach")[0]
    note = render.plain("Your mail was displayed. That doesn't mean that it was read.")
    fields = f"Final-Recipient: rfc822;{them.key}\r\nDisposition: manual-action; displayed\r\n"
    content = render.multipart(
        "report",
        [note, render.part("message/disposition-notification", fields.encode())],
        ";\r\n report-type=disposition-notification",
    )
    subject = f"Read: {ours.subject}"
    returned_mail(
        desk, ours, them, {"report"}, kind="read-receipt", subject=subject, content=content
    )


ORDINARY = (newsletters, no_reply)


STORIES = (
    newsletters, mailing_list, sales_tool, no_reply, no_reply_answers, notification, not_automatic,
    bounce, exchange_ndr, plain_bounce, read_receipt, out_of_office, our_absence,
)  # fmt: skip
