"""Several addresses of one person, joined in Pipedrive where a mail proves it.

A sender who has no person yet, and whose answer proves that we know it by another address, gets no
person of its own: its address is added to that one's, once. What people make of it is theirs: an
address that they take out isn't added again.
"""

from dataclasses import replace
from typing import Any

from daemon.ledger.journal import JournalRow
from daemon.message.us import Us
from daemon.rules.joining import is_same_person, written_to_alone
from daemon.rules.records import Adoption, Change, LocalRecords, RemoteMatches
from daemon.rules.sender import SenderState
from daemon.sync.session import Session

JOINS = "joins"  # field of a change: the sender whose person gets the address
JOINED = "joined"  # field of a record: the run that added the address, 0 outside a run
PROOFS = 20  # answers that are looked at
_RECORDS = ("person", "lead", "deal")


def joined_to(
    session: Session,
    address: str,
    state: SenderState,
    known: LocalRecords,
    crm: RemoteMatches,
    us: Us,
) -> str | None:
    """The sender who is the same person as a new one; None if no mail proves it."""
    if not session.settings.join or known.person is not None or crm.persons:
        return None
    if state.first_contact is None:
        return None
    proofs = [(key, proof) for key, proof in state.proofs if proof.way != "subject"][:PROOFS]
    if not proofs:
        return None
    ledger = session.ledger
    keys = {key for key, _ in proofs} | {proof.answered for _, proof in proofs}
    messages = {key: stored.message for key, stored in ledger.messages.stored(keys).items()}
    for key, proof in proofs:
        ours, answer = messages.get(proof.answered), messages.get(key)
        other = written_to_alone(ours, us) if ours else None
        if answer is None or other is None or answer.from_ is None or answer.from_.key != address:
            continue
        # The later sender joins the earlier one, so two never wait for each other.
        names = ledger.histories.names_before(other.key, state.first_contact)
        if is_same_person(answer, other, names, us) and _has_person(session, other.key):
            return other.key
    return None


def _has_person(session: Session, sender: str) -> bool:
    """Whether a sender has a person, or gets one."""
    record = session.ledger.records.get("person", sender)
    if record is not None:
        return record.tombstone is None and record.pipedrive_id is not None
    row = session.ledger.senders.get(sender)
    if row is None or row.class_.name == "ignore":
        return False
    return row.version > row.synced_version or is_coming(session, sender)


def join_person(person: Change, other: str, class_: str) -> Change:
    """The change that adds an address to the person of another, in place of one of its own."""
    fields = {JOINS: other, "class": class_}
    return replace(person, action="update", fields=fields, organization=None)


def is_coming(session: Session, sender: str) -> bool:
    """Whether a person, lead or deal of a sender is being made."""
    rows = session.ledger.journal.open_rows(sender)
    coming = (rows[kind] for kind in _RECORDS if kind in rows)
    return any(row.action == "create" and row.state != "parked" for row in coming)


def waits(session: Session, row: JournalRow) -> bool:
    """Whether the records of the person that gets an address are still to be planned or made."""
    other = session.ledger.senders.get(row.fields[JOINS]) if JOINS in row.fields else None
    if other is None:
        return False
    return other.version > other.synced_version or is_coming(session, other.address)


def keep(session: Session, row: JournalRow, person: str) -> dict[str, Any]:
    """Let the person stand for the address that was added to it; what the record says of that."""
    records, other = session.ledger.records, row.fields[JOINS]
    known = records.get("person", other)
    reason = f"answered our mail to {other} under the same name"
    ours = known is not None and known.origin == "created"
    adoption = Adoption("person", row.key, person, reason, ours=ours)
    records.adopt(adoption, row.sender, session.now())
    return {"class": row.fields["class"], JOINED: session.run or 0}
