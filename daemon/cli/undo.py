"""`mail2deal undo`: deletes in Pipedrive what one run created and nobody touched since."""

from contextlib import ExitStack

import click

from daemon.cli import output
from daemon.cli.arguments import NUMBER
from daemon.cli.commands import pass_wiring, stop_on_signal
from daemon.errors import ATTENTION, DONE, ConfigProblem, RetryLater
from daemon.ledger import reports
from daemon.ledger.lock import owned
from daemon.ledger.store import Ledger
from daemon.maintenance.undo import Undone, open_questions, price, to_delete, undo
from daemon.wiring import Wiring


@click.command("undo")
@click.argument("run", type=NUMBER, required=False)
@click.option("--yes", is_flag=True, help="Without asking.")
@pass_wiring
def command(wiring: Wiring, run: int | None, *, yes: bool) -> int:
    """Delete in Pipedrive what a run created and nobody touched since; without RUN, list runs."""
    stop_on_signal(wiring)
    if run is None:
        with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
            return _list(ledger)
    with ExitStack() as stack:
        held = owned(wiring.config.ledger, "mail2deal undo", wiring.now())
        ledger = stack.enter_context(held)
        if ledger.runs.writes(run) is None:
            raise ConfigProblem(f"there is no run {run}", hint="`mail2deal undo` lists them")
        progress = stack.enter_context(output.progress(ledger))
        session = wiring.session(ledger, None, progress)
        if count := open_questions(session, run):
            raise RetryLater(
                f"{count} changes of this run may have been made without our knowing",
                hint="`mail2deal --catch-up --sync-only` settles them; then undo",
            )
        there = to_delete(ledger, run)
        if not there:
            with ledger.transaction("undo"):
                ledger.journal.drop_of_run(run)
            output.say(f"nothing that run {run} created is left to delete")
            return DONE
        cost = price(ledger, run)
        if not yes:
            output.confirm_or_abort(
                f"run {run} created {output.listed(there)}: delete in Pipedrive, for about"
                f" {cost} tokens?"
            )
        with ledger.transaction("run"):
            own = ledger.runs.begin(f"undo {run}", wiring.now())
        try:
            result = undo(session, run)
        finally:
            session.keep_usage()
        with ledger.transaction("end of run"):
            ledger.runs.end(own, "stopped" if wiring.stop.is_set() else "done", wiring.now())
    return _report(result)


def _report(result: Undone) -> int:
    deleted = output.listed(result.deleted) or "nothing"
    output.say(f"deleted {deleted}; it stays deleted")
    for kind, key, why in result.kept:
        fields = ", ".join(result.changed.get(f"{kind} {key}", ()))
        output.say(f"left {kind} {key}: {why}" + (f" ({fields})" if fields else ""))
    return ATTENTION if result.kept else DONE


def _list(ledger: Ledger) -> int:
    for row in reports.runs(ledger, 20):
        made, left = ledger.records.made_by(row["id"]), to_delete(ledger, row["id"])
        what = output.listed(made) or "made nothing"
        if made and not left:
            what += "; nothing of it is left to undo"
        elif left and left != {kind: made[kind] for kind in left}:
            what += f"; left: {output.listed(left)}"
        output.say(f"{row['id']:>5}  {row['started_at']}  {row['command']}: {what}")
    return DONE
