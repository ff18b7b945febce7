"""Numbers of things as people read them."""

from collections.abc import Mapping, Sequence


def counted(number: int, one: str, many: str = "") -> str:
    """`1 message`, `3 replies`, `2 mailboxes`; `many` where the plural isn't regular."""
    if number == 1:
        return f"1 {one}"
    if one.endswith("y"):
        return f"{number} {many or one.removesuffix('y') + 'ies'}"
    return f"{number} {many or one + ('es' if one.endswith('x') else 's')}"


def days(number: float) -> str:
    """`less than a day`, `1.25 days`: how long a budget takes; small work is no zero days."""
    return "less than a day" if number < 1 else f"{number:g} days"


def no_longer_made(records: Mapping[str, int], examples: Sequence[str]) -> str:
    """What is said of records that stay although they would not be made any more, if there are any.

    `records` is their number by kind, `examples` names some of the senders.
    """
    some = ", ".join(counted(number, kind) for kind, number in records.items())
    who = ", ".join(examples)
    return (
        f"{some} would no longer be made, and stay in Pipedrive (such as of {who})" if some else ""
    )
