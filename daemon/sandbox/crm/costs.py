"""Tokens that one call costs: flat per request, whatever the page size.

The official API description (`x-token-cost`) names a price for each operation; all follow one rule
but for the few that are listed. A test compares every endpoint with the description.
"""

from daemon.sandbox.crm.api import API

_V2 = {"POST": 5, "PATCH": 5, "DELETE": 3}
_LIST, _ONE, _SEARCH = 10, 1, 20
_APART: dict[str, int] = API["token_costs"]


def tokens(version: str, method: str, template: str) -> int:
    """The price of one endpoint; v1 asks twice what v2 does."""
    apart = _APART.get(f"{method} {template}")
    if apart is not None:
        return apart
    if template.endswith("/search"):
        return _SEARCH
    price = _V2.get(method) or (_ONE if template.endswith("}") else _LIST)
    return price if version == "v2" else 2 * price
