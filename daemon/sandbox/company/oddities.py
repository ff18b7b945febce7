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

# charset, local part, name, subject, text, form
LANGUAGES = (
    (
        "utf-8",
        "jurgen.muller",
        "Jürgen Müller",
        "Angebot für Füllstände",
        "Schöne Grüße aus Köln.",
        "quoted-printable",
    ),
    (
        "iso-8859-1",
        "rene.lefevre",
        "René Lefèvre",
        "Devis demandé : capteurs",
        "Merci d'avance, à bientôt.",
        "quoted-printable",
    ),
    (
        "windows-1252",
        "zoe.muller",
        "Zoë Müller",
        "Preis in €, bitte",
        "Der Preis „wie besprochen“ in €.",
        "8bit",
    ),
    (
        "koi8-r",
        "anna.petrova",
        "Анна Петрова",
        "Запрос цены на датчики",
        "Добрый день, пришлите цену.",
        "base64",
    ),
    (
        "iso-2022-jp",
        "kenji.sato",
        "佐藤健二",
        "センサーの見積もり依頼",
        "見積もりをお願いします。",
        "7bit",
    ),
    ("gb2312", "li.wei", "李伟", "传感器报价", "请发报价单。", "base64"),
    ("utf-8", "eleni.pappas", "Ελένη Παππά", "Ερώτηση: αισθητήρες 🌡", "Καλημέρα σας 🙂", "base64"),
    (
        "windows-1251",
        "ivan.dimitrov",
        "Иван Димитров",
        "Оферта за сензори",
        "Здравейте, чакам оферта.",
        "8bit",
    ),
)


def languages(desk: Desk) -> None:
    """Names, subjects and texts in eight charsets, as RFC 2047 words and encoded bodies."""
    for charset, local, name, subject, text, form in LANGUAGES:
        odd_mail(
            desk,
            f"charset-{charset}",
            named(desk, local, name),
            subject=subject,
            text=text,
            charset=charset,
            form=form,
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
    opening = wording.fill(desk.rng, wording.ASKS)
    name = author.name if author else ""
    plain = MailDraft(
        kind=kind,
        author=author,
        at=desk.anytime(timedelta(days=8)),
        subject=wording.fill(desk.rng, wording.INQUIRIES),
        text=wording.letter(desk.rng, opening, name),
    )
    desk.post(replace(plain, **more))  # type: ignore[arg-type]  # names are checked by Draft itself
