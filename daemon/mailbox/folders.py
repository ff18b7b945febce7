r"""Which folders there are, which of them matter and for what: LIST and STATUS, read leniently.

Pure. Servers spell flags in any case, escape names wrongly and answer with literals; one strange
folder must never hide the others, so what can't be read is left out rather than raised. A folder's
name is kept twice: as people read it, and as its bytes on the wire, which alone are sent back.
RFC 3501 section 7.2, RFC 5258 (LIST-EXTENDED), RFC 5819 (LIST-STATUS), RFC 6154 (SPECIAL-USE).
"""

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from imapclient.imap_utf7 import decode, encode

from daemon.errors import ConfigProblem
from daemon.mailbox.connection import Response

Role = Literal["inbox", "sent"]

# Names of the folder for sent mail where no server says which it is, from clients and web mailers.
SENT_NAMES = frozenset(
    {
        *("sent", "sent items", "sent messages", "sent mail", "sent-mail", "sentmail", "sentitems"),
        *("gesendet", "gesendete elemente", "gesendete objekte", "gesendete nachrichten"),
        *("gesendete mails", "postausgang (gesendet)"),
        *("envoyés", "messages envoyés", "éléments envoyés", "objets envoyés", "courrier envoyé"),
        *("enviados", "elementos enviados", "mensajes enviados", "correo enviado"),
        *("enviadas", "itens enviados", "mensagens enviadas", "correio enviado"),
        *("inviata", "inviati", "posta inviata", "elementi inviati", "messaggi inviati"),
        *("verzonden", "verzonden items", "verzonden berichten", "verstuurd"),
        *("odeslané", "odeslaná pošta", "odeslaná", "odoslané", "odoslaná pošta"),
        *("wysłane", "elementy wysłane", "wysłane wiadomości"),
        *("skickat", "skickade", "skickade objekt", "skickade meddelanden"),
        *("sendt", "sendte", "sendt post", "sendte elementer", "sendte meldinger"),
        *("lähetetyt", "lähetetyt viestit", "enviats", "elements enviats", "bidalitakoak"),
        *("elküldött", "elküldött elemek", "elküldött üzenetek"),
        *("trimise", "elemente trimise", "poslano", "poslane stavke", "poslana pošta"),
        *("gönderilmiş", "gönderilmiş öğeler", "gönderilmiş postalar", "gönderilenler"),
        *("απεσταλμένα", "изпратени", "надіслані", "відправлені", "послато"),
        *("отправленные", "отправленные письма", "изпратена поща"),
        *("已发送", "已发送邮件", "已傳送郵件", "寄件備份", "已寄出", "已发邮件", "寄件匣"),
        *("送信済み", "送信済みアイテム", "送信済みメール", "送信済みトレイ"),
        *("보낸 편지함", "보낸편지함", "보낸메일함", "보낸 메시지"),
        *("đã gửi", "terkirim", "إرسالات", "العناصر المرسلة", "نشان ارسال شده", "ส่งแล้ว"),
        *("פריטים שנשלחו", "נשלח", "išsiųsta", "nosūtītie", "saadetud", "saadetud kirjad"),
    }
)

_LIST = re.compile(
    rb'\* (?:LIST|XLIST) \(([^)]*)\) +(NIL|"\\?(.)"|"") +(.*)', re.IGNORECASE | re.DOTALL
)
_STATUS = re.compile(rb"\* STATUS +(.*)", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(rb"([A-Z]+) +(\d{1,18})\b", re.IGNORECASE)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"\s*(?:\(|$)', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
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
    sent: tuple[str, ...] | None,
    gmail: bool,
) -> tuple[FolderRole, ...]:
    r"""The folders that matter, each once: inbox ones as configured, then those for sent mail.

    On Gmail every label is a folder over the same mail. Where more than INBOX is asked for (or
    `auto`), the one folder that has it all, `\All`, is read once instead; a label alone is read
    as it is. Raises ConfigProblem, listing the folders there are, for a name that isn't there.
    """
    named = tuple(name for name in inbox if name.lower() != "auto")
    everything = [one for one in folders if "\\all" in one.flags]
    if gmail and everything and (len(inbox) > 1 or not named):
        received = everything[:1]
    else:
        received = [_find(folders, name, what) for name in named or ("INBOX",)]
    ours = _sent(folders) if sent is None else [_find(folders, name, what) for name in sent]
    found = {one.name: FolderRole(one.name, "inbox") for one in received}
    # A folder named for both is what we say it is last: only Sent can prove a reply.
    found |= {one.name: FolderRole(one.name, "sent") for one in ours}
    return tuple(found.values())


def canonical(wire: bytes) -> bytes:
    """A name to compare by: INBOX is the one that is the same in any case (RFC 3501, 5.1)."""
    return b"INBOX" if wire.upper() == b"INBOX" else wire


def readable(wire: bytes) -> str:
    """A folder's name for people, from modified UTF-7 if it is, else from UTF-8."""
    with contextlib.suppress(ValueError):  # not what RFC 3501, 5.1.3 says: shown as it is
        if wire.isascii():
            return str(decode(wire))
    return wire.decode("utf-8", "replace")


def on_wire(name: str) -> bytes:
    """A folder's name in modified UTF-7, for a folder that no LIST has shown."""
    return bytes(encode(name))


def quoted(wire: bytes) -> bytes:
    """A name as a quoted string, ready for a command."""
    return b'"' + wire.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _sent(folders: tuple[MailboxFolder, ...]) -> list[MailboxFolder]:
    flagged = [one for one in folders if "\\sent" in one.flags]
    if flagged:
        return flagged
    # Without SPECIAL-USE, clients leave several behind (Sent, Sent Items); all are ours to read.
    # Only at the top or right below INBOX: a "Sent" deeper down is somebody's own filing.
    return [
        one
        for one in folders
        if one.leaf.casefold() in SENT_NAMES
        and (one.leaf == one.name or one.name.upper() == f"INBOX{one.delimiter}{one.leaf.upper()}")
    ]


def _find(folders: tuple[MailboxFolder, ...], name: str, what: str) -> MailboxFolder:
    asked = name.casefold()
    same = (
        *(one for one in folders if one.name == name),
        *(one for one in folders if one.name.casefold() == asked),
        # Courier and old Cyrus put everything below INBOX.
        *(one for one in folders if one.name.casefold() == f"inbox{one.delimiter}{asked}"),
    )
    if same:
        return same[0]
    there = ", ".join(sorted(one.name for one in folders)[:40])
    raise ConfigProblem(f"no folder {name!r}", what=what, hint=f"there are: {there}")


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
