"""The desk where mails are written: time, Message-IDs, threads, and the facts of what was posted.

A story says what happens in a `MailDraft`; the desk gives it a moment, an id and the headers
that servers add, and files the copy in INBOX or Sent. It never reads back what it wrote.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

from daemon.sandbox.company import render
from daemon.sandbox.company.cast import Cast, chance
from daemon.sandbox.company.facts import Facts, InviteFacts, Mail, Office, Party

ORDINARY = ("8bit",) * 5 + ("quoted-printable",) * 3 + ("alternative",) * 6 + (
    "base64", "html", "flowed", "inline", "attached", "signed",
)  # fmt: skip
ZONES = tuple(timezone(timedelta(hours=h)) for h in (1, 1, 1, 0, 2, -5, 9))
NAMED_AT_MOST = 20  # Message-IDs in References; clients cut long threads too


@dataclass(frozen=True, slots=True, kw_only=True)
class MailDraft:
    """What a story wants posted; all that is left out is ordinary.

    `message_id`: "" for a new one, None for none. `dated`: the Date header's text (None: no such
    header) and what it means in UTC (None: nothing). `threading`: which of In-Reply-To and
    References name `answers`. `raw_charset`: names and subject unencoded in that charset.
    `headers` are whole lines; `signals` say which machine headers are among them.
    """

    kind: str
    author: Party | None
    at: datetime
    subject: str
    text: str = ""
    to: tuple[Party, ...] = ()
    cc: tuple[Party, ...] = ()
    answers: tuple[str, ...] = ()
    threading: str = "both"
    thread: int = 0
    form: str = ""
    charset: str = "utf-8"
    raw_charset: str = ""
    q_words: bool | None = None
    content: render.Part | None = None
    headers: tuple[str, ...] = ()
    signals: frozenset[str] = frozenset()
    group_sender: Party | None = None
    invite: InviteFacts | None = None
    opaque: bool = False
    own_list: bool = False
    folder: str = ""
    message_id: str | None = ""
    dated: tuple[str | None, datetime | None] | None = None
    return_path: str | None = None
    to_line: str | None = None


class Desk:
    """Posts drafts and keeps the mails; one desk is one scenario in the making."""

    def __init__(self, rng: random.Random, office: Office, now: datetime, days: int) -> None:
        """Write mails of the `days` before `now`, all chance from `rng`."""
        self.rng = rng
        self.office = office
        self.now = now.replace(microsecond=0)
        self.days = days
        self.cast = Cast(rng)
        self.mails: list[Mail] = []
        self._moments: set[datetime] = set()
        self._threads = 0
        self._posted = 0
        self._writers = {office.owner.key, office.group.key, office.alias.key}

    def chance(self, percent: int) -> bool:
        """True in that many of a hundred cases."""
        return chance(self.rng, percent)

    def thread(self) -> int:
        """A number for a new conversation."""
        self._threads += 1
        return self._threads

    def anytime(self, room: timedelta = timedelta(days=2)) -> datetime:
        """A moment in the scenario's days, on a working hour, with `room` left until now."""
        latest = self.now - room
        earliest = min(self.now - timedelta(days=self.days), latest - timedelta(days=1))
        day = earliest + (latest - earliest) * self.rng.random()
        at = day.replace(hour=self.rng.choice(range(7, 19)), minute=self.rng.randrange(60))
        return min(at, latest)

    def later(self, at: datetime) -> datetime:
        """A moment some hours after `at`, but before now."""
        wanted = self.rng.uniform(0.3 * 3600, 60 * 3600)
        room = (self.now - timedelta(minutes=20) - at).total_seconds() * self.rng.random()
        return at + timedelta(seconds=int(max(2.0, min(wanted, room))))

    def moment(self, at: datetime) -> datetime:
        """`at` in whole seconds, moved to the next second that no mail has yet."""
        at = at.replace(microsecond=0)
        while at in self._moments:
            at += timedelta(seconds=1)
        self._moments.add(at)
        return at

    def post(self, draft: MailDraft) -> Facts:
        """Write the mail, file one copy, and say what is true of it."""
        self._posted += 1
        at = self.moment(draft.at)
        ours = draft.author is not None and draft.author.key in self._writers
        folder = draft.folder or ("Sent" if ours else "INBOX")
        zone = self.rng.choice(ZONES)
        dated = draft.dated or (format_datetime(at.astimezone(zone)), at)
        to = draft.to or ((self.office.owner,) if not ours else ())
        answers = draft.answers[:1] if draft.threading == "reply" else draft.answers[:NAMED_AT_MOST]
        facts = Facts(
            id=self._posted,
            kind=draft.kind,
            author=draft.author,
            recipients=(*to, *draft.cc),
            subject=draft.subject,
            text=draft.text.split("\n", 1)[0],
            written_at=at,
            date=dated[1],
            message_id=self._message_id(draft),
            answers=answers,
            thread=draft.thread or self.thread(),
            group_sender=draft.group_sender,
            signals=draft.signals,
            invite=draft.invite,
            opaque=draft.opaque,
            own_list=draft.own_list,
        )
        lag = 1 if folder == "Sent" else self.rng.choice((2, 3, 5, 9, 40, 300))
        arrived = at + timedelta(seconds=lag)
        transport = [] if folder == "Sent" else self.transport(draft, arrived)
        raw = self._render(draft, facts, to, dated[0], transport)
        self.mails.append(Mail(folder, raw, arrived, facts))
        return facts

    def _message_id(self, draft: MailDraft) -> str | None:
        if draft.message_id != "":
            return draft.message_id
        domain = draft.author.key.partition("@")[2] if draft.author else "unknown.example"
        return f"{self.rng.getrandbits(64):016x}.{self._posted}@{domain}"

    def _render(
        self, draft: MailDraft, facts: Facts, to: Sequence[Party], date: str | None, top: list[str]
    ) -> bytes:
        raw = bool(draft.raw_charset)
        lines = list(top)
        if draft.author is not None:
            lines.append(f"From: {render.mailbox(draft.author, draft.charset, raw=raw)}")
        if draft.to_line is not None:
            lines.append(draft.to_line)
        elif to:
            lines.append(render.fold("To", render.mailboxes(to)))
        if draft.cc:
            lines.append(render.fold("Cc", render.mailboxes(draft.cc)))
        subject = (
            draft.subject if raw else render.words(draft.subject, draft.charset, q=draft.q_words)
        )
        lines.append(render.fold("Subject", subject, tab=facts.id % 7 == 0))
        if date is not None:
            lines.append(f"Date: {date}")
        if facts.message_id is not None:
            lines.append(f"Message-ID: <{facts.message_id}>")
        lines += _threading(facts.answers, draft.threading)
        lines += draft.headers
        content = draft.content or render.body(
            draft.form or self.rng.choice(ORDINARY), draft.text, draft.charset
        )
        return render.message(lines, content, draft.raw_charset or "utf-8")

    def transport(self, draft: MailDraft, arrived: datetime) -> list[str]:
        """What servers on the way put on top; all outside mail passed our server's DMARC check."""
        sender = draft.author.key if draft.author else "scanner@unknown.example"
        path = sender if draft.return_path is None else draft.return_path
        host = self.office.authserv_id
        domain = sender.partition("@")[2]
        stamp = format_datetime(arrived)
        client = f"mail.{domain} (mail.{domain} [192.0.2.{self.rng.randrange(1, 250)}])"
        queued = f"{host} with ESMTPS id {self.rng.getrandbits(40):010X}"
        lines = [
            f"Return-Path: <{path}>",
            f"Delivered-To: {self.office.owner.key}",
            f"Received: from {client}\r\n\tby {queued};\r\n\t{stamp}",
        ]
        if "dmarc-fail" not in draft.signals and draft.author is not None:
            lines.append(
                f"Authentication-Results: {host};\r\n\tspf=pass smtp.mailfrom={domain};"
                f"\r\n\tdmarc=pass header.from={domain}"
            )
        return lines


def _threading(answers: Sequence[str], threading: str) -> list[str]:
    lines = []
    if answers and threading in ("both", "reply"):
        lines.append(f"In-Reply-To: <{answers[0]}>")
    if answers and threading in ("both", "references"):
        oldest_first = " ".join(f"<{answer}>" for answer in reversed(answers))
        lines.append(render.fold("References", oldest_first))
    return lines
