"""Snippets: the sender's own words, short, safe, and within bounds whatever comes in."""

import tracemalloc
import unicodedata

import pytest

# ruff: noqa: RUF001  words of other languages
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.message.body import says_nothing, snippet
from daemon.message.text import one_line

TEXT = "Hello Bob,\n\ncan we talk on Monday?"
MB = 1 << 20

INTRODUCTIONS = [
    "On Mon, 23 Nov 2026 at 10:00, Bob <bob@us.example> wrote:",
    "On Mon, 23 Nov 2026 at 10:00, Bob <\nbob@us.example> wrote:",
    "On Mon, 23 Nov 2026 at 10:00, Bob\n<bob@us.example>\nwrote:",
    "Am 23.11.2026 um 10:00 schrieb Bob:",
    "Am Mo., 23. Nov. 2026 um 10:00 Uhr schrieb Bob <\nbob@us.example>:",
    "Le lun. 23 nov. 2026 à 10:00, Bob <bob@us.example> a écrit :",
    "El lun, 23 nov 2026 a las 10:00, Bob (<bob@us.example>) escribió:",
    "Il giorno lun 23 nov 2026 alle ore 10:00 Bob <bob@us.example>\nha scritto:",
    "Em seg., 23 de nov. de 2026 às 10:00, Bob <bob@us.example> escreveu:",
    "Op ma 23 nov 2026 om 10:00 schreef Bob <bob@us.example>:",
    "Den mån 23 nov. 2026 kl 10:00 skrev Bob <bob@us.example>:",
    "W dniu 23.11.2026 o 10:00, Bob pisze:",
    "pon., 23 lis 2026 o 10:00 Bob <bob@us.example> napisał(a):",
    "Dne 23.11.2026 v 10:00 Bob napsal(a):",
    "ma 23. marrask. 2026 klo 10.00 Bob (bob@us.example) kirjoitti:",
    "Bob <bob@us.example> ezt írta (időpont: 2026. nov. 23., H, 10:00):",
    "пн, 23 нояб. 2026 г. в 10:00, Bob <bob@us.example>:",
    "23.11.2026 10:00, Bob пишет:",
    "2026年11月23日 10:00，Bob <bob@us.example> 写道：",
    "-----Original Message-----",
    "-------- Forwarded Message --------",
    "---------- Forwarded message ---------",
    "Begin forwarded message:",
    "________________________________",
    "From: Bob <bob@us.example>\nSent: Monday, 23 November 2026 10:00\nTo: Ada\nSubject: x",
    "*From:* Bob\n*Date:* Monday\n*To:* Ada",
    "Von: Bob\nGesendet: Montag, 23. November 2026 10:00\nAn: Ada\nBetreff: x",
    "De : Bob\nEnvoyé : lundi 23 novembre 2026 10:00\nÀ : Ada\nObjet : x",
    "De: Bob\nEnviado el: lunes, 23 de noviembre de 2026\nPara: Ada\nAsunto: x",
    "Da: Bob\nInviato: lunedì 23 novembre 2026\nA: Ada\nOggetto: x",
    "发件人: Bob\n发送时间: 2026年11月23日\n收件人: Ada\n主题: x",
    "--",
    "-- ",
    "Sent from my iPhone",
    "Von meinem iPhone gesendet",
    "Get Outlook for iOS",
]  # fmt: skip


@pytest.mark.parametrize("introduction", INTRODUCTIONS)
def test_what_is_below_the_senders_own_words_is_left_out(introduction: str) -> None:
    plain = f"{TEXT}\n\n{introduction}\nold text\n> older text\n"
    assert snippet(plain, None, 500) == TEXT


@pytest.mark.parametrize("introduction", INTRODUCTIONS[:17])
def test_an_introduction_right_below_the_text_takes_no_line_of_it(introduction: str) -> None:
    assert snippet(f"{TEXT}\n{introduction}\n> old\n", None, 500) == TEXT


@pytest.mark.parametrize("introduction", INTRODUCTIONS[:10])
def test_an_answer_below_its_quotation_is_found(introduction: str) -> None:
    assert snippet(f"{introduction}\n> old\n>\n> older\n\n{TEXT}\n", None, 500) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "The plan:\nfirst this, then that.",
        "On Monday we met; Bob wrote: nothing.",
        "We have 3 options:\n- a\n- b",
        "From: what I hear, it is fine.\nGood.",
        "Price > 5 and < 7",
        "2026/11/23 is the day",
        "----\nnot a signature",
        "Sentences sent from my heart",
    ],
)
def test_a_persons_text_isnt_taken_for_a_quotation(text: str) -> None:
    assert snippet(text, None, 500) == text


