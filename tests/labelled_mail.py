"""Judges folders of labelled mail, and says where the ledger differs from the labels.

    python tests/labelled_mail.py FOLDER

Every *.yaml of a folder is a class of cases; `about.yml` says who we are, unless the class does. A
case has mails (`in` lies in INBOX, `sent` in Sent; `verdict`: human, machine, cold or any; `person`
where the From isn't who wrote) and what is expected of each sender. Whoever else comes is wrong. The
mails of a class go into one mailbox of a real Dovecot, and the ordinary catch-up reads them.
"""

import email
import email.policy
import email.utils
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from daemon.config import load
from daemon.ledger.store import Ledger
from daemon.maintenance.catch_up import catch_up
from daemon.message.address import key_of
from daemon.sandbox.imap_server import ImapServer, start_imap
from daemon.wiring import Wiring

_PASSWORD = "secret"
_COUNTS = ("class", "msg_count", "replies", "meetings", "name", "organization")
_FACTS = ("phone", "title", "company")
_UNDATED = datetime(2026, 11, 2, 9, tzinfo=UTC)


@dataclass
class Judged:
    """One case, and what of it came otherwise than its labels say."""

    class_: str
    case: str
    open: bool  # reasonable people differ
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.class_}/{self.case}: {' | '.join(self.wrong) or 'right'}"


def judged(folder: Path, server: ImapServer, home: Path) -> Iterator[Judged]:
    """All cases of a folder."""
    about = yaml.safe_load((folder / "about.yml").read_text("utf-8"))
    for path in sorted(folder.glob("*.yaml")):
        one = yaml.safe_load(path.read_text("utf-8"))
        one.setdefault("class", path.stem)
        place = home / one["class"]
        place.mkdir(mode=0o700)
        yield from _class(one, about, server, place)


def _class(
    one: dict[str, Any], about: dict[str, Any], server: ImapServer, home: Path
) -> Iterator[Judged]:
    user = f"{one['class']}-{os.urandom(3).hex()}"
    server.add_user(user, _PASSWORD)
    places = _fill(server, user, [mail for case in one["cases"] for mail in case["mails"]])
    document = {
        "mailboxes": [
            {"name": "sales", "host": server.host, "port": server.port, "tls": "none"}
            | {"username": user, "password": {"env": "LABELLED_PASSWORD"}}
        ],
        "pipedrive": {"base_url": "http://127.0.0.1:9", "token": {"env": "LABELLED_PASSWORD"}},
        "us": one.get("us", about.get("us", {})),
        "ledger": str(home / "ledger.db"),
    }
    (home / "config.yaml").write_text(yaml.safe_dump(document))
    os.environ["LABELLED_PASSWORD"] = _PASSWORD
    wiring = Wiring(load(home / "config.yaml"))
    with Ledger.open(wiring.config.ledger) as ledger:
        boxes = wiring.mailboxes()
        result = catch_up(wiring, ledger, boxes, None, lambda *_: None, sync=False)
        if result.problems:
            raise result.problems[0]
        found = _Found(ledger)
    for case in one["cases"]:
        mine, places = places[: len(case["mails"])], places[len(case["mails"]) :]
        yield _judge(one["class"], case, mine, found)


def _fill(server: ImapServer, user: str, mails: Iterable[dict[str, Any]]) -> list[tuple[str, int]]:
    """Deliver mails; where each lies, as (folder, UID)."""
    places, counts = [], {"INBOX": 0, "Sent": 0}
    by_folder: dict[str, list[tuple[bytes, datetime]]] = {"INBOX": [], "Sent": []}
    for mail in mails:
        folder = "INBOX" if "in" in mail else "Sent"
        raw = raw_of(mail)
        by_folder[folder].append((raw, _dated(raw)))
        counts[folder] += 1
        places.append((folder, counts[folder]))
    for folder, some in by_folder.items():
        server.deliver_many(user, folder, some)
    return places


def raw_of(mail: dict[str, Any]) -> bytes:
    """The bytes of a labelled mail, as a server keeps them."""
    text: str = mail["in"] if "in" in mail else mail["sent"]
    lines = text.replace("\r\n", "\n").replace("\n", "\r\n")
    return lines.encode(mail.get("encoding", "utf-8"))


def _header(raw: bytes, name: str) -> str:
    head = email.message_from_bytes(raw.split(b"\r\n\r\n")[0], policy=email.policy.compat32)
    return str(head[name] or "")


