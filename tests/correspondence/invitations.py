"""Rarer stories of meetings: moved, cancelled, countered, out of order, forged."""

from daemon.sandbox.company.conversations import converse
from daemon.sandbox.company.desk import Desk
from daemon.sandbox.company.meetings import ORDINARY, Event, ours, theirs, theirs_cancelled


def theirs_tentative_then_moved(desk: Desk) -> None:
    """They invite, we say maybe, they move it: still a meeting, at the new time."""
    event, us = theirs(desk, "invitation-accepted-by-us")
    event.request(event.at(0))
    event.reply(us, "TENTATIVE", event.at(2))
    event.request(event.at(26), 1)


def theirs_declined(desk: Desk) -> None:
    """We have written to them, but decline their invitation: no meeting."""
    event, us = theirs(desk, "invitation-declined-by-us")
    converse(desk, [event.organizer], "u", kind="outreach")
    event.request(event.at(0))
    event.reply(us, "DECLINED", event.at(5))


def ours_cancelled(desk: Desk) -> None:
    """They accept, we call it off."""
    event, them = ours(desk, "invitation-of-ours-cancelled")
    event.request(event.at(0))
    event.reply(them, "ACCEPTED", event.at(4))
    event.cancel(event.at(50))


def countered(desk: Desk) -> None:
    """They propose another time; once we agree and they accept, once nothing follows."""
    event, them = ours(desk, "invitation-of-ours-countered")
    event.request(event.at(0))
    event.post("COUNTER", them, event.at(3), 0, ((them.key, "TENTATIVE"),))
    event.request(event.at(6), 1)
    event.reply(them, "ACCEPTED", event.at(9), 1)
    other, they = ours(desk, "invitation-of-ours-countered")
    other.request(other.at(0))
    other.post("COUNTER", they, other.at(3), 0, ((they.key, "TENTATIVE"),))


def accepted_unseen(desk: Desk) -> None:
    """They accept an invitation that went out from a telephone, so it isn't in Sent."""
    event, them = ours(desk, "invitation-of-ours-unseen")
    event.reply(them, "ACCEPTED", event.at(4))


def out_of_order(desk: Desk) -> None:
    """The later answer arrives first, and a cancellation arrives before its invitation."""
    event, them = ours(desk, "invitation-of-ours-out-of-order")
    event.request(event.at(0))
    event.reply(them, "ACCEPTED", event.at(9))
    event.reply(them, "DECLINED", event.at(11), stamped=event.at(7))
    gone, us = theirs(desk, "invitation-cancelled")
    gone.cancel(gone.at(0), 1, stamped=gone.at(5))
    gone.request(gone.at(6))
    gone.reply(us, "ACCEPTED", gone.at(7))


def revived(desk: Desk) -> None:
    """Called off, then invited again with a higher sequence, and accepted."""
    event, us = theirs(desk, "invitation-revived")
    event.request(event.at(0))
    event.cancel(event.at(4), 1)
    event.request(event.at(20), 2)
    event.reply(us, "ACCEPTED", event.at(22), 2)


def three_attendees(desk: Desk) -> None:
    """We invite three people of a company: one accepts, one declines, one is silent."""
    company = desk.cast.company()
    them = [desk.cast.person(company) for _ in range(3)]
    event = Event(desk, desk.office.owner, *them, kind="invitation-of-ours-to-three")
    event.request(event.at(0))
    event.reply(them[0], "ACCEPTED", event.at(2))
    event.reply(them[1], "DECLINED", event.at(3))


def spoofed_invitation(desk: Desk) -> None:
    """Somebody pretends to be a person we write to, and our server says so."""
    event, _ = theirs(desk, "invitation-spoofed")
    converse(desk, [event.organizer], "u", kind="outreach")
    event.request(event.at(0), spoofed=True)


def only_cancelled(desk: Desk) -> None:
    """A cancellation of something that we never saw, from somebody whom we have written to."""
    event, _ = theirs(desk, "invitation-cancelled")
    converse(desk, [event.organizer], "u", kind="outreach")
    event.cancel(event.at(0))


STORIES = (
    *ORDINARY, theirs_tentative_then_moved, theirs_declined, theirs_cancelled, ours_cancelled,
    countered, accepted_unseen, out_of_order, revived, three_attendees, spoofed_invitation,
    only_cancelled,
)  # fmt: skip
