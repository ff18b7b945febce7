"""OAuth logins: one section for a mailbox of its own, or for several that name it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ValidationInfo, field_validator

from daemon.config.section import CHECKED, Section, one_of
from daemon.config.values import SecretCommand, SecretReference, Text, Url

_APPLICATION_KEYS = ("certificate", "service_account")  # each logs an application in, never a user
_SHARED_TENANTS = ("common", "organizations", "consumers")  # of users, not of one directory


class OAuthSection(Section):
    """An OAuth 2 login: a provider whose tokens we keep fresh, or a command that prints a token.

    `grant` says who is logged in: a user, once, by `mail2deal login`, or this application itself.
    """

    command: SecretCommand | None = None
    provider: Literal["google", "microsoft", "custom"] | None = CHECKED
    certificate: SecretReference | None = None
    service_account: SecretReference | None = None
    client_secret: SecretReference | None = None
    client_id: Text | None = CHECKED
    refresh_token: SecretReference | None = None
    tenant: Text = "common"
    cloud: Literal["global", "us", "us-dod", "china"] = "global"
    grant: Literal["user", "application"] | None = CHECKED
    token_url: Url | None = CHECKED
    device_url: Url | None = None
    authorize_url: Url | None = None
    scopes: tuple[Text, ...] = ()

    @field_validator("provider")
    @classmethod
    def _one_source(cls, provider: str | None, info: ValidationInfo) -> str | None:
        one_of("provider", provider, "command", info)
        return provider

    @field_validator("client_id")
    @classmethod
    def _known_client(cls, client_id: str | None, info: ValidationInfo) -> str | None:
        named = info.data.get("provider") is not None
        if client_id is None and named and info.data.get("service_account") is None:
            raise ValueError("missing")
        return client_id

    @field_validator("certificate", "service_account")
    @classmethod
    def _of_its_provider(cls, key: Any, info: ValidationInfo) -> Any:
        whose = {"certificate": "microsoft", "service_account": "google"}[info.field_name or ""]
        provider = info.data.get("provider", whose)
        if key is not None and provider != whose:
            raise ValueError(f"is for provider {whose} only")
        return key

    @field_validator("grant")
    @classmethod
    def _who_logs_in(cls, grant: str | None, info: ValidationInfo) -> str | None:
        data = info.data
        if data.get("provider") not in {"google", "microsoft"}:
            return _refuse(grant == "application", grant, "application: google and microsoft only")
        keys = [key for key in _APPLICATION_KEYS if data.get(key) is not None]
        is_secret = data["provider"] == "microsoft" and data.get("client_secret") is not None
        known_tenant = data.get("tenant") not in _SHARED_TENANTS
        if grant is None:
            # A secret alone is an application's; with a refresh token somebody has logged in.
            alone = is_secret and known_tenant and data.get("refresh_token") is None
            grant = "application" if keys or alone else "user"
        if grant == "user":
            return _refuse(bool(keys), grant, f"user: {' and '.join(keys)} log no user in")
        if data["provider"] == "google":
            return _refuse(not keys, grant, "application: needs service_account")
        _refuse(not (keys or is_secret), grant, "application: needs client_secret or certificate")
        _refuse(bool(keys) and is_secret, grant, "client_secret and certificate: choose one")
        return _refuse(not known_tenant, grant, "application: tenant must name your directory")

    @field_validator("token_url")
    @classmethod
    def _known_endpoint(cls, token_url: str | None, info: ValidationInfo) -> str | None:
        if token_url is None and info.data.get("provider") == "custom":
            raise ValueError("missing")
        return token_url


def _named_login(value: Any, info: ValidationInfo) -> Any:
    """An `oauth` section itself, or the name of one under `logins`."""
    if not isinstance(value, str):
        return value
    logins: Mapping[str, OAuthSection] | None = (info.context or {}).get("logins")
    if logins is None:  # they failed their own check, and its problems are named already
        return None
    if value not in logins:
        there = ", ".join(logins) or "none"
        raise ValueError(f"no login is named {value} (under logins: {there})")
    return logins[value]


SharedLogin = Annotated[OAuthSection, BeforeValidator(_named_login)]


def _refuse(wrong: bool, value: str | None, why: str) -> str | None:
    if wrong:
        raise ValueError(why)
    return value