def _dated(raw: bytes) -> datetime:
    try:
        return email.utils.parsedate_to_datetime(_header(raw, "Date")).astimezone(UTC)
    except (TypeError, ValueError):
        return _UNDATED


class _Found:
    """What the ledger says, by the tables and columns that are public."""

    def __init__(self, ledger: Ledger) -> None:
        self.messages = {
            (row["name"], row["uid"]): (row["message"], row["reason"])
            for row in ledger.rows(
                "SELECT f.name, s.uid, s.message, m.reason FROM sightings s"
                " JOIN folders f ON f.id = s.folder LEFT JOIN messages m ON m.id = s.message"
            )
        }
        self.parties: dict[int, dict[str, tuple[str, str]]] = {}
        for row in ledger.rows("SELECT * FROM correspondence"):
            party = self.parties.setdefault(row["message"], {})
            party[row["sender"]] = row["verdict"], row["reason"]
        self.senders = {row["address"]: dict(row) for row in ledger.rows("SELECT * FROM senders")}
        for row in ledger.rows("SELECT * FROM sender_facts"):
            self.senders[row["sender"]][row["kind"]] = row["value"]


def _judge(
    class_: str, case: dict[str, Any], places: list[tuple[str, int]], found: _Found
) -> Judged:
    result = Judged(class_, str(case["id"]), bool(case.get("open")))
    expected = {key_of(one) or one: want or {} for one, want in (case["expect"] or {}).items()}
    touched, cold = set(expected), False
    for number, (mail, place) in enumerate(zip(case["mails"], places, strict=True), 1):
        message, reason = found.messages.get(place, (0, "not read"))
        parties = found.parties.get(message, {})
        touched |= parties.keys()
        counts = {one for one, (verdict, _) in parties.items() if verdict == "contact"}
        why = ", ".join(f"{one}: {r}" for one, (_, r) in parties.items()) or reason
        cold |= mail.get("verdict") == "cold"
        match mail.get("verdict"):
            case "human":
                specs = email.utils.getaddresses([_header(raw_of(mail), "From")])
                person = key_of(mail.get("person") or specs[-1][1])
                if person not in counts:
                    result.wrong.append(f"mail {number}: a person wrote, {person} ({why})")
            case "machine" if counts:
                result.wrong.append(f"mail {number}: a machine's ({why})")
    made = {one for one in touched if _class_of(found, one) != "ignore"}
    for one in sorted(made - expected.keys() if not cold else ()):
        result.wrong.append(f"{one} is nobody here; came as {_class_of(found, one)}")
    for one, want in expected.items():
        result.wrong += _differences(one, want, found.senders.get(one, {}))
    return result


def _class_of(found: _Found, address: str) -> str:
    return str(found.senders.get(address, {}).get("class", "ignore"))


def _differences(address: str, want: dict[str, Any], came: dict[str, Any]) -> Iterator[str]:
    for name in (*_COUNTS, *_FACTS):
        value = came.get(name, "ignore" if name == "class" else None if name in _FACTS else 0)
        if name not in want or (name in {"name", "organization"} and not came):
            continue
        right = _same_number(want[name], value) if name == "phone" else _fits(want[name], value)
        if not right:
            yield f"{address}: {name} {want[name]}; came {value}"


def _fits(want: Any, came: Any) -> bool:
    if isinstance(want, list):
        return any(_fits(one, came) for one in want)
    if isinstance(want, str) and want.startswith(">="):
        return isinstance(came, int) and came >= int(want[2:])
    return bool(want == came)


def _same_number(want: Any, came: Any) -> bool:
    one, other = ("".join(filter(str.isdigit, str(value))).lstrip("0") for value in (want, came))
    return bool(one and other) and (one.endswith(other) or other.endswith(one))


def main() -> None:
    """Judge the folder that the command line names and print a table."""
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "about.yml").exists():
        sys.exit(f"{__doc__}\nname a folder that has an about.yml")
    with tempfile.TemporaryDirectory(prefix="m2d-labelled-") as home, start_imap() as server:
        results = list(judged(Path(sys.argv[1]), server, Path(home)))
    scored = [one for one in results if not one.open]
    for name in dict.fromkeys(one.class_ for one in scored):
        some = [one for one in scored if one.class_ == name]
        sys.stdout.write(f"{name:28} {sum(not one.wrong for one in some):4} of {len(some)}\n")
    for one in scored:
        if one.wrong:
            sys.stdout.write(f"  {one}\n")
    sys.stdout.write(f"{sum(not one.wrong for one in scored)} of {len(scored)} cases are right\n")


if __name__ == "__main__":
    main()
