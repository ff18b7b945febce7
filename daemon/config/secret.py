"""Secrets by reference: where a password or token stands, read only at the moment it is needed.

A reference is `{env: NAME}`, `{file: PATH}`, `{credential: NAME}` or `{command: [...]}`; a plain
text is the secret itself. No `repr`, error or log line ever shows what was read, and nothing is
kept: the next `read()` looks again, so a changed file needs no restart.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from daemon.config.regular_file import read_regular_file
from daemon.errors import ConfigProblem, RetryLater, hide

_KINDS = ("env", "file", "credential", "command")
_SHAPE = "must be {env: NAME}, {file: PATH}, {credential: NAME} or {command: [PROGRAM, ...]}"
_LONGEST = 65_536  # bytes; systemd refuses larger credentials by far, a token is a few KiB
_COMMAND_SECONDS = 30.0
# `LoadCredential=mail2deal:DIRECTORY` names each file of the directory like this (systemd.exec(5)).
_FROM_DIRECTORY = "mail2deal_"


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """Where one secret stands; relative files are looked up in `directory`."""

    kind: Literal["env", "file", "credential", "command", "literal"]
    source: tuple[str, ...]
    directory: Path

    def __repr__(self) -> str:
        """The reference, never the secret."""
        if self.kind == "literal":
            return "a secret in the configuration itself"
        # Of a command only the program: its arguments may be secrets themselves.
        return f"{{{self.kind}: {self.source[0]}}}"

    def read(self) -> str:
        """Read the secret now, without the line break at its end.

        Raises ConfigProblem where the reference leads nowhere, RetryLater where a command that
        exists failed (a helper without network recovers by itself).
        """
        text = self._look_up()
        if not text:
            raise ConfigProblem("the secret is empty", what=repr(self))
        return hide(text)

    def _look_up(self) -> str:
        match self.kind:
            case "literal":
                return self.source[0]
            case "env":
                return self._from_environment(self.source[0])
            case "command":
                return self._from_command()
            case "file":
                return self._from_file(self.directory / Path(self.source[0]).expanduser())
            case "credential":
                return self._from_credential(self.source[0])

    def _from_environment(self, name: str) -> str:
        if name not in os.environ:
            raise ConfigProblem("the environment variable isn't set", what=repr(self))
        return os.environ[name]

    def _from_credential(self, name: str) -> str:
        # Without systemd (an administrator's `mail2deal check`), the files that the unit loads.
        loaded = os.environ.get("CREDENTIALS_DIRECTORY")
        if loaded is None:
            return self._from_file(self.directory / "credentials" / name)
        paths = (Path(loaded, name), Path(loaded, _FROM_DIRECTORY + name))
        for path in paths:
            if os.path.lexists(path):
                return self._from_file(path)
        raise ConfigProblem(
            f"systemd has not loaded {name}",
            what=repr(self),
            hint=f"put it into {self.directory / 'credentials' / name}, then restart the unit",
        )

    def _from_file(self, path: Path) -> str:
        try:
            text = read_regular_file(path, _LONGEST).decode()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ConfigProblem(f"{path} can't be read: {reason}", what=repr(self)) from error
        except UnicodeDecodeError:
            # `from None`: that error carries the bytes of the secret.
            raise ConfigProblem(f"{path} isn't UTF-8 text", what=repr(self)) from None
        return text.rstrip("\r\n")

    def _from_command(self) -> str:
        # The first line is the secret, as for mbsync's PassCmd; `pass` keeps notes below it.
        try:
            done = subprocess.run(  # noqa: S603 -- the command is the administrator's own choice
                self.source,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                cwd=self.directory,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ConfigProblem(f"can't be run: {reason}", what=repr(self)) from error
        except subprocess.TimeoutExpired:
            # `from None`: that error carries what the command had printed so far.
            raise RetryLater(f"gave no answer in {_COMMAND_SECONDS:g} s", what=repr(self)) from None
        if done.returncode:
            raise RetryLater(f"ended with exit status {done.returncode}", what=repr(self))
        first, _, _ = done.stdout[:_LONGEST].decode(errors="replace").partition("\n")
        return first.rstrip("\r")


def secret(value: Any, directory: Path) -> Secret:
    """Turn what stands in the configuration into a reference; ValueError in words a person reads.

    `directory` is where relative paths start and where a command runs.
    """
    if isinstance(value, str):
        if not value:
            raise ValueError("is empty")
        return Secret("literal", (value,), directory)
    if isinstance(value, int | float):
        raise ValueError("must be text: put it in quotes")  # noqa: TRY004 -- pydantic's contract
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError(_SHAPE)
    ((kind, source),) = value.items()
    if kind not in _KINDS:
        raise ValueError(_SHAPE)
    if kind == "command":
        words = source if isinstance(source, list) else ()
        if not words or not all(isinstance(word, str) and word for word in words):
            raise ValueError("must be {command: [PROGRAM, ...]}, a list of texts")
        return Secret("command", tuple(words), directory)
    if not isinstance(source, str) or not source or (kind == "credential" and "/" in source):
        raise ValueError(_SHAPE)
    return Secret(kind, (source,), directory)
