"""`mail2deal explain`: why a sender is what it is, and what became of each of its messages."""

from pathlib import Path
from typing import Any

import click

from daemon.cli import output
from daemon.cli.commands import pass_wiring
from daemon.errors import ATTENTION, DONE
from daemon.ledger import reports
from daemon.ledger.store import Ledger
from daemon.maintenance.explain import NEWEST, Told, as_dict, tell
from daemon.message.address import as_written
from daemon.message.nature import words
from daemon.rules.explain import Explanation, MessageLine
from daemon.rules.quantities import counted
from daemon.wiring import Wiring
from daemon.wiring.settings import scoring_settings

# Where a phone number, a title or a company's name was found, by the source in the ledger.
_FROM = {
    "from": "the signature of a mail",
    "form": "a field of a form",
    "forward": "the signature in a forwarded mail",
    "attached": "the signature in an attached mail",
    "group": "the signature of a mail to a group",
}
_SHOWN = 20  # senders, where several are meant


@click.command("explain")
@click.argument("address", metavar="ADDRESS, NAME OR DOMAIN")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write its newest mail into this directory as a labelled case, with invented names.",
)
@click.option("--message", metavar="KEY", help="With --save: this mail (--json shows the keys).")
@click.option("--all", "every", is_flag=True, help=f"Not only the newest {NEWEST} messages.")
@pass_wiring
def command(
    wiring: Wiring,
    address: str,
    *,
    as_json: bool,
    every: bool,
    save: Path | None,
    message: str | None,
) -> int:
    """Say why a sender is what it is: each message, verdict, count, the rule, the records."""
    with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
        # A whole address means itself, sender or not.
        known = [] if "@" in address else reports.senders_like(ledger, address, _SHOWN)
        if len(known) > 1:
            return _choose(address, known)
        address = known[0]["address"] if known else address
        if save is not None:
            _save(wiring, ledger, address, save, message)
            return DONE
        settings = scoring_settings(wiring.config)
        told = tell(ledger, settings, address, newest=None if every else NEWEST)
    if as_json:
        output.print_json(as_dict(told))
    else:
        _show(told)
    return DONE


def _save(
    wiring: Wiring, ledger: Ledger, address: str, directory: Path, message: str | None
) -> None:
    from daemon.maintenance.save_case import ABOUT, about, saved_case  # noqa: PLC0415 - seldom

    case = saved_case(wiring, ledger, address, message)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (directory / ABOUT).exists():
        output.write_private(directory / ABOUT, about())
    output.write_private(directory / case.name, case.text)
    output.say(f"saved {directory / case.name}")
    for note in case.notes:
        output.note(f"mail2deal: {note}")


def _choose(text: str, known: list[dict[str, Any]]) -> int:
    """Several senders are meant: name them."""
    output.say(f"{text!r} may mean:")
    for row in known:
        output.say(f"  {row['address']} ({row['name']}), {row['class']}")
    if len(known) == _SHOWN:
        output.say("  and perhaps more: say more of the address or the name")
    return ATTENTION


def _show(told: Told) -> None:
    state, explained = told.state, told.explained
    company = as_written(state.organization) if state.organization else "none"
    output.say(f"{state.name} <{state.address}>, organization {company}")
    output.say(f"class {explained.class_.name}: {explained.class_.reason}")
    output.say(f"rule: {explained.rule}")
    for change in explained.changes:
        output.say(f"would change it: {change}")
    hours = state.avg_response_hours
    answering = "never answered us" if hours is None else f"answers us in {hours} hours on average"
    output.say(
        f"{state.msg_count} received, {state.sent_count} sent, {counted(state.replies, 'reply')},"
        f" {counted(state.meetings, 'meeting')} in"
        f" {counted(state.thread_count, 'thread')}; {answering}"
    )
    for fact in state.facts:
        output.say(f"{fact.kind} {fact.value}: {_FROM.get(fact.way, fact.way)}")
    messages, met = told.not_told
    if messages or met:
        output.say(
            f"not shown: {messages} earlier messages, {met} earlier meetings (--all shows all)"
        )
    _show_messages(explained)
    for one in explained.meetings:
        when = f"{one.meeting.starts_at:%Y-%m-%d %H:%M}" if one.meeting.starts_at else "no date"
        output.say(f"meeting {one.meeting.summary!r} ({when}, {one.meeting.status}): {one.why}")
    _show_records(told)


def _show_messages(explained: Explanation) -> None:
    output.table(
        "messages",
        ("date (UTC)", "", "subject", "verdict", "why"),
        [
            (
                f"{line.sent_at:%Y-%m-%d %H:%M}",
                "→ us" if line.direction == "received" else "← us",
                line.subject,
                line.verdict.kind,
                _why(line),
            )
            for line in explained.timeline
        ],
    )
    signed = any(line.signals for line in explained.timeline)
    output.say(
        "→ us: received, ← us: sent; contact: it counts, evidence: it doesn't, but is kept with the"
        " sender"
    )
    if signed:
        output.say(
            "[… +N]: a sign of a machine, [… -N]: of a person; +100 make it a machine's mail"
        )


def _why(line: MessageLine) -> str:
    """The three steps: who wrote it where that isn't its From, what decided, what it counts."""
    weighed = ", ".join(f"{words(signal)} {weight:+d}" for signal, weight in line.signals)
    parts = (line.author, line.why, f"[{weighed}]" if weighed else "")
    return "; ".join(part for part in parts[:2] if part) + (f" {parts[2]}" if parts[2] else "")


def _show_records(told: Told) -> None:
    for row in told.records:
        gone = f", {row['tombstone']} at {row['tombstone_at']}" if row["tombstone"] else ""
        why = f" ({row['reason']})" if row["reason"] else ""
        where = row["url"] if row["url"] and not gone else row["id"]
        output.say(f"{row['kind']}: {row['origin']}{why}{gone}, {where}")
    output.say(f"activities: {told.activities}")
    if told.left_alone:
        output.say(f"left alone: {told.left_alone}")
    for row in told.waiting:
        due = f" until {row['not_before']}" if row["not_before"] else ""
        error = f": {row['last_error']}" if row["last_error"] else ""
        output.say(f"{row['state']}{due}: {row['action']} {row['kind']}{error}")
