"""A small company's mailbox, made from a seed: mails as bytes, each with what is true of it."""

from daemon.sandbox.company.cast import OFFICE
from daemon.sandbox.company.facts import Facts, InviteFacts, Mail, Office, Party, Scenario
from daemon.sandbox.company.scenario import demo

__all__ = [
    "OFFICE",
    "Facts",
    "InviteFacts",
    "Mail",
    "Office",
    "Party",
    "Scenario",
    "demo",
]
