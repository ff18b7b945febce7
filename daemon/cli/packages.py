"""Whether the Python packages that mail2deal needs are installed where it runs.

Some are imported only when a mail needs them. Without this look, a package that is missing would
show as mails that can't be read.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, requires

from daemon.errors import ConfigProblem

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def check_packages() -> None:
    """Raise ConfigProblem if this environment lacks a package; needs the installed metadata."""
    try:
        required = requires("mail2deal") or ()
    except PackageNotFoundError:  # run from a copy of the sources
        return
    missing = list(absent(required))
    if missing:
        raise lacks(*missing)


def absent(required: Iterable[str]) -> Iterator[str]:
    """The names among requirements (PEP 508) that aren't installed, those of extras left out."""
    for line in required:
        name = _NAME.match(line)
        if name is None or "extra ==" in line:
            continue
        try:
            distribution(name[0])
        except PackageNotFoundError:
            yield name[0]


def lacks(*names: str) -> ConfigProblem:
    """The problem to tell: the environment, what isn't in it, and what to do."""
    return ConfigProblem(
        f"this Python environment lacks {', '.join(names)}",
        what=sys.prefix,
        hint="install mail2deal there again, with all that it needs",
    )
