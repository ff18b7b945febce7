import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from config_kit import SMALL, written
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon.config import Config, Listen, load
from daemon.errors import ConfigProblem
from daemon.message.address import ascii_domain

MAILBOX = "name: sales, host: imap.example.com, username: sales@example.com"

Write = Callable[[str], Path]
Problems = Callable[[str], tuple[str, ...]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda text: written(tmp_path, text)


@pytest.fixture
def problems(write: Write) -> Problems:
    def problems(text: str) -> tuple[str, ...]:
        with pytest.raises(ConfigProblem) as caught:
            load(write(text))
        return caught.value.problems

    return problems


def test_the_small_configuration_gets_every_default(write: Write) -> None:
    config = load(write(SMALL))
    assert config.mailboxes[0].port == 993
    assert config.mailboxes[0].folders.inbox == ("INBOX",)
    assert config.mailboxes[0].folders.sent is None
    assert config.mailboxes[0].since is None
    assert config.pipedrive.url == "https://yourcompany.pipedrive.com"
    assert config.engagement.deal_at_messages == 5
    assert config.engagement.reopen is False
    assert config.poll.every == timedelta(seconds=60)
    assert config.fields.every == timedelta(hours=6)
    assert config.safety.max_creates == 500
    assert config.metrics is None
    assert config.ledger == Path("/var/lib/mail2deal/ledger.db")
    assert config.warnings == ()


def test_what_is_written_is_what_is_read(write: Write) -> None:
    config = load(
        write(
            """
            mailboxes:
              - name: sales
                host: IMAP.example.com
                tls: starttls
                ca_file: private.pem
                username: sales@example.com
                oauth: {provider: custom, client_id: me, token_url: https://login.example.com/t}
                folders: {inbox: [INBOX, Team], sent: [Sent Items]}
                since: 2026-01-31
                owner: ada@example.com
              - {name: local, host: 127.0.0.1, tls: none, port: 1143, username: x, password: {env: PW}}
            pipedrive: {base_url: "http://127.0.0.1:8080/", token: {env: T}, plan: growth, daily_share: 1}
            us: {domains: ["@Müller.example"], addresses: [Ada+Sales@Example.org]}
            poll: {every: 5m, jitter: 0}
            metrics: "[::1]:9464"
            ledger: state/ledger.db
            """
        )
    )
    sales, local = config.mailboxes
    assert (sales.host, sales.port) == ("imap.example.com", 143)
    assert sales.ca_file is not None
    assert sales.ca_file.name == "private.pem"
    assert sales.ca_file.is_absolute()
    assert sales.oauth is not None
    assert sales.oauth.token_url == "https://login.example.com/t"
    assert sales.folders.sent == ("Sent Items",)
    assert sales.since == date(2026, 1, 31)
    assert local.port == 1143
    assert config.pipedrive.url == "http://127.0.0.1:8080"
    assert config.us.domains == ("xn--mller-kva.example",)
    assert config.us.addresses == ("ada+sales@example.org",)
    assert config.poll.jitter == timedelta()
    assert config.metrics == Listen("::1", 9464)
    assert str(config.metrics) == "[::1]:9464"
    assert config.ledger.parent.parent == sales.ca_file.parent


@pytest.mark.parametrize(
    ("name", "in_mails"),
    [
        ("straße.example", "xn--strae-oqa.example"),
        ("Straße.EXAMPLE", "xn--strae-oqa.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("müller.example", "xn--mller-kva.example"),
        ("xn--strae-oqa.example", "xn--strae-oqa.example"),
    ],
)
def test_a_domain_is_the_same_in_the_configuration_and_in_a_mail(
    name: str, in_mails: str, write: Write
) -> None:
    assert load(write(f"{SMALL}us: {{domains: ['{name}']}}\n")).us.domains == (in_mails,)
    assert ascii_domain(name.lower()) == in_mails


def test_all_problems_are_named_at_once(problems: Problems) -> None:
    assert problems(
        """
        mailboxes:
          - {name: sales, hots: a.example, username: a, tls: tsl}
          - {name: sales, host: b.example, username: 5, password: {env: PW}}
        pipedrive: {token: {env: T}, seats: true}
        engagement: {deal_at_messages: 0}
        """
    ) == (
        "mailboxes: 2 of them are named sales",
        "mailboxes[0].host: missing",
        "mailboxes[0].tls: must be one of implicit, starttls or none",
        "mailboxes[0].password: missing (password or oauth)",
        "mailboxes[0].hots: unknown key (did you mean host?)",
        "mailboxes[1].username: must be text: put 5 in quotes if it is meant",
        "pipedrive.company: missing (company or base_url)",
        "pipedrive.seats: must be a whole number",
        "engagement.deal_at_messages: must be at least 1, or never",
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("pol: {}", "pol: unknown key (did you mean poll?)"),
        (
            "logins: {office: {command: [x], tennant: x}}",
            "logins.office.tennant: unknown key (did you mean tenant?)",
        ),
        ("stage: Lead In", "stage: unknown key (it belongs under pipedrive)"),
        ("warnings: []", "warnings: unknown key"),
        ("poll: {every: 60}", "poll.every: must be a duration such as 60s, 5m or 6h"),
        ("poll: {every: 0s}", "poll.every: must be between 1s and 366d"),
        ("poll: {jitter: false}", "poll.jitter: must be a duration such as 60s, 5m or 6h"),
        ("poll: {idle: 1}", "poll.idle: must be true or false"),
        ("poll: often", "poll: must hold keys and values"),
        ("engagement: {count: all}", "engagement.count: must be one of received or exchanged"),
        (
            "engagement: {deal_at_replies: 1.5}",
            "engagement.deal_at_replies: must be a whole number, or never",
        ),
        (
            "engagement: {promote_at_messages: always}",
            "engagement.promote_at_messages: must be a whole number, or never",
        ),
        ("us: {domains: example.com}", "us.domains: must be a list"),
        ("us: {domains: [example]}", "us.domains[0]: must be a domain such as example.com"),
        ("us: {addresses: [ada]}", "us.addresses[0]: must be an address such as ada@example.com"),
        ("activities: {snippet_chars: -1}", "activities.snippet_chars: must be at least 0"),
        ("activities: {snippet_chars: 20000}", "activities.snippet_chars: must be at most 10000"),
        ("log: {format: xml}", "log.format: must be one of text or json"),
        (
            "metrics: 0.0.0.0:9464",
            "metrics: must be an address of this machine and a port, such as 127.0.0.1:9464",
        ),
        (
            "metrics: 127.0.0.1:99999",
            "metrics: must be an address of this machine and a port, such as 127.0.0.1:9464",
        ),
        ("metrics: 9464", "metrics: must be text: put 9464 in quotes if it is meant"),
        ('ledger: ""', "ledger: must be text without control characters, not empty"),
        ("ledger: [a]", "ledger: must be text"),
        ("7: x", "[7]: isn't text: put it in quotes"),
    ],
)
def test_a_wrong_line_is_told_in_plain_words(problems: Problems, line: str, problem: str) -> None:
    assert problems(SMALL + line) == (problem,)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (
            "tls: none, password: {env: P}",
            "tls: none is for this machine only: use implicit or starttls",
        ),
        ("port: 70000, password: {env: P}", "port: must be at most 65535"),
        (
            "password: {env: P}, oauth: {command: [token]}",
            "password: can't stand beside oauth: choose one",
        ),
        ("oauth: {}", "oauth.provider: missing (provider or command)"),
        (
            "oauth: {command: [token], provider: google, client_id: a}",
            "oauth.provider: can't stand beside command: choose one",
        ),
        (
            "oauth: {command: token}",
            "oauth.command: must be {command: [PROGRAM, ...]}, a list of texts",
        ),
        ("oauth: {provider: google}", "oauth.client_id: missing"),
        ("oauth: {provider: custom, client_id: a}", "oauth.token_url: missing"),
        (
            "oauth: {provider: custom, client_id: a, token_url: http://login.example.com}",
            "oauth.token_url: must be https: plain http is for this machine only",
        ),
        (
            "oauth: {provider: custom, client_id: a, token_url: 'https://me:pw@example.com'}",
            "oauth.token_url: must be a URL without user, query and fragment",
        ),
        (
            "oauth: {provider: custom, client_id: a, token_url: login.example.com}",
            "oauth.token_url: must be a URL such as https://example.com",
        ),
        ("password: 12345", "password: must be text: put it in quotes"),
        ("password: ''", "password: is empty"),
        (
            "password: {envv: P}",
            "password: must be {env: NAME}, {file: PATH}, {credential: NAME} or {command: [PROGRAM, ...]}",
        ),
        (
            "password: {credential: ../x}",
            "password: must be {env: NAME}, {file: PATH}, {credential: NAME} or {command: [PROGRAM, ...]}",
        ),
        (
            "password: {env: P}, folders: {inbox: []}",
            "folders.inbox: must name at least one folder",
        ),
        (
            "password: {env: P}, folders: {sent: Sent}",
            "folders.sent: must be auto or a list of folder names",
        ),
        (
            "password: {env: P}, folders: {sent: []}",
            "folders.sent: must be auto or a list of folder names",
        ),
        ("password: {env: P}, since: yesterday", "since: must be a date such as 2026-01-31"),
        (
            "password: {env: P}, since: 2026-01-31 10:00:00",
            "since: must be a date such as 2026-01-31",
        ),
    ],
)
def test_a_wrong_mailbox_is_told_in_plain_words(
    problems: Problems, keys: str, problem: str
) -> None:
    text = f"mailboxes: [{{{MAILBOX}, {keys}}}]\npipedrive: {{company: c, token: {{env: T}}}}\n"
    assert problems(text) == (f"mailboxes[0].{problem}",)


