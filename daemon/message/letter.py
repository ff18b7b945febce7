"""How people write a letter: whether a text greets, whether a name signs it, how neat it is."""

import re
from functools import lru_cache
from itertools import pairwise

from daemon.message.localparts import (
    is_given_name,
    is_role,
    names_a_firm,
    names_a_team,
    names_the_domain,
)
from daemon.message.text import word_finder

# ruff: noqa: RUF001  words of other languages

SENTENCE_END = re.compile(r"(?<=[.!?\uff1f\u061f\u037e])\s|\n\s*\n")
_ENDS = (".", "!", "?", "…", ":", ";", ")", "%", "。", "！", "？", "؟", "।", "።")  # of sentences
_SIGNED_LIMIT = 400  # characters at the end in which a signature is looked for
_SIGNED_LINES = 6
_NAME_WORDS = 4
_PARTS = re.compile(r"[,|/]| - ")  # between a name and a function, a firm or a town
_SIGNED_PARTS = 3
_AROUND = " \t,.-_*"  # what stands around a name that signs
_CALLED = frozenset({1, *range(3, 30)})  # letters of a short form that people sign with: L, Leo
_name_words = word_finder(r"[^\W\d_]")
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
# How a letter begins
GREETS = re.compile(
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


def is_signed(text: str, name: str, domain: str) -> bool:
    """Whether a text ends with the name of a person: their own, or one after a closing.

    A firm's or a team's name there is no signature: mail of programs ends so too.
    """
    whole = [line.strip() for line in text.strip()[-_SIGNED_LIMIT:].splitlines()]
    last = [line for one in whole if (line := one.strip(_AROUND))][-_SIGNED_LINES:]
    if last and _signs_in_line(last[-1], domain):
        return True
    own = _words_of(name)
    for before, line in pairwise(["", *last]):
        words = _name_words(line.casefold())
        if not words or len(words) > 2 * _NAME_WORDS:
            continue
        is_name = _has_name(line, domain)
        # What costs more is asked only of a line that may sign.
        if not is_name and len(words) > _NAME_WORDS:
            continue
        is_own = len(line) > 1 and all(_is_called(word, own) for word in words)
        may_sign = (
            is_name
            or (is_own and _is_persons(name, domain))
            or _stands_below_closing(line, before, domain)
        )
        if not may_sign or _is_salutation(line, whole):
            continue
        if is_name:
            return True
        if not (names_a_team(line) or names_a_firm(line) or all(map(is_role, words))):
            return not own.issuperset(words) or _is_persons(name, domain)
    return False


def _stands_below_closing(line: str, before: str, domain: str) -> bool:
    """Whether a line is written like a name, and the one before it like "Kind regards,"."""
    is_closing = line.istitle() and _CLOSING.match(before) is not None
    return is_closing and not names_the_domain(line, domain)


@lru_cache(maxsize=1024)  # the same people write again and again
def _words_of(name: str) -> frozenset[str]:
    """The words of a display name."""
    return frozenset(word for word in _name_words(name.casefold()) if word[1:])


def _is_persons(name: str, domain: str) -> bool:
    """Whether a display name isn't a team's or the domain's own."""
    return not names_a_team(name) and not names_the_domain(name, domain)


def _is_salutation(line: str, lines: list[str]) -> bool:
    """Whether a line greets the reader: "Hej Elin", or a name with a comma behind it in `lines`."""
    if any(one.endswith((",", "!", ":")) and one.strip(_AROUND) == line for one in lines):
        return True
    greeting = GREETS.match(line)
    return greeting is not None and line[greeting.end() :][:1].isspace()


def _signs_in_line(line: str, domain: str) -> bool:
    """Whether a line ends with a closing and a name: "... Thanks, Ada"."""
    last = line.rstrip(" ,.!").rpartition(" ")[2]
    if last.isalpha() and not last.istitle():
        return False
    sentence = SENTENCE_END.split(line)[-1]
    closing = _CLOSING.match(sentence)
    if closing is None:
        return False
    name = sentence[closing.end() :].strip(" ,.!")
    return 0 < len(name.split()) < _NAME_WORDS and name.istitle() and _is_name(name, domain)


def _has_name(line: str, domain: str) -> bool:
    """Whether a line, or a part of it before a function, a firm or a town, is a person's name."""
    if "," in line or "|" in line or "/" in line or " - " in line:
        parts = _PARTS.split(line)
        goes_on = parts[1].strip()
        if goes_on[:1].islower() and goes_on.count(" ") >= _NAME_WORDS:
            return False  # "Ada, you have three new messages" speaks to her
        return any(_is_name(part, domain) for part in parts[:_SIGNED_PARTS])
    return _is_name(line, domain)


def _is_name(line: str, domain: str) -> bool:
    """Whether a short line is a person's name: its first or last word is a given name."""
    if not line.istitle():
        return False
    words = line.split()
    return (
        0 < len(words) < _NAME_WORDS
        and any(map(is_given_name, (words[0], words[-1])))
        and not (names_the_domain(line, domain) or names_a_team(line) or names_a_firm(line))
    )


def _is_called(word: str, names: frozenset[str]) -> bool:
    """Whether a word is one of these names, its initial, or a short form of it."""
    return word in names or (len(word) in _CALLED and any(name.startswith(word) for name in names))


def is_casual(subject: str, text: str) -> bool:
    """Whether a text is jotted down as programs don't: in small letters, without a full stop.

    Letters of scripts that have no capitals count as small ones where there is no full stop.
    """
    first = text[:1]
    if first.islower():
        return True
    unfinished = "\n" not in text and not text.endswith(_ENDS)
    small = subject[:1].islower() or (first.isalpha() and not first.isupper())
    return unfinished and small
