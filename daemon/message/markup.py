"""HTML of a mail to readable text, within bounds.

inscriptis renders; what would let a mail choose how much memory that takes (styles, tables, which
it pads to columns) is taken out of the tree first, together with what the mail program itself marks
as quoted or hidden.
"""

import re

import lxml.html
from inscriptis.html_engine import Inscriptis
from lxml import etree

from daemon.message.text import without_escapes

INPUT_LIMIT = 262_144  # characters that are looked at
HTML_LIMIT = 65_536  # bytes of them that are read, after styles, scripts and comments

_DROPPED = ((b"<style", b"</style"), (b"<script", b"</script"), (b"<!--", b"-->"))
_DROPPED_TAGS = frozenset(
    {"head", "style", "script", "title", "noscript", "template", "object", "svg", "select"}
)
_QUOTES = re.compile(
    r"\b(?:gmail_quote|gmail_signature|gmail_attr|moz-cite-prefix|moz-signature|yahoo_quoted"
    r"|protonmail_quote|protonmail_signature_block|tutanota_quote|zmail_extra|cite_reply)\b"
)
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # lxml refuses it
# These change nothing in a plain text, and inscriptis takes its time for each.
_INLINE = ("span", "a", "b", "strong", "i", "em", "u", "font", "small", "big", "img", "abbr", "o:p")
_CELLS = frozenset({"td", "th"})
_BLOCKS = frozenset({"table", "tbody", "thead", "tfoot", "tr", "caption", "blockquote", "center"})


def html_to_text(html: str, enough: int) -> str:
    """The text of an HTML mail as it would be read, "" if there is none.

    What comes after about `enough` characters of text is left out.
    """
    html = without_escapes(html[:INPUT_LIMIT])
    octets = html.encode("utf-8", "replace").replace(b"\0", b"")
    octets = _without_dropped(octets)[:HTML_LIMIT]
    try:
        tree = lxml.html.document_fromstring(octets, parser=lxml.html.HTMLParser(encoding="utf-8"))
    except (etree.ParserError, etree.XMLSyntaxError):
        return ""  # nothing in it
    for element in list(tree.iter("*")):
        if _simplify(element):
            enough -= len((element.text or "").strip()) + len((element.tail or "").strip())
        if enough < 0:
            _drop_following(element)
            break
    etree.strip_tags(tree, *_INLINE)
    return str(Inscriptis(tree).get_text())


def _simplify(element: lxml.html.HtmlElement) -> bool:
    """Remove an element that isn't the sender's visible text, else its layout; whether it stays."""
    tag = element.tag
    marked = f"{element.get('class', '')} {element.get('id', '')}"
    if (
        tag in _DROPPED_TAGS
        or (tag == "blockquote" and element.get("type") == "cite")
        or _QUOTES.search(marked)
        or _HIDDEN.search(element.get("style", ""))
    ):
        if element.getparent() is not None:
            element.drop_tree()
        return False
    element.attrib.clear()
    if tag in _CELLS:
        element.tag = "span"
        element.tail = f" {_NOT_XML.sub('', element.tail or '')}"
    elif tag in _BLOCKS:
        element.tag = "div"
    return True


def _drop_following(element: lxml.html.HtmlElement) -> None:
    """Remove all that comes after an element, its own content included."""
    for child in list(element):
        element.remove(child)
    node: lxml.html.HtmlElement | None = element
    while node is not None:
        parent = node.getparent()
        for sibling in list(node.itersiblings()):
            if parent is not None:
                parent.remove(sibling)
        node = parent


def _without_dropped(octets: bytes) -> bytes:
    """Without comments, styles and scripts; one that never ends takes the rest with it."""
    for begin, end in _DROPPED:
        low = octets.lower()
        kept: list[bytes] = []
        at = 0
        while (start := low.find(begin, at)) >= 0:
            kept.append(octets[at:start])
            ended = low.find(end, start)
            at = low.find(b">", ended) + 1 if ended >= 0 else 0
            if at == 0:
                at = len(octets)
                break
        octets = b"".join([*kept, octets[at:]]) if kept else octets
    return octets