@pytest.mark.parametrize("host", ["https://imap.example.com", "imap.example.com:993", "a b", "-x"])
def test_a_host_is_a_bare_name(problems: Problems, host: str) -> None:
    text = SMALL.replace("host: imap.example.com", f"host: '{host}'")
    assert problems(text) == (
        "mailboxes[0].host: must be a host name or an IP address, without scheme and port",
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_a_loopback_host_needs_no_tls(write: Write, host: str) -> None:
    config = load(write(SMALL.replace("host: imap.example.com", f"tls: none, host: '{host}'")))
    assert config.mailboxes[0].port == 143


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file: must hold keys and values"),
        ("- a", "the file: must hold keys and values"),
        (
            "mailboxes: []\npipedrive: {company: c, token: t}",
            "mailboxes: must list at least one mailbox",
        ),
        (
            "mailboxes: [x]\npipedrive: {company: c, token: t}",
            "mailboxes[0]: must hold keys and values",
        ),
        (
            SMALL.replace("company: yourcompany", "company: x.pipedrive.com"),
            "pipedrive.company: must be only the NAME of https://NAME.pipedrive.com",
        ),
        (
            SMALL.replace("company: yourcompany", "base_url: http://x.example"),
            "pipedrive.base_url: must be https: plain http is for this machine only",
        ),
        (
            SMALL + "poll: {every: 5m}\nlog: {}\npoll: {every: 6m}",
            "line 7: poll stands twice, first in line 5",
        ),
        (
            SMALL + "log: {format: text, format: json}",
            "line 5: format stands twice, first in line 5",
        ),
    ],
)
def test_a_wrong_file_is_told_in_plain_words(problems: Problems, text: str, problem: str) -> None:
    assert problems(text) == (problem,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "mailboxes:\n  - name: [sales",
            "isn't YAML: line 2, column 17: expected ',' or ']', but got '<stream end>'",
        ),
        ("a: 1\n b: 2", "isn't YAML: line 2, column 3: mapping values are not allowed here"),
        ("a: *unknown", "isn't YAML: line 1, column 4: found undefined alias 'unknown'"),
        (
            "a: !!python/name:os.system x",
            "isn't YAML: line 1, column 4: could not determine a constructor",
        ),
        (
            "since: 2026-13-41",
            "isn't YAML: line 1, column 8: month must be in 1..12 (put it in quotes",
        ),
        ("a: !!bool perhaps", "isn't YAML: line 1, column 4: no bool (put it in quotes"),
        ("a: !!int ''", "isn't YAML: line 1, column 4: no int (put it in quotes"),
        ("a: !!timestamp soon", "isn't YAML: line 1, column 4: no timestamp (put it in quotes"),
        ("a: 1\nb: \x07", "isn't YAML: line 2: YAML doesn't allow the character U+0007"),
        ("a: " + "[" * 3000, "isn't YAML: it is nested too deeply"),
        ("a: " + "9" * 5000, "isn't YAML: line 1, column 4: Exceeds the limit (4300 digits)"),
    ],
)
def test_broken_yaml_is_told_with_its_line(write: Write, text: str, message: str) -> None:
    with pytest.raises(ConfigProblem) as caught:
        load(write(text))
    assert str(caught.value).startswith(f"{caught.value.what}: {message}")
    assert caught.value.what.endswith("/config.yaml")


