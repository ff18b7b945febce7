"""What the words of a mail say about who wrote it: a person, a program, or one to many.

Looks at the subject, the author's own words at the beginning, and the end of the text, where mail
to many says how to stop it. Bounded, and left out where the header has decided already. Gives
signals only; the words themselves are not kept.
"""

import html as entities
import re
from collections.abc import Iterator
from itertools import pairwise

from daemon.message.autoreply import (
    BOUNCE_SUBJECTS,
    READ_SUBJECTS,
    begins_like,
)
from daemon.message.localparts import names_a_team, names_the_domain
from daemon.message.phrases import said

# ruff: noqa: RUF001  words of other languages

HEAD_LIMIT = 2_000  # characters at the beginning
TAIL_LIMIT = 1_500  # characters at the end
_MARKUP_LIMIT = 16_384  # characters of HTML in which the end is looked for
_LONG_TEXT = 900  # characters of own words that nobody writes into an absence note
_MANY_LINKS = 4

_TAG = re.compile(r"<[^<>]{0,2000}>")
_QUOTED = re.compile(r"^(?:>|-{5}|_{20}|(?:From|Von|De|Da|Van|Fra|Från|Od|От) ?: )", re.MULTILINE)
_LINK = re.compile(r"https?://", re.IGNORECASE)
_QUESTION = re.compile("[?\uff1f\u061f\u037e]")
_SENTENCE_END = re.compile(r"(?<=[.!?\uff1f\u061f\u037e])\s|\n\s*\n")
_SIGNED_LIMIT = 400  # characters at the end in which a signature is looked for
_SIGNED_LINES = 6
_NAME_WORDS = 4
_NAME_WORD = re.compile(r"[^\W\d_]+")
# How people end a letter, by language
_CLOSING = re.compile(
    r"(?:(?:mit|viele|liebe|beste|freundliche|schöne|herzliche)\b.{0,25} (?:grüße|grüßen"
    r"|grüsse|grüssen)"
    r"|(?:viele|liebe|beste|freundliche|schöne|herzliche|gruß|grüße|grüsse|gruss|mfg|lg|vg|bg|hg)\b"
    r"|(?:kind|best|warm|many|with)\b.{0,15}\b(?:regards|wishes|thanks)|regards|thanks"
    r"|cheers|sincerely"
    r"|yours|best$|cordialement|bien cordialement|bien à vous|cdt|salutations"
    r"|meilleures salutations"
    r"|saludos|un saludo|atentamente|un cordial saludo|gracias|cumprimentos|com os melhores"
    r"|atenciosamente"
    r"|obrigad[oa]|cordiali saluti|distinti saluti|saluti|grazie|met vriendelijke"
    r"|vriendelijke groet|groet"
    r"|mvg|med vänlig|vänliga|vänlig|hälsningar|mvh|med venlig|venlig hilsen|hilsen|vh"
    r"|med vennlig|vennlig"
    r"|terveisin|ystävällisin|parhain|terv|pozdrawiam|z poważaniem|z wyrazami|s pozdravem"
    r"|pozdrav|děkuji"
    r"|s pozdravom|ďakujem|üdvözlettel|tisztelettel|köszönettel|üdv|cu stimă|cu respect|mulțumesc"
    r"|s poštovanjem|srdačan|lep pozdrav|lp|parimate|lugupidamisega|ar cieņu|pagarbiai|saygılarımla"
    r"|saygılar|iyi çalışmalar|με εκτίμηση|ευχαριστώ|с уважением|с поздрави|поздрави|з повагою"
    r"|kveðja|með kveðju|salutacions|agur bero)",
    re.IGNORECASE,
)
# A link may have a question mark: not a question.
_URL = re.compile(r"https?://\S{0,500}", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"\{\{ ?[a-z_. ]{2,30} ?\}\}|\{%[^%{}]{1,60}%\}|\*\|[A-Z_:]{2,20}\|\*|%%[A-Za-z_]{2,20}%%"
    r"|\[(?:first|last|company)[ _-]?name\]|\{(?:first|last|company)_?name\}"
    r"|<<?(?:first|last) ?name>>?",
    re.IGNORECASE,
)
_PLACEHOLDER_BEGINS = re.compile(r"[{*%\[<]")
# Multifunction printers name themselves so: Ricoh RNP0026…, Konica Minolta KM_C3350.
_DEVICE = re.compile(
    r"(?:message|scan|scanned|attached image|document) from \"?(?:rnp[0-9a-f]|km_|mfp|bizhub|ricoh"
    r"|canon|xerox|brother|epson|sharp|kyocera|lexmark)",
    re.IGNORECASE,
)
_TICKET = re.compile(
    r"[\[(#]\s?(?:ticket|case|request|req|inc|sr|ref|vorgang|anfrage|zgłoszenie|zayavka"
    r"|demande|caso|chamado"
    r"|talep|заявка|обращение|запрос)\s?[#:№ n°nr.-]{0,4}\s?[a-z0-9-]{0,6}[0-9]{3,}"
    r"|\[#[0-9]{3,}\]|\[[a-z][\w .&-]{1,30} #[0-9]{3,}\]|ticket ?#? ?[0-9]{4,}",
    re.IGNORECASE,
)
_MARKED_SPAM = re.compile(
    r"(?:[\[{(*]{1,5} ?(?:suspected |possible |likely )?spam[ ?!:]{0,2}[\w .]{0,12}[\]})*]{1,5}"
    r"|spam:)",
    re.IGNORECASE,
)
_CHALLENGE = re.compile(
    r"\((?:action|verification|confirmation) required\)|verify#|requires verification"
    r"|confirm your (?:message|e-?mail)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[0-9]{3}")
