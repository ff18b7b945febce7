"""Organizations: v2 create, read, list, update, delete.

There is no domain field; `website` is stored and not searched, as in the real one.
"""

from collections.abc import Mapping

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.checks import Check, Shape
from daemon.sandbox.crm.contacts import Noun

KIND = "organizations"
NAME_LIMIT = 255
VISIBILITY = (1, 3, 5, 7)

_KEYS: Mapping[str, Check] = {
    "name": checks.text(NAME_LIMIT, empty=False),
    "owner_id": checks.integer,
    "visible_to": checks.one_of(*VISIBILITY),
    "label_ids": checks.array(checks.integer),
    "address": checks.ADDRESS,
    "website": checks.nullable(checks.text(255)),
    "linkedin": checks.nullable(checks.text(255)),
    "industry": checks.nullable(checks.integer),
    "annual_revenue": checks.nullable(checks.integer),
    "employee_count": checks.nullable(checks.integer),
}
ADD = Shape({**_KEYS, "add_time": checks.moment}, required=("name",))
UPDATE = Shape(_KEYS)


NOUN = Noun(KIND, ADD, UPDATE)
new = NOUN.new
ROUTES = NOUN.routes()
