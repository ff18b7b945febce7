r"""Which folders there are, which of them matter and for what: LIST and STATUS, read leniently.

Pure. Servers spell flags in any case, escape names wrongly and answer with literals; one strange
folder must never hide the others, so what can't be read is left out rather than raised. A folder's
name is kept twice: as people read it, and as its bytes on the wire, which alone are sent back.
RFC 3501 section 7.2, RFC 5258 (LIST-EXTENDED), RFC 5819 (LIST-STATUS), RFC 6154 (SPECIAL-USE).
"""

import contextlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import chain
from typing import Literal, NamedTuple, Self

from imapclient.imap_utf7 import decode, encode

from daemon.errors import ConfigProblem
from daemon.mailbox.account import Account
from daemon.mailbox.connection import Response

Role = Literal["inbox", "sent"]

_LIST = re.compile(
    rb'\* (?:LIST|XLIST) \(([^)]*)\) +(NIL|"\\?(.)"|"") +(.*)', re.IGNORECASE | re.DOTALL
)
_STATUS = re.compile(rb"\* STATUS +(.*)", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(rb"([A-Z]+) +(\d{1,18})\b", re.IGNORECASE)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"\s*(?:\(|$)', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_NAMESPACE = re.compile(
    rb"\* NAMESPACE +(NIL|\(.*?\)\)) *(NIL|\(.*?\)\)) *(NIL|\(.*?\)\))", re.IGNORECASE | re.DOTALL
)
_PREFIX = re.compile(rb'\(+"((?:[^"\\]|\\.)*)"')
# What makes a terminal obey, or a line of text run backwards.
_COMMANDING = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSELECTABLE = frozenset({"\\noselect", "\\nonexistent"})


class FolderRole(NamedTuple):
    """A folder that matters: what reached us, or what we provably sent."""

    name: str
    role: Role


class FolderStatus(NamedTuple):
    """A folder's counters."""

    name: str
    uidvalidity: int
    uidnext: int
    messages: int
    object_id: str | None = None  # MAILBOXID (RFC 8474), which only EXAMINE tells us
    modseq: int | None = None  # HIGHESTMODSEQ (RFC 7162): the folder's changes are counted by it

    @classmethod
    def of(cls, name: str, numbers: Mapping[str, int], object_id: str | None = None) -> Self:
        """From counters by their names in IMAP; what the server doesn't say is 0."""
        uidvalidity, uidnext = numbers.get("UIDVALIDITY", 0), numbers.get("UIDNEXT", 0)
        modseq = numbers.get("HIGHESTMODSEQ") or None
        return cls(name, uidvalidity, uidnext, numbers.get("MESSAGES", 0), object_id, modseq)


@dataclass(frozen=True, slots=True)
class MailboxFolder:
    """One folder of a LIST: its name for people and on the wire, flags in lower case."""

    name: str
    wire: bytes
    flags: frozenset[str]
    delimiter: str

    @property
    def leaf(self) -> str:
        """The last part of its name, without the parents."""
        return self.name.rsplit(self.delimiter, 1)[-1] if self.delimiter else self.name

    def is_near_the_top(self, prefixes: Iterable[bytes] = ()) -> bool:
        """Whether it stands beside INBOX, right below it, or right below one of the `prefixes`."""
        below = f"INBOX{self.delimiter}{self.leaf}"
        if self.leaf == self.name or self.name.casefold() == below.casefold():
            return True
        end = self.delimiter.encode("latin-1")
        return any(
            self.wire.startswith(one) and end not in self.wire.removeprefix(one) for one in prefixes
        )


def listed(responses: Iterable[Response]) -> tuple[MailboxFolder, ...]:
    """The folders in a LIST reply that can be opened."""
    folders: dict[bytes, MailboxFolder] = {}
    for response in responses:
        found = _LIST.match(response[0])
        wire = _name(found[4], response) if found else None
        if found and wire:
            flags = frozenset(found[1].decode("ascii", "replace").lower().split())
            delimiter = (found[3] or b"").decode("latin-1")
            if not flags & _UNSELECTABLE:
                folders.setdefault(wire, MailboxFolder(readable(wire), wire, flags, delimiter))
    return tuple(folders.values())


