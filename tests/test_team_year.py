"""A year of a team of five ends in the records that the rules say, for each setting of `deals.per`.

Three mailboxes, two pipelines, a group address, a form, colleagues in one thread, a meeting, deals that
people win, lose and reopen, an owner who leaves, people in copy, a bounce, tasks to answer, and a
Slack-like receiver that is down for a day. What there should be is worked out by `team_oracle`,
which shares no code with the program; every day is rehearsed first, and the dry run has to say what
is made to the last token.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from team import ANN, BEN, CAT, SALES, Year, year

from daemon.sandbox.imap_server import installed

# Customers: three colleagues, two of another firm, one who is lost and found, a partner, a visitor.
ADA, ABE, AMY = "ada@acme.com", "abe@acme.com", "amy@acme.com"
BOB, BEA, GUS = "bob@beta.com", "bea@beta.com", "gus@gamma.com"
PIA, FAY, LEO = "pia@partner.example", "fay@gmail.com", "leo@lawyer.com"
HAL, AL, KIM = "hal@hotel.com", "al@acme.com", "kim@kilo.com"
MIA = "mia@mike.com"


def january(team: Year) -> None:
    """First mails: one to the group address, one to Ann, and what no person wrote."""
    team.seen["ada"] = team.hears(ADA)
    team.seen["bob"] = team.hears(BOB, ANN)
    team.hears("news@shop.example", extra="List-Id: <news.shop.example>\r\n", counts=False)


def february(team: Year) -> None:
    """The team answers Ada with Abe in copy, Abe answers in the thread, Amy writes for herself."""
    answer = team.writes(SALES, ADA, answers=team.seen["ada"], cc=ABE)
    team.hears(ABE, answers=answer)
    team.hears(AMY)
    team.form(FAY)


def march(team: Year) -> None:
    """Ann answers Bob, Gus writes five times to Ben, a partner talks with Ann, and Mia asks her."""
    team.hears(MIA, ANN)
    team.writes(ANN, BOB, answers=team.seen["bob"])
    for _ in range(5):
        team.hears(GUS, BEN)
    first = team.hears(PIA, ANN)
    team.writes(ANN, PIA, answers=first)


def april(team: Year) -> None:
    """Bob's deal is won, Gus' is lost; both write again; Amy's fifth mail; Ann invites Mia."""
    team.meets(ANN, MIA, "Demo", accepted=False)
    team.closes(BOB, "win")
    team.closes(GUS, "lose")
    team.hears(BOB, ANN)
    team.hears(GUS, BEN)
    for _ in range(4):
        team.hears(AMY)


def may(team: Year) -> None:
    """Gus' deal is reopened; a colleague of Bob's gets engaged, her lawyer in copy; Mia accepts."""
    team.meets(ANN, MIA, "Demo", accepted=True)
    team.closes(GUS, "reopen")
    team.hears(GUS, BEN)
    for _ in range(4):
        team.hears(BEA, ANN)
    team.seen["bea"] = team.hears(BEA, ANN, cc=LEO)


def june(team: Year) -> None:
    """Bob writes once more; Fay answers our answer to what she filled in."""
    team.hears(BOB, ANN)
    answer = team.writes(SALES, FAY)
    team.hears(FAY, answers=answer)


def july(team: Year) -> None:
    """The chat is down for a day; somebody new writes, and the lawyer in Bea's thread."""
    team.chat.down = True
    team.hears(HAL)
    team.hears(LEO, ANN, answers=team.seen["bea"])


def august(team: Year) -> None:
    """Cat leaves the team; one more of Acme writes, and the guest of July once more."""
    team.chat.down = False
    team.leaves(CAT)
    team.hears(AL)
    team.hears(HAL)


def september(team: Year) -> None:
    """Ben's answer to Gus comes back for good; Ada's deal is lost."""
    team.bounces(team.writes(BEN, GUS), GUS, BEN)
    team.closes(ADA, "lose")
    team.hears(ABE)


def october(team: Year) -> None:
    """Ada writes although her deal is lost; a visitor of the form whom nobody knows."""
    team.hears(ADA)
    team.form(KIM)


def november(team: Year) -> None:
    """Ada's deal is reopened, Gus writes from the address that came back, Hal gets engaged."""
    team.closes(ADA, "reopen")
    team.hears(ADA)
    team.hears(GUS, BEN)
    for _ in range(3):
        team.hears(HAL)


def december(team: Year) -> None:
    """All that waits is answered."""
    for sender, who in ((SALES, HAL), (SALES, ADA), (BEN, GUS), (ANN, LEO), (SALES, KIM)):
        team.writes(sender, who)
    team.closes(HAL, "win")


MONTHS: tuple[Callable[[Year], None], ...] = (
    *(january, february, march, april, may, june),
    *(july, august, september, october, november, december),
)


@pytest.fixture
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Year]:
    if "dovecot" not in installed():
        pytest.skip("Dovecot 2.3 isn't installed")
    with year(tmp_path, deals={"per": request.param}) as opened:
        yield opened


@pytest.mark.parametrize(
    "team",
    ["person", "organization", pytest.param("conversation", marks=pytest.mark.long)],
    indirect=True,
)
def test_the_year_ends_as_the_rules_say(team: Year) -> None:
    for month in MONTHS:
        month(team)
        team.ends(days=1 if month is july else 20)
    assert team.chat.taken.keys() == team.hook.taken.keys()
    assert team.chat.doubles == team.hook.doubles == 0


@pytest.mark.parametrize(
    "team",
    [
        "organization",
        *(pytest.param(one, marks=pytest.mark.long) for one in ("person", "conversation")),
    ],
    indirect=True,
)
def test_nothing_is_there_twice_through_kills_and_lost_answers(team: Year) -> None:
    team.rough = True
    for month in MONTHS[:6]:
        month(team)
        team.ends()
    assert team.chat.taken.keys() == team.hook.taken.keys()
