"""The client against the sandbox: its prices, its limits, its lists and each of its faults."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import requests
from acts import Acts
from notify_socket import eventually

from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import PRICES, Call
from daemon.pipedrive.outcomes import (
    Blocked,
    BudgetSpent,
    Capped,
    Gone,
    Moved,
    NotSent,
    Refused,
    TooMany,
    Unknown,
)
from daemon.sandbox.crm import Fault, Sandbox, SandboxAdapter, Server, Settings
from daemon.sandbox.crm.core import ROUTER
from daemon.sandbox.crm.faults import Kind
from daemon.sandbox.crm.settings import DEFAULT_TOKEN

URL = "http://127.0.0.1:8080"  # mounted, nothing listens there
CREATE = Call.to("persons.create", body={"name": "Ada Example"})


class Company:
    """A sandbox and a client of it that share one clock, which only their sleep moves."""

    def __init__(self, settings: Settings) -> None:
        self.now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC).timestamp()
        self.sandbox = Sandbox(settings=settings, clock=lambda: self.now)
        self.acts = Acts(self.sandbox)
        self.session = requests.Session()
        self.session.mount(URL, SandboxAdapter(self.sandbox, sleep=self.sleep))
        self.client = Client(
            URL,
            lambda: DEFAULT_TOKEN,
            plan=settings.plan,
            session=self.session,
            clock=lambda: self.now,
            sleep=self.sleep,
            wall=lambda: datetime.fromtimestamp(self.now, UTC),
        )

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def statuses(self) -> list[int]:
        return [logged.status for logged in self.sandbox.requests]


@pytest.fixture
def company() -> Iterator[Callable[..., Company]]:
    made: list[Company] = []

    def make(**settings: object) -> Company:
        made.append(Company(Settings(**settings)))  # type: ignore[arg-type] # typed where given
        return made[-1]

    yield make
    for one in made:
        one.session.close()
        one.sandbox.close()


Made = Callable[..., Company]


@pytest.mark.parametrize("kind", PRICES)
def test_the_sandbox_knows_each_call_and_asks_the_same_price(kind: str) -> None:
    price = PRICES[kind]
    ids = ["1", "2"][: price.path.count("{}")]
    call = Call.to(kind, *ids)
    found = ROUTER.find(call.method, call.path)
    assert found is not None
    assert (found[0].tokens, found[0].is_search) == (call.cost, call.is_search)


def test_what_we_count_is_what_the_sandbox_counts(company: Made) -> None:
    ours = company()
    for _ in range(3):
        ours.client.send(CREATE)
    ours.client.send(Call.to("persons.search", query={"term": "Ada"}))
    list(ours.client.pages(Call.to("leads.list")))
    assert ours.client.budget.spent == ours.sandbox.usage().tokens == 15 + 20 + 20
    assert ours.client.budget.remaining() == ours.sandbox.usage().budget - 55


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault("drop", "before"), Unknown),
        (Fault("drop", "after"), Unknown),
        (Fault("reset", "before"), Unknown),
        (Fault("reset", "after"), Unknown),
        (Fault("timeout", "before", seconds=0.2), Unknown),
        (Fault("timeout", "after", seconds=0.2), Unknown),
        (Fault("error", "before", status=500), Unknown),
        (Fault("error", "after", status=502), Unknown),
        (Fault("truncate"), Unknown),
        (Fault("short"), Unknown),
        (Fault("unsuccessful", "before"), Unknown),
        (Fault("unsuccessful", "after"), Unknown),
        (Fault("rate_limit"), TooMany),
        (Fault("blocked"), Blocked),
        (Fault("refuse", status=402), Capped),
        (Fault("refuse", status=403), Capped),
        (Fault("redirect"), Moved),
        (Fault("shape", "before", shape="empty"), Unknown),
        (Fault("shape", shape="empty"), Unknown),
        (Fault("shape", shape="html"), Unknown),
        (Fault("shape", shape="bare"), Unknown),
        (Fault("shape", shape="array"), Unknown),
    ],
)
@pytest.mark.parametrize("mounted", [True, False], ids=["adapter", "socket"])
def test_a_broken_create_says_whether_it_may_be_repeated(
    company: Made, fault: Fault, raised: type, mounted: bool
) -> None:
    """Whenever the work was done all the same, the error is one that asks for a look first."""
    ours = company()
    ours.sandbox.faults.add(fault)
    if mounted:
        with pytest.raises(raised) as caught:
            ours.client.send(CREATE)
    else:
        waits = (10, 0.2 if fault.kind == "timeout" else 10)
        with Server(ours.sandbox) as server:
            client = Client(server.url, lambda: DEFAULT_TOKEN, plan="growth", timeout=waits)
            with pytest.raises(raised) as caught:
                client.send(CREATE)
            client.close()
            # We may have given up before the work was done.
            eventually(lambda: len(ours.sandbox.requests) == 1)
    assert type(caught.value) is raised
    assert len(ours.acts.every("persons")) == int(fault.works)
    assert not (fault.works and isinstance(caught.value, NotSent))


def test_every_fault_of_the_sandbox_is_tried_above() -> None:
    tried = {"drop", "reset", "timeout", "error", "truncate", "short", "unsuccessful",
             "rate_limit", "blocked", "slow", "refuse", "redirect", "shape"}  # fmt: skip
    assert tried == set(Kind.__args__)  # type: ignore[attr-defined] # a Literal has its values there


def test_a_slow_answer_is_waited_for(company: Made) -> None:
    ours = company()
    ours.sandbox.faults.add(Fault("slow", seconds=30))
    assert ours.client.send(CREATE).status == 200


@pytest.mark.parametrize("kind", ["drop", "reset", "error", "truncate", "short", "rate_limit"])
def test_a_read_gets_over_two_faults(company: Made, kind: Kind) -> None:
    ours = company()
    person = ours.acts.add_person("Ada Example")
    ours.sandbox.faults.add(Fault(kind, count=2))
    assert ours.client.send(Call.to("persons.read", person)).data["name"] == "Ada Example"


@pytest.mark.parametrize("plan", ["lite", "growth", "premium", "ultimate"])
def test_a_long_push_meets_no_429(company: Made, plan: str) -> None:
    ours = company(plan=plan)
    for _ in range(300):
        ours.client.send(CREATE)
        ours.sleep(0.003)
    assert set(ours.statuses()) == {200}


def test_a_row_of_searches_meets_no_429(company: Made) -> None:
    ours = company(plan="ultimate")
    for _ in range(35):
        ours.client.send(Call.to("persons.search", query={"term": "Ada"}))
        ours.client.send(CREATE)
    assert set(ours.statuses()) == {200}


def test_a_wrong_plan_is_corrected_by_the_headers(company: Made) -> None:
    ours = company(plan="ultimate", burst_requests=20)
    for _ in range(100):
        ours.client.send(CREATE)
    assert set(ours.statuses()) == {200}


def test_the_days_budget_ends_before_the_server_has_to_say_so(company: Made) -> None:
    ours = company(daily_tokens=23)
    for _ in range(4):
        ours.client.send(CREATE)
    with pytest.raises(BudgetSpent) as caught:
        ours.client.send(CREATE)
    assert caught.value.resets_at == datetime(2026, 11, 25, tzinfo=UTC)
    assert ours.statuses() == [200] * 4
    ours.sleep(12 * 3600)
    ours.client.send(CREATE)


def test_what_other_integrations_spend_is_respected(company: Made) -> None:
    ours = company(daily_tokens=1000)
    ours.client.send(CREATE)
    ours.sandbox.spend_elsewhere(980)
    ours.client.send(CREATE)
    assert ours.client.budget.remaining() == 10
    ours.sandbox.spend_elsewhere(500)
    for _ in range(2):
        with pytest.raises(BudgetSpent):
            ours.client.send(CREATE)
    assert ours.statuses() == [200, 200, 429]


def test_a_budget_that_only_429s_tell_of_is_understood_without_being_shut_out(
    company: Made,
) -> None:
    ours = company(daily_tokens=10, daily_headers=False, hammer_after=20)
    for _ in range(2):
        ours.client.send(CREATE)
    for _ in range(10):
        try:
            ours.client.send(CREATE)
        except BudgetSpent:
            break
        except TooMany as problem:
            ours.sleep(problem.after or 0)
    else:
        pytest.fail("never took it for the end of the day")
    assert ours.statuses() == [200, 200, *[429] * 6]


def test_a_cap_of_the_plan_is_a_refusal_with_its_code(company: Made) -> None:
    ours = company(open_cap=0)
    with pytest.raises(Capped) as caught:
        ours.client.send(Call.to("deals.create", body={"title": "Deal"}))
    assert caught.value.code.startswith("feature_capping")


def test_a_strict_schema_is_a_refusal_in_the_apis_own_words(company: Made) -> None:
    ours = company()
    with pytest.raises(Refused, match="nme") as caught:
        ours.client.send(Call.to("persons.create", body={"nme": "Ada"}))
    assert (caught.value.status, caught.value.code) == (400, "ERR_SCHEMA_VALIDATION_FAILED")


def test_a_record_that_never_was_is_gone(company: Made) -> None:
    with pytest.raises(Gone):
        company().client.send(Call.to("deals.read", 404))


@pytest.mark.parametrize("wrapped", [True, False])
def test_lists_of_both_versions_come_whole(company: Made, wrapped: bool) -> None:
    ours = company(lead_pages_wrapped=wrapped)
    people = [ours.acts.add_person(f"Person {n}") for n in range(7)]
    leads = {ours.acts.add_lead(f"Lead {n}", person_id=people[0]) for n in range(7)}
    small = {"limit": 3}
    persons = [
        p["id"] for page in ours.client.pages(Call.to("persons.list", query=small)) for p in page
    ]
    assert sorted(persons) == people
    seen = [
        row["id"] for page in ours.client.pages(Call.to("leads.list", query=small)) for row in page
    ]
    assert len(seen) == 7
    assert set(seen) == leads


@pytest.mark.parametrize(
    "kind",
    ["person_fields.list", "deal_fields.list", "pipelines.list",
     "stages.list", "users.list", "activity_types.list", "deals.archived", "leads.archived"],
)  # fmt: skip
def test_each_list_takes_the_page_size_that_we_ask_for(company: Made, kind: str) -> None:
    ours = company()
    list(ours.client.pages(Call.to(kind)))
    assert ours.statuses() == [200]
