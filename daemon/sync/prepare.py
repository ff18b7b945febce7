"""Where records go: the stage by its name, our custom fields (found or made once), the owners."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from daemon.ledger.timestamp import instant, stamp
from daemon.pipedrive import directory
from daemon.pipedrive.costs import Call
from daemon.pipedrive.objects import FIELDS, Place
from daemon.plan import Adoption, Change
from daemon.sync.session import Session

_ASK_EVERY = timedelta(days=1)


def prepare(session: Session, push: Callable[[Place], object]) -> Place:
    """The place as the ledger knows it, asked for anew once a day or when it is configured anew.

    Missing fields are created through the journal by `push`; those that Pipedrive refuses are
    parked there, and everything else goes on without them. Raises Rejected for unknown names.
    """
    settings, ledger = session.settings, session.ledger
    wanted = [settings.pipeline, settings.stage, sorted(set(settings.owners.values()))]
    known = ledger.setting("place")
    if (
        known is None
        or known["wanted"] != wanted
        or session.now() - instant(known["at"]) >= _ASK_EVERY
    ):
        known = _ask(session, wanted)
    if session.ledger.journal.ready_of("field", session.now()):
        push(Place(known["stage_id"]))
    return Place(known["stage_id"], _codes(session), known["owners"])


def _ask(session: Session, wanted: list[Any]) -> dict[str, Any]:
    settings, ledger, client = session.settings, session.ledger, session.client
    me = client.send(Call.to("users.me")).data
    stage = directory.place(client, settings.pipeline, settings.stage)
    addresses = frozenset(address.lower() for address in settings.owners.values())
    owners = directory.owners(client, addresses) if addresses else {}
    found = directory.fields(client)
    known = {
        "wanted": wanted,
        "at": stamp(session.now()),
        "stage_id": stage,
        "owners": owners,
    }
    with ledger.transaction("place"):
        ledger.set("place", known)
        ledger.set("pipedrive_url", f"https://{me['company_domain']}.pipedrive.com")
        _keep_fields(session, found)
    return known


def _keep_fields(session: Session, found: dict[str, str]) -> None:
    """Adopt the fields that are there; plan those that aren't, unless they were deleted."""
    ledger, now = session.ledger, session.now()
    for key, (of, name, type_) in FIELDS.items():
        record = ledger.records.get("field", key)
        code = found.get(key)
        if code is not None and (record is None or record.pipedrive_id != code):
            ledger.records.adopt(Adoption("field", key, code, "its name and type"), None, now)
        elif code is None and record is None:
            fields = {"of": of, "name": name, "type": type_}
            ledger.journal.plan(Change("field", key, "create", fields, "0"), now, session.run)
        elif code is None:
            ledger.records.bury("field", key, "deleted", now, "not among the fields any more")


def _codes(session: Session) -> dict[str, str]:
    live = ((key, session.ledger.records.live_id("field", key)) for key in FIELDS)
    return {key: code for key, code in live if code is not None}
