"""Numbers of things as people read them."""


def counted(number: int, one: str, many: str = "") -> str:
    """`1 message`, `3 replies`, `2 mailboxes`; `many` where the plural isn't regular."""
    if number == 1:
        return f"1 {one}"
    if one.endswith("y"):
        return f"{number} {many or one.removesuffix('y') + 'ies'}"
    return f"{number} {many or one + ('es' if one.endswith('x') else 's')}"
