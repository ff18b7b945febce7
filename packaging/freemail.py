"""Show which domains several maintained lists call public e-mail providers, and ours doesn't.

    python packaging/freemail.py LIST LIST...

Each LIST is a file with one domain a line, or a JSON array of domains. Maintained ones are the npm
packages free-email-domains (MIT, weekly), email-providers and freemail (ISC): `npm pack NAME`, then
domains.json, all.json and data/free.txt in it. What all of them have is printed. Companies and
universities are still among it, so choose the providers, and put them into
daemon/message/data/freemail.txt under the heading of this script.
"""

import json
import sys
from pathlib import Path

LIST = Path(__file__).parent.parent / "daemon" / "message" / "data" / "freemail.txt"
_TWO = 2


def domains(path: Path) -> set[str]:
    """The domains of one list, lower case."""
    text = path.read_text("utf-8")
    lines = json.loads(text) if text.lstrip().startswith("[") else text.splitlines()
    return {line.partition("#")[0].strip().lower() for line in lines} - {""}


def main(arguments: list[str]) -> int:
    """Print what might be added, one domain a line; 2 if fewer than two lists are given."""
    if len(arguments) < _TWO:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    ours = domains(LIST)
    agreed = set.intersection(*(domains(Path(one)) for one in arguments))
    new = (
        one
        for one in sorted(agreed)
        if one.isascii() and not any(one == d or one.endswith(f".{d}") for d in ours)
    )
    sys.stdout.write("".join(f"{one}\n" for one in new))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
