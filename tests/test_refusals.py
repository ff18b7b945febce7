"""Each refusal that a provider documents, and the words for who has to do something about it."""

import pytest

from daemon.oauth import refusals

# The provider's number, and what the advice must name: a place in the console, a key, a command.
MICROSOFT = {
    "1002012": "/.default",
    "50011": "http://localhost",
    "500113": "http://localhost",
    "500011": "cloud",
    "50020": "tenant",
    "50034": "no such user",
    "50057": "disabled",
    "50076": "log in again",
    "50079": "log in again",
    "50105": "Users and groups",
    "50173": "password was changed",
    "53000": "managed devices",
    "53001": "managed devices",
    "53003": "`mail2deal login --browser`",
    "530033": "`mail2deal login --browser`",
    "65001": "Grant admin consent",
    "65004": "log in again",
    "700016": "Overview page",
    "700024": "clock",
    "700025": "leave client_secret out",
    "700027": "upload its public part",
    "70043": "policy",
    "700082": "90 days",
    "7000112": "Enabled for users to sign in",
    "7000215": "its Value, not its ID",
    "7000218": "allow public client flows",
    "7000222": "make a new one",
    "7000229": "Grant admin consent",
    "90002": "no such tenant",
    "900023": "tenant",
    "90094": "only an administrator",
    "900941": "only an administrator",
}
# What Google says, with its code, and what the advice must name.
GOOGLE = [
    ("unauthorized_client", "Client is unauthorized to retrieve access tokens", "delegation"),
    ("access_denied", "Requested client not authorized.", "Domain-wide delegation"),
    ("invalid_scope", "Some requested scopes were invalid.", "exactly the scope"),
    ("invalid_grant", "Invalid email or User ID", "not an alias or a group"),
    ("invalid_grant", "Invalid JWT Signature.", "new JSON key"),
    ("invalid_grant", "Not a valid email or user ID.", "not an alias or a group"),
    ("invalid_grant", "Invalid grant: account not found", "service account was deleted"),
    ("invalid_grant", "Token must be a short-lived token (60 minutes)", "clock"),
    ("invalid_grant", "Account disabled.", "suspended"),
]
CLIENT_OF_GOOGLE = [
    ("disabled_client", "The OAuth client was disabled.", "deleted or disabled"),
    ("deleted_client", "The OAuth client was deleted.", "deleted or disabled"),
    ("admin_policy_enforced", "", "App access control"),
    ("org_internal", "", "another organization"),
]


@pytest.mark.parametrize("number", MICROSOFT)
@pytest.mark.parametrize("is_person", [True, False])
def test_a_refusal_of_microsoft_says_what_to_do(number: str, is_person: bool) -> None:
    said = f"AADSTS{number}: Words of Microsoft. Trace ID: 65001-53003 Timestamp: 2026-11-30"

    advice = refusals.advice("invalid_client", said, is_person=is_person)

    assert advice is not None
    assert MICROSOFT[number] in advice


def test_every_number_that_we_know_is_tried() -> None:
    assert set(MICROSOFT) == set(refusals._MICROSOFT)


@pytest.mark.parametrize(("code", "said", "names"), GOOGLE)
def test_a_refusal_of_google_says_what_to_do(code: str, said: str, names: str) -> None:
    advice = refusals.advice(code, said, is_person=False)

    assert advice is not None
    assert names in advice


@pytest.mark.parametrize(("code", "said", "names"), CLIENT_OF_GOOGLE)
@pytest.mark.parametrize("is_person", [True, False])
def test_what_stops_google_s_client_is_told_to_a_person_too(
    code: str, said: str, names: str, is_person: bool
) -> None:
    advice = refusals.advice(code, said, is_person=is_person)

    assert advice is not None
    assert names in advice


def test_a_person_who_says_no_is_sent_to_no_administrator() -> None:
    assert refusals.advice("access_denied", "The user denied access", is_person=True) is None


@pytest.mark.parametrize("said", ["", "AADSTS1: x", "AADSTS9999999: unheard of", "Bad Request"])
def test_what_nobody_documents_gets_no_invented_advice(said: str) -> None:
    assert refusals.advice("invalid_request", said, is_person=False) is None
