"""A new plan and the changes that are on their way by an earlier one."""

from collections.abc import Mapping

from daemon.ledger.journal import JournalRow
from daemon.rules.records import Adoption, Change
from daemon.sync.session import Session


def reconcile(
    session: Session, coming: Mapping[str, JournalRow], changes: list[Change]
) -> list[Change]:
    """Take back what is on its way and no longer wanted; what of the plan has to wait for it."""
    wanted: dict[str, Change] = {change.kind: change for change in changes}
    for row in coming.values():
        change = wanted.get(row.kind)
        if row.action == "archive" or "unlinked" in row.fields or not _can_be_taken_back(row):
            continue
        if change is None or change.action != row.action or row.action == "update":
            session.ledger.journal.drop(row)
    lead = coming.get("lead")
    if lead is not None and lead.action == "create" and not _can_be_taken_back(lead):
        # It may exist already: once that is known, this sender is planned again.
        return [change for change in changes if change.kind != "deal"]
    return changes


def take_back_creation(session: Session, adoption: Adoption, coming: dict[str, JournalRow]) -> None:
    """What would have been made was there before it was."""
    kind, journal = adoption.kind, session.ledger.journal
    row = journal.open_row(kind, adoption.key) if kind == "organization" else coming.get(kind)
    if row is not None and row.action == "create" and _can_be_taken_back(row):
        journal.drop(row)
        coming.pop(kind, None)


def _can_be_taken_back(row: JournalRow) -> bool:
    on_its_way = row.state == "sending" or row.unknown or row.conversion is not None
    # What waits after a failure keeps its pause.
    return not on_its_way and (row.state != "waiting" or row.action != "update")
