"""How many deals each setting of `deals.per` would make: only planned, on copies of the ledger."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import get_args

from daemon.ledger.store import Ledger
from daemon.rehearsal.stage import StageClock, client
from daemon.rules.deals import Per
from daemon.sandbox.crm import Sandbox
from daemon.sync import plan_only
from daemon.wiring import Wiring


def deals_by_setting(
    wiring: Wiring, ledger: Ledger, sandbox: Sandbox, clock: StageClock, home: Path
) -> Mapping[str, int]:
    """Deals that would be made, by setting, of a ledger that has taken in its mail."""
    return {per: _deals(wiring, ledger, sandbox, clock, home / f"{per}.db", per) for per in _ALL}


_ALL: tuple[Per, ...] = get_args(Per)


def _deals(
    wiring: Wiring, ledger: Ledger, sandbox: Sandbox, clock: StageClock, path: Path, per: Per
) -> int:
    ledger.copy_to(path)
    with (
        Ledger.open(path) as copy,
        closing(client(sandbox, clock, lambda _kind, _tokens: None)) as actor,
    ):
        session = wiring.session(copy, None, client=actor, workers=1)
        deals = replace(session.settings.deals, per=per)
        plan_only(replace(session, settings=replace(session.settings, deals=deals)))
        pending = copy.backlog.pending()
        return pending.get(("deal", "create"), 0) + pending.get(("deal", "convert"), 0)
