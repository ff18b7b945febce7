"""From the configuration to the edges: the one place that builds them and hands them down.

What only some commands need (HTTP, the sync, OAuth) is imported where it is built: reading mail
needs none of it, which is a third of the memory and of the start.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from daemon.config import Config, MailboxSection
from daemon.errors import ConfigProblem, hide
from daemon.ledger.store import Ledger
from daemon.mailbox.account import Account
from daemon.message.address import key_of
from daemon.pipedrive.usage import TokenUsage
from daemon.wiring import settings
from daemon.wiring.provider import provider_of

if TYPE_CHECKING:
    from daemon.oauth.tokens import Tokens
    from daemon.pipedrive.client import Client
    from daemon.pipedrive.read_only import ReadOnlyClient
    from daemon.sync import SafetyLimit, Session

    C = TypeVar("C", bound=Client)

_PATIENCE = 15.0  # seconds that a person waits for a silent server


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Wiring:
    """A configuration and what is built from it; `stop` ends every wait."""

    config: Config
    now: Callable[[], datetime] = utc_now
    stop: threading.Event = field(default_factory=threading.Event)
    usage: TokenUsage = field(default_factory=TokenUsage)
    accounts: dict[str, Account] = field(default_factory=dict)
    on_answer: Callable[[str, float], None] = lambda _kind, _seconds: None

    def mailboxes(self, only: str | None = None) -> list[MailboxSection]:
        """The configured mailboxes, or the one of that name; raises ConfigProblem without it."""
        chosen = [m for m in self.config.mailboxes if only in {None, m.name}]
        if not chosen:
            names = ", ".join(m.name for m in self.config.mailboxes)
            raise ConfigProblem(f"no mailbox is named {only!r}", hint=f"there are: {names}")
        return chosen

    def account(self, mailbox: MailboxSection) -> Account:
        """How to reach one mailbox; the same object each time, so that connections can be kept."""
        if mailbox.name not in self.accounts:
            self.accounts[mailbox.name] = Account(
                name=mailbox.name,
                host=mailbox.host,
                username=mailbox.username,
                password=mailbox.password.read if mailbox.password else None,
                token=self._token(mailbox) if mailbox.oauth else None,
                advice=self._advice(mailbox),
                port=mailbox.port,
                tls=mailbox.tls,
                ca_file=str(mailbox.ca_file) if mailbox.ca_file else None,
                inbox=mailbox.folders.inbox,
                sent=mailbox.folders.sent,
                is_us=lambda spec: settings.us(self.config).is_us(key_of(spec) or ""),
            )
        return self.accounts[mailbox.name]

    def tokens(self, mailbox: MailboxSection) -> "Tokens":
        """The OAuth 2 tokens of a mailbox; raises ConfigProblem where they aren't ours to keep."""
        from daemon.oauth.tokens import Tokens  # noqa: PLC0415 - see the module

        oauth = mailbox.oauth
        if oauth is None or oauth.provider is None:
            raise ConfigProblem(
                "has no oauth.provider", what=mailbox.name, hint="only such a mailbox needs a login"
            )
        # Beside the ledger: the one directory that the service may write.
        provider = provider_of(mailbox, oauth)
        directory = self.config.ledger.parent / "tokens"
        path = directory / f"{quote(provider.shared or mailbox.name, safe='')}.json"
        seed = oauth.refresh_token.read if oauth.refresh_token else None
        return Tokens(provider, path, seed=seed, now=self.now)

    def _advice(self, mailbox: MailboxSection) -> str:
        """What a person does where the server refuses a good token."""
        if mailbox.oauth is None or mailbox.oauth.provider is None:
            return ""
        return provider_of(mailbox, mailbox.oauth).refused_by_server

    def _token(self, mailbox: MailboxSection) -> Callable[[str | None], str]:
        if mailbox.oauth is not None and mailbox.oauth.command is not None:
            helper = mailbox.oauth.command
            return lambda _refused: helper.read()
        tokens = self.tokens(mailbox)
        return lambda refused: hide(tokens.access(refused))

    def floor(self, mailbox: MailboxSection) -> datetime | None:
        """The date before which a mailbox isn't read, None without `since`."""
        return datetime.combine(mailbox.since, time(), UTC) if mailbox.since else None

    def client(self) -> "Client":
        """The API of the configured company."""
        from daemon.pipedrive.client import Client  # noqa: PLC0415 - see the module

        return self._client(Client)

    def reading_client(self) -> "ReadOnlyClient":
        """The same, for which every write is refused."""
        from daemon.pipedrive.read_only import ReadOnlyClient  # noqa: PLC0415 - see the module

        return self._client(ReadOnlyClient)

    def impatient_client(self) -> "ReadOnlyClient":
        """The same for a person who waits: a silent server costs 15 seconds, once."""
        from daemon.pipedrive.read_only import ImpatientClient  # noqa: PLC0415 - see the module

        return self._client(ImpatientClient, timeout=(_PATIENCE, _PATIENCE))

    def _client(self, kind: "type[C]", **more: Any) -> "C":
        pipedrive = self.config.pipedrive
        return kind(
            pipedrive.url,
            pipedrive.token.read,
            plan=pipedrive.plan,
            seats=pipedrive.seats,
            daily_share=pipedrive.daily_share,
            reserve=pipedrive.reserve,
            stop=self.stop,
            wall=self.now,
            on_usage=self.usage.add,
            on_answer=self.on_answer,
            **more,
        )

    def session(
        self,
        ledger: Ledger,
        run: int | None,
        progress: Callable[[str, int, int], None] = lambda *_: None,
        client: "Client | None" = None,
        *,
        workers: int | None = None,
        limit: "SafetyLimit | None" = None,
    ) -> "Session":
        """One sync over a ledger; today's tokens are those that the ledger knows to be spent."""
        from daemon.sync import Session  # noqa: PLC0415 - see the module

        client = client or self.client()
        today = self.now().date()
        client.budget.start(today, ledger.runs.spent(today.isoformat()))
        return Session(
            ledger=ledger,
            client=client,
            usage=self.usage,
            scoring=settings.scoring_settings(self.config),
            settings=settings.sync_settings(self.config, workers),
            wall=self.now,
            run=run,
            limit=limit,
            stopping=self.stop.is_set,
            progress=progress,
            rest=self.stop.wait,
        )

    def daily_tokens(self, ledger: Ledger) -> int:
        """API tokens that we may spend on one day: as the server last said, else by the plan."""
        from daemon.pipedrive.pacing import PLANS, share_of  # noqa: PLC0415 - see the module

        pipedrive = self.config.pipedrive
        said: int | None = ledger.setting("daily_tokens")
        if said is not None:
            return share_of(said, pipedrive.daily_share)
        return PLANS[pipedrive.plan].daily_tokens(pipedrive.seats, pipedrive.daily_share)

    def safety_limit(self) -> "SafetyLimit":
        """What may be done without a person's approval."""
        from daemon.sync import SafetyLimit  # noqa: PLC0415 - see the module

        return SafetyLimit(self.config.safety.max_creates)
