"""`mail2deal undo`: deletes in Pipedrive what one run created and nobody touched since."""

import click

from daemon.cli import output
from daemon.errors import ConfigProblem, RetryLater
from daemon.ledger.store import Ledger, owned
from daemon.maintenance.undo import Undone, open_questions, undo
from daemon.wiring import Wiring


def undo_run(wiring: Wiring, run: int | None, *, yes: bool) -> int:
    """Do it, or list the runs; 1 if something was left because people had changed it."""
    if run is None:
        with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
            return _list(ledger)
    with owned(wiring.config.ledger, "mail2deal undo") as ledger:
        made = ledger.records.made_by(run)
        if not ledger.rows("SELECT 1 FROM runs WHERE id = ?", run):
            raise ConfigProblem(f"there is no run {run}", hint="`mail2deal undo` lists them")
        session = wiring.session(ledger, None)
        if count := open_questions(session, run):
            raise RetryLater(
                f"{count} changes of this run may have been made without our knowing",
                hint="`mail2deal --catch-up --sync-only` settles them; then undo",
            )
        words = ", ".join(f"{n} {kind}" for kind, n in made.items()) or "nothing"
        if not yes:
            click.confirm(f"run {run} created {words}: delete in Pipedrive?", abort=True)
        try:
            result = undo(session, run)
        finally:
            session.keep_usage()
    return _report(result)


def _report(result: Undone) -> int:
    deleted = ", ".join(f"{n} {kind}" for kind, n in result.deleted.items()) or "nothing"
    output.console.print(f"deleted {deleted}; it stays deleted", markup=False)
    for kind, key, why in result.kept:
        output.console.print(f"left {kind} {key}: {why}", markup=False)
    return output.ATTENTION if result.kept else output.DONE


def _list(ledger: Ledger) -> int:
    for row in ledger.rows("SELECT * FROM runs ORDER BY id DESC LIMIT 20"):
        made = ", ".join(f"{n} {k}" for k, n in ledger.records.made_by(row["id"]).items())
        output.console.print(
            f"{row['id']:>5}  {row['started_at']}  {row['command']}: {made or 'made nothing'}",
            markup=False,
        )
    return output.DONE
