"""`mail2deal` without arguments: the service that systemd starts."""

from pathlib import Path

from daemon.cli import output
from daemon.config import load
from daemon.service.daemon import Daemon


def serve(config_path: Path) -> int:
    """Run until SIGTERM; the exit status."""
    log = load(config_path).log
    output.log_to_stderr(log.format, log.level)
    daemon = Daemon(config_path)
    return daemon.service.run(daemon.work())