def statuses(responses: Iterable[Response]) -> dict[bytes, dict[str, int]]:
    """The counters of STATUS lines by the folder's name on the wire; INBOX in capitals."""
    found: dict[bytes, dict[str, int]] = {}
    for response in responses:
        line = _STATUS.match(response[0])
        if line:
            name = _name(line[1].rpartition(b"(")[0].strip() or line[1], response)
            numbers = (line[1] if len(response) == 1 else response[-1]).rpartition(b"(")[2]
            if name:
                found[canonical(name)] = {
                    item[1].upper().decode("ascii"): int(item[2])
                    for item in _NUMBER.finditer(numbers)
                }
    return found


def roles(
    folders: tuple[MailboxFolder, ...],
    *,
    what: str,
    inbox: tuple[str, ...],
    sent: Collection[str],
    gmail: bool,
) -> tuple[tuple[FolderRole, ...], dict[str, ConfigProblem]]:
    r"""The folders that matter, each once, and why those that aren't there can't be read.

    Inbox ones come as configured, then those for sent mail. On Gmail
    every label is a folder over the same mail. Where more than INBOX is asked for (or `auto`), the
    one folder that has it all, `\All`, is read once instead; a label alone is read as it is.
    """
    found: dict[str, FolderRole] = {}
    missing: dict[str, ConfigProblem] = {}
    role: Role
    # A folder named for both is what we say it is last: only Sent can prove a reply.
    for names, role in ((_received(folders, inbox, gmail=gmail), "inbox"), (sent, "sent")):
        for asked in names:
            folder = _find(folders, asked)
            name = folder.name if folder else asked
            found[name] = FolderRole(name, role)
            if folder is None:
                there = ", ".join(sorted(one.name for one in folders)[:40])
                missing[name] = ConfigProblem(
                    f"no folder {asked!r}", what=what, hint=f"there are: {there}"
                )
    return tuple(found.values()), missing


def _received(
    folders: tuple[MailboxFolder, ...], inbox: tuple[str, ...], *, gmail: bool
) -> tuple[str, ...]:
    """The names of the folders with what reached us, where `auto` may be among those asked for."""
    named = tuple(name for name in inbox if name.lower() != "auto")
    everything = [one for one in folders if "\\all" in one.flags]
    if gmail and everything and (len(inbox) > 1 or not named):
        return (everything[0].name,)
    return named or ("INBOX",)


def in_both(folders: tuple[MailboxFolder, ...], account: Account, *, gmail: bool) -> set[str]:
    """The folders that are named in both lists, perhaps by two spellings."""
    received, ours = (
        {found.name for name in names if (found := _find(folders, name))}
        for names in (_received(folders, account.inbox, gmail=gmail), account.sent or ())
    )
    return received & ours


def canonical(wire: bytes) -> bytes:
    """A name to compare by: INBOX is the one that is the same in any case (RFC 3501, 5.1)."""
    return b"INBOX" if wire.upper() == b"INBOX" else wire


@lru_cache(maxsize=1024)  # each listing has the same folders
def readable(wire: bytes) -> str:
    """A folder's name for people, from modified UTF-7 if it is, else from UTF-8.

    Characters that would command a terminal are written as escapes.
    """
    name = wire.decode("utf-8", "replace")
    with contextlib.suppress(ValueError):  # not what RFC 3501, 5.1.3 says: shown as it is
        if wire.isascii():
            name = str(decode(wire))
    return _COMMANDING.sub(lambda one: one[0].encode("unicode_escape").decode("ascii"), name)


@lru_cache(maxsize=1024)  # each poll asks for the same folders
def on_wire(name: str) -> bytes:
    """A folder's name in modified UTF-7, for a folder that no LIST has shown."""
    return bytes(encode(name))


