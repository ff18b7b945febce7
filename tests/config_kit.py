"""A configuration file for tests: the smallest that is valid, and one written at will."""

from pathlib import Path
from textwrap import dedent

SMALL = """
mailboxes:
  - {name: sales, host: imap.example.com, username: sales@example.com, password: {env: PW}}
pipedrive: {company: yourcompany, token: {env: TOKEN}}
"""


def written(directory: Path, text: str, mode: int = 0o600) -> Path:
    """Write the configuration into a directory; return its path."""
    path = directory / "config.yaml"
    path.write_text(dedent(text))
    path.chmod(mode)
    return path
