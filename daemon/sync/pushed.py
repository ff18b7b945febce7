"""What a push did, as its caller and the next one need to know."""

from dataclasses import dataclass, field
from datetime import datetime

from daemon.errors import Problem


@dataclass(slots=True)
class Pushed:
    """What a push did; `resume_at` is set when it stopped before the journal was empty."""

    writes: int = 0
    parked: int = 0
    waiting: int = 0
    resume_at: datetime | None = None
    problem: Problem | None = None
    touched: set[str] = field(default_factory=set)  # senders to be planned again, as is noted
    asks: Problem | None = None  # what a person has to approve before more is created
    again: bool = False  # where records go has changed: prepare again before the rest is sent
    interrupted: bool = False  # others are to be planned, or the CRM listed, before the rest
    kept_back_until: datetime | None = None  # the backlog waits: the tokens left are for the fresh
    tried: set[int] = field(default_factory=set)  # changes of kinds that rest, tried all the same

    @property
    def halted(self) -> bool:
        """Whether nothing more may be sent for now."""
        return self.resume_at is not None or self.problem is not None or self.again
