"""A rehearsal as one HTML page to hand to the sales lead: no script, nothing loaded."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from daemon.maintenance.html import document, table, whole
from daemon.pipedrive.costs import PLURALS
from daemon.rules.quantities import counted, days, no_longer_made

_ONE = {plural: kind for kind, plural in PLURALS.items()}


def page(found: Mapping[str, Any], now: datetime) -> str:
    """The page for a rehearsal in the shape of `--json`, made at `now`."""
    where = found["where"]
    title = f"What mail2deal would make at {where['company']}"
    body = [
        f"<h1>{escape(title)}</h1>",
        *_opening(found, now),
        _warnings(found),
        _cards(found),
        _important(found["important"]),
        _left_out(found),
        _tokens(found),
    ]
    return document(title, body)


def _opening(found: Mapping[str, Any], now: datetime) -> Iterator[str]:
    where = found["where"]
    reads = ((box["name"], box["since"]) for box in where["mailboxes"])
    boxes = "; ".join(
        f"{name}, mail since {since}" if since else f"{name}, new mail only"
        for name, since in reads
    )
    rows = (
        ("Mailboxes", boxes),
        ("Pipedrive", f"{where['company']}.pipedrive.com"),
        ("New deals go to", " > ".join(filter(None, (where["pipeline"], where["stage"])))),
        ("Made", f"{now:%Y-%m-%d %H:%M} UTC"),
    )
    yield (
        f"<p>A rehearsal over {found['read']['messages']} new messages. Nothing was written to the"
        " mailboxes or to Pipedrive.</p>"
    )
    yield (
        "<dl>" + "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in rows) + "</dl>"
    )


def _warnings(found: Mapping[str, Any]) -> str:
    lines = [*found["problems"]]
    if found["asks"]:
        lines.append(found["asks"])
    if sentence := no_longer_made(**found["no_longer_made"]):
        lines.append(sentence)
    lines += [f"Pipedrive would refuse {n}: {why}" for why, n in found["refused"].items()]
    return "\n".join(f'<p class="warn">{escape(line)}</p>' for line in lines)


def _cards(found: Mapping[str, Any]) -> str:
    numbers = [(n, _ONE[kind] if n == 1 else kind) for kind, n in found["create"].items()]
    adopted, persons = sum(found["adopted"].values()), found["updates"]["persons"]
    more = (
        (found["conversions"], "of the deals made from leads"),
        (persons, f"{'person' if persons == 1 else 'persons'} brought up to date"),
        (adopted, f"{'record' if adopted == 1 else 'records'} already there and used"),
    )
    numbers += [(n, what) for n, what in more if n]
    cards = "".join(f'<div class="card"><b>{n}</b>{escape(what)}</div>' for n, what in numbers)
    return f'<div class="cards">{cards}</div>'


def _important(ones: Sequence[Mapping[str, Any]]) -> str:
    routed = any(one.get("route") for one in ones)
    rows = [
        (
            f"{escape(one['name'])}<small>{escape(one['address'])}</small>",
            escape(one["organization"] or ""),
            whole(one["what"]),
            escape(one["reason"]),
            _engagement(one),
            whole((one["last_contact"] or "")[:10]),
            *([escape(one["route"])] if routed else []),
        )
        for one in ones
    ]
    heads = ["Who", "Organization", "What", "Because", "Engagement", "Last contact"]
    heads += ["Route"] if routed else []
    return f"<h2>The {len(rows)} most important</h2>\n{table(heads, rows)}"


def _engagement(one: Mapping[str, Any]) -> str:
    received, replies, meetings = (one[key] for key in ("messages", "replies", "meetings"))
    parts = (
        f"{received} received" if received else "",
        counted(replies, "reply", "replies") if replies else "",
        counted(meetings, "meeting") if meetings else "",
    )
    return ", ".join(filter(None, parts))


def _left_out(found: Mapping[str, Any]) -> str:
    rows = [
        (
            f'<span class="n">{one["messages"]}</span>',
            escape(one["words"]),
            f"<small>{escape(', '.join(one['examples']))}</small>",
        )
        for one in found["left_out"]
    ]
    senders = counted(found["ignored_senders"], "sender gets", "senders get")
    return f"<h2>Left out: {senders} no record</h2>\n" + table(
        ("Messages", "Why", "For example"), rows
    )


def _tokens(found: Mapping[str, Any]) -> str:
    budget = found["budget"]
    most = max((one["tokens"] for one in found["tokens_by_call"]), default=1)
    rows = [(escape(one["call"]), _bar(one, most)) for one in found["tokens_by_call"]]
    return (
        f"<h2>{found['tokens']} tokens: {days(budget['days'])} of the budget</h2>\n"
        f"<p>The plan {escape(budget['plan'])} gives {budget['tokens_a_day']} a day; the rehearsal"
        f" itself read {found['read']['tokens']}.</p>\n" + table(("Call", "Tokens"), rows)
    )


def _bar(one: Mapping[str, Any], most: int) -> str:
    return (
        f'<div class="bar"><i style="width:{100 * one["tokens"] / most:.1f}%"></i>'
        f"<span>{one['tokens']} tokens in {one['calls']} calls</span></div>"
    )
