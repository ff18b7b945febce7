"""A team of five and a year of its mail: three mailboxes on a real server, one Pipedrive, one clock.

`Year` is played in days: mail arrives and people act, then the dry run says what it would make, then
the real run makes it. Both read the same clock, which moves only when somebody waits. All that
happens is told to the oracle, too, which says what there should be at the end of each day.
"""

import contextlib
import io
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import yaml
from acts import Acts
from event_hook import Hook, hooked
from team_oracle import Oracle

from daemon import failpoints
from daemon.cli.catch_up import catch_up
from daemon.cli.dry_run import dry_run
from daemon.config import load
from daemon.ledger.store import Ledger
from daemon.sandbox.crm import Fault, Sandbox, Server, Settings, Switches, duplicates
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sandbox.imap_server import ImapServer, start_imap
from daemon.service.events import deliver, receivers
from daemon.wiring import Wiring

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
# Mailboxes: two of people, and one of the group address that the web form writes to.
ANN, BEN, SALES = "ann@ours.example", "ben@ours.example", "sales@ours.example"
CAT, DOV, EVA = "cat@ours.example", "dov@ours.example", "eva@ours.example"
TEAM = (ANN, BEN, CAT, DOV, EVA)
FORM = "no-reply@forms.example"
KINDS = ("organizations", "persons", "leads", "deals", "activities")
EVENTS = ["lead_created", "deal_created", "lead_converted", "first_reply", "follow_up_due"]
# What the chat reads: one line, with a link, and no word of a mail.
SAID = {
    "lead_created": "New lead",
    "deal_created": "New deal",
    "lead_converted": "A lead became a deal",
    "first_reply": "First reply",
    "follow_up_due": "Waiting for our answer",
}
_BOUNCED = "Undeliverable: "
CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
METHOD:{method}
BEGIN:VEVENT
UID:{summary}@ours.example
DTSTAMP:20260101T000000Z
DTSTART:20260610T090000Z
DTEND:20260610T100000Z
SUMMARY:{summary}
ORGANIZER:mailto:{organizer}
ATTENDEE;PARTSTAT={answer}:mailto:{attendee}
END:VEVENT
END:VCALENDAR
"""
REPORT = """\
From: Mail Delivery System <MAILER-DAEMON@mx.example>
To: {mailbox}
Subject: Undelivered Mail Returned to Sender
Message-ID: <bounce-{number}@mx.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

No such user.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.1.1

--b
Content-Type: message/rfc822

Message-ID: <{number}@mail.example>
Subject: Offer

