"""Records and what happens to them: the words that plan, ledger and sync share. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Kind = Literal["organization", "person", "lead", "deal", "participant", "activity", "field"]
Action = Literal["create", "update", "convert", "archive"]
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """One Pipedrive object as the ledger knows it; `fields` is what we last wrote."""

    kind: Kind
    key: str
    pipedrive_id: str | None
    origin: Literal["created", "adopted"]
    fields: Fields
    written_at: datetime | None = None
    tombstone: str | None = None
    shown: bool = True  # something of Pipedrive has shown it since we made it
    missing: bool = False  # the last looks didn't find it, which doesn't prove that it is gone


@dataclass(frozen=True, slots=True)
class Change:
    """One create, update, convert or archive that makes a record agree with the ledger."""

    kind: Kind
    key: str
    action: Action
    fields: Fields
    rank: str
    sender: str | None = None
    organization: str | None = None
    not_before: datetime | None = None
    deal: str | None = None  # the sender whose deal, which is on its way, it waits for


@dataclass(frozen=True, slots=True)
class Adoption:
    """An object that people made and that stands for this sender from now on."""

    kind: Kind
    key: str
    pipedrive_id: str
    reason: str
    ours: bool = False  # it carries our Mail key: made by us, before the ledger was lost


@dataclass(frozen=True, slots=True)
class CrmPerson:
    """A person that Pipedrive listed with the sender's address."""

    id: int
    organization_id: int | None
    # We made it: for another address of the same person, a moment ago, or out of an earlier ledger.
    ours: bool = False
    name: str | None = None  # as it was listed last


@dataclass(frozen=True, slots=True)
class CrmDeal:
    """A deal of the sender's person; `mail_key` is our marker, if it carries it."""

    id: int
    status: str
    archived: bool
    mail_key: str | None = None
    source_lead_id: str | None = None
    touched_at: str | None = None  # its last change, as it was listed

    @property
    def is_open(self) -> bool:
        """Whether people still work on it."""
        return self.status == "open" and not self.archived


@dataclass(frozen=True, slots=True)
class CrmLead:
    """A lead of the sender's person."""

    id: str
    archived: bool
    mail_key: str | None = None


@dataclass(frozen=True, slots=True)
class RemoteMatches:
    """What the CRM already holds that may stand for the sender."""

    persons: tuple[CrmPerson, ...] = ()
    organization: tuple[int, str] | None = None  # id and why this one
    deals: tuple[CrmDeal, ...] = ()
    leads: tuple[CrmLead, ...] = ()

    def has_open(self, deal: Record) -> bool:
        """Whether this deal of ours is open; one that isn't listed yet was just made."""
        listed = (one for one in self.deals if str(one.id) == deal.pipedrive_id)
        return not deal.tombstone and all(one.is_open for one in listed)


@dataclass(frozen=True, slots=True)
class LocalRecords:
    """The sender's records in the ledger."""

    organization: Record | None = None
    person: Record | None = None
    lead: Record | None = None
    deal: Record | None = None
