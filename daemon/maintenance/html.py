"""One HTML page that is whole in itself: no script, nothing loaded, and it fits a phone."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files


def document(title: str, body: Iterable[str]) -> str:
    """The page; `title` is text, `body` is HTML."""
    inside = "\n".join(part for part in body if part)
    style = (files("daemon.maintenance") / "page.css").read_text("utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n"
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
