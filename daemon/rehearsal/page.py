"""A rehearsal as one HTML page to hand to the sales lead: no script, nothing loaded."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light; --ink: #1d2733; --soft: #5c6b7a; --line: #dfe5ea; --go: #1f7a4d; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); margin: 2.5rem auto;
  max-width: 62rem; padding: 0 1.5rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; }
p, caption { color: var(--soft); } caption { text-align: left; padding-bottom: .4rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .8rem; }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.8rem; line-height: 1.2; color: var(--go); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { font-weight: 600; } .n { text-align: right; } .n, .whole { white-space: nowrap; }
small { color: var(--soft); display: block; }
.bar { background: #e8f1ec; position: relative; } .bar i { position: absolute; inset: 0 auto 0 0;
  background: #b9dcc9; } .bar span { position: relative; padding-left: .5rem; }
.warn { border-left: 4px solid #c47f17; padding: .5rem 1rem; background: #fdf6ea;
  color: var(--ink); }
"""


def page(found: Mapping[str, Any], now: datetime) -> str:
    """The page for a rehearsal in the shape of `--json`, made at `now`."""
    title = "What mail2deal would make in Pipedrive"
    body = "\n".join(
        [
            f"<h1>{title}</h1>",
            _opening(found, now),
            _warnings(found),
            _cards(found),
            _important(found["important"]),
            _left_out(found),
            _tokens(found),
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _opening(found: Mapping[str, Any], now: datetime) -> str:
    return (
        f"<p>A rehearsal of {now:%Y-%m-%d %H:%M} UTC over {found['read']['messages']} new"
        " messages. Nothing was written.</p>"
    )


def _warnings(found: Mapping[str, Any]) -> str:
    lines = [*found["problems"]]
    if found["asks"]:
        lines.append(found["asks"])
    lines += [f"Pipedrive would refuse {n}: {why}" for why, n in found["refused"].items()]
    return "\n".join(f'<p class="warn">{escape(line)}</p>' for line in lines)


def _cards(found: Mapping[str, Any]) -> str:
    numbers = [(str(n), kind) for kind, n in found["create"].items()]
    more = (
        (found["conversions"], "of the deals made from leads"),
        (found["updates"]["persons"], "persons brought up to date"),
        (sum(found["adopted"].values()), "records already there, used as they are"),
    )
    numbers += [(str(n), what) for n, what in more if n]
    cards = "".join(f'<div class="card"><b>{n}</b>{escape(what)}</div>' for n, what in numbers)
    return f'<div class="cards">{cards}</div>'


def _important(ones: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        (
            f"{escape(one['name'])}<small>{escape(one['address'])}</small>",
            escape(one["organization"] or ""),
            _whole(one["what"]),
            escape(one["reason"]),
            _engagement(one),
            _whole((one["last_contact"] or "")[:10]),
        )
        for one in ones
    ]
    heads = ("Who", "Organization", "What", "Because", "Engagement", "Last contact")
    return f"<h2>The {len(rows)} most important</h2>\n{_table(heads, rows)}"


def _whole(text: str) -> str:
    """Text on one line."""
    return f'<span class="whole">{escape(text)}</span>'


def _engagement(one: Mapping[str, Any]) -> str:
    parts = (("messages", "received"), ("replies", "replies"), ("meetings", "meetings"))
    return ", ".join(f"{one[key]} {word}" for key, word in parts if one[key])


def _left_out(found: Mapping[str, Any]) -> str:
    rows = [
        (
            f'<span class="n">{one["messages"]}</span>',
            escape(one["words"]),
            f"<small>{escape(', '.join(one['examples']))}</small>",
        )
        for one in found["left_out"]
    ]
    return f"<h2>Left out: {found['ignored_senders']} senders get no record</h2>\n" + _table(
        ("Messages", "Why", "For example"), rows
    )


def _tokens(found: Mapping[str, Any]) -> str:
    budget = found["budget"]
    most = max((one["tokens"] for one in found["tokens_by_call"]), default=1)
    rows = [(escape(one["call"]), _bar(one, most)) for one in found["tokens_by_call"]]
    return (
        f"<h2>{found['tokens']} tokens: {budget['days']} days of the budget</h2>\n"
        f"<p>The plan {escape(budget['plan'])} gives {budget['tokens_a_day']} a day; the rehearsal"
        f" itself read {found['read']['tokens']}.</p>\n" + _table(("Call", "Tokens"), rows)
    )


def _bar(one: Mapping[str, Any], most: int) -> str:
    return (
        f'<div class="bar"><i style="width:{100 * one["tokens"] / most:.1f}%"></i>'
        f"<span>{one['tokens']} tokens in {one['calls']} calls</span></div>"
    )


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"
