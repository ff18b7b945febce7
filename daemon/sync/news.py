"""Events that follow from a finished change, noted in the same transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime

from daemon.ledger.events import KEEP_TOLD
from daemon.ledger.store import Ledger
from daemon.rules.events import PATHS, EventKind, News, Subscriber
from daemon.sync.session import Session


def tell(
    ledger: Ledger,
    subscribers: Sequence[Subscriber],
    kind: EventKind,
    address: str,
    now: datetime,
    record: tuple[str, str] | None = None,
    about: str | None = None,
    fresh: datetime | None = None,
) -> None:
    """Note an event about a sender, once for what it is `about`.

    `fresh`: when the mail was written that caused it; by default the sender's latest mail.
    `record`: the kind and id of the object that was made, by default what the event is about.
    """
    wanting = [one for one in subscribers if kind in one.kinds]
    portrait = ledger.senders.portrait(address) if wanting else None
    if portrait is None:
        return
    last_contact, facts = portrait.last_contact, portrait.facts()
    key = address
    if record is not None:
        made, identifier = record
        key = f"{address} {identifier}"
        facts |= {"record": made, "pipedrive_id": identifier}
        url = ledger.setting("pipedrive_url")
        if url:
            facts["url"] = f"{url}{PATHS[made]}{identifier}"
    if about is not None:
        key = f"{address} {about}"
    for with_text in (False, True):
        names = [one.name for one in wanting if one.text is with_text]
        if names:
            told = facts | (portrait.words() if with_text else {})
            ledger.events.add(names, News(kind, key, now, address, told), fresh or last_contact)


def tell_first_reply(
    session: Session, address: str, replies: Collection[str], now: datetime
) -> None:
    """Note the first of the replies between us and a sender (message keys), unless it is old.

    What was told is forgotten after as long a time, so it is told once.
    """
    subscribers = session.settings.subscribers
    if not replies or not any("first_reply" in one.kinds for one in subscribers):
        return
    first = session.ledger.messages.earliest(replies)
    if first is not None and first >= now - KEEP_TOLD:
        tell(session.ledger, subscribers, "first_reply", address, now, fresh=first)
