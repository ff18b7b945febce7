"""Words that tell a letter from a notice: the name at its end, whose question, until which day."""

import re

import pytest

from daemon.message.letter import is_signed
from daemon.message.localparts import names_the_domain
from daemon.message.programs import program_signals
from daemon.message.text import word_finder
from daemon.message.text_signals import text_signals


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Your order 12 was delivered, two boxes are broken.\n\nJon", "Jon Moss"),
        ("Rechnung 12 stimmt nicht.\n\nMit freundlichen Grüßen\nPetra Lind\nEinkauf", "Petra Lind"),
        ("Rechnung 12 ist fällig.\n\nMfG\nSusi Haas", "Acme Bad"),
        ("Numero ordine 12.\n\nCordiali saluti\nLuca Acme", "Acme Bad"),
        ("Zamówienie 12.\n\nPozdrawiam\nEwa Nowak", "Acme"),
    ],
)
def test_a_letter_ends_with_the_name_of_a_person(text: str, name: str) -> None:
    assert is_signed(text, name, "acme.example")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Your order 12 was delivered.\n\nKind regards\nAcme", "Acme"),
        ("Ihre Bestellung 12.\n\nMit freundlichen Grüßen\nIhr Team von Acme", "Acme"),
        ("Your parcel is on its way.\n\nBest regards\nCustomer Service", "Acme"),
        ("Your invoice 12 is attached.", "Acme"),
        ("Hello Petra,", "Acme"),
        ("Petra, you have 3 tasks that are due today.", "Acme"),
        ("Objednávka 12.\n\nS pozdravom\nTím Acme", "Acme"),
        ("Veuillez trouver ci-joint l'avoir 12.\n\nAcme du Nord", "Acme du Nord"),
        ("Jäsenkirje 10.\n\nTerveisin\nToimisto", "Acme"),
        ("", ""),
    ],
)
def test_a_notice_ends_with_the_name_of_a_firm_or_nobody(text: str, name: str) -> None:
    assert not is_signed(text, name, "acme.example")


@pytest.mark.parametrize(
    ("name", "domain", "is_firm"),
    [
        ("Papeterie du Centre", "papeterie-centre.example", True),
        ("Acme Supplier Management", "acme-ag.example", True),
        ("Maison de la Presse", "maisonpresse.example", True),
        ("Ada de Vries", "acme-ag.example", False),
        ("Ag Ekman", "pump-ag.example", False),
    ],
)
def test_articles_and_legal_forms_hide_no_firm(name: str, domain: str, *, is_firm: bool) -> None:
    assert names_the_domain(name, domain) is is_firm


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("What does the pump cost?", True),
        ("You no longer wish to receive this? Click here.", False),
        ("Sie möchten keine weiteren Informationen erhalten? Hier abmelden.", False),
        ("You no longer wish to receive this? Then tell me. What does the pump cost?", True),
    ],
)
def test_how_to_unsubscribe_is_no_question_of_the_author(text: str, *, asks: bool) -> None:
    assert ("asks" in set(text_signals(text, ""))) is asks


@pytest.mark.parametrize(
    ("text", "names_a_day"),
    [
        ("Ich bin bis zum 14.11. unterwegs.", True),
        ("We are 9 people; I am back 3rd of May", True),
        ("12-én vagyok", True),
        ("出張中、17日まで", True),
        ("Room 12, not 14.", False),
        ("untilled 3 acres", False),
        ("I am away.\nBACK ON 9 November.", True),
        ("ZURÜCK AM 14.11.", True),
        ("Olen poissa 14.11. saakka", True),
        ("We met until late.\n9 of us stayed.", False),
        ("Back soon.", False),
    ],
)
def test_a_day_until_when_somebody_is_away(text: str, *, names_a_day: bool) -> None:
    assert ("names-a-day" in set(text_signals(text, ""))) is names_a_day


@pytest.mark.parametrize(
    ("field", "for_mailings"),
    [
        ("x-acme-campaign-id", True),
        ("x-newsletter-run", True),
        ("x-subscriber", True),
        ("x-mailing-id", True),
        ("x-mailing-list", False),
        ("list-unsubscribe", False),
        ("x-acme-id", False),
    ],
)
def test_a_field_may_say_by_its_name_that_a_mail_goes_to_many(
    field: str, *, for_mailings: bool
) -> None:
    assert ("campaign" in set(program_signals({field: ["1"]}))) is for_mailings


@pytest.mark.parametrize("characters", [r"\w", r"[^\W_]", r"[^\W\d_]", r"[^\s,;:|/()&·•]"])
@pytest.mark.parametrize("rest", ["", "é", "日本 x", "\u2028"])
def test_words_are_those_that_the_expression_finds(characters: str, rest: str) -> None:
    every = "".join(f"a{chr(code)}b9 {chr(code)}_" for code in range(128)) + rest

    assert word_finder(characters)(every) == re.findall(f"{characters}+", every)
