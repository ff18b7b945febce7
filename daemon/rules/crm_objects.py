"""Objects as Pipedrive lists them, as far as a plan depends on them. Pure data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListedPerson:
    """A person; `emails` are sender keys.

    `as_made`: it shows a value of ours, and nobody has written to it since it was made, so that we
    made it.
    """

    id: int
    name: str
    organization_id: int | None
    emails: tuple[str, ...]
    as_made: bool = False


@dataclass(frozen=True, slots=True)
class ListedOrganization:
    """An organization; `domain` is its website's registrable domain."""

    id: int
    name: str
    domain: str | None


@dataclass(frozen=True, slots=True)
class ListedDeal:
    """A deal, archived ones included; `mail_key` is our marker, `source_lead_id` its lead."""

    id: int
    person_id: int | None
    organization_id: int | None
    status: str
    archived: bool
    mail_key: str | None
    source_lead_id: str | None
    touched_at: str | None = None  # its last change

    @property
    def is_open(self) -> bool:
        """Whether new mail goes to it."""
        return self.status == "open" and not self.archived


@dataclass(frozen=True, slots=True)
class ListedLead:
    """A lead, archived ones included."""

    id: str
    person_id: int | None
    organization_id: int | None
    archived: bool
    mail_key: str | None


Listed = ListedPerson | ListedOrganization | ListedDeal | ListedLead
