"""A team of five and a year of its mail: three mailboxes on a real server, one Pipedrive, one clock.

`Year` is played in days: mail arrives and people act, then the dry run says what it would make, then
the real run makes it. Both read the same clock, which moves only when somebody waits.
"""

import contextlib
import io
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import yaml
from acts import Acts

from daemon.cli.catch_up import catch_up
from daemon.cli.dry_run import dry_run
from daemon.config import load
from daemon.sandbox.crm import Sandbox, Server, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sandbox.imap_server import ImapServer, start_imap
from daemon.wiring import Wiring

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
# Mailboxes: two of people, and one of the group address that the web form writes to.
ANN, BEN, SALES = "ann@ours.example", "ben@ours.example", "sales@ours.example"
TEAM = (ANN, BEN, "cat@ours.example", "dov@ours.example", "eva@ours.example")
FORM = "no-reply@forms.example"
KINDS = ("organizations", "persons", "leads", "deals", "activities")


class Clock:
    """One time for the program, the sandbox and the letters."""

    def __init__(self) -> None:
        self.moment = BEGIN

    def __call__(self) -> datetime:
        return self.moment

    def seconds(self) -> float:
        return self.moment.timestamp()

    def wait(self, seconds: float | None = None) -> bool:
        self.moment += timedelta(seconds=max(seconds or 0, 0.001))
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
    predicted: list[dict[str, Any]] = field(default_factory=list)
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
        return self.hears(FORM, SALES, subject="New enquiry", extra=f"Reply-To: {visitor}\r\n")

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
        raw = (
            f"{headers}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
            f"{body}\r\n"
        )
        self.server.deliver(mailbox, folder, raw.encode(), self.clock())
        return number

    # days

    def ends(self, *, days: int = 20) -> dict[str, Any]:
        """The day ends: rehearsed, then done, and nothing is left to do; later it is another day.

        Gives what was made. The dry run must have said it, to the last record and token.
        """
        said = self.rehearse()
        before, spent = self._made(), self._spent()
        assert self._run() == 0
        made = {kind: now - before[kind] for kind, now in self._made().items()}
        tokens = self._spent() - spent
        writes = len(self.sandbox.writes())
        assert self._run() == 0
        assert len(self.sandbox.writes()) == writes, "a second run writes nothing"
        assert (said["create"], said["tokens"]) == (made, tokens)
        assert said["deals_per"][self.config["deals"]["per"]] == made["deals"]
        self.predicted.append(said)
        self.clock.moment += timedelta(days=days)
        return made | {"tokens": tokens}

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

    def deal_of(self, address: str) -> int:
        """The id of the latest deal whose contact person has this address."""
        found = [
            one for one in self.acts.every("deals") if self.address(one["person_id"]) == address
        ]
        return int(found[-1]["id"])

    def deals(self) -> list[tuple[str, str, str, str, tuple[str, ...]]]:
        """Each deal: contact person, status, pipeline, owner, participants."""
        pipelines = {one["id"]: one["name"] for one in self.acts.every("pipelines")}
        return sorted(
            (
                self.address(one["person_id"]),
                one["status"],
                pipelines[one["pipeline_id"]],
                self.owner(one["owner_id"]),
                tuple(sorted(self.address(p["person_id"]) for p in one.get("_participants", ()))),
            )
            for one in self.acts.every("deals")
        )

    def leads(self) -> list[tuple[str, bool]]:
        """Each lead: its person, and whether it is archived."""
        return sorted(
            (self.address(one["person_id"]), one["is_archived"]) for one in self.acts.every("leads")
        )

    def mails(self) -> dict[str, dict[str, int]]:
        """By person, how many mails hang on whose deal; "" is none."""
        deals = {one["id"]: self.address(one["person_id"]) for one in self.acts.every("deals")}
        found: dict[str, dict[str, int]] = {}
        for one in self.acts.every("activities"):
            if one["type"] == "email":
                counts = found.setdefault(self.address(one["person_id"]), {})
                whose = deals.get(one["deal_id"], "")
                counts[whose] = counts.get(whose, 0) + 1
        return found


@contextmanager
def year(home: Path, **sections: Any) -> Iterator[Year]:
    """A company without mail; `sections` of the configuration come on top."""
    clock = Clock()
    company = Settings(burst=False, plan="ultimate", seats=5, conversion_polls=1)
    with (
        start_imap("auto", users=dict.fromkeys((ANN, BEN, SALES), "secret")) as server,
        contextlib.closing(
            Sandbox(home / "crm.db", settings=company, clock=clock.seconds)
        ) as sandbox,
        Server(sandbox) as pipedrive,
    ):
        acts = Acts(sandbox)
        for address in TEAM:
            acts.add_user(address.partition("@")[0].title(), address)
        yield Year(
            home, server, sandbox, pipedrive, clock, _config(server, pipedrive, home, sections)
        )


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
                "owner": ["cat@ours.example", "dov@ours.example"],
            },
        ],
        "ledger": str(home / "ledger.db"),
        **sections,
    }
