"""FLOW everything that has to work, tried one by one without writing anywhere."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.config import MailboxSection
from daemon.errors import Problem, Rejected
from daemon.intake import own_servers
from daemon.ledger import reports
from daemon.ledger.store import Ledger
from daemon.mailbox.imap import FolderRole, Mailbox
from daemon.mailbox.ladder import INSTEAD
from daemon.pipedrive import directory
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.objects import FIELDS
from daemon.wiring import Wiring

_LEARNED = "learned_addresses"


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One thing that was tried: `problem` None means that it works."""

    what: str
    found: str = ""
    problem: Problem | None = None
    note: str = ""  # works, but worth knowing


def check(wiring: Wiring) -> Iterator[CheckLine]:
    """Try everything that has to work: one line for each."""
    yield CheckLine("configuration", f"{len(wiring.config.mailboxes)} mailboxes")
    yield from _ledger(wiring)
    for mailbox in wiring.config.mailboxes:
        yield from _mailbox(wiring, mailbox)
    yield from _pipedrive(wiring)


def _ledger(wiring: Wiring) -> Iterator[CheckLine]:
    path = wiring.config.ledger
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


def _mailbox(wiring: Wiring, section: MailboxSection) -> Iterator[CheckLine]:
    what = f"mailbox {section.name}"
    try:
        mailbox = Mailbox.connect(wiring.account(section))
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
        for role in roles:
            yield _folder(mailbox, what, role)
        if not any(role.role == "sent" for role in roles):
            yield CheckLine(
                f"{what}: Sent",
                note="no Sent folder found, so replies can't be detected: name it as folders.sent",
            )
        for name, why in mailbox.account.ladder.broken().items():
            note = f"{name} is offered and fails ({why}): mail2deal {INSTEAD[name]} for a day"
            yield CheckLine(f"{what}: {name}", note=note)


def _folder(mailbox: Mailbox, what: str, role: FolderRole) -> CheckLine:
    """Whether a folder can be opened, and what lies in it."""
    try:
        status = mailbox.examine(role.name)
        newest = mailbox.newest()
    except Problem as problem:
        return CheckLine(f"{what}: {role.name}", problem=problem)
    found = f"role {role.role}, {status.messages} message{'' if status.messages == 1 else 's'}"
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


def _pipedrive(wiring: Wiring) -> Iterator[CheckLine]:
    client = wiring.reading_client()
    try:
        me = client.send(Call.to("users.me")).data
    except Problem as problem:
        yield CheckLine("pipedrive: token", problem=problem)
        return
    yield CheckLine("pipedrive: token", f"{me['name']} at {me['company_name']}")
    config = wiring.config.pipedrive
    owners = frozenset(m.owner.lower() for m in wiring.config.mailboxes if m.owner)
    attempts: list[tuple[str, Callable[[], str]]] = [
        ("stage", lambda: _stage(client, config.pipeline, config.stage)),
        ("fields", lambda: _fields(wiring, client)),
    ]
    if owners:
        attempts.append(("owners", lambda: ", ".join(sorted(directory.owners(client, owners)))))
    for what, attempt in attempts:
        try:
            yield CheckLine(f"pipedrive: {what}", attempt())
        except Problem as problem:
            yield CheckLine(f"pipedrive: {what}", problem=problem)
    yield _permissions(me)
    yield _budget(client, config.seats)
    if wiring.config.activities.emails:
        yield CheckLine(
            "activities",
            note="every mail becomes an activity: set activities.emails to false if Pipedrive's own"
            " e-mail sync is on for this mailbox, or each mail shows twice",
        )


def _permissions(me: Mapping[str, Any]) -> CheckLine:
    """Whether this user may make custom fields: admins may, others only where they are let."""
    admin = any(entry.get("admin") for entry in me.get("access") or ())
    if admin:
        return CheckLine("pipedrive: permissions", "an administrator")
    return CheckLine(
        "pipedrive: permissions",
        note="not an administrator: if the fields are refused, an administrator makes them by name"
        " and type (" + ", ".join(f"{name}: {kind}" for _, name, kind in FIELDS.values()) + ")",
    )


def _budget(client: Client, seats: int) -> CheckLine:
    budget, configured = client.budget, client.plan.daily_tokens(seats)
    found = (
        f"{budget.limit} tokens a day, {budget.remaining()} of them left for us today;"
        f" {client.plan.burst} requests per 2 s"
    )
    if budget.limit != configured:
        return CheckLine(
            "pipedrive: budget",
            note=f"{found}; the configured plan would give {configured}:"
            " set pipedrive.plan and pipedrive.seats to yours",
        )
    return CheckLine("pipedrive: budget", found)


def _stage(client: Client, pipeline: str | None, stage: str) -> str:
    number = directory.place(client, pipeline, stage)
    return f"{stage!r} in {pipeline!r} (id {number})" if pipeline else f"{stage!r} (id {number})"


def _fields(wiring: Wiring, client: Client) -> str:
    """Which of our fields there are; raises Rejected if some can't be had, and says why."""
    found = directory.fields(client)
    missing = {key: name for key, (_, name, _) in FIELDS.items() if key not in found}
    if not missing:
        return "all there"
    why = _why_missing(wiring)
    lost = [f"{name} ({why[key]})" for key, name in missing.items() if key in why]
    if lost:
        raise Rejected(
            "missing: " + "; ".join(lost),
            hint="everything else works without; an administrator can make them by name and type",
        )
    return "will be made: " + ", ".join(missing.values())


def _why_missing(wiring: Wiring) -> dict[str, str]:
    """Why fields aren't made, by our names: Pipedrive refused, or people deleted them."""
    if not wiring.config.ledger.exists():
        return {}
    with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
        return reports.missing_fields(ledger)