Hello
--b--
"""


class Clock:
    """One time for the program, the sandbox and the letters."""

    def __init__(self) -> None:
        self.moment = BEGIN

    def __call__(self) -> datetime:
        return self.moment

    def seconds(self) -> float:
        return self.moment.timestamp()

    def wait(self, timeout: float | None = None) -> bool:
        self.moment += timedelta(seconds=max(timeout or 0, 0.001))
        return False


@dataclass
class Year:
    """See the module."""

    home: Path
    server: ImapServer
    sandbox: Sandbox
    pipedrive: Server
    clock: Clock
    config: Mapping[str, Any]
    oracle: Oracle
    hook: Hook
    chat: Hook
    predicted: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)  # mails that are answered later
    tokens: int = 0
    rough: bool = False  # runs are killed and answers lost, so that nothing of it can be predicted
    _number: int = 0

    @property
    def acts(self) -> Acts:
        return Acts(self.sandbox)

    # mail

    def hears(
        self,
        sender: str,
        to: str = SALES,
        *,
        answers: int | None = None,
        mailbox: str | None = None,
        **more: Any,
    ) -> int:
        """A mail from outside, into the mailbox that it is written to; its number."""
        return self._deliver(mailbox or to, "INBOX", sender, to, answers, **more)

    def writes(self, sender: str, to: str, *, answers: int | None = None, **more: Any) -> int:
        """A mail of ours, in the Sent folder of who wrote it; its number."""
        return self._deliver(sender, "Sent", sender, to, answers, **more)

    def form(self, visitor: str) -> int:
        """What the web form sends to the group address."""
        extra = f"Reply-To: {visitor}\r\n"
        return self.hears(FORM, SALES, subject="New enquiry", extra=extra, visitor=visitor)

    def meets(self, user: str, guest: str, summary: str, *, accepted: bool) -> None:
        """A user of ours invites a guest, or the guest accepts that."""
        answer = "ACCEPTED" if accepted else "NEEDS-ACTION"
        method = "REPLY" if accepted else "REQUEST"
        text = CALENDAR.format(
            method=method, summary=summary, organizer=user, attendee=guest, answer=answer
        )
        calendar = (method, text)
        if accepted:
            self.hears(guest, user, subject=f"Accepted: {summary}", calendar=calendar, counts=False)
            self.oracle.accept(guest, summary)
        else:
            self.writes(user, guest, subject=summary, calendar=calendar)

    def bounces(self, number: int, address: str, mailbox: str) -> None:
        """A delivery report about a mail of ours: that address doesn't exist."""
        self.clock.moment += timedelta(minutes=1)
        report = REPORT.format(number=number, address=address, mailbox=mailbox)
        self.server.deliver(mailbox, "INBOX", report.replace("\n", "\r\n").encode(), self.clock())
        self.oracle.come_back(address)

    def closes(self, contact: str, how: str) -> None:
        """People win, lose or reopen the deal of a contact person."""
        getattr(self.acts, how)(self.deal_of(contact))
        self.oracle.close(contact, {"win": "won", "lose": "lost", "reopen": "open"}[how])

    def leaves(self, address: str) -> None:
        """A user is deactivated."""
        Switches(self.sandbox).deactivate(address)
        self.oracle.left.add(address)

    def _deliver(
        self,
        mailbox: str,
        folder: str,
        sender: str,
        to: str,
        answers: int | None,
        *,
        subject: str = "",
        extra: str = "",
        cc: str = "",
        visitor: str = "",
        counts: bool = True,
        calendar: tuple[str, str] = ("", ""),
    ) -> int:
        self._number += 1
        number = self._number
        self.clock.moment += timedelta(minutes=1)
        headers = (
            f"From: {sender}\r\nTo: {to}\r\nSubject: {subject or f'Mail {number}'}\r\n"
            f"Message-ID: <{number}@mail.example>\r\n"
            f"Date: {format_datetime(self.clock())}\r\n{extra}"
        )
        if cc:
            headers += f"Cc: {cc}\r\n"
        if answers is not None:
            headers += f"In-Reply-To: <{answers}@mail.example>\r\n"
            headers += f"References: <{answers}@mail.example>\r\n"
        body = f"Could we talk about number {number} of our plans for the year?"
        method, text = calendar
        kind = f"text/calendar; method={method}" if method else "text/plain"
        body = text.replace("\n", "\r\n") or body
        raw = f"{headers}MIME-Version: 1.0\r\nContent-Type: {kind}; charset=utf-8\r\n\r\n{body}\r\n"
        self.server.deliver(mailbox, folder, raw.encode(), self.clock())
        if counts:
            self.oracle.mail(
                number,
                self.clock(),
                visitor or sender,
                [to],
                cc=[cc] if cc else [],
                answers=answers,
                mailbox=mailbox.partition("@")[0],
                form=bool(visitor),
                subject=subject or f"Mail {number}",
            )
        return number

    # days

    def begin(self) -> None:
        """The receivers are known from the first day on."""
        self._wiring()  # writes the configuration
        with Ledger.open(self.home / "ledger.db") as ledger, ledger.transaction("receivers"):
            ledger.events.know(["hook", "chat"], self.clock() - timedelta(days=1))

    def ends(self, *, days: int = 20) -> None:
        """The day ends: rehearsed, then done, and nothing is left to do; later it is another day.

        The dry run must have said what was made, to the last record and token, and all must be as
        the oracle says.
        """
        self.oracle.ends(self.clock())
        if self.rough:
            self._get_through()
        else:
            self._as_predicted()
        writes = len(self.sandbox.writes())
        assert self._run() == 0
        assert len(self.sandbox.writes()) == writes, "a second run writes nothing"
        self.tell()
        self.check()
        self.clock.moment += timedelta(days=days)

    def _as_predicted(self) -> None:
        said = self.rehearse()
        before, spent = self._made(), self._spent()
        assert self._run() == 0
        made = {kind: now - before[kind] for kind, now in self._made().items()}
        tokens = self._spent() - spent
        assert (said["create"], said["tokens"]) == (made, tokens)
        assert said["deals_per"][self.config["deals"]["per"]] == made["deals"]
        self.tokens += tokens
        self.predicted.append(said)

    def _get_through(self) -> None:
        """Run until it is done: killed at ever later points, with answers lost and refused."""
        for number in range(7, 400, 41):
            self.sandbox.faults.add(
                Fault("drop" if number % 2 else "error", method="POST", path=".*", skip=number % 5)
            )
            failpoints.arm(kill_at=number, die=_die)
            try:
                if self._run() == 0:
                    break
            except Killed:
                continue
            finally:
                failpoints.arm()
                self.sandbox.faults.clear()
        self.clock.moment += timedelta(minutes=10)  # what may have been made has come to light
        assert self._run() == 0

    def tell(self) -> None:
        """What the courier of the service does."""
        to = receivers(load(self.home / "config.yaml"))
        with Ledger.open(self.home / "ledger.db") as ledger:
            deliver(ledger, to, self.clock)

    def check(self) -> None:
        """All that people see is as the oracle says, and nothing is there twice."""
        oracle = self.oracle
        assert self.deals() == oracle.shown_deals()
        assert self.leads() == oracle.shown_leads()
        assert self.organizations() == oracle.organizations
        assert self.people() == oracle.shown_people()
        assert self.mails() == oracle.shown_mails()
        assert self.tasks() == oracle.shown_tasks()
        assert self.meetings() == oracle.shown_meetings()
        assert self.notes() == sorted(oracle.notes)
        assert Counter(map(" ".join, self.hook.told())) == oracle.events
        for number, body in self.chat.taken.items():
            told = json.loads(self.hook.taken[number])
            assert not {"subject", "snippet"} & told.keys()
            said = (told.get(one) for one in ("name", "organization", "reason"))
            who = ", ".join(filter(None, said))
            link = f" (<{told['url']}|open in Pipedrive>)" if "url" in told else ""
            assert json.loads(body) == {"text": f"*{SAID[told['event']]}*: {who}{link}"}
        assert duplicates(self.sandbox) == []

    def rehearse(self) -> dict[str, Any]:
        """What `--dry-run --json` says."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            status = dry_run(
                self._wiring(), since=None, mailbox=None, sync_only=False, as_json=True
            )
        assert status == 0
        found: dict[str, Any] = json.loads(out.getvalue())
        return found

    def _run(self) -> int:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return catch_up(
                self._wiring(), since=None, mailbox=None, intake_only=False, sync_only=False
            )

    def _wiring(self) -> Wiring:
        path = self.home / "config.yaml"
        path.write_text(yaml.safe_dump(dict(self.config), sort_keys=False))
        path.chmod(0o600)
        stop = threading.Event()
        stop.wait = self.clock.wait  # type: ignore[method-assign]
        return Wiring(load(path), now=self.clock, stop=stop)

    def _made(self) -> dict[str, int]:
        return {kind: len(self.acts.every(kind, deleted=True)) for kind in KINDS}

    def _spent(self) -> int:
        return sum(one.tokens for one in self.sandbox.requests_after(0))

    # looking

    def address(self, person_id: int | None) -> str:
        """The e-mail address of a person."""
        if person_id is None:
            return ""
        return str(self.acts.get("persons", person_id)["emails"][0]["value"])

    def owner(self, user_id: int) -> str:
        """The e-mail address of a user."""
        return str(self.acts.get("users", user_id)["email"])

    def labels(self, of: str, ids: Sequence[Any] | None) -> tuple[str, ...]:
        """The names of the labels of a lead, deal or person."""
        if of == "lead":
            names = {one["id"]: one["name"] for one in self.acts.every("lead_labels")}
        else:
            labels = (one for one in self.acts.every("labels") if one["entity"] == of)
            names = {one["id"]: one["label"] for one in labels}
        return tuple(sorted(names[one] for one in ids or ()))

    def deal_of(self, address: str) -> int:
        """The id of the latest deal whose contact person has this address."""
        found = [
            one for one in self.acts.every("deals") if self.address(one["person_id"]) == address
        ]
        return int(found[-1]["id"])

    def deals(self) -> list[tuple[str, str, str, str, tuple[str, ...], tuple[str, ...]]]:
        """Each deal: contact person, status, pipeline, owner, labels, participants."""
        pipelines = {one["id"]: one["name"] for one in self.acts.every("pipelines")}
        return sorted(
            (
                self.address(one["person_id"]),
                one["status"],
                pipelines[one["pipeline_id"]],
                self.owner(one["owner_id"]),
                self.labels("deal", one["label_ids"]),
                tuple(sorted(self.address(p["person_id"]) for p in one.get("_participants", ()))),
            )
            for one in self.acts.every("deals")
        )

    def leads(self) -> list[tuple[str, bool, str, tuple[str, ...]]]:
        """Each lead: its person, whether it is archived, its owner, its labels."""
        return sorted(
            (
                self.address(one["person_id"]),
                one["is_archived"],
                self.owner(one["owner_id"]),
                self.labels("lead", one["label_ids"]),
            )
            for one in self.acts.every("leads")
        )

    def organizations(self) -> dict[str, str]:
        """Each organization and its owner."""
        return {
            one["name"]: self.owner(one["owner_id"]) for one in self.acts.every("organizations")
        }

    def people(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Each person: owner and labels."""
        return {
            str(one["emails"][0]["value"]): (
                self.owner(one["owner_id"]),
                self.labels("person", one["label_ids"]),
            )
            for one in self.acts.every("persons")
        }

    def mails(self) -> Counter[tuple[str, str, str]]:
        """How many mails are logged under whom, on whose deal, owned by whom."""
        deals = {one["id"]: self.address(one["person_id"]) for one in self.acts.every("deals")}
        return Counter(
            (
                self.address(one["person_id"]),
                deals.get(one["deal_id"], ""),
                self.owner(one["owner_id"]),
            )
            for one in self.acts.every("activities")
            if one["type"] == "email" and not one["subject"].startswith(_BOUNCED)
        )

    def tasks(self) -> list[tuple[str, bool, str]]:
        """Each task: what it says, whether it is done, its owner."""
        return sorted(
            (one["subject"], one["done"], self.owner(one["owner_id"]))
            for one in self.acts.every("activities")
            if one["type"] == "task"
        )

    def meetings(self) -> list[tuple[str, str, str, str]]:
        """Each meeting: what it is, with whom, on whose deal, its owner."""
        deals = {one["id"]: self.address(one["person_id"]) for one in self.acts.every("deals")}
        return sorted(
            (
                one["subject"],
                self.address(one["person_id"]),
                deals.get(one["deal_id"], ""),
                self.owner(one["owner_id"]),
            )
            for one in self.acts.every("activities")
            if one["type"] == "meeting"
        )

    def notes(self) -> list[str]:
        """The addresses that activities say can't be reached."""
        said = (one["subject"] for one in self.acts.every("activities"))
        return sorted(one.removeprefix(_BOUNCED) for one in said if one.startswith(_BOUNCED))


