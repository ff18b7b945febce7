"""What one message may do: every reason, by a table, from Messages made by hand."""

import pytest

from daemon.message.address import Address
from daemon.message.candidates import Candidate
from daemon.message.invite import Invite
from daemon.message.localparts import is_no_reply, is_role
from daemon.message.parse import Message
from daemon.message.verdict import SOFT_REASONS, Judgement, Us, Verdict, judge

ADA = Address("Ada", "ada@acme.example")
BOB = Address("Bob", "bob@us.example")
CARL = Address("", "carl@eu.us.example")
US = Us(
    addresses=frozenset({"agency@partner.example"}),
    domains=frozenset({"us.example"}),
    authserv_ids=frozenset({"mx.us.example"}),
    ignored_addresses=frozenset({"pest@nice.example"}),
    ignored_domains=frozenset({"ignored.example"}),
    max_recipients=3,
)
FROM_ADA = Message(
    key="k",
    message_id="1@acme.example",
    answers=(),
    from_=ADA,
    to=(BOB,),
    subject="Question",
    date=None,
    snippet="",
    signals=(),
    invites=(),
    opaque=False,
    thread=None,
    size=1,
    recipients_count=1,
)
FROM_BOB = FROM_ADA._replace(from_=BOB, to=(ADA,))
INVITE = Invite("REQUEST", "u", 0, None, ADA.key, (), None, None, "", None)


def itip(method: str, organizer: str | None = ADA.key) -> tuple[Invite, ...]:
    return (INVITE._replace(method=method, organizer=organizer),)


def at(local: str) -> Address:
    return Address("", f"{local}@acme.example")


def group(address: Address) -> tuple[Candidate, ...]:
    return (Candidate("group", address),)


