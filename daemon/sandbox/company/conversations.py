"""Stories of people: inquiries, threads of every length, outreach, and replies that aren't.

A conversation is a pattern: `t` is a mail of theirs, `u` one of ours, each answering the one
before. Every story draws new people, so it can be told any number of times.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any

from daemon.sandbox.company import wording
from daemon.sandbox.company.desk import Desk, MailDraft
from daemon.sandbox.company.facts import Facts, Party


def converse(
    desk: Desk,
    them: Sequence[Party],
    turns: str,
    *,
    kind: str = "thread",
    threading: str = "both",
    us: Party | None = None,
) -> list[Facts]:
    """One thread with `them` (the first of them writes), a mail for each letter of `turns`."""
    rng, us = desk.rng, us or desk.office.owner
    at = desk.anytime(timedelta(days=min(2 * len(turns), desk.days // 2)))
    subject = wording.fill(rng, "inquiries" if turns[0] == "t" else "outreach")
    thread, posted, before = desk.thread(), list[Facts](), ""
    for number, turn in enumerate(turns):
        author = them[0] if turn == "t" else us
        first = "asks" if number == 0 else "answers"
        opening = wording.fill(rng, first if turn == "t" else "ours")
        facts = desk.post(
            MailDraft(
                kind=kind,
                author=author,
                at=at,
                to=(us,) if turn == "t" else tuple(them),
                cc=tuple(them[1:]) if turn == "t" else (),
                subject=f"Re: {subject}" if number else subject,
                text=wording.letter(rng, opening, author.name, quoted=before),
                answers=tuple(f.message_id for f in reversed(posted) if f.message_id),
                threading=threading,
                thread=thread,
            )
        )
        posted.append(facts)
        before, at = opening, desk.later(facts.written_at)
    return posted


def inquiry(desk: Desk) -> None:
    """Somebody new asks once, and nobody has answered yet."""
    converse(desk, [desk.cast.stranger()], "t", kind="inquiry")


def two_inquiries(desk: Desk) -> None:
    """The same person asks about two things, in two threads."""
    them = [desk.cast.stranger()]
    converse(desk, them, "t", kind="inquiry")
    converse(desk, them, "t", kind="inquiry")


def reminder(desk: Desk) -> None:
    """They answer their own mail, which is no reply to anything of ours."""
    converse(desk, [desk.cast.stranger()], desk.rng.choice(("tt", "ttt")), kind="reminder")


def persistent(desk: Desk) -> None:
    """Five or more mails of theirs without an answer: enough by count alone."""
    them = [desk.cast.stranger()]
    for _ in range(desk.rng.randint(5, 8)):
        converse(desk, them, "t", kind="persistent")


def nearly(desk: Desk) -> None:
    """Four mails without an answer: one below the threshold."""
    them = [desk.cast.stranger()]
    for _ in range(4):
        converse(desk, them, "t", kind="nearly")


def answered(desk: Desk) -> None:
    """They ask, we answer, and it may go on."""
    turns = desk.rng.choice(("tu", "tu", "tut", "tutu", "tutut", "tuttu", "tututut"))
    converse(desk, [desk.cast.stranger()], turns, kind="thread")


def long_thread(desk: Desk) -> None:
    """A negotiation over many mails, longer than what References keeps."""
    turns = "tu" * desk.rng.randint(6, 14)
    converse(desk, [desk.cast.person(desk.cast.company())], turns, kind="thread")


def outreach_unanswered(desk: Desk) -> None:
    """We write, they never do: no sender that counts."""
    converse(desk, [desk.cast.stranger()], "u", kind="outreach")


def outreach_answered(desk: Desk) -> None:
    """We write first, they answer: a reply."""
    turns = desk.rng.choice(("ut", "ut", "utu", "utut"))
    converse(desk, [desk.cast.stranger()], turns, kind="reply-to-ours")


def several_recipients(desk: Desk) -> None:
    """A mail of ours to two to eight people of a few companies; some of them answer."""
    companies = [desk.cast.company() for _ in range(desk.rng.randint(1, 3))]
    them = [desk.cast.person(desk.rng.choice(companies)) for _ in range(desk.rng.randint(2, 8))]
    ours = converse(desk, them, "u", kind="multi-recipient")[0]
    for answering in them[: desk.rng.randint(0, len(them) // 2)]:
        answer(desk, answering, ours, kind="reply-to-multi")


def circular(desk: Desk) -> None:
    """A mail of ours to fifteen people, over the bound; one answers it, which is no reply."""
    them = [desk.cast.stranger() for _ in range(15)]
    ours = desk.post(circular_mail(desk, tuple(them), "multi-recipient-over-bound"))
    answer(desk, them[3], ours, kind="reply-to-circular")


def forged_reply(desk: Desk) -> None:
    """A mail that pretends to answer one that we never sent."""
    them = desk.cast.stranger()
    forged = f"{desk.rng.getrandbits(64):016x}@{desk.office.domains[0]}"
    desk.post(
        MailDraft(
            kind="forged-reply",
            author=them,
            at=desk.anytime(),
            subject=f"Re: {wording.fill(desk.rng, 'inquiries')}",
            text=wording.letter(desk.rng, wording.fill(desk.rng, "answers"), them.name),
            answers=(forged,),
        )
    )


def answer(
    desk: Desk,
    them: Party,
    ours: Facts,
    *,
    kind: str,
    at: datetime | None = None,
    headers: tuple[str, ...] = (),
    signals: AbstractSet[str] = frozenset(),
) -> Facts:
    """One mail of theirs that answers one of ours."""
    return _answering(
        desk, ours, "answers", them, kind=kind, at=at, headers=headers, signals=frozenset(signals)
    )


def answer_by_us(desk: Desk, them: Party, theirs: Facts, *, kind: str) -> Facts:
    """One mail of ours that answers one of theirs."""
    return _answering(desk, theirs, "ours", desk.office.owner, kind=kind, to=(them,))


def _answering(
    desk: Desk, asked: Facts, words: str, author: Party, *, at: datetime | None = None, **more: Any
) -> Facts:
    opening = wording.fill(desk.rng, words)
    return desk.post(
        MailDraft(
            author=author,
            at=at or desk.later(asked.written_at),
            subject=f"Re: {asked.subject.removeprefix('Re: ')}",
            text=wording.letter(desk.rng, opening, author.name, quoted=asked.text),
            answers=tuple(i for i in (asked.message_id, *asked.answers) if i),
            thread=asked.thread,
            **more,
        )
    )


def circular_mail(desk: Desk, to: tuple[Party, ...], kind: str) -> MailDraft:
    """One mail of ours to many people: the first two in To, the others in Cc."""
    opening = wording.fill(desk.rng, "ours")
    return MailDraft(
        kind=kind,
        author=desk.office.owner,
        at=desk.anytime(timedelta(days=6)),
        to=to[:2],
        cc=to[2:],
        subject=wording.fill(desk.rng, "outreach"),
        text=wording.letter(desk.rng, opening, desk.office.owner.name),
    )


ORDINARY = (
    inquiry, inquiry, inquiry, two_inquiries, reminder, persistent, nearly, answered, answered,
    answered, answered, long_thread, outreach_unanswered, outreach_answered, outreach_answered,
    several_recipients,
)  # fmt: skip
