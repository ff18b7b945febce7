"""What an address says about who writes from it: its local part, its name, the kind of its domain.

The words are data (data/localparts.txt); who a known domain belongs to is `vendors`.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

from daemon.message.data import read
from daemon.message.own_server import organization
from daemon.message.phrases import normal as bare

# ruff: noqa: RUF001  words of other languages

_SEPARATORS = re.compile(r"[._\-+=]+")
_UMLAUTS = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ß": "ss",
        "å": "aa",
        "ø": "oe",
        "æ": "ae",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
    }
)
# Letters without an accent to remove, in the spelling that replaces each by a plain one
_PLAIN = str.maketrans({"ø": "o", "æ": "ae", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ß": "ss"})
_LETTERS = re.compile(r"[^\W\d_]+")
_MADE = re.compile(r"[0-9a-f]{5,}|[0-9a-z]{8,}")
_HEXADECIMAL = frozenset("0123456789abcdef")
_LONGEST_NUMBER = 8  # digits that people have in an address: a date
_LONG_TOKEN = 10  # characters of a word that nobody types
_SHORTEST_STEM = 5  # letters of a name whose ending changes
_TURNS = 3  # runs of digits and of letters in one word
_RUNS = re.compile(r"[0-9]+|[a-z]+")
_TEAM = re.compile(
    r"\b(?:team|newsletter|news|service|services|support|notifications?|alerts?|updates?|shop|store"
    r"|versand|kundenservice|redaktion|club|portal|info|system|bot|mailer|verlag|équipe|equipo|equipe"
    r"|squadra|klantenservice|kundtjänst|kundeservice|asiakaspalvelu|zespół|tým|csapat|echipa|takım"
    r"|команда|служба|tím|ekipa|ekip|ekibi|csapata|komanda|meeskond|tiimi|екип|екипът|ομάδα|drużyna"
    r"|equip|צוות|فريق|đội ngũ|starfsfólk|supporto|soporte|suporte|atendimento|kundservice"
    r"|kundesenter|zákaznická podpora|zákaznícka podpora|ügyfélszolgálat|korisnička podrška"
    r"|obsługa klienta)\b"
    r"|团队|團隊|客服|サポート|事務局|カスタマー|고객센터|ทีมงาน",
    re.IGNORECASE,
)
_FIRM = re.compile(
    r"\b(?:gmbh|mbh|kg|ohg|ag|e\.?v|ltd|limited|inc|llc|llp|plc|corp|b\.?v|n\.?v|bvba|oy|oyj|ab|asa"
    r"|aps|a/s|s\.?r\.?l|s\.?p\.?a|sarl|sas|kft|zrt|d\.o\.o|s\.r\.o|sp\. z o\.o|lda|ltda|oü|sia|uab"
    r"|bank|sparkasse|stadtwerke|gemeente|gemeinde|stadt|kommune|kommun|mairie|ayuntamiento|comune"
    r"|municipality|council|university|hochschule|universität|finanzamt|amt|behörde|verband"
    r"|versicherung|insurance|akademie|academy|service desk|helpdesk|help desk|customer care)\b",
    re.IGNORECASE,
)
# "Ada from Acme", as newsletters sign
_OF_BRAND = re.compile(
    r"\S{1,30}(?:, ?[\w&-]{2,20})?"  # "Ada, CEO of Acme"
    r" (?:from|at|of|von|bei|de|chez|van|från|på|fra|hos|z|ze|od|da|di|del|из|от|@|\|) (.{2,60})",
    re.IGNORECASE,
)
_PITCH = re.compile(
    r"(?:try|get|go|use|meet|join|hello|team|with|the|ask|my|your)-|(?:leads?|growth|outreach|demand"
    r"|prospect|outbound|pipeline|boost|seo|ranking|backlink|meetings?|booking)(?:s|er|ers|ify|ly|hub|lab|pro|hq|io)?\b"
    r"|-(?:leads|growth|reach|demand|seo|lists?|sales|mail|outreach)\b"
)


@lru_cache(maxsize=8192)  # the same people write again and again
def is_no_reply(local: str) -> bool:
    """Whether a machine writes from this local part (without +tag) and nobody reads the answers."""
    words = [word.rstrip("0123456789") for word in _SEPARATORS.split(local.lower()) if word]
    if not words:
        return False
    squeezed = "".join(words)
    if squeezed in _words("whole") or squeezed.startswith("microsoftexchange"):
        return True
    if words[0] in _words("at-ends") or words[-1] in _words("at-ends"):
        return True
    no_reply = _words("no-reply")
    return any(
        "".join(words[i:j]) in no_reply
        for i in range(len(words))
        for j in range(i + 1, min(i + 4, len(words)) + 1)
    )


@lru_cache(maxsize=8192)
def is_notice(local: str) -> bool:
    """Whether notices are sent from this local part, by a program or by a desk."""
    words = _folded_words(local)
    squeezed = "".join(words).rstrip("0123456789")
    return squeezed in _words("notice") or any(
        word in _words("notice") for word in words if word[5:]
    )


@lru_cache(maxsize=8192)
def is_role(local: str) -> bool:
    """Whether this local part (without +tag) is a desk rather than a person."""
    words = _folded_words(local)
    if not words:
        return False
    squeezed = "".join(words).rstrip("0123456789")
    if squeezed in _words("role") or squeezed.removeprefix("the") in _words("role"):
        return True
    return len(words) > 1 and words[0] in _words("role-stem")


def is_made_per_mail(local: str) -> bool:
    """Whether a part of it looks random, made by a program for each mail: news-8f3a1."""
    words = [word for word in _SEPARATORS.split(local.lower()) if word]
    return any(_is_drawn(word, alone=len(words) == 1) for word in words)


def _is_drawn(word: str, *, alone: bool) -> bool:
    """Whether digits and letters alternate; in a person's only part they may do so more often."""
    if word.isdigit():
        return len(word) > _LONGEST_NUMBER
    if not _MADE.fullmatch(word) or not any(c.isdigit() for c in word):
        return False
    turns = len(_RUNS.findall(word))
    if alone:
        return turns > _TURNS + 1 and len(word) >= _LONG_TOKEN
    is_hexadecimal = set(word) <= _HEXADECIMAL
    if is_hexadecimal and len(word) >= _LONG_TOKEN:
        return True
    return turns >= _TURNS if is_hexadecimal else turns > _TURNS


