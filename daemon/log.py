"""One event per line: a word, then `key=value` in the order given, to stderr through logging.

Values never carry control characters, so nothing in a mail can forge a line or drive a terminal;
callers never pass a token, a password or a mail body.
"""

import json
import logging
import re

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
    text = str(value)
    # ensure_ascii escapes what a terminal could obey (C1 controls, bidi marks), not only newlines.
    return text if _PLAIN.fullmatch(text) and text.isprintable() else json.dumps(text)


class JsonLines(logging.Formatter):
    """Each event as one JSON object: `event`, then its fields, numbers kept as numbers."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record; what isn't an event of ours keeps its message."""
        fields = getattr(record, "fields", {})
        name = getattr(record, "event", record.getMessage())
        plain = {k: v if isinstance(v, (int, float, bool)) else str(v) for k, v in fields.items()}
        known = {k: v for k, v in plain.items() if fields[k] is not None}
        return json.dumps({"event": name, "level": record.levelname.lower(), **known})
