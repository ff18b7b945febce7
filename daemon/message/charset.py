"""Character sets as mail names them, and text that may be cut in the middle of a character."""

import codecs
from functools import lru_cache

# What senders call a character set and what they mean by it: supersets, as browsers read them.
_SUPERSETS = {
    "iso8859-1": "cp1252",
    "ascii": "utf-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "hz": "hz",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
}
_ALIASES = {
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "x-sjis": "cp932",
    "x-gbk": "gb18030",
    "cp-850": "cp850",
    "ks_c_5601-1987": "cp949",
    "x-windows-949": "cp949",
    "unicode-1-1-utf-7": "utf-7",
    "utf8mb4": "utf-8",
    "windows-874": "cp874",
}
# Codecs that aren't character sets of mail, or whose decoder is quadratic.
_REFUSED = frozenset(
    {"punycode", "idna", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"}
)


# Codecs that write other letters in ASCII bytes.
ESCAPED = frozenset({f"iso2022_jp{kind}" for kind in ("", "_1", "_2", "_2004", "_3", "_ext")}) | {
    *("iso2022_kr", "hz", "utf-7", "utf-16", "utf-16-le", "utf-16-be"),
    *("utf-32", "utf-32-le", "utf-32-be"),
}


@lru_cache(maxsize=256)
def codec(charset: str) -> str | None:
    """The Python codec that reads a charset of mail, None for one that is unknown or refused."""
    name = charset.strip().strip("\"'").lower()
    if not name or not name.isascii() or not name.isprintable() or len(name) > 40:  # noqa: PLR2004  longer than any registered name
        return None
    try:
        found = codecs.lookup(_ALIASES.get(name, name)).name
        b"x".decode(found, "replace")  # refuses what isn't a text encoding, such as "zlib"
    except (LookupError, UnicodeError, ValueError):
        return None
    return None if found in _REFUSED else _SUPERSETS.get(found, found)


def decode(octets: bytes, codec_name: str) -> str:
    """Decode text that may be cut in the middle of a character; never raises."""
    try:
        return codecs.getincrementaldecoder(codec_name)("replace").decode(octets, final=False)
    except UnicodeError:
        return octets.decode("utf-8", "replace")  # some decoders raise whatever they are told
