"""The demo's correspondence, from a seed: the same arguments give the same bytes."""

import random
from collections.abc import Callable
from datetime import datetime

from daemon.sandbox.company import conversations, machines, meetings, oddities, strangers
from daemon.sandbox.company.cast import OFFICE
from daemon.sandbox.company.desk import Desk
from daemon.sandbox.company.facts import Office, Scenario

Story = Callable[[Desk], None]

ROLES = (("INBOX", "inbox"), ("Sent", "sent"))
DEMO: tuple[Story, ...] = (
    *meetings.ORDINARY,
    meetings.theirs_cancelled,
    machines.newsletters,
    machines.no_reply,
    machines.no_reply,
    machines.bounce,
    machines.exchange_ndr,
    machines.out_of_office,
    machines.our_absence,
    strangers.group,
    strangers.own_list,
    strangers.web_form,
    strangers.colleagues,
    strangers.role_answered,
    strangers.role_unanswered,
    strangers.alias,
    strangers.many_faces,
    strangers.spoofed,
    conversations.forged_reply,
    conversations.circular,
    oddities.languages,
    oddities.domains,
)


def demo(seed: int = 7, size: int = 300, *, us: Office = OFFICE, now: datetime) -> Scenario:
    """About `size` mails of the last four months in INBOX and Sent, pleasant to look at."""
    desk = Desk(random.Random(seed), us, now, days=120)
    for story in DEMO:
        story(desk)
    while len(desk.mails) < size:
        desk.rng.choice(conversations.ORDINARY)(desk)
    arrived = sorted(desk.rng.sample(desk.mails, len(desk.mails)), key=lambda m: m.internal_date)
    return Scenario(desk.office, tuple(arrived), ROLES, desk.now)
