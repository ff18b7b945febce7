"""What a token endpoint's refusal asks of an administrator, in plain words.

Microsoft puts a number (`AADSTS7000222`) into the description, Google a sentence; the standard
codes of RFC 6749 section 5.2 say too little to act on. Pure data and one look-up.
"""

import re

_NUMBER = re.compile(r"AADSTS(\d{4,8})")

_ADMINISTRATOR_CONSENTS = (
    "only an administrator may consent here, and does so in Entra"
    " (App registrations > API permissions > Grant admin consent)"
)
_POLICY = (
    "a Conditional Access policy blocks this login: try `mail2deal login --browser`,"
    " or ask the administrator for an exception"
)
_DEVICE = (
    "a Conditional Access policy lets only managed devices in: log in by"
    " `mail2deal login --browser` on one, or ask the administrator for an exception"
)
_REDIRECT = (
    "register http://localhost as a redirect URI of the platform"
    " `Mobile and desktop applications` in Entra (App registrations > Authentication)"
)
# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_MICROSOFT = {
    "7000222": "the client secret has expired: make a new one in Entra (App registrations >"
    " Certificates & secrets) and write its Value, not its ID, where client_secret points",
    "7000215": "the client secret is wrong: copy its Value, not its ID, from Entra"
    " (App registrations > Certificates & secrets)",
    "700027": "Entra doesn't know this certificate: upload its public part"
    " (App registrations > Certificates & secrets > Certificates)",
    "700016": "no application with this client_id in this tenant: both IDs are on the"
    " application's Overview page in Entra",
    "7000229": "there is no enterprise application for it in this tenant: an administrator makes"
    " it in Entra (App registrations > API permissions > Grant admin consent)",
    "7000112": "the application is switched off in this tenant: an administrator allows sign-in in"
    " Entra (Enterprise applications > Properties > Enabled for users to sign in)",
    "90002": "there is no such tenant: copy the Directory (tenant) ID from the application's"
    " Overview page in Entra",
    "900023": "tenant must be the Directory (tenant) ID or a domain of the organization",
    "65001": "nobody has consented yet: an administrator grants it in Entra"
    " (App registrations > API permissions > Grant admin consent)",
    "65004": "the person said no to what the application asks for: log in again and accept",
    "90094": _ADMINISTRATOR_CONSENTS,
    "900941": _ADMINISTRATOR_CONSENTS,
    "500011": "Exchange Online isn't known in this tenant, or cloud names another one",
    "7000218": "the application needs client_secret or certificate, or allow public client"
    " flows in Entra (App registrations > Authentication)",
    "700025": "the application is a public client: leave client_secret out",
    "53003": _POLICY,
    "530033": _POLICY,
    "53000": _DEVICE,
    "53001": _DEVICE,
    "50076": "this login needs multi-factor authentication: log in again",
    "50079": "this login needs multi-factor authentication to be set up: log in again",
    "50105": "the user isn't assigned to the application in Entra (Enterprise applications >"
    " Users and groups)",
    "50020": "the account belongs to another tenant: log in as a user of this one,"
    " or correct tenant",
    "50034": "there is no such user in this tenant",
    "50057": "the account is disabled",
    "50173": "the password was changed",
    "70043": "the login lasted as long as a policy allows",
    "700082": "the login wasn't used for 90 days",
    "50011": _REDIRECT,
    "500113": _REDIRECT,
    "1002012": "the scope of an application must end with /.default",
    "700024": "the assertion's times are off: check this machine's clock",
}

# https://developers.google.com/identity/protocols/oauth2/service-account#jwt-error-codes
_DELEGATE = (
    "an administrator of Google Workspace delegates the scope to the service account's client ID"
    " (Security > Access and data control > API controls > Domain-wide delegation); a new"
    " delegation can take a day"
)
_GOOGLE = (
    (("unauthorized_client",), _DELEGATE),
    (("access_denied", "unauthorized"), _DELEGATE),
    (("invalid_scope",), "delegate exactly the scope that is asked for: " + _DELEGATE),
    (
        ("invalid email or user id", "not a valid email", "invalid_subject"),
        "username must be a user of this Google Workspace, not an alias or a group",
    ),
    (
        ("account not found",),
        "the service account was deleted: make one anew in the Google Cloud console",
    ),
    (
        ("invalid jwt signature", "key not found", "invalid_signature"),
        (
            "the key of the service account was deleted or belongs to another one: make a new JSON"
            " key in the Google Cloud console (IAM & Admin > Service accounts > Keys)"
        ),
    ),
    (("reasonable timeframe", "token must be a short-lived"), "check this machine's clock"),
    (("account disabled", "user_suspended"), "the account is suspended"),
)
# What may also stop a person in a browser, where "access_denied" is that person's own word.
_GOOGLE_CLIENT = (
    (
        ("deleted_client", "disabled_client"),
        "the OAuth client was deleted or disabled: make one in the Google Cloud console",
    ),
    (
        ("admin_policy_enforced",),
        (
            "an administrator of Google Workspace must allow this application"
            " (Security > Access and data control > API controls > App access control)"
        ),
    ),
    (
        ("org_internal",),
        (
            "the account belongs to another organization than the OAuth client, whose audience is"
            " Internal"
        ),
    ),
)


def advice(code: str, message: str, *, is_person: bool) -> str | None:
    """What to do about a refusal, None where nobody could say.

    `code` is RFC 6749's error, `message` the provider's own words; `is_person`: a person logged in,
    rather than an application.
    """
    for number in _NUMBER.findall(message):
        if number in _MICROSOFT:
            return _MICROSOFT[number]
    said = f"{code} {message}".lower()
    for words, what in _GOOGLE_CLIENT if is_person else (*_GOOGLE, *_GOOGLE_CLIENT):
        if any(word in said for word in words):
            return what
    return None
