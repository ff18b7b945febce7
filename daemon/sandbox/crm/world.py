"""What a new company starts with: its users, two pipelines, the lead labels.

Both pipelines have a stage of the same name, as real companies do, so that nobody finds a stage
by its name alone.
"""

from daemon.sandbox.crm.clock import stamp, stamp_ms
from daemon.sandbox.crm.exchange import Doc
from daemon.sandbox.crm.settings import Settings, User
from daemon.sandbox.crm.store import Store

PIPELINES = {
    "Sales": ("Qualified", "Initial Contact", "Proposal Made", "Negotiations Started"),
    "Partners": ("New", "Initial Contact", "Signed"),
}
LEAD_LABELS = {
    "f08b42a0-4e75-4a11-8643-03698ef1cfd6": ("Hot", "red"),
    "f08b42a1-4e75-4a11-8643-03698ef1cfd6": ("Cold", "blue"),
    "f08b69b0-4e75-4a11-8643-03698ef1cfd6": ("Warm", "yellow"),
}
LABELS = {
    "person": ("Customer", "Hot lead", "Warm lead", "Cold lead"),
    "organization": ("Customer", "Hot lead", "Warm lead", "Cold lead"),
    "deal": ("Hot", "Warm", "Cold"),
}


def furnish(store: Store, settings: Settings, now: float) -> None:
    """Fill a new store; one that has users already is left as it is."""
    if store.count("users"):
        return
    for user in settings.users:
        add_user(store, user, now)
    for label_id, (name, color) in LEAD_LABELS.items():
        times = {"add_time": stamp_ms(now), "update_time": stamp_ms(now)}
        store.insert("lead_labels", {"id": label_id, "name": name, "color": color} | times, now)
    if settings.default_world:
        for entity, names in LABELS.items():
            for name in names:
                store.insert("labels", {"entity": entity, "label": name}, now)
        for name, stages in PIPELINES.items():
            pipeline = add_pipeline(store, name, now)
            for stage in stages:
                add_stage(store, pipeline["id"], stage, now)


def add_user(store: Store, user: User, now: float) -> Doc:
    """One more user."""
    doc: Doc = {
        "name": user.name,
        "email": user.email,
        "apps": list(user.apps) if user.admin else [],
        "denied": list(user.denied),
        "visibility": user.visibility,
        "active_flag": True,
        "is_deleted": False,
    }
    return store.insert("users", doc, now)


def add_pipeline(store: Store, name: str, now: float) -> Doc:
    """One more pipeline, last in order."""
    doc: Doc = {
        "name": name,
        "order_nr": store.count("pipelines") + 1,
        "is_deleted": False,
        "is_deal_probability_enabled": False,
        "add_time": stamp(now),
        "update_time": stamp(now),
    }
    return store.insert("pipelines", doc, now)


def add_stage(store: Store, pipeline_id: int, name: str, now: float) -> Doc:
    """One more stage, last in its pipeline."""
    doc: Doc = {
        "order_nr": store.count("stages", "pipeline_id = ?", (pipeline_id,)) + 1,
        "name": name,
        "is_deleted": False,
        "deal_probability": 100,
        "pipeline_id": pipeline_id,
        "is_deal_rot_enabled": False,
        "days_to_rotten": None,
        "add_time": stamp(now),
        "update_time": stamp(now),
    }
    return store.insert("stages", doc, now)
