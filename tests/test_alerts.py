"""Each alert fires on its case and none on an ordinary day; judged by Prometheus' own promtool."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

RULES = Path(__file__).parent.parent / "docs" / "alerts.yml"
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
}
PROMTOOL = shutil.which("promtool")
HOURS = 5

pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="apt install prometheus")


def day(instance: str) -> dict[str, str]:
    """The metrics of an ordinary day, minute by minute: polls and passes go well."""
    labels = f'job="mail2deal",instance="{instance}"'
    minutes = HOURS * 60
    return {
        f"up{{{labels}}}": f"1x{minutes}",
        f'mail2deal_poll_lag_seconds{{{labels},mailbox="sales"}}': f"30x{minutes}",
        f"mail2deal_sync_failing{{{labels}}}": f"0x{minutes}",
        f"mail2deal_sync_last_success_seconds{{{labels}}}": f"0+60x{minutes}",
        # A server that is away for ten minutes, changes that wait for a while: daily life.
        f'mail2deal_problems{{{labels},part="mailbox",weight="failing"}}': f"_x60 1x10 _x{minutes}",
        f'mail2deal_problems{{{labels},part="folder",weight="failing"}}': f"_x90 1x30 _x{minutes}",
        f'mail2deal_problems{{{labels},part="budget",weight="note"}}': f"1x{minutes}",
    }


def fired(tmp_path: Path, series: dict[str, str]) -> set[tuple[str, str]]:
    """Alert and instance of what fires at the end of these series."""
    expected = [{"eval_time": f"{HOURS}h", "alertname": name, "exp_alerts": []} for name in ALERTS]
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": s, "values": v} for s, v in series.items()],
                "alert_rule_test": expected,
            }
        ],
    }
    path = tmp_path / "day.yml"
    path.write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    found = set()
    for block in said.split("alertname:")[1:]:
        name = block.split(",")[0].strip()
        got = block.partition("got:")[2]
        for instance in ("one", "two"):
            if f'instance="{instance}"' in got:
                found.add((name, instance))
        if "Labels:" in got and "instance=" not in got:
            found.add((name, ""))
    assert found or done.returncode == 0, said
    return found


def test_the_rules_are_well_formed() -> None:
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


def test_none_fires_on_an_ordinary_day_of_two_instances(tmp_path: Path) -> None:
    assert fired(tmp_path, day("one") | day("two")) == set()


MINUTES = HOURS * 60
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "the service is down": ("Mail2dealDown", {"up{L}": f"1x200 0x{MINUTES}"}),
    "a mailbox is late": (
        "Mail2dealMailboxLate",
        {'mail2deal_poll_lag_seconds{L,mailbox="sales"}': f"30x200 1900+60x{MINUTES}"},
    ),
    "the token is refused": (
        "Mail2dealSyncFailing",
        {"mail2deal_sync_failing{L}": f"0x200 1x{MINUTES}"},
    ),
    "no pass ends": (
        "Mail2dealSyncStale",
        {"mail2deal_sync_last_success_seconds{L}": f"0+60x200 12000x{MINUTES}"},
    ),
    "changes are parked": (
        "Mail2dealNeedsAPerson",
        {'mail2deal_problems{L,part="parked",weight="person"}': f"_x200 1x{MINUTES}"},
    ),
    "approval is asked for": (
        "Mail2dealNeedsAPerson",
        {'mail2deal_problems{L,part="approval",weight="person"}': f"_x200 1x{MINUTES}"},
    ),
    "Pipedrive can't be listed": (
        "Mail2dealKeepsFailing",
        {'mail2deal_problems{L,part="listing",weight="failing"}': f"_x100 1x{MINUTES}"},
    ),
    "changes hang in flight": (
        "Mail2dealKeepsFailing",
        {'mail2deal_problems{L,part="in flight",weight="failing"}': f"_x100 2x{MINUTES}"},
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("instance", ["one", "two"])
def test_each_fires_on_its_case_and_for_its_instance_only(
    tmp_path: Path, case: str, instance: str
) -> None:
    alert, changes = CASES[case]
    labels = f'job="mail2deal",instance="{instance}"'
    series = day("one") | day("two")
    series |= {name.replace("{L", "{" + labels, 1): v for name, v in changes.items()}

    assert fired(tmp_path, series) == {(alert, instance)}


def test_an_instance_that_vanishes_whole_fires_for_the_last_one(tmp_path: Path) -> None:
    """Where the target itself is gone, nothing can name it; the other one still speaks."""
    gone = dict.fromkeys(day("one"), f"_x{MINUTES}")
    assert fired(tmp_path, gone) == {("Mail2dealDown", "")}
