"""One HTML page that is whole in itself: no script, nothing loaded, and it fits a phone."""

from collections.abc import Iterable
from html import escape

_STYLE = """
:root { color-scheme: light; --ink: #1d2733; --soft: #5c6b7a; --line: #dfe5ea; --go: #1f7a4d; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); margin: 2.5rem auto;
  max-width: 62rem; padding: 0 1.5rem; overflow-wrap: break-word; }
small { overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; }
p { margin: .5rem 0; } a { color: #185f9e; } code { background: #f1f4f6; padding: .1rem .3rem; }
.soft, small { color: var(--soft); } small { display: block; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .8rem; }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.8rem; line-height: 1.2; color: var(--go); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem; }
dt { color: var(--soft); } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { font-weight: 600; } .n { text-align: right; } .n, .whole { white-space: nowrap; }
.bar { background: #e8f1ec; position: relative; } .bar i { position: absolute; inset: 0 auto 0 0;
  background: #b9dcc9; } .bar span { position: relative; padding-left: .5rem; }
.well, .warn { border-left: 4px solid #c47f17; padding: .5rem 1rem; background: #fdf6ea; }
.well { border-color: var(--go); background: #eef6f1; }
@media (max-width: 40rem) {
  body { margin: 1rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
  thead { display: none; } tr { display: block; padding: .5rem 0; }
  tr { border-bottom: 1px solid var(--line); }
  td { display: flex; gap: .8rem; border: 0; padding: .1rem 0; }
  td:empty { display: none; }
  td::before { content: attr(data-label); flex: 0 0 6.5rem; color: var(--soft); }
  td > div, td > span { min-width: 0; } .whole { white-space: normal; } .bar { flex: 1; }
}
"""


def document(title: str, body: Iterable[str]) -> str:
    """The page; `title` is text, `body` is HTML."""
    inside = "\n".join(part for part in body if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{inside}\n</body>\n</html>\n"
    )


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table, on a phone a list; `heads` is text, cells are HTML."""
    names = [escape(name) for name in heads]
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "\n".join(
        "<tr>"
        + "".join(
            f'<td data-label="{name}">{f"<div>{cell}</div>" if cell else ""}</td>'
            for name, cell in zip(names, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def whole(text: str) -> str:
    """Text on one line, where there is room."""
    return f'<span class="whole">{escape(text)}</span>'
