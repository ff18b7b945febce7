"""An e-mail address as we compare, store and show it."""

import re
from functools import lru_cache
from typing import NamedTuple

import idna

from daemon.message.text import one_line

NAME_LIMIT = 200  # characters of a display name
_ADDRESS_LIMIT = 254  # octets of a path, RFC 5321 section 4.5.3.1.3 without its angle brackets

# A dot-atom, RFC 6531 included. A local part that needs its quotes isn't accepted: nobody has one,
# and "a@b"@example.org is how addresses are forged.
_LOCAL = re.compile(r"[^\x00-\x20\x7f-\x9f<>()\[\],;:\\\"@]+")
_HOST = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
_ENCAPSULATED = re.compile(r"imcea(smtp|ex)-(.{1,400})@")
_PLUS = re.compile(r"\+([0-9a-f]{2})")
_LITERAL = re.compile(r"\[(?:ipv6:)?[0-9a-f.:]{2,60}\]")


class Address(NamedTuple):
    """One mailbox of RFC 5322: the display name ("" if none) and the lower-case addr-spec."""

    name: str
    address: str

    @property
    def key(self) -> str:
        """The sender key: without the local part's +tag, the domain as A-labels."""
        return _key(self.address)

    @property
    def domain(self) -> str:
        """The domain as lower-case A-labels."""
        return _labels(self.address.rpartition("@")[2])

    @property
    def local(self) -> str:
        """The local part without its +tag."""
        return _untagged(self.address.rpartition("@")[0])


def mailbox(name: str, spec: str) -> Address | None:
    """The Address of an addr-spec as a header gives it, None if mail can't be sent there."""
    if len(spec) > 2 * _ADDRESS_LIMIT:
        return None
    return _mailbox(name[: 4 * NAME_LIMIT], spec)


@lru_cache(maxsize=1024)  # the same people write again and again
def _mailbox(name: str, spec: str) -> Address | None:
    spec = spec.strip(" '").rstrip(".").lower()
    if spec.startswith("imcea"):
        spec = _decapsulated(spec)
    local, at, domain = spec.rpartition("@")
    if local[:1] == '"' and local[-1:] == '"':
        local = local[1:-1]
        spec = f"{local}@{domain}"
    if not at or len(spec) > _ADDRESS_LIMIT or not _LOCAL.fullmatch(local):
        return None
    if not local.isprintable() or ascii_domain(domain) is None:
        return None
    name = one_line(name, NAME_LIMIT)
    if name[:1] == "'" == name[-1:]:
        name = name[1:-1].strip()  # Outlook quotes names twice
    return Address("" if name.lower() == spec else name, spec)


def _decapsulated(spec: str) -> str:
    """The address that Exchange has put into another (IMCEASMTP-ada+40acme.com@our.domain).

    https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmail: what isn't a letter
    or a digit is + and two hexadecimal digits, "/" is "_". A name of its directory (IMCEAEX) holds
    an address only if it was made from one.
    """
    found = _ENCAPSULATED.match(spec)
    if found is None:
        return spec
    inner = _PLUS.sub(lambda code: chr(int(code[1], 16)), found[2].replace("_", "/"))
    if found[1] == "ex":
        inner = inner.rpartition("cn=")[2]
    return inner if inner.count("@") == 1 and _LOCAL.fullmatch(inner.partition("@")[0]) else spec


def key_of(spec: str) -> str | None:
    """The sender key of an addr-spec, a `mailto:` address or None for anything else."""
    spec = spec.strip()
    if spec[:7].lower() == "mailto:":
        spec = spec[7:].partition("?")[0]
    found = mailbox("", spec.strip().strip("<>"))
    return found.key if found else None


@lru_cache(maxsize=1024)
def ascii_domain(domain: str) -> str | None:
    """A domain as lower-case A-labels (IDNA 2008), an address literal as it is, else None."""
    if not domain.isascii():
        if not domain.isprintable() or len(domain) > _ADDRESS_LIMIT:
            return None
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii").lower()
        except idna.IDNAError:
            return None
    return domain if _HOST.fullmatch(domain) or _LITERAL.fullmatch(domain) else None


@lru_cache(maxsize=1024)
def as_written(domain: str) -> str:
    """A domain as people write it: its A-labels as the letters they stand for (IDNA 2008)."""
    if "xn--" not in domain:
        return domain
    try:
        return idna.decode(domain)
    except (idna.IDNAError, UnicodeError):
        return domain


@lru_cache(maxsize=1024)  # asked of the same addresses again and again
def _key(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{_untagged(local)}@{_labels(domain)}"


def _labels(domain: str) -> str:
    return domain if domain.isascii() else ascii_domain(domain) or domain


def _untagged(local: str) -> str:
    return local.partition("+")[0] or local
