"""The questions of `mail2deal init`, each asked until its answer is usable, and tried at once.

What was answered is kept by the caller after each question, so nothing typed is lost.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click

from daemon.cli import output
from daemon.config.discovery import Discovered, MailProvider, by_domain, look_up, system_resolver
from daemon.config.draft import CLIENT_ID, USUAL_STAGE, Answers
from daemon.config.regular_file import read_regular_file
from daemon.config.values import is_loopback
from daemon.errors import AuthProblem, ConfigProblem, Problem
from daemon.mailbox.account import Account
from daemon.maintenance import trial

_ADDRESS = re.compile(r"[^@\s]+@([^@\s]+\.[^@\s]+)")
_LONGEST_KEY = 65_536  # bytes
_LAST_PORT = 65_535
_APPLICATION, _USER, _PASSWORD = "application", "user", "app password"
_WAYS = {"microsoft": (_APPLICATION, _USER), "google": (_PASSWORD, _USER, _APPLICATION)}


@dataclass(slots=True)
class Interview:
    """One round of questions; `answers` begins with what an earlier round kept."""

    answers: Answers
    given: dict[str, str | None]
    ask: bool
    offline: bool
    keep: Callable[[], object]
    provider: MailProvider | None = None

    def run(self) -> None:
        """Ask for everything, in the order in which answers help with those that follow."""
        for question in (self._mailbox, self._server, self._login, self._company, self._stage):
            question()
            self.keep()
        since = self._text("since", "Read mail since (YYYY-MM-DD, empty: only new)", _day, "")
        self.answers.since = since

    # The mailbox

    def _mailbox(self) -> None:
        check = _matching(_ADDRESS, "an e-mail address, such as ada@example.com")
        self.answers.address = self._text("address", "Your e-mail address", check)

    def _server(self) -> None:
        found = self._find(self.answers.address.rpartition("@")[2].lower())
        self.provider = found.provider if found else None
        if found is not None and self.ask:
            output.note(f"  {found.why}: the server is {found.provider.host}")
        default = found.provider.host if found else None
        if default is None and (self.offline or not self.ask):
            default = f"imap.{self.answers.address.rpartition('@')[2].lower()}"
        while True:
            said = self._text("host", "IMAP server", _host, default, self.answers.server)
            host, port = _host_and_port(said)
            if found is not None and host == found.provider.host:
                self.answers.port, self.answers.tls = found.provider.port, found.provider.tls
            elif port is not None:
                self.answers.port = port
            self.answers.host = host
            if not self._tries() or (found and host == found.provider.host and host != "127.0.0.1"):
                return
            try:
                self.answers.port, self.answers.tls = trial.server(host, port)
            except Problem as problem:
                output.note(f"  {problem}")
                if output.confirm("  Take it all the same?"):
                    return
                self.answers.host, self.answers.port = "", 993
            else:
                output.note(f"  {host}:{self.answers.port} answers, tls: {self.answers.tls}")
                return

    def _find(self, domain: str) -> Discovered | None:
        known = by_domain(domain)
        if known is not None or self.offline or self.given["host"] or not self.ask:
            return known
        resolver = system_resolver()
        if resolver is None:
            return None
        found, filter_name = look_up(domain, resolver)
        if filter_name:
            output.note(f"  {filter_name} stands in front of the mail server of {domain}")
        return found

    def _login(self) -> None:
        kind = self.provider.login if self.provider else "password"
        if self.provider is not None and self.provider.hint and (self.ask or kind == "google"):
            output.note(f"  {self.provider.hint}")
        if self.provider is not None and self.provider.user == "local":
            self.answers.username = self.answers.address.partition("@")[0]
        self.answers.oauth = {}
        if kind in _WAYS:
            way = self._way(kind)
            if way != _PASSWORD:
                self._oauth(kind, way)
                return
        self._secret("password", f"Password of {self.answers.address}", self._try_login)

    def _way(self, kind: str) -> str:
        ways = _WAYS[kind]
        if not self.ask:
            return _PASSWORD if kind == "google" else _USER
        output.note(
            f"  {kind.title()}: an application (an administrator sets it up once, for servers), or"
            " a user who logs in by a browser; docs/logins.md has both step by step"
        )
        check = _matching(re.compile("|".join(ways)), f"one of: {', '.join(ways)}")
        return output.ask(f"Log in as ({', '.join(ways)})", ways[0], check=check)

    def _oauth(self, kind: str, way: str) -> None:
        oauth = {"provider": kind, "grant": way}
        if kind == "microsoft":
            tenant = self.answers.address.rpartition("@")[2]
            oauth["tenant"] = self._plain("Directory (tenant) ID or domain", tenant)
            if self.provider is not None and self.provider.cloud != "global":
                oauth["cloud"] = self.provider.cloud
        if kind == "google" and way == _APPLICATION:
            self._key_file()
        else:
            oauth["client_id"] = self._plain("Client ID", "") or CLIENT_ID
        if kind == "microsoft" and way == _USER:
            oauth["secret"] = "no"  # noqa: S105 - a public client has none
        self.answers.oauth = oauth
        if self.answers.login_key == "client_secret":
            self._secret("client_secret", "Client secret, its value", lambda _: None)

    def _key_file(self) -> None:
        while self.ask:
            path = self._plain("Path of the JSON key file (empty: later)", "")
            if not path:
                return
            try:
                key = read_regular_file(Path(path).expanduser(), _LONGEST_KEY).decode()
                self.answers.typed["service_account"] = key
            except ConfigProblem as problem:
                output.note(f"  {problem}")
            except (OSError, UnicodeDecodeError) as error:
                output.note(f"  {path} can't be read: {getattr(error, 'strerror', error)}")
            else:
                return

    def _try_login(self, password: str) -> None:
        user = self.answers.username or self.answers.address
        account = Account(
            self.answers.address,
            self.answers.host,
            user,
            lambda: password,
            port=self.answers.port,
            tls=self.answers.tls,  # type: ignore[arg-type]
        )
        output.note(f"  {trial.log_in(account)}")

    # Pipedrive

    def _company(self) -> None:
        while True:
            asked = "Pipedrive company (the part before .pipedrive.com)"
            self.answers.company = self._text("company", asked, _company)
            if self._secret("token", "Pipedrive API token", self._try_token):
                return

    def _try_token(self, token: str) -> None:
        with trial.pipedrive(self.answers.url, token) as client:
            found = trial.company(client)
        output.note(f"  the token of {found.user} at {found.company}")

    def _stage(self) -> None:
        token = self.answers.typed.get("token", "")
        asks_pipeline = not (self._tries() and token)
        self.answers.pipeline = self.given["pipeline"] or self.answers.pipeline
        while True:
            if asks_pipeline:
                empty = "" if self.answers.pipeline else " (empty: the first)"
                asked = f"Pipeline for new deals{empty}"
                self.answers.pipeline = self._text("pipeline", asked, str.strip, "")
            self.answers.stage = self._text("stage", "Stage for new deals", str.strip)
            if not (self._tries() and token):
                return
            pipeline, stage = self.answers.pipeline, self.answers.stage
            try:
                with trial.pipedrive(self.answers.url, token) as client:
                    trial.stage(client, pipeline or None, stage)
            except ConfigProblem as problem:
                output.note(f"  {problem}")
                asks_pipeline, self.given["pipeline"] = True, None
                if problem.what == "pipedrive.pipeline":
                    self.answers.pipeline = ""
                else:  # the usual one may be in another pipeline, or be the one that is wrong
                    self.answers.stage = USUAL_STAGE if stage != USUAL_STAGE else ""
            except Problem as problem:
                output.note(f"  can't be tried now: {problem}")
                return
            else:
                return

    # How questions are asked

    def _tries(self) -> bool:
        return self.ask and not self.offline

    def _text(
        self,
        key: str,
        question: str,
        check: Callable[[str], str],
        default: str | None = None,
        kept: str | None = None,
    ) -> str:
        """A checked answer: the option, what was kept, or what a person types."""
        given = self.given[key]
        before = (getattr(self.answers, key) if kept is None else kept) or default
        if given is None and not self.ask:
            if before is None:
                raise ConfigProblem(
                    f"missing: {question}", hint="give it as an option (see --help)"
                )
            return check(before) if before else before
        if given is not None:
            self.given[key] = None  # where it turns out to be wrong, a person is asked
            try:
                return check(given)
            except click.BadParameter as error:
                if not self.ask:
                    flag = "email" if key == "address" else key
                    raise ConfigProblem(error.message, what=f"--{flag}") from error
                output.note(f"Error: {error.message}")
        return output.ask(question, before, check=check)

    def _plain(self, question: str, default: str) -> str:
        if not self.ask:
            return default
        return output.ask(question, default)

    def _secret(self, key: str, question: str, attempt: Callable[[str], None]) -> bool:
        """Ask for a secret and try it; False if the answer before it was wrong."""
        if not self.ask or self.answers.secrets == "env":
            return True
        known = self.answers.typed.get(key, "")
        while True:
            words = f"{question} ({'empty: the one typed before' if known else 'empty: later'})"
            self.answers.typed[key] = value = output.ask(words, known, hidden=True)
            self.keep()
            if not value or self.offline:
                return True
            try:
                attempt(value)
            except AuthProblem as problem:
                output.note(f"  {problem}")
                self.answers.typed[key] = known = ""
            except ConfigProblem as problem:
                output.note(f"  {problem}")
                return key != "token"
            except Problem as problem:
                output.note(f"  {problem}")
                return not output.confirm("  Change the answer before?")
            else:
                return True


def _matching(shape: re.Pattern[str], what: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not shape.fullmatch(text.strip()):
            raise click.BadParameter(f"{text!r} isn't {what}")
        return text.strip()

    return check


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else text
    except ValueError as error:
        raise click.BadParameter("must be a day like 2026-01-01") from error


def _host(text: str) -> str:
    host, port = _host_and_port(text.strip())
    if not host or re.search(r"[\s/@]", host):
        raise click.BadParameter("must be a host name, such as imap.example.com")
    if port is not None and not 0 < port <= _LAST_PORT:
        raise click.BadParameter(f"there is no port {port}: they end at {_LAST_PORT}")
    return text.strip()


def _host_and_port(text: str) -> tuple[str, int | None]:
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and ":" not in host:
        return host, int(port)
    return text, None


def _company(text: str) -> str:
    """The company's own part of its address; the whole address of a sandbox on this machine."""
    name = text.strip().rstrip("/")
    host = name.partition("://")[2].partition("/")[0].rpartition(":")[0]
    if name.startswith("http://") and is_loopback(host):
        return name
    name = name.removeprefix("https://").partition(".pipedrive.com")[0]
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?", name):
        raise click.BadParameter("must be only the NAME of https://NAME.pipedrive.com")
    return name.lower()
