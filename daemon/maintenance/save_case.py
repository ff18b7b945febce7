"""FLOW mailbox → a labelled case: one mail that was judged wrongly, with invented names.

The mail, and what was written before it between us and its sender, is read from where it lies,
disguised, and put into the shape that `make signal` runs. What it says of each mail is what was
concluded, so the case as it stands is judged as the original was; a person corrects the label.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from daemon.errors import Problem, Rejected, Unreadable
from daemon.intake.states import known_us, state_of
from daemon.ledger.message_row import StoredMessage
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.mailbox.imap import Mailbox
from daemon.message.author import SUBMITTED
from daemon.message.disguise import disguised, learn
from daemon.message.parse import Address, Message, parse
from daemon.message.pseudonyms import Pseudonyms
from daemon.message.verdict import Judgement, Us, judge
from daemon.wiring import Wiring
from daemon.wiring.settings import scoring_settings

_MOST = 20  # mails in a case
_ANY_CLASS = ["ignore", "lead", "person_with_deal"]
_VIA = {"forward": "forward", "attached": "forward", "group": "relay", "envelope": "relay"}
ABOUT = "about.yml"


@dataclass(frozen=True, slots=True)
class SavedCase:
    """A case as a file, and what whoever saved it should know."""

    name: str
    text: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Mail:
    """One mail of a case: as the ledger has it, as it lies on the server, and invented."""

    stored: StoredMessage
    raw: bytes
    told: bytes = b""


def saved_case(wiring: Wiring, ledger: Ledger, address: str, key: str | None) -> SavedCase:
    """The case of a sender's newest mail, or of the one with this message key.

    Raises Rejected where there is none to be had, or what keeps us from the mailbox.
    """
    sender = Address("", address.strip().lower()).key
    us = known_us(ledger, scoring_settings(wiring.config).us)
    wanted = _wanted(ledger, sender, key)
    mails = _fetched(wiring, ledger, wanted)
    if not mails or mails[-1].stored.id != wanted[-1].id:
        raise Rejected(
            "its mail lies in no folder that is read any more", what=address, hint="save it by hand"
        )
    names = Pseudonyms(secrets.token_hex(8))
    for mail in mails:
        learn(names, mail.raw, _parsed(mail.raw))
    for own in sorted(us.addresses):
        names.learn(Address("", own))
    for domain in sorted(us.domains):
        names.learn_domain(domain)
    mails = [replace(mail, told=disguised(names, mail.raw)) for mail in mails]
    they = _invented(names, us)
    whole = len(mails) == len(ledger.messages.concerning([sender]))
    case = {
        "id": wanted[-1].message.key[:12],
        "source": "saved",
        "note": "what is wrong with it: say it here, and correct the labels below",
        "mails": [_labelled(names, us, mail) for mail in mails],
        "expect": _expected(wiring, ledger, names, sender, mails, whole=whole),
    }
    document = {
        "class": f"saved-{case['id']}",
        "about": "A mail that was judged wrongly, with invented names.",
        "us": _us_section(they),
        "cases": [case],
    }
    notes = list(_differences(names, us, they, mails))
    if not whole:
        notes.append("not all mail of this sender is in it: its counts aren't expected")
    notes.append("read it before you pass it on: a name that stands only in the text isn't known")
    return SavedCase(f"saved-{case['id']}.yaml", _as_yaml(document), tuple(notes))


def about() -> str:
    """The file that such a folder has for all of its cases."""
    return _as_yaml({"about": "Saved mail; each file says who we are there.", "us": {}})


def _wanted(ledger: Ledger, sender: str, key: str | None) -> list[StoredMessage]:
    """The mail, and before it what was written between us and its sender, the oldest first."""
    known = sorted(
        ledger.messages.concerning([sender]), key=lambda m: (m.arrived_at, m.message.key)
    )
    if not known:
        raise Rejected("no message from it was read", what=sender)
    if key is None:
        chosen = [m for m in known if not m.in_sent][-1:] or known[-1:]
    else:
        chosen = [m for m in known if m.message.key.startswith(key)]
        if len(chosen) != 1:
            raise Rejected(
                "isn't the key of a message of this sender",
                what=key,
                hint="`mail2deal explain --json` shows the keys",
            )
    return known[: known.index(chosen[0]) + 1][-_MOST:]


def _fetched(wiring: Wiring, ledger: Ledger, wanted: Sequence[StoredMessage]) -> list[_Mail]:
    """These mails from where they lie, as far as they still do."""
    places = defaultdict(list)
    for row in ledger.sightings.places([m.id for m in wanted]):
        places[row["mailbox"]].append(row)
    found: dict[int, bytes] = {}
    for box in wiring.config.mailboxes:
        rows = [row for row in places[box.name] if row["message"] not in found]
        if not rows:
            continue
        with Mailbox.connect(wiring.account(box)) as mailbox:
            mailbox.folders()
            for row in rows:
                if row["message"] in found:
                    continue
                try:
                    if mailbox.examine(row["name"]).uidvalidity == row["uidvalidity"]:
                        found[row["message"]] = mailbox.raw(row["uid"])
                except (Unreadable, Rejected) as problem:
                    event("explain.not_saved", folder=row["name"], uid=row["uid"], error=problem)
    return [_Mail(m, found[m.id]) for m in wanted if m.id in found]


def _parsed(raw: bytes) -> Message:
    return parse(raw, size=len(raw))


def _invented(names: Pseudonyms, us: Us) -> Us:
    """Who we are in the case."""
    return replace(
        us,
        addresses=frozenset(map(names.address, us.addresses)),
        domains=frozenset(map(names.domain, us.domains)),
        authserv_ids=frozenset(map(names.domain, us.authserv_ids | us.learned_servers)),
        learned_servers=frozenset(),
        ignored_addresses=frozenset(map(names.address, us.ignored_addresses)),
        ignored_domains=frozenset(map(names.domain, us.ignored_domains)),
    )


def _us_section(us: Us) -> dict[str, Any]:
    section: dict[str, Any] = {"addresses": sorted(us.addresses), "domains": sorted(us.domains)}
    if us.authserv_ids:
        section["authserv_id"] = min(us.authserv_ids)
    return section


def _labelled(names: Pseudonyms, us: Us, mail: _Mail) -> dict[str, Any]:
    """One mail with what was concluded from it."""
    text, encoding = mail.told, "utf-8"
    try:
        lines = text.decode()
    except UnicodeDecodeError:
        lines, encoding = text.decode("latin-1"), "latin-1"
    lines = lines.replace("\r\n", "\n")
    entry: dict[str, Any] = {} if encoding == "utf-8" else {"encoding": encoding}
    if mail.stored.in_sent:
        return {**entry, "sent": lines}
    judged = judge(mail.stored.message, in_sent=False, us=us)
    entry["verdict"] = "human" if judged.verdict.kind == "contact" else "machine"
    if judged.way != "from" and judged.parties:
        entry["via"] = "form" if judged.way in SUBMITTED else _VIA.get(judged.way, "relay")
        entry["person"] = names.address(judged.parties[0].key)
    return {**entry, "in": lines}


def _expected(
    wiring: Wiring,
    ledger: Ledger,
    names: Pseudonyms,
    sender: str,
    mails: Iterable[_Mail],
    *,
    whole: bool,
) -> dict[str, Any]:
    """What the ledger says of the sender, and that others of these mails may come, too."""
    parties = ledger.messages.parties_of([mail.stored.id for mail in mails])
    others = {one for some in parties.values() for one, _, _ in some}
    expected: dict[str, Any] = {names.address(one): {"class": _ANY_CLASS} for one in sorted(others)}
    state = state_of(ledger, scoring_settings(wiring.config), [sender])
    row = ledger.senders.get(sender)
    if state is not None and row is not None and whole:
        expected[names.address(sender)] = {
            "class": row.class_.name,
            "msg_count": state.msg_count,
            "replies": state.replies,
            "meetings": state.meetings,
            "name": names.in_text(state.name),
            "organization": names.domain(state.organization) if state.organization else None,
        }
    return expected


def _differences(names: Pseudonyms, us: Us, they: Us, mails: Iterable[_Mail]) -> Iterable[str]:
    """Where a mail is judged otherwise under invented names: such a case shows nothing."""
    for mail in mails:
        sent = mail.stored.in_sent
        try:
            before = judge(_parsed(mail.raw), in_sent=sent, us=us)
            after = judge(_parsed(mail.told), in_sent=sent, us=they)
        except Problem as problem:
            yield f"a mail can't be read any more under invented names: {problem}"
            continue
        if _concluded(before, names) != _concluded(after, None):
            yield (
                f"the names matter: a mail that was {before.verdict.reason} is"
                f" {after.verdict.reason} with invented ones"
            )


def _concluded(judged: Judgement, names: Pseudonyms | None) -> tuple[object, ...]:
    keys = {names.address(one.key) if names else one.key for one in judged.parties}
    return judged.direction, judged.verdict, judged.way, keys


class _Dumper(yaml.SafeDumper):
    """Writes mails as they look, line by line."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _as_yaml(document: object) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000)
