"""Access tokens that are always fresh: one file per mailbox, refreshed by whoever needs it first.

Promises: by the expiry that the provider named, a returned token is valid for five more minutes at
least; a rotated refresh token is synced to disk before its access token is used; two threads or two
processes never refresh the same file at once. Only our user can read the files. It never talks to a
person: `grant` does that, once.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.errors import AuthProblem, LedgerProblem, RetryLater
from daemon.log import event
from daemon.oauth.provider import GrantRefused, Provider, for_a_person, post

EARLY = timedelta(minutes=5)
_SHORTEST = timedelta(minutes=10)  # of life, for a provider that names none
_LOCK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """What the file holds; `seed` marks the configured refresh token that it began with."""

    refresh_token: str
    access_token: str = ""
    expires_at: str = ""  # UTC, ISO 8601
    seed: str = ""

    def is_fresh(self, now: datetime) -> bool:
        """Whether the access token lives long enough to be given out."""
        if not self.access_token or not self.expires_at:
            return False
        return datetime.fromisoformat(self.expires_at) - now > EARLY


class Tokens:
    """The tokens of one mailbox; safe to use from any thread and any process."""

    def __init__(
        self,
        provider: Provider,
        path: Path,
        *,
        seed: Callable[[], str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`seed` reads the configured refresh token, where there is one."""
        self.provider = provider
        self.path = path
        self._seed = seed
        self._now = now

    def access(self, refused: str | None = None) -> str:
        """A fresh access token; never the one that a server has `refused`.

        Raises AuthProblem when a person has to grant anew, RetryLater when the provider is away.
        """
        stored = self._load()
        if stored and stored.is_fresh(self._now()) and stored.access_token != refused:
            return stored.access_token
        with self._locked():
            stored = self._load()  # somebody may have been faster
            if stored and stored.is_fresh(self._now()) and stored.access_token != refused:
                return stored.access_token
            if self.provider.application is not None:
                return self._ask(self.provider.application).access_token
            if stored is None:
                raise AuthProblem(
                    "no OAuth login yet", what=self.provider.name, hint=self.provider.login_hint
                )
            return self._refresh(stored).access_token

    def keep(self, answer: dict[str, Any], before: StoredTokens | None = None) -> StoredTokens:
        """Write what a token endpoint answered; raises AuthProblem if no token is in it."""
        access = answer.get("access_token")
        refresh = answer.get("refresh_token") or (before.refresh_token if before else None)
        if self.provider.application is not None:
            refresh = ""  # the next token is asked for in the same way
        if not isinstance(access, str) or not access or not isinstance(refresh, str):
            missing = "access token" if not access else "refresh token"
            raise AuthProblem(
                f"the OAuth server gave no {missing}",
                what=self.provider.name,
                hint="check the scopes (offline access)",
            )
        stored = StoredTokens(
            refresh_token=refresh,
            access_token=access,
            expires_at=_end(answer.get("expires_in"), self._now()),
            seed=before.seed if before else self._seed_mark(),
        )
        self._write(stored)
        return stored

    def _ask(self, application: Callable[[str, datetime], dict[str, str]]) -> StoredTokens:
        """A token for the application itself; no person is asked."""
        url = self.provider.token_url
        try:
            answer = post(self.provider, url, application(url, self._now()))
        except GrantRefused as refused:
            raise for_a_person(refused, self.provider) from None
        event("oauth.granted", mailbox=self.provider.name)
        return self.keep(answer)

    def _refresh(self, stored: StoredTokens) -> StoredTokens:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": stored.refresh_token,
            **self.provider.client(),
        }
        if self.provider.scopes:
            form["scope"] = " ".join(self.provider.scopes)
        try:
            answer = post(self.provider, self.provider.token_url, form)
        except GrantRefused as refused:
            raise for_a_person(refused, self.provider) from None
        fresh = self.keep(answer, stored)
        rotated = fresh.refresh_token != stored.refresh_token
        event("oauth.refreshed", logging.DEBUG, mailbox=self.provider.name, rotated=rotated)
        return fresh

    def _load(self) -> StoredTokens | None:
        """What is on disk, or a beginning from the configured refresh token, if that is newer."""
        stored = None
        try:
            document = json.loads(self.path.read_bytes())
            stored = StoredTokens(
                **{name: str(document.get(name, "")) for name in StoredTokens.__slots__}
            )
        except FileNotFoundError:
            pass
        except (OSError, ValueError, AttributeError) as error:
            if self._seed is None and self.provider.application is None:
                raise AuthProblem(
                    f"{self.path} can't be read: {type(error).__name__}",
                    what=self.provider.name,
                    hint=self.provider.login_hint,
                ) from error
        if self._seed is not None and (stored is None or stored.seed != self._seed_mark()):
            return StoredTokens(self._seed(), seed=self._seed_mark())
        return stored

    def _seed_mark(self) -> str:
        # Not the token itself: once rotated, the configured one must not linger in our files.
        return hashlib.sha256(self._seed().encode()).hexdigest()[:16] if self._seed else ""

    def _write(self, stored: StoredTokens) -> None:
        """Replace the file as a whole, synced to disk before anybody uses what is in it."""
        draft = self.path.with_suffix(".new")
        try:
            with os.fdopen(_private(draft, os.O_TRUNC), "w") as file:
                json.dump(asdict(stored), file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
            directory = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise LedgerProblem(
                f"the token can't be kept: {error.strerror}", what=str(self.path)
            ) from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """The right to refresh this file; raises RetryLater if another keeps it for a minute."""
        path = self.path.with_suffix(".lock")
        try:
            if not self.path.parent.exists():
                # Another thread may make it between our look and this.
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _to_owner_of(self.path.parent.parent, self.path.parent)
            lock = _private(path, 0)
        except OSError as error:
            raise LedgerProblem(str(error.strerror), what=str(path)) from error
        try:
            end = time.monotonic() + _LOCK_SECONDS
            while True:
                # An open file of our own, so threads exclude one another as processes do.
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                if time.monotonic() > end:
                    raise RetryLater("another process is refreshing", what=self.provider.name)
                time.sleep(0.02)
            yield
        finally:
            os.close(lock)

    def grant(self, answer: dict[str, Any]) -> StoredTokens:
        """Keep what a person has just granted, whatever was there before."""
        with self._locked():
            return self.keep(answer)


def _private(path: Path, flags: int) -> int:
    """Open for reading and writing; a new file is readable by its owner only.

    Root creates it for the owner of the directory, the service's user.
    """
    number = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    os.fchmod(number, 0o600)
    _to_owner_of(path.parent, number)
    return number


def _to_owner_of(directory: Path, made: Path | int) -> None:
    # An administrator logs in as root; the service that refreshes later isn't root.
    if os.geteuid() == 0:
        owner = directory.stat()
        os.chown(made, owner.st_uid, owner.st_gid)


def _end(seconds: Any, now: datetime) -> str:
    try:
        life = timedelta(seconds=int(seconds))
    except (TypeError, ValueError, OverflowError):
        life = _SHORTEST
    return (now + life).isoformat(timespec="seconds")
