"""Mail inside of mail and addresses inside of addresses, and names that only a calendar has."""

import base64

import pytest
from postbox import START, calendar

from daemon.mailbox.structure import BodyPart, plan
from daemon.message.address import as_written, mailbox
from daemon.message.author import SUBMITTED
from daemon.message.invite import CalendarPart, common_name
from daemon.message.names import clean_name
from daemon.message.parse import Message, parse
from daemon.message.us import Us
from daemon.message.verdict import Judgement, judge

US = Us(domains=frozenset({"ours.example"}), authserv_ids=frozenset({"mx.ours.example"}))
INNER = (
    "From: Luca Bianchi <luca@bianchi-vini.example>\r\nTo: sales@ours.example\r\n"
    "Subject: Preventivo\r\nDate: Mon, 02 Mar 2026 08:59:00 +0100\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    "Vorrei un preventivo per quaranta pompe.\r\n\r\nCordiali saluti\r\nLuca Bianchi\r\n"
    "Bianchi Vini S.r.l.\r\nTel: +39 06 5550 1234\r\n"
)
PROVIDER = "legalmail.it"
OUTER = (
    "Authentication-Results: mx.ours.example; {result} header.from={provider}\r\n"
    'From: "Per conto di: luca@bianchi-vini.example" <posta-certificata@{provider}>\r\n'
    "Reply-To: luca@bianchi-vini.example\r\nTo: sales@ours.example\r\nX-Trasporto: posta-certificata\r\n"
    "Subject: POSTA CERTIFICATA: Preventivo\r\nDate: Mon, 02 Mar 2026 09:00:00 +0100\r\n"
    "Message-ID: <opec1@{provider}>\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary="s"\r\n\r\n'
    '--s\r\nContent-Type: multipart/mixed; boundary="m"\r\n\r\n'
    "--m\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "Il messaggio originale incluso è stato inviato da luca@bianchi-vini.example\r\n"
    '--m\r\nContent-Type: application/xml; name="daticert.xml"\r\n\r\n<postacert/>\r\n'
    "--m\r\n{type}\r\n\r\n{inner}\r\n--m--\r\n"
    "--s\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nMIIB\r\n--s--\r\n"
)
TYPES = {
    "message": 'Content-Type: message/rfc822; name="postacert.eml"',
    "file": 'Content-Type: application/octet-stream; name="postacert.eml"\r\n'
    "Content-Transfer-Encoding: base64",
}


def certified(
    how: str = "message",
    inner: str = INNER,
    *,
    result: str = "dmarc=pass",
    provider: str = PROVIDER,
) -> bytes:
    """A certified mail of Luca's, as our server took it in."""
    part = inner if how == "message" else base64.encodebytes(inner.encode()).decode()
    outer = OUTER.format(type=TYPES[how], inner=part, result=result, provider=provider)
    return outer.encode()


def read(raw: bytes) -> tuple[Message, Judgement]:
    message = parse(raw, size=len(raw))
    return message, judge(message, in_sent=False, us=US)


@pytest.mark.parametrize("how", TYPES)
def test_certified_mail_is_opened(how: str) -> None:
    message, judged = read(certified(how))
    (party,) = judged.parties
    assert (party.name, party.address) == ("Luca Bianchi", "luca@bianchi-vini.example")
    assert judged.verdict.kind == "contact"
    assert judged.way == "envelope"
    assert message.snippet.startswith("Vorrei un preventivo per quaranta pompe.")
    assert "+39 06 5550 1234" in {fact.value for fact in message.facts}


def test_what_is_inside_of_certified_mail_names_nobody_else() -> None:
    """The provider vouches for the address on the envelope, not for what was put in."""
    other = INNER.replace("luca@bianchi-vini.example", "mario@rossi.example")
    message, judged = read(certified(inner=other))
    (party,) = judged.parties
    assert party.address == "luca@bianchi-vini.example"
    assert not message.snippet.startswith("Vorrei")


@pytest.mark.parametrize(
    "forged",
    [
        {"result": "dmarc=none"},
        {"result": "spf=pass"},
        {"provider": "pec.stranger.example"},  # authentic, and nobody's provider
        {"provider": "legalmail.it.stranger.example"},
        {"provider": "notlegalmail.it"},
    ],
)
def test_what_a_stranger_can_write_proves_nothing(forged: dict[str, str]) -> None:
    """It may be an enquiry of Luca's as a form is, but neither a reply nor one of five mails."""
    _, judged = read(certified(**forged))
    assert [party.address for party in judged.parties] == ["luca@bianchi-vini.example"]
    assert judged.why == "unproven-certified-mail"
    assert judged.way in SUBMITTED


def test_certified_mail_that_dmarc_rejects_counts_nothing() -> None:
    _, judged = read(certified(result="dmarc=fail"))
    assert judged.verdict == ("evidence", "dmarc-fail")


@pytest.mark.parametrize("kind", [("application", "octet-stream"), ("message", "rfc822")])
def test_the_original_in_certified_mail_is_fetched_whatever_its_type(kind: tuple[str, str]) -> None:
    def part(section: str, type_: str, subtype: str, name: str) -> BodyPart:
        named = (("name", name),) if name else ()
        return BodyPart(section, type_, subtype, named, "base64", 900, "", (), ())

    parts = (
        part("1", "text", "plain", ""),
        part("2", "application", "xml", "daticert.xml"),
        part("3", *kind, "postacert.eml"),
        part("4", "application", "octet-stream", "offer.eml"),
    )
    root = BodyPart("", "multipart", "mixed", (("boundary", "m"),), "", 0, "", (), parts)
    assert [want.section for want in plan(root).wants] == ["1", "3"]


