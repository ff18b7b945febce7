"""The names, subjects and sentences that the correspondence is made of, from `words.json`.

A small company that makes sensors is asked for quotes, samples and dates. The words avoid every
phrase that a mail filter takes for an auto-reply or a bounce, except where a story wants just that.
"""

import json
from importlib.resources import files
from typing import Any

WORDS: dict[str, list[Any]] = json.loads(
    (files("daemon.sandbox.company") / "words.json").read_text("utf-8")
)
