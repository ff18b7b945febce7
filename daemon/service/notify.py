"""Tell systemd how the service is, by datagrams to $NOTIFY_SOCKET (sd_notify(3)).

Without that variable, outside systemd, every function does nothing. No library is needed: the
protocol is one datagram of `KEY=value` lines and promised to stay so. A datagram that can't be
delivered is logged and forgotten: the service's work doesn't depend on being watched.
"""

import logging
import os
import socket
import time

from daemon.log import event

_LONGEST = 10.0  # seconds that a busy systemd may keep us waiting


def notify(*lines: str) -> None:
    """Send these `KEY=value` lines in one datagram, so that systemd sees them together."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # the abstract namespace
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as client:
            client.settimeout(_LONGEST)
            client.connect(address)
            client.sendall("\n".join(lines).encode())
    except OSError as error:
        event("notify.failed", logging.WARNING, reason=error.strerror or error)


def ready(status: str) -> None:
    """Started, or done with reloading."""
    notify("READY=1", status_line(status))


def reloading() -> None:
    """Reading the configuration again, until `ready`; systemd 253 and newer want the time."""
    microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify("RELOADING=1", f"MONOTONIC_USEC={microseconds}")


def stopping() -> None:
    """The service is stopping."""
    notify("STOPPING=1", status_line("stopping"))


def status_line(status: str) -> str:
    """What `systemctl status` shows, in one line."""
    return f"STATUS={' '.join(status.split())}"


def watchdog_seconds() -> float | None:
    """How often systemd wants to hear WATCHDOG=1 at the latest, or None without a watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if os.environ.get("WATCHDOG_PID") not in {None, str(os.getpid())}:
        return None
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) else None
