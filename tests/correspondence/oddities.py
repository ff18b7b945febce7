"""Odd but honest mail that real software has written: dates, ids, headers, shapes of the body."""

import base64
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from daemon.sandbox.company import render
from daemon.sandbox.company.desk import Desk
from daemon.sandbox.company.facts import Party
from daemon.sandbox.company.oddities import domains, languages, named, odd_mail

FORMS = (
    "8bit", "quoted-printable", "base64", "html", "alternative", "inline", "attached", "signed",
    "flowed",
)  # fmt: skip


def q_and_b(desk: Desk) -> None:
    """The same language in Q and in B words, long enough for several words in a row."""
    subject = "Rückfrage zur Füllstandsüberwachung der größeren Behälter in Münster und Göttingen"
    for q in (True, False):
        them = named(desk, "soren.gartner", "Søren Gärtner")
        kind = "words-q" if q else "words-b"
        odd_mail(desk, kind, them, subject=subject, text="Viele Grüße", q_words=q)


def raw_headers(desk: Desk) -> None:
    """Old software puts 8-bit names and subjects into headers unencoded, as UTF-8 or Latin-1."""
    for charset in ("utf-8", "iso-8859-1"):
        them = named(desk, "jorg.grun", "Jörg Grün")
        odd_mail(
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
        odd_mail(desk, f"body-{form}", desk.cast.stranger(), form=form)


def sealed(desk: Desk) -> None:
    """S/MIME and PGP hide the text; the headers count all the same."""
    seal = desk.rng.getrandbits(32)
    kind = 'application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"'
    smime = render.part(kind, render.noise(seal, 1400), "base64", "Content-Disposition: attachment")
    armour = base64.encodebytes(render.noise(seal, 900))
    block = b"-----BEGIN PGP MESSAGE-----\n\n" + armour + b"-----END PGP MESSAGE-----\n"
    parts = [
        render.part("application/pgp-encrypted", b"Version: 1\r\n"),
        render.part("application/octet-stream", block),
    ]
    pgp = render.multipart("encrypted", parts, ';\r\n protocol="application/pgp-encrypted"')
    for form, content in (("smime", smime), ("pgp", pgp)):
        odd_mail(
            desk, f"sealed-{form}", desk.cast.stranger(), text="", content=content, opaque=True
        )


def forwarded(desk: Desk) -> None:
    """A forwarded mail inside: who wrote the inner one doesn't matter."""
    them, inner = desk.cast.stranger(), desk.cast.stranger()
    text = "Please see below; can you help her?"
    stamp = "Mon, 02 Feb 2026 09:15:00 +0000"
    content = _forwarded(text, inner, "Help", "My pump has stopped.", stamp)
    odd_mail(desk, "forwarded", them, subject="Fwd: Help", text=text, content=content)


def bare(desk: Desk) -> None:
    """No From, no subject, no text, no recipient; each in a mail of its own."""
    odd_mail(desk, "no-from", None, subject="Monthly report")
    odd_mail(desk, "no-subject", desk.cast.stranger(), subject="")
    odd_mail(desk, "no-text", desk.cast.stranger(), text="", form="8bit")
    odd_mail(desk, "no-recipient", desk.cast.stranger(), to_line="To: undisclosed-recipients:;")


def names(desk: Desk) -> None:
    """Names with a comma, quotes, an address instead of a name, and none at all."""
    for name in ("{last}, {first}", '{first} "Skip" {last}', "{address}", ""):
        them = desk.cast.person(desk.cast.company())
        first, _, last = them.name.partition(" ")
        shown = name.format(first=first, last=last, address=them.address)
        odd_mail(desk, "name-variants", replace(them, name=shown))


def renamed(desk: Desk) -> None:
    """Somebody's name changes between two mails: the later one holds."""
    them = desk.cast.person(desk.cast.company())
    at = desk.anytime(timedelta(days=20))
    odd_mail(desk, "renamed", replace(them, name=f"{them.name} (Trainee)"), at=at)
    odd_mail(desk, "renamed", them, at=at + timedelta(days=9))


def without_message_id(desk: Desk) -> None:
    """Mail without a Message-ID, two of them from one sender."""
    them = desk.cast.stranger()
    for author in (them, them, desk.cast.stranger()):
        odd_mail(desk, "no-message-id", author, message_id=None)


def two_mails_with_one_id(desk: Desk) -> None:
    """Two different mails with one Message-ID: of two senders, and of one sender."""
    for second in (desk.cast.stranger(), None):
        them = desk.cast.stranger()
        same = f"{desk.rng.getrandbits(48):012x}@form.{them.key.partition('@')[2]}"
        thread = desk.thread()
        for author, subject in ((them, "Request 1"), (second or them, "Request 2")):
            odd_mail(
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
        odd_mail(desk, kind, desk.cast.stranger(), at=at, dated=(line, date))


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
        odd_mail(desk, "date-odd", desk.cast.stranger(), at=at, dated=(line, at))


def _forwarded(text: str, author: Party, subject: str, inner: str, at_rfc5322: str) -> render.Part:
    """A text with a whole mail attached as message/rfc822."""
    child = (
        f"From: {render.mailbox(author)}\r\nDate: {at_rfc5322}\r\nSubject: {render.words(subject)}\r\n"
        f"Message-ID: <inner-{zlib.crc32(inner.encode()):08x}@{author.address.split('@')[1]}>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\n{inner}\r\n"
    )
    return render.multipart(
        "mixed", [render.plain(text), render.part("message/rfc822", child.encode(), "8bit")]
    )


ORDINARY = (languages, shapes, names, renamed, domains)


STORIES = (
    *ORDINARY, q_and_b, raw_headers, sealed, forwarded, bare, without_message_id,
    two_mails_with_one_id, absurd_dates, odd_dates,
)  # fmt: skip
