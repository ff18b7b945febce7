import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from daemon.config import Config, Listen, Secret, load
from daemon.config.load import _model
from daemon.errors import ConfigProblem, Problem

EXAMPLE = Path(__file__).parent.parent / "config.yaml"
SMALL = """
mailboxes:
  - {name: sales, host: imap.example.com, username: sales@example.com, password: {env: PW}}
pipedrive: {company: yourcompany, token: {env: TOKEN}}
"""
MAILBOX = "name: sales, host: imap.example.com, username: sales@example.com"

Write = Callable[..., Path]
Problems = Callable[[str], tuple[str, ...]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, mode: int = 0o600) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(dedent(text))
        path.chmod(mode)
        return path

    return write


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
        "engagement.deal_at_messages: must be at least 1",
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("pol: {}", "pol: unknown key (did you mean poll?)"),
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
            "engagement.deal_at_replies: must be a whole number",
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
            "line 2, column 17: expected ',' or ']', but got '<stream end>'",
        ),
        ("a: 1\n b: 2", "line 2, column 3: mapping values are not allowed here"),
        ("a: *unknown", "line 1, column 4: found undefined alias 'unknown'"),
        ("a: !!python/name:os.system x", "line 1, column 4: could not determine a constructor"),
        ("since: 2026-13-41", "isn't YAML: month must be in 1..12"),
        ("a: \x07", "isn't YAML: unacceptable character"),
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
        (lambda path: path.mkdir(), "is a directory"),
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
        config.poll.every = timedelta(1)  # type: ignore[misc] -- that it is refused is the point


def test_a_literal_secret_is_fine_in_a_private_file(write: Write) -> None:
    config = load(write(SMALL.replace("{env: PW}", "hunter2"), mode=0o640))
    assert config.mailboxes[0].password is not None
    assert config.mailboxes[0].password.read() == "hunter2"
    assert config.warnings == ()


def test_a_literal_secret_that_everyone_can_read_is_warned_of(write: Write) -> None:
    path = write(SMALL.replace("{env: PW}", "hunter2"), mode=0o644)
    assert load(path).warnings == (
        f"mailboxes[0].password: a secret in a file that everyone can read: chmod o-r {path}",
    )


def test_no_secret_is_ever_shown(write: Write, problems: Problems) -> None:
    literal = SMALL.replace("{env: PW}", "hunter2").replace("{env: TOKEN}", "hunter3")
    assert "hunter" not in repr(load(write(literal)))
    assert "hunter" not in str(problems(literal + "bogus: 1"))
    assert "hunter" not in str(problems(literal.replace("hunter2", "[hunter2]")))


