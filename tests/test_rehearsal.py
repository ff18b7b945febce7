"""A dry run predicts exactly what the real run then makes, and writes nothing anywhere."""

import json
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_kit import Desk, clock, days_ago, desk
from company_kit import MAILS, NOW, Office, office
from correspondence import generate
from oracle import expect
from snapshots import snapshot
from test_rehearsal_page import found

from daemon.cli.catch_up import catch_up
from daemon.cli.dry_run import dry_run
from daemon.errors import Rejected
from daemon.ledger.store import Ledger
from daemon.pipedrive.costs import PRICES, Call
from daemon.pipedrive.read_only import ReadOnlyClient
from daemon.rehearsal.remote import price
from daemon.sandbox.company import Scenario
from daemon.sandbox.crm import Sandbox
from daemon.sync import approve

KINDS = ("organizations", "persons", "leads", "deals", "activities")


@pytest.fixture(scope="module")
def everything() -> Iterator[Office]:
    """A company with every kind of mail that the generator knows, in four folders."""
    with office(generate(11, MAILS // 2, now=NOW), "auto") as running:
        yield running


@pytest.fixture
def office_desk(everything: Office, tmp_path: Path) -> Iterator[Desk]:
    with desk(everything, tmp_path) as opened:
        yield opened


def rehearse(
    at: Desk, capsys: pytest.CaptureFixture[str], since: datetime | None = None, **more: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `--dry-run --json` says, and what its sandbox held at the end."""
    held: list[dict[str, Any]] = []
    capsys.readouterr()
    status = dry_run(
        at.wiring(),
        since=since,
        mailbox=None,
        sync_only=False,
        as_json=True,
        html=more.get("html"),
        watch=lambda sandbox: held.append(snapshot(sandbox)),
    )
    assert status == 0
    return json.loads(capsys.readouterr().out), held[0]


def run(at: Desk, since: datetime | None = None, *, approved: bool = False) -> dict[str, Any]:
    """What the real run does, seen from the sandbox that plays the real Pipedrive."""
    if approved:
        with Ledger.open(at.ledger) as ledger, ledger.transaction("approve"):
            approve(ledger, "mail2deal approve", None, clock())
    before = {kind: len(at.acts.every(kind, deleted=True)) for kind in KINDS}
    tokens = at.sandbox.usage(clock().date().isoformat()).tokens
    converted = conversions(at.sandbox)
    wiring = at.wiring()
    status = catch_up(
        wiring,
        since=since,
        mailbox=None,
        intake_only=False,
        sync_only=False,
        limit=wiring.safety_limit(),
    )
    assert status == 0
    return {
        "create": {kind: len(at.acts.every(kind, deleted=True)) - before[kind] for kind in KINDS},
        "tokens": at.sandbox.usage(clock().date().isoformat()).tokens - tokens,
        "conversions": conversions(at.sandbox) - converted,
    }


def conversions(sandbox: Sandbox) -> int:
    return sum(logged.path.endswith("/convert/deal") for logged in sandbox.writes())


def people_before_us(at: Desk, scenario: Scenario) -> None:
    """A CRM that isn't empty: known people, an organization, a deal, two pages of others."""
    expected = expect(scenario)
    known = sorted(a for a in expected.deals if expected.senders[a].organization)
    domain = expected.senders[known[0]].organization
    organization = at.acts.add_organization("Known by its website", website=f"https://{domain}/")
    first = at.acts.add_person("Known Already", known[0], org_id=organization)
    at.acts.add_deal("Old business", person_id=first)
    for number, address in enumerate([*known[1:4], min(expected.leads)]):
        at.acts.add_person(f"Known {number}", address)
    for number in range(510):
        at.acts.add_person(f"Somebody {number}", f"somebody{number}@elsewhere.example")


def test_a_dry_run_predicts_objects_activities_and_tokens_to_the_last_one(
    office_desk: Desk, everything: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    people_before_us(office_desk, everything.scenario)
    first_part = days_ago(90)
    for since in (first_part, None):  # the second time leads have become deals
        predicted, held = rehearse(office_desk, capsys, since)
        made = run(office_desk, since)

        assert {name: predicted[name] for name in made} == made
        if since is not None:  # later the stage has no copy of earlier activities' content
            assert held == snapshot(office_desk.sandbox)
            shutil.copy(office_desk.ledger, office_desk.home / "old.db")
    assert made["conversions"] > 0
    assert predicted["tokens"] == sum(one["tokens"] for one in predicted["tokens_by_call"])

    assert_documented_shape(predicted)
    nothing, _ = rehearse(office_desk, capsys)
    assert (nothing["tokens"], set(nothing["create"].values())) == (0, {0})

    # A ledger restored from an old backup recognises what it has done since.
    shutil.copy(office_desk.home / "old.db", office_desk.ledger)
    predicted, _ = rehearse(office_desk, capsys)
    made = run(office_desk)
    assert {name: predicted[name] for name in made} == made
    assert set(made["create"].values()) == {0}


def assert_documented_shape(predicted: dict[str, Any]) -> None:
    assert list(predicted) == list(found())
    assert list(predicted["create"]) == list(KINDS)
    assert len(predicted["important"]) == 20
    assert predicted["important"][0]["what"] in {"new deal", "lead becomes a deal"}
    assert {"reason", "words", "messages", "examples"} == set(predicted["left_out"][0])


def test_not_one_write_leaves_the_machine_and_nothing_is_kept(
    office_desk: Desk, everything: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    people_before_us(office_desk, everything.scenario)
    dry_run(
        office_desk.wiring(), since=None, mailbox=None, sync_only=False, as_json=True, html=None
    )
    told = capsys.readouterr()
    predicted = json.loads(told.out)

    assert told.err.startswith("a rehearsal: nothing is written; reading Pipedrive by listing")
    methods = {logged.method for logged in office_desk.sandbox.requests_after(0)}
    assert methods == {"GET"}
    assert office_desk.writes() == 0
    assert not office_desk.ledger.exists()
    spent = office_desk.sandbox.usage(clock().date().isoformat()).tokens
    assert predicted["read"]["tokens"] == spent == price({"person": 515}) == price({}) + 10


def test_the_ledger_of_a_running_service_is_left_as_it_is(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    run(office_desk, days_ago(20))
    before = office_desk.ledger.read_bytes()

    rehearse(office_desk, capsys)

    assert office_desk.ledger.read_bytes() == before


@pytest.mark.parametrize("kind", sorted(k for k, p in PRICES.items() if p.method != "GET"))
def test_the_rehearsals_client_refuses_every_write_in_code(kind: str) -> None:
    client = ReadOnlyClient("http://127.0.0.1:9", lambda: "token", plan="lite")
    ids = ["1"] * PRICES[kind].path.count("{}")

    with pytest.raises(Rejected, match="never writes"):
        client.send(Call.to(kind, *ids, body={}))


def test_a_mailbox_that_is_away_is_told_and_the_rest_is_rehearsed(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    document = yaml.safe_load(office_desk.config.read_text())
    office_desk.change(mailboxes=[document["mailboxes"][0] | {"port": 1}])

    status = dry_run(
        office_desk.wiring(), since=None, mailbox=None, sync_only=False, as_json=True, html=None
    )

    told = capsys.readouterr()
    found = json.loads(told.out)
    assert status == 75
    assert len(found["problems"]) == 1
    assert found["problems"][0] in told.err
    assert set(found["create"].values()) == {0}


def test_a_rehearsal_that_is_stopped_leaves_nothing_behind(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    wiring = office_desk.wiring()
    wiring.stop.set()  # as ^C does

    status = dry_run(wiring, since=None, mailbox=None, sync_only=False, as_json=True, html=None)

    told = capsys.readouterr()
    assert (status, told.out) == (75, "")
    assert "nothing was written" in told.err
    assert office_desk.writes() == 0
    assert not office_desk.ledger.exists()


def test_what_a_changed_configuration_makes_is_shown_before_it_is_made(
    office_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    run(office_desk, days_ago(90))
    writes = office_desk.writes()
    office_desk.change(engagement={"deal_at_messages": 2})

    predicted, _ = rehearse(office_desk, capsys, days_ago(90))
    assert office_desk.writes() == writes
    assert "the changed configuration would newly make" in predicted["asks"]
    # Consent before anything is known of it covers what is planned within a day.
    made = run(office_desk, days_ago(90), approved=True)

    assert made["conversions"] > 0
    assert {name: predicted[name] for name in made} == made
    assert run(office_desk, days_ago(90))["create"] == dict.fromkeys(KINDS, 0)
