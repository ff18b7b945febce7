"""`mail2deal init`: asks a handful of questions and writes a commented config.yaml.

Nothing is looked up anywhere: the host is guessed from the address. Secrets go into files of their
own that only their owner can read, or are named for later. An existing file is never overwritten
unasked. Below /etc the file is for the systemd unit: its user may read it, but not the secrets,
which systemd hands over as credentials.
"""

import os
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click
import yaml

from daemon.cli import output
from daemon.config import load
from daemon.errors import ConfigProblem

# Usual providers whose IMAP host isn't imap.DOMAIN (their own help pages, 2026).
_HOSTS = {
    "gmail.com": "imap.gmail.com",
    "googlemail.com": "imap.gmail.com",
    "outlook.com": "outlook.office365.com",
    "hotmail.com": "outlook.office365.com",
    "live.com": "outlook.office365.com",
    "msn.com": "outlook.office365.com",
    "yahoo.com": "imap.mail.yahoo.com",
    "yahoo.co.uk": "imap.mail.yahoo.com",
    "yahoo.de": "imap.mail.yahoo.com",
    "icloud.com": "imap.mail.me.com",
    "me.com": "imap.mail.me.com",
    "mac.com": "imap.mail.me.com",
    "gmx.de": "imap.gmx.net",
    "gmx.net": "imap.gmx.net",
    "gmx.at": "imap.gmx.net",
    "fastmail.com": "imap.fastmail.com",
    "posteo.de": "posteo.de",
    "t-online.de": "secureimap.t-online.de",
    "protonmail.com": "127.0.0.1",
    "proton.me": "127.0.0.1",
}
_NOTES = {
    "imap.gmail.com": "Google: use oauth (see the README), or an app password with 2-step login",
    "outlook.office365.com": "Microsoft takes no passwords over IMAP: use oauth (see the README)",
    "imap.mail.me.com": "Apple: make an app-specific password",
    "imap.mail.yahoo.com": "Yahoo: make an app password",
    "127.0.0.1": "Proton: run Proton Mail Bridge and set port, tls and its password",
}
_FOR_THE_UNIT = Path("/etc")
_ADDRESS = re.compile(r"[^@\s]+@([^@\s]+\.[^@\s]+)")


@dataclass(frozen=True, slots=True)
class Answers:
    """What the questions bring; empty texts leave a key out."""

    address: str
    host: str
    company: str
    pipeline: str
    stage: str
    since: str
    secrets: str
    password: str = ""
    token: str = ""


def guess_host(address: str) -> str:
    """The IMAP host of an address: known for the usual providers, else imap.DOMAIN."""
    domain = address.rpartition("@")[2].lower()
    return _HOSTS.get(domain, f"imap.{domain}")


def init(path: Path, given: dict[str, str | None], *, ask: bool, force: bool) -> int:
    """Ask for what isn't given, write the file and its secrets, say what comes next."""
    if path.exists() and not force and not (ask and click.confirm(f"{path} exists: overwrite?")):
        raise ConfigProblem(
            "exists, left as it is", what=str(path), hint="name another with --output"
        )
    path = path.absolute()
    service = path.is_relative_to(_FOR_THE_UNIT)
    answers = _questions(given, ask=ask, service=service)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The unit's user isn't the one who writes this; no secret stands in it.
        _write(path, render(answers, _ledger(path)), mode=0o644 if service else 0o600)
        later = _keep_secrets(path.parent, answers)
    except OSError as error:
        raise ConfigProblem(
            f"{error.filename} can't be written: {error.strerror}",
            hint="name another place with --output" + (", or use sudo" if service else ""),
        ) from error
    load(path)  # what we wrote has to be what we read
    output.console.print(f"wrote {path}", markup=False)
    for line in (_NOTES.get(answers.host), *later):
        if line:
            output.console.print(f"  {line}", markup=False)
    output.console.print(f"next: mail2deal --config {path} check", markup=False)
    return output.DONE


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


