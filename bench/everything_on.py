"""What a backfill costs with every option on, against what the records that it made must cost.

One deal for each organization with its participants, people in copy, a route with labels and owners
in turn, follow-ups, bounces, the fourth field. The floor is counted from what stands in Pipedrive
at the end: each record made once by the price table; a lead that is archived, a deal that comes of
a lead with labels of its own, and a task that is done by now, written once more; and one listing of
everything there is.
"""

import re
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from daemon.pipedrive.costs import PRICES
from daemon.rules.case import STATISTICS, BounceMark, Policy
from daemon.rules.classify import Rules
from daemon.rules.deals import DealRules
from daemon.rules.routing import Route
from daemon.sandbox.crm import Sandbox
from daemon.sync import SyncSettings

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from acts import Acts

TEAM = ("cat@ours.example", "dov@ours.example")
LISTINGS = (
    *("users.list", "pipelines.list", "stages.list", "person_fields.list", "deal_fields.list"),
    *("lead_labels.list", "organizations.list", "persons.list", "deals.list", "deals.archived"),
    *("leads.list", "leads.archived"),
)
FIELDS = {"person_fields.create": len(STATISTICS), "deal_fields.create": 1}


@dataclass(frozen=True)
class Cost:
    """Tokens by kind of call: of those that were made, and of those that had to be."""

    spent: Counter[str]
    floor: Counter[str]

    @property
    def ratio(self) -> float:
        """What was spent for each token of the floor."""
        return self.spent.total() / self.floor.total()

    def over(self) -> str:
        """What was spent above the floor, by kind of call."""
        more = self.spent - self.floor
        return ", ".join(f"{kind} {tokens}" for kind, tokens in more.most_common(6))


def settings() -> SyncSettings:
    """Every option that writes something."""
    bounce = BounceMark("Cold lead", marketing=True, note=True)
    policy = Policy(Rules(), follow_up=timedelta(days=2), fields=STATISTICS, bounce=bounce)
    labels = {"lead": ("Hot",), "deal": ("Warm",), "person": ("Customer",)}
    return SyncSettings(
        policy,
        "Sales",
        "Initial Contact",
        workers=1,
        routes=(Route("all", owners=TEAM, labels=labels),),  # type: ignore[arg-type]
        in_copy="all",
        deals=DealRules(per="organization"),
    )


def cost(sandbox: Sandbox) -> Cost:
    """What was spent in a company that was empty, and its floor."""
    kinds: dict[tuple[str, str], str] = {
        (one.method, one.path): kind for kind, one in PRICES.items()
    }
    spent: Counter[str] = Counter()
    for request in sandbox.requests_after(0):
        method, _, path = request.call.partition(" ")
        spent[kinds[method, re.sub(r"{\w+}", "{}", path)]] += request.tokens
    return Cost(spent, floor(sandbox))


def floor(sandbox: Sandbox) -> Counter[str]:
    """What the records of a company that was empty had to cost, by kind of call."""
    acts = Acts(sandbox)
    records = {
        kind: acts.every(kind)
        for kind in ("organizations", "persons", "leads", "deals", "activities")
    }
    converted = [one for one in records["deals"] if one.get("source_lead_id")]
    calls = Counter({f"{kind}.create": len(rows) for kind, rows in records.items()})
    calls["deals.create"] -= len(converted)
    calls["leads.create"] += len(converted)  # a lead that became a deal is none any more
    calls["leads.convert"] = calls["leads.convert_status"] = len(converted)
    calls["deals.update"] = len(converted)
    calls["leads.update"] = sum(one["is_archived"] for one in records["leads"])
    calls["activities.update"] = sum(
        one["type"] == "task" and one["done"] for one in records["activities"]
    )
    calls["participants.create"] = sum(
        len(one.get("_participants", ())) for one in records["deals"]
    )
    calls.update(FIELDS)
    calls.update(LISTINGS)
    return Counter({kind: count * PRICES[kind].tokens for kind, count in calls.items()})
