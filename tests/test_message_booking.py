"""Appointments that booking pages tell of, in their words and languages, and what they prove."""

import email.message
import email.policy
from datetime import UTC, datetime

import pytest
from letters import ADA, at, facts, ours, state, theirs

from daemon.message.booking import BOOKED, UNBOOKED, booked
from daemon.message.invite import Invite
from daemon.message.parse import parse
from daemon.rules.correspondence import Correspondence


@pytest.mark.parametrize(
    ("subject", "text", "starts_at"),
    [
        ("New Event: Ada - Demo", "Event Date/Time:\n10:00 - Monday, 19 October 2026 (CEST)", (19, 8)),
        ("New Event: Ada", "Event Date/Time:\n10:00am - Monday, October 19, 2026 (Eastern Time - UTC-4)", (19, 14)),
        ("Demo between Bob and Ada", "A new event has been scheduled.\n\nWhen:\nMonday, October 19, 2026 | 1:00 pm - 1:30 pm (Europe/Berlin)", (19, 11)),
        ("Neue Buchung: Erstgespräch", "Erstgespräch\nMontag, 19. Oktober 2026 10:00 - 10:30 (UTC+02:00)", (19, 8)),
        ("Neue Buchung", "Datum: 19.10.2026\nUhrzeit: 10:00 MESZ", (19, 8)),
        ("Nouveau rendez-vous", "lundi 19 octobre 2026 à 10h00 (Europe/Paris)", (19, 8)),
        ("Nueva reserva", "lunes, 19 de octubre de 2026, 10:00 (Europe/Madrid)", (19, 8)),
        ("Nuovo appuntamento", "lunedì 19 ottobre 2026 10:00 CEST", (19, 8)),
        ("Nieuwe afspraak", "maandag 19 oktober 2026 om 10:00 (Europe/Amsterdam)", (19, 8)),
        ("Ny bokning", "måndag 19 oktober 2026 10:00 CEST", (19, 8)),
        ("Nowa rezerwacja", "19 października 2026 10:00 CEST", (19, 8)),
        ("新しい予約", "2026年10月19日 10:00 JST", (19, 1)),
        ("New booking", "2026-10-19 10:00", (19, 10)),
        ("New Event: Ada", "10:00am - Monday, October 19, 2026 (Central European Time)", (19, 8)),
        ("New Event: Ada", "10:00am - Monday, October 19, 2026 (Eastern Time - US & Canada)", (19, 14)),
        ("New Event: Ada", "10:00am - Monday, October 19, 2026 (UK, Ireland, Lisbon Time)", (19, 9)),
        ("Meeting booked: Ada", "Date\nMonday, October 19, 2026\nTime\n10:00 AM - 10:30 AM", (19, 10)),
        ("Meeting booked: Ada", "Date\nMonday, October 19, 2026\n\nTime\n10:00 AM CEST", (19, 8)),
    ],
)  # fmt: skip
def test_the_day_and_the_time_are_read_in_their_language(
    subject: str, text: str, starts_at: tuple[int, int]
) -> None:
    invite = booked(subject, text.split("\n"), [ADA])
    assert invite is not None
    assert (invite.method, invite.starts_at) == (BOOKED, datetime(2026, 10, *starts_at, tzinfo=UTC))


def test_a_cancellation_is_about_the_same_appointment() -> None:
    lines = ["Monday, 19 October 2026 10:00 CEST"]
    made = booked("New Event: Ada", lines, [ADA])
    called_off = booked("Canceled: Ada", lines, [ADA])
    assert made is not None
    assert called_off is not None
    assert (called_off.method, called_off.uid) == (UNBOOKED, made.uid)
    assert booked("New Event: Bo", lines, ["bo@acme.example"]) != made


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Question", "Can we meet on 19 October 2026 at 10:00?"),
        ("New booking", "Somebody has booked."),
        ("New booking", "Monday, 31 June 2026 10:00"),
        ("New booking", "19 Foo 2026 10:00"),
        ("New booking", "19 October 2026"),
        ("", ""),
    ],
)
def test_what_has_no_day_and_time_or_tells_of_no_booking_is_none(subject: str, text: str) -> None:
    assert booked(subject, text.split("\n"), [ADA]) is None


def test_a_mail_of_a_booking_page_has_its_appointment() -> None:
    mail = email.message.EmailMessage()
    mail["From"] = "Calendly <notifications@calendly.com>"
    mail["Reply-To"] = ADA
    mail["To"] = "sales@ours.example"
    mail["Subject"] = "New Event: Ada Lovelace - 10:00 Mon, 19 Oct 2026 - Demo"
    mail.set_content("A new event has been scheduled.\n\nInvitee Email:\nada@acme.example\n")
    (found,) = parse(mail.as_bytes(policy=email.policy.SMTP), size=1).invites
    assert (found.method, found.starts_at) == (BOOKED, datetime(2026, 10, 19, 10, tzinfo=UTC))


def booking(method: str = BOOKED) -> tuple[Invite, ...]:
    return (Invite(method, "booking-1", 0, None, None, (), at(48), None, "Demo", None),)


@pytest.mark.parametrize(
    ("met", "messages"),
    [
        (0, [theirs(2, way="reply-to", invites=booking())]),
        (0, [ours(1), theirs(2, way="reply-to", invites=booking())]),  # anybody may write so
        (1, [ours(1), theirs(2, way="reply-to", invites=booking(), facts=facts(authenticated=True))]),
        (0, [theirs(2, way="reply-to", invites=booking(), facts=facts(authenticated=True))]),
        (1, [theirs(2, way="reply-to", invites=booking()), ours(3)]),
        (0, [theirs(2, way="form", invites=booking()), ours(3), theirs(4, way="form", invites=booking(UNBOOKED)), ours(5)]),
        (0, [ours(1), theirs(2, invites=booking()), ours(3)]),  # her own words are no booking page's
    ],
)  # fmt: skip
def test_a_booking_is_a_meeting_of_somebody_we_have_written_to(
    met: int, messages: list[Correspondence]
) -> None:
    assert state(*messages).meetings == met


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "piece", ["1", "1.", "1. ", "19 October ", "october 1 ", "10:00 ", "UTC+", "a", "2026-", "AB"]
)
def test_hostile_lines_are_read_within_bounds(piece: str) -> None:
    lines = [piece * 2_000] * 200
    booked(f"New booking {piece * 500}", lines, [])
