"""FLOW mailbox ↔ ledger ↔ Pipedrive: where the three don't agree, one line a gap.

    every UID of every folder ↔ sightings · every contact message ↔ its activity ·
    every record ↔ Pipedrive · every sender ↔ its state computed anew

Looking changes nothing, here or there. `close` has the everyday flows read, plan and mark as gone
what is missing. A change that waits in the journal isn't a gap.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path

from daemon.errors import LedgerProblem, Problem
from daemon.intake import rebuilding, restored
from daemon.intake.states import ScoringSettings
from daemon.ledger import reports
from daemon.ledger.folders import FolderRow
from daemon.ledger.store import Ledger
from daemon.mailbox.imap import Mailbox
from daemon.maintenance.doubles import OtherLedger, doubles
from daemon.pipedrive import directory, participants
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import PLURALS, PRICES, Call
from daemon.pipedrive.outcomes import Gone
from daemon.pipedrive.paging import PAGE
from daemon.wiring import Wiring
from daemon.wiring.settings import scoring_settings

Show = Callable[[str, int, int], object]  # phase, done, total (0: unknown)

_PAGE = 10_000  # UIDs or records in memory at once, however many there are


@dataclass(frozen=True, slots=True)
class Gap:
    """One disagreement: `kind` is what is missing, `key` where or which, `why` in words."""

    kind: str
    key: str
    why: str = ""
    gone: bool = False  # a record that Pipedrive doesn't show
    sender: str | None = None  # whose message has no activity


def price(ledger: Ledger) -> int:
    """About how many tokens an audit takes: records by ids, then every list, as far as is known."""
    ours, total = ledger.counts("records"), 0
    for kind in (*directory.KINDS, "activity"):
        mine = ours.get(kind, 0)
        known = mine if kind == "activity" else max(mine, ledger.crm.count(kind))
        calls = ceil(mine / directory.IDS) + max(1, ceil(known / PAGE))
        total += calls * PRICES[f"{PLURALS[kind]}.list"].tokens
    total += ours.get("participant", 0) * PRICES["participants.list"].tokens  # at most: by deal
    return total + sum(PRICES[f"{of}_fields.list"].tokens for of in ("person", "deal"))


def all_gaps(wiring: Wiring, ledger: Ledger, show: Show) -> list[Gap]:
    """Every disagreement between the mailboxes, the ledger and Pipedrive."""
    gaps: list[Gap] = []
    boxes = wiring.config.mailboxes
    for done, box in enumerate(boxes):
        show("comparing mailboxes", done, len(boxes))
        try:
            with Mailbox.connect(wiring.account(box)) as mailbox:
                mailbox.folders()
                gaps += mailbox_gaps(mailbox, ledger, box.name)
        except LedgerProblem:
            raise
        except Problem as problem:  # the other mailboxes are compared all the same
            gaps.append(Gap("mailbox", box.name, f"not compared: {problem}"))
    show("comparing mailboxes", len(boxes), len(boxes))
    if wiring.config.activities.emails:
        gaps += activity_gaps(ledger)
    session = wiring.session(ledger, None)
    try:
        gaps += record_gaps(ledger, session.client, show)
        gaps += participant_gaps(ledger, session.client)
        show("looking for what exists twice", 0, 0)
        other = OtherLedger(ledger, session.now())
        gaps += (
            Gap(
                "double",
                f"{kind} {key}",
                f"{len(ids)} in Pipedrive: {', '.join(ids)}; merge them there",
            )
            for kind, key, ids in doubles(ledger, session.client, other)
        )
        if sentence := other.sentence():
            gaps.append(Gap("ledger", "of somebody else", sentence))
    finally:
        session.client.close()
    show("computing senders anew", 0, 0)
    gaps += state_gaps(ledger, scoring_settings(wiring.config))
    return gaps


def mailbox_gaps(mailbox: Mailbox, ledger: Ledger, name: str) -> Iterator[Gap]:
    """UIDs on the server that the ledger hasn't looked at, and those in quarantine."""
    for folder in ledger.folders.of(name):
        where = f"{name}/{folder.name}"
        try:
            if mailbox.closed:  # over the folder before
                mailbox.reconnect()
            yield from _folder_gaps(mailbox, ledger, folder, where)
        except LedgerProblem:
            raise
        except Problem as problem:
            yield Gap("folder", where, f"not compared: {problem}")
    for row in ledger.quarantine.entries(name):
        yield Gap("quarantined", f"{name}/{row['name']} UID {row['uid']}", row["reason"])