def test_a_secret_is_read_from_its_place(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PW", "from-env")
    (tmp_path / "pw").write_text("from-file\r\n")
    (tmp_path / "loaded").mkdir()
    (tmp_path / "loaded" / "single").write_text("from-credential")
    (tmp_path / "loaded" / "mail2deal_many").write_text("from-directory\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "loaded"))
    read = {
        "{env: PW}": "from-env",
        "{file: pw}": "from-file",
        "{credential: single}": "from-credential",
        "{credential: many}": "from-directory",
        "{command: [printf, 'from-command\\nnotes']}": "from-command",
    }
    for reference, expected in read.items():
        config = load(write(SMALL.replace("{env: TOKEN}", reference)))
        assert config.pipedrive.token.read() == expected


def test_without_systemd_a_credential_is_the_file_that_the_unit_would_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "sales").write_text("secret\n")
    assert Secret("credential", ("sales",), tmp_path).read() == "secret"


@pytest.mark.parametrize(
    ("kind", "source", "message"),
    [
        (
            "env",
            ("MAIL2DEAL_NO_SUCH",),
            "Secret(env: MAIL2DEAL_NO_SUCH): the environment variable isn't set",
        ),
        ("env", ("MAIL2DEAL_EMPTY",), "Secret(env: MAIL2DEAL_EMPTY): the secret is empty"),
        (
            "file",
            ("/nowhere/pw",),
            "Secret(file: /nowhere/pw): /nowhere/pw can't be read: No such file or directory",
        ),
        ("file", ("/dev/zero",), "Secret(file: /dev/zero): /dev/zero is longer than 65536 bytes"),
        (
            "command",
            ("/nowhere/helper", "pw"),
            "Secret(command: /nowhere/helper): can't be run: No such file or directory",
        ),
        ("command", ("false",), "Secret(command: false): ended with exit status 1"),
        ("command", ("true",), "Secret(command: true): the secret is empty"),
    ],
)
def test_a_reference_that_leads_nowhere_says_so(
    kind: Any,
    source: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("MAIL2DEAL_EMPTY", "")
    with pytest.raises(Problem) as caught:
        Secret(kind, source, tmp_path).read()
    assert str(caught.value) == message


def test_a_binary_secret_is_refused_without_showing_it(tmp_path: Path) -> None:
    (tmp_path / "pw").write_bytes(b"abc\xffdef")
    with pytest.raises(ConfigProblem) as caught:
        Secret("file", ("pw",), tmp_path).read()
    assert caught.value.__cause__ is None
    assert "abc" not in str(caught.value)


@settings(deadline=None)
@given(text=st.text())
def test_any_text_at_all_ends_in_a_config_problem(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigProblem):
        load(path)


def test_the_example_is_a_valid_configuration() -> None:
    assert load(EXAMPLE).mailboxes[0].name == "sales"


def uncommented() -> Any:
    """The example with every key that it shows, those behind # too."""
    return yaml.safe_load(
        re.sub(r"^(\s*)#(?=[a-z_]+:)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    )


def model_keys(section: type[BaseModel], place: str = "") -> set[str]:
    keys = set()
    for name, field in section.model_fields.items():
        keys.add(place + name)
        inner = _model(field.annotation)
        if inner is not None:
            keys |= model_keys(inner, f"{place}{name}.")
    return keys


def file_keys(document: Any, section: type[BaseModel], place: str = "") -> set[str]:
    keys = set()
    for one in document if isinstance(document, list) else [document]:
        for name, value in one.items():
            keys.add(place + name)
            inner = _model(section.model_fields[name].annotation)
            if inner is not None:
                keys |= file_keys(value, inner, f"{place}{name}.")
    return keys


def test_the_example_shows_every_key_and_no_other() -> None:
    assert file_keys(uncommented(), Config) == model_keys(Config)


def test_the_example_shows_the_defaults(write: Write) -> None:
    """A commented key with a default shows that default; the others show an example."""
    small = load(write(SMALL))
    shown = uncommented()
    for section in ("engagement", "activities", "poll", "fields", "safety", "log"):
        full = load(write(SMALL + yaml.safe_dump({section: shown[section]})))
        assert getattr(full, section) == getattr(small, section)
    assert shown["ledger"] == str(small.ledger)
    pipedrive = {key: shown["pipedrive"][key] for key in shown["pipedrive"] if key != "base_url"}
    del pipedrive["pipeline"]
    text = yaml.safe_dump({"mailboxes": yaml.safe_load(SMALL)["mailboxes"], "pipedrive": pipedrive})
    expected = small.pipedrive.model_dump(exclude={"token"})
    assert load(write(text)).pipedrive.model_dump(exclude={"token"}) == expected


def test_every_example_value_is_accepted(write: Write) -> None:
    document = uncommented()
    mailbox, pipedrive = document["mailboxes"][0], document["pipedrive"]
    oauth = mailbox.pop("oauth")
    command = {"command": oauth.pop("command")}
    del pipedrive["base_url"]
    del mailbox["password"]
    for login in (oauth, command):
        mailbox["oauth"] = login
        load(write(yaml.safe_dump(document)))
