"""Rarer stories about who a mail is really from."""

from datetime import timedelta

from daemon.sandbox.company import wording
from daemon.sandbox.company.conversations import answer, answer_by_us, converse
from daemon.sandbox.company.desk import Desk, MailDraft
from daemon.sandbox.company.facts import Mail, Party
from daemon.sandbox.company.strangers import (
    alias,
    colleagues,
    group,
    many_faces,
    own_list,
    plain_mail,
    role_answered,
    role_unanswered,
    spoofed,
    web_form,
)


def copy_of_a_colleagues_mail(desk: Desk) -> None:
    """A colleague writes to a customer with copy to us: not in Sent, so we can't prove it.

    The customer's answer is a mail that counts, but no reply to anything of ours.
    """
    them, colleague = desk.cast.stranger(), desk.office.staff[0]
    copied = plain_mail(
        desk, colleague, "from-us-not-in-sent", "Your order", to=(them,), cc=(desk.office.owner,)
    )
    answer(desk, them, copied, kind="reply-to-colleague")


def dragged_into_sent(desk: Desk) -> None:
    """A mail of theirs that somebody moved into Sent by hand isn't ours."""
    them = desk.cast.stranger()
    plain_mail(desk, them, "dragged-into-sent", "Drawings, as promised", folder="Sent")
    converse(desk, [them], "t", kind="inquiry")


def to_myself(desk: Desk) -> None:
    """A mail of ours with copy to ourselves: the copy that came back is the same mail."""
    them = desk.cast.stranger()
    ours = plain_mail(
        desk,
        desk.office.owner,
        "cc-self",
        "Offer as discussed",
        to=(them,),
        cc=(desk.office.owner,),
    )
    arrived = desk.mails[-1].internal_date + timedelta(seconds=20)
    way = MailDraft(kind=ours.kind, author=ours.author, at=arrived, subject=ours.subject)
    top = "\r\n".join(desk.transport(way, arrived)).encode() + b"\r\n"
    desk.mails.append(Mail("INBOX", top + desk.mails[-1].raw, arrived, ours))
    answer(desk, them, ours, kind="reply-to-ours")


def forged_owner(desk: Desk) -> None:
    """From says that we wrote it, to ourselves, but it came from outside: nothing of ours."""
    owner = desk.office.owner
    plain_mail(desk, owner, "forged-owner", "Your mailbox is full", to=(owner,), folder="INBOX")


def left_out(desk: Desk) -> None:
    """Addresses and domains that the configuration ignores, one of them below such a domain."""
    adviser = desk.office.ignored_addresses[0]
    portal = f"rent@mail.{desk.office.ignored_domains[0]}"
    for name, address in (("Tax Adviser", adviser), ("Landlord", portal)):
        author = Party(name, address, address, address.rpartition("@")[2].removeprefix("mail."))
        note = plain_mail(desk, author, "ignored", wording.fill(desk.rng, "notices"))
        answer_by_us(desk, author, note, kind="answer-to-ignored")


def filed_by_hand(desk: Desk) -> None:
    """A mail of ours that sits in a customer folder only: not in Sent, so no proof of ours."""
    them = desk.cast.stranger()
    ours = plain_mail(
        desk, desk.office.owner, "ours-not-in-sent", "Our offer", to=(them,), folder="Clients"
    )
    answer(desk, them, ours, kind="reply-to-unproven")


ORDINARY = (web_form, group, own_list, colleagues, role_answered, role_unanswered, to_myself, alias)


STORIES = (
    *ORDINARY, copy_of_a_colleagues_mail, dragged_into_sent, many_faces, spoofed, forged_owner,
    left_out, filed_by_hand,
)  # fmt: skip