def quoted(wire: bytes) -> bytes:
    """A name as a quoted string, ready for a command."""
    return b'"' + wire.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def sent_folders(
    folders: Iterable[MailboxFolder], prefixes: Collection[bytes] = ()
) -> list[MailboxFolder]:
    r"""The folders that are flagged `\Sent` or named like one; there may be several in use.

    By name only at the top, right below INBOX, or right below the `prefixes` of our own namespace:
    a "Sent" deeper down is somebody's own filing.
    """
    return [
        one
        for one in folders
        if "\\sent" in one.flags or (is_named_sent(one) and one.is_near_the_top(prefixes))
    ]


def is_named_sent(folder: MailboxFolder) -> bool:
    """Whether a client may have called the folder for sent mail so."""
    return _plain(folder.leaf) in sent_names()


def may_hold_sent(folder: MailboxFolder) -> bool:
    """Whether what lies in a folder could show that it is one for sent mail."""
    special = folder.flags & {"\\drafts", "\\trash", "\\junk", "\\all", "\\flagged", "\\sent"}
    return not special and _plain(folder.leaf) not in _names("unsent_names.txt") | {"inbox"}


def sent_names() -> frozenset[str]:
    """Names that clients give the folder for sent mail, without case."""
    return _names("sent_names.txt")


def namespaces(responses: Iterable[Response]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The prefixes in a NAMESPACE answer: ours, and other users' and shared ones (RFC 2342)."""
    for response in responses:
        found = _NAMESPACE.match(b'"'.join(_as_quoted(response)))
        if found:
            return _prefixes(found[1]), _prefixes(found[2] + found[3])
    return (), ()


def _prefixes(text: bytes) -> tuple[bytes, ...]:
    found = (_ESCAPED.sub(rb"\1", one) for one in _PREFIX.findall(text))
    return tuple(one for one in found if one)


def _as_quoted(response: Response) -> list[bytes]:
    """A response whose literals became quoted strings, in pieces between the quotes."""
    return [
        one if at % 2 == 0 else one.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        for at, one in enumerate(response)
    ]


def _plain(name: str) -> str:
    """A name to compare by: without case, and composed, as some servers take letters apart."""
    return unicodedata.normalize("NFC", name).casefold()


@cache
def _names(file: str) -> frozenset[str]:
    lines = files("daemon.mailbox.data").joinpath(file).read_text("utf-8").splitlines()
    return frozenset(_plain(line) for line in lines if line and not line.startswith("#"))


def _find(folders: tuple[MailboxFolder, ...], name: str) -> MailboxFolder | None:
    asked = _plain(name)
    same = chain(
        (one for one in folders if one.name == name),
        (one for one in folders if _plain(one.name) == asked),
        # Courier and old Cyrus put everything below INBOX.
        (one for one in folders if _plain(one.name) == f"inbox{one.delimiter}{asked}"),
        # Another server, or another version of it, may write another separator.
        (one for one in folders if _path(one.name, one.delimiter) == _path(name, "/")),
        (one for one in folders if _path(one.name, one.delimiter) == _path(name, ".")),
    )
    return next(same, None)


def _path(name: str, delimiter: str) -> tuple[str, ...]:
    """The names of a folder and its parents, without INBOX above all of them."""
    path = _plain(name).split(delimiter) if delimiter else [_plain(name)]
    return tuple(path[1:] if path[0] == "inbox" and len(path) > 1 else path)


def _name(text: bytes, response: Response) -> bytes | None:
    """A folder name in any of its three forms: literal, quoted string, atom; None if unusable."""
    text = text.strip()
    if len(response) > 1:
        name = response[1]
    elif text.startswith(b'"'):
        well_formed = _QUOTED.match(text)
        name = well_formed[1] if well_formed else text[1:].rpartition(b'"')[0]
        name = _ESCAPED.sub(rb"\1", name)
    else:
        # Extended data in parentheses may follow; else all of it, as some servers quote nothing.
        name = text.split(b" ", 1)[0] if text.endswith(b")") else text
    return None if not name or re.search(rb"[\r\n\0]", name) else name
