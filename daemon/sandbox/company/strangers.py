"""Stories about who a mail is really from: us, a colleague, a group, a role, an impostor."""

from dataclasses import replace
from datetime import timedelta

from daemon.sandbox.company import render, wording
from daemon.sandbox.company.cast import shouted, tagged
from daemon.sandbox.company.conversations import answer, answer_by_us, converse
from daemon.sandbox.company.desk import Desk, Draft
from daemon.sandbox.company.facts import Facts, Party


def colleagues(desk: Desk) -> None:
    """Mail inside the company, both ways, one from a host of its own below our domain."""
    office = desk.office
    for colleague in office.staff:
        note = _plain(desk, colleague, "internal", "Stock list for Friday")
        answer_by_us(desk, colleague, note, kind="internal")


def copy_of_a_colleagues_mail(desk: Desk) -> None:
    """A colleague writes to a customer with copy to us: not in Sent, so we can't prove it.

    The customer's answer is a mail that counts, but no reply to anything of ours.
    """
    them, colleague = desk.cast.stranger(), desk.office.staff[0]
    copied = _plain(
        desk, colleague, "from-us-not-in-sent", "Your order", to=(them,), cc=(desk.office.owner,)
    )
    answer(desk, them, copied, kind="reply-to-colleague")


def alias(desk: Desk) -> None:
    """We write three mails from an address that nobody configured; two of them are answered."""
    for turns in ("ut", "u", "utu"):
        converse(desk, [desk.cast.stranger()], turns, kind="alias", us=desk.office.alias)


def dragged_into_sent(desk: Desk) -> None:
    """A mail of theirs that somebody moved into Sent by hand isn't ours."""
    them = desk.cast.stranger()
    _plain(desk, them, "dragged-into-sent", "Drawings, as promised", folder="Sent")
    converse(desk, [them], "t", kind="inquiry")


def to_myself(desk: Desk) -> None:
    """A mail of ours with copy to ourselves: the copy that came back is the same mail."""
    them = desk.cast.stranger()
    ours = _plain(
        desk,
        desk.office.owner,
        "cc-self",
        "Offer as discussed",
        to=(them,),
        cc=(desk.office.owner,),
    )
    desk.returns(ours, "INBOX", timedelta(seconds=20))
    answer(desk, them, ours, kind="reply-to-ours")


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
        _plain(
            desk,
            replace(office.group, name=f"{them.name} via Sales"),
            "group",
            wording.fill(desk.rng, wording.INQUIRIES),
            to=(office.group,),
            headers=(*headers, *listed),
            marks=frozenset({"list-id", "precedence-bulk"}),
            group_sender=replace(them, name="") if style == "sender" else them,
            own_list=True,
            folder="INBOX",
        )


def own_list(desk: Desk) -> None:
    """The same list, which leaves From alone: the customer writes, the list headers are ours."""
    office = desk.office
    _plain(
        desk,
        desk.cast.stranger(),
        "own-list",
        wording.fill(desk.rng, wording.INQUIRIES),
        to=(office.group,),
        headers=(f"List-Id: Sales <sales.{office.domains[0]}>", "Precedence: list"),
        marks=frozenset({"list-id", "precedence-bulk"}),
        own_list=True,
    )


def web_form(desk: Desk) -> None:
    """Our web site mails what a visitor typed: From is ours, Reply-To the visitor."""
    them = desk.cast.stranger()
    site = Party("Web site", "website@larkfield.example", "website@larkfield.example")
    _plain(
        desk,
        site,
        "web-form",
        f"Contact form: {wording.fill(desk.rng, wording.INQUIRIES)}",
        headers=(f"Reply-To: {render.mailbox(them)}",),
        group_sender=them,
        folder="INBOX",
    )


def role_unanswered(desk: Desk) -> None:
    """info@ of a company writes often; without a reply that never makes a contact."""
    company = desk.cast.company()
    author = desk.cast.mailbox(company.name, desk.rng.choice(("info", "office")), company)
    for _ in range(desk.rng.randint(1, 6)):
        _plain(desk, author, "role-address", wording.fill(desk.rng, wording.INQUIRIES))


