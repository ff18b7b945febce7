"""What Pipedrive has by itself, as data: prices, words that it knows, defaults, a new company.

`token_costs` are those that follow no rule, `permissions` those that GET /users/{id}/permissions is
described with, `system_fields` those that a client meets (name, code, type), `note_tags` those that
survive in a note. In `defaults` of new documents and in `answers` a null is mostly filled in. Both
pipelines have a stage of the same name, so that nobody finds a stage by its name alone.
"""

import json
from importlib.resources import files
from typing import Any

API: dict[str, Any] = json.loads((files("daemon.sandbox.crm") / "api.json").read_text("utf-8"))
DEFAULTS: dict[str, dict[str, Any]] = API["defaults"]  # of documents, by kind
ANSWERS: dict[str, dict[str, Any]] = API["answers"]  # what isn't a document
