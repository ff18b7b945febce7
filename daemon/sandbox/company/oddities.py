"""Stories of mail in other languages and from odd domains.

All of it is mail that real software has written. What is broken on purpose belongs elsewhere.
"""

from dataclasses import replace
from datetime import timedelta

from daemon.sandbox.company import wording
from daemon.sandbox.company.cast import Company
from daemon.sandbox.company.conversations import converse
from daemon.sandbox.company.desk import Desk, MailDraft
from daemon.sandbox.company.facts import Party
from daemon.sandbox.company.words import WORDS


def languages(desk: Desk) -> None:
    """Names, subjects and texts in eight charsets, as RFC 2047 words and encoded bodies."""
    for one in WORDS["languages"]:
        charset = one["charset"]
        odd_mail(
            desk,
            f"charset-{charset}",
            named(desk, one["local"], one["name"]),
            subject=one["subject"],
            text=one["text"],
            charset=charset,
            form=one["form"],
        )


def domains(desk: Desk) -> None:
    """Deep hosts below a two-level suffix, and an IDN in both spellings by one sender."""
    deep = Company("Acme Rigging", "eu.mail.acme-rigging.co.uk", "acme-rigging.co.uk")
    other = Company("Acme Rigging", "acme-rigging.co.uk", "acme-rigging.co.uk")
    for company in (deep, other):
        converse(desk, [desk.cast.person(company)], "tu", kind="deep-domain")
    ascii_domain = "xn--mller-technik-wob.de"
    local = f"b.klein{desk.rng.getrandbits(20)}"
    key = f"{local}@{ascii_domain}"
    a_label = Party("Birgit Klein", key, key, ascii_domain)
    u_label = replace(a_label, address=f"{local}@müller-technik.de")
    odd_mail(desk, "idn-a-label", a_label)
    odd_mail(desk, "idn-u-label", u_label)
    converse(desk, [a_label], "tu", kind="idn-a-label")


def named(desk: Desk, local: str, name: str) -> Party:
    """Somebody of that name at a company of their own."""
    company = desk.cast.company()
    return desk.cast.mailbox(name, local, company)


def odd_mail(desk: Desk, kind: str, author: Party | None, **more: object) -> None:
    """One mail that is ordinary but for what `more` says of its Draft."""
    opening = wording.fill(desk.rng, "asks")
    name = author.name if author else ""
    plain = MailDraft(
        kind=kind,
        author=author,
        at=desk.anytime(timedelta(days=8)),
        subject=wording.fill(desk.rng, "inquiries"),
        text=wording.letter(desk.rng, opening, name),
    )
    desk.post(replace(plain, **more))  # type: ignore[arg-type]  # names are checked by Draft itself
