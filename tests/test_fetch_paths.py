"""Every way of fetching and parsing gives the senders that the oracle knows.

The ways differ in what servers are like (none of them is asked the same) and in what we found to
be fast; what a message says may depend on neither.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from company_kit import NOW, Office, reading
from oracle import expect
from test_end_to_end import states, wanted_states

from daemon.intake import parsing
from daemon.intake.poll import Pass, poll
from daemon.ledger.store import Ledger
from daemon.mailbox import fetch, fetched
from daemon.mailbox.connection import Connection, Response
from daemon.mailbox.fetch_response import Items, read_fetch
from daemon.mailbox.imap import Mailbox

Patch = pytest.MonkeyPatch


def as_it_is(_: Patch) -> None:
    pass


def one_by_one(patch: Patch) -> None:
    """One message a command, one command on the wire."""
    patch.setattr(fetch, "UNDER_WAY", 1)
    patch.setattr(fetch, "BATCH", 1)


def few_at_once(patch: Patch) -> None:
    """Many small commands on the wire."""
    patch.setattr(fetch, "UNDER_WAY", 32)
    patch.setattr(fetch, "BATCH", 7)


def early_text(patch: Patch) -> None:
    """A piece of the first part comes with the facts, as if all were few."""
    patch.setattr(fetch, "EARLY_FOR", 1_000_000)


def no_trust_in_structure(patch: Patch) -> None:
    """BODYSTRUCTURE is believed of no message: each is fetched from its beginning."""
    patch.setattr(fetched, "_agree", lambda *_: False)


def careful_with_structure(patch: Patch) -> None:
    """Every BODYSTRUCTURE is parsed for itself."""
    patch.setattr(fetch, "take_structure", lambda _: None)


def no_structure(patch: Patch) -> None:
    """The server leaves BODYSTRUCTURE out."""
    careful_with_structure(patch)

    def without(response: Response, *more: Any) -> Items | None:
        items = read_fetch(response, *more)
        return items and {key: value for key, value in items.items() if key != b"BODYSTRUCTURE"}

    patch.setattr(fetch, "read_fetch", without)


def like_gmail(patch: Patch) -> None:
    """X-GM-THRID is offered, asked for and answered."""
    connect: Callable[..., Mailbox] = Mailbox.connect
    send = Connection.send

    def connected(*arguments: Any) -> Mailbox:
        mailbox = connect(*arguments)
        # Private, since only a login learns what a server can; Dovecot can't be told to say this.
        mailbox._session.capabilities |= {"X-GM-EXT-1"}
        return mailbox

    def sent(wire: Connection, line: bytes, *more: Any) -> bytes:
        assert b"BODYSTRUCTURE" not in line or b" X-GM-THRID " in line
        return send(wire, line.replace(b" X-GM-THRID ", b" "), *more)

    def answered(response: Response, *more: Any) -> Items | None:
        items = read_fetch(response, *more)
        # UIDs of two folders may be the same; with the size they hardly are.
        same = [items.get(name) for name in (b"UID", b"RFC822.SIZE")] if items else []
        thread = b"".join(one for one in same if isinstance(one, bytes))
        return items and items | {b"X-GM-THRID": thread}

    patch.setattr(Mailbox, "connect", staticmethod(connected))
    patch.setattr(Connection, "send", sent)
    patch.setattr(fetch, "read_fetch", answered)


@pytest.mark.parametrize(
    "apart",
    [False, pytest.param(True, marks=pytest.mark.long)],
    ids=["parsed here", "parsed apart"],
)
@pytest.mark.parametrize(
    "way",
    [
        as_it_is,
        one_by_one,
        few_at_once,
        early_text,
        no_trust_in_structure,
        careful_with_structure,
        no_structure,
        like_gmail,
    ],
    ids=lambda way: way.__name__,
)
def test_the_senders_are_the_oracles(
    way: Callable[[Patch], None],
    apart: bool,
    company: Office,
    tmp_path: Path,
    monkeypatch: Patch,
) -> None:
    monkeypatch.setattr(parsing, "_cores", lambda: 2)
    way(monkeypatch)
    run = Pass(
        reading(company.scenario, 200),
        "sales",
        None,
        lambda: NOW,
        worth_a_process=1 if apart else None,
    )

    with Ledger.open(tmp_path / "ledger.db") as ledger:
        with Mailbox.connect(company.account("sales")) as mailbox:
            tally = poll(mailbox, ledger, run)

        assert (tally.problems, tally.quarantined) == ([], 0)
        seen = ledger.rows("SELECT count(*) AS n FROM sightings")[0]["n"]
        assert seen == len(company.scenario.mails)
        assert states(ledger) == wanted_states(expect(company.scenario))
