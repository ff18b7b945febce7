"""`mail2deal check`: everything that has to work, one line each: a tick, or what to do about it."""

from itertools import chain

import click

from daemon.cli import output
from daemon.cli.commands import pass_wiring
from daemon.errors import DONE, ConfigProblem, exit_status, worst
from daemon.maintenance.check import check_here, check_mailboxes
from daemon.maintenance.check_pipedrive import check_pipedrive
from daemon.rules.quantities import counted
from daemon.wiring import Wiring


@click.command("check")
@click.option("--offline", is_flag=True, help="Only what is here: file, secrets, ledger.")
@pass_wiring
def command(wiring: Wiring, *, offline: bool) -> int:
    """Try every login, folder, token, stage and field: each line ok, or what to do."""
    tick, cross = ("✓", "✗") if "utf" in output.console.encoding else ("ok", "no")
    lines = check_here(wiring)
    if not offline:
        lines = chain(lines, check_mailboxes(wiring), check_pipedrive(wiring))
    status, todo = DONE, 0
    for line in lines:
        if line.problem is None:
            mark, text = ("!", line.note) if line.note else (tick, line.found)
            output.say(f"{mark:<3}{line.what}: {text}", hang=3)
            continue
        problems = (
            line.problem.problems
            if isinstance(line.problem, ConfigProblem)
            else (str(line.problem),)
        )
        for problem in problems:
            output.say(f"{cross:<3}{line.what}: {problem}", hang=3)
        todo += len(problems)
        status = worst([status, exit_status(line.problem)])
    output.say(
        counted(todo, "thing") + " to do before this can run"
        if todo
        else "all is well; see what would be made with: mail2deal --dry-run"
    )
    return status
