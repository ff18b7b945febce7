"""What the company has set up in Pipedrive: pipelines, stages, users, custom fields and labels."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from daemon.errors import ConfigProblem
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.objects import FIELDS, as_list, number
from daemon.pipedrive.outcomes import Gone


def place(client: Client, pipeline: str | None, stage: str) -> int:
    """The id of a stage by the names of its pipeline (None: the first) and itself.

    Raises ConfigProblem listing the names that there are; stage names repeat across pipelines.
    """
    pipelines = _standing(client, Call.to("pipelines.list"))
    pipelines.sort(key=lambda p: number(p, "order_nr"))
    found = [p for p in pipelines if pipeline is None or _same(p.get("name"), pipeline)]
    if not found:
        raise ConfigProblem(
            f"there is no pipeline named {pipeline!r}",
            what="pipedrive.pipeline",
            hint="there are: " + ", ".join(repr(p.get("name")) for p in pipelines),
        )
    query = {"pipeline_id": number(found[0], "id")}
    stages = _standing(client, Call.to("stages.list", query=query))
    for candidate in stages:
        if _same(candidate.get("name"), stage):
            return number(candidate, "id")
    raise ConfigProblem(
        f"the pipeline {found[0].get('name')!r} has no stage named {stage!r}",
        what="pipedrive.stage",
        hint="it has: " + ", ".join(repr(s.get("name")) for s in stages),
    )


def _standing(client: Client, call: Call) -> list[dict[str, Any]]:
    """All objects of a list that aren't deleted."""
    return [row for page in client.pages(call) for row in page if row.get("is_deleted") is not True]


def has_stage(client: Client, stage_id: int) -> bool:
    """Whether a stage is still there, whatever it is called by now."""
    try:
        return client.send(Call.to("stages.read", stage_id)).object.get("is_deleted") is not True
    except Gone:
        return False


def has_field(client: Client, of: str, code: str) -> bool:
    """Whether a custom field of `person` or `deal` is still there."""
    try:
        client.send(Call.to(f"{of}_fields.read", code))
    except Gone:
        return False
    return True


def _same(one: object, other: str) -> bool:
    return isinstance(one, str) and one.strip().casefold() == other.strip().casefold()


class Owners(NamedTuple):
    """Of the users who are to own records: ids of the active ones, and who has left."""

    ids: dict[str, int]  # by e-mail address
    left: list[str]  # e-mail addresses of those who are deactivated
    others: list[str]  # of all active users, to choose from


def owners(client: Client, addresses: frozenset[str]) -> Owners:
    """Who of these can own records; raises ConfigProblem naming those who never could."""
    everybody = {
        str(user.get("email")).lower(): user for user in client.send(Call.to("users.list")).items
    }
    active = {
        address: number(user, "id")
        for address, user in everybody.items()
        if user.get("active_flag", True)
    }
    missing = sorted(addresses - set(everybody))
    if missing:
        raise ConfigProblem(
            f"no Pipedrive user has the address {', '.join(missing)}",
            what="mailboxes[].owner",
            hint="there are: " + ", ".join(sorted(active)),
        )
    ids = {address: active[address] for address in addresses if address in active}
    return Owners(ids, sorted(addresses - set(active)), sorted(active))


def is_active(client: Client, user: int) -> bool:
    """Whether a user can own new records."""
    return any(
        number(one, "id") == user and one.get("active_flag", True)
        for one in client.send(Call.to("users.list")).items
    )


class Definitions(NamedTuple):
    """What the fields of persons and deals are: codes of ours by our names, ids of their labels."""

    codes: dict[str, str]
    labels: dict[str, dict[str, int | str]]
    job_titles: bool = False  # persons have a job title


def definitions(client: Client) -> Definitions:
    """The first of several custom fields of a name, and all labels.

    Names aren't unique in Pipedrive, so the type has to fit as well.
    """
    found: dict[str, str] = {}
    labels: dict[str, dict[str, int | str]] = {}
    job_titles = False
    for of in ("person", "deal"):
        labels[of] = {}
        for page in client.pages(Call.to(f"{of}_fields.list")):
            for row in page:
                job_titles = job_titles or (of == "person" and row.get("field_code") == "job_title")
                if row.get("field_code") == "label_ids":
                    labels[of] |= _named(as_list(row.get("options")), "label")
                for key, wanted in FIELDS.items():
                    have = (of, row.get("field_name"), row.get("field_type"))
                    code = row.get("field_code")
                    if row.get("is_custom_field") and have == wanted and isinstance(code, str):
                        found.setdefault(key, code)
    return Definitions(found, labels, job_titles)


def fields(client: Client) -> dict[str, str]:
    """The codes of our custom fields that are there, by our names."""
    return definitions(client).codes


def lead_labels(client: Client) -> dict[str, int | str]:
    """The ids of the labels of leads, by name."""
    return _named(client.send(Call.to("lead_labels.list")).items, "name")


def _named(rows: Sequence[Any], name: str) -> dict[str, int | str]:
    rows = [row for row in rows if isinstance(row, dict) and "id" in row]
    return {str(row.get(name)): row["id"] for row in reversed(rows)}


def chosen_labels(
    wanted: Mapping[str, Collection[str]], there: Mapping[str, Mapping[str, int | str]]
) -> dict[str, dict[str, int | str]]:
    """The ids of labels by kind and name; raises ConfigProblem listing those that there are."""
    chosen: dict[str, dict[str, int | str]] = {}
    for kind, names in wanted.items():
        for name in names:
            found = label_id(name, there.get(kind, {}))
            if found is None:
                raise ConfigProblem(
                    f"there is no label {name!r} of a {kind}",
                    what=f"labels of a {kind}",
                    hint="there are: " + ", ".join(map(repr, there.get(kind, {}))),
                )
            chosen.setdefault(kind, {})[name] = found
    return chosen


def label_id(name: str, there: Mapping[str, int | str]) -> int | str | None:
    """The id of the label of this name, in any case."""
    return next((one for other, one in there.items() if _same(other, name)), None)


def has_label(client: Client, kind: str, identifier: str) -> bool:
    """Whether a label of this kind of record is still there, whatever it is called by now."""
    there = lead_labels(client) if kind == "lead" else definitions(client).labels[kind]
    return identifier in map(str, there.values())
