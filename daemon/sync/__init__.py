"""FLOW ledger → classify → plan → Pipedrive: the CRM agrees with the ledger, each write once.

    prepare (stage, fields, owners) → refresh (what is in the CRM) → planning → push

What is planned is a diff of states, kept in the journal: nothing different, no request. It needs
no mailbox. Due-ness is data: a restart knows from the ledger alone what there is to do.
"""

from daemon.pipedrive.usage import TokenUsage
from daemon.sync.passes import Sync, plan_only
from daemon.sync.pushed import Pushed
from daemon.sync.safety_limit import AskFirst, SafetyLimit, approve, held_back
from daemon.sync.session import Session, SyncSettings

__all__ = [
    "AskFirst",
    "Pushed",
    "SafetyLimit",
    "Session",
    "Sync",
    "SyncSettings",
    "TokenUsage",
    "approve",
    "held_back",
    "plan_only",
]
