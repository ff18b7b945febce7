"""Stories of meetings: invited, answered, moved, cancelled and countered, in several orders.

DTSTAMP is when a calendar object was made; the mail that carries it may arrive in another order.
"""

from datetime import datetime, timedelta

from daemon.sandbox.company import itip, wording
from daemon.sandbox.company.conversations import converse
from daemon.sandbox.company.desk import Desk, MailDraft
from daemon.sandbox.company.facts import Facts, InviteFacts, Party

ROOM = timedelta(days=12)
STYLES = ("alternative", "google", "attached")
SUBJECTS = {"REQUEST": "Invitation", "COUNTER": "New time proposed", "CANCEL": "Cancelled"}


class Event:
    """One meeting in the making: who organises it, who is asked, and its current time."""

    def __init__(self, desk: Desk, organizer: Party, *attendees: Party, kind: str) -> None:
        """Nothing is sent yet; requests will have the kind `kind`."""
        self.desk = desk
        self.organizer = organizer
        self.attendees = attendees
        self.kind = kind
        self.first = desk.anytime(ROOM)
        self.starts_at = (self.first + timedelta(days=8)).replace(minute=0, second=0, microsecond=0)
        self.summary = wording.fill(desk.rng, "meetings")
        domain = organizer.key.partition("@")[2]
        self.uid = f"{desk.rng.getrandbits(64):016x}@{domain}"
        self.thread = desk.thread()

    def at(self, hours: float) -> datetime:
        """That many hours after the meeting first came up."""
        return self.first + timedelta(hours=hours)

    def request(self, at: datetime, sequence: int = 0, *, spoofed: bool = False) -> Facts:
        """The organizer invites, or with a higher sequence moves what was invited before."""
        if sequence:
            self.starts_at += timedelta(days=1, hours=1)
        asked = tuple((a.key, "NEEDS-ACTION") for a in self.attendees)
        return self.post("REQUEST", self.organizer, at, sequence, asked, spoofed=spoofed)

    def reply(
        self,
        who: Party,
        partstat: str,
        at: datetime,
        sequence: int = 0,
        *,
        stamped: datetime | None = None,
    ) -> Facts:
        """One attendee answers the organizer; `stamped` is when, if the mail comes late."""
        return self.post("REPLY", who, at, sequence, ((who.key, partstat),), stamped=stamped)

    def cancel(self, at: datetime, sequence: int = 1, *, stamped: datetime | None = None) -> Facts:
        """The organizer calls it off."""
        asked = tuple((a.key, "NEEDS-ACTION") for a in self.attendees)
        return self.post("CANCEL", self.organizer, at, sequence, asked, stamped=stamped)

    def post(
        self,
        method: str,
        author: Party,
        at: datetime,
        sequence: int,
        attendees: tuple[tuple[str, str], ...],
        *,
        stamped: datetime | None = None,
        spoofed: bool = False,
    ) -> Facts:
        """One mail that carries this meeting as the calendar object `method`."""
        invite = InviteFacts(
            method=method,
            uid=self.uid,
            sequence=sequence,
            dtstamp=(stamped or at).replace(microsecond=0),
            organizer=self.organizer.key,
            attendees=attendees,
            starts_at=self.starts_at,
            ends_at=self.starts_at + timedelta(minutes=45),
            summary=self.summary,
        )
        text = f"{self.summary}: {self.starts_at:%d %B %Y, %H:%M} UTC."
        style = "bare" if method in ("REPLY", "CANCEL") else self.desk.rng.choice(STYLES)
        prefix = SUBJECTS.get(method, attendees[0][1].title())
        automatic = method == "REPLY" and author is not self.desk.office.owner
        host = self.desk.office.authserv_id
        headers = ("Auto-Submitted: auto-generated",) if automatic else ()
        signals = {"auto-submitted"} if automatic else set()
        if spoofed:
            headers, signals = (f"Authentication-Results: {host}; dmarc=fail",), {"dmarc-fail"}
        return self.desk.post(
            MailDraft(
                kind=self.kind if method == "REQUEST" else f"itip-{method.lower()}",
                author=author,
                at=at,
                to=self.attendees if author is self.organizer else (self.organizer,),
                subject=f"{prefix}: {self.summary}",
                text="" if style == "bare" else text,
                thread=self.thread,
                content=itip.mail_part(invite, text, style),
                invite=invite,
                headers=headers,
                signals=frozenset(signals),
            )
        )


def theirs(desk: Desk, kind: str) -> tuple[Event, Party]:
    """A meeting to which a stranger invites us, and us."""
    them = desk.cast.stranger()
    return Event(desk, them, desk.office.owner, kind=kind), desk.office.owner


def ours(desk: Desk, kind: str) -> tuple[Event, Party]:
    """A meeting to which we invite a stranger, and the stranger."""
    them = desk.cast.stranger()
    return Event(desk, desk.office.owner, them, kind=kind), them


def theirs_accepted(desk: Desk) -> None:
    """They invite, we accept: a meeting, though we never wrote otherwise."""
    event, us = theirs(desk, "invitation-accepted-by-us")
    event.request(event.at(0))
    event.reply(us, "ACCEPTED", event.at(3))


def calendar_spam(desk: Desk) -> None:
    """A stranger invites and we do nothing: an email, not a meeting."""
    event, _ = theirs(desk, "invitation-unsolicited")
    event.request(event.at(0))


def theirs_known(desk: Desk) -> None:
    """Somebody whom we have written to invites us: a meeting without our answer."""
    event, _ = theirs(desk, "invitation-from-known")
    converse(desk, [event.organizer], "u", kind="outreach")
    event.request(event.at(0))


def theirs_cancelled(desk: Desk) -> None:
    """We accept, they call it off."""
    event, us = theirs(desk, "invitation-cancelled")
    event.request(event.at(0))
    event.reply(us, "ACCEPTED", event.at(1))
    event.cancel(event.at(48))


def ours_accepted(desk: Desk) -> None:
    """We invite; one accepts, another says maybe, each a meeting of its own."""
    for partstat in ("ACCEPTED", "TENTATIVE"):
        event, them = ours(desk, f"invitation-of-ours-{partstat.lower()}")
        event.request(event.at(0))
        event.reply(them, partstat, event.at(4))


def ours_declined(desk: Desk) -> None:
    """We invite, they decline; another never answers."""
    event, them = ours(desk, "invitation-of-ours-declined")
    event.request(event.at(0))
    event.reply(them, "DECLINED", event.at(4))
    unanswered, _ = ours(desk, "invitation-of-ours-unanswered")
    unanswered.request(unanswered.at(0))


def ours_moved(desk: Desk) -> None:
    """We move an accepted meeting: one keeps it silently, another declines the new time."""
    for second in (None, "DECLINED"):
        event, them = ours(desk, "invitation-of-ours-moved")
        event.request(event.at(0))
        event.reply(them, "ACCEPTED", event.at(4))
        event.request(event.at(30), 1)
        if second:
            event.reply(them, second, event.at(33), 1)


ORDINARY = (theirs_accepted, ours_accepted, theirs_known, calendar_spam, ours_declined, ours_moved)
