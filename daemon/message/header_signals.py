"""What the header says of who sent a message, as signals: a machine, a list, a mail program.

Facts only: what they mean for a sender is `nature`'s decision. Traces of single programs are found
by `programs`; here is what the standards define and what takes more than one field to see.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from daemon.message.address import Address, mailbox
from daemon.message.autoreply import begins_like
from daemon.message.fields import VALUE_LIMIT, Fields, first, without_comments
from daemon.message.programs import is_yes, keyword, program_signals
from daemon.message.vendors import kind_of

_BULK = frozenset({"bulk", "list", "junk"})
_AUTO_REPLY_PRECEDENCE = frozenset({"auto_reply", "auto-reply", "autoreply"})

_LIST_ID = re.compile(r"<\s*([^<>\s]{1,255})\s*>|^\s*([^<>\s]{1,255})\s*$")
# What list servers write into Sender: Majordomo, LISTSERV, Mailman, Sympa.
_LIST_SENDER = re.compile(
    r"(?:^|<|\s)(?:owner-[^@\s<>]{1,100}|[^@\s<>]{1,100}-(?:owner|bounces|request))@", re.IGNORECASE
)
_DAEMON = re.compile(r"mail(?:er)?[._-]?daemon|postmaster|microsoftexchange[0-9a-f]{8,}")
_DAEMON_NAME = re.compile(
    r"mail delivery (?:sub)?system|mailer[- ]?daemon|ndr administrator|microsoft outlook$",
    re.IGNORECASE,
)
_LIST_FIELDS = {
    "list-id": "list-id",
    "list-unsubscribe": "list-unsubscribe",
    "list-unsubscribe-post": "one-click",
    "mailing-list": "mailing-list",
    "list-post": "mailing-list",
    "list-subscribe": "mailing-list",
    "list-owner": "mailing-list",
    "list-archive": "mailing-list",
    "x-mailing-list": "mailing-list",
    "x-listserver": "mailing-list",
    "errors-to": "errors-to",
}
# Written by whoever delivers a mail (RFC 5321, section 4.4; RFC 8601): what a mail program files by
# itself has none of them.
_DELIVERED = frozenset({"received", "return-path", "delivered-to", "authentication-results"})
_GENERATED_BY = "x-ms-exchange-generated-message-source"
_RULES_LOOP = "x-ms-exchange-inbox-rules-loop"
_ID_HOST = re.compile(r"@([a-z0-9.-]{1,253})>?\s*$", re.IGNORECASE)
# A group without members (RFC 5322, section 3.4): what is written in place of hidden recipients
_NO_RECIPIENT = re.compile(r"[^@:;<>]{1,100}:[ \t]*;[ \t]*$")
_BY_API = re.compile(r"\bwith HTTPS?\b", re.IGNORECASE)

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


def header_signals(
    fields: Fields, author: Address | None, subject: str, kinds: frozenset[str]
) -> Iterator[str]:
    """The signals of a header, from its fields, its From, its subject and its MIME types."""
    yield from _list_signals(fields)
    redirected = _is_redirected(fields, author)
    path = _return_path(fields)
    yield from _automatic_signals(fields, subject, path, redirected=redirected)
    yield from _bounce_signals(path, author, subject, kinds, redirected=redirected)
    yield from program_signals(fields)
    yield from _carrier_signals(fields, path)
    if not first(fields, "cc") and _names_no_recipient(fields, author):
        yield "to-nobody"
    if answers(fields):
        yield "answers"
        if not fields.keys() & _DELIVERED:
            yield "filed"


def answers(fields: Fields) -> bool:
    """Whether a message says that it answers another."""
    return bool(first(fields, "in-reply-to") or first(fields, "references"))


def _list_signals(fields: Fields) -> Iterator[str]:
    if list_id := first(fields, "list-id"):
        match = _LIST_ID.search(list_id)
        name = (match[1] or match[2]).lower() if match else ""
        if name and name.isprintable():  # no bidi marks or other invisible characters
            yield f"list-of:{name}"
    for name in _LIST_FIELDS.keys() & fields.keys():
        if first(fields, name):
            yield _LIST_FIELDS[name]
    if "sender" in fields and _LIST_SENDER.search(first(fields, "sender")):
        yield "mailing-list"
    for name in ("precedence", "x-precedence"):
        for value in fields.get(name, ()):
            if keyword(value[:VALUE_LIMIT]) in _BULK:
                yield "precedence-bulk"
            elif keyword(value[:VALUE_LIMIT]) in _AUTO_REPLY_PRECEDENCE:
                yield "auto-reply"


def _is_redirected(fields: Fields, author: Address | None) -> bool:
    """Whether an Exchange rule of somebody else handed the mail on: the field names whose it is."""
    if _RULES_LOOP not in fields:
        return False
    loop = mailbox("", first(fields, _RULES_LOOP))
    return loop is not None and author is not None and loop.key != author.key


def _automatic_signals(
    fields: Fields, subject: str, path: str, *, redirected: bool
) -> Iterator[str]:
    """Auto-Submitted by RFC 3834 section 5, and what was said before there was one."""
    for value in fields.get("auto-submitted", ()):
        word = keyword(value[:VALUE_LIMIT])
        if word and word != "no":
            yield "auto-submitted"
        if word.replace("_", "-") == "auto-replied":
            yield "auto-reply"
    suppress = first(fields, "x-auto-response-suppress")
    suppressed = is_yes(suppress)
    loop = first(fields, _RULES_LOOP) and not redirected
    no_path = path == "<>"
    # The loop field alone is a count of redirects; an answer of a rule leaves one thing more.
    by_rule = "rules agent" in first(fields, _GENERATED_BY).lower() and not redirected
    if by_rule or (
        loop and ("all" in suppress.lower() or no_path or first(fields, "auto-submitted"))
    ):
        yield "auto-reply"
    if (answers(fields) or suppressed or loop or no_path) and _begins_automatically(subject):
        yield "auto-reply"


@lru_cache(maxsize=4096)  # a conversation has one subject
def _begins_automatically(subject: str) -> bool:
    return begins_like(subject, "auto-reply")


def _bounce_signals(
    path: str,
    author: Address | None,
    subject: str,
    kinds: frozenset[str],
    *,
    redirected: bool,
) -> Iterator[str]:
    if path == "<>" and not redirected:
        yield "empty-return-path"
    if kinds & {"multipart/report", "message/delivery-status", "message/disposition-notification"}:
        yield from ("report", "bounce")
    daemon = author is not None and (
        _DAEMON.fullmatch(author.local) or _DAEMON_NAME.search(author.name)
    )
    if daemon and begins_like(subject, "bounce"):
        yield "bounce"
    returned = mailbox("", path.strip("<>")) if _may_be_verp(path) else None
    if (returned and _is_verp(returned, author)) or (
        author and _may_be_verp(author.address) and _is_verp(author, None)
    ):
        yield "verp"


def _return_path(fields: Fields) -> str:
    if "return-path" not in fields:
        return ""
    return "".join(without_comments(fields["return-path"][0][:VALUE_LIMIT]).split())


def _may_be_verp(address: str) -> bool:
    """Whether an address has anything that a bounce address has; few people's have."""
    low = address.lower().lstrip("<")
    return "=" in low or "bounce" in low or "bnc" in low or low.startswith(("b-", "b+", "imcea"))


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