def test_a_mail_that_a_colleague_attaches_gives_the_authors_words() -> None:
    raw = (
        "From: Jonas <jonas@ours.example>\r\nTo: sales@ours.example\r\nSubject: Fwd: Preventivo\r\n"
        "Date: Mon, 02 Mar 2026 09:00:00 +0100\r\nMessage-ID: <f1@ours.example>\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="m"\r\n\r\n'
        "--m\r\nContent-Type: text/plain\r\n\r\nFor you\r\n"
        f"--m\r\nContent-Type: message/rfc822\r\n\r\n{INNER}\r\n--m--\r\n"
    )
    message, judged = read(raw.encode())
    assert [party.address for party in judged.parties] == ["luca@bianchi-vini.example"]
    assert message.snippet.startswith("Vorrei un preventivo")


def test_a_mail_that_is_nothing_but_a_mail() -> None:
    raw = (
        "From: Jonas <jonas@ours.example>\r\nTo: sales@ours.example\r\nSubject: Fwd: Preventivo\r\n"
        "Date: Mon, 02 Mar 2026 09:00:00 +0100\r\nMessage-ID: <f2@ours.example>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n{INNER}"
    )
    message, judged = read(raw.encode())
    assert [party.address for party in judged.parties] == ["luca@bianchi-vini.example"]
    assert message.snippet.startswith("Vorrei un preventivo")


@pytest.mark.parametrize(
    ("spec", "address"),
    [
        ("IMCEASMTP-ada+40acme+2Eexample@ours.example", "ada@acme.example"),
        ("IMCEASMTP-ada+2Elovelace+40acme.example@ours.example", "ada.lovelace@acme.example"),
        ("imceasmtp-ada+40acme+2eexample@ours.example", "ada@acme.example"),
        (
            "IMCEAEX-_O=ACME_OU=FIRST_CN=RECIPIENTS_CN=ada+40acme+2Eexample@acme.example",
            "ada@acme.example",
        ),
        # Names of a directory: nothing in them is an address.
        (
            "IMCEAEX-_O=ACME_OU=FIRST_CN=RECIPIENTS_CN=ADA@acme.example",
            "imceaex-_o=acme_ou=first_cn=recipients_cn=ada@acme.example",
        ),
        ("IMCEAFAX-Ada+40+2B49+20123@ours.example", "imceafax-ada+40+2b49+20123@ours.example"),
        ("IMCEASMTP-+40@ours.example", "imceasmtp-+40@ours.example"),
    ],
)
def test_addresses_in_exchanges_capsules(spec: str, address: str) -> None:
    found = mailbox("Ada", spec)
    assert found is not None
    assert found.address == address


def test_an_attendees_name_stands_in_for_one_that_from_lacks() -> None:
    part = calendar("REPLY", "u1", organizer="sales@ours.example", attendee="jd77@acme.example")
    named = part.replace(b"ATTENDEE;", b'ATTENDEE;CN="Doe, Jane":').replace(b'":PART', b'";PART')
    for sender, name in (("jd77@acme.example", "Jane Doe"), ("J. D. <jd77@acme.example>", "J. D.")):
        raw = (
            f"From: {sender}\r\nTo: sales@ours.example\r\nSubject: Accepted\r\n"
            f"Date: {START:%a, %d %b %Y %H:%M:%S} +0000\r\nMessage-ID: <c1@acme.example>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/calendar; method=REPLY; charset=utf-8\r\n\r\n"
        ).encode() + named
        message, _ = read(raw)
        assert message.from_ is not None
        assert clean_name(message.from_.name, message.from_.address) == name


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("ATTENDEE;CN=Ada Lovelace:mailto:ada@x.example", "Ada Lovelace"),
        ("ORGANIZER;ROLE=CHAIR;CN=Ada:MAILTO:ADA@X.example", "Ada"),
        ("ATTENDEE;CN=Ada\r\n  Lovelace;PARTSTAT=ACCEPTED:mailto:ada@x.example", "Ada Lovelace"),
        ("ATTENDEE;CN=Bo:mailto:bo@x.example", ""),
        ("ATTENDEE:mailto:ada@x.example", ""),
        ("ATTENDEE" + ";X=1" * 50_000, ""),
        ("ATTENDEE;CN=" + "a" * 100_000, ""),
        ("\r\n " * 100_000, ""),
    ],
)
def test_the_name_that_a_calendar_has(line: str, name: str) -> None:
    assert common_name([CalendarPart(line.encode())], "ada@x.example") == name


@pytest.mark.parametrize(
    ("domain", "shown"),
    [
        ("xn--mller-kva.example", "müller.example"),
        ("mail.xn--mller-kva.example", "mail.müller.example"),
        ("acme.example", "acme.example"),
        ("xn--.example", "xn--.example"),
        ("xn--a" + "a" * 80 + ".example", "xn--a" + "a" * 80 + ".example"),
    ],
)
def test_domains_as_people_write_them(domain: str, shown: str) -> None:
    assert as_written(domain) == shown
