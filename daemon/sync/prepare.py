"""Where records go: the stage by its name, our custom fields (found or made once), the owners."""

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any

from daemon.errors import ConfigProblem
from daemon.ledger.timestamp import instant, stamp
from daemon.log import event
from daemon.pipedrive import company
from daemon.pipedrive.costs import Call
from daemon.pipedrive.objects import FIELDS, Target
from daemon.rules.case import STATISTICS, USUAL_STATISTICS
from daemon.rules.records import Adoption, Change
from daemon.rules.routing import Route
from daemon.sync.relocation import COMPANY_ID
from daemon.sync.routes import stage_name
from daemon.sync.session import Session

# Parts of `conditions`: which owner has left, which label is gone.
OWNER, LABEL = "owner", "label"
_ASK_EVERY = timedelta(days=1)


def prepare(session: Session) -> Target:
    """The place as the ledger knows it, asked for anew once a day or when it is configured anew.

    Who of the owners has left is also asked at each start, and whether a field is there by now that
    waits to be made: this ledger may be a backup. Missing fields are planned in the
    journal, to be pushed before anything that shows them. Raises ConfigProblem for unknown names.
    """
    settings, ledger = session.settings, session.ledger
    places = {stage_name(one): one.place for one in settings.routes if one.place}
    wanted: list[Any] = [settings.pipeline, settings.stage]
    wanted += [sorted(_owners(session)), sorted(places)]
    wanted += sorted(set(settings.policy.fields) - set(USUAL_STATISTICS))
    if labels := wanted_labels(settings.routes, settings.policy.bounce.label):
        wanted.append(labels)
    marks = ledger.settings("place", "fields_written")
    known = marks.get("place")
    if (
        known is None
        or known["wanted"] != wanted
        or session.now() - instant(known["at"]) >= _ASK_EVERY
        or (not session.client.answered and ledger.backlog.keys("field"))
    ):
        known = _ask(session, wanted, known)
    elif not session.client.answered:
        known = _start(session, known)
    codes = ledger.records.live_ids("field")
    _follow_fields(session, codes, marks.get("fields_written"))
    return Target(
        known["stage_id"],
        codes,
        known["owners"],
        known.get("stages", {}),
        known.get("labels", {}),
        job_titles=known.get("job_titles", False),
    )


def wanted_labels(routes: Iterable[Route], bounce: str | None = None) -> dict[str, list[str]]:
    """The names of all labels that are given, by the kind of what has them."""
    found: dict[str, set[str]] = {"person": {bounce}} if bounce else {}
    for one in routes:
        for kind, names in one.labels.items():
            if names:
                found.setdefault(kind, set()).update(names)
    return {kind: sorted(names) for kind, names in sorted(found.items())}


def _owners(session: Session) -> frozenset[str]:
    """The addresses of all users who may own what we make."""
    settings = session.settings
    routed = (owner for one in settings.routes for owner in one.owners)
    return frozenset(address.lower() for address in (*settings.owners.values(), *routed))


def forget_place(session: Session) -> None:
    """Ask for stage and fields again in the next pass; called inside a transaction."""
    known = session.ledger.setting("place")
    if known is not None:
        session.ledger.set("place", known | {"at": "1970-01-01T00:00:00Z"})


def _ask(session: Session, wanted: list[Any], known: dict[str, Any] | None) -> dict[str, Any]:
    ledger, client = session.ledger, session.client
    me = client.send(Call.to("users.me"))
    stage = _stage(session, wanted, known)
    owners = _active_owners(session)
    stages = {
        stage_name(one): company.place(client, *one.place)
        for one in session.settings.routes
        if one.place
    }
    found = company.definitions(client)
    settings = session.settings
    labels = wanted_labels(settings.routes, settings.policy.bounce.label)
    there = dict(found.labels)
    if "lead" in labels:
        there["lead"] = company.lead_labels(client)
    before = known.get("labels", {}) if known and known["wanted"] == wanted else None
    place = {
        "wanted": wanted,
        "at": stamp(session.now()),
        "stage_id": stage,
        "owners": owners,
        "stages": stages,
        "labels": _labels(session, labels, there, before),
        "job_titles": found.job_titles,
    }
    with ledger.transaction("place"):
        ledger.set("place", place)
        ledger.set("pipedrive_url", f"https://{me.identifier('company_domain')}.pipedrive.com")
        ledger.set(COMPANY_ID, me.object.get("company_id"))
        _keep_fields(session, found.codes)
    return place


