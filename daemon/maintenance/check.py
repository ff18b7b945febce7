"""FLOW everything that has to work, tried one by one without writing anywhere."""

import contextlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from daemon.config import Config, MailboxSection, secrets_of
from daemon.errors import ConfigProblem, LedgerProblem, Problem
from daemon.intake import own_servers, server_memory
from daemon.ledger import reports
from daemon.ledger.store import Ledger
from daemon.mailbox.imap import Account, FolderRole, Mailbox
from daemon.mailbox.ladder import INSTEAD
from daemon.rules.organization import registrable_domain
from daemon.rules.quantities import counted
from daemon.wiring import Wiring
from daemon.wiring.settings import scoring_settings

# By account and folder: the mailbox of the configuration that reads it, and for what.
_Read = dict[tuple[str, str], tuple[str, str]]

_LEARNED = "learned_addresses"
_PATIENCE = 15.0  # seconds that a person waits for a silent server


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One thing that was tried: `problem` None means that it works."""

    what: str
    found: str = ""
    problem: Problem | None = None
    note: str = ""  # works, but worth knowing


def check_here(wiring: Wiring) -> Iterator[CheckLine]:
    """Try what is on this machine: the configuration, its secrets and the ledger."""
    boxes = wiring.config.mailboxes
    yield CheckLine("configuration", counted(len(boxes), "mailbox"))
    yield from _dates(wiring)
    yield from _us(wiring.config)
    yield from _roles(wiring.config)
    yield from _secrets(wiring.config)
    yield from _ledger(wiring.config)


def check_mailboxes(wiring: Wiring) -> Iterator[CheckLine]:
    """Try every login and folder."""
    read: _Read = {}
    for mailbox in wiring.config.mailboxes:
        yield from _mailbox(wiring, mailbox, read)


def _dates(wiring: Wiring) -> Iterator[CheckLine]:
    today = wiring.now().date()
    for box in wiring.config.mailboxes:
        if box.since is not None and box.since > today:
            problem = ConfigProblem(
                f"since is {box.since}, in the future: no mail would ever be read",
                hint="take a day that has passed, or leave since out",
            )
            yield CheckLine(f"mailbox {box.name}: since", problem=problem)


def _us(config: Config) -> Iterator[CheckLine]:
    """Domains that can't all be ours: everybody who writes from there would be one of us."""
    public = scoring_settings(config).public
    for domain in config.us.domains:
        below = f"a.{domain}"
        if domain in public:
            problem = ConfigProblem(
                f"{domain} is a public provider: nobody who writes from there would ever count",
                hint="name your own addresses there as us.addresses instead",
            )
            yield CheckLine("us.domains", problem=problem)
        elif registrable_domain(below) == below:
            problem = ConfigProblem(
                f"{domain} has customers of its own: none of them would ever count",
                hint=f"name your own part of it: you.{domain}",
            )
            yield CheckLine("us.domains", problem=problem)


def _roles(config: Config) -> Iterator[CheckLine]:
    """Folders that are named for mail that came in and for mail that was sent."""
    for box in config.mailboxes:
        for name in _in_both(box):
            yield _both(box, name)


def _in_both(box: MailboxSection) -> list[str]:
    """The names that stand in both lists; a server may know one folder by several more."""
    sent = {_folder_key(name) for name in box.folders.sent or ()}
    return list(dict.fromkeys(one for one in box.folders.inbox if _folder_key(one) in sent))


def _both(box: MailboxSection, name: str) -> CheckLine:
    problem = ConfigProblem(
        f"{name} is named as inbox and as sent",
        hint="name it once; our own mails in an inbox are told by their From",
    )
    return CheckLine(f"mailbox {box.name}: folders", problem=problem)


def _folder_key(name: str) -> str:
    # Of all names only INBOX is compared without case (RFC 3501, 5.1).
    return name.upper() if name.upper() == "INBOX" else name


def _secrets(config: Config) -> Iterator[CheckLine]:
    """Whether every secret can be read; commands aren't run here, they may ask a server."""
    for what, secret in secrets_of(config):
        if secret.kind == "command":
            continue
        try:
            secret.read()
        except Problem as problem:
            yield CheckLine(what, problem=problem)


def _not_writable(path: Path) -> ConfigProblem | None:
    """Why the ledger couldn't be written here, by this user; the nearest directory decides."""
    home = path.parent
    while not home.exists() and home != home.parent:
        home = home.parent
    place = path if path.exists() else home
    if home.is_dir() and os.access(home, os.W_OK | os.X_OK) and os.access(place, os.W_OK):
        return None
    return ConfigProblem(
        f"{place} can't be written by this user" if home.is_dir() else f"{home} isn't a directory",
        what=str(path),
        hint="run this as the service's user or with sudo, or name another place as ledger",
    )


