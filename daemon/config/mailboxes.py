"""The keys of `mailboxes`: the IMAP accounts of ours, and which of their folders are read."""

from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from daemon.config.logins import SharedLogin
from daemon.config.section import CHECKED, Section, one_of
from daemon.config.values import (
    Day,
    FilePath,
    Host,
    Port,
    SecretReference,
    SentFolders,
    Text,
    is_loopback,
)

_PORTS = {"implicit": 993, "starttls": 143, "none": 143}  # RFC 8314, RFC 9051


class FoldersSection(Section):
    """Which folders are read; `sent` None means that the Sent folder is found by itself."""

    inbox: tuple[Text, ...] = ("INBOX",)
    sent: SentFolders = None

    @field_validator("inbox")
    @classmethod
    def _some_folder(cls, inbox: tuple[str, ...]) -> tuple[str, ...]:
        if not inbox:
            raise ValueError("must name at least one folder")
        return inbox


class MailboxSection(Section):
    """One IMAP account of ours."""

    name: Text
    host: Host
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    port: Port = CHECKED
    ca_file: FilePath | None = None
    username: Text
    oauth: SharedLogin | None = None
    password: SecretReference | None = CHECKED
    folders: FoldersSection = FoldersSection()
    since: Day | None = None
    owner: Text | None = None

    @field_validator("tls")
    @classmethod
    def _no_secret_in_the_clear(cls, tls: str, info: ValidationInfo) -> str:
        if tls == "none" and "host" in info.data and not is_loopback(info.data["host"]):
            raise ValueError("none is for this machine only: use implicit or starttls")
        return tls

    @field_validator("port", mode="before")
    @classmethod
    def _usual_port(cls, port: Any, info: ValidationInfo) -> Any:
        if port is None:
            return _PORTS[info.data.get("tls", "implicit")]
        return port

    @field_validator("password")
    @classmethod
    def _one_login(cls, password: Any, info: ValidationInfo) -> Any:
        one_of("password", password, "oauth", info)
        return password
