"""Stories of mail that no person wrote: newsletters, no-replies, bounces, auto-replies.

Some machine headers are on people's mail too; those stories are here as well, so that a filter
that is too eager shows.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any

from daemon.sandbox.company import render, wording
from daemon.sandbox.company.conversations import converse
from daemon.sandbox.company.desk import Desk, MailDraft
from daemon.sandbox.company.facts import Facts, Party

_BOUNCED = frozenset({"report", "bounce", "auto-submitted", "auto-reply"})


def newsletters(desk: Desk) -> None:
    """Issues of three newsletters with List-Id and List-Unsubscribe; one is bulk, one has VERP."""
    for style in ("plain", "bulk", "verp"):
        company = desk.cast.company()
        author = desk.cast.mailbox(f"{company.name} Weekly", "stories", company)
        headers = [
            f"List-Id: {company.name} Weekly <weekly.{company.domain}>",
            f"List-Unsubscribe: <https://{company.domain}/u/1>, <mailto:off@{company.domain}>",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        ]
        signals, path = {"list-id", "list-unsubscribe"}, None
        if style == "bulk":
            headers.append("Precedence: bulk")
            signals.add("precedence-bulk")
        if style == "verp":
            owner = desk.office.owner.key.replace("@", "=")
            path = f"bounces+{desk.rng.randrange(10**6)}-{owner}@em.{company.domain}"
            signals.add("verp")
        for _ in range(desk.rng.randint(1, 4)):
            machine_mail(
                desk,
                author,
                f"newsletter-{style}",
                "newsletters",
                signals=signals,
                headers=headers,
                return_path=path,
                form="html",
            )


def no_reply(desk: Desk) -> None:
    """Invoices, parcels and sign-ins from addresses that don't read mail."""
    company = desk.cast.company()
    local = desk.rng.choice(("noreply", "no-reply", "donotreply", "do-not-reply"))
    author = desk.cast.mailbox(company.name, local, company)
    for _ in range(desk.rng.randint(2, 6)):
        machine_mail(desk, author, "no-reply", "notices")


def bounce(desk: Desk) -> None:
    """A mail of ours comes back as a delivery status notification (RFC 3464)."""
    them = desk.cast.stranger()
    ours = converse(desk, [them], "u", kind="outreach-bounced")[0]
    host = f"mx.{them.key.partition('@')[2]}"
    name, address = "Mail Delivery System", f"MAILER-DAEMON@{host}"
    author = Party(name, address, address.lower(), them.organization)
    returned_mail(
        desk,
        ours,
        author,
        _BOUNCED,
        kind="bounce-dsn",
        subject="Undelivered Mail Returned to Sender",
        content=report(them, f"The user {them.key} doesn't exist here."),
        headers=("Auto-Submitted: auto-replied",),
    )


def exchange_ndr(desk: Desk) -> None:
    """The same from Microsoft 365, whose sender is a long name that changes with the tenant."""
    company = desk.cast.company()
    them = desk.cast.person(company)
    ours = converse(desk, [them], "u", kind="outreach-bounced")[0]
    tenant = f"{company.domain.partition('.')[0]}.onmicrosoft.example"
    local = f"MicrosoftExchange{desk.rng.getrandbits(64):016x}ae4615bbc36ab6ce41109e"
    address = f"{local}@{tenant}"
    author = Party("Microsoft Outlook", address, address.lower(), "onmicrosoft.example")
    returned_mail(
        desk,
        ours,
        author,
        _BOUNCED,
        kind="bounce-m365",
        subject=f"Undeliverable: {ours.subject}",
        content=report(them, f"Your message to {them.key} couldn't be delivered."),
        headers=("X-MS-Exchange-Message-Is-Ndr: ", "Auto-Submitted: auto-replied"),
    )


def out_of_office(desk: Desk) -> None:
    """Four ways in which their absence answers our mails; none of them is a reply."""
    ways: tuple[tuple[str, set[str], bool], ...] = (
        ("Auto-Submitted: auto-replied", {"auto-submitted", "auto-reply"}, False),
        ("Auto-Submitted: auto-replied (vacation)", {"auto-submitted", "auto-reply"}, True),
        ("X-Auto-Response-Suppress: All", {"auto-reply"}, False),
        ("X-Autoreply: yes", {"auto-reply"}, False),
    )
    for header, signals, null_path in ways:
        them = desk.cast.stranger()
        ours = converse(desk, [them], "u", kind="outreach")[0]
        returned_mail(
            desk,
            ours,
            them,
            signals,
            null_path=null_path,
            kind="auto-reply",
            subject=f"Automatic reply: {ours.subject}",
            content=render.plain("I am away until Monday and will answer after that."),
            headers=(header,),
        )


def our_absence(desk: Desk) -> None:
    """Our own auto-reply, which the server files in Sent: nothing that counts as an answer."""
    them = desk.cast.stranger()
    theirs = converse(desk, [them], "t", kind="inquiry")[0]
    desk.post(
        MailDraft(
            kind="our-auto-reply",
            author=desk.office.owner,
            at=theirs.written_at + timedelta(seconds=20),
            to=(them,),
            subject=f"Out of Office: {theirs.subject}",
            text="Thank you for your mail. I am back on Monday.",
            answers=tuple(i for i in (theirs.message_id,) if i),
            thread=theirs.thread,
            form="8bit",
            headers=("Auto-Submitted: auto-replied", "Precedence: bulk"),
            signals=frozenset({"auto-submitted", "auto-reply", "precedence-bulk"}),
        )
    )


def machine_mail(
    desk: Desk,
    author: Party,
    kind: str,
    words: str,
    *,
    signals: AbstractSet[str] = frozenset(),
    headers: Sequence[str] = (),
    **more: Any,
) -> Facts:
    """One mail of a machine, with the header lines and `signals` given; `more` is of its draft."""
    opening = wording.fill(desk.rng, words)
    return desk.post(
        MailDraft(
            kind=kind,
            author=author,
            at=desk.anytime(timedelta(days=9)),
            subject=opening if words != "asks" else "A quick question",
            text=wording.letter(desk.rng, opening, author.name),
            headers=tuple(headers),
            signals=frozenset(signals),
            **more,
        )
    )


def returned_mail(
    desk: Desk,
    ours: Facts,
    author: Party,
    signals: AbstractSet[str],
    *,
    null_path: bool = True,
    **more: Any,
) -> Facts:
    """What a machine sends back within a minute of a mail of ours, mostly with a null sender."""
    return desk.post(
        MailDraft(
            author=author,
            at=ours.written_at + timedelta(seconds=desk.rng.randint(5, 55)),
            answers=tuple(i for i in (ours.message_id, *ours.answers) if i),
            thread=ours.thread,
            signals=frozenset(signals | {"empty-return-path"} if null_path else signals),
            return_path="" if null_path else None,
            **more,
        )
    )


def report(them: Party, text: str) -> render.Part:
    """A delivery report in three parts (RFC 3464), the last the headers of what came back."""
    fields = (
        "Reporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; {them.key}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    )
    parts = [
        render.plain(text),
        render.part("message/delivery-status", fields.encode()),
        render.part("text/rfc822-headers", f"To: {them.key}\r\nSubject: ours\r\n".encode()),
    ]
    return render.multipart("report", parts, ";\r\n report-type=delivery-status")