class Killed(BaseException):
    """The process is dead."""


def _die() -> None:
    raise Killed


@contextmanager
def year(home: Path, **sections: Any) -> Iterator[Year]:
    """A company without mail; `sections` of the configuration come on top."""
    clock = Clock()
    company = Settings(burst=False, plan="ultimate", seats=5, conversion_polls=1)
    with (
        start_imap("auto", users=dict.fromkeys((ANN, BEN, SALES), "secret")) as server,
        hooked() as hook,
        hooked() as chat,
        contextlib.closing(
            Sandbox(home / "crm.db", settings=company, clock=clock.seconds)
        ) as sandbox,
        Server(sandbox) as pipedrive,
    ):
        acts = Acts(sandbox)
        for address in TEAM:
            acts.add_user(address.partition("@")[0].title(), address)
        events = [
            {"name": "hook", "url": hook.url, "kinds": EVENTS},
            {"name": "chat", "url": chat.url, "kinds": EVENTS, "format": "slack"},
        ]
        config = _config(server, pipedrive, home, {"events": events, **sections})
        oracle = Oracle(config["deals"]["per"], [CAT, DOV], acts.every("users")[0]["email"])
        opened = Year(home, server, sandbox, pipedrive, clock, config, oracle, hook, chat)
        opened.begin()
        yield opened


