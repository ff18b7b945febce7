"""What an account's server can't do, kept in the ledger from one process to the next."""

from collections.abc import Iterator
from contextlib import contextmanager

from daemon.ledger.store import Ledger
from daemon.mailbox.account import Account


def load(account: Account, ledger: Ledger) -> None:
    """Give an account what is known of its server, once a process."""
    if not account.ladder.loaded:
        account.ladder.load(ledger.setting(_name(account)) or {})


@contextmanager
def remembered(account: Account, ledger: Ledger) -> Iterator[Account]:
    """The account for a block, with what is known of its server; what is learned is kept."""
    load(account, ledger)
    try:
        yield account
    finally:
        if account.ladder.changed:
            with ledger.transaction("server"):
                ledger.set(_name(account), account.ladder.save())


def _name(account: Account) -> str:
    return f"server:{account.username}@{account.host}:{account.port}"