RECEIVED = [
    ("human", "contact", {}),
    ("human", "contact", {"opaque": True}),
    ("human", "contact", {"invites": itip("REQUEST")}),
    ("human", "contact", {"invites": itip("REQUEST"), "signals": ("auto-submitted",)}),
    ("human", "contact", {"invites": itip("REQUEST", "assistant@acme.example"), "signals": ("auto-submitted",)}),
    ("human", "contact", {"invites": itip("REQUEST", None), "signals": ("auto-submitted",)}),
    ("human", "contact", {"invites": itip("PUBLISH")}),
    ("human", "contact", {"invites": itip("")}),
    ("human", "contact", {"to": ()}),
    ("no-from", "ignored", {"from_": None}),
    ("ignored-address", "ignored", {"from_": Address("", "pest+x@nice.example")}),
    ("ignored-domain", "ignored", {"from_": Address("", "a@ignored.example")}),
    ("ignored-domain", "ignored", {"from_": Address("", "a@mail.ignored.example")}),
    ("human", "contact", {"from_": Address("", "a@notignored.example")}),
    ("dmarc-fail", "evidence", {"signals": ("dmarc-fail:mx.us.example",)}),
    ("human", "contact", {"signals": ("dmarc-fail:mx.evil.example",)}),
    ("report", "evidence", {"signals": ("auto-submitted", "report")}),
    ("bounce", "evidence", {"signals": ("bounce", "empty-return-path")}),
    ("empty-return-path", "evidence", {"signals": ("auto-reply", "empty-return-path")}),
    ("auto-reply", "evidence", {"signals": ("auto-reply", "auto-submitted")}),
    ("auto-submitted", "evidence", {"signals": ("auto-submitted", "list-id")}),
    ("auto-submitted", "evidence", {"invites": itip("REQUEST", "x@y.example"), "signals": ("auto-submitted",)}),
    ("precedence-bulk", "evidence", {"signals": ("list-id", "precedence-bulk", "verp")}),
    ("precedence-bulk", "evidence", {"invites": itip("REQUEST"), "signals": ("precedence-bulk",)}),
    ("list-id", "evidence", {"signals": ("list-id", "verp")}),
    ("human", "contact", {"signals": ("verp",)}),
    ("itip-reply", "evidence", {"invites": itip("REPLY"), "signals": ("auto-submitted", "report")}),
    ("itip-counter", "evidence", {"invites": itip("COUNTER")}),
    ("itip-cancel", "evidence", {"invites": itip("CANCEL")}),
    ("dmarc-fail", "evidence", {"invites": itip("REPLY"), "signals": ("dmarc-fail:mx.us.example",)}),
    ("list-id", "evidence", {"signals": ("list-id", "list-of:l.example", "list-unsubscribe")}),
    ("no-reply-address", "evidence", {"from_": at("no-reply"), "signals": ("list-unsubscribe",)}),
    ("human", "contact", {"signals": ("list-id", "list-of:sales.us.example", "precedence-bulk", "verp")}),
    ("list-id", "evidence", {"signals": ("list-id", "list-of:us.example.evil.example")}),
    ("no-reply-address", "evidence", {"from_": at("no-reply")}),
    ("human", "contact", {"from_": at("info"), "signals": ("asks",)}),
    ("human", "contact", {"from_": at("info")}),
    ("impersonal", "evidence", {"from_": Address("Supplier Team", "tool@supplier.example")}),
    ("human", "contact", {"from_": at("info+7"), "signals": ("says-wants",)}),
]  # fmt: skip
FROM_US = [
    ("from-us-not-in-sent", "ignored", {"to": (CARL, ADA)}),
    ("internal", "ignored", {"to": (CARL,)}),
    ("internal", "ignored", {"to": ()}),
    ("internal", "ignored", {"from_": Address("", "agency@partner.example"), "to": (CARL,)}),
    ("from-us-not-in-sent", "ignored", {"candidates": group(CARL)}),
    ("human", "contact", {"candidates": group(ADA)}),
    ("human", "contact", {"candidates": group(ADA), "signals": ("list-id", "list-unsubscribe", "precedence-bulk")}),
    ("auto-reply", "evidence", {"candidates": group(ADA), "signals": ("auto-reply", "list-id")}),
    ("human", "contact", {"candidates": group(at("office"))}),
    ("ignored-domain", "ignored", {"candidates": group(Address("", "a@ignored.example"))}),
]  # fmt: skip
SENT = [
    ("sent", "contact", {}),
    ("sent", "contact", {"to": (ADA, CARL)}),
    ("sent", "contact", {"invites": itip("REQUEST", BOB.key)}),
    ("sent", "contact", {"signals": ("list-unsubscribe",)}),
    ("internal", "ignored", {"to": (CARL,)}),
    ("internal", "ignored", {"to": (Address("", "pest@nice.example"), Address("", "a@ignored.example"))}),
    ("too-many-recipients", "evidence", {"to": tuple(at(f"p{i}") for i in range(4))}),
    ("sent", "contact", {"to": (CARL, *(at(f"p{i}") for i in range(3)))}),
    ("our-auto-reply", "evidence", {"signals": ("auto-reply",)}),
    ("our-auto-reply", "evidence", {"signals": ("auto-submitted",)}),
    ("our-auto-reply", "evidence", {"signals": ("precedence-bulk",)}),
    ("our-auto-reply", "evidence", {"signals": ("report",)}),
    ("itip-reply", "evidence", {"invites": itip("REPLY")}),
    ("itip-counter", "evidence", {"invites": itip("COUNTER")}),
    ("itip-cancel", "evidence", {"invites": itip("CANCEL", BOB.key)}),
    ("not-ours-in-sent", "ignored", {"from_": ADA}),
    ("no-from", "ignored", {"from_": None}),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "kind", "changes"), RECEIVED)