def _start(session: Session, known: dict[str, Any]) -> dict[str, Any]:
    """Ask what a start needs although the place is known: the time there, and who has left."""
    session.client.send(Call.to("users.me"))  # before anything is dated
    owners = _active_owners(session)
    if owners != known["owners"]:
        known = known | {"owners": owners}
        with session.ledger.transaction("place"):
            session.ledger.set("place", known)
    return known


def _active_owners(session: Session) -> dict[str, int]:
    """Ids of the users who own what we make, by address; who has left is told and left out."""
    addresses, conditions = _owners(session), session.ledger.conditions
    ids, left = company.owners(session.client, addresses)[:2] if addresses else ({}, [])
    if not left and not conditions.of(OWNER):
        return ids
    now = session.wall()
    with session.ledger.transaction("owners"):
        conditions.keep_only(OWNER, left)
        for address in left:
            why = f"{address} is deactivated: others own what is made from now on"
            if not conditions.is_failing(OWNER, address):
                event("sync.owner_left", logging.WARNING, owner=address)
            conditions.failed(OWNER, why, now, address, needs_person=True)
    return ids


def _labels(
    session: Session,
    wanted: Mapping[str, Collection[str]],
    there: Mapping[str, Mapping[str, int | str]],
    before: Mapping[str, Mapping[str, int | str]] | None,
) -> dict[str, dict[str, int | str]]:
    """The ids of labels by kind and name; `before`: as they were found, if all of them once were.

    One that people have renamed stays the same label; without one that they have deleted, records
    are made all the same, and it is told.
    """
    if before is None:
        return company.chosen_labels(wanted, there)
    chosen: dict[str, dict[str, int | str]] = {}
    gone: list[str] = []
    for kind, names in wanted.items():
        for name in names:
            ids = there.get(kind, {})
            found, known = company.label_id(name, ids), before.get(kind, {}).get(name)
            if found is None and known in ids.values():
                found = known
            if found is None:
                gone.append(f"{name} of a {kind}")
            else:
                chosen.setdefault(kind, {})[name] = found
    conditions, now = session.ledger.conditions, session.wall()
    with session.ledger.transaction("labels"):
        conditions.keep_only(LABEL, gone)
        for label in gone:
            if not conditions.is_failing(LABEL, label):
                event("sync.label_gone", logging.WARNING, label=label)
            why = f"there is no label {label} any more: what is made gets none"
            conditions.failed(LABEL, why, now, label, needs_person=True)
    return chosen


def _stage(session: Session, wanted: list[Any], known: dict[str, Any] | None) -> int:
    """The stage by its name; one that people have renamed since stays the same stage."""
    try:
        return company.place(session.client, session.settings.pipeline, session.settings.stage)
    except ConfigProblem as problem:
        before = known["stage_id"] if known and known["wanted"][:2] == wanted[:2] else None
        if before is None or not company.has_stage(session.client, before):
            raise
        event("sync.stage_renamed", logging.WARNING, stage_id=before, problem=problem)
        return int(before)


def _keep_fields(session: Session, found: dict[str, str]) -> None:
    """Adopt the fields that are there; plan those that aren't, unless they were deleted."""
    ledger, now = session.ledger, session.now()
    for key, (of, name, type_) in FIELDS.items():
        if key in STATISTICS and key not in session.settings.policy.fields:
            continue
        record = ledger.records.get("field", key)
        code = found.get(key)
        if code is not None:
            if record is None or record.pipedrive_id != code or record.tombstone:
                ledger.records.adopt(Adoption("field", key, code, "its name and type"), None, now)
            waiting = ledger.journal.open_row("field", key)
            if waiting is not None:  # refused to us, or unknown; somebody has made it
                ledger.journal.drop(waiting)
        elif record is None:
            fields = {"of": of, "name": name, "type": type_}
            ledger.journal.plan(Change("field", key, "create", fields, "0"), now, session.run)
        elif not record.tombstone:
            ledger.records.mark_gone("field", key, "deleted", now, "not among the fields any more")
            event("sync.gone", kind="field", key=key)


def _follow_fields(session: Session, codes: Mapping[str, str], before: list[str] | None) -> None:
    """Write the values of all persons when a field has come that wasn't there before."""
    ledger = session.ledger
    there = sorted(set(session.settings.policy.fields) & codes.keys())
    if there == before:
        return
    with ledger.transaction("fields"):
        if before is not None and set(there) - set(before):
            ledger.senders.touch(ledger.records.live_ids("person"))
            ledger.senders.touch(ledger.backlog.keys("person"))
        ledger.set("fields_written", there)