def _ledger(path: Path) -> str:
    """The line that says where the ledger is: beside the file, or where the unit may write."""
    if not path.is_relative_to(_FOR_THE_UNIT):
        return "ledger: ledger.db"
    company = path.parent.name  # the instance mail2deal@COMPANY reads mail2deal/COMPANY/config.yaml
    if path.parent.parent.name == "mail2deal":
        return f"ledger: /var/lib/mail2deal/{company}/ledger.db"
    return "#ledger: /var/lib/mail2deal/ledger.db"


def render(answers: Answers, ledger: str) -> str:
    """The text of the configuration; `ledger` is its last line."""
    name = _mailbox(answers)
    domain = answers.address.rpartition("@")[2].lower()
    public = domain in _HOSTS or domain in {"web.de", "aol.com", "mailbox.org", "zoho.com"}
    imap, token = _references(answers.secrets, name)
    since = f"    since: {answers.since}" if answers.since else "    #since: 2026-01-01"
    pipeline = (
        f"  pipeline: {_scalar(answers.pipeline)}"
        if answers.pipeline
        else "  #pipeline: Sales                  # without it, the first that has the stage"
    )
    us = f"  domains: [{domain}]" if not public else f"  addresses: [{_scalar(answers.address)}]"
    return f"""\
# mail2deal's configuration. Every other key, each with its default, is in docs/configuration.md.
# `mail2deal check` tries all of this; `mail2deal --dry-run` shows what would be made.

mailboxes:
  - name: {_scalar(name)}
    host: {_scalar(answers.host)}
    username: {_scalar(answers.address)}
    password: {imap}
{since}                 # how far the first look goes back; without it, only new mail
    #folders: {{sent: [Sent]}}           # if `check` doesn't find your Sent folder

pipedrive:
  company: {_scalar(answers.company)}
  token: {token}
  #plan: lite                         # growth, premium, ultimate: how many requests you may make
{pipeline}
  stage: {_scalar(answers.stage)}

us:                                   # nobody here is ever a contact
{us}

engagement:                           # a sender becomes a person with a deal from
  deal_at_messages: 5                 # this many mails,
  deal_at_replies: 1                  # or this many replies,
  deal_at_meetings: 1                 # or this many meetings; with fewer it is a lead

activities:
  emails: true                        # false if Pipedrive's own e-mail sync is on for this mailbox

{ledger}
"""


def _mailbox(answers: Answers) -> str:
    """A name for the mailbox: the local part of its address, in plain letters."""
    local = answers.address.partition("@")[0].lower()
    return re.sub(r"[^a-z0-9]+", "-", local).strip("-") or "mailbox"


def _references(secrets: str, name: str) -> tuple[str, str]:
    match secrets:
        case "env":
            return "{env: MAIL2DEAL_IMAP_PASSWORD}", "{env: MAIL2DEAL_PIPEDRIVE_TOKEN}"
        case "credentials":
            return f"{{credential: {name}-imap}}", "{credential: pipedrive-token}"
        case _:
            return "{file: secrets/imap-password}", "{file: secrets/pipedrive-token}"


def _scalar(value: str) -> str:
    """A text as YAML, quoted where it has to be."""
    text: str = yaml.safe_dump(value, allow_unicode=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...")


def _keep_secrets(home: Path, answers: Answers) -> list[str]:
    """Write the secrets that were typed; what is left to do about the others."""
    if answers.secrets == "env":
        return ["set MAIL2DEAL_IMAP_PASSWORD and MAIL2DEAL_PIPEDRIVE_TOKEN in the environment"]
    if answers.secrets == "credentials":
        folder, imap = home / "credentials", f"{_mailbox(answers)}-imap"
    else:
        folder, imap = home / "secrets", "imap-password"
    folder.mkdir(mode=0o700, exist_ok=True)
    later = []
    for name, what, value in (
        (imap, "IMAP password", answers.password),
        ("pipedrive-token", "Pipedrive token", answers.token),
    ):
        file = folder / name
        if value:
            _write(file, value + "\n")
        elif not file.exists():
            later.append(f"put the {what} into {file}")
    return later


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file that, unless told otherwise, only its owner can read."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    path.chmod(mode)