def test_a_received_message(reason: str, kind: str, changes: dict[str, object]) -> None:
    judgement = judge(FROM_ADA._replace(**changes), in_sent=False, us=US)  # type: ignore[arg-type]  # a table of fields
    assert judgement.verdict == (kind, reason)
    sender = changes.get("from_", ADA)
    expected = Judgement(None, (), judgement.verdict)
    if isinstance(sender, Address):
        expected = Judgement(
            "received", (sender,), judgement.verdict, "from", "from", judgement.signals
        )
    assert judgement == expected


@pytest.mark.parametrize(("reason", "kind", "changes"), FROM_US)
def test_a_message_from_us_that_isnt_in_sent(
    reason: str, kind: str, changes: dict[str, object]
) -> None:
    judgement = judge(FROM_BOB._replace(**changes), in_sent=False, us=US)  # type: ignore[arg-type]  # a table of fields
    assert judgement.verdict == (kind, reason)
    candidates = changes.get("candidates")
    members = [one.address for one in candidates] if isinstance(candidates, tuple) else []
    taken = [member for member in members if not US.is_us(member)]
    assert judgement.parties == tuple(taken)
    assert judgement.direction == ("received" if taken else None)


OUR_ANSWER = {"to": (ADA,), "answers": ("a@acme.example",), "signals": ("answers", "filed")}


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("sent", {}),
        ("sent", {"signals": ("answers", "dmarc-pass:mx.us.example")}),
        ("from-us-not-in-sent", {"answers": ()}),
        ("from-us-not-in-sent", {"signals": ("answers",)}),
        ("from-us-not-in-sent", {"signals": ("answers", "dmarc-pass:mx.evil.example")}),
        ("from-us-not-in-sent", {"signals": ("answers", "auto-reply", "filed")}),
        ("from-us-not-in-sent", {"signals": ("answers", "dmarc-fail:mx.us.example")}),
        ("internal", {"to": (CARL,)}),
        ("human", {"from_": ADA}),
    ],
)
def test_an_answer_of_ours_in_an_inbox_is_sent_if_nobody_else_can_have_put_it_there(
    reason: str, changes: dict[str, object]
) -> None:
    message = FROM_BOB._replace(**{**OUR_ANSWER, **changes})  # type: ignore[arg-type]  # a table of fields
    judgement = judge(message, in_sent=False, us=US)
    assert judgement.verdict.reason == reason
    assert (judgement.direction == "sent") == (reason == "sent")


@pytest.mark.parametrize(("reason", "kind", "changes"), SENT)
def test_a_message_in_sent(reason: str, kind: str, changes: dict[str, object]) -> None:
    message = FROM_BOB._replace(**changes)  # type: ignore[arg-type]  # a table of fields
    judgement = judge(message, in_sent=True, us=US)
    assert judgement.verdict == (kind, reason)
    if reason in {"not-ours-in-sent", "no-from"}:
        assert judgement.direction is None
        assert judgement.parties == ()
    else:
        assert judgement.direction == "sent"
        assert all(not US.is_us(party) and not US.ignores(party) for party in judgement.parties)
        assert bool(judgement.parties) == (reason != "internal")


def test_a_message_in_sent_belongs_to_each_outside_recipient() -> None:
    eve = Address("Eve", "eve@x.example")
    message = FROM_BOB._replace(to=(ADA, CARL, eve))
    assert judge(message, in_sent=True, us=US).parties == (ADA, eve)


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("bob@us.example", True),
        ("bob@eu.us.example", True),
        ("bob@notus.example", False),
        ("bob@us.example.evil.example", False),
        ("agency@partner.example", True),
        ("other@partner.example", False),
        ("bob@us.example@evil.example", False),
        ("us.example", True),  # a bare domain is what is behind the last @
        ("", False),
    ],
)
def test_we_are_our_addresses_and_our_domains_with_their_subdomains(
    address: str, ours: bool
) -> None:
    assert US.is_us(address) is ours


