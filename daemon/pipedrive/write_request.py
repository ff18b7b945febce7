"""A change ready to be sent, and what came of it. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.pipedrive.objects import Links


@dataclass(frozen=True, slots=True)
class KnownDeal:
    """A deal as it was when it was last listed or looked at, which is a while ago."""

    id: str
    status: str = "open"
    archived: bool = False


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A change ready to be made: everything it hangs on has an id by now.

    All times are by Pipedrive's clock.
    """

    kind: str
    key: str
    action: str
    fields: Mapping[str, Any]
    links: Links
    target: str | None = None  # id of the record to update, archive, or of the lead to convert
    unknown: bool = False  # it may have been made already
    since: datetime | None = None  # when it was planned, which is before it was first sent
    settles_at: datetime | None = None  # until then, what was sent may still come to light
    conversion: str | None = None  # id of the conversion that is running
    deal: KnownDeal | None = None  # look first whether this one is still as it was


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: the record's id, or a conversion that is still running or has failed."""

    id: str | None = None
    conversion: str | None = None
    failed: bool = False
    archived: bool = False  # people archived the lead that was to be converted
    found: bool = False
    needless: bool = False  # it wasn't made, and needn't be any more
    people: Mapping[str, Any] | None = None  # what people made of it, so that it was left alone
    lead: str | None = None  # the lead that was to be made is a deal by now, and this was its id
