"""A first, commented config.yaml, and the files that hold its secrets.

Secrets go into files of their own that only their owner can read, or are named for later. Below
/etc the file is for the systemd unit: its user may read it, but not the secrets, which systemd
hands over as credentials.
"""

import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

from daemon.config.discovery import by_domain

_FOR_THE_UNIT = Path("/etc")


USUAL_STAGE = "Initial Contact"
CLIENT_ID = "YOUR-CLIENT-ID"  # stands in the file until its owner knows it
# What is left to do where somebody hasn't typed a secret, by the key that names it.
_SECRETS = {
    "password": "IMAP password",
    "client_secret": "OAuth client secret",
    "service_account": "JSON key of the service account",
    "token": "Pipedrive token",
}


@dataclass(slots=True)
class Answers:
    """What the questions bring; empty texts leave a key out."""

    address: str = ""
    host: str = ""
    port: int = 993
    tls: str = "implicit"
    username: str = ""  # where it isn't the address
    oauth: dict[str, str] = field(default_factory=dict)  # the section without its secret
    company: str = ""  # or the address of a sandbox
    pipeline: str = ""
    stage: str = USUAL_STAGE
    since: str = ""
    secrets: str = "files"
    typed: dict[str, str] = field(default_factory=dict)  # secrets by the key that names them

    @property
    def url(self) -> str:
        """The address of the API."""
        return self.company if "://" in self.company else f"https://{self.company}.pipedrive.com"

    @property
    def server(self) -> str:
        """The IMAP server, with its port where that isn't the usual one."""
        usual = not self.host or self.port == (993 if self.tls == "implicit" else 143)
        return self.host if usual else f"{self.host}:{self.port}"

    @property
    def login_key(self) -> str:
        """The key whose secret logs the mailbox in, "" where nothing is kept for it."""
        if not self.oauth:
            return "password"
        if self.oauth["provider"] == "google" and self.oauth.get("grant") == "application":
            return "service_account"
        return "client_secret" if self.oauth.get("secret", "yes") == "yes" else ""


def is_for_the_unit(path: Path) -> bool:
    """Whether a configuration at `path` is the one that systemd's unit reads."""
    return path.is_relative_to(_FOR_THE_UNIT)


def instance(path: Path) -> str:
    """COMPANY of the unit mail2deal@COMPANY, which reads mail2deal/COMPANY/config.yaml; else ""."""
    return path.parent.name if path.parent.parent.name == "mail2deal" else ""


def write(path: Path, answers: Answers) -> list[str]:
    """Write the file and the secrets that were typed; what is left to do. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The unit's user isn't the one who writes this; no secret stands in it.
    mode = 0o644 if is_for_the_unit(path) else 0o600
    _write(path, render(answers, _ledger(path)), mode=mode)
    unknown = answers.oauth.get("client_id") == CLIENT_ID
    later = [f"put the client ID of your application into {path} (docs/logins.md)"] * unknown
    return later + _keep_secrets(path.parent, answers)


def keep(path: Path, answers: Answers) -> None:
    """Keep what was answered so far beside the file to be, for its owner only. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(_kept(path), json.dumps(asdict(answers)))


