"""Turns the HTML of a mail into readable text, within bounds.

inscriptis renders the text. First, styles and tables are removed from the tree, because with them a
mail could choose how much memory the rendering takes (tables are padded to columns). What the mail
program itself marks as quoted or hidden is removed too.
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
# How mail programs mark what they quote, and their signatures, by class, id, name or data-marker.
_QUOTES = re.compile(
    r"\b(?:gmail_attr|gmail_signature(?:_prefix)?|moz-cite-prefix|moz-signature|moz-forward-container"
    r"|yahoo_quoted|yahoo-quoted\w*|ydp\w{1,20}yahoo_quoted|protonmail_quote|protonmail_signature_block"
    r"|tutanota_quote|zmail_extra|zmail_extra_hr|cite_reply|reply-intro|front-blockquote|front-signature"
    r"|sh-quoted-content|sh-signature|missive_quote|messageReplySection|isReplyContent"
    r"|isForwardContent|bloop_original_html|airmail_original|nylas-quote|OutlookMessageHeader"
    r"|ms-outlook-mobile-signature|ms-outlook-mobile-reference-message"
    r"|mail-editor-reference-message-container|AppleMailSignature|apple-signature|AppleOriginalContents"
    r"|composer_signature|mobile_signature|hs_reply|hs_cos_signature|mailbird-quote|em_quote"
    r"|__HEADERS__|__QUOTED_TEXT__|__ORIG_HEADERS__|replaced-blockquote|x_gmail_quote"
    r"|rc_sig|x_moz-cite-prefix|mail-quote-collapse|quoted-reply|elided-text|freebirdFormviewer)\b"
)
_QUOTE_NAMES = frozenset({"quote", "messageReplySection", "quoted-content"})
# Outlook and Zimbra put these before a quotation that takes up the rest of the mail.
_REST_IS_QUOTED = frozenset({"divRplyFwdMsg", "x_divRplyFwdMsg", "appendonsend", "zwchr"})
_GMAIL = re.compile(r"\bgmail_quote\b")
_BAR = re.compile(
    r"border-left(?:-width|-style)?\s*:(?!\s*(?:none|0\b|medium none))", re.IGNORECASE
)
_QUOTED_LIMIT = 6_000  # characters of dropped quotations that are handed back
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # lxml refuses it
# These change nothing in a plain text, and inscriptis takes its time for each.
_INLINE = ("span", "a", "b", "strong", "i", "em", "u", "font", "small", "big", "img", "abbr", "o:p")
_CELLS = frozenset({"td", "th"})
_BLOCKS = frozenset({"table", "tbody", "thead", "tfoot", "tr", "caption", "blockquote", "center"})


def html_to_text(html: str, enough: int) -> tuple[str, str]:
    """The text of an HTML mail as it would be read, "" if there is none, and what it quotes.

    What comes after about `enough` characters of text is left out.
    """
    html = without_escapes(html[:INPUT_LIMIT])
    octets = html.encode("utf-8", "replace").replace(b"\0", b"")
    octets = _without_dropped(octets)[:HTML_LIMIT]
    try:
        tree = lxml.html.document_fromstring(octets, parser=lxml.html.HTMLParser(encoding="utf-8"))
    except (etree.ParserError, etree.XMLSyntaxError):
        return "", ""  # nothing in it
    quoted: list[str] = []
    for element in list(tree.iter("*")):
        if element.get("id") in _REST_IS_QUOTED:
            quoted.extend(_text_of(element, following=True))
            element.text = None
            _drop_following(element)
            break
        if _simplify(element, quoted):
            enough -= len((element.text or "").strip()) + len((element.tail or "").strip())
        if enough < 0:
            _drop_following(element)
            break
    etree.strip_tags(tree, *_INLINE)
    return str(Inscriptis(tree).get_text()), " ".join(quoted)


def _simplify(element: lxml.html.HtmlElement, quoted: list[str]) -> bool:
    """Remove an element that isn't the sender's visible text, or its layout if it is.

    True if the element stays. The text of what is removed as quoted is added to `quoted`.
    """
    tag = element.tag
    is_quote = _is_quote(element)
    if is_quote or tag in _DROPPED_TAGS or _HIDDEN.search(element.get("style", "")):
        if element.getparent() is not None:
            if is_quote and sum(map(len, quoted)) < _QUOTED_LIMIT:
                quoted.extend(_text_of(element))
            element.drop_tree()
        return False
    if _GMAIL.search(element.get("class", "")):
        for child in element.iterchildren("blockquote"):
            child.set("type", "cite")  # whatever it is called
    element.attrib.clear()
    if tag in _CELLS:
        element.tag = "span"
        element.tail = f" {_NOT_XML.sub('', element.tail or '')}"
    elif tag in _BLOCKS:
        element.tag = "div"
    return True


def _is_quote(element: lxml.html.HtmlElement) -> bool:
    """Whether a mail program marks an element as quoted, or as a signature of its own."""
    if element.tag == "blockquote":
        classes = element.get("class", "")
        return (
            element.get("type") == "cite"
            or "quote" in classes
            or "cite" in classes
            or _BAR.search(element.get("style", "")) is not None
            or _is_introduced(element)
        )
    if not element.attrib:
        return False
    marked = " ".join(element.get(name, "") for name in ("class", "id", "data-marker"))
    if _GMAIL.search(marked):
        # Answers stand between the quotations in it; a forwarded mail has none.
        return element.find(".//blockquote") is None
    return bool(_QUOTES.search(marked)) or element.get("name") in _QUOTE_NAMES


def _is_introduced(element: lxml.html.HtmlElement) -> bool:
    """Whether the text right before an element ends as an introduction does."""
    before = element.getprevious()
    while before is not None and before.tag == "br" and not (before.tail or "").strip():
        before = before.getprevious()
    parent = element.getparent()
    if before is None:
        text = (parent.text or "") if parent is not None else ""
    else:
        text = f"{''.join(_text_of(before))}{before.tail or ''}"
    text = text.strip()
    return text.endswith((":", "\uff1a")) and any(char.isdigit() for char in text[-200:])


def _text_of(element: lxml.html.HtmlElement, *, following: bool = False) -> list[str]:
    """The pieces of text in an element, or in and after it, up to a limit."""
    pieces = (
        element.xpath("descendant::text() | following::text()") if following else element.itertext()
    )
    found: list[str] = []
    left = _QUOTED_LIMIT
    for piece in pieces:
        found.append(str(piece)[:left])
        left -= len(piece)
        if left <= 0:
            break
    return found


def _drop_following(element: lxml.html.HtmlElement) -> None:
    """Remove all that comes after an element, its own content included."""
    for child in list(element):
        element.remove(child)
    node: lxml.html.HtmlElement | None = element
    while node is not None:
        parent = node.getparent()
        node.tail = None
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
