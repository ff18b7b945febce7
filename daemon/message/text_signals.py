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

from daemon.message.autoreply import (
    BOUNCE_SUBJECTS,
    READ_SUBJECTS,
    begins_like,
)
from daemon.message.localparts import (
    is_given_name,
    names_a_firm,
    names_a_team,
    names_the_domain,
)
from daemon.message.phrases import said

# ruff: noqa: RUF001  words of other languages

HEAD_LIMIT = 2_000  # characters at the beginning
TAIL_LIMIT = 1_500  # characters at the end
_MARKUP_LIMIT = 16_384  # characters of HTML in which the end is looked for
# Questions that programs ask: whether one wants no more of it, whether one was it oneself
_OF_PROGRAMS = frozenset({"says-unsubscribe", "says-not-you"})
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
_PARTS = re.compile(r"[,|/]| - ")  # between a name and a function, a firm or a town
_SIGNED_PARTS = 3
_AROUND = " \t,.-_*"  # what stands around a name that signs
_CALLED = frozenset({1, *range(3, 30)})  # letters of the beginning of a name that one signs with
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
# "back 9 Nov", "bis 14.11.": until when somebody is away
_UNTIL = re.compile(
    r"\b(?:until|till|til|bis(?: zum)?|jusqu['’]au|hasta(?: el)?|até|fino al|tot|t/m|do|до"
    r"|līdz|iki|până pe|pana pe|kuni|έως|μέχρι|back|returning|return on|zurück|wieder|ab dem"
    r"|retour|før|førend|förrän|ennen|tilbage|tilbake|tillbaka|åter|terug|rientro|regreso|vuelta"
    r"|regresso)\b.{0,16}?\b[0-9]{1,2}(?:st|nd|rd|th)?\b"
    r"|\b[0-9]{1,2}\.?(?:[0-9]{1,2}\.?)? ?(?:saakka|asti|-ig\b|[^\W\d_]{3,8}['’]?[ae] kadar)"
    r"|[0-9]{1,2}(?:日まで|日止|일까지)|至[0-9]{1,2}月|עד [0-9]|حتى [0-9]",
)  # compared with lower case, which takes half the time of ignoring case
_DIGIT = re.compile(r"[0-9]")
# "No more of this? Click here": what programs write after a question
_CLICK = re.compile(
    r"\b(?:click|klick|clique|cliquez|clic|clicca|clicchi|haz clic|haga clic|klik|klikk|kliknij"
    r"|klikni|kliknite|klikněte|kattintson|apasă|apăsați|tıkla|napsauta|klõpsa|noklikšķin|spustel)"
    r"|нажми|натисн|кликн|πατήστε|κάντε κλικ|こちら|クリック|点击|點擊|클릭",
    re.IGNORECASE,
)
_CLICK_CHARS = 60  # of a sentence in which that stands
# How a letter begins
_GREETS = re.compile(
    r"\W{0,3}(?:hi|hey|hello|dear|good (?:day|morning|afternoon|evening)|g'day|greetings|howdy"
    r"|hallo|guten (?:tag|morgen|abend)|moin|servus|grüezi|grüß|gruezi|liebe[rs]?|sehr geehrter?"
    r"|bonjour|bonsoir|salut|coucou|madame|monsieur|chère?s?|hola|buen[oa]s|buen día|estimad[oa]s?"
    r"|querid[oa]s?|olá|ola|bom dia|boa (?:tarde|noite)|car[oa]s?|prezad[oa]s?|exm[oa]s?|ciao|salve"
    r"|buon(?:giorno|asera)|gentil[ei]|egregi[oa]|spett|hoi|goede(?:n)?(?:dag|middag|morgen|avond)"
    r"|beste|dag|geachte|hej(?:san)?|tjena|god (?:dag|morgon|kväll|aften|morgen)|bästa|kära|hei"
    r"|kjære|kære|moi|terve|hyvä|tere|sveiki|labdien|labas|laba diena|dzień dobry|dzien dobry|cześć"
    r"|witam|szanown[iay]|dobrý|dobry|ahoj|zdravím|vážen[áýí]|jó napot|szia|üdv|tisztelt|kedves"
    r"|bună|buna|salutare|stimat[ăe]|zdravo|bok|poštovan[aie]|pozdravljeni|dober dan"
    r"|dobar dan|merhaba"
    r"|selam|sayın|iyi günler|γεια|καλη|αγαπητ|здравствуйте|добрый|привет|уважаем|здравейте|добър"
    r"|вітаю|добрий|доброго|שלום|היי|السلام|مرحبا|नमस्ते|สวัสดี|xin chào|chào|kính gửi|selamat|halo"
    r"|こんにちは|お世話|はじめまして|您好|你好|尊敬|안녕|góðan|sæl|halló|bon dia|kaixo|egun on)",
    re.IGNORECASE,
)
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


@lru_cache(maxsize=1024)  # a conversation has one subject
def _subject_says(subject: str) -> tuple[str, ...]:
    return tuple(_subject_signals(subject))


