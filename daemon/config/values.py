"""Single values of the configuration: durations, hosts, addresses, URLs, paths.

Each function takes what YAML gave and returns the value, or raises ValueError with words that
follow the key's path (`poll.every: must be a duration such as 60s, 5m or 6h`). Pure, except that
nothing here opens a file or a socket.
"""

import ipaddress
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import idna
from pydantic import BeforeValidator, Field, PlainValidator, ValidationInfo

from daemon.config.secret import Secret, secret

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_LAST_PORT = 65_535


class RunsIn(NamedTuple):
    """A command, and the folder of the configuration, in which it runs."""

    words: tuple[str, ...]
    directory: Path


@dataclass(frozen=True, slots=True)
class Listen:
    """A loopback address and port to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Say whether traffic to this host, by name or IP address, never leaves the machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _duration(value: Any) -> timedelta:
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a duration such as 60s, 5m or 6h")
    seconds = float(found[1]) * _SECONDS[found[2]]
    if not 1 <= seconds <= timedelta(days=366).total_seconds():
        raise ValueError("must be between 1s and 366d")
    return timedelta(seconds=seconds)


def _pause(value: Any) -> timedelta:
    # A jitter may be switched off, an interval may not.
    return timedelta() if value in (0, "0s") and value is not False else _duration(value)


def _threshold(value: object) -> int | None:
    if value == "never":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        if value >= 1:
            return value
        raise ValueError("must be at least 1, or never")
    raise ValueError("must be a whole number, or never")


def _or_off(value: Any) -> timedelta | None:
    # YAML reads a bare off as false.
    return None if value is False or value in ("off", None) else _duration(value)


def _day(value: Any) -> date:
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("must be a date such as 2026-01-31")  # noqa: TRY004 -- pydantic reports ValueError only
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool | int | float | date):
        raise ValueError(f"must be text: put {value} in quotes if it is meant")  # noqa: TRY004 -- pydantic reports ValueError only
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 -- pydantic reports ValueError only
    if not value.strip() or not value.isprintable():
        raise ValueError("must be text without control characters, not empty")
    return value.strip()


def _host(value: Any) -> str:
    host = _text(value)
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not _HOST.fullmatch(_a_labels(host)):
        raise ValueError("must be a host name or an IP address, without scheme and port")
    return host.lower()


def _domain(value: Any) -> str:
    domain = _a_labels(_text(value).removeprefix("@"))
    if not _HOST.fullmatch(domain) or "." not in domain:
        raise ValueError("must be a domain such as example.com")
    return domain


def _address(value: Any) -> str:
    local, at, domain = _text(value).rpartition("@")
    if not at or not local or re.search(r"[\s<>,;]", local):
        raise ValueError("must be an address such as ada@example.com")
    return f"{local.lower()}@{_domain(domain)}"


def _a_labels(domain: str) -> str:
    # As message/address.py has the domains of mails: IDNA 2008, which keeps an ß.
    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        return domain.lower()  # an address of numbers, or no name at all: the caller looks


def _url(value: Any) -> str:
    url = _text(value).rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in {"http", "https"}:
        raise ValueError("must be a URL such as https://example.com")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be a URL without user, query and fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("must be https: plain http is for this machine only")
    return url


def _subdomain(value: Any) -> str:
    name = _text(value).lower()
    if not re.fullmatch(_LABEL, name):
        raise ValueError("must be only the NAME of https://NAME.pipedrive.com")
    return name


def _country(value: Any) -> str:
    code = _text(value).lower()
    if not re.fullmatch("[a-z]{2}", code):
        raise ValueError("must be a country code of two letters, such as de")
    return "gb" if code == "uk" else code


def _zone(value: Any) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(_text(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone such as Europe/Berlin") from None


def _listen(value: Any) -> Listen:
    shape = "must be an address of this machine and a port, such as 127.0.0.1:9464"
    host, colon, port = _text(value).rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isascii() or not port.isdigit():
        raise ValueError(shape)
    if not is_loopback(host) or not 1 <= int(port) <= _LAST_PORT:
        raise ValueError(shape)
    return Listen(host, int(port))


def _path(value: Any, info: ValidationInfo) -> Path:
    # Relative to the configuration file: what systemd starts has no useful working directory.
    return _directory(info) / Path(_text(value)).expanduser()


def _secret(value: Any, info: ValidationInfo) -> Secret:
    return secret(value, _directory(info))


def _command(value: Any, info: ValidationInfo) -> Secret:
    return secret({"command": value}, _directory(info))


def _words(value: Any, info: ValidationInfo) -> RunsIn:
    if not isinstance(value, list) or not value or not all(isinstance(w, str) and w for w in value):
        raise ValueError("must be [PROGRAM, ...], a list of texts")
    return RunsIn(tuple(value), _directory(info))


def _directory(info: ValidationInfo) -> Path:
    context = info.context or {}
    directory: Path = context["directory"]
    return directory


def _sent_folders(value: Any) -> Any:
    if value == "auto":
        return None
    if not isinstance(value, list) or not value:
        raise ValueError("must be auto or a list of folder names")
    return value


Duration = Annotated[timedelta, PlainValidator(_duration)]
Pause = Annotated[timedelta, PlainValidator(_pause)]
DurationOrOff = Annotated[timedelta | None, PlainValidator(_or_off)]
Day = Annotated[date, PlainValidator(_day)]
Text = Annotated[str, PlainValidator(_text)]
Host = Annotated[str, PlainValidator(_host)]
Domain = Annotated[str, PlainValidator(_domain)]
Address = Annotated[str, PlainValidator(_address)]
Url = Annotated[str, PlainValidator(_url)]
Loopback = Annotated[Listen, PlainValidator(_listen)]
Country = Annotated[str, PlainValidator(_country)]
Zone = Annotated[ZoneInfo, PlainValidator(_zone)]
Subdomain = Annotated[str, PlainValidator(_subdomain)]
FilePath = Annotated[Path, PlainValidator(_path)]
SecretReference = Annotated[Secret, PlainValidator(_secret)]
Command = Annotated[RunsIn, PlainValidator(_words)]
SecretCommand = Annotated[Secret, PlainValidator(_command)]
SentFolders = Annotated[tuple[Text, ...] | None, BeforeValidator(_sent_folders)]
Port = Annotated[int, Field(strict=True, ge=1, le=_LAST_PORT)]
Count = Annotated[int, Field(strict=True, ge=1)]
Threshold = Annotated[int | None, PlainValidator(_threshold)]  # None: never
SnippetLength = Annotated[int, Field(strict=True, ge=0, le=10_000)]
Flag = Annotated[bool, Field(strict=True)]
Share = Annotated[float, Field(strict=True, gt=0, le=1)]
Part = Annotated[float, Field(strict=True, ge=0, lt=1)]
