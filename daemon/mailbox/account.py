"""One IMAP account as the configuration means it; data only."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from daemon.mailbox.ladder import Ladder


@dataclass(frozen=True, slots=True)
class Account:
    """One IMAP account: where it is, how to get in, which of its folders matter.

    `token` gives an OAuth 2 access token instead of a password; asked again with the one that the
    server refused, it gives another. `advice` tells a person what to do where that is refused, too.
    `inbox` names the folders that hold what reached us; `auto` among them stands for the one folder
    with everything on Gmail and for INBOX elsewhere. `sent` None looks the folder up. Timeouts are
    seconds. `compress` None means where it pays: for a caller that has much to read, over a line
    that isn't loopback. `is_us` tells of an address whether it is ours, `ladder` remembers what
    the server can't do.
    """

    name: str
    host: str
    username: str
    password: Callable[[], str] | None = None
    port: int = 993
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    ca_file: str | None = None
    inbox: tuple[str, ...] = ("INBOX",)
    sent: tuple[str, ...] | None = None
    connect_timeout: float = 15.0
    read_timeout: float = 60.0
    token: Callable[[str | None], str] | None = None
    advice: str = ""
    compress: bool | None = None
    is_us: Callable[[str], bool] = lambda _: False
    ladder: Ladder = field(default_factory=Ladder, compare=False)

    @property
    def identity(self) -> str:
        """What the account is, whatever the configuration calls it: its host and its login."""
        return f"{self.username.casefold()} at {self.host.casefold().rstrip('.')}"