def role_answered(desk: Desk) -> None:
    """info@ writes twice and we answer once: now both count. At another, sales@ answers us."""
    company = desk.cast.company()
    author = desk.cast.mailbox(company.name, "info", company)
    first = _plain(desk, author, "role-address", wording.fill(desk.rng, wording.INQUIRIES))
    _plain(desk, author, "role-address", wording.fill(desk.rng, wording.INQUIRIES))
    answer_by_us(desk, author, first, kind="answer-to-role")
    other = desk.cast.company()
    converse(desk, [desk.cast.mailbox("", "sales", other)], "ut", kind="role-address-answers-us")


def many_faces(desk: Desk) -> None:
    """One sender under plain, tagged and shouted spellings, and mail of ours to all of them."""
    them = desk.cast.person(desk.cast.company())
    for face in (them, tagged(them, "quotes"), shouted(them), shouted(tagged(them, "crm"))):
        _plain(desk, face, "address-variants", wording.fill(desk.rng, wording.INQUIRIES))
    _plain(
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
    marks = frozenset({"dmarc-fail"})
    text = "New bank details"
    _plain(desk, known, "spoofed", text, headers=(failed,), marks=marks)
    _plain(desk, stranger, "spoofed", text, headers=(failed,), marks=marks)
    reply_to = f"Reply-To: {render.mailbox(attacker)}"
    boss = desk.office.staff[0]
    _plain(
        desk,
        boss,
        "spoofed-colleague",
        "Urgent transfer",
        headers=(failed, reply_to),
        marks=marks,
        group_sender=attacker,
        folder="INBOX",
    )
    elsewhere = "Authentication-Results: mx.elsewhere.example; dmarc=fail"
    _plain(desk, desk.cast.stranger(), "dmarc-fail-elsewhere", "Offer", headers=(elsewhere,))


def forged_owner(desk: Desk) -> None:
    """From says that we wrote it, to ourselves, but it came from outside: nothing of ours."""
    owner = desk.office.owner
    _plain(desk, owner, "forged-owner", "Your mailbox is full", to=(owner,), folder="INBOX")


def left_out(desk: Desk) -> None:
    """Addresses and domains that the configuration ignores, one of them below such a domain."""
    adviser = desk.office.ignored_addresses[0]
    portal = f"rent@mail.{desk.office.ignored_domains[0]}"
    for name, address in (("Tax Adviser", adviser), ("Landlord", portal)):
        author = Party(name, address, address, address.rpartition("@")[2].removeprefix("mail."))
        note = _plain(desk, author, "ignored", wording.fill(desk.rng, wording.NOTICES))
        answer_by_us(desk, author, note, kind="answer-to-ignored")


def filed_by_hand(desk: Desk) -> None:
    """A mail of ours that sits in a customer folder only: not in Sent, so no proof of ours."""
    them = desk.cast.stranger()
    folder = desk.shelf
    ours = _plain(
        desk, desk.office.owner, "ours-not-in-sent", "Our offer", to=(them,), folder=folder
    )
    answer(desk, them, ours, kind="reply-to-unproven")


def _plain(
    desk: Desk,
    author: Party,
    kind: str,
    subject: str,
    *,
    to: tuple[Party, ...] = (),
    cc: tuple[Party, ...] = (),
    headers: tuple[str, ...] = (),
    marks: frozenset[str] = frozenset(),
    group_sender: Party | None = None,
    own_list: bool = False,
    folder: str = "",
) -> Facts:
    writer = group_sender or author
    opening = wording.fill(desk.rng, wording.ASKS)
    return desk.post(
        Draft(
            kind=kind,
            author=author,
            at=desk.anytime(timedelta(days=8)),
            to=to,
            cc=cc,
            subject=subject,
            text=wording.letter(desk.rng, opening, writer.name or author.name),
            headers=headers,
            marks=marks,
            group_sender=group_sender,
            own_list=own_list,
            folder=folder,
        )
    )


ORDINARY = (web_form, group, own_list, colleagues, role_answered, role_unanswered, to_myself, alias)
STORIES = (
    *ORDINARY, copy_of_a_colleagues_mail, dragged_into_sent, many_faces, spoofed, forged_owner,
    left_out, filed_by_hand,
)  # fmt: skip
