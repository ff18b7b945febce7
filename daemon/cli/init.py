"""`mail2deal init`: asks a handful of questions and writes a commented config.yaml.

An existing file is never overwritten without asking, and nothing that was typed is lost.
"""

from pathlib import Path

import click

from daemon.cli import output
from daemon.cli.interview import Interview
from daemon.config import draft, load
from daemon.errors import DONE, ConfigProblem


@click.command("init")
@click.option(
    "--output",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config.yaml"),
    show_default=True,
    help="The file to write.",
)
@click.option("--email", "address", help="Your e-mail address.")
@click.option("--host", help="The IMAP server, with :PORT if it isn't 993; else found.")
@click.option("--company", help="Pipedrive company: the part before .pipedrive.com.")
@click.option("--pipeline", help="Pipeline for new deals; else the first that has the stage.")
@click.option("--stage", help="Stage for new deals; else Initial Contact.")
@click.option("--since", help="Read mail since this day (YYYY-MM-DD); else only new mail.")
@click.option(
    "--secrets",
    type=click.Choice(["files", "env", "credentials"]),
    help="Where password and token are kept; else files that only you can read, and below /etc"
    " systemd credentials.",
)
@click.option("--offline", is_flag=True, help="Look nothing up, and try nothing.")
@click.option("--no-input", is_flag=True, help="Ask nothing.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(path: Path, *, no_input: bool, force: bool, offline: bool, **given: str | None) -> int:
    """Write a commented config.yaml by asking a handful of questions, each tried at once."""
    # Refusals are told as sentences between the questions; here the log would say them twice.
    output.log_to_stderr("text", quiet=True)
    ask = not no_input
    if path.exists() and not path.is_file():  # a pipe, a device: nothing that `--force` may replace
        raise ConfigProblem(
            "isn't a regular file", what=str(path), hint="name another with --output"
        )
    if path.exists() and not force and not (ask and output.confirm(f"{path} exists: overwrite?")):
        raise ConfigProblem(
            "exists, left as it is", what=str(path), hint="name another with --output"
        )
    path = path.absolute()
    service = draft.is_for_the_unit(path)
    answers = (draft.kept(path) if ask else None) or draft.Answers()
    if answers.address:
        output.note("resuming an earlier init: an empty answer keeps what you said then")
    answers.secrets = given.pop("secrets") or ("credentials" if service else "files")
    keep = (lambda: draft.keep(path, answers)) if ask else (lambda: None)
    try:
        Interview(answers, given, ask, offline, keep).run()
        later = draft.write(path, answers)
        draft.forget(path)
    except click.Abort:
        output.note(f"\nbroken off; `mail2deal init --output {path}` resumes here")
        raise
    except OSError as error:
        raise ConfigProblem(
            f"{error.filename} can't be written: {error.strerror}",
            hint="name another place with --output" + (", or use sudo" if service else ""),
        ) from error
    load(path)  # what we wrote has to be what we read
    output.say(f"wrote {path}")
    for line in later:
        output.say(f"  {line}")
    _say_what_follows(path, answers, service=service)
    return DONE


def _say_what_follows(path: Path, answers: draft.Answers, *, service: bool) -> None:
    """The commands to type next, in their order."""
    sudo = "sudo " if service else ""
    program = f"{sudo}mail2deal --config {path}"
    output.say("next:")
    if answers.oauth.get("grant") == "user":
        output.command(f"  {program} login {draft.mailbox_name(answers)}")
    output.command(f"  {program} check")
    output.command(f"  {program} --dry-run")
    unit = f"mail2deal@{company}" if (company := draft.instance(path)) else "mail2deal"
    starts = f"sudo systemctl enable --now {unit}" if service else f"{program} --catch-up"
    output.command(f"  {starts}")
