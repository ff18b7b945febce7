"""What proves that a message answers one of ours, and what a stranger could have made up."""

import json
import sys
from collections import Counter
from types import FrameType

import pytest
from letters import ADA, SERVER, facts, other, ours, state, theirs

from daemon.message.subject import base_subject
from daemon.message.traces import QUOTED, SAID, fingerprints, split
from daemon.rules.correspondence import Correspondence
from daemon.rules.reply import CONVERSATION, OurMail

WORDS = "We can deliver three pumps of the new series in the second week of May."
PASSED = facts(authenticated=True)
CAROL = "carol@gmail.com"


def replies(*messages: Correspondence, address: str = ADA, **names: OurMail) -> int:
    named = {f"{name}@ours.example": mail for name, mail in names.items()}
    return state(*messages, address=address, named_ours=named).replies


# From an address that we wrote to


def test_words_of_ours_that_come_back_prove_an_answer_whatever_its_ids() -> None:
    sent = ours(1, facts=facts(said=WORDS))
    assert replies(sent, theirs(2, answers=["x@relay.example"], facts=facts(quoted=WORDS))) == 1
    assert replies(sent, theirs(2, facts=facts(quoted=f"Ada wrote: {WORDS} Kind regards"))) == 1
    assert replies(sent, theirs(2, facts=facts(quoted="Something else that was never ours."))) == 0
    assert replies(sent, theirs(2, facts=facts(said=WORDS))) == 0


def test_a_set_phrase_is_no_proof_but_a_short_text_is() -> None:
    thanks = "Vielen Dank für Ihre Anfrage"
    long = ours(1, facts=facts(said=f"{thanks}, wir liefern drei Pumpen der neuen Baureihe."))
    assert (
        replies(long, theirs(2, facts=facts(quoted=f"{thanks}. Unser Shop hat geschlossen."))) == 0
    )
    short = ours(1, facts=facts(said="Anbei das Angebot."))
    assert (
        replies(short, theirs(2, facts=facts(quoted="Anbei das Angebot. Am 5. 5. schrieb X"))) == 1
    )


def test_words_that_we_wrote_to_somebody_else_prove_nothing() -> None:
    assert replies(theirs(2, facts=facts(quoted=WORDS, authenticated=True))) == 0


@pytest.mark.parametrize(
    ("subject", "passed", "hours", "count"),
    [
        ("AW: Offer", True, 2, 1),
        ("Re: [EXT] offer", True, 2, 1),
        ("AW: Offer", False, 2, 0),  # a subject can be guessed
        ("Offer", True, 2, 0),
        ("Fwd: Offer", True, 2, 0),
        ("AW: Another offer", True, 2, 0),
        ("AW: Offer", True, 24 * 59, 1),
        ("AW: Offer", True, 24 * 62, 0),
        ("AW: Offer", True, -48, 0),  # before we wrote
    ],
)
def test_our_subject_proves_an_answer_where_our_server_authenticated_it(
    subject: str, passed: bool, hours: float, count: int
) -> None:
    answer = theirs(2, subject=subject, hours=hours, facts=facts(authenticated=passed))
    assert replies(ours(1, hours=0, subject="Offer"), answer) == count


def test_a_mail_without_a_subject_is_no_proof() -> None:
    assert replies(ours(1, subject=""), theirs(2, subject="Re:", facts=PASSED)) == 0


def test_a_mail_to_many_may_be_answered() -> None:
    many = ours(1, evidence="too-many-recipients", subject="Invitation", facts=facts(said=WORDS))
    assert replies(many, theirs(2, answers=[1])) == 1
    assert replies(many, theirs(2, facts=facts(quoted=WORDS))) == 1
    assert state(many, theirs(2, answers=[1])).sent_count == 0


def test_the_conversation_of_outlook_is_as_good_as_an_id() -> None:
    mail = other(1, to=ADA)
    answer = theirs(2, conversation="aa")
    named = {CONVERSATION + "aa": mail}
    assert state(ours(1), answer, named_ours=named).replies == 1
    before = theirs(2, conversation="aa", hours=-48)
    assert state(ours(1), before, named_ours=named).replies == 0


def test_the_mail_whose_words_are_quoted_is_the_one_that_is_answered() -> None:
    signature = "Kind regards from all of us in the pump department of Ours Limited"
    first = ours(1, hours=1, facts=facts(said=f"{WORDS} {signature}"))
    others = [
        ours(n, facts=facts(said=f"Number {n} is something else. {signature}")) for n in range(4, 9)
    ]
    answer = theirs(9, hours=3, facts=facts(quoted=f"{WORDS} {signature}"))
    talk = state(*others, first, answer)
    assert [proof.answered for _, proof in talk.proofs] == ["k001"]