def _config(
    server: ImapServer, pipedrive: Server, home: Path, sections: Mapping[str, Any]
) -> dict[str, Any]:
    def mailbox(name: str, address: str, **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "host": server.host,
            "port": server.port,
            "tls": "none",
            "username": address,
            "password": "secret",
            "since": "2025-12-01",
            **more,
        }

    return {
        "mailboxes": [
            mailbox("ann", ANN, owner=ANN),
            mailbox("ben", BEN, owner=BEN),
            mailbox("sales", SALES),
        ],
        "pipedrive": {
            "base_url": pipedrive.url,
            "token": DEFAULT_TOKEN,
            "plan": "ultimate",
            "seats": 5,
            "pipeline": "Sales",
            "stage": "Initial Contact",
        },
        "us": {"domains": ["ours.example"]},
        "routes": [
            {
                "name": "partners",
                "domain": ["partner.example"],
                "pipeline": "Partners",
                "stage": "New",
                "owner": ["eva@ours.example"],
            },
            {
                "name": "group",
                "mailbox": ["sales"],
                "owner": [CAT, DOV],
                "labels": {"lead": ["Hot"], "deal": ["Warm"], "person": ["Customer"]},
            },
        ],
        "people": {"cc": "all"},
        "activities": {"follow_up": "2d"},
        "bounces": {"label": "Cold lead", "note": True},
        "fields": {"our_response_hours": True},
        "ledger": str(home / "ledger.db"),
        **sections,
    }
