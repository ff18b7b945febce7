"""`mail2deal init`: asks a handful of questions and writes a commented config.yaml.

Nothing is looked up anywhere: the host is guessed from the address. An existing file is never
overwritten without asking.
"""

import re
from datetime import date
from pathlib import Path

import click

from daemon.cli import output
from daemon.config import load
from daemon.config.draft import Answers, guess_host, is_for_the_unit, write
from daemon.errors import DONE, ConfigProblem

_ADDRESS = re.compile(r"[^@\s]+@([^@\s]+\.[^@\s]+)")


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
@click.option("--host", help="The IMAP server; guessed from the address.")
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
@click.option("--no-input", is_flag=True, help="Ask nothing.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(path: Path, *, no_input: bool, force: bool, **given: str | None) -> int:
    """Write a commented config.yaml by asking a handful of questions."""
    ask = not no_input
    if path.exists() and not force and not (ask and click.confirm(f"{path} exists: overwrite?")):
        raise ConfigProblem(
            "exists, left as it is", what=str(path), hint="name another with --output"
        )
    path = path.absolute()
    service = is_for_the_unit(path)
    answers = _questions(given, ask=ask, service=service)
    try:
        later = write(path, answers)
    except OSError as error:
        raise ConfigProblem(
            f"{error.filename} can't be written: {error.strerror}",
            hint="name another place with --output" + (", or use sudo" if service else ""),
        ) from error
    load(path)  # what we wrote has to be what we read
    output.say(f"wrote {path}")
    for line in later:
        output.say(f"  {line}")
    output.say(f"next: mail2deal --config {path} check")
    return DONE


def _questions(given: dict[str, str | None], *, ask: bool, service: bool) -> Answers:
    address = _address(given["address"], ask=ask)
    host = _one(given["host"], "IMAP server", guess_host(address), ask=ask)
    company = _one(
        given["company"], "Pipedrive company (the part before .pipedrive.com)", None, ask=ask
    )
    company = company.removeprefix("https://").partition(".pipedrive.com")[0]
    pipeline = _one(given["pipeline"], "Pipeline for new deals (empty: the first)", "", ask=ask)
    stage = _one(given["stage"], "Stage for new deals", "Initial Contact", ask=ask)
    since = _one(given["since"], "Read mail since (YYYY-MM-DD, empty: only new)", "", ask=ask)
    if since:
        try:
            date.fromisoformat(since)
        except ValueError as error:
            raise ConfigProblem("must be a day like 2026-01-01", what="--since") from error
    secrets = given["secrets"] or ("credentials" if service else "files")
    password = token = ""
    if ask and secrets != "env":
        password = _hidden(f"Password of {address} (empty: later)")
        token = _hidden("Pipedrive API token (empty: later)")
    return Answers(address, host, company, pipeline, stage, since, secrets, password, token)


def _address(given: str | None, *, ask: bool) -> str:
    address = _one(given, "Your e-mail address", None, ask=ask).strip()
    if not _ADDRESS.fullmatch(address):
        raise ConfigProblem(f"{address!r} isn't an e-mail address", what="--email")
    return address


def _one(given: str | None, question: str, default: str | None, *, ask: bool) -> str:
    if given is not None:
        return given
    if ask:
        return str(click.prompt(question, default=default, show_default=bool(default)))
    if default is None:
        raise ConfigProblem(f"missing: {question}", hint="give it as an option (see --help)")
    return default


def _hidden(question: str) -> str:
    return str(click.prompt(question, default="", show_default=False, hide_input=True))