def is_sending_host(domain: str) -> bool:
    """Whether mailings are sent from a domain: news.acme.com, noreply-acme.com."""
    own = organization(domain)
    rest = domain.removesuffix(own).rstrip(".")
    return any(
        label.rstrip("0123456789") in _words("sending-host") for label in rest.split(".") if label
    ) or is_no_reply(own.partition(".")[0])


def is_pitch_domain(domain: str) -> bool:
    """Whether a domain is named like those that sales tools send from, beside the real one."""
    return _PITCH.search(organization(domain).partition(".")[0]) is not None


@lru_cache(maxsize=8192)
def names_a_person(local: str, name: str) -> bool:
    """Whether the local part is made of the display name: a.lovelace of Ada Lovelace, or al."""
    if names_a_team(name) or names_a_firm(local):
        return False
    parts = [word for word in _folded_words(local) if not word.isdigit()]
    squeezed = "".join(parts)
    for words in _spellings(name):
        if is_desk_word("".join(words)):
            return False
        if len(words) > 1 and squeezed == "".join(word[0] for word in words):
            return True  # initials, which may look like a desk: hr@, it@
        if len(words) > 1 and squeezed in _from_name(words) and not is_desk_word(squeezed):
            return True
        if any(_is_of_name(part, words) and not is_desk_word(part) for part in parts if part[2:]):
            return True
    return False


def _is_of_name(part: str, words: tuple[str, ...]) -> bool:
    """Whether a part of an address is a word of a name, how one is called, or begins with it.

    ludo of Ludovic, zviadi of Zviad.
    """
    return any(word.startswith(part) or (word[3:] and part.startswith(word)) for word in words)


def is_one_word(name: str) -> bool:
    """Whether a display name is a single word that is no given name, as brands have."""
    return (
        len(name.split()) == 1 < len(name[1:])
        and name.lower() != name.upper()
        and "@" not in name
        and not is_given_name(name)
    )


def is_given_name(word: str) -> bool:
    """Whether a word is somebody's first name, with or without its accents."""
    return bare(word) in _given_names()


