"""From an `oauth` section to the provider whose tokens a mailbox is read with."""

from dataclasses import replace
from typing import TYPE_CHECKING

from daemon.config import MailboxSection, OAuthSection

if TYPE_CHECKING:
    from daemon.oauth.provider import Provider


def provider_of(mailbox: MailboxSection, oauth: OAuthSection) -> "Provider":
    """The provider that a mailbox's `oauth` section describes."""
    from daemon.oauth.application import (  # noqa: PLC0415 - see the module
        google_service_account,
        microsoft_application,
    )
    from daemon.oauth.provider import Provider, google, microsoft  # noqa: PLC0415 - the same

    name = mailbox.name
    client_id = oauth.client_id or ""  # the configuration has it checked
    secret = oauth.client_secret.read if oauth.client_secret else None
    match oauth.provider, oauth.grant:
        case "google", "application":
            assert oauth.service_account is not None  # noqa: S101 - the configuration has it checked
            chosen = google_service_account(name, mailbox.username, oauth.service_account.read)
        case "google", _:
            chosen = google(name, client_id, secret)
        case "microsoft", "application":
            chosen = microsoft_application(
                name,
                client_id,
                oauth.tenant,
                oauth.cloud,
                client_secret=secret,
                certificate=oauth.certificate.read if oauth.certificate else None,
            )
        case "microsoft", _:
            chosen = microsoft(name, client_id, secret, oauth.tenant, oauth.cloud)
        case _:
            chosen = Provider(name, client_id, oauth.token_url or "", (), secret)
    return replace(
        chosen,
        token_url=oauth.token_url or chosen.token_url,
        device_url=oauth.device_url or chosen.device_url,
        authorize_url=oauth.authorize_url or chosen.authorize_url,
        scopes=oauth.scopes or chosen.scopes,
    )