def kept(path: Path) -> Answers | None:
    """The answers of an `init` that was broken off, None without any."""
    try:
        return Answers(**json.loads(_kept(path).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def forget(path: Path) -> None:
    """Drop the answers that were kept: the file is written."""
    _kept(path).unlink(missing_ok=True)


def _kept(path: Path) -> Path:
    return path.with_name(f"{path.name}.answers")


def _ledger(path: Path) -> str:
    """The line that says where the ledger is: beside the file, or where the unit may write."""
    if not is_for_the_unit(path):
        return "ledger: ledger.db"
    if company := instance(path):
        return f"ledger: /var/lib/mail2deal-{company}/ledger.db"
    return "#ledger: /var/lib/mail2deal/ledger.db"


def render(answers: Answers, ledger: str) -> str:
    """The text of the configuration; `ledger` is its last line."""
    domain = answers.address.rpartition("@")[2].lower()
    since = f"    since: {answers.since}" if answers.since else "    #since: 2026-01-01"
    pipeline = (
        f"  pipeline: {_scalar(answers.pipeline)}"
        if answers.pipeline
        else "  #pipeline: Sales                  # without it, the first that has the stage"
    )
    us = f"  addresses: [{_scalar(answers.address)}]"
    if by_domain(domain) is None:
        us = f"  domains: [{_scalar(domain)}]"
    company = f"company: {_scalar(answers.company)}"
    if "://" in answers.company:
        company = f"base_url: {_scalar(answers.company)}"
    return f"""\
# mail2deal's configuration. Every other key, each with its default, is in docs/configuration.md.
# `mail2deal check` tries all of this; `mail2deal --dry-run` shows what would be made.

mailboxes:
  - name: {_scalar(mailbox_name(answers))}
    host: {_scalar(answers.host)}
{_line(answers)}    username: {_scalar(answers.username or answers.address)}
{_login(answers)}
{since}                 # how far the first look goes back; without it, only new mail
    #folders: {{sent: [Sent]}}           # if `check` doesn't find your Sent folder

pipedrive:
  {company}
  token: {_reference(answers, "token")}
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


def mailbox_name(answers: Answers) -> str:
    """A name for the mailbox: the local part of its address, in plain letters."""
    local = answers.address.partition("@")[0].lower()
    return re.sub(r"[^a-z0-9]+", "-", local).strip("-") or "mailbox"


def _line(answers: Answers) -> str:
    """Port and TLS where they aren't the usual ones."""
    lines = [f"    tls: {answers.tls}\n"] if answers.tls != "implicit" else []
    if answers.port != (993 if answers.tls == "implicit" else 143):
        lines.append(f"    port: {answers.port}\n")
    return "".join(lines)


def _login(answers: Answers) -> str:
    if not answers.oauth:
        return f"    password: {_reference(answers, 'password')}"
    keys = [
        f"      {key}: {_scalar(value)}" for key, value in answers.oauth.items() if key != "secret"
    ]
    if answers.login_key:
        keys.append(f"      {answers.login_key}: {_reference(answers, answers.login_key)}")
    return "\n".join(["    oauth:", *keys])


def _reference(answers: Answers, key: str) -> str:
    """Where the secret of a key stands, as the configuration says it."""
    match answers.secrets:
        case "env":
            return "{env: MAIL2DEAL_" + _variable(key) + "}"
        case "credentials":
            return "{credential: " + _file(answers, key) + "}"
        case _:
            return "{file: secrets/" + _file(answers, key) + "}"


def _variable(key: str) -> str:
    return {"password": "IMAP_PASSWORD", "token": "PIPEDRIVE_TOKEN"}.get(key, key.upper())


def _file(answers: Answers, key: str) -> str:
    if key == "token":
        return "pipedrive-token"
    if answers.secrets == "files" and key == "password":
        return "imap-password"
    kind = {"password": "imap"}.get(key, key.replace("_", "-"))
    return f"{mailbox_name(answers)}-{kind}"


def _scalar(value: str) -> str:
    """A text as YAML, quoted where it has to be."""
    text: str = yaml.safe_dump(value, allow_unicode=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...")


def _keep_secrets(home: Path, answers: Answers) -> list[str]:
    """Write the secrets that were typed; what is left to do about the others."""
    keys = [key for key in (answers.login_key, "token") if key]
    if answers.secrets == "env":
        names = " and ".join(f"MAIL2DEAL_{_variable(key)}" for key in keys)
        return [f"set {names} in the environment"]
    folder = home / ("credentials" if answers.secrets == "credentials" else "secrets")
    folder.mkdir(mode=0o700, exist_ok=True)
    later = []
    for key in keys:
        file = folder / _file(answers, key)
        if answers.typed.get(key):
            _write(file, answers.typed[key].rstrip("\n") + "\n")
        elif not file.exists():
            later.append(f"put the {_SECRETS[key]} into {file}")
    return later


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file that, unless told otherwise, only its owner can read."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    path.chmod(mode)
