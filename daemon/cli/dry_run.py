"""`mail2deal --dry-run`: what the catch-up would make and cost; nothing is written anywhere."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from daemon.cli import output
from daemon.errors import LATER, worst
from daemon.rehearsal.page import page
from daemon.rehearsal.play import Rehearsed, as_dict, rehearse
from daemon.sandbox.crm import Sandbox
from daemon.wiring import Wiring


def dry_run(
    wiring: Wiring,
    *,
    since: datetime | None,
    mailbox: str | None,
    sync_only: bool,
    as_json: bool,
    html: Path | None,
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
        html.write_text(page(as_dict(rehearsed), wiring.now()), encoding="utf-8")
    if as_json:
        output.print_json(as_dict(rehearsed))
    else:
        _show(rehearsed)
        if html is not None:
            output.say(f"the page is at {html}")
    return worst(map(output.tell, rehearsed.problems))


def _show(rehearsed: Rehearsed) -> None:
    found = rehearsed.forecast
    unreadable = f"; {found.quarantined} can't be read" if found.quarantined else ""
    output.say(f"read {found.messages_read} new messages{unreadable}")
    made = ", ".join(f"{n} {kind}" for kind, n in found.create.items())
    output.say(f"would make {made}")
    output.say(
        f"  and {found.fields} custom fields; {found.conversions} of the deals come from leads;"
        f" {found.updates['persons']} persons and {found.updates['activities']} activities"
        " would be updated"
    )
    taken = ", ".join(f"{n} {kind}" for kind, n in found.adopted.items() if n)
    output.say(f"already there and used as they are: {taken or 'none'}")
    for why, count in found.parked.items():
        output.say(f"Pipedrive would refuse {count}: {why}")
    output.table(
        f"the {len(found.important)} most important",
        ("who", "organization", "what", "because"),
        [
            (f"{one.name} <{one.address}>", one.organization or "", one.what, one.reason)
            for one in found.important
        ],
    )
    output.table(
        f"left out ({found.ignored_senders} senders get no record)",
        ("messages", "why", "for example"),
        [(str(one.messages), one.words, ", ".join(one.examples)) for one in found.left_out],
    )
    output.table(
        "tokens",
        ("call", "calls", "tokens"),
        [(one.call, str(one.calls), str(one.tokens)) for one in found.spent],
    )
    output.say(
        f"{found.tokens} tokens: {rehearsed.days} days of the {rehearsed.daily} a day that the"
        f" plan {rehearsed.plan} gives; the rehearsal itself read {rehearsed.tokens_read}"
    )
    if rehearsed.asks:
        output.say(rehearsed.asks)
