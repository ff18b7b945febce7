"""Add to our list of public e-mail providers what several maintained lists agree on.

    python packaging/freemail.py LIST LIST... [--write]

Each LIST is a file with one domain a line, or a JSON array of domains. Maintained ones are the npm
packages free-email-domains (MIT, weekly), email-providers and freemail (ISC): `npm pack NAME`, then
domains.json, all.json and data/free.txt in it. Each alone has companies among its domains, so only
what all given lists have is taken, and never what `NOT_FREEMAIL` names.
"""

import json
import sys
from pathlib import Path

LIST = Path(__file__).parent.parent / "daemon" / "message" / "data" / "freemail.txt"
HEADING = "# Agreed on by free-email-domains, email-providers and freemail (packaging/freemail.py)"
# Firms, cities and portals whose own people write from these.
NOT_FREEMAIL = frozenset(
    (
        *("about.com", "alibaba.com", "ancestry.com", "discovery.com", "london.com", "miami.edu"),
        *("britishlibrary.net", "cern.ch", "mit.edu", "nasa.gov", "amazon.com", "microsoft.com"),
        *("apple.com", "ibm.net", "cnn.com", "hp.com", "dell.com", "siemens.com", "spiegel.de"),
    )
)
_TWO = 2


def domains(path: Path) -> set[str]:
    """The domains of one list, lower case."""
    text = path.read_text("utf-8")
    lines = json.loads(text) if text.lstrip().startswith("[") else text.splitlines()
    return {line.partition("#")[0].strip().lower() for line in lines} - {""}


def main(arguments: list[str]) -> int:
    """Print what would be added, or with --write add it; 2 if fewer than two lists are given."""
    paths = [Path(one) for one in arguments if one != "--write"]
    if len(paths) < _TWO:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    ours = domains(LIST)
    agreed = set.intersection(*map(domains, paths)) - NOT_FREEMAIL
    new = sorted(
        one
        for one in agreed
        if one.isascii() and not any(one == d or one.endswith(f".{d}") for d in ours)
    )
    sys.stdout.write("".join(f"{one}\n" for one in new))
    if "--write" in arguments and new:
        text = LIST.read_text("ascii").rstrip("\n")
        heading = "" if HEADING in text else f"\n\n{HEADING}"
        LIST.write_text(f"{text}{heading}\n" + "\n".join(new) + "\n", "ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
