"""Stories of odd but honest mail: encodings, dates, Message-IDs, domains, shapes of the body.

All of it is mail that real software has written. What is broken on purpose belongs elsewhere.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from daemon.sandbox.company import render, wording
from daemon.sandbox.company.cast import Company
from daemon.sandbox.company.conversations import converse
from daemon.sandbox.company.desk import Desk, Draft
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
FORMS = (
    "8bit", "quoted-printable", "base64", "html", "alternative", "inline", "attached", "signed",
    "flowed",
)  # fmt: skip


def languages(desk: Desk) -> None:
    """Names, subjects and texts in eight charsets, as RFC 2047 words and encoded bodies."""
    for charset, local, name, subject, text, form in LANGUAGES:
        _odd(
            desk,
            f"charset-{charset}",
            _named(desk, local, name),
            subject=subject,
            text=text,
            charset=charset,
            form=form,
        )


def q_and_b(desk: Desk) -> None:
    """The same language in Q and in B words, long enough for several words in a row."""
    subject = "Rückfrage zur Füllstandsüberwachung der größeren Behälter in Münster und Göttingen"
    for q in (True, False):
        them = _named(desk, "soren.gartner", "Søren Gärtner")
        kind = "words-q" if q else "words-b"
        _odd(desk, kind, them, subject=subject, text="Viele Grüße", q_words=q)


def raw_headers(desk: Desk) -> None:
    """Old software puts 8-bit names and subjects into headers unencoded, as UTF-8 or Latin-1."""
    for charset in ("utf-8", "iso-8859-1"):
        them = _named(desk, "jorg.grun", "Jörg Grün")
        _odd(
            desk,
            f"raw-headers-{charset}",
            them,
            subject="Grüße aus Zürich",
            text="Können Sie liefern?",
            raw_charset=charset,
            charset=charset,
            form="8bit",
        )


def shapes(desk: Desk) -> None:
    """The same kind of letter in every shape of body."""
    for form in FORMS:
        _odd(desk, f"body-{form}", desk.cast.stranger(), form=form)


def sealed(desk: Desk) -> None:
    """S/MIME and PGP hide the text; the headers count all the same."""
    for form in ("smime", "pgp"):
        _odd(desk, f"sealed-{form}", desk.cast.stranger(), text="", form=form, opaque=True)


def forwarded(desk: Desk) -> None:
    """A forwarded mail inside: who wrote the inner one doesn't matter."""
    them, inner = desk.cast.stranger(), desk.cast.stranger()
    text = "Please see below; can you help her?"
    stamp = "Mon, 02 Feb 2026 09:15:00 +0000"
    content = render.forwarded(text, inner, "Help", "My pump has stopped.", stamp)
    _odd(desk, "forwarded", them, subject="Fwd: Help", text=text, content=content)


def bare(desk: Desk) -> None:
    """No From, no subject, no text, no recipient; each in a mail of its own."""
    _odd(desk, "no-from", None, subject="Monthly report")
    _odd(desk, "no-subject", desk.cast.stranger(), subject="")
    _odd(desk, "no-text", desk.cast.stranger(), text="", form="8bit")
    _odd(desk, "no-recipient", desk.cast.stranger(), to_line="To: undisclosed-recipients:;")


def names(desk: Desk) -> None:
    """Names with a comma, quotes, an address instead of a name, and none at all."""
    for name in ("{last}, {first}", '{first} "Skip" {last}', "{address}", ""):
        them = desk.cast.person(desk.cast.company())
        first, _, last = them.name.partition(" ")
        shown = name.format(first=first, last=last, address=them.address)
        _odd(desk, "name-variants", replace(them, name=shown))


def renamed(desk: Desk) -> None:
    """Somebody's name changes between two mails: the later one holds."""
    them = desk.cast.person(desk.cast.company())
    at = desk.anytime(timedelta(days=20))
    _odd(desk, "renamed", replace(them, name=f"{them.name} (Trainee)"), at=at)
    _odd(desk, "renamed", them, at=at + timedelta(days=9))


def without_message_id(desk: Desk) -> None:
    """Mail without a Message-ID, two of them from one sender."""
    them = desk.cast.stranger()
    for author in (them, them, desk.cast.stranger()):
        _odd(desk, "no-message-id", author, message_id=None)


def two_mails_with_one_id(desk: Desk) -> None:
    """Two different mails with one Message-ID: of two senders, and of one sender."""
    for second in (desk.cast.stranger(), None):
        them = desk.cast.stranger()
        same = f"{desk.rng.getrandbits(48):012x}@form.{them.key.partition('@')[2]}"
        thread = desk.thread()
        for author, subject in ((them, "Request 1"), (second or them, "Request 2")):
            _odd(
                desk,
                "two-mails-with-one-id",
                author,
                subject=subject,
                message_id=same,
                thread=thread,
            )


def absurd_dates(desk: Desk) -> None:
    """Dates that can't be: 1970, 2098, none, no date at all, and next week."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    far = datetime(2098, 7, 1, 12, tzinfo=UTC)
    at = desk.anytime(timedelta(days=10))
    soon = (at + timedelta(days=7)).replace(microsecond=0)
    for kind, line, date in (
        ("date-1970", "Thu, 01 Jan 1970 00:00:00 +0000", epoch),
        ("date-2098", "Tue, 01 Jul 2098 12:00:00 +0000", far),
        ("date-absent", None, None),
        ("date-unreadable", "the day before yesterday", None),
        ("date-next-week", f"{soon:%a, %d %b %Y %H:%M:%S} +0000", soon),
    ):
        _odd(desk, kind, desk.cast.stranger(), at=at, dated=(line, date))


def odd_dates(desk: Desk) -> None:
    """Dates in forms that the RFC doesn't have or calls obsolete, all of which can be read."""
    for form, shift in (
        ("%a, %d %b %Y {h}:%M:%S +0100", 1),
        ("%Y-%m-%dT%H:%M:%S+02:00", 2),
        ("%d %b %Y %H:%M:%S +0000 (UTC)", 0),
        ("%a, %d %b %Y %H:%M:%S GMT", 0),
        ("%a, %d %b %Y %H:%M:%S EST", -5),
        ("%a, %d %b %Y %H:%M:%S -0000", 0),
        ("%a, %d %b %Y %H:%M:%S", 0),
    ):
        at = desk.moment(desk.anytime())
        local = at + timedelta(hours=shift)
        line = local.strftime(form.replace("{h}", str(local.hour)))
        _odd(desk, "date-odd", desk.cast.stranger(), at=at, dated=(line, at))


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
    _odd(desk, "idn-a-label", a_label)
    _odd(desk, "idn-u-label", u_label)
    converse(desk, [a_label], "tu", kind="idn-a-label")


def _named(desk: Desk, local: str, name: str) -> Party:
    company = desk.cast.company()
    return desk.cast.mailbox(name, local, company)


def _odd(desk: Desk, kind: str, author: Party | None, **more: object) -> None:
    opening = wording.fill(desk.rng, wording.ASKS)
    name = author.name if author else ""
    plain = Draft(
        kind=kind,
        author=author,
        at=desk.anytime(timedelta(days=8)),
        subject=wording.fill(desk.rng, wording.INQUIRIES),
        text=wording.letter(desk.rng, opening, name),
    )
    desk.post(replace(plain, **more))  # type: ignore[arg-type]  # names are checked by Draft itself


ORDINARY = (languages, shapes, names, renamed, domains)
STORIES = (
    *ORDINARY, q_and_b, raw_headers, sealed, forwarded, bare, without_message_id,
    two_mails_with_one_id, absurd_dates, odd_dates,
)  # fmt: skip
