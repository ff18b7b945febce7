"""A first, commented config.yaml, and the files that hold its secrets.

Secrets go into files of their own that only their owner can read, or are named for later. Below
/etc the file is for the systemd unit: its user may read it, but not the secrets, which systemd
hands over as credentials.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

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


def is_for_the_unit(path: Path) -> bool:
    """Whether a configuration at `path` is the one that systemd's unit reads."""
    return path.is_relative_to(_FOR_THE_UNIT)


def write(path: Path, answers: Answers) -> list[str]:
    """Write the file and the secrets that were typed; what is left to do. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The unit's user isn't the one who writes this; no secret stands in it.
    mode = 0o644 if is_for_the_unit(path) else 0o600
    _write(path, render(answers, _ledger(path)), mode=mode)
    note = _NOTES.get(answers.host)
    return [*([note] if note else []), *_keep_secrets(path.parent, answers)]


def _ledger(path: Path) -> str:
    """The line that says where the ledger is: beside the file, or where the unit may write."""
    if not is_for_the_unit(path):
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