def test_a_long_correspondence_costs_one_pass() -> None:
    """Neither a subject nor a signature that all mails share makes each look at each other."""
    same = {"subject": "Offer", "facts": facts(said=WORDS)}
    sent = [ours(n, hours=0, **same) for n in range(3_000)]
    answers = [
        theirs(n, subject="Re: Offer", facts=facts(quoted=WORDS)) for n in range(3_000, 6_000)
    ]
    looked = Counter[str]()

    def trace(_frame: FrameType, event: str, _: object) -> None:
        looked[event] += 1

    sys.setprofile(trace)
    try:
        assert state(*sent, *answers).replies == 3_000
    finally:
        sys.setprofile(None)
    assert looked.total() < 1_000 * 6_000


def test_an_answer_by_words_has_a_response_time() -> None:
    sent = ours(1, hours=1, facts=facts(said=WORDS))
    assert state(sent, theirs(2, hours=3, facts=facts(quoted=WORDS))).avg_response_hours == 2.0


# From an address that we never wrote to


def test_a_colleague_who_answers_counts() -> None:
    assert replies(theirs(2, answers=["a@ours.example"]), a=other(1, to="bo@sub.acme.example")) == 1


def test_a_stranger_who_got_hold_of_an_id_doesnt() -> None:
    answer = theirs(2, answers=["a@ours.example"], subject="Re: Offer", facts=PASSED)
    assert replies(answer, a=other(1, to="bo@other.example", subject="Offer")) == 0


def test_a_public_provider_makes_nobody_a_colleague() -> None:
    answer = theirs(2, answers=["a@ours.example"])
    assert replies(answer, address=CAROL, a=other(1, to="bo@gmail.com")) == 0


def test_who_stood_in_the_mail_that_we_answered_belongs_to_the_conversation() -> None:
    mail = other(1, to="bo@other.example", circle=frozenset({ADA}))
    assert replies(theirs(2, answers=["a@ours.example"]), a=mail) == 1


@pytest.mark.parametrize(("passed", "count"), [(True, 1), (False, 0)])
def test_our_words_and_our_servers_word_prove_it_together(passed: bool, count: int) -> None:
    mail = other(1, facts=facts(said=WORDS, to=["bo@other.example"]))
    answer = theirs(2, answers=["a@ours.example"], facts=facts(quoted=WORDS, authenticated=passed))
    assert replies(answer, a=mail) == count


@pytest.mark.parametrize(
    ("name", "to", "subject", "passed", "count"),
    [
        ("Carol Moser", ("Moser Käse", "kontor@moser-kaese.example"), "AW: Offer", True, 1),
        ("Carol Moser", ("", "kontor@moserkaese.example"), "AW: Offer", True, 1),
        ("Carol Möser", ("Carol Moeser", "cm@big.example"), "AW: Offer", True, 1),
        ("Carol Moser", ("Moser", "a@moser.example"), "AW: Offer", False, 0),
        ("Carol Moser", ("Moser", "a@moser.example"), "Offer", True, 0),
        ("Carol Moser", ("Moser", "a@moser.example"), "AW: Something else", True, 0),
        ("Info Team", ("Info", "info@team.example"), "AW: Offer", True, 0),
        ("Zora Fox", ("Moser", "a@moser.example"), "AW: Offer", True, 0),
    ],
)
def test_a_private_address_counts_by_the_recipients_name(
    name: str, to: tuple[str, str], subject: str, passed: bool, count: int
) -> None:
    mail = other(1, subject="Offer", facts=json.dumps({"to": [list(to)]}))
    answer = theirs(
        2,
        answers=["a@ours.example"],
        name=name,
        subject=subject,
        facts=facts(authenticated=passed),
    )
    assert replies(answer, address="c@gmail.com", a=mail) == count


def test_an_id_of_another_server_authenticates_nothing() -> None:
    foreign = json.dumps({"marks": [f"dmarc-pass:{SERVER}.elsewhere.example"]})
    answer = theirs(2, subject="Re: Offer", facts=foreign)
    assert replies(ours(1, subject="Offer"), answer) == 0


def test_a_form_that_names_a_mail_of_ours_answers_nothing() -> None:
    assert replies(ours(1), theirs(2, answers=[1], way="form")) == 0


# Ours that answer theirs


def test_our_answer_names_theirs_or_is_in_its_conversation() -> None:
    asked = theirs(1, subject="Pumps?", conversation="aa")
    assert replies(asked, ours(2, answers=[1])) == 1
    assert replies(asked, ours(2, conversation="aa")) == 1
    assert replies(asked, ours(2, hours=0, conversation="aa")) == 0
    assert replies(asked, ours(2, subject="AW: Pumps?", conversation="bb")) == 0


