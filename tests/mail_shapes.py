"""Mails in the shapes that ordinary programs send, by name: what a fetch plan has to get right."""

from email.message import EmailMessage
from typing import Any

EVENT = "\r\n".join(
    (
        *(
            "BEGIN:VCALENDAR",
            "METHOD:REQUEST",
            "BEGIN:VEVENT",
            "UID:u@x",
            "DTSTART:20260310T090000Z",
        ),
        *("ORGANIZER:mailto:ada@acme.example", "ATTENDEE:mailto:sales@example.com"),
        *("END:VEVENT", "END:VCALENDAR", ""),
    )
)
REPORT = "--r\nContent-Type: text/plain\n\nfailed\n--r\nContent-Type: message/delivery-status\n\nStatus: 5.1.1\n\n--r\nContent-Type: message/rfc822\n\nFrom: us\n\nhello\n--r--\n"
PGP = "--p\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--p\nContent-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n--p--\n"


def mail(text: str | None = None, html: str | None = None, **how: Any) -> EmailMessage:
    """A mail from Ada with these texts."""
    message = EmailMessage()
    message["From"] = "Ada <ada@acme.example>"
    message["To"] = "sales@example.com"
    message["Subject"] = "Grüße"
    message["Message-ID"] = "<1@acme.example>"
    message["Date"] = "Mon, 02 Mar 2026 10:00:00 +0100"
    if text is not None:
        message.set_content(text, **how)
    if html is not None and text is not None:
        message.add_alternative(html, subtype="html")
    elif html is not None:
        message.set_content(html, subtype="html")
    return message


def _texts() -> dict[str, EmailMessage]:
    return {
        "plain": mail("Hello\n"),
        "latin-1": mail("Grüße\n", charset="iso-8859-1", cte="quoted-printable"),
        "base64": mail("Grüße " * 9000, cte="base64"),
        "long": mail("Grüße und mehr davon, Zeile um Zeile\n" * 5000),
        "html only": mail(html="<style>p {}</style><p>Hello</p>"),
        "both": mail("Hello\n", "<p>Hello</p>"),
        "empty plain": mail("\n", "<p>Hello in HTML</p>"),
        "empty plain in base64": mail(" \n\n", "<p>Hello in HTML</p>", cte="base64"),
        "only a quote": mail(
            "> Hello\n> there\n", "<p>My answer</p><blockquote>Hello</blockquote>"
        ),
        "only a signature": mail("-- \nAda\n", "<p>My answer</p>"),
    }


def _attachments() -> dict[str, EmailMessage]:
    attached = mail("Hello\n", "<p>Hello</p>")
    attached.add_attachment(b"x" * 90_000, "application", "pdf", filename="Größe.pdf")
    attached.add_attachment("a text that isn't the body", filename="notes.txt")
    named = mail()
    named.add_attachment("not the body", filename="a.txt")
    named.add_attachment("<p>nor this", subtype="html", filename="a.html")
    picture = mail()
    picture.set_content(b"x" * 9000, "image", "png")
    below = mail("See below\n")
    below.add_attachment(mail("Hello\n", "<p>Hello</p>"))
    alone = mail()
    alone.add_attachment(mail("Hello\n", "<p>Hello</p>"))
    return {
        "attachments": attached,
        "text attachment first": named,
        "nothing but a picture": picture,
        "forwarded": below,
        "only forwarded": alone,
    }


def _calendars() -> dict[str, EmailMessage]:
    invitation = mail("Please come\n")
    invitation.add_alternative(EVENT, subtype="calendar", params={"method": "REQUEST"})
    invitation.add_attachment(EVENT.encode(), "application", "ics", filename="invite.ics")
    alone = mail()
    alone.set_content(EVENT, subtype="calendar", params={"method": "REQUEST"})
    five = mail("Please come\n")
    for number in range(5):
        five.add_attachment(EVENT.replace("u@x", f"{number}@x"), subtype="calendar")
    return {"invitation": invitation, "calendar alone": alone, "five calendars": five}


def _machines() -> dict[str, EmailMessage]:
    report = mail()
    report["Content-Type"] = 'multipart/report; report-type=delivery-status; boundary="r"'
    report.set_payload(REPORT)
    smime = mail()
    smime.set_content(
        b"x" * 3000, "application", "pkcs7-mime", params={"smime-type": "enveloped-data"}
    )
    pgp = mail()
    pgp["Content-Type"] = 'multipart/encrypted; protocol="application/pgp-encrypted"; boundary="p"'
    pgp.set_payload(PGP)
    return {"report": report, "smime": smime, "pgp": pgp}


def shapes() -> dict[str, bytes]:
    """All of them as RFC 5322 bytes with CRLF."""
    every = _texts() | _attachments() | _calendars() | _machines()
    return {name: one.as_bytes().replace(b"\n", b"\r\n") for name, one in every.items()}
