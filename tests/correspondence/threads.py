"""Rarer stories of people: other ways of threading, bounds on recipients, clocks that are wrong."""

from datetime import timedelta

from daemon.sandbox.company.conversations import (
    answer,
    circular,
    circular_mail,
    converse,
    forged_reply,
)
from daemon.sandbox.company.desk import Desk


def by_reply_header_only(desk: Desk) -> None:
    """A thread whose clients write In-Reply-To but no References, and one the other way round."""
    converse(desk, [desk.cast.stranger()], "tutut", kind="reply-header-only", threading="reply")
    converse(desk, [desk.cast.stranger()], "utut", kind="references-only", threading="references")


def ten_recipients(desk: Desk) -> None:
    """Exactly as many outside recipients as the bound allows, and a colleague besides."""
    company = desk.cast.company()
    them = [desk.cast.person(company) for _ in range(10)]
    desk.post(circular_mail(desk, (*them, desk.office.staff[0]), "multi-recipient-at-bound"))


def colleague_answers(desk: Desk) -> None:
    """We write to one person; another of the same company, to whom it was passed on, answers."""
    company = desk.cast.company()
    asked, answering = desk.cast.person(company), desk.cast.person(company)
    ours = converse(desk, [asked], "u", kind="outreach")[0]
    answer(desk, answering, ours, kind="reply-by-colleague")


def skewed_clock(desk: Desk) -> None:
    """Their clock is behind: the answer is dated before the mail that it answers."""
    them = desk.cast.stranger()
    ours = converse(desk, [them], "u", kind="outreach")[0]
    early = ours.written_at - timedelta(minutes=7)
    answer(desk, them, ours, kind="reply-skewed", at=early)


STORIES = (
    by_reply_header_only, ten_recipients, circular, forged_reply, colleague_answers, skewed_clock,
)  # fmt: skip
