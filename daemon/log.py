"""One event per line: a word, then `key=value` in the order given, to stderr through logging.

Values never carry control characters, so nothing in a mail can forge a line or drive a terminal;
callers never pass a token, a password or a mail body, and what a server repeats of a secret is
hidden. In systemd's journal each line has its priority (sd-daemon(3)), elsewhere time and level.
"""

import json
import logging
import os
import re
import stat
import sys
from datetime import UTC, datetime

from daemon.errors import without_secrets

_LOGGER = logging.getLogger("mail2deal")
_PLAIN = re.compile(r"[^\s\"=\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def event(name: str, /, level: int = logging.INFO, **fields: object) -> None:
    """Log one event; a value that isn't one plain word is written as a JSON string."""
    if _LOGGER.isEnabledFor(level):
        _LOGGER.log(level, "%s", line(name, fields), extra={"event": name, "fields": fields})


def line(name: str, fields: dict[str, object]) -> str:
    """The text of one event: `name key=value ...`, fields that are None left out."""
    return " ".join([name, *(f"{k}={_value(v)}" for k, v in fields.items() if v is not None)])


def _value(value: object) -> str:
    text = without_secrets(str(value))
    # ensure_ascii escapes what a terminal could obey (C1 controls, bidi marks), not only newlines.
    return text if _PLAIN.fullmatch(text) and text.isprintable() else json.dumps(text)


class JsonLines(logging.Formatter):
    """Each event as one JSON object: `event`, then its fields, numbers kept as numbers."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record; what isn't an event of ours keeps its message."""
        fields = getattr(record, "fields", {})
        name = getattr(record, "event", record.getMessage())
        plain = {
            k: v if isinstance(v, (int, float, bool)) else without_secrets(str(v))
            for k, v in fields.items()
        }
        known = {k: v for k, v in plain.items() if fields[k] is not None}
        return json.dumps({"event": name, "level": record.levelname.lower(), **known})


class TextLines(logging.Formatter):
    """Each event as one line, with its time (UTC) and level; for the journal with its priority."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__("%(message)s" if journal else "%(asctime)s %(levelname)-7s %(message)s")
        self._journal = journal

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's name
        """The record's time, UTC."""
        return f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def format(self, record: logging.LogRecord) -> str:
        """Render one record; a line of its text is a line of the log."""
        text = super().format(record)
        return f"<{_PRIORITIES.get(record.levelno, 6)}>{text}" if self._journal else text


# Levels as syslog has them (RFC 5424, 6.2.1); the journal shows 4 and below by `-p warning`.
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}


def is_journal() -> bool:
    """Whether stderr is systemd's journal; see $JOURNAL_STREAM in systemd.exec(5)."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    is_socket = stat.S_ISSOCK(found.st_mode)
    return is_socket and (device, inode) == (str(found.st_dev), str(found.st_ino))