@lru_cache(maxsize=1)
def _given_names() -> frozenset[str]:
    return frozenset(bare(name) for line in read("given_names.txt") for name in line.split())


@lru_cache(maxsize=1024)
def names_a_firm(name: str) -> bool:
    """Whether a display name has a word that only firms and authorities have."""
    return _FIRM.search(name) is not None


@lru_cache(maxsize=1024)
def is_mailbox_provider(domain: str) -> bool:
    """Whether anybody can have an address under this domain: data/freemail.txt, and hosters."""
    providers = _mailbox_providers()
    return domain in providers or domain.partition(".")[2] in providers


@lru_cache(maxsize=1)
def _mailbox_providers() -> frozenset[str]:
    return frozenset((*read("freemail.txt"), *_words("hoster")))


@lru_cache(maxsize=8192)
def names_the_domain(name: str, domain: str) -> bool:
    """Whether the display name is the domain's own: the sender is a firm.

    Articles in the name and a legal form in the domain make no difference.
    """
    registered = organization(domain).partition(".")[0]
    front, _, form = registered.rpartition("-")
    label = _squeezed(front if form in _words("legal-form") else registered)
    for words in _spellings(name):
        full = "".join(word for word in words if word not in _words("article"))
        for own in dict.fromkeys(("".join(words), full)):
            if own[2:] and label[2:] and (own.startswith(label) or label.startswith(own)):
                return True
    return False


def begins_the_domain(local: str, domain: str) -> bool:
    """Whether a local part is the first word of its domain: bookshop@bookshop-corner.example."""
    label = _squeezed(organization(domain).partition(".")[0])
    return len(local) >= _SHORTEST_STEM and label.startswith(local) and label != local


def is_of_brand(name: str, domain: str) -> bool:
    """Whether somebody writes in the name of the domain's brand: "Ada from Acme", acme.example."""
    found = _OF_BRAND.match(name)
    return found is not None and (names_the_domain(found[1], domain) or _has_stem(found[1], domain))


def _has_stem(brand: str, domain: str) -> bool:
    """Whether a brand's name is its domain's but for its ending: "z Drukarni" of drukarnia.pl."""
    label = _squeezed(organization(domain).partition(".")[0])
    stems = ("".join(words)[:-1] for words in _spellings(brand))
    return any(len(stem) >= _SHORTEST_STEM and label.startswith(stem) for stem in stems)


@lru_cache(maxsize=1024)
def names_a_team(name: str) -> bool:
    """Whether the display name is that of a team or a service."""
    return _TEAM.search(name) is not None


def is_desk_word(word: str) -> bool:
    """Whether a word of an address names a desk or a machine, not somebody."""
    return is_role(word) or is_no_reply(word) or word in _words("notice")


def _from_name(words: tuple[str, ...]) -> frozenset[str]:
    """Local parts that people make of their names, separators taken out."""
    first, last = words[0], words[-1]
    made = {first + last, last + first, first[0] + last, last + first[0], first + last[0]}
    return frozenset({*made, first[0] + last[0], last[0] + first[0], first[:2] + last[:2]})


def _spellings(name: str) -> Iterator[tuple[str, ...]]:
    """The words of a display name in the letters that addresses have: ü as ue and as u."""
    low = name.casefold()
    spelled = (low,) if low.isascii() else (low.translate(_UMLAUTS), low.translate(_PLAIN))
    for folded in dict.fromkeys(spelled):
        words = tuple(_LETTERS.findall(folded if folded.isascii() else _unaccented(folded)))
        if words:
            yield words


def _unaccented(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c))


def _folded_words(local: str) -> list[str]:
    low = local.lower()
    return [
        word
        for word in _SEPARATORS.split(low if low.isascii() else low.translate(_UMLAUTS))
        if word
    ]


def _squeezed(text: str) -> str:
    return "".join(_LETTERS.findall(text.lower()))


def _words(section: str) -> frozenset[str]:
    return _lists()[section]


@lru_cache(maxsize=1)
def _lists() -> Mapping[str, frozenset[str]]:
    lists: dict[str, set[str]] = {}
    section = ""
    for line in read("localparts.txt"):
        if line.startswith("["):
            section = line.strip("[]")
        else:
            lists.setdefault(section, set()).update(line.split())
    return {name: frozenset(some) for name, some in lists.items()}