def test_answers_between_quoted_lines_are_all_kept() -> None:
    plain = "> When?\nMonday.\n\n> Where?\nHere.\n"
    assert snippet(plain, None, 500) == "Monday.\n\nHere."


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        (None, ""),
        ("", ""),
        (" \n\t\r\n", ""),
        ("> only\n> quoted\n", ""),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("a \t\u00a0\u2003 b", "a b"),
        ("e\u0301", "é"),
        ("a\u200b\u202eb\ufeff\u2066c", "abc"),
        ("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07", "red link"),
        ("a\x00b\x9cc\x7f", "a b c"),
        ("\ud800x", "\ufffdx"),
        ("👩\u200d💻", "👩\u200d💻"),
    ],
)
def test_a_text_is_folded_and_made_safe(plain: str | None, expected: str) -> None:
    assert snippet(plain, None, 500) == expected


def test_a_long_text_ends_at_a_word_with_an_ellipsis() -> None:
    assert snippet("word " * 200, None, 52) == "word word word word word word word word word word…"
    assert snippet("x" * 200, None, 10) == "x" * 9 + "…"
    assert snippet("x" * 10, None, 10) == "x" * 10
    assert snippet("xyz", None, 1) == "…"


@pytest.mark.parametrize("below", ["", "\n\nYes.", "\n\nSent from my iPhone", "\n-- \nBob"])
@pytest.mark.parametrize("above", ["", "Yes.\n\n", "Sent from my iPhone\n\n", " \t\n\n"])
def test_a_text_says_something_exactly_if_it_has_a_snippet(above: str, below: str) -> None:
    for introduction in INTRODUCTIONS:
        text = f"{above}{introduction}\n> Can we talk?{below}"
        assert says_nothing(text) is (not snippet(text, None, 100))


def test_no_snippet_is_no_work() -> None:
    plain, html = "x" * MB, "<p>" * MB
    tracemalloc.start()
    assert snippet(plain, html, 0) == ""
    assert tracemalloc.get_traced_memory()[1] < 10_000
    tracemalloc.stop()


def test_empty_lines_at_the_top_hide_nothing() -> None:
    assert snippet("\n" * 3_000 + TEXT, None, 500) == TEXT


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>Hello <b>Bob</b>,</p><p>can we talk on&nbsp;Monday?</p>", TEXT),
        ("<div>Hello Bob,</div><div><br></div><div>can we talk on Monday?</div>", TEXT),
        ("Hello Bob,<br><br>can we talk on Monday?", TEXT),
        ("<html><head><style>p{}</style><title>t</title></head><body>hi", "hi"),
        ("<script>alert('a')</script>hi<!-- no --><noscript>no</noscript>", "hi"),
        ("<STYLE>a</STYLE>hi", "hi"),
        ("hi<style>never closed", "hi"),
        ("<p>a<p>b", "a\n\nb"),
        ("<ul><li>a</li><li>b</li></ul>", "* a\n* b"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<p>hi</p><div class='gmail_quote gmail_quote_container'>old</div>", "hi"),
        ("<p>hi</p><blockquote type='cite'>old</blockquote>", "hi"),
        ("<p>hi</p><div class='moz-cite-prefix'>Am 1 schrieb:</div><blockquote>x</blockquote>", "hi\n\nx"),
        ("<p>hi</p><hr><div id='divRplyFwdMsg'><b>From:</b> Bob<br><b>Sent:</b> Monday<br></div>old", "hi"),
        ("<p style='Display : NONE'>preheader</p>hi", "hi"),
        ("<p onclick='x' style='color:red'>hi</p>", "hi"),
        ("<img src='https://t.example/pixel.gif' alt='logo'>hi", "hi"),
        ("<a href='https://x.example'>link</a>", "link"),
        ("\ud800a\x00b\x1b[1mc", "?abc"),
        ("<?xml version='1.0' encoding='utf-16'?><p>hi</p>", "hi"),
        ("<table><tr><td>a</td>\x1b[31m&#1;&#xffff;&#xd800;b</table>", "a \ufffdb"),
        ("", ""),
        ("<>", "<>"),
        ("<!-- only -->", ""),
        ("<html></html>", ""),
    ],
)  # fmt: skip
def test_html_is_read_as_text(html: str, expected: str) -> None:
    assert snippet(None, html, 500) == expected