_ANSWER = re.compile(r"(?:re|aw|sv|vs|odp|ha|antw|rif|ynt|回复|答复|回覆) ?[:：]", re.IGNORECASE)


def subject_signals(subject: str, *, answers: bool) -> Iterator[str]:
    """The signals of a subject; `answers` says that an In-Reply-To or References came with it."""
    for signal, count in said(subject, "subject").items():
        yield signal
        if count > 1:
            yield f"{signal}-twice"
    if begins_like(subject, READ_SUBJECTS):
        yield "subject-read"
    if begins_like(subject, BOUNCE_SUBJECTS):
        yield "subject-bounce"
    for signal, is_so in (
        ("device", _DEVICE.match(subject)),
        ("ticket-subject", _NUMBER.search(subject) and _TICKET.search(subject)),
        ("spam-subject", _MARKED_SPAM.match(subject)),
        ("subject-challenge", _CHALLENGE.search(subject)),
        ("template-left", _has_placeholder(subject)),
    ):
        if is_so:
            yield signal
    if _ANSWER.match(subject) and not answers:
        yield "pretends-reply"


def text_signals(head: str, tail: str) -> Iterator[str]:
    """The signals of a text: `head` the author's own words, `tail` what `end_of` gave."""
    text = f"{head[:HEAD_LIMIT]} {tail[-TAIL_LIMIT:]}"
    for signal, count in said(text, "says").items():
        yield signal
        if count > 1:
            yield f"{signal}-twice"
    if not head.strip():
        yield "no-words"
    if len(head) >= _LONG_TEXT:
        yield "long-text"
    if _QUESTION.search(head) and _asks(head):
        yield "asks"
    if _has_placeholder(head):
        yield "template-left"
    if text.count("://") >= _MANY_LINKS and len(_LINK.findall(text)) >= _MANY_LINKS:
        yield "many-links"


def _has_placeholder(text: str) -> bool:
    """Whether a template's placeholder was left in a text; each begins with one of few signs."""
    return bool(_PLACEHOLDER_BEGINS.search(text) and _PLACEHOLDER.search(text))


def _asks(head: str) -> bool:
    """Whether a text asks something else than whether one wants no more such mail."""
    sentences = _SENTENCE_END.split(_URL.sub(" ", head))
    return any(
        _QUESTION.search(one) and "says-unsubscribe" not in said(one, "says") for one in sentences
    )


def is_signed(text: str, name: str, domain: str) -> bool:
    """Whether a text ends with the name of a person: their own, or one after a closing.

    A firm's or a team's name there is no signature: mail of programs ends so too.
    """
    lines = [line.strip(" \t,.-_*") for line in text.strip()[-_SIGNED_LIMIT:].splitlines()]
    last = [line for line in lines if line][-_SIGNED_LINES:]
    own = {word for word in _NAME_WORD.findall(name.casefold()) if word[1:]}
    is_person = not names_a_team(name) and not names_the_domain(name, domain)
    for before, line in pairwise(["", *last]):
        words = _NAME_WORD.findall(line.casefold())
        if not words or len(words) > _NAME_WORDS or names_a_team(line):
            continue
        if is_person and own.issuperset(words):
            return True
        if _CLOSING.match(before) and line.istitle() and not names_the_domain(line, domain):
            return is_person or not own.issuperset(words)
    return False


def before_quote(text: str) -> str:
    """A text up to the first line that quotes another mail."""
    quoted = _QUOTED.search(text)
    return text[: quoted.start()] if quoted else text


def end_of(plain: str, markup: str, head: str) -> str:
    """The end of a text, where it isn't the beginning again and quotes nobody."""
    if plain:
        if len(plain) <= len(head) + 200 and len(plain) <= HEAD_LIMIT:
            return "" if not _is_cut(plain, head) else plain[-TAIL_LIMIT:]
        tail = plain[-TAIL_LIMIT:]
    elif markup:
        tail = entities.unescape(_TAG.sub(" ", markup[-_MARKUP_LIMIT:]))[-TAIL_LIMIT:]
    else:
        return ""
    return "" if _QUOTED.search(tail) else tail


def _is_cut(plain: str, head: str) -> bool:
    """Whether own words leave out the end of a text that quotes nobody: a signature."""
    return len(head) + 20 < len(plain) and not _QUOTED.search(plain)
