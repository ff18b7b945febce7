"""The first page of the browser view: is it well, what came this week, what needs you; in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Any, Literal

from daemon.maintenance.html import document, table, whole
from daemon.rules.quantities import counted

_ROWS = 10  # of each table; a link leads to the rest


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that a person should know, and the next command to type."""

    text: str
    do: str
    weight: Literal["person", "failing", "note"]


@dataclass(frozen=True, slots=True)
class Link:
    """A page behind this one."""

    path: str
    title: str
    description: str


def first_page(
    found: Mapping[str, Any], alerts: Sequence[Alert], holder: str | None, links: Sequence[Link]
) -> str:
    """The page; `found` is the ledger's overview, `holder` the process that works on it."""
    title = f"mail2deal, {found['company']}" if found["company"] else "mail2deal"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{found["now"]:%A, %Y-%m-%d %H:%M} UTC. Reload for what is newer.</p>',
        "<h2>Is it well?</h2>",
        *_well(found, alerts, holder),
        "<h2>What came in the last seven days?</h2>",
        *_week(found),
        "<h2>Who waits for you?</h2>",
        *_waiting(found),
        "<h2>Look further</h2>",
        table(
            ("Page", "What it shows"),
            [
                (
                    f'<a href="{escape(link.path)}">{escape(link.title)}</a>',
                    escape(link.description),
                )
                for link in links
            ],
        ),
    ]
    return document(title, body)


def _well(found: Mapping[str, Any], alerts: Sequence[Alert], holder: str | None) -> Iterator[str]:
    person, failing, _ = (
        sum(alert.weight == weight for alert in alerts) for weight in ("person", "failing", "note")
    )
    words = []
    if person:
        words.append(f"{counted(person, 'thing needs', 'things need')} you.")
    if failing:
        tried = counted(failing, "thing fails and is", "things fail and are")
        words.append(f"{tried} tried again automatically.")
    well = not words
    if well:
        words.append("All is well.")
    read, written = (_when(found[key], found["now"]) for key in ("read_at", "sync_at"))
    words.append(f"The mailboxes were last read: {read}; Pipedrive was last updated: {written}.")
    if holder is None:
        words.append("No mail2deal service or command is working on this ledger now.")
    yield f'<p class="{"well" if well else "warn"}">{escape(" ".join(words))}</p>'
    if alerts:
        rows = ((escape(one.text), f"<code>{escape(one.do)}</code>") for one in alerts)
        yield table(("What", "What to do"), rows)


def _week(found: Mapping[str, Any]) -> Iterator[str]:
    new = found["newcomers"]
    deals = sum(row["what"] == "deal" for row in new)
    words = ["No mail that counts came or went."]
    if found["received"] or found["sent"]:
        came = counted(found["received"], "mail that counts", "mails that count")
        people = counted(found["people"], "person", "people")
        words = [
            f"{came} came from {people}, and {counted(found['sent'], 'mail')} went to contacts."
        ]
    if new:
        are = counted(len(new), "person is", "people are")
        words.append(
            f"{are} new: {counted(len(new) - deals, 'lead')} and {counted(deals, 'deal')}."
        )
    if found["meetings"] or found["meetings_to_come"]:
        were = counted(found["meetings"], "meeting was", "meetings were")
        words.append(f"{were} held, {found['meetings_to_come']} are due in the next seven days.")
    if found["left_out"]:
        others = counted(found["left_out"], "other mail")
        words.append(f"{others} (newsletters, automatic answers and the like) made no record.")
    if made := [counted(n, kind) for kind, n in sorted(found["made"].items(), reverse=True)]:
        words.append(f"mail2deal created {' and '.join(made)} in Pipedrive, also for older mail.")
    yield f"<p>{escape(' '.join(words))}</p>"
    if new:
        yield _people(new, "First mail", what=True)


def _waiting(found: Mapping[str, Any]) -> Iterator[str]:
    if found["unanswered"]:
        yield (
            f"<p>{counted(len(found['unanswered']), 'person', 'people')} wrote last, more than"
            " a day and less than 30 days ago, and no answer is in Sent."
            " The longest wait is first.</p>"
        )
        yield _people(found["unanswered"], "Wrote")
    if found["silent"]:
        yield (
            f"<p>{counted(len(found['silent']), 'open deal has', 'open deals have')} had no mail"
            " for more than 30 days. The longest silence is first.</p>"
        )
        yield _people(found["silent"], "Last mail")
    if not (found["unanswered"] or found["silent"]):
        nobody = "Nobody: every recent mail has an answer, and no open deal is silent."
        yield f'<p class="well">{nobody}</p>'


def _people(rows: Sequence[Mapping[str, Any]], when: str, *, what: bool = False) -> str:
    """People by name, linked to Pipedrive."""
    shown = [
        (
            f"{_linked(row)}<small>{escape(row['sender'])}</small>",
            escape(row["organization"] or ""),
            *([escape(row["what"])] if what else []),
            whole((row["at"] or "")[:10]),
        )
        for row in rows[:_ROWS]
    ]
    heads = ("Who", "Organization", *(["Is a"] if what else []), when)
    more = len(rows) - len(shown)
    return table(heads, shown) + (f'<p class="soft">and {more} more</p>' if more else "")


def _linked(row: Mapping[str, Any]) -> str:
    name, url = escape(row["name"]), row["url"]
    if not url:
        return name
    return f'<a href="{escape(url)}" rel="noreferrer" target="_blank">{name}</a>'


def _when(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "never"
    if now - at > timedelta(hours=2):
        return f"on {at:%Y-%m-%d at %H:%M} UTC"
    minutes = int((now - at).total_seconds() // 60)
    return f"{counted(minutes, 'minute')} ago" if minutes else "just now"
