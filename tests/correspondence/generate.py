"""A whole correspondence of any size from a seed: every kind of mail, in four folders.

The same arguments give the same bytes. `size` is the number of copies in all folders, and is met
exactly as long as it is larger than one telling of all stories. The demo's own stories are in
`daemon/sandbox/company`; here are the rarer ones that only tests and benchmarks need.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from correspondence import authors, automatic, invitations, oddities, threads
from daemon.sandbox.company import OFFICE, Mail, Office, Scenario, conversations
from daemon.sandbox.company.desk import Desk
from daemon.sandbox.company.scenario import Story

ARCHIVE, SHELF = "Archive/2026", "Clients"
ROLES = (("INBOX", "inbox"), ("Sent", "sent"), (ARCHIVE, "inbox"), (SHELF, "inbox"))
EVERY: tuple[Story, ...] = (
    *threads.STORIES,
    *automatic.STORIES,
    *invitations.STORIES,
    *authors.STORIES,
    *oddities.STORIES,
)


def generate(
    seed: int, size: int, *, us: Office = OFFICE, now: datetime, mailboxes: int = 1
) -> Scenario:
    """Every kind of mail at least once, then more of all of it, in four folders over 400 days.

    With `mailboxes=2` some mails reached a second mailbox "support" (INBOX and Sent) as well, and
    some mails of ours are in its Sent only. `now` is aware; nothing is dated after it.
    """
    desk = Desk(random.Random(seed), us, now, days=400)
    for story in EVERY:
        story(desk)
    ordinary = conversations.ORDINARY + automatic.ORDINARY
    budget = size - size // 40
    while len(desk.mails) < budget:
        desk.rng.choice(EVERY if desk.chance(20) else ordinary)(desk)
    mails = _filed(desk, desk.mails[:budget], mailboxes)
    mails += _copied(desk, mails, size - len(mails), mailboxes)
    # INBOX and Sent in order of arrival; the folders that people fill by hand in any order.
    shuffled, by_hand = desk.rng.sample(mails, len(mails)), {ARCHIVE, SHELF}
    first = sorted((m for m in shuffled if m.folder not in by_hand), key=lambda m: m.internal_date)
    last = [m for m in shuffled if m.folder in by_hand]
    return Scenario(desk.office, tuple(first + last), ROLES, desk.now)


def _filed(desk: Desk, mails: Sequence[Mail], mailboxes: int) -> list[Mail]:
    """Old mail moved to the archive, some to the customers' folder, some to the other mailbox."""
    filed = []
    for mail in mails:
        folder, mailbox = mail.folder, mail.mailbox
        if folder == "INBOX":
            if mail.internal_date < desk.now - timedelta(days=200) and desk.chance(70):
                folder = ARCHIVE
            elif desk.chance(8):
                folder = SHELF
        elif folder == "Sent" and mailboxes > 1 and desk.chance(10):
            mailbox = "support"
        filed.append(replace(mail, folder=folder, mailbox=mailbox))
    return filed


def _copied(desk: Desk, mails: Sequence[Mail], count: int, mailboxes: int) -> list[Mail]:
    """Further copies of mails in other folders and mailboxes, byte for byte the same.

    A copy keeps its first arrival or gets a later one, as servers do it. What somebody dragged
    into Sent is left alone: a mail of theirs that is in both would be a riddle, not a test.
    """
    copies = []
    candidates = [m for m in mails if m.facts.kind != "dragged-into-sent"]
    for mail in desk.rng.sample(candidates, max(0, count)):
        folder, mailbox = (SHELF if mail.folder != SHELF else ARCHIVE), mail.mailbox
        if mailbox == "support":
            folder = "INBOX"
        elif mailboxes > 1 and desk.chance(50):
            folder, mailbox = "INBOX", "support"
        later = timedelta(seconds=desk.rng.choice((0, 2, 7200, 86400 * 3)))
        arrived = min(mail.internal_date + later, desk.now)
        copies.append(replace(mail, folder=folder, mailbox=mailbox, internal_date=arrived))
    return copies