def test_a_merge_may_name_a_key_again(write: Write) -> None:
    text = """
    mailboxes:
      - &first {name: a, host: a.example, username: x, password: {env: P}}
      - &second {<<: *first, name: b, host: b.example}
      - {<<: *second, name: c}
    pipedrive: {company: c, token: {env: T}}
    """
    config = load(write(text))
    assert [(box.name, box.host) for box in config.mailboxes] == [
        ("a", "a.example"),
        ("b", "b.example"),
        ("c", "b.example"),
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda _: None,
            "no such file or directory (copy the commented config.yaml there, or pass --config)",
        ),
        (lambda path: path.mkdir(), "is a directory (name the configuration file with --config)"),
        (os.mkfifo, "isn't a regular file (name the right file)"),
        (lambda path: path.symlink_to("/dev/zero"), "isn't a regular file (name the right file)"),
        (
            lambda path: path.write_bytes(b"#" * 1_000_001),
            "is longer than 1000000 bytes (name the right file)",
        ),
        (lambda path: path.write_bytes(b"a: \xff"), "isn't UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "mail2deal.yaml"
    make(path)
    with pytest.raises(ConfigProblem) as caught:
        load(path)
    assert str(caught.value) == f"{path}: {message}"


def test_the_configuration_cannot_be_changed(write: Write) -> None:
    config = load(write(SMALL))
    with pytest.raises(ValidationError):
        config.poll.every = timedelta(1)


@settings(deadline=None)
@given(text=st.text())
def test_any_text_at_all_ends_in_a_config_problem(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigProblem):
        load(path)


@pytest.mark.parametrize("value", ["16", "true", "1.5", "2026-01-01", "text", "{a: 1}", "[16]"])
@pytest.mark.parametrize("key", list(Config.model_fields))
def test_a_value_of_another_type_is_told_in_words(problems: Problems, key: str, value: str) -> None:
    assert problems(f"{key}: {value}\n")
