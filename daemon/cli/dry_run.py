"""`mail2deal --dry-run`: what the catch-up would make and cost; nothing is written anywhere."""

from collections.abc import Callable, Mapping, Sequence
from csv import writer
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

from daemon.cli import output
from daemon.errors import LATER, worst
from daemon.rehearsal.page import page
from daemon.rehearsal.play import rehearse
from daemon.rules.quantities import days, no_longer_made
from daemon.sandbox.crm import Sandbox
from daemon.wiring import Wiring


def dry_run(
    wiring: Wiring,
    *,
    since: datetime | None,
    mailbox: str | None,
    sync_only: bool,
    as_json: bool,
    html: Path | None = None,
    csv: Path | None = None,
    watch: Callable[[Sandbox], object] = lambda _sandbox: None,
) -> int:
    """Rehearse and show; the exit status. `watch` sees the sandbox at the end, for tests."""
    rehearsed = rehearse(
        wiring,
        since=since,
        mailbox=mailbox,
        intake=not sync_only,
        tell_price=output.note,
        progress=output.progress,
        watch=watch,
    )
    if rehearsed is None:
        output.note("stopped: nothing was written, and nothing is kept")
        return LATER
    if html is not None:
        output.write_private(html, page(rehearsed.found, wiring.now()))
    if csv is not None:
        output.write_private(csv, _table_of(rehearsed.everybody))
    if as_json:
        output.print_json(rehearsed.found)
    else:
        _show(rehearsed.found)
        if html is not None:
            output.say(f"the page is at {html}")
        if csv is not None:
            output.say(f"the table is at {csv}")
    return worst(map(output.tell, rehearsed.problems))


def _table_of(everybody: Sequence[Mapping[str, Any]]) -> str:
    """Everybody as CSV (RFC 4180), for a spreadsheet: what looks like a formula is made text."""
    text = StringIO()
    if everybody:
        table = writer(text)
        table.writerow(everybody[0])
        for one in everybody:
            cells = ("" if value is None else str(value) for value in one.values())
            table.writerow([f"'{cell}" if cell[:1] in set("=+-@") else cell for cell in cells])
    return text.getvalue()


def _show(found: Mapping[str, Any]) -> None:
    read, budget, updates = found["read"], found["budget"], found["updates"]
    unreadable = f"; {read['quarantined']} can't be read" if read["quarantined"] else ""
    output.say(f"read {read['messages']} new messages{unreadable}")
    output.say("would make " + ", ".join(f"{n} {kind}" for kind, n in found["create"].items()))
    output.say(
        f"  and {found['fields']} custom fields; {found['conversions']} of the deals come from"
        f" leads; {updates['persons']} persons and {updates['activities']} activities"
        " would be updated"
    )
    per = ", ".join(f"{n} with `{setting}`" for setting, n in found["deals_per"].items())
    output.say(f"deals by deals.per: {per}")
    taken = ", ".join(f"{n} {kind}" for kind, n in found["adopted"].items() if n)
    output.say(f"already there and used as they are: {taken or 'none'}")
    for why, count in found["refused"].items():
        output.say(f"Pipedrive would refuse {count}: {why}")
    if sentence := no_longer_made(**found["no_longer_made"]):
        output.say(sentence)
    routed = any(one["route"] for one in found["important"])
    output.table(
        f"the {len(found['important'])} most important",
        ("who", "organization", "what", "because", *(["route"] if routed else [])),
        [
            (
                f"{one['name']} <{one['address']}>",
                one["organization"] or "",
                one["what"],
                one["reason"],
                *([one["route"]] if routed else []),
            )
            for one in found["important"]
        ],
    )
    output.table(
        f"left out ({found['ignored_senders']} senders get no record)",
        ("messages", "why", "for example"),
        [(one["messages"], one["words"], ", ".join(one["examples"])) for one in found["left_out"]],
    )
    output.table(
        "tokens",
        ("call", "calls", "tokens"),
        [tuple(one.values()) for one in found["tokens_by_call"]],
    )
    output.say(
        f"{found['tokens']} tokens: {days(budget['days'])} of the {budget['tokens_a_day']} a day"
        f" that may be spent; the rehearsal itself read {read['tokens']}"
    )
    if found["asks"]:
        output.say(found["asks"])
