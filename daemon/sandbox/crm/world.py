"""What a new company starts with: its users, two pipelines, the labels."""

from daemon.sandbox.crm.api import API, DEFAULTS
from daemon.sandbox.crm.clock import stamp, stamp_ms
from daemon.sandbox.crm.exchange import Doc
from daemon.sandbox.crm.settings import Settings, User
from daemon.sandbox.crm.store import Store


def furnish(store: Store, settings: Settings, now: float) -> None:
    """Fill a new store; one that has users already is left as it is."""
    if store.count("users"):
        return
    for user in settings.users:
        add_user(store, user, now)
    for label in API["lead_labels"]:
        times = {"add_time": stamp_ms(now), "update_time": stamp_ms(now)}
        store.insert("lead_labels", label | times, now)
    if settings.default_world:
        for entity, names in API["labels"].items():
            for name in names:
                store.insert("labels", {"entity": entity, "label": name}, now)
        for name, stages in API["pipelines"].items():
            pipeline = add_pipeline(store, name, now)
            for stage in stages:
                add_stage(store, pipeline["id"], stage, now)


def add_user(store: Store, user: User, now: float) -> Doc:
    """One more user."""
    own: Doc = {"apps": list(user.apps) if user.admin else [], "denied": list(user.denied)}
    own |= {"name": user.name, "email": user.email, "visibility": user.visibility}
    return store.insert("users", DEFAULTS["users"] | own, now)


def add_pipeline(store: Store, name: str, now: float) -> Doc:
    """One more pipeline, last in order."""
    return _add_in_order(store, "pipelines", store.count("pipelines"), now, name=name)


def add_stage(store: Store, pipeline_id: int, name: str, now: float) -> Doc:
    """One more stage, last in its pipeline."""
    before = store.count("stages", "pipeline_id = ?", (pipeline_id,))
    return _add_in_order(store, "stages", before, now, name=name, pipeline_id=pipeline_id)


def _add_in_order(store: Store, kind: str, before: int, now: float, **known: object) -> Doc:
    times = {"add_time": stamp(now), "update_time": stamp(now)}
    doc = {**DEFAULTS[kind], **known, **times, "order_nr": before + 1}
    return store.insert(kind, doc, now)
