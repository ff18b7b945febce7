"""`mail2deal check`: a guided tour of everything that has to work, each line ok or what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from daemon.cli import output
from daemon.cli.wiring import Wiring
from daemon.config import MailboxSection
from daemon.errors import ConfigProblem, Problem
from daemon.ledger.store import Ledger
from daemon.mailbox.imap import Mailbox
from daemon.pipedrive import directory
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.objects import FIELDS

_LEARNED = "learned_addresses"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was tried: `problem` None means that it works."""

    what: str
    found: str = ""
    problem: Problem | None = None
    note: str = ""  # works, but worth knowing


def check(wiring: Wiring) -> int:
    """Try everything, print a line each; the exit status of the worst."""
    worst = output.DONE
    for line in _lines(wiring):
        if line.problem is None:
            mark, text = ("!", line.note) if line.note else ("ok", line.found)
            output.console.print(f"{mark:<4}{line.what}: {text}", markup=False)
            continue
        problems = (
            line.problem.problems
            if isinstance(line.problem, ConfigProblem)
            else (str(line.problem),)
        )
        for problem in problems:
            output.console.print(f"{'no':<4}{line.what}: {problem}", markup=False)
        worst = max(worst, output.status_of(line.problem), key=output.severity)
    return worst


def _lines(wiring: Wiring) -> Iterator[Line]:
    yield Line("configuration", f"{len(wiring.config.mailboxes)} mailboxes")
    yield from _ledger(wiring)
    for mailbox in wiring.config.mailboxes:
        yield from _mailbox(wiring, mailbox)
    yield from _pipedrive(wiring)


def _ledger(wiring: Wiring) -> Iterator[Line]:
    path = wiring.config.ledger
    if not path.exists():
        yield Line("ledger", f"{path} will be made")
        return
    try:
        with Ledger.open(path, readonly=True) as ledger:
            (count,) = ledger.rows("SELECT count(*) AS n FROM messages")
            learned = ledger.setting(_LEARNED) or []
    except Problem as problem:
        yield Line("ledger", problem=problem)
        return
    yield Line("ledger", f"{path}, {count['n']} messages")
    if learned:
        yield Line("us", "addresses learned from Sent: " + ", ".join(learned))


def _mailbox(wiring: Wiring, section: MailboxSection) -> Iterator[Line]:
    what = f"mailbox {section.name}"
    try:
        mailbox = Mailbox.connect(wiring.account(section))
    except Problem as problem:
        yield Line(f"{what}: login", problem=problem)
        return
    with mailbox:
        yield Line(f"{what}: login", f"{section.username} at {section.host}")
        useful = ("IDLE", "CONDSTORE", "LIST-STATUS", "SPECIAL-USE", "COMPRESS=DEFLATE")
        offered = [name for name in useful if name in mailbox.capabilities]
        yield Line(f"{what}: server", "offers " + (", ".join(offered) or "the basics only"))
        try:
            roles = mailbox.folders()
            statuses = mailbox.status([role.name for role in roles])
        except Problem as problem:
            yield Line(f"{what}: folders", problem=problem)
            return
        for role in roles:
            status = statuses.get(role.name)
            count = f"{status.messages} messages" if status else "no answer to STATUS"
            yield Line(f"{what}: {role.name}", f"role {role.role}, {count}")
        if not any(role.role == "sent" for role in roles):
            yield Line(
                f"{what}: Sent",
                note="no Sent folder found, so replies can't be detected: name it as folders.sent",
            )


def _pipedrive(wiring: Wiring) -> Iterator[Line]:
    client = wiring.client()
    try:
        me = client.send(Call.to("users.me")).data
    except Problem as problem:
        yield Line("pipedrive: token", problem=problem)
        return
    yield Line("pipedrive: token", f"{me['name']} at {me['company_name']}")
    config = wiring.config.pipedrive
    owners = frozenset(m.owner.lower() for m in wiring.config.mailboxes if m.owner)
    attempts: list[tuple[str, Callable[[], str]]] = [
        ("stage", lambda: _stage(client, config.pipeline, config.stage)),
        ("fields", lambda: _fields(client)),
    ]
    if owners:
        attempts.append(("owners", lambda: ", ".join(sorted(directory.owners(client, owners)))))
    for what, attempt in attempts:
        try:
            yield Line(f"pipedrive: {what}", attempt())
        except Problem as problem:
            yield Line(f"pipedrive: {what}", problem=problem)
    budget = client.budget
    yield Line(
        "pipedrive: budget",
        f"{budget.limit} tokens a day, {budget.remaining()} of them left for us today;"
        f" {client.plan.burst} requests per 2 s",
    )
    if wiring.config.activities.emails:
        yield Line(
            "activities",
            "every mail becomes an activity: set activities.emails to false if Pipedrive's own"
            " e-mail sync is on for this mailbox, or each mail shows twice",
        )


def _stage(client: Client, pipeline: str | None, stage: str) -> str:
    number = directory.place(client, pipeline, stage)
    return f"{stage!r} in {pipeline!r} (id {number})" if pipeline else f"{stage!r} (id {number})"


def _fields(client: Client) -> str:
    found = directory.fields(client)
    missing = [name for key, (_, name, _) in FIELDS.items() if key not in found]
    return "will be made: " + ", ".join(missing) if missing else "all there"
