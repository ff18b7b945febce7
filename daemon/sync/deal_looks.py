"""Whether people have closed or reopened a deal since it was listed: asked before mail goes to it.

One deal is read for a token. Many are listed together, as that costs less.
"""

from datetime import datetime

from daemon.ledger.journal import JournalRow
from daemon.ledger.timestamp import instant_or_none
from daemon.pipedrive.costs import PRICES
from daemon.pipedrive.objects import Links
from daemon.pipedrive.write_request import KnownDeal
from daemon.rules.deals import PARTICIPANT
from daemon.sync.links import Around, first_live
from daemon.sync.refresh import listed_at, look_again
from daemon.sync.session import Session

_AT_MOST = PRICES["deals.list"].tokens // PRICES["deals.read"].tokens


class DealLooks:
    """The looks of one push; each is valid for as long as a listing (`pipedrive.refresh`)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._listed: datetime | None = None
        self._left = _AT_MOST
        self.should_list = False  # more looks would cost more than a listing

    def of(self, row: JournalRow, links: Links, around: Around) -> KnownDeal | None:
        """The deal to look at before this change is sent, if there is one."""
        if row.action != "create" or row.kind not in {"activity", PARTICIPANT}:
            return None
        deal = links.deal or row.fields.get("deal") or first_live("deal", row, around)
        since = self._session.now() - self._session.settings.refresh
        known = self._known(str(deal), since) if deal else None
        if known is None:
            return None
        session = self._session
        if not self._left:
            with session.ledger.transaction("look again"):
                look_again(session, {"deal"})
            self.should_list = True
            return None
        self._left -= 1
        session.looked[known.id] = session.now()
        return known

    def _known(self, deal: str, since: datetime) -> KnownDeal | None:
        """What is known of a deal, closed or not; None if it was seen after `since`."""
        session, ledger = self._session, self._session.ledger
        if self._listed is None:
            self._listed = instant_or_none(ledger.setting(listed_at("deal"))) or session.now()
        if max(self._listed, session.looked.get(deal, since)) > since:
            return None
        listed = ledger.crm.deal(deal)
        if listed is not None:
            return KnownDeal(deal, listed.status, listed.archived)
        written = (one.written_at for one in ledger.records.by_id("deal", deal))
        return None if any(at and at > since for at in written) else KnownDeal(deal)
