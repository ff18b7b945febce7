"""What the records of a team should be by the rules, worked out without the program.

Written from README and docs/configuration.md alone; it knows mails and what people did, day by day,
and shares no code with the program. It covers what the team's year has: one mail a minute, a sync
at the end of each day, meetings of people with a deal of their own, and at most one open deal to
join.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

OURS, PRIVATE = "ours.example", {"gmail.com"}
WAIT, OLDEST = timedelta(days=2), timedelta(days=30)
DEAL_AT_MESSAGES = 5


@dataclass(eq=False)
class Deal:
    """A deal, and who takes part in it beside its contact person."""

    contact: str
    owner: str
    pipeline: str
    labels: tuple[str, ...] = ()
    status: str = "open"
    parts: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Task:
    """A task to answer."""

    subject: str
    owner: str
    since: datetime  # the first mail that it stands for
    done: bool = False


@dataclass(eq=False)
class Sender:
    """Somebody outside."""

    address: str
    mailbox: str  # where its first mail was seen, or the first in which it was in copy
    received: int = 0
    submitted: int = 0  # of these, by a form
    replies: int = 0
    meetings: list[str] = field(default_factory=list)
    waiting: list[tuple[datetime, str]] = field(default_factory=list)  # since we last wrote
    threads: set[int] = field(default_factory=set)
    copied: set[int] = field(default_factory=set)  # threads in which it was in copy
    person: str | None = None  # the owner of its person
    labels: set[str] = field(default_factory=set)  # of its person
    lead: str | None = None  # its owner
    lead_state: str = ""  # open, archived, converted
    deal: Deal | None = None
    joined: list[Deal] = field(default_factory=list)
    task: Task | None = None
    bounced: bool = False
    noted: bool = False

    @property
    def domain(self) -> str:
        return self.address.partition("@")[2]

    @property
    def organization(self) -> str | None:
        return None if self.domain in PRIVATE else self.domain

    @property
    def is_engaged(self) -> bool:
        return self.received - self.submitted >= DEAL_AT_MESSAGES or bool(
            self.replies or self.meetings
        )


@dataclass(eq=False)
class Mail:
    """A mail that counts: whose it is first, in which thread, where it is linked."""

    number: int
    parties: list[str]  # outside people whose mail it is
    thread: int
    at: datetime
    person: str | None = None  # under whom it is logged
    deal: Deal | None = None
    owner: str = ""


@dataclass
class Oracle:
    """See the module. `per` is `deals.per`; `turns` are the owners of the group's route."""

    per: str
    turns: list[str]
    admin: str
    senders: dict[str, Sender] = field(default_factory=dict)
    organizations: dict[str, str] = field(default_factory=dict)  # owner by domain
    mails: list[Mail] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    given: dict[str, str] = field(default_factory=dict)  # owner of the group's route, by whom
    left: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    threads: dict[int, int] = field(default_factory=dict)  # by mail
    sent_to: dict[int, set[str]] = field(default_factory=dict)  # mails of ours
    came_from: dict[int, str] = field(default_factory=dict)

    # what happens

    def mail(
        self,
        number: int,
        at: datetime,
        author: str,
        to: Iterable[str],
        *,
        cc: Iterable[str] = (),
        answers: int | None = None,
        mailbox: str,
        form: bool = False,
        subject: str = "",
    ) -> None:
        """A mail that a person wrote, theirs or ours."""
        thread = self.threads.get(answers or 0, number)
        self.threads[number] = thread
        others = [one for one in (*to, *cc) if not one.endswith(OURS)]
        if author.endswith(OURS):
            self.sent_to[number] = set(others)
            answered = self.came_from.get(answers or 0)
            for one in others:
                who = self._meet(one, mailbox)
                who.waiting.clear()
                who.threads.add(thread)
                who.replies += answered == one
                if answered not in {None, one}:
                    who.copied.add(thread)
            self.mails.append(Mail(number, others, thread, at))
            return
        who = self._meet(author, mailbox)
        who.received += 1
        who.submitted += form
        who.replies += author in self.sent_to.get(answers or 0, set())
        who.waiting.append((at, subject))
        who.threads.add(thread)
        who.bounced = who.noted = False
        self.came_from[number] = author
        self.mails.append(Mail(number, [author], thread, at))
        for one in others:
            self._meet(one, mailbox).copied.add(thread)

    def _meet(self, address: str, mailbox: str) -> Sender:
        return self.senders.setdefault(address, Sender(address, mailbox))

    def close(self, contact: str, status: str) -> None:
        """People win, lose or reopen the latest deal of a contact person."""
        self._deal_of(contact).status = status

    def _deal_of(self, contact: str) -> Deal:
        return [one for one in self.deals if one.contact == contact][-1]

    def accept(self, address: str, summary: str) -> None:
        """A guest accepts an invitation of ours; that is no mail that counts."""
        self.senders[address].meetings.append(summary)

    def come_back(self, address: str) -> None:
        """Our last mail to an address came back for good."""
        self.senders[address].bounced = True

    # the end of a day

    def ends(self, now: datetime) -> None:
        """The sync of a day."""
        for who in self.senders.values():
            self._person(who)
        wrote = [who for who in self.senders.values() if who.received]
        for who in filter(lambda one: one.is_engaged, wrote):  # who wrote first comes first
            self._engaged(who)
        for who in filter(lambda one: not one.is_engaged, wrote):
            self._stranger(who)
        for who in wrote:  # a deal may have been made after one's own turn
            self._join(who)
        for who in self.senders.values():
            self._copied(who)
        for mail in self.mails:
            self._log(mail)
        for who in self.senders.values():
            self._follow_up(who, now)
            self._bounce(who)

    def _person(self, who: Sender) -> None:
        wanted = who.received or (who.copied and any(self._counts(one) for one in who.copied))
        if who.person is not None or not wanted:
            return
        owner = self.owner(who)
        if who.organization is not None:
            self.organizations.setdefault(who.organization, owner)
        who.person = owner
        if self.is_of_group(who):
            who.labels.add("Customer")

    def _counts(self, thread: int) -> bool:
        return any(self.threads[number] == thread for number in self.came_from)

    def is_of_group(self, who: Sender) -> bool:
        return who.mailbox == "sales" and who.domain != "partner.example"

    def owner(self, who: Sender) -> str:
        """Who owns what is made for somebody now."""
        if who.domain == "partner.example":
            return "eva@ours.example"
        if not self.is_of_group(who):
            return f"{who.mailbox}@ours.example"
        key = who.organization or who.address
        there = [one for one in self.turns if one not in self.left]
        if self.given.get(key) not in there:
            self.given[key] = there[len(self.given) % len(there)]
        return self.given[key]

    def _open_own(self, who: Sender) -> Deal | None:
        return who.deal if who.deal is not None and who.deal.status == "open" else None

    def _joinable(self, who: Sender) -> Deal | None:
        there = [one for one in self.deals if one.status == "open"]
        if self.per == "organization" and who.organization is not None:
            found = [d for d in there if self.senders[d.contact].organization == who.organization]
        elif self.per == "conversation":
            found = [d for d in there if any(self._shares(who, p) for p in (d.contact, *d.parts))]
        else:
            found = []
        return found[-1] if found else None

    def _shares(self, who: Sender, other: str) -> bool:
        return other != who.address and bool(who.threads & self.senders[other].threads)

    def _join(self, who: Sender) -> bool:
        """Take part in an open deal of somebody else, unless there is an own one."""
        if self._open_own(who) is not None:
            return False
        deal = self._joinable(who)
        if deal is None:
            return any(one.status == "open" for one in who.joined)
        if deal not in who.joined:
            if not who.joined and who.deal is None:
                for mail in self.mails:
                    if mail.person == who.address:
                        mail.deal = deal
            who.joined.append(deal)
            deal.parts.add(who.address)
        if who.lead_state == "open":
            who.lead_state = "archived"
        return True

    def _engaged(self, who: Sender) -> None:
        if self._open_own(who) is not None or self._join(who):
            return
        if who.deal is not None or who.joined:
            return  # it has had a deal
        converted = who.lead_state == "open"
        owner = who.lead if converted and who.lead is not None else self.owner(who)
        pipeline = "Partners" if who.domain == "partner.example" else "Sales"
        who.deal = Deal(who.address, owner, pipeline, ("Warm",) if self.is_of_group(who) else ())
        self.deals.append(who.deal)
        if converted:
            who.lead_state = "converted"
            for mail in self.mails:
                if mail.person == who.address:
                    mail.deal = who.deal
        self.events[f"{'lead_converted' if converted else 'deal_created'} {who.address}"] += 1

    def _stranger(self, who: Sender) -> None:
        if self._join(who) or who.joined or who.deal is not None or who.lead_state:
            return
        who.lead, who.lead_state = self.owner(who), "open"
        self.events[f"lead_created {who.address}"] += 1

    def _copied(self, who: Sender) -> None:
        """Who is in copy takes part in the open deal, unless there is one of their own."""
        if who.person is None or self._open_own(who) is not None:
            return
        for deal in self.deals:
            if deal.status != "open" or who.address == deal.contact:
                continue
            people = (self.senders[one] for one in (deal.contact, *deal.parts))
            if any(who.copied & one.threads for one in people if one is not who):
                deal.parts.add(who.address)

    def _log(self, mail: Mail) -> None:
        if mail.person is not None:
            return
        known = [one for one in mail.parties if self.senders[one].received]
        if not known:
            return
        mail.person = known[0]
        who = self.senders[known[0]]
        mail.deal, mail.owner = self._where(who), self.owner(who)

    def _where(self, who: Sender) -> Deal | None:
        there = [one for one in who.joined if one.status == "open"]
        return self._open_own(who) or (there[-1] if there else None)

    def _follow_up(self, who: Sender, now: datetime) -> None:
        if who.received and who.replies:
            self.events[f"first_reply {who.address}"] = 1
        task = who.task
        name = who.address.partition("@")[0].title()
        if task is not None and not task.done:
            if who.waiting and who.waiting[0][0] <= task.since:
                task.subject = f"Answer {name}: {who.waiting[-1][1]}"
                return
            task.done = True
        pursued = who.lead_state == "open" or self._where(who) is not None
        if not who.waiting or not pursued or who.bounced or who.person is None:
            return
        first, last = who.waiting[0], who.waiting[-1]
        if first[0] + WAIT <= now and last[0] + WAIT >= now - OLDEST:
            who.task = Task(f"Answer {name}: {last[1]}", self.owner(who), first[0])
            self.tasks.append(who.task)
            self.events[f"follow_up_due {who.address}"] += 1

    def _bounce(self, who: Sender) -> None:
        if who.bounced:
            who.labels.add("Cold lead")
            if not who.noted:
                self.notes.append(who.address)
                who.noted = True
        else:
            who.labels.discard("Cold lead")

    # what there should be

    def shown_deals(self) -> list[tuple[str, str, str, str, tuple[str, ...], tuple[str, ...]]]:
        """As `Year.deals`."""
        return sorted(
            (one.contact, one.status, one.pipeline, one.owner, one.labels, tuple(sorted(one.parts)))
            for one in self.deals
        )

    def shown_leads(self) -> list[tuple[str, bool, str, tuple[str, ...]]]:
        """As `Year.leads`: those that became deals are none any more."""
        return sorted(
            (
                one.address,
                one.lead_state == "archived",
                one.lead or "",
                ("Hot",) if self.is_of_group(one) else (),
            )
            for one in self.senders.values()
            if one.lead_state in {"open", "archived"}
        )

    def shown_people(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Owner and labels of each person."""
        return {
            one.address: (one.person, tuple(sorted(one.labels)))
            for one in self.senders.values()
            if one.person is not None
        }

    def shown_mails(self) -> Counter[tuple[str, str, str]]:
        """How many mails are logged under whom, on whose deal, owned by whom."""
        return Counter(
            (one.person, one.deal.contact if one.deal else "", one.owner)
            for one in self.mails
            if one.person is not None
        )

    def shown_meetings(self) -> list[tuple[str, str, str, str]]:
        """As `Year.meetings`."""
        return sorted(
            (one, who.address, who.deal.contact if who.deal else "", self.owner(who))
            for who in self.senders.values()
            for one in who.meetings
        )

    def shown_tasks(self) -> list[tuple[str, bool, str]]:
        """As `Year.tasks`."""
        return sorted((one.subject, one.done, one.owner) for one in self.tasks)
