"""The installed command as systemd starts it: a process of its own, with its log in a file."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import yaml

PATIENCE = 60


def eventually(
    condition: Callable[[], object], process: "subprocess.Popen[bytes]", patience: float = PATIENCE
) -> None:
    """Wait until it is so, as long as the process lives."""
    end = time.monotonic() + patience
    while not condition():
        assert process.poll() is None, "the service has ended"
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


class ServiceProcess:
    """A service in `home`, which holds its configuration and its log; see `running`."""

    def __init__(
        self, home: Path, config: dict[str, Any], environment: Mapping[str, str] | None = None
    ) -> None:
        self.home = home
        self.config = config
        self.environment = os.environ | {"PYTHONWARNINGS": "default"} | dict(environment or {})
        self.configure()

    def configure(self, **sections: Any) -> None:
        self.config |= sections
        (self.home / "config.yaml").write_text(yaml.safe_dump(self.config))
        (self.home / "config.yaml").chmod(0o600)

    @property
    def command(self) -> list[str]:
        """As the unit names it."""
        program = Path(sys.executable).parent / "mail2deal"
        return [str(program), "--config", str(self.home / "config.yaml")]

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        (self.home / "log").unlink(missing_ok=True)
        self.launch()
        try:
            yield self.process
        finally:
            self.process.terminate()
            try:
                assert self.process.wait(30) == 0
                # E.g. a connection that nobody closed, which Python tells from 3.13 on.
                assert "Warning: " not in self.log()
            finally:
                self.process.kill()
                self.process.wait()

    def launch(self) -> None:
        """Start it; also again, after it was killed."""
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log, env=self.environment)

    def start(self, *arguments: str, said: IO[bytes]) -> "subprocess.Popen[bytes]":
        """A command that runs beside the service, and what it says goes into this file."""
        command = [*self.command, *arguments]
        return subprocess.Popen(command, stdout=said, stderr=said, env=self.environment)

    def beside(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command that is run beside the service, to its end, however it ends."""
        return subprocess.run(
            [*self.command, *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=self.environment,
        )

    def run(self, *arguments: str) -> str:
        """What such a command says if it succeeds."""
        done = self.beside(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return " ".join(done.stdout.split())

    def log(self) -> str:
        return (self.home / "log").read_text()

    def logged(self, *words: str) -> Callable[[], bool]:
        return lambda: any(all(w in line for w in words) for line in self.log().splitlines())
