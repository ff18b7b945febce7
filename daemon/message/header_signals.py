"""Header facts of a message as sorted slugs: what a machine or a mailing list says of itself.

Facts only: what they mean for a sender is `verdict`'s decision, because it depends on who we are.
"""

import re
from collections.abc import Iterator

from daemon.message.address import Address, mailbox
from daemon.message.autoreply import AUTO_REPLY_SUBJECTS, BOUNCE_SUBJECTS, begins_like
from daemon.message.fields import Fields, first, without_comments

_RESULTS_LIMIT = 16  # Authentication-Results that are read, from the top: the top ones are ours
_VALUE_LIMIT = 4_096  # characters of one header value
_NEGATIVE = frozenset({"no", "none", "false", "0"})
_BULK = frozenset({"bulk", "list", "junk"})
_AUTO_REPLY_PRECEDENCE = frozenset({"auto_reply", "auto-reply", "autoreply"})
_AUTO_REPLY_FIELDS = ("x-autoreply", "x-autorespond", "x-autoresponder")

_DMARC = re.compile(r";\s*dmarc\s*(?:/\s*[0-9]+\s*)?=\s*(fail|pass)(?![\w-])", re.IGNORECASE)
_AUTHSERV_ID = re.compile(r"\s*\"?([^\s;\"=]{1,255})\"?\s*(?:[0-9]+\s*)?(?:;|$)")
_LIST_ID = re.compile(r"<\s*([^<>\s]{1,255})\s*>|^\s*([^<>\s]{1,255})\s*$")
_DAEMON = re.compile(r"mail(?:er)?[._-]?daemon|postmaster|microsoftexchange[0-9a-f]{8,}")
_DAEMON_NAME = re.compile(
    r"mail delivery (?:sub)?system|mailer[- ]?daemon|ndr administrator|microsoft outlook$",
    re.IGNORECASE,
)

# Bounce addresses. BATV (prvs=) and SRS also hide an address in the local part, but people's mail
# carries them: only VERP names a list, a campaign or a notification run.
_PRVS = re.compile(r"(?:prvs|msprvs1|btv1)=", re.IGNORECASE)
_FORWARDED = re.compile(r"^srs[01][=+-]|\+srs[=0-9]|\+caf_=|^bounces\+srs=", re.IGNORECASE)
_VERP_ADDRESS = re.compile(r"[^=]=[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}$", re.IGNORECASE)
_BOUNCE_TAG = re.compile(
    r"(?:^|[._+=-])(?:pm_|msg)?bounces?(?:$|[._+=-]|[0-9])"
    # A bare "b" counts only with a number behind it: b.underhill+quotes@ is a person.
    r"|^(?:b[-+]|b(?:nc|ounced)[-+.])(?=[a-z]*[0-9])[0-9a-z]+[-+.=]|\+bnc"
)


def marks(
    fields: Fields, author: Address | None, subject: str, kinds: frozenset[str]
) -> tuple[str, ...]:
    """The marks of a message, from its fields, its From, its subject and its MIME types."""
    found = set(_list_marks(fields))
    found.update(_automatic_marks(fields, subject))
    found.update(_bounce_marks(fields, author, subject, kinds))
    for value in fields.get("authentication-results", ())[:_RESULTS_LIMIT]:
        bare = without_comments(value[:_VALUE_LIMIT])
        server = _AUTHSERV_ID.match(bare)
        if server and (result := _DMARC.search(bare)):
            found.add(f"dmarc-{result[1].lower()}:{server[1].lower()}")
    return tuple(sorted(found))


def _list_marks(fields: Fields) -> Iterator[str]:
    if list_id := first(fields, "list-id"):
        yield "list-id"
        match = _LIST_ID.search(list_id[:_VALUE_LIMIT])
        if match:
            yield f"list-of:{(match[1] or match[2]).lower()}"
    if first(fields, "list-unsubscribe"):
        yield "list-unsubscribe"
    for name in ("precedence", "x-precedence"):
        for value in fields.get(name, ()):
            if _keyword(value) in _BULK:
                yield "precedence-bulk"
            elif _keyword(value) in _AUTO_REPLY_PRECEDENCE:
                yield "auto-reply"


def _automatic_marks(fields: Fields, subject: str) -> Iterator[str]:
    """Auto-Submitted by RFC 3834 section 5, and what was said before there was one."""
    for value in fields.get("auto-submitted", ()):
        keyword = _keyword(value)
        if keyword and keyword != "no":
            yield "auto-submitted"
        if keyword.replace("_", "-") == "auto-replied":
            yield "auto-reply"
    for name in _AUTO_REPLY_FIELDS:
        for value in fields.get(name, ()):
            if value and _keyword(value) not in _NEGATIVE:
                yield "auto-reply"
    suppressed = _keyword(first(fields, "x-auto-response-suppress"))
    answers = bool(first(fields, "in-reply-to"))
    if (answers or (suppressed and suppressed not in _NEGATIVE)) and begins_like(
        subject, AUTO_REPLY_SUBJECTS
    ):
        yield "auto-reply"


def _bounce_marks(
    fields: Fields, author: Address | None, subject: str, kinds: frozenset[str]
) -> Iterator[str]:
    path = fields.get("return-path", [""])[0]
    bare = "".join(without_comments(path[:_VALUE_LIMIT]).split())
    if bare == "<>":
        yield "empty-return-path"
    if kinds & {"multipart/report", "message/delivery-status", "message/disposition-notification"}:
        yield "report"
    daemon = author is not None and (
        _DAEMON.fullmatch(author.local) or _DAEMON_NAME.search(author.name)
    )
    if first(fields, "x-failed-recipients") or (daemon and begins_like(subject, BOUNCE_SUBJECTS)):
        yield "bounce"
    returned = mailbox("", bare.strip("<>"))
    if (returned and _is_verp(returned, author)) or (author and _is_verp(author, None)):
        yield "verp"


def _is_verp(address: Address, author: Address | None) -> bool:
    """Whether a local part is a bounce address rather than a person's (VERP, BATV of others)."""
    local = address.address.rpartition("@")[0]
    if _FORWARDED.search(local):
        return False
    prvs = _PRVS.match(local)
    if prvs:
        # prvs=0123abcdef=ada@x.org or prvs=ada=0123abcdef@x.org: the address behind the tag.
        return author is None or author.address.rpartition("@")[0] not in local[prvs.end() :].split(
            "="
        )
    return bool(_VERP_ADDRESS.search(local) or _BOUNCE_TAG.search(local))


def _keyword(value: str) -> str:
    """The first word of a structured value, lower case, without comments and parameters."""
    words = without_comments(value[:_VALUE_LIMIT]).partition(";")[0].partition(",")[0].split()
    return words[0].strip("\"'").lower() if words else ""