@pytest.mark.parametrize("element", ["<p>word {}</p>", "<div><div>word {}<br><br></div></div>", "<table><tr><td>word {}</td></tr></table><br>"])  # fmt: skip
def test_a_long_html_mail_is_read_from_its_beginning(element: str) -> None:
    html = "".join(element.format(number) for number in range(3_000))
    text = snippet(None, f"<body><div>{html}</div></body>", 500)
    assert len(text) > 450
    assert (
        text.removesuffix("…").split()
        == " ".join(f"word {n}" for n in range(99)).split()[: len(text.removesuffix("…").split())]
    )


def test_html_is_read_where_the_plain_text_says_nothing() -> None:
    assert snippet("\n \n", "<p>hi</p>", 500) == "hi"
    assert snippet("plain", "<p>hi</p>", 500) == "plain"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "html",
    [
        "<div>" * MB,
        "<table><tr><td>a<td>" * MB,
        "<li>x" * MB,
        "<p>" * MB,
        "<table>" + ("<tr>" + "<td>x" * 100) * 1_000,
        "<table><tr><td>" + "x" * 60_000 + "<tr><td>a" * 3_000,
        '<div style="padding-left:100000em;margin-top:100000em">' + "<p>a" * 10_000,
        "<td colspan=1000000000>a",
        "<style" * MB,
        "<!--" * MB,
        "<p " + "a=b " * MB + ">x",
        "<div class='" + "gmail_quote " * 10_000 + "'>x",
        "&lt;" * MB,
        "\x00" * MB,
        "<blockquote type=cite>" * 20_000 + "x",
        "<pre>" + "a\n" * MB,
        "<div class=gmail_quote><blockquote>x</blockquote>" * 20_000,
        "<br>" * 20_000 + "<blockquote>x</blockquote>" * 1_000,
        "<div>" + "<p>x1:</p>" * 20_000 + "</div><blockquote>q</blockquote>" * 1_000,
        "<div id=appendonsend>" * 20_000,
    ],
    ids=lambda html: html[:20],
)
def test_hostile_html_stays_within_memory(html: str) -> None:
    tracemalloc.start()
    assert len(snippet(None, html, 500)) <= 500
    assert tracemalloc.get_traced_memory()[1] < 50 * MB
    tracemalloc.stop()


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "line",
    ["a:", "-", ":", ">", "From:", "2024/1/1 " + "<@" * 60 + ">:", "Am" + " schrieb " * 24 + ":", "Op" + " heeft " * 30 + ":", "On 1 " * 40 + "wrote:",
     "-" * 130, "-=" * 60 + "a" + "=-" * 60, "a@" * 120 + ":", "1/1/2026 " * 30 + ":", "*_" * 100 + ":x", "_" * 299, "iPhone", "\u5199\u9053" * 100 + "\uff1a", "From: a@b\nDate: x", "> x\na"],
)  # fmt: skip
def test_hostile_text_stays_within_bounds(line: str) -> None:
    assert len(snippet(f"{line}\n" * (MB // len(line)), None, 500)) <= 500


@settings(deadline=None, max_examples=150)
@given(
    plain=st.none() | st.text(max_size=300),
    html=st.none() | st.text(alphabet="<>/='\"abdiprtlv \n&;#-!1\x00\x1b\ud800é", max_size=300),
    limit=st.integers(min_value=-1, max_value=60),
)
def test_any_snippet_is_short_and_shows_nothing_but_text(
    plain: str | None, html: str | None, limit: int
) -> None:
    text = snippet(plain, html, limit)
    assert len(text) <= max(limit, 0)
    assert text == text.strip()
    assert not any(is_unsafe(char) for char in text.replace("\n", ""))


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=200), st.integers(min_value=1, max_value=50))
def test_any_line_is_one_safe_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert not any(is_unsafe(char) for char in line)
    assert one_line(line, limit) == line


def is_unsafe(char: str) -> bool:
    """Controls, surrogates, line separators and the marks that reorder text."""
    reorders = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} or char in reorders
