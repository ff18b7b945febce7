"""Notes of activities are HTML that the real one cleans: what survives is plain formatting.

Comments, scripts, styles and every attribute but a link's target are dropped, so a marker that
hides in one of them is lost here as it may be there.
"""

from html import escape
from html.parser import HTMLParser

from daemon.sandbox.crm.api import API

_KEPT = frozenset(API["note_tags"])
_SILENT = frozenset(("script", "style", "title", "iframe", "object", "template"))


class _Cleaner(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag in _KEPT and not self._silent:
            target = dict(attrs).get("href") if tag == "a" else None
            safe = target is not None and target.startswith(("http://", "https://", "mailto:"))
            link = f' href="{escape(target or "")}"' if safe else ""
            self.parts.append(f"<{tag}{link}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _KEPT and tag not in ("br", "hr") and not self._silent:
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(escape(data, quote=False))

    def handle_entityref(self, name: str) -> None:
        self.handle_reference(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_reference(f"&#{name};")

    def handle_reference(self, text: str) -> None:
        """Keep a character reference as it was written."""
        if not self._silent:
            self.parts.append(text)


def cleaned(note: str) -> str:
    """The note as it is stored."""
    cleaner = _Cleaner()
    cleaner.feed(note)
    cleaner.close()
    return "".join(cleaner.parts)
