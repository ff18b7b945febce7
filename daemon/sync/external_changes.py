"""What people did in Pipedrive to what we know: buried, followed, and planned again."""

from daemon.ledger.timestamp import stamp
from daemon.log import event
from daemon.pipedrive import directory
from daemon.pipedrive.objects import Target
from daemon.rules.plan import Adoption
from daemon.sync.session import Session

BY_PEOPLE = "by people, in Pipedrive"


def notice(session: Session, place: Target, *, whole: bool) -> set[str]:
    """Respect what people did: bury what is gone, follow what they converted.

    Gives the senders that are to be planned again, as it has noted. `whole`: everything has just
    been listed, so what the lists don't show may be gone.
    """
    ledger, now = session.ledger, session.now()
    gone = _gone(session, place) if whole else []
    with ledger.transaction("notice"):
        touched: set[str] = set()
        for lead, deal in ledger.crm.converted_leads():
            # A person converted our lead in Pipedrive: its deal takes its place.
            ledger.records.bury("lead", lead.key, "converted", now, BY_PEOPLE)
            adoption = Adoption("deal", lead.key, str(deal), "converted from our lead", ours=True)
            ledger.records.adopt(adoption, lead.key, now)
            touched.add(lead.key)
        for lead in ledger.crm.archived_leads():
            ledger.records.bury("lead", lead.key, "archived", now, BY_PEOPLE)
            touched.add(lead.key)
        for kind, key in gone:
            touched |= set(ledger.records.senders_of(kind, key))
            ledger.records.bury(kind, key, "deleted", now, BY_PEOPLE)
        ledger.senders.touch(touched)
        if whole:
            ledger.set("swept_at", stamp(now))
    for kind, key in gone:
        event("sync.gone", kind=kind, key=key)
    return touched | _overtaken(session)


def _overtaken(session: Session) -> set[str]:
    """Senders for whom something waits to be made that people have made meanwhile."""
    found = session.ledger.journal.overtaken()
    if found:
        with session.ledger.transaction("touch"):
            session.ledger.senders.touch(found)
    return found


def _gone(session: Session, place: Target) -> list[tuple[str, str]]:
    """Records that a full listing didn't show, and that a look confirms to be gone."""
    code = place.codes.get("mail_key")
    gone: list[tuple[str, str]] = []
    for record in session.ledger.crm.unlisted():
        assert record.pipedrive_id is not None  # noqa: S101 - the query asks for it
        found = directory.look(session.client, record.kind, record.pipedrive_id, code)
        if found is None:
            gone.append((record.kind, record.key))
        else:
            with session.ledger.transaction("listing"):
                session.ledger.crm.keep([found], session.ledger.setting("sweep") or 0)
    return gone