def _ledger(config: Config) -> Iterator[CheckLine]:
    path = config.ledger
    if (unwritable := _not_writable(path)) is not None:
        yield CheckLine("ledger", problem=unwritable)
        return
    if not path.exists():
        yield CheckLine("ledger", f"{path} will be made")
        return
    try:
        with Ledger.open(path, readonly=True) as ledger:
            count = sum(ledger.counts("messages").values())
            learned = ledger.setting(_LEARNED) or []
            servers = own_servers.learned(ledger.setting(own_servers.SETTING) or {})
    except Problem as problem:
        yield CheckLine("ledger", problem=problem)
        return
    yield CheckLine("ledger", f"{path}, {count} messages")
    if learned:
        yield CheckLine("us", "addresses learned from Sent: " + ", ".join(learned))
    if servers:
        said = "servers whose Authentication-Results are believed: "
        yield CheckLine("us", said + ", ".join(sorted(servers)))


def _twice(account: Account, roles: Collection[FolderRole], read: _Read) -> Iterator[CheckLine]:
    """Folders that another mailbox of the configuration reads, too: both are one account."""
    again: dict[str, list[str]] = {}
    for folder in roles:
        name, role = read.setdefault((account.identity, folder.name), (account.name, folder.role))
        if name != account.name and role != folder.role:
            problem = ConfigProblem(
                f"{folder.name} is named as {folder.role} here and as {role} in mailbox {name},"
                " which is the same account",
                hint="name it once; our own mails in an inbox are told by their From",
            )
            yield CheckLine(f"mailbox {account.name}: folders", problem=problem)
        elif name != account.name:
            again.setdefault(name, []).append(folder.name)
    for name, folders in again.items():
        some = ", ".join(folders)
        note = f"mailbox {name} is the same account and reads {some}, too: one of them will do"
        yield CheckLine(f"mailbox {account.name}: folders", note=note)


def _mailbox(wiring: Wiring, section: MailboxSection, read: _Read) -> Iterator[CheckLine]:
    what = f"mailbox {section.name}"
    try:
        account = _remembered(wiring, section)
        hasty = replace(account, connect_timeout=_PATIENCE, read_timeout=_PATIENCE)
        mailbox = Mailbox.connect(hasty)
    except Problem as problem:
        yield CheckLine(f"{what}: login", problem=problem)
        return
    with mailbox:
        yield CheckLine(f"{what}: login", f"{section.username} at {section.host}")
        yield CheckLine(f"{what}: server", _offers(mailbox.capabilities))
        try:
            roles = mailbox.folders()
        except Problem as problem:
            yield CheckLine(f"{what}: folders", problem=problem)
            return
        told = {_folder_key(name) for name in _in_both(section)}
        for name in sorted(mailbox.in_both - told):
            yield _both(section, name)
        yield from _twice(account, roles, read)
        for role in roles:
            yield _folder(mailbox, what, role)
        if not any(role.role == "sent" for role in roles):
            yield CheckLine(
                f"{what}: Sent",
                note="no Sent folder found, so replies can't be detected: name it as folders.sent",
            )
        yield from _answers(wiring.config, section, what)
        for name, why in mailbox.account.ladder.broken().items():
            note = f"{name} is offered and fails ({why}): mail2deal {INSTEAD[name]} for a day"
            yield CheckLine(f"{what}: {name}", note=note)
        if mailbox.account.ladder.batch is not None:
            note = f"the server is slow: {mailbox.account.ladder.batch} mails are asked for at once"
            yield CheckLine(f"{what}: pace", note=note)


def _remembered(wiring: Wiring, section: MailboxSection) -> Account:
    """The account, with what the service has found that its server can't do."""
    account = wiring.account(section)
    with contextlib.suppress(LedgerProblem):  # the ledger has a line of its own
        if wiring.config.ledger.exists():
            with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
                server_memory.load(account, ledger)
    return account


def _answers(config: Config, section: MailboxSection, what: str) -> Iterator[CheckLine]:
    """A note where answers come in, and nothing is known of what they answer."""
    if not config.ledger.exists():
        return
    with Ledger.open(config.ledger, readonly=True) as ledger:
        answers = reports.unmatched_answers(ledger, section.name)
    if answers >= reports.MANY_ANSWERS:
        note = (
            f"{answers} answers came in, and none of our mails was found in a folder for sent mail:"
            " name the one that is used as folders.sent"
        )
        yield CheckLine(f"{what}: Sent", note=note)


def _folder(mailbox: Mailbox, what: str, role: FolderRole) -> CheckLine:
    """Whether a folder can be opened, and what lies in it."""
    try:
        if mailbox.closed:  # over the folder before
            mailbox.reconnect()
        status = mailbox.examine(role.name)
        newest = mailbox.newest()
    except Problem as problem:
        return CheckLine(f"{what}: {role.name}", problem=problem)
    found = f"role {role.role}, {counted(status.messages, 'message')}"
    if newest is not None:
        found += f", the newest of {newest:%Y-%m-%d}"
    return CheckLine(f"{what}: {role.name}", found)


# What a server may offer, and what it means where it doesn't.
_USEFUL = {
    "IDLE": "new mail is seen at the next poll only",
    "LIST-STATUS": "a poll takes one request a folder",
    "SPECIAL-USE": "the Sent folder is found by its name",
}


def _offers(capabilities: Collection[str]) -> str:
    offered = [name for name in _USEFUL if name in capabilities]
    missing = [
        f"no {name}: {text}" for name, text in _USEFUL.items() if text and name not in offered
    ]
    return "; ".join(["offers " + (", ".join(offered) or "the basics only"), *missing])
