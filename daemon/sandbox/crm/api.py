"""What Pipedrive has by itself: permissions, system fields, the defaults of new records.

The permissions are those that GET /users/{id}/permissions is described with; the system fields
those that a client meets, each with its name, code and type; what is null is often filled in. Tags
are those that survive in a note.
"""

import json
from importlib.resources import files
from typing import Any

_API: dict[str, Any] = json.loads((files("daemon.sandbox.crm") / "api.json").read_text("utf-8"))
PERMISSIONS: tuple[str, ...] = tuple(_API["permissions"])
SYSTEM_FIELDS: dict[str, list[list[str]]] = _API["system_fields"]
DEFAULTS: dict[str, dict[str, Any]] = _API["defaults"]  # of documents, by kind
ANSWERS: dict[str, dict[str, Any]] = _API["answers"]  # what isn't a document
NOTE_TAGS = frozenset(_API["note_tags"])