def _subject_signals(subject: str) -> Iterator[str]:
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
    if "says-absent" in phrases:
        phrases.pop("says-leave", None)  # the same words say both
    for signal, count in phrases.items():
        yield signal
        if count > 1:
            yield f"{signal}-twice"
    has_links = text.count("://") >= _MANY_LINKS
    for signal, is_so in (
        ("greets", _GREETS.match(head)),
        ("begins-yours", _YOURS.match(head)),
        ("names-a-day", _DIGIT.search(head) and _UNTIL.search(head[:HEAD_LIMIT].lower())),
        ("no-words", not head.strip()),
        ("long-text", len(head) >= _LONG_TEXT),
        ("asks", _QUESTION.search(head) and _asks(head)),
        ("template-left", _has_placeholder(head)),
        ("many-links", has_links and len(_LINK.findall(text)) >= _MANY_LINKS),
    ):
        if is_so:
            yield signal


def _has_placeholder(text: str) -> bool:
    """Whether a template's placeholder was left in a text; each begins with one of few signs."""
    return bool(_PLACEHOLDER_BEGINS.search(text) and _PLACEHOLDER.search(text))


def _asks(head: str) -> bool:
    """Whether a text asks something else than whether one wants no more such mail."""
    sentences = _SENTENCE_END.split(_URL.sub(" ", head))
    return any(
        _QUESTION.search(one)
        and not _CLICK.search(after[:_CLICK_CHARS])
        and _OF_PROGRAMS.isdisjoint(said(one, "says"))
        for one, after in pairwise([*sentences, ""])
    )


def is_signed(text: str, name: str, domain: str) -> bool:
    """Whether a text ends with the name of a person: their own, or one after a closing.

    A firm's or a team's name there is no signature: mail of programs ends so too.
    """
    whole = [line.strip() for line in text.strip()[-_SIGNED_LIMIT:].splitlines()]
    last = [line for one in whole if (line := one.strip(_AROUND))][-_SIGNED_LINES:]
    if last and _signs_in_line(last[-1], domain):
        return True
    own = {word for word in _NAME_WORD.findall(name.casefold()) if word[1:]}
    is_person = not names_a_team(name) and not names_the_domain(name, domain)
    for before, line in pairwise(["", *last]):
        words = _NAME_WORD.findall(line.casefold())
        if not words or len(words) > 2 * _NAME_WORDS:
            continue
        is_name = any(_is_name(part, domain) for part in _PARTS.split(line)[:_SIGNED_PARTS])
        is_own = is_person and len(line) > 1 and all(_is_called(word, own) for word in words)
        closes = line.istitle() and _CLOSING.match(before) and not names_the_domain(line, domain)
        # What costs more is asked only of a line that may sign.
        may_sign = is_name or (len(words) <= _NAME_WORDS and (is_own or closes))
        if not may_sign or _is_salutation(line, whole):
            continue
        if is_name or not (names_a_team(line) or names_a_firm(line)):
            return is_name or is_person or not own.issuperset(words)
    return False


def _is_salutation(line: str, lines: list[str]) -> bool:
    """Whether a line greets the reader: "Hej Elin", or a name with a comma behind it in `lines`."""
    greeting = _GREETS.match(line)
    return (greeting is not None and line[greeting.end() :][:1].isspace()) or any(
        one.endswith((",", "!", ":")) and one.strip(_AROUND) == line for one in lines
    )


def _signs_in_line(line: str, domain: str) -> bool:
    """Whether a line ends with a closing and a name: "... Thanks, Ada"."""
    sentence = _SENTENCE_END.split(line)[-1]
    last = sentence.rstrip(" ,.!").rpartition(" ")[2]
    closing = _CLOSING.match(sentence) if last.istitle() or not last.isalpha() else None
    if closing is None:
        return False
    name = sentence[closing.end() :].strip(" ,.!")
    return 0 < len(name.split()) < _NAME_WORDS and name.istitle() and _is_name(name, domain)


def _is_name(line: str, domain: str) -> bool:
    """Whether a short line is a person's name: its first or last word is a given name."""
    words = line.split()
    return (
        line.strip().istitle()
        and 0 < len(words) < _NAME_WORDS
        and any(map(is_given_name, (words[0], words[-1])))
        and not (names_the_domain(line, domain) or names_a_team(line) or names_a_firm(line))
    )


def _is_called(word: str, names: set[str]) -> bool:
    """Whether somebody of these names signs so: with one, its initial, or what begins it."""
    return word in names or (len(word) in _CALLED and any(name.startswith(word) for name in names))


def speaks_of(text: str, name: str) -> bool:
    """Whether a text tells of this name as of somebody else: "Ada Lovelace has left the company".

    Not where it only introduces itself, or signs.
    """
    words = name.replace(",", " ").casefold().split()
    low = text[:HEAD_LIMIT].lower()
    if len(words) < 2 or words[-1] not in low:  # noqa: PLR2004  a first and a last name
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