@pytest.mark.parametrize(
    ("mail", "count"),
    [
        (ours(2, subject="AW: Pumps?"), 1),
        (ours(2, subject="Re: Re: pumps?"), 1),
        (ours(2, subject="Pumps?"), 0),  # a mail of its own
        (ours(2, subject="Re: Valves?"), 0),
        (ours(2, subject="Re: "), 0),
        (ours(2, hours=0, subject="Re: Pumps?"), 0),  # before theirs
        (ours(2, hours=24 * 61, subject="Re: Pumps?"), 0),  # long after it
        (ours(2, subject="Re: Pumps?", answers=["elsewhere@x.example"]), 0),
        (ours(2, subject="Our offer", facts=facts(quoted=WORDS)), 1),
        (ours(2, hours=0, subject="Our offer", facts=facts(quoted=WORDS)), 0),
        (ours(2, subject="Our offer", facts=facts(quoted="")), 0),
    ],
)
def test_our_answer_without_names_is_told_by_subject_or_words(
    mail: Correspondence, count: int
) -> None:
    asked = theirs(1, subject="Pumps?", facts=facts(said=WORDS))
    assert replies(asked, mail) == count
    other_thing = theirs(3, subject="Something else", facts=facts(said="0" * 128))
    assert replies(other_thing, asked, mail) == count


def test_a_follow_up_without_names_to_our_own_mail_is_no_answer() -> None:
    began = theirs(1, subject="AW: Pumps?")
    assert replies(began, ours(2, subject="Re: Pumps?")) == 0


def test_our_answer_without_names_lifts_what_it_answers() -> None:
    weak = theirs(1, subject="Pumps?", evidence="impersonal")
    assert replies(weak, ours(2, subject="Re: Pumps?")) == 1
    assert replies(weak, ours(2, subject="Our catalogue")) == 0


# Subjects and fingerprints


@pytest.mark.parametrize(
    ("subject", "base", "is_answer", "is_forward"),
    [
        ("Re: Angebot", "angebot", True, False),
        ("AW: AW: [EXT] Angebot", "angebot", True, False),
        ("RE : Devis", "devis", True, False),
        ("Sv: Re[2]: x", "x", True, False),
        ("TR : Fw: a", "a", False, True),
        ("Fwd: a (fwd)", "a", False, True),
        ("Vá: ajánlat", "ajánlat", True, False),
        ("Trả lời: giá", "giá", True, False),
        ("\u56de\u590d\uff1a\u62a5\u4ef7", "\u62a5\u4ef7", True, False),
        ("\u0391\u03a0: x", "x", True, False),
        ("Angebot: 3 Pumpen", "angebot: 3 pumpen", False, False),
        ("Regarding: x", "regarding: x", False, False),
        ("[list]", "[list]", False, False),
        ("Re", "re", False, False),
        ("", "", False, False),
    ],
)
def test_a_base_subject_is_what_a_conversation_shares(
    subject: str, base: str, is_answer: bool, is_forward: bool
) -> None:
    assert base_subject(subject) == (base, is_answer, is_forward)


@pytest.mark.parametrize(
    "text",
    [
        WORDS,
        "Wir liefern drei Pumpen der neuen Baureihe in der zweiten Maiwoche.",
        "Мы можем поставить три насоса новой серии во вторую неделю мая.",
        "来週の火曜日に新しいポンプを三台お届けできますのでよろしくお願いいたします。",
        "我们可以在五月第二周交付三台新系列的泵请您确认收货地址谢谢",
    ],
)
def test_quoted_words_are_known_again_however_they_are_wrapped(text: str) -> None:
    said = split(fingerprints(text, SAID))
    half = len(text) // 2
    wrapped = f"{text[:half]}\n{text[half:]}" if " " not in text else text.replace(" ", "\n ")
    assert said
    assert said & split(fingerprints(f"Am 1. 5. schrieb X: {wrapped}", QUOTED))


def test_fingerprints_are_bounded() -> None:
    text = " ".join(f"word{n} and another{n}" for n in range(100_000))
    assert len(fingerprints(text, SAID)) == 8 * SAID
    assert len(fingerprints(text, QUOTED)) == 8 * QUOTED
    assert fingerprints("", SAID) == fingerprints("a b c d e", SAID) == ""


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "piece", ["Re: ", "[x] ", "Re[1]", "a", "[", " ", "\uff1a", "Re[" * 3, "\u56de\u590d: "]
)
def test_hostile_subjects_are_read_within_bounds(piece: str) -> None:
    for number in range(300):
        assert len(base_subject(f"{number}{piece}" + piece * 10_000).text) <= 400
        assert len(base_subject(piece * 10_000 + str(number)).text) <= 400
