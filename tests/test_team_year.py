"""A year of a team of five ends in the records that the rules say, for each setting of `deals.per`.

What is expected was written from the rules (README, docs/configuration.md), by hand, before it ran.
Every day is rehearsed first, and the dry run has to say what is made to the last token.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from team import ANN, BEN, SALES, Year, year

from daemon.sandbox.crm import Switches
from daemon.sandbox.imap_server import installed

# Customers: three colleagues, two of another firm, one who is lost and found, a partner, a visitor.
ADA, ABE, AMY = "ada@acme.com", "abe@acme.com", "amy@acme.com"
BOB, BEA, GUS = "bob@beta.com", "bea@beta.com", "gus@gamma.com"
PIA, FAY = "pia@partner.example", "fay@gmail.com"
CAT, DOV, EVA = "cat@ours.example", "dov@ours.example", "eva@ours.example"
PERS = ("person", "conversation", "organization")


@pytest.fixture(params=PERS)
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Year]:
    if "dovecot" not in installed():
        pytest.skip("Dovecot 2.3 isn't installed")
    with year(tmp_path, deals={"per": request.param}) as opened:
        yield opened


def per(team: Year) -> str:
    return str(team.config["deals"]["per"])


def january(team: Year) -> dict[str, Any]:
    """First mails: one to the group address, one to Ann, and what no person wrote."""
    team.ada = team.hears(ADA)
    team.bob = team.hears(BOB, ANN)
    team.hears("news@shop.example", extra="List-Id: <news.shop.example>\r\n")
    return team.ends()


def february(team: Year) -> dict[str, Any]:
    """The team answers Ada with Abe in copy, Abe answers in the thread, Amy writes for herself."""
    answer = team.writes(SALES, ADA, answers=team.ada, cc=ABE)
    team.hears(ABE, answers=answer)
    team.hears(AMY)
    team.form(FAY)
    return team.ends()


def march(team: Year) -> dict[str, Any]:
    """Ann answers Bob, Gus writes five times to Ben, a partner talks with Ann."""
    team.writes(ANN, BOB, answers=team.bob)
    for _ in range(5):
        team.hears(GUS, BEN)
    first = team.hears(PIA, ANN)
    team.writes(ANN, PIA, answers=first)
    return team.ends()


def april(team: Year) -> dict[str, Any]:
    """Bob's deal is won, Gus' is lost; both write again, and Amy has written five times by now."""
    team.acts.win(team.deal_of(BOB))
    team.acts.lose(team.deal_of(GUS))
    team.hears(BOB, ANN)
    team.hears(GUS, BEN)
    for _ in range(4):
        team.hears(AMY)
    return team.ends()


def may(team: Year) -> dict[str, Any]:
    """Gus' deal is reopened by hand, and a colleague of Bob's gets engaged."""
    team.acts.reopen(team.deal_of(GUS))
    team.hears(GUS, BEN)
    for _ in range(5):
        team.hears(BEA, ANN)
    return team.ends()


def june(team: Year) -> dict[str, Any]:
    """Bob writes once more; Fay answers our answer to what she filled in."""
    team.hears(BOB, ANN)
    answer = team.writes(SALES, FAY)
    team.hears(FAY, answers=answer)
    return team.ends()


MONTHS = (january, february, march, april, may, june)

# Organizations, persons, leads, deals (converted leads too), activities, month by month.
MADE = {
    "person": [
        (2, 2, 2, 0, 2),  # Ada and Bob
        (0, 3, 2, 2, 4),  # Abe, Amy, Fay; leads of Amy and Fay; Ada converted, Abe by his answer
        (2, 2, 0, 3, 8),  # Gus, Pia; Bob converted
        (0, 0, 0, 1, 6),  # Amy converted
        (0, 1, 0, 1, 6),  # Bea
        (0, 0, 0, 1, 3),  # Fay converted
    ],
    "conversation": [
        (2, 2, 2, 0, 2),
        (0, 3, 2, 1, 4),  # Abe joins Ada's deal
        (2, 2, 0, 3, 8),
        (0, 0, 0, 1, 6),
        (0, 1, 0, 1, 6),
        (0, 0, 0, 1, 3),
    ],
    "organization": [
        (2, 2, 2, 0, 2),
        (0, 3, 1, 1, 4),  # Amy joins it, too
        (2, 2, 0, 3, 8),
        (0, 0, 0, 0, 6),
        (0, 1, 0, 1, 6),  # Bea's, since Bob's is won
        (0, 0, 0, 1, 3),
    ],
}

# Contact person, status, pipeline, owner, participants.
ALWAYS = [
    (BEA, "open", "Sales", ANN, ()),
    (BOB, "won", "Sales", ANN, ()),
    (FAY, "open", "Sales", DOV, ()),
    (GUS, "open", "Sales", BEN, ()),
    (PIA, "open", "Partners", EVA, ()),
]
DEALS = {
    "person": [
        *ALWAYS,
        (ADA, "open", "Sales", CAT, ()),
        (ABE, "open", "Sales", CAT, ()),
        (AMY, "open", "Sales", CAT, ()),
    ],
    "conversation": [
        *ALWAYS,
        (ADA, "open", "Sales", CAT, (ABE,)),
        (AMY, "open", "Sales", CAT, ()),
    ],
    "organization": [
        *ALWAYS[1:],
        (ADA, "open", "Sales", CAT, (ABE, AMY)),
        (BEA, "open", "Sales", ANN, (BOB,)),
    ],
}

# By person, how many mails hang on whose deal; "" is none. Our answer with Abe in copy is Ada's.
MAILS = {
    "person": {
        ADA: {ADA: 2},
        ABE: {ABE: 1},
        AMY: {AMY: 5},
        BOB: {BOB: 2, "": 2},  # no mail to what is won
        BEA: {BEA: 5},
        GUS: {GUS: 6, "": 1},  # while it was lost
        PIA: {PIA: 2},
        FAY: {FAY: 3},
    },
}
MAILS["conversation"] = MAILS["person"] | {ABE: {ADA: 1}}
MAILS["organization"] = MAILS["conversation"] | {
    AMY: {ADA: 5},
    BOB: {BOB: 2, "": 1, BEA: 1},  # in June he writes into the deal that is open
}


def test_the_first_half_of_the_year(team: Year) -> None:
    for month, expected in zip(MONTHS, MADE[per(team)], strict=True):
        made = month(team)
        found = tuple(
            made[kind] for kind in ("organizations", "persons", "leads", "deals", "activities")
        )
        assert found == expected, month.__name__

    # All three settings had the same records until February.
    assert team.predicted[1]["deals_per"] == {one: MADE[one][1][3] for one in PERS}
    assert team.deals() == sorted(DEALS[per(team)])
    assert team.mails() == MAILS[per(team)]
    assert [lead for lead in team.leads() if not lead[1]] == []


def test_once_an_owner_has_left_another_takes_the_turn(team: Year) -> None:
    january(team)
    february(team)
    Switches(team.sandbox).deactivate(CAT)
    team.hears("al@acme.com")
    for route in team.config["routes"]:
        if route["name"] == "group":
            route["owner"] = [DOV, EVA]
    team.ends()

    al = team.acts.person_of("al@acme.com")
    assert team.owner(al["owner_id"]) == DOV  # whose turn it is
    assert all(deal[3] == CAT for deal in team.deals())  # what people have is theirs to move
    joined = per(team) == "organization"
    assert any("al@acme.com" in deal[4] for deal in team.deals()) == joined
    assert (("al@acme.com", False) in team.leads()) != joined
