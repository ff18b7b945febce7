"""The configuration: one YAML file, checked as a whole, as frozen data.

`load` reads and checks; `Config` is what it returns. `daemon.wiring` turns the data into what the
edges and the pure steps take; those know nothing of a configuration.
"""

from daemon.config.keys import Config, PipedriveSection
from daemon.config.load import load, secrets_of
from daemon.config.logins import OAuthSection
from daemon.config.mailboxes import MailboxSection
from daemon.config.secret import Secret
from daemon.config.values import Listen

__all__ = [
    "Config",
    "Listen",
    "MailboxSection",
    "OAuthSection",
    "PipedriveSection",
    "Secret",
    "load",
    "secrets_of",
]
