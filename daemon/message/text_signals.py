"""What the words of a mail say about who wrote it: a person, a program, or one to many.

Looks at the subject, the author's own words at the beginning, and the end of the text, where mail
to many says how to stop it. Bounded, and left out where the header has decided already. Gives
signals only; the words themselves are not kept.
"""

import html as entities
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from daemon.message.autoreply import begins_like
from daemon.message.letter import GREETS, SENTENCE_END
from daemon.message.phrases import said
from daemon.message.text import word_finder

# ruff: noqa: RUF001  words of other languages

HEAD_LIMIT = 2_000  # characters at the beginning
TAIL_LIMIT = 1_500  # characters at the end
_MARKUP_LIMIT = 16_384  # characters of HTML in which the end is looked for
# Questions of programs: whether one wants no more, was it oneself, is content, needs help
_OF_PROGRAMS = frozenset({"says-unsubscribe", "says-not-you", "says-review", "says-help"})
_LONG_TEXT = 900  # characters of own words that nobody writes into an absence note
_MANY_LINKS = 4

_TAG = re.compile(r"<[^<>]{0,2000}>")
# With the line end before it, by which an expression finds a line at once.
_QUOTED = re.compile(r"\n(?:>|-{5}|_{20}|(?:From|Von|De|Da|Van|Fra|Från|Od|От) ?: )")
_LINK = re.compile(r"https?://", re.IGNORECASE)
_QUESTION = re.compile("[?\uff1f\u061f\u037e]")
# Before a name: of somebody whom one speaks of, and of oneself
_BEFORE_NAMES = (
    (
        "frau|herr|herrn|fr|hr|mr|mrs|ms|mme|mlle|m|monsieur|madame|sr|sra|señor|señora|"
        "sig|signor|signora|dhr|mevrouw|meneer|dr|pan|pani|pana|herra|rouva|bay|bayan|"
        "senhor|senhora"
    ),
    (
        "bin|ist|hier|is|am|i'm|it's|suis|est|c'est|soy|es|sou|é|sono|è|ben|heet|heter|"
        "hedder|er|jag|jeg|olen|on|jestem|nazywam|jsem|som|vagyok|sunt|je|sam|sem|esu|by|"
        "von|i|ich"
    ),
)
_HONORIFICS, _INTRODUCES = (frozenset(line.split("|")) for line in _BEFORE_NAMES)
# "back 9 Nov", "bis 14.11.": until when somebody is away. All is compared with lower case.
_UNTIL_WORDS = (
    r"until|till|til|bis(?: zum)?|jusqu['’]au|hasta(?: el)?|até|fino al|tot|t/m|do|до"
    r"|līdz|iki|până pe|pana pe|kuni|έως|μέχρι|back|returning|return on|zurück|wieder|ab dem"
    r"|retour|før|førend|förrän|ennen|tilbage|tilbake|tillbaka|åter|terug|rientro|regreso|vuelta"
    r"|regresso|volto|vuelvo|torno|revin|wracam|vrátím se|vrátim sa|palaan|вернусь|повернусь"
    r"|επιστρέφω|vraćam se"
)
_UNTIL_FIRST = frozenset(re.findall(r"(?:^|\|)(\w+)", _UNTIL_WORDS))  # few texts have one of them
_UNTIL = re.compile(rf"\b(?:{_UNTIL_WORDS})\b.{{0,24}}?\b[0-9]{{1,2}}(?:st|nd|rd|th)?\b")
# The same by what stands behind the day; begins with a digit, as other characters are skipped so.
_DAY_FIRST = re.compile(
    r"[0-9](?<!\w[0-9])[0-9]?(?:"
    r"\.?(?:[0-9]{1,2}\.?)? ?(?:saakka|asti|-ig\b|[^\W\d_]{3,8}['’]?[ae] kadar)"
    r"|\.? ?(?:[0-9]{1,2}\.?|[^\W\d_]{3,12})?"
    r" (?:wieder|zurück|back|terug|tillbaka|tilbage|tilbake)\b"
    r"|\.? ?(?:to|a|al|au|și|és|[-–]) ?[0-9]{1,2}\b"
    r"|-(?:én|án)\b)"
)
_UNSPACED_UNTIL = re.compile(r"[0-9]{1,2}(?:日まで|日止|일까지)|至[0-9]{1,2}月|עד [0-9]|حتى [0-9]")
_words = word_finder(r"\w")
_DIGIT = re.compile(r"[0-9]")
_DIGITS = re.compile(r"[0-9]{4}")  # of every reference
_OPENING = 40  # characters in which a text greets
_BEFORE_DIGIT = 40  # characters of such a phrase that stand before its first digit, at most
# What a mail server says when it refuses a mail, RFC 5321 section 4.2 with RFC 3463: 550 5.1.1
_STATUS = re.compile(r"[45][0-9]{2}(?<!\w[0-9]{3})[ -]#?[45]\.[0-9]{1,3}\.[0-9]{1,3}(?![\w.])")
# What a program calls something by: 55120, BM-8812
_REFERENCE = re.compile(r"(?<![\w/.+-])(?:[A-Z]{1,4}[-/]?[0-9]{4,12}|[0-9]{5,12})(?![\w,/-])")
# "No more of this? Click here": what programs write after a question
_CLICK = re.compile(
    r"\b(?:click|klick|clique|cliquez|clic|clicca|clicchi|haz clic|haga clic|klik|klikk|kliknij"
    r"|klikni|kliknite|klikněte|kattintson|apasă|apăsați|tıkla|napsauta|klõpsa|noklikšķin|spustel)"
    r"|нажми|натисн|кликн|πατήστε|κάντε κλικ|こちら|クリック|点击|點擊|클릭",
    re.IGNORECASE,
)
_CLICK_CHARS = 60  # of a sentence in which that stands
# How notices begin: with what is the reader's ("Your order ...")
_YOURS = re.compile(
    r"\W{0,3}(?:your|ihre?[mnrs]?|deine?[mnrs]?|votre|vos|tu|tus|su|sus|sua|suas|seus?|teus?|la sua"
    r"|il suo|la tua|il tuo|i tuoi|o seu|a sua|uw|je|jouw|din|dina|ditt|dine|dit|deres|twój|twoja"
    r"|twoje|państwa|váš|vaše|vaša|tvůj|tvoje|az ön|sinun|teidän|teie|sinu|jūsu|jūsų|tavs|tavo"
    r"|vaš|tvoj|vaša|ваша?|ваше|ваші|вашата|вашият|твоя|твой|お客様|您的|고객님|귀하)\b\s?",
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
    r"|talep|заявка|обращение|запрос)(?: id)?\s?[#:№ n°nr.-]{0,4}\s?[a-z0-9-]{0,6}[0-9]{3,}"
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
# RFC 7489 section 7.2.1.1 and RFC 8460 section 5.3
_AGGREGATE = re.compile(r"report domain: ", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{3}")
_ANSWER = re.compile(r"(?:re|aw|sv|vs|odp|ha|antw|rif|ynt|回复|答复|回覆) ?[:：]", re.IGNORECASE)


def subject_signals(subject: str, *, answers: bool) -> Iterator[str]:
    """The signals of a subject; `answers` says that an In-Reply-To or References came with it."""
    yield from _subject_says(subject)
    if _ANSWER.match(subject) and not answers:
        yield "pretends-reply"


@lru_cache(maxsize=4096)  # a conversation has one subject
def _subject_says(subject: str) -> tuple[str, ...]:
    return tuple(_subject_signals(subject))


def _subject_signals(subject: str) -> Iterator[str]:
    for signal, count in said(subject, "subject").items():
        yield signal
        if count > 1:
            yield f"{signal}-twice"
    if begins_like(subject, "receipt"):
        yield "subject-read"
    if begins_like(subject, "bounce"):
        yield "subject-bounce"
    for signal, is_so in (
        ("device", _DEVICE.match(subject)),
        ("aggregate-report", _AGGREGATE.match(subject)),
        ("ticket-subject", _NUMBER.search(subject) and _TICKET.search(subject)),
        ("spam-subject", _MARKED_SPAM.match(subject)),
        ("subject-challenge", _CHALLENGE.search(subject)),
        ("begins-yours", _YOURS.match(subject)),
        ("template-left", _has_placeholder(subject)),
    ):
        if is_so:
            yield signal


def text_signals(head: str, tail: str) -> Iterator[str]:
    """The signals of a text: `head` the author's own words, `tail` what `end_of` gave."""
    text = f"{head[:HEAD_LIMIT]} {tail[-TAIL_LIMIT:]}"
    phrases = said(text, "says")
    # Where the whole text says nothing that programs say, none of its sentences does.
    is_read_whole = len(head) <= HEAD_LIMIT and "://" not in head
    is_programs = not (is_read_whole and _OF_PROGRAMS.isdisjoint(phrases))
    if "says-absent" in phrases:
        phrases.pop("says-leave", None)  # the same words say both
    for signal, count in phrases.items():
        yield signal
        if count > 1:
            yield f"{signal}-twice"
    yield from _opening_says(head[:_OPENING])
    has_digits = _DIGIT.search(head, 0, HEAD_LIMIT)
    has_links = text.count("://") >= _MANY_LINKS
    for signal, is_so in (
        ("names-a-day", has_digits and _names_a_day(head[:HEAD_LIMIT].lower())),
        ("has-reference", has_digits and _has_reference(head[:HEAD_LIMIT])),
        ("status-code", has_digits and _STATUS.search(head, 0, HEAD_LIMIT)),
        ("no-words", not head.strip()),
        ("long-text", len(head) >= _LONG_TEXT),
        ("asks", _QUESTION.search(head) and _asks(head, is_programs=is_programs)),
        ("template-left", _has_placeholder(head)),
        ("many-links", has_links and len(_LINK.findall(text)) >= _MANY_LINKS),
    ):
        if is_so:
            yield signal


@lru_cache(maxsize=1024)  # mails begin alike
def _opening_says(opening: str) -> tuple[str, ...]:
    """The signals of the beginning of a text."""
    ways = (("greets", GREETS), ("begins-yours", _YOURS))
    return tuple(signal for signal, words in ways if words.match(opening))


def _names_a_day(low: str) -> bool:
    """Whether a text in lower case says until when; read from shortly before its first digit."""
    digit = _DIGIT.search(low)
    if digit is None:
        return False
    begin = max(0, digit.start() - _BEFORE_DIGIT)
    return bool(
        _DAY_FIRST.search(low, begin)
        or (not _UNTIL_FIRST.isdisjoint(_words(low)) and _UNTIL.search(low, begin))
        or (not low.isascii() and _UNSPACED_UNTIL.search(low, begin))
    )


def _has_reference(text: str) -> bool:
    """Whether a text calls something by a number; few texts have the digits for one."""
    return bool(_DIGITS.search(text) and _REFERENCE.search(text))


def _has_placeholder(text: str) -> bool:
    """Whether a template's placeholder was left in a text; each begins with one of few signs."""
    return bool(_PLACEHOLDER_BEGINS.search(text) and _PLACEHOLDER.search(text))


def _asks(head: str, *, is_programs: bool) -> bool:
    """Whether a text asks something else than whether one wants no more such mail.

    `is_programs`: some of its sentences may be such as programs write.
    """
    sentences = SENTENCE_END.split(_URL.sub(" ", head) if "://" in head else head)
    return any(
        _QUESTION.search(one)
        and not _CLICK.search(after[:_CLICK_CHARS])
        and not (is_programs and not _OF_PROGRAMS.isdisjoint(said(one, "says")))
        for one, after in pairwise([*sentences, ""])
    )


def speaks_of(text: str, name: str) -> bool:
    """Whether a text tells of this name as of somebody else: "Ada Lovelace has left the company".

    Not where it only introduces itself, or signs.
    """
    words = name.replace(",", " ").casefold().split()
    if len(words) < 2:  # noqa: PLR2004  a first and a last name
        return False
    low = text[:HEAD_LIMIT].lower()
    if words[-1] not in low:
        return False
    last, first = words[-1], words[0]
    pairs = (f"{first} {last}", f"{last} {first}", f"{first}, {last}", f"{last}, {first}", last)
    for whole in pairs:
        at = low.find(whole)
        goes_on = text[at + len(whole) :][:2]
        if at < 0 or not goes_on.startswith(" ") or not goes_on[1:].islower():
            continue
        before = low[:at].split()[-1:]
        if before and before[0].strip(".,'") in _HONORIFICS:
            return True
        if whole != last and not (before and before[0] in _INTRODUCES):
            return True
    return False


def before_quote(text: str) -> str:
    """A text up to the first line that quotes another mail."""
    return text[: _quoted_from(text)]


def _quoted_from(text: str) -> int:
    """Where the first line begins that quotes another mail; the length of the text without one."""
    quoted = _QUOTED.search(f"\n{text}")
    return quoted.start() if quoted else len(text)


def _quotes(text: str) -> bool:
    return _quoted_from(text) < len(text)


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
    return "" if _quotes(tail) else tail


def _is_cut(plain: str, head: str) -> bool:
    """Whether own words leave out the end of a text that quotes nobody: a signature."""
    return len(head) + 20 < len(plain) and not _quotes(plain)
