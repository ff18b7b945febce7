"""Where a mailbox's server is: the table of providers, and DNS asked over a real socket."""

import pytest
from name_server import Table, name_server

from daemon.config import discovery
from daemon.config.discovery import Discovered, by_domain, look_up, providers
from daemon.config.values import _host


@pytest.mark.parametrize(
    ("domain", "host", "login"),
    [
        ("gmail.com", "imap.gmail.com", "google"),
        ("hotmail.fr", "outlook.office365.com", "microsoft"),
        ("yahoo.co.uk", "imap.mail.yahoo.com", "app"),
        ("aol.com", "imap.aol.com", "app"),
        ("icloud.com", "imap.mail.me.com", "app"),
        ("gmx.de", "imap.gmx.net", "password"),
        ("gmx.com", "imap.gmx.com", "password"),
        ("t-online.de", "secureimap.t-online.de", "password"),
        ("proton.me", "127.0.0.1", "bridge"),
        ("163.com", "imap.163.com", "app"),
    ],
)
def test_a_provider_is_known_by_its_own_domain(domain: str, host: str, login: str) -> None:
    found = by_domain(domain)

    assert found is not None
    assert (found.provider.host, found.provider.login) == (host, login)


def test_the_table_says_nothing_twice_and_every_host_is_one() -> None:
    domains = [domain for one in providers() for domain in one.domains]
    ends = [end for one in providers() for end in one.mx]

    assert len(set(domains)) == len(domains)
    assert len(set(ends)) == len(ends)
    for one in providers():
        assert _host(one.host) == one.host
        assert all(name == name.lower() for name in (*one.domains, *one.mx))
        assert one.domains or one.mx


def asked(domain: str, table: Table) -> tuple[Discovered | None, str]:
    with name_server(table) as resolver:

        def ask(name: str, kind: str) -> list[str]:
            return [record.to_text() for record in resolver.resolve(name, kind, lifetime=2)]

        return look_up(domain, ask)


MICROSOFT = ("outlook.office365.com", "microsoft")
GOOGLE = ("imap.gmail.com", "google")
DNS: list[tuple[Table, tuple[str, str] | None, str]] = [
    ({("acme.example", "MX"): ["0 acme-example.mail.protection.outlook.com."]}, MICROSOFT, ""),
    ({("acme.example", "MX"): ["10 acme-example.p-v1.mx.microsoft."]}, MICROSOFT, ""),
    ({("acme.example", "MX"): ["1 smtp.google.com."]}, GOOGLE, ""),
    (
        {("acme.example", "MX"): ["10 alt1.aspmx.l.google.com.", "1 aspmx.l.google.com."]},
        GOOGLE,
        "",
    ),
    (
        {("acme.example", "MX"): ["5 mx-aol.mail.gm0.yahoodns.net."]},
        ("imap.aol.com", "app"),
        "",
    ),
    (
        {("acme.example", "MX"): ["5 mta5.am0.yahoodns.net."]},
        ("imap.mail.yahoo.com", "app"),
        "",
    ),
    # The provider with the smallest number is the one where mail arrives.
    (
        {("acme.example", "MX"): ["50 mx.zoho.eu.", "10 smtpin.rzone.de."]},
        ("imap.strato.de", "password"),
        "",
    ),
    # A filter hides it; what its own programs and its SPF record need doesn't.
    (
        {
            ("acme.example", "MX"): ["10 eu-smtp-inbound-1.mimecast.com."],
            ("autodiscover.acme.example", "CNAME"): ["autodiscover.outlook.com."],
        },
        MICROSOFT,
        "Mimecast",
    ),
    (
        {
            ("acme.example", "MX"): ["10 mx1-us1.ppe-hosted.com."],
            ("acme.example", "TXT"): ['"v=spf1 include:_spf.google.com ~all"'],
        },
        GOOGLE,
        "Proofpoint",
    ),
    ({("acme.example", "MX"): ["10 mx0a.pphosted.com."]}, None, "Proofpoint"),
    # RFC 6186: implicit TLS first, "." says that it isn't offered.
    (
        {
            ("acme.example", "MX"): ["10 mail.acme.example."],
            ("_imaps._tcp.acme.example", "SRV"): [
                "20 1 993 b.acme.example.",
                "10 1 1993 a.acme.example.",
            ],
            ("_imap._tcp.acme.example", "SRV"): ["0 1 143 plain.acme.example."],
        },
        ("a.acme.example", "password"),
        "",
    ),
    (
        {
            ("_imaps._tcp.acme.example", "SRV"): ["0 0 0 ."],
            ("_imap._tcp.acme.example", "SRV"): ["0 1 143 mail.acme.example."],
        },
        ("mail.acme.example", "password"),
        "",
    ),
    (
        {
            ("acme.example", "MX"): [
                "10 notgoogle.com.",
                "20 xmail.protection.outlook.com.evil.example.",
            ]
        },
        None,
        "",
    ),
    ({}, None, ""),
]


@pytest.mark.parametrize(("table", "expected", "filter_name"), DNS)
def test_what_dns_says_of_a_domain(
    table: Table, expected: tuple[str, str] | None, filter_name: str
) -> None:
    found, front = asked("acme.example", table)

    assert front == filter_name
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert (found.provider.host, found.provider.login) == expected
        assert "acme.example" in found.why


def test_ports_and_tls_of_srv_records() -> None:
    table = {("_imap._tcp.acme.example", "SRV"): ["0 1 1143 mail.acme.example."]}
    found, _ = asked("acme.example", table)

    assert found is not None
    assert (found.provider.port, found.provider.tls) == (1143, "starttls")


def test_a_silent_name_server_ends_in_a_question_to_the_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discovery, "SECONDS", 0.3)
    with name_server({}, silent=True) as resolver:
        monkeypatch.setattr("dns.resolver.Resolver", lambda: resolver)
        ask = discovery.system_resolver()
        assert ask is not None
        assert look_up("acme.example", ask) == (None, "")
