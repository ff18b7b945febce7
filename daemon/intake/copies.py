"""Which messages of a batch are known already, or are copies of known ones or of one another."""

from collections.abc import Iterable, Iterator

from daemon.ledger.message_row import MessageRow, StoredMessage
from daemon.ledger.store import Ledger
from daemon.message.identity import is_copy, preferred, trace
from daemon.message.parse import Message

ASKED = "asked-"  # begins the signals that `classify.command` gives


class Known:
    """The messages that a batch may be copies of; those of the batch join as they are kept."""

    def __init__(self, ledger: Ledger, messages: Iterable[Message], *, in_sent: bool) -> None:
        several = list(messages)
        found = ledger.messages.stored(message.key for message in several)
        self.ids: dict[str, int] = {}  # ids in the ledger, by message key
        self._copies: dict[str, tuple[str, str | None]] = {}  # by key: message key, a Message-ID
        self._in_sent = in_sent
        self._rows: dict[str, StoredMessage | MessageRow] = {}
        self._keys: dict[str, str] = {}  # message key by the key of a copy
        self._alike: dict[tuple[str, str], list[str]] = {}  # message keys by what copies share
        for copy, row in found.items():
            self._keys[copy] = row.message.key
            self._add(row)
        unknown = [message for message in several if message.key not in found]
        for row in ledger.messages.like(unknown, sent=in_sent) if unknown else ():
            self._add(row)

    def find(self, message: Message) -> StoredMessage | MessageRow | None:
        """The message that this is, or is a copy of."""
        key = self._keys.get(message.key) or self._original(message)
        if key is None:
            return None
        if message.key not in self._keys:
            self._keys[message.key] = key
            self._copies[message.key] = key, message.message_id
        return self._rows[key]

    def place(self, message: Message, row: StoredMessage) -> None:
        """Take a message for the one known at its place, even if it is read differently now."""
        if message.size != row.message.size and message.message_id != row.message.message_id:
            return  # the UID was given to another mail
        if message.key not in self._keys:
            self._keys[message.key] = row.message.key
            self._copies[message.key] = row.message.key, message.message_id
            self._add(row)

    def copies(self) -> Iterator[tuple[str, str, str | None]]:
        """The copies that are new: key, key of its message, the id by which that also goes."""
        for copy, (key, other) in self._copies.items():
            yield copy, key, other if other != self._rows[key].message.message_id else None

    def key_of(self, message: Message) -> str:
        """The message key of what was found or kept for this one."""
        return self._keys[message.key]

    def keep(self, entry: MessageRow, came_as: Message) -> None:
        """Let later messages of the batch be copies of this one; it stood in a mail `came_as`."""
        before = self._rows.get(entry.message.key)
        if before is not None and entry.other:
            self._copies[came_as.key] = entry.message.key, before.message.message_id
        self._keys[came_as.key] = entry.message.key
        self._rows[entry.message.key] = entry
        self._note(entry.message)

    def _add(self, row: StoredMessage) -> None:
        self.ids[row.message.key] = row.id
        self._rows[row.message.key] = row
        self._note(row.message)

    def _note(self, message: Message) -> None:
        for mark in _marks(message):
            keys = self._alike.setdefault(mark, [])
            if message.key not in keys:
                keys.append(message.key)

    def _original(self, message: Message) -> str | None:
        for mark in _marks(message):
            for key in self._alike.get(mark, ()):
                row = self._rows[key]
                if is_copy(row.message, message, sent=self._in_sent and row.in_sent):
                    return key
        return None


def _marks(message: Message) -> Iterator[tuple[str, str]]:
    if message.message_id:
        yield "id", message.message_id
    if message.from_ is not None:
        yield "trace", trace(message.from_.key, message.subject, message.text_hash)


def read_anew(before: Message, message: Message) -> Message:
    """What a newer parser reads in a mail; where it is a worse copy, only what that lacked."""
    if message.subject == before.subject or preferred(before, message) is message:
        return message._replace(key=before.key)
    return before._replace(
        signals=message.signals,
        candidates=message.candidates,
        facts=message.facts,
        traces=message.traces,
        invites=message.invites,
        opaque=message.opaque,
        bounced=message.bounced,
    )


def with_answer(message: Message, before: Message) -> Message:
    """What the administrator's command said of a mail stays with it, whichever copy is kept."""
    said = {one for one in before.signals if one.startswith(ASKED)}
    if not said or any(one.startswith(ASKED) for one in message.signals):
        return message
    return message._replace(signals=tuple(sorted({*message.signals, *said})))