def _folder_gaps(mailbox: Mailbox, ledger: Ledger, folder: FolderRow, where: str) -> Iterator[Gap]:
    status = mailbox.examine(folder.name)
    if folder.uidvalidity != status.uidvalidity:
        yield Gap("epoch", where, "UIDVALIDITY has changed: not read again yet")
        return
    since = folder.floor.date() if folder.floor else None
    uids = sorted(mailbox.uids(since=since))
    for start in range(0, len(uids), _PAGE):
        page = uids[start : start + _PAGE]
        known = ledger.sightings.known_uids(folder.id, status.uidvalidity, page[0], page[-1])
        for uid in page:
            if uid not in known:
                yield Gap("message", f"{where} UID {uid}", "not read")
    told: list[Problem] = []
    for uid in restored.other_mail(mailbox, ledger, folder, uids, told.append):
        yield Gap("message", f"{where} UID {uid}", "not the mail that was read there")
    for problem in told:
        yield Gap("folder", where, f"not compared as a whole: {problem}")


def activity_gaps(ledger: Ledger) -> Iterator[Gap]:
    """Contact messages of senders with a person that have no activity, nor one on its way."""
    for key, sender in ledger.activities.without_activity():
        yield Gap("activity", key, f"message of {sender}", sender=sender)
    for row in reports.parked(ledger):
        yield Gap("parked", f"{row['action']} {row['kind']} {row['key']}", row["last_error"] or "")


def record_gaps(ledger: Ledger, client: Client, show: Show = lambda *_: None) -> Iterator[Gap]:
    """Records that Pipedrive doesn't show any more: a list by ids each hundred."""
    code = ledger.records.live_id("field", "mail_key")
    total, done = sum(ledger.counts("records").values()), 0
    for kind in (*directory.KINDS, "activity"):
        last = ""
        while page := ledger.records.live_page(kind, last, _PAGE):
            show("comparing records", done, total)
            last, _ = page[-1]
            there = _there(client, kind, sorted({identifier for _, identifier in page}), code)
            for key, identifier in page:
                if identifier not in there:
                    yield Gap(kind, key, f"{identifier} isn't in Pipedrive", gone=True)
            done += len(page)
    show("comparing records", total, total)


def participant_gaps(ledger: Ledger, client: Client) -> Iterator[Gap]:
    """Participants that we added and that their deal doesn't show any more."""
    by_deal: dict[str, list[tuple[str, str]]] = {}
    last = ""
    while page := ledger.records.live_page("participant", last, _PAGE):
        last, _ = page[-1]
        for key, identifier in page:
            by_deal.setdefault(key.partition(" ")[0], []).append((key, identifier))
    for deal, parts in by_deal.items():
        there = set(_participants(client, deal))
        for key, identifier in parts:
            if identifier not in there:
                yield Gap("participant", key, f"{identifier} isn't in Pipedrive", gone=True)


def _participants(client: Client, deal: str) -> Iterable[str]:
    try:
        return participants.listed(client, deal).values()
    except Gone:
        return ()


def _there(client: Client, kind: str, ids: list[str], code: str | None) -> set[str]:
    if kind != "activity":
        return {str(item.id) for page in directory.own(client, kind, ids, code) for item in page}
    found: set[str] = set()
    for start in range(0, len(ids), directory.IDS):
        query = {"ids": ",".join(ids[start : start + directory.IDS])}
        for page in client.pages(Call.to("activities.list", query=query)):
            found |= {str(row["id"]) for row in page}
    return found


def state_gaps(ledger: Ledger, settings: ScoringSettings) -> Iterator[Gap]:
    """Senders whose state isn't what their messages say: where there are any, found on a copy.

    The class isn't compared: it is the sync's, which knows what people have in Pipedrive.
    """
    if rebuilding.is_right(ledger, settings):
        return
    with tempfile.TemporaryDirectory(prefix="mail2deal-") as directory_:
        copy = Path(directory_) / "ledger.db"
        ledger.copy_to(copy)
        with Ledger.open(copy) as rebuilt:
            with rebuilt.transaction("before"):
                rebuilt.states.keep()
                rebuilt.states.distrust()
            rebuilding.rebuild(rebuilt, settings)
            for address in rebuilt.states.changed():
                yield Gap("state", address, "isn't what its messages say")


def close(ledger: Ledger, settings: ScoringSettings, gaps: list[Gap], now: datetime) -> None:
    """Let the next intake and sync close the gaps: due again, marked gone or computed anew."""
    with ledger.transaction("close gaps"):
        ledger.folders.read_again()
        ledger.quarantine.release(now)
        ledger.journal.retry()
        touched: set[str] = set()
        for gap in gaps:
            if gap.gone:
                touched |= set(ledger.records.senders_of(gap.kind, gap.key))
                ledger.records.mark_gone(
                    gap.kind, gap.key, "deleted", now, "found gone by an audit"
                )
            elif gap.sender is not None:
                touched.add(gap.sender)
            elif gap.kind == "state":  # the digest may be that of the right state
                ledger.states.distrust(gap.key)
        ledger.senders.touch(touched)
    if any(gap.kind == "state" for gap in gaps):
        rebuilding.rebuild(ledger, settings)
