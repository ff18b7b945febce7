"""What people, machines and newsletters write, filled in by the seed."""

import random

from daemon.sandbox.company.cast import chance
from daemon.sandbox.company.words import WORDS


def fill(rng: random.Random, kind: str) -> str:
    """A sentence of that kind in `words.json`, product, place and number drawn, with a capital."""
    line = str(rng.choice(WORDS[kind])).format(
        n=rng.choice((2, 5, 8, 12, 20, 24, 40, 60, 75, 120, 200, 350)),
        product=rng.choice(WORDS["products"]),
        place=rng.choice(WORDS["places"]),
    )
    return line[0].upper() + line[1:]


def letter(rng: random.Random, opening: str, name: str, *, quoted: str = "") -> str:
    """A whole plain text: the opening, sometimes more, a signature, and below it what it quotes."""
    lines = [opening, ""]
    if chance(rng, 40):
        lines += [fill(rng, rng.choice(("asks", "answers"))), ""]
    lines += [rng.choice(WORDS["signed"]), name.partition(" ")[0]]
    lines += ["", "-- ", name, "phone +49 40 555 0100"]
    if quoted:
        lines += ["", "On Monday they wrote:", *(f"> {line}" for line in quoted.splitlines()[:6])]
    return "\n".join(lines)
