"""The team's next steps: labels, tasks to answer, bounces and a receiver that is down for a day.

Played like `test_team_year`: each day is rehearsed first, which has to predict it to the token.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from team import ANN, BEN, SALES, Year, year

from daemon.config import load
from daemon.errors import RetryLater
from daemon.ledger.store import Ledger
from daemon.rules.events import News, slack
from daemon.sandbox.imap_server import installed
from daemon.service.events import Receiver, deliver, receivers

ADA, ABE, BOB, GUS = "ada@acme.com", "abe@acme.com", "bob@beta.com", "gus@gamma.com"
EVERYTHING: dict[str, Any] = {
    "activities": {"follow_up": "2d"},
    "bounces": {"label": "Cold lead"},
    "fields": {"our_response_hours": True},
    "events": [{"name": "chat", "url": "https://chat.invalid/hook", "format": "slack"}],
    "routes": [
        {
            "name": "group",
            "mailbox": ["sales"],
            "owner": [ANN, BEN],
            "labels": {"lead": ["Hot"], "deal": ["Warm"], "person": ["Customer"]},
        }
    ],
}


@dataclass
class Chat:
    """A Slack-like receiver that keeps what it was told, and may be down."""

    told: list[str] = field(default_factory=list)
    ids: set[tuple[str, str]] = field(default_factory=set)
    down: bool = False

    def hears(self, news: News) -> None:
        if self.down:
            raise RetryLater("is down", what="chat")
        assert (news.kind, news.key) not in self.ids, "told twice"
        self.ids.add((news.kind, news.key))
        self.told.append(f"{news.kind} {news.sender}")
        assert slack(news)["text"]


@pytest.fixture(params=("person", "conversation", "organization"))
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Year]:
    if "dovecot" not in installed():
        pytest.skip("Dovecot 2.3 isn't installed")
    with year(tmp_path, deals={"per": request.param}, **EVERYTHING) as opened:
        yield opened


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Chat:
    made = Chat()
    monkeypatch.setattr(Receiver, "tell", made.hears)
    return made


def tell(team: Year) -> None:
    """What the courier of the service does."""
    to = receivers(load(team.home / "config.yaml"))
    with Ledger.open(team.home / "ledger.db") as ledger:
        deliver(ledger, to, team.clock)


def begin(team: Year) -> None:
    """The receiver is known from the first day on."""
    team.rehearse()  # writes the configuration
    with Ledger.open(team.home / "ledger.db") as ledger, ledger.transaction("receivers"):
        ledger.events.know(["chat"], team.clock() - timedelta(days=30))


def tasks(team: Year) -> list[tuple[str, bool, str]]:
    return sorted(
        (one["subject"], one["done"], team.owner(one["owner_id"]))
        for one in team.acts.every("activities")
        if one["type"] == "task"
    )


def labels(team: Year, kind: str, *ids: Any) -> list[str]:
    if kind == "lead":
        return [one["name"] for one in team.acts.every("lead_labels") if one["id"] in ids]
    return [
        one["label"]
        for one in team.acts.every("labels")
        if one["entity"] == kind and one["id"] in ids
    ]


def person(team: Year, address: str) -> dict[str, Any]:
    return next(
        one
        for one in team.acts.every("persons")
        if any(entry["value"] == address for entry in one["emails"])
    )


def test_what_the_team_does_next(team: Year, chat: Chat) -> None:
    begin(team)
    ada = team.hears(ADA, subject="Prices")
    bob = team.hears(BOB, ANN, subject="Offer")
    made = team.ends(days=3)
    assert (made["leads"], made["activities"]) == (2, 2)
    tell(team)
    assert sorted(chat.told) == [f"lead_created {ADA}", f"lead_created {BOB}"]
    (lead,) = [one for one in team.acts.every("leads") if "Ada" in one["title"]]
    assert labels(team, "lead", *lead["label_ids"]) == ["Hot"]
    assert labels(team, "person", *person(team, ADA)["label_ids"]) == ["Customer"]
    owner = team.owner(lead["owner_id"])

    # Nobody has answered: one task each, told once although the receiver is down for a day.
    chat.down = True
    made = team.ends(days=1)
    assert made["activities"] == 2
    assert tasks(team) == [("Answer Ada: Prices", False, owner), ("Answer Bob: Offer", False, ANN)]
    tell(team)
    tell(team)
    assert len(chat.told) == 2
    team.clock.moment += timedelta(days=1)
    chat.down = False
    tell(team)
    assert sorted(chat.told[2:]) == [f"follow_up_due {ADA}", f"follow_up_due {BOB}"]

    # Ada is answered, with Abe in copy, who answers; Bob insists.
    answer = team.writes(SALES, ADA, answers=ada, cc=ABE)
    team.hears(ABE, answers=answer, subject="Re: Prices")
    team.hears(BOB, ANN, subject="Offer?")
    team.ends(days=1)
    assert tasks(team) == [("Answer Ada: Prices", True, owner), ("Answer Bob: Offer?", False, ANN)]
    deal = team.acts.get("deals", team.deal_of(ADA))
    assert labels(team, "deal", *deal["label_ids"]) == ["Warm"]

    # Ann changes Bob's task by hand, and her answer comes back for good.
    (task,) = [one["id"] for one in team.acts.every("activities") if "Bob" in one["subject"]]
    team.acts.rename("activities", task, "Ring Bob")
    sent = team.writes(ANN, BOB, answers=bob)
    bounced(team, sent, BOB)
    team.ends(days=5)
    assert ("Ring Bob", False, ANN) in tasks(team)
    assert labels(team, "person", *person(team, BOB)["label_ids"]) == ["Cold lead"]

    # Abe, who has an open deal of his own or by joining Ada's, waits for an answer by now.
    made = team.ends(days=40)
    assert [subject for subject, done, _ in tasks(team) if not done] == [
        "Answer Abe: Re: Prices",
        "Ring Bob",
    ]
    # Bob writes from the same address again: it is alive, and Ann's own task still stands.
    team.hears(BOB, ANN, subject="Back again")
    team.ends(days=3)
    assert labels(team, "person", *person(team, BOB)["label_ids"]) == []
    team.ends(days=1)
    assert sum(not done for _, done, _ in tasks(team)) == 2
    tell(team)
    assert f"first_reply {ABE}" in chat.told


def bounced(team: Year, number: int, address: str) -> None:
    """A delivery report about a mail of ours."""
    status = (
        "Reporting-MTA: dns; mx.beta.com\r\n\r\n"
        f"Final-Recipient: rfc822; {address}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    )
    team.server.deliver(
        ANN,
        "INBOX",
        (
            "From: Mail Delivery System <MAILER-DAEMON@mx.beta.com>\r\n"
            f"To: {ANN}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
            f"Message-ID: <bounce-{number}@mx.beta.com>\r\nAuto-Submitted: auto-replied\r\n"
            "MIME-Version: 1.0\r\nContent-Type: multipart/report;"
            ' report-type=delivery-status; boundary="b"\r\n\r\n'
            "--b\r\nContent-Type: text/plain\r\n\r\nNo such user.\r\n"
            f"--b\r\nContent-Type: message/delivery-status\r\n\r\n{status}"
            "--b\r\nContent-Type: message/rfc822\r\n\r\n"
            f"Message-ID: <{number}@mail.example>\r\nSubject: Offer\r\n\r\nHello\r\n--b--\r\n"
        ).encode(),
        team.clock(),
    )
