"""Which servers are believed to write Authentication-Results, learned from what they brought."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from dovecot import Post
from one_mail import mail
from polling_kit import at, desk

from daemon.intake.own_servers import counted, learned
from daemon.maintenance.check import check_here
from daemon.message.own_server import authenticated, is_forged
from daemon.message.parse import Message

HOP = "from a.example (a.example [192.0.2.1]) by mx1.mail.us.example with ESMTPS"


def brought(number: int, *fields: str, hop: str = HOP) -> Message:
    """A mail from one of many domains, with these fields of our server."""
    own = "\r\n".join((f"{hop}; Mon, 23 Nov 2026 10:00:00 +0100", *fields))
    return mail("Hallo", sender=f"A <a@firm{number}.example>", Received=own)


def passed(number: int, server: str = "mx1.mail.us.example") -> str:
    return f"Authentication-Results: {server}; dmarc=pass header.from=firm{number}.example"


def test_a_server_is_learned_from_nearly_all_mail_of_many_domains() -> None:
    mails = [brought(n % 30, passed(n % 30)) for n in range(96)] + [brought(n) for n in range(4)]
    assert learned(counted({}, mails[:99])) == frozenset()
    assert learned(counted({}, mails)) == {"us.example"}
    assert learned(counted(counted({}, mails[:50]), mails[50:])) == {"us.example"}


def test_counts_survive_as_json_and_hold_no_address() -> None:
    counts = counted({}, [brought(n, passed(n)) for n in range(30)])
    assert json.loads(json.dumps(counts)) == counts
    assert "firm" not in json.dumps(counts)


@pytest.mark.parametrize(
    ("count", "domains", "passes"),
    [
        pytest.param(90, 30, lambda n: [passed(n % 30)], id="too few"),
        pytest.param(300, 5, lambda n: [passed(n % 5)], id="few domains"),
        pytest.param(300, 30, lambda n: [passed(n % 30)] * (n % 10 > 0), id="not all"),
        pytest.param(300, 30, lambda n: [passed(n % 30, "mx.evil.example")], id="stranger"),
    ],
)
def test_a_server_is_not_learned_from_less(
    count: int, domains: int, passes: Callable[[int], list[str]]
) -> None:
    mails = [brought(n % domains, *passes(n)) for n in range(count)]
    assert learned(counted({}, mails)) == frozenset()


def test_a_pass_counts_by_a_known_server_only() -> None:
    message = brought(1, passed(1))
    assert authenticated(message.signals, {"us.example"}) == "pass"
    assert authenticated(message.signals, {"mx1.mail.us.example"}) == "pass"
    assert authenticated(message.signals, {"s.example"}) is None
    assert authenticated(message.signals, ()) is None


def test_a_pass_below_our_field_is_a_strangers() -> None:
    server = "mx1.mail.us.example"
    failed = f"Authentication-Results: {server}; dmarc=fail header.from=firm1.example"
    forged = brought(1, failed, passed(1))
    assert authenticated(forged.signals, {"us.example"}) == "fail"
    assert is_forged(forged.signals, ())
    below = brought(1, "Received: from b by c.there.example with SMTP", passed(1))
    assert authenticated(below.signals, {"us.example"}) is None


def test_a_pass_for_another_domain_says_nothing() -> None:
    assert authenticated(brought(1, passed(2)).signals, {"us.example"}) is None


def test_microsoft_names_no_server_and_counts_by_its_place() -> None:
    hop = "from a.example by DB9.mail.protection.outlook.com with Microsoft SMTP Server"
    own = "Authentication-Results: spf=pass smtp.mailfrom=x; dmarc=pass header.from=firm1.example"
    assert authenticated(brought(1, own, hop=hop).signals, {"outlook.com"}) == "pass"


def test_gmail_receives_at_an_address_first() -> None:
    hop = (
        "by 2002:a05:6512:55:0:0:0:1 with SMTP id x\r\n"
        "Received: from a.example by mx.google.com with ESMTPS id y"
    )
    own = "Authentication-Results: mx.google.com; dmarc=pass header.from=firm1.example"
    assert authenticated(brought(1, own, hop=hop).signals, {"google.com"}) == "pass"


def test_a_learned_server_is_believed_in_the_mail_that_it_brought_only() -> None:
    hop = "from a.example by mx.hoster.example with ESMTPS"  # of another mailbox of ours
    forged = brought(1, passed(1), hop=hop)
    assert authenticated(forged.signals, (), {"us.example"}) is None
    assert authenticated(forged.signals, {"us.example"}) == "pass"  # if the configuration says so
    assert authenticated(brought(1, passed(1)).signals, (), {"us.example"}) == "pass"


def test_check_shows_the_server_that_was_learned_from_a_real_mailbox(
    dovecot: Post, tmp_path: Path
) -> None:
    domain = dovecot.user.partition("@")[2]
    for n in range(100):
        dovecot.deliver(
            (
                f"Received: from a.firm{n % 30}.example (a.firm{n % 30}.example [192.0.2.1])\r\n"
                f" by mx1.{domain} with ESMTPS; Mon, 23 Nov 2026 10:00:00 +0100\r\n"
                f"Authentication-Results: mx1.{domain};\r\n"
                f" dmarc=pass header.from=firm{n % 30}.example\r\n"
                f"From: A <a{n}@firm{n % 30}.example>\r\nTo: {dovecot.user}\r\n"
                f"Subject: Hello\r\nMessage-ID: <{n}@firm.example>\r\n\r\nA question.\r\n"
            ).encode()
        )
    with desk(tmp_path, at(dovecot, since="2020-01-01")) as one:

        def said() -> list[str]:
            return [
                line.found for line in check_here(one.wiring()) if "servers whose" in line.found
            ]

        assert said() == []
        one.poll()
        assert said() == [f"servers whose Authentication-Results are believed: {domain}"]
