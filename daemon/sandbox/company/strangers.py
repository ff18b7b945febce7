"""Stories about who a mail is really from: us, a colleague, a group, a role, an impostor."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from daemon.sandbox.company import render, wording
from daemon.sandbox.company.cast import shouted, tagged
from daemon.sandbox.company.conversations import answer_by_us, converse
from daemon.sandbox.company.desk import Desk, MailDraft
from daemon.sandbox.company.facts import Facts, Party


def colleagues(desk: Desk) -> None:
    """Mail inside the company, both ways, one from a host of its own below our domain."""
    office = desk.office
    for colleague in office.staff:
        note = plain_mail(desk, colleague, "internal", "Stock list for Friday")
        answer_by_us(desk, colleague, note, kind="internal")


def alias(desk: Desk) -> None:
    """We write three mails from an address that nobody configured; two of them are answered."""
    for turns in ("ut", "u", "utu"):
        converse(desk, [desk.cast.stranger()], turns, kind="alias", us=desk.office.alias)


def group(desk: Desk) -> None:
    """Customers write to sales@, a list of ours that rewrites From to its own address."""
    office = desk.office
    for style in ("sender", "from", "reply-to"):
        them = desk.cast.stranger()
        headers = {
            "sender": (f"X-Original-Sender: {them.address}", f"Reply-To: {office.group.address}"),
            "from": (f"X-Original-From: {render.mailbox(them)}",),
            "reply-to": (f"Reply-To: {render.mailbox(them)}",),
        }[style]
        listed = (f"List-Id: <sales.{office.domains[0]}>", "Precedence: list")
        plain_mail(
            desk,
            replace(office.group, name=f"{them.name} via Sales"),
            "group",
            wording.fill(desk.rng, "inquiries"),
            to=(office.group,),
            headers=(*headers, *listed),
            signals=frozenset({"list-id", "precedence-bulk"}),
            group_sender=replace(them, name="") if style == "sender" else them,
            own_list=True,
            folder="INBOX",
        )


def own_list(desk: Desk) -> None:
    """The same list, which leaves From alone: the customer writes, the list headers are ours."""
    office = desk.office
    plain_mail(
        desk,
        desk.cast.stranger(),
        "own-list",
        wording.fill(desk.rng, "inquiries"),
        to=(office.group,),
        headers=(f"List-Id: Sales <sales.{office.domains[0]}>", "Precedence: list"),
        signals=frozenset({"list-id", "precedence-bulk"}),
        own_list=True,
    )


def web_form(desk: Desk) -> None:
    """Our web site mails what a visitor typed: From is ours, Reply-To the visitor."""
    them = desk.cast.stranger()
    site = Party("Web site", "website@larkfield.example", "website@larkfield.example")
    plain_mail(
        desk,
        site,
        "web-form",
        f"Contact form: {wording.fill(desk.rng, 'inquiries')}",
        headers=(f"Reply-To: {render.mailbox(them)}",),
        group_sender=them,
        folder="INBOX",
    )


def role_unanswered(desk: Desk) -> None:
    """info@ of a company writes often; without a reply that never makes a contact."""
    company = desk.cast.company()
    author = desk.cast.mailbox(company.name, desk.rng.choice(("info", "office")), company)
    for _ in range(desk.rng.randint(1, 6)):
        _from_desk(desk, author)


def role_answered(desk: Desk) -> None:
    """info@ writes twice and we answer once: now both count. At another, sales@ answers us."""
    company = desk.cast.company()
    author = desk.cast.mailbox(company.name, "info", company)
    first = _from_desk(desk, author)
    _from_desk(desk, author)
    answer_by_us(desk, author, first, kind="answer-to-role")
    other = desk.cast.company()
    converse(desk, [desk.cast.mailbox("", "sales", other)], "ut", kind="role-address-answers-us")


def _from_desk(desk: Desk, author: Party) -> Facts:
    """What somebody types at a firm's desk."""
    subject = wording.fill(desk.rng, "inquiries")
    typed = ("X-Mailer: Microsoft Outlook 16.0",)
    return plain_mail(desk, author, "role-address", subject, headers=typed)


def many_faces(desk: Desk) -> None:
    """One sender under plain, tagged and shouted spellings, and mail of ours to all of them."""
    them = desk.cast.person(desk.cast.company())
    for face in (them, tagged(them, "quotes"), shouted(them), shouted(tagged(them, "crm"))):
        plain_mail(desk, face, "address-variants", wording.fill(desk.rng, "inquiries"))
    plain_mail(
        desk,
        desk.office.owner,
        "address-variants",
        "All your questions at once",
        to=(tagged(them, "Quotes"),),
        cc=(shouted(them),),
    )


def spoofed(desk: Desk) -> None:
    """Three impostors that our own server caught, and one header that anybody could have written.

    A known customer, a manager of ours with an outside Reply-To, a stranger; the fourth mail
    carries a dmarc=fail of a server that isn't ours, which says nothing.
    """
    host = desk.office.authserv_id
    failed = f"Authentication-Results: {host};\r\n\tspf=softfail; dmarc=fail header.from=x.example"
    known, attacker, stranger = (desk.cast.stranger() for _ in range(3))
    converse(desk, [known], "t", kind="inquiry")
    signals = frozenset({"dmarc-fail"})
    text = "New bank details"
    plain_mail(desk, known, "spoofed", text, headers=(failed,), signals=signals)
    plain_mail(desk, stranger, "spoofed", text, headers=(failed,), signals=signals)
    reply_to = f"Reply-To: {render.mailbox(attacker)}"
    boss = desk.office.staff[0]
    plain_mail(
        desk,
        boss,
        "spoofed-colleague",
        "Urgent transfer",
        headers=(failed, reply_to),
        signals=signals,
        group_sender=attacker,
        folder="INBOX",
    )
    elsewhere = "Authentication-Results: mx.elsewhere.example; dmarc=fail"
    plain_mail(desk, desk.cast.stranger(), "dmarc-fail-elsewhere", "Offer", headers=(elsewhere,))


def plain_mail(desk: Desk, author: Party, kind: str, subject: str, **more: Any) -> Facts:
    """One plain mail by that author; `more` is what else its draft has."""
    writer = more.get("group_sender") or author
    opening = wording.fill(desk.rng, "asks")
    return desk.post(
        MailDraft(
            kind=kind,
            author=author,
            at=desk.anytime(timedelta(days=8)),
            subject=subject,
            text=wording.letter(desk.rng, opening, writer.name or author.name),
            **more,
        )
    )
