"""What a changed configuration means for what is known: judged, counted and planned again.

Told by a fingerprint in the ledger, once a start or reload. A ledger without one keeps what it
knows: it was filled by this configuration or by an earlier version.
"""

from collections.abc import Callable

from daemon.intake import consent, rebuilding, scoring
from daemon.ledger.timestamp import stamp
from daemon.log import event
from daemon.sync.safety_limit import TASKS_FROM
from daemon.sync.session import Session

_SETTING = "configured"
# Messages judged in one transaction, and the seconds after it in which others get the ledger: those
# who wait for it look again and again, at first every few milliseconds.
_AT_ONCE, _REST = 200, 0.01


def follow(session: Session, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Bring the ledger in line with the configuration; if interrupted, the next start does it.

    `meanwhile` is called every few hundred messages, outside transactions.
    """
    ledger, settings = session.ledger, session.settings
    now = {
        "counting": scoring.fingerprint(session.scoring),
        "emails": settings.emails,
        "meetings": settings.meetings,
        "follow_up": str(settings.policy.follow_up or ""),
        "bounces": settings.policy.bounce.wanted,
    }
    before = ledger.setting(_SETTING)
    if before == now:
        return

    def carry_on(done: int) -> bool:
        session.progress("judging again", done, 0)
        session.rest(_REST)
        meanwhile()
        return not session.stopping()

    if before is not None and before["counting"] != now["counting"]:
        event("sync.configuration_changed")
        # If this is interrupted and the edit taken back, what was judged is judged once more.
        with ledger.transaction("configured"):
            ledger.set(_SETTING, before | {"counting": ""})
        hold = None if ledger.records.none_created() else session.now()
        changed = rebuilding.rebuild(ledger, session.scoring, carry_on, _AT_ONCE, hold=hold)
        if session.stopping():
            return
        event("sync.judged_again", senders=changed)
    known = before or {}
    more = before is not None and any(
        now[one] and now[one] != known.get(one) for one in ("emails", "meetings", "bounces")
    )
    if now["follow_up"] != known.get("follow_up", ""):
        more = more or bool(now["follow_up"])
        old = before is not None and bool(now["follow_up"]) and not ledger.records.none_created()
        with ledger.transaction("configured"):
            ledger.senders.wait_no_more()
            ledger.set(TASKS_FROM, stamp(session.now()) if old else None)
    with ledger.transaction("configured"):
        if more:
            known_to_us = ledger.records.with_person()
            before_it = ledger.rereading.standing(known_to_us)
            consent.hold_edited(ledger, before_it, known_to_us, session.now())
            ledger.senders.touch(known_to_us)
        consent.forget_unless_held(ledger, session.now())
        ledger.set(_SETTING, now)