def test_an_address_of_ours_is_ours_with_any_tag_and_in_any_alphabet() -> None:
    us = Us(domains=frozenset({"xn--strae-oqa.example"}), addresses=frozenset({"a@x.example"}))
    assert us.is_us(Address("", "bob@straße.example"))
    assert us.is_us(Address("", "a+news@x.example"))
    assert not us.is_us(Address("", "bob@strasse.example"))


def test_nobody_is_us_without_domains_and_addresses() -> None:
    assert judge(FROM_ADA, in_sent=False, us=Us()).verdict == Verdict("contact", "human")
    assert judge(FROM_BOB, in_sent=True, us=Us()).verdict.reason == "not-ours-in-sent"


def test_soft_reasons_are_reasons_for_evidence() -> None:
    assert {"list-id", "list-unsubscribe", "verp", "no-reply-address"} <= SOFT_REASONS
    assert SOFT_REASONS.isdisjoint({"bounce", "auto-reply", "auto-submitted", "dmarc-fail"})


NO_REPLY = [
    "noreply",
    "no-reply",
    "no_reply",
    "no.reply",
    "noreply123",
    "noreply-shop",
    "shop.no-reply",
    "do-not-reply",
    "donotreply",
    "do_not_reply",
    "acme-donotreply",
    "notifications",
    "notification",
    "alerts",
    "system-alerts",
    "bounce",
    "bounces",
    "bounce-123",
    "mailer-daemon",
    "mailerdaemon",
    "postmaster",
    "newsletter",
    "acme.newsletter",
    "nobody",
    "root",
    "nepasrepondre",
    "ne-pas-repondre",
    "nicht-antworten",
    "nao-responda",
    "non-rispondere",
    "svar-ej",
    "automailer",
    "microsoftexchange329e71ec88ae4615bbc36ab6ce41109e",
    "welcome",
    "invite-notify",
]
ROLES = [
    "info",
    "sales",
    "office",
    "support",
    "contact",
    "hello",
    "team",
    "billing",
    "hr",
    "jobs",
    "press",
    "marketing",
    "kontakt",
    "info-uk",
    "info.de",
    "sales.emea",
    "office.berlin",
    "info2",
    "the.team",
    "it-support",
    "customer.service",
    "buero",
    "büro",
    "vertrieb",
    "verkauf",
    "einkauf",
    "rechnung",
    "accueil",
    "ventas",
    "vendas",
    "vendite",
    "contabilita",
    "klantenservice",
    "kundtjanst",
    "myynti",
    "biuro",
    "obchod",
    "iroda",
    "satis",
    "zakaz",
    "service-center",
    "helpdesk",
]
PEOPLE = ["ada", "ada.lovelace", "a.lovelace", "lovelace", "anna.notify.weber", "noah.reply", "noreen", "norep", "bob-sales", "martin.office", "infa", "infante", "salesman", "saleswoman", "carlos.team", "helen.support", "replyton", "bounceberg", "newsome", "rootes", "systema", "alertson", "juan.no.reyes", "mailer.hans", "postma", "donato.reply", "marco.info", "b.underhill", "hrvoje", "itamar", "pressler", "jobst", "service1.smithers"]  # fmt: skip


@pytest.mark.parametrize("local", NO_REPLY)
def test_a_machine_is_known_by_its_local_part(local: str) -> None:
    assert is_no_reply(local)


@pytest.mark.parametrize("local", ROLES)
def test_a_desk_is_known_by_its_local_part(local: str) -> None:
    assert is_role(local)
    assert not is_no_reply(local)


@pytest.mark.parametrize("local", PEOPLE)
def test_a_person_is_neither_a_machine_nor_a_desk(local: str) -> None:
    assert not is_no_reply(local)
    assert not is_role(local)


@pytest.mark.parametrize("local", ["", "+", "..", "-", "123", "é"])
def test_odd_local_parts_are_nobody(local: str) -> None:
    assert not is_no_reply(local)
    assert not is_role(local)
