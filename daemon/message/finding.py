"""Where else than in From an author may stand: finds the candidates and facts of one mail. Pure.

Costs next to nothing for an ordinary letter: the text is only looked through where the header says
that the mail may be handed on, or where a signature is to be read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from daemon.message import form as forms
from daemon.message import forward as forwards
from daemon.message import mime
from daemon.message.address import Address, mailbox
from daemon.message.candidates import (
    CERTIFIED_FILE,
    COPY,
    FACT_LIMIT,
    HANDS_ON,
    VALUE_LIMIT,
    Candidate,
    Fact,
    FactKind,
    bounded,
)
from daemon.message.fields import Fields, body_start, first, scan
from daemon.message.header import Header, read
from daemon.message.lines import html_lines, text_lines, unquoted
from daemon.message.localparts import names_a_person
from daemon.message.relay import (
    hands_on,
    hands_on_by_subject,
    hands_on_by_words,
    is_copy_by_words,
    is_machine_like,
    same_site,
)
from daemon.message.signature import company_in_brackets, signature_facts

_TEXT_BYTES = 32_768
_HTML_BYTES = 131_072
_ATTACHED_BYTES = 65_536  # of an attached mail
_TEXT_ADDRESSES = 5
_BESIDE = 3  # lines above and below an address in which a visitor's number stands
_OPENING = 10  # lines in which a notice says who wrote
_ON_BEHALF = re.compile(
    r"(?:per conto di|im auftrag von|on behalf of)\s*+(?::\s*+)?"
    r"([^\s<>\"]{1,254}@[^\s<>\"]{1,254})",
    re.IGNORECASE,
)
_CERTIFIED = re.compile(r"posta-certificata|certified|de-mail", re.IGNORECASE)


@dataclass(slots=True)
class Found:
    """What `find` found in one mail."""

    candidates: list[Candidate] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    signals: set[str] = field(default_factory=set)
    words: str = ""  # of a forwarded mail: its author's own, for the snippet


@dataclass(slots=True)
class Parts:
    """The parts of a mail in its bytes: its text, and all leaves. Each text is decoded once."""

    raw: bytes
    leaves: tuple[mime.MimePart, ...]
    plain: mime.MimePart | None
    html: mime.MimePart | None
    decoded: dict[tuple[int, int], str] = field(default_factory=dict)  # by where it begins and ends

    def text(self, part: mime.MimePart | None, limit: int) -> str:
        """The text of a part from its first `limit` bytes, "" for no part."""
        if part is None:
            return ""
        span = part.start, min(part.end, part.start + limit)
        text = self.decoded.get(span)
        if text is None:
            text = self.decoded[span] = mime.text(self.raw, part, limit)
        return text

    def lines(self) -> list[str]:
        """The lines of the text, plain before HTML."""
        lines = text_lines(self.text(self.plain, _TEXT_BYTES)) if self.plain else []
        if self.html and not any(line.strip() for line in lines):
            lines = html_lines(self.text(self.html, _HTML_BYTES))
        return lines


def find(fields: Fields, header: Header, parts: Parts) -> Found:
    """The candidates for the author of one mail, and what it says about them."""
    found = Found()
    sender = header.author
    if sender is None:
        return found
    found.candidates.extend(_originals(header))
    found.candidates.extend(
        Candidate("reply-to", one) for one in header.reply_to if one.key != sender.key
    )
    _enveloped(found, fields, header, parts)
    # A Microsoft 365 group has its tenant's name for a List-Id, and says here which one it is.
    address = first(fields, "x-ms-exchange-unifiedgroup-address")
    if address and (group := mailbox("", address)):
        found.signals.add(f"list-of:{group.domain}")
    domain = sender.domain
    inside = any(same_site(to.domain, domain) for to in header.recipients[:20])
    may_hand_on = (
        inside
        or any(one.way == "reply-to" for one in found.candidates)
        or is_machine_like(sender.local)
        or hands_on(sender)
        or (hands_on_by_subject(header.subject) and not names_a_person(sender.local, sender.name))
    )
    lines = parts.lines()
    if may_hand_on:
        _read_text(found, header, parts, unquoted(lines), inside=inside)
    if not inside and forwards.says_forwarded(header.subject):
        _handed_on_from_elsewhere(found, header, parts, unquoted(lines))
    if not found.facts:
        found.facts = signature_facts(lines, sender.name, domain, "from")
    if found.candidates:
        found.candidates = list(bounded(found.candidates))
    del found.facts[FACT_LIMIT:]
    return found


def _originals(header: Header) -> Iterator[Candidate]:
    """Whom a group hands on: the address of X-Original-Sender, with the name there is for it."""
    names = {one.key: one.name for one in header.reply_to + header.originals if one.name}
    for one in header.originals:
        yield Candidate("group", Address(one.name or names.get(one.key, ""), one.address))


def _enveloped(found: Found, fields: Fields, header: Header, parts: Parts) -> None:
    """The sender of a certified mail, which a provider sends on his behalf (Italian PEC)."""
    sender = header.author
    if sender is None or "@" not in sender.name:
        return
    behalf = _ON_BEHALF.search(sender.name)
    if behalf is None or not (first(fields, "x-trasporto") or _CERTIFIED.search(sender.local)):
        return
    address = mailbox("", behalf[1])
    if address is None:
        return
    names = [one.name for one in header.reply_to if one.key == address.key]
    inner = _opened(parts)
    date = None
    # The provider vouches for the address; the mail inside has the author's name and words.
    if inner is not None and inner.author is not None and inner.author.key == address.key:
        names.insert(0, inner.author.name)
        date = inner.date
        _read_inside(found, inner, "from")
    name = next(filter(None, names), "")
    found.candidates.append(Candidate("envelope", Address(name, address.address), date))


def _read_text(
    found: Found, header: Header, parts: Parts, lines: list[str], *, inside: bool
) -> None:
    """Candidates that stand in the text or are attached to it."""
    text = "\n".join(lines)
    if inside and forwards.says_answer(header.subject):
        return  # what a colleague quotes was handed on before
    if inside:
        _forwarded(found, lines, header.subject, text)
        _attached(found, parts)
    if "@" in text:
        form = forms.read_form(lines)
        name = _agreeing(form, lines)
        if form.is_one:
            found.candidates.extend(
                Candidate("form", Address(name or one.name, one.address)) for one in form.addresses
            )
        _form_facts(found, form, name)
        found.candidates.extend(
            Candidate("text", one) for one in forms.addresses_in(lines, _TEXT_ADDRESSES)
        )
    if hands_on_by_words(header.subject, text):
        found.signals.add(HANDS_ON)
        if not found.facts:
            found.facts += _facts_beside(found, lines)
    if is_copy_by_words(header.subject, text):
        found.signals.add(COPY)


def _forwarded(found: Found, lines: list[str], subject: str, text: str) -> None:
    if "@" not in text:
        return
    blocks = forwards.forwarded(lines, subject)
    for block in blocks:
        found.candidates.append(Candidate("forward", block.author, block.date))
    if blocks:
        begin, author = blocks[0].text_at, blocks[0].author
        found.words = "\n".join(lines[begin:])
        found.facts += signature_facts(lines[begin:], author.name, author.domain, "forward")


def _handed_on_from_elsewhere(found: Found, header: Header, parts: Parts, lines: list[str]) -> None:
    """Whom a colleague of another domain of ours hands on; the words stay those of the sender.

    Whether it is a colleague isn't known here, and most forwards from outside are no colleague's.
    """
    for block in forwards.forwarded(lines, header.subject):
        found.candidates.append(Candidate("forward", block.author, block.date))
    inner = _opened(parts)
    if inner is not None and inner.author is not None:
        found.candidates.append(Candidate("attached", inner.author, inner.date))


def _attached(found: Found, parts: Parts) -> None:
    """The first mail that is attached (message/rfc822, RFC 2046 section 5.2.1)."""
    inner = _opened(parts)
    if inner is not None and inner.author is not None:
        found.candidates.append(Candidate("attached", inner.author, inner.date))
        if not found.words:
            _read_inside(found, inner, "attached")


@dataclass(frozen=True, slots=True)
class _Inner:
    """A mail inside of a mail."""

    author: Address | None
    date: datetime | None
    lines: list[str]


def _opened(parts: Parts) -> _Inner | None:
    """The first mail that is attached; None if there is none."""
    part = next(
        (
            one
            for one in parts.leaves
            if one.kind == "message/rfc822" or one.name.lower() == CERTIFIED_FILE
        ),
        None,
    )
    if part is None:
        return None
    raw = mime.content(parts.raw, part, _ATTACHED_BYTES)
    start = body_start(raw, 0, len(raw))
    fields = scan(raw[:start])
    _, leaves = mime.leaves(raw, fields, start)
    header = read(fields)
    texts = [one for one in leaves if one.kind.startswith("text/") and not one.attached]
    plain = next((one for one in texts if one.kind == "text/plain"), None)
    html = next((one for one in texts if one.kind == "text/html"), None)
    return _Inner(header.author, header.date, Parts(raw, leaves, plain, html).lines())


def _read_inside(found: Found, inner: _Inner, way: str) -> None:
    """The words and the signature of the author of a mail inside."""
    found.words = "\n".join(inner.lines)
    if inner.author is not None:
        found.facts += signature_facts(inner.lines, inner.author.name, inner.author.domain, way)


def _facts_beside(found: Found, lines: list[str]) -> Iterator[Fact]:
    """What a notice without labels says beside the visitor's address: a number, a firm."""
    for one in found.candidates:
        if one.way != "text":
            continue
        at = next((n for n, line in enumerate(lines) if one.address.address in line.lower()), None)
        if at is not None:
            around = lines[max(0, at - _BESIDE) : at + _BESIDE + 1]
            phones = signature_facts(around, "", one.address.domain, "form")
            yield from (fact for fact in phones if fact.kind == "phone")
    for line in lines[:_OPENING]:
        if company := company_in_brackets(line):
            yield Fact("company", company, "form")
            return


def _agreeing(form: forms.Form, lines: list[str]) -> str:
    """The name in a form; where it doesn't agree with the one address, another in it that does."""
    name = form.full_name
    if len(form.addresses) == 1 and name:
        address = form.addresses[0].address
        if not forms.name_in([name], address):
            return forms.name_in(lines, address) or name
    return name


def _form_facts(found: Found, form: forms.Form, name: str) -> None:
    facts: list[tuple[FactKind, str]] = [
        ("name", name),
        ("phone", form.phone),
        ("company", form.company),
        ("title", form.title),
    ]
    if form.addresses:
        found.facts.extend(
            Fact(kind, value[:VALUE_LIMIT], "form") for kind, value in facts if value
        )
