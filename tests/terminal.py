"""A program on a terminal of 80 columns, and a person who types."""

import codecs
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from rich.cells import cell_len

COLUMNS = 80
PATIENCE_S = 120  # with a program that says nothing
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """One process on a terminal; `said` is all that was shown so far."""

    def __init__(self, command: list[str], directory: Path, **environment: str) -> None:
        master, slave = pty.openpty()
        shape = {"COLUMNS": str(COLUMNS), "LINES": "24", "TERM": "xterm"}
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=directory,
            env=os.environ | shape | environment,
            start_new_session=True,
        )
        self.master, self._slave = master, slave  # open here: else an end loses what was just said
        self.said = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a read may end in a character

    def answer(self, question: str, text: str) -> None:
        """Wait for a question and type an answer."""
        self.wait_for(question)
        self.said += "\n"
        os.write(self.master, text.encode() + b"\n")

    def wait_for(self, words: str) -> str:
        """What was shown from now until these words."""
        seen = len(self.said)
        while words not in self.said[seen:]:
            assert self._read(), f"never said {words!r}: {self.said}"
        return self.said[seen:]

    def end(self) -> int:
        """Read to the end; the exit status."""
        ended, patience = False, time.monotonic() + PATIENCE_S
        while not ended:
            assert time.monotonic() < patience, f"never ended: {self.said}"
            ended = self.process.poll() is not None  # then one more look, at what it said last
            while self._read(0.1):
                pass
        os.close(self._slave)
        os.close(self.master)
        return self.process.wait(60)

    def _read(self, patience_s: float = PATIENCE_S) -> bool:
        if not select.select([self.master], [], [], patience_s)[0]:
            return False
        try:
            octets = os.read(self.master, 65_536)
        except OSError:  # the other end is closed
            return False
        self.said += self._decoder.decode(octets)
        return bool(octets)


class Shell:
    """A shell on a terminal: what a newcomer types, and what it shows."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        prompt = {"PS1": "[$?]> ", "PS2": "", "BASH_SILENCE_DEPRECATION_WARNING": "1"}
        bash = ["bash", "--norc", "--noprofile", "--noediting", "-i"]
        self.terminal = Terminal(bash, directory, **environment, **prompt)
        self.terminal.wait_for("[0]> ")

    def run(self, command: str, answers: tuple[tuple[str, str], ...] = ()) -> str:
        """Type a command that must end well, and answer what it asks; what it showed."""
        begun = len(self.terminal.said)
        os.write(self.terminal.master, command.encode() + b"\n")
        for question, text in answers:
            self.terminal.answer(question, text)
        self.terminal.wait_for("]> ")
        shown = self.terminal.said[begun:]
        assert shown.endswith("[0]> "), f"{command}: {shown}"
        return shown.partition("\n")[2].rpartition("[0]> ")[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self.terminal.process.pid, signal.SIGHUP)
        self.terminal.end()


def assert_fits(said: str) -> None:
    """No line is longer than the terminal, but for commands and paths, which nothing may break."""
    for line in _ANSI.sub("", said).splitlines():
        broken = line.strip().split(" ")
        assert cell_len(line.rstrip()) <= COLUMNS or len(broken) == 1 or "mail2deal" in line, line
