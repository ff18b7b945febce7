"""Logins without a person: an application that its administrator lets into mailboxes.

Microsoft's client credentials (RFC 6749 section 4.4), with a secret or with an assertion signed by
a certificate (RFC 7523 section 2.2); Google's service account with domain-wide delegation
(RFC 7523 section 2.1). Only signing needs PyJWT, the extra `keys`. Keys and assertions are never
stored, and no error message contains any part of them.
"""

import contextlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from daemon.errors import ConfigProblem
from daemon.oauth.provider import (
    GMAIL_REFUSED,
    GOOGLE_TOKEN_URL,
    Cloud,
    Provider,
    exchange_scope,
    microsoft,
)

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

# For domain-wide delegation only: IMAP with every label, whatever a user has hidden from IMAP.
# https://developers.google.com/gmail/imap/xoauth2-protocol
GOOGLE_IMAP_SCOPE = "https://www.googleapis.com/auth/gmail.imap_admin"

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE = timedelta(minutes=5)  # of an assertion; both providers take at most an hour
_SKEW = timedelta(minutes=1)  # that this machine's clock may be ahead

_OFFICE_REFUSED = (
    "in Exchange Online PowerShell: New-ServicePrincipal with the Object ID of the Enterprise"
    " application, Add-MailboxPermission -AccessRights FullAccess for it, Set-CASMailbox"
    " -ImapEnabled $true; it takes effect within an hour or two"
)
# A file may hold key and certificate in either order.
_KEY = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)


def microsoft_application(
    name: str,
    client_id: str,
    tenant: str,
    cloud: Cloud = "global",
    *,
    client_secret: Callable[[], str] | None = None,
    certificate: Callable[[], str] | None = None,
) -> Provider:
    """Exchange Online for an application with `IMAP.AccessAsApp`; one token opens all mailboxes.

    `certificate` reads a PEM file with the private key and the certificate.
    https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
    """
    scope = exchange_scope(cloud)

    def form(token_url: str, now: datetime) -> dict[str, str]:
        asked = {"grant_type": "client_credentials", "client_id": client_id, "scope": scope}
        if certificate is not None:
            assertion = _certificate_assertion(name, client_id, token_url, certificate(), now)
            return {**asked, "client_assertion_type": _ASSERTION, "client_assertion": assertion}
        return {**asked, "client_secret": client_secret() if client_secret else ""}

    whose = microsoft(name, client_id, None, tenant, cloud)
    return replace(
        whose,
        scopes=(scope,),
        application=form,
        refused_by_server=_OFFICE_REFUSED,
        shared=f"application {tenant} {client_id}",
        device_url=None,
        authorize_url=None,
        extra={},
    )


def google_service_account(name: str, user: str, key: Callable[[], str]) -> Provider:
    """Gmail of one user of a Workspace, by a service account with domain-wide delegation.

    `key` reads the JSON key file of the service account.
    https://developers.google.com/identity/protocols/oauth2/service-account
    """

    def form(token_url: str, now: datetime) -> dict[str, str]:
        account = _service_account(name, key())
        claims = {
            "iss": account["client_email"],
            "sub": user,
            "scope": GOOGLE_IMAP_SCOPE,
            **_times(token_url, now),
        }
        key_id = account.get("private_key_id")
        headers = {"kid": key_id} if isinstance(key_id, str) else {}
        private = _private_key(name, account["private_key"], "service_account")
        return {"grant_type": _BEARER, "assertion": _sign(claims, private, "RS256", headers)}

    return Provider(
        name,
        "",
        GOOGLE_TOKEN_URL,
        (GOOGLE_IMAP_SCOPE,),
        application=form,
        refused_by_server=GMAIL_REFUSED,
    )


def _service_account(name: str, text: str) -> dict[str, Any]:
    try:
        account = json.loads(text)
    except ValueError:
        account = None  # the error of json holds the text, and that the key
    wanted = ("client_email", "private_key")
    if not isinstance(account, dict) or not all(isinstance(account.get(k), str) for k in wanted):
        raise ConfigProblem(
            "oauth.service_account isn't the JSON key of a service account",
            what=name,
            hint="Google Cloud console > IAM & Admin > Service accounts > Keys > Add key > JSON",
        )
    return account


def _certificate_assertion(
    name: str, client_id: str, token_url: str, pem: str, now: datetime
) -> str:
    """A client assertion as Entra wants it: PS256, the certificate's SHA-256 as `x5t#S256`.

    https://learn.microsoft.com/entra/identity-platform/certificate-credentials
    """
    private = _private_key(name, pem, "certificate")
    certificate = _public_certificate(name, pem)
    if certificate.not_valid_after_utc < now:
        raise ConfigProblem(
            f"the certificate of oauth.certificate ended on {certificate.not_valid_after_utc:%F}",
            what=name,
            hint="make a new one and upload it in Entra before the next start",
        )
    if certificate.public_key() != private.public_key():
        raise ConfigProblem("oauth.certificate: the key isn't that of the certificate", what=name)
    claims = {"iss": client_id, "sub": client_id, "jti": secrets.token_hex(16)}
    return _sign(
        claims | _times(token_url, now), private, "PS256", {"x5t#S256": _thumbprint(certificate)}
    )


def _times(audience: str, now: datetime) -> dict[str, Any]:
    return {"aud": audience, "iat": now - _SKEW, "nbf": now - _SKEW, "exp": now + _LIFE}


def _thumbprint(certificate: "x509.Certificate") -> str:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - an extra
    from jwt.utils import base64url_encode  # noqa: PLC0415 - the same

    return base64url_encode(certificate.fingerprint(SHA256())).decode()


def _private_key(name: str, pem: str, key: str) -> "RSAPrivateKey":
    _need_keys(name)
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    found = _KEY.search(pem)
    private = None
    if found is not None:
        # Without the error: its words may hold parts of the key.
        with contextlib.suppress(ValueError, TypeError):
            private = load_pem_private_key(found[0].encode(), None)
    if not isinstance(private, RSAPrivateKey):
        raise ConfigProblem(
            f"oauth.{key} holds no RSA private key without a passphrase, in PEM", what=name
        )
    return private


def _public_certificate(name: str, pem: str) -> "x509.Certificate":
    from cryptography import x509  # noqa: PLC0415 - an extra

    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise ConfigProblem(
            "oauth.certificate holds no certificate beside the key",
            what=name,
            hint="put both into one file: cat key.pem certificate.pem",
        ) from None


def _sign(
    claims: dict[str, Any], private: "RSAPrivateKey", algorithm: str, headers: dict[str, str]
) -> str:
    import jwt  # noqa: PLC0415 - an extra

    return jwt.encode(claims, private, algorithm, headers)


def _need_keys(name: str) -> None:
    try:
        import jwt  # noqa: F401, PLC0415 - an extra
        from cryptography import x509  # noqa: F401, PLC0415 - the same
    except ImportError:
        raise ConfigProblem(
            "signing needs PyJWT and cryptography",
            what=name,
            hint="pip install 'mail2deal[keys]'",
        ) from None