def _names_no_recipient(fields: Fields, author: Address | None) -> bool:
    """Whether recipients are hidden: To has a group without members, or its own sender alone."""
    to = first(fields, "to")[:VALUE_LIMIT]
    if _NO_RECIPIENT.match(to):
        return True
    if author is None or to.count("@") != 1:
        return False
    return to.rstrip("> ").lower().replace("<", " ").rpartition(" ")[2] == author.address.lower()


def _carrier_signals(fields: Fields, path: str) -> Iterator[str]:
    """What sent the mail, by the hosts that it names: a marketing service, a helpdesk, a relay."""
    hosts = [path.rstrip(">").rpartition("@")[2].lower()]
    message_id = _ID_HOST.search(first(fields, "message-id"))
    if message_id:
        hosts.append(message_id[1].lower())
    kinds = {kind_of(host) for host in hosts if host}
    if "campaign" in kinds:
        yield "campaign-host"
    if "desk" in kinds:
        yield "desk"
    feedback = first(fields, "feedback-id") or first(fields, "x-feedback-id")
    if feedback:
        yield "feedback-id"
        if kind_of(feedback.lower().rpartition(":")[2].strip()) == "feedback":
            yield "campaign"
    origin = fields["received"][-1][:VALUE_LIMIT] if "received" in fields else ""
    if "http" in origin.lower() and _BY_API.search(origin):
        yield "by-api"
