"""From the configuration to an OAuth 2 provider."""

from dataclasses import replace

from daemon.config import OAuthSection
from daemon.oauth.provider import Provider, google, microsoft


def provider(name: str, oauth: OAuthSection) -> Provider:
    """The provider that a mailbox's `oauth` section describes; `name` is the mailbox's."""
    client_id = oauth.client_id or ""  # the configuration has it checked
    secret = oauth.client_secret.read if oauth.client_secret else None
    match oauth.provider:
        case "google":
            chosen = google(name, client_id, secret)
        case "microsoft":
            chosen = microsoft(name, client_id, secret, oauth.tenant)
        case _:
            chosen = Provider(name, client_id, oauth.token_url or "", (), secret)
    return replace(
        chosen,
        token_url=oauth.token_url or chosen.token_url,
        device_url=oauth.device_url or chosen.device_url,
        authorize_url=oauth.authorize_url or chosen.authorize_url,
        scopes=oauth.scopes or chosen.scopes,
    )
