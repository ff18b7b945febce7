"""`init`: asks until answers are usable, tries them, writes a configuration that loads."""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from dovecot import Post
from name_server import Table, name_server

from daemon.cli import main
from daemon.config import load
from daemon.sandbox.crm.settings import DEFAULT_TOKEN

GIVEN = ("--email", "ada@analytical.example", "--company", "analytical")


def run(*arguments: str, typed: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["init", *arguments], input=typed)
    return result.exit_code, result.output


@pytest.fixture(autouse=True)
def no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks a name server beyond this machine."""
    monkeypatch.setattr("daemon.cli.interview.system_resolver", lambda: None)


def lines(answers: Mapping[str, str]) -> str:
    return "".join(f"{answer}\n" for answer in answers.values())


def test_answers_become_a_configuration_that_loads(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    answers = {
        "address": "ada@analytical.example",
        "host": "",  # the guessed one
        "password": "imap secret",
        "company": "https://analytical.pipedrive.com",
        "token": "pipedrive secret",
        "pipeline": "Enterprise: north",  # needs quotes in YAML
        "stage": "",  # the usual one
        "since": "2026-01-01",
    }

    status, out = run("--offline", "--output", str(path), typed=lines(answers))

    assert status == 0, out
    config = load(path)
    box = config.mailboxes[0]
    assert (box.name, box.host, box.username) == (
        "ada",
        "imap.analytical.example",
        "ada@analytical.example",
    )
    assert str(box.since) == "2026-01-01"
    assert config.pipedrive.url == "https://analytical.pipedrive.com"
    assert config.pipedrive.pipeline == "Enterprise: north"
    assert config.us.domains == ("analytical.example",)
    assert config.ledger == tmp_path / "ledger.db"
    assert box.password is not None
    assert box.password.read() == "imap secret"
    assert config.pipedrive.token.read() == "pipedrive secret"
    assert config.warnings == ()
    assert "imap secret" not in out + path.read_text()
    for file in (path, *(tmp_path / "secrets").iterdir()):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "check" in out


@pytest.mark.parametrize("secrets", ["files", "env", "credentials"])
def test_without_questions_the_options_are_enough(tmp_path: Path, secrets: str) -> None:
    path = tmp_path / "config.yaml"

    status, out = run(*GIVEN, "--output", str(path), "--no-input", "--secrets", secrets)

    assert status == 0, out
    assert load(path).pipedrive.stage == "Initial Contact"


def test_below_etc_the_unit_s_user_reads_the_file_and_only_root_the_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not the real /etc: a test leaves the machine as it is.
    monkeypatch.setattr("daemon.config.draft._FOR_THE_UNIT", tmp_path / "etc")
    path = tmp_path / "etc" / "mail2deal" / "config.yaml"
    typed = "ada@analytical.example\n\nimap secret\nanalytical\npipedrive secret\n\n\n\n"

    status, out = run("--offline", "--output", str(path), typed=typed)

    assert status == 0, out
    config = load(path)
    assert config.ledger == Path("/var/lib/mail2deal/ledger.db")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    folder = path.parent / "credentials"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    kept = {file.name: file.read_text() for file in folder.iterdir()}
    assert kept == {"ada-imap": "imap secret\n", "pipedrive-token": "pipedrive secret\n"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert config.mailboxes[0].password is not None
    assert config.mailboxes[0].password.read() == "imap secret"
    assert config.pipedrive.token.read() == "pipedrive secret"


def test_an_instance_of_the_unit_has_a_ledger_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.config.draft._FOR_THE_UNIT", tmp_path)
    path = tmp_path / "mail2deal" / "acme" / "config.yaml"

    status, out = run(*GIVEN, "--output", str(path), "--no-input")

    assert status == 0, out
    assert load(path).ledger == Path("/var/lib/mail2deal-acme/ledger.db")
    assert out.splitlines()[-1] == "  sudo systemctl enable --now mail2deal@acme"


def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    status, out = run(*GIVEN, "--output", str(tmp_path / "file" / "config.yaml"), "--no-input")

    assert status == 2
    assert f"{tmp_path}/file can't be written" in out.replace("\n", " ")


def test_an_address_of_digits_is_a_name_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    status, out = run(
        "--email", "42@example.com", "--company", "x", "--output", str(path), "--no-input"
    )

    assert status == 0, out
    assert load(path).mailboxes[0].name == "42"


def test_a_public_provider_is_no_domain_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    status, out = run(
        "--email", "ada@gmail.com", "--company", "x", "--output", str(path), "--no-input"
    )

    assert status == 0
    assert load(path).us.domains == ()
    assert load(path).us.addresses == ("ada@gmail.com",)
    assert "app password" in out


def test_an_existing_file_is_overwritten_only_by_consent(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mine")

    assert run(*GIVEN, "--output", str(path), "--no-input")[0] == 2
    assert run(*GIVEN, "--output", str(path), typed="n\n")[0] == 2
    assert path.read_text() == "mine"
    assert run(*GIVEN, "--output", str(path), "--no-input", "--force")[0] == 0
    assert path.read_text() != "mine"


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_pipe_or_a_device_is_never_overwritten(tmp_path: Path, force: tuple[str, ...]) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    status, out = run(*GIVEN, "--output", str(path), "--no-input", *force)

    assert status == 2
    assert "isn't a regular file" in out
    assert path.is_fifo()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--company", "x"),
        ("--email", "ada", "--company", "x"),
        (*GIVEN, "--since", "yesterday"),
    ],
)
def test_what_is_missing_or_wrong_is_named(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    status, out = run(*arguments, "--output", str(tmp_path / "c.yaml"), "--no-input")

    assert status == 2
    assert "mail2deal:" in out
    assert not (tmp_path / "c.yaml").exists()


# Wrong answers


def test_a_wrong_answer_is_explained_and_asked_again(
    tmp_path: Path, dovecot: Post, sandbox_url: str
) -> None:
    path = tmp_path / "config.yaml"
    answers = [
        *("ada", dovecot.user),  # no address; then one
        *("http://imap", "imap.example.com:99999"),  # no host; no port
        *("127.0.0.1:1", "n"),  # nothing answers there; not taken all the same
        f"127.0.0.1:{dovecot.server.port}",
        *("wrong", dovecot.password),
        *("my company!", sandbox_url),
        *("no-such-token", sandbox_url, DEFAULT_TOKEN),  # asks for the company again, too
        "Nirgends",  # there is no such stage
        *("", ""),  # the first pipeline, and the usual stage is offered again
        *("yesterday", ""),
    ]

    status, out = run("--output", str(path), typed="".join(f"{one}\n" for one in answers))

    assert status == 0, out
    for said in (
        "isn't an e-mail address",
        "must be a host name",
        "Take it all the same?",
        "login refused",
        "must be only the NAME",
        "the token of",
        "no stage named 'Nirgends'",
        "must be a day",
    ):
        assert said in out, said
    for wrong in ("127.0.0.1", "Nirgends"):
        assert f"[{wrong}" not in out  # what was wrong isn't offered again
    assert "pipedrive.refused" not in out  # the log's word for what was said in a sentence
    config = load(path)
    (box,) = config.mailboxes
    assert (box.host, box.port, box.tls) == ("127.0.0.1", dovecot.server.port, "none")
    assert box.password is not None
    assert box.password.read() == dovecot.password
    assert config.pipedrive.token.read() == DEFAULT_TOKEN
    assert (config.pipedrive.pipeline, config.pipedrive.stage) == (None, "Initial Contact")
    assert not list(tmp_path.glob("*.answers"))


def test_a_pipeline_that_was_right_is_kept_when_the_stage_was_wrong(
    tmp_path: Path, sandbox_url: str
) -> None:
    path = tmp_path / "config.yaml"
    given = ("--email", "a@example.com", "--host", "127.0.0.1:9", "--pipeline", "Sales")
    answers = ["y", "", sandbox_url, DEFAULT_TOKEN, "Nirgends", "", "", ""]

    status, out = run(*given, "--output", str(path), typed="".join(f"{one}\n" for one in answers))

    assert status == 0, out
    assert "Pipeline for new deals [Sales]" in out
    config = load(path)
    assert (config.pipedrive.pipeline, config.pipedrive.stage) == ("Sales", "Initial Contact")


def test_what_was_typed_survives_an_interruption(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    status, out = run("--offline", "--output", str(path), typed="ada@a.example\n\nsecret word\n")
    assert status != 0
    assert "resumes here" in out
    (kept,) = tmp_path.glob("*.answers")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    typed = "\n\n\nanalytical\ntoken\n\n\n\n"
    status, out = run("--offline", "--output", str(path), typed=typed)

    assert status == 0, out
    (box,) = load(path).mailboxes
    assert (box.username, box.host) == ("ada@a.example", "imap.a.example")
    assert box.password is not None
    assert box.password.read() == "secret word"
    assert "secret word" not in out
    assert not kept.exists()


# Providers


def found_by_dns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, table: Table, typed: str) -> str:
    """What `init` writes for ada@acme.example, with these records in DNS."""
    path = tmp_path / "config.yaml"
    with name_server(table) as resolver:
        monkeypatch.setattr(
            "daemon.cli.interview.system_resolver",
            lambda: lambda name, kind: [r.to_text() for r in resolver.resolve(name, kind)],
        )
        # The company is this machine, where nobody answers: each trial says so at once.
        status, out = run("--output", str(path), typed=typed)
    assert status == 0, out
    return out


OFFICE: Table = {("acme.example", "MX"): ["0 acme-example.mail.protection.outlook.com."]}
REST = "http://127.0.0.1:9\n\n\n\n\n"


@pytest.mark.parametrize("way", ["application", "user"])
def test_a_company_on_microsoft_365_gets_an_oauth_login_and_no_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    secret = "the secret\n" if way == "application" else ""
    typed = f"ada@acme.example\n\n{way}\n\n1234-5678\n{secret}{REST}"

    out = found_by_dns(monkeypatch, tmp_path, OFFICE, typed)

    (box,) = load(tmp_path / "config.yaml").mailboxes
    assert (box.host, box.password) == ("outlook.office365.com", None)
    assert box.oauth is not None
    assert (box.oauth.provider, box.oauth.grant) == ("microsoft", way)
    assert (box.oauth.tenant, box.oauth.client_id) == ("acme.example", "1234-5678")
    assert ("login ada" in out) == (way == "user")
    if way == "application":
        assert box.oauth.client_secret is not None
        assert box.oauth.client_secret.read() == "the secret"


def test_a_service_account_s_key_file_is_copied_where_only_we_read_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = tmp_path / "downloaded.json"
    key.write_text(json.dumps({"client_email": "x", "private_key": "y"}))
    table: Table = {("acme.example", "MX"): ["1 smtp.google.com."]}
    typed = f"ada@acme.example\n\napplication\n{tmp_path / 'typo'}\n{key}\n{REST}"

    out = found_by_dns(monkeypatch, tmp_path, table, typed)

    assert "can't be read" in out
    (box,) = load(tmp_path / "config.yaml").mailboxes
    assert box.oauth is not None
    assert box.oauth.service_account is not None
    assert json.loads(box.oauth.service_account.read()) == json.loads(key.read_text())


def test_a_filter_in_front_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table: Table = {
        ("acme.example", "MX"): ["10 eu-smtp-inbound-1.mimecast.com."],
        ("autodiscover.acme.example", "CNAME"): ["autodiscover.outlook.com."],
    }
    typed = f"ada@acme.example\n\nuser\n\n1234-5678\n{REST}"

    assert "Mimecast stands in front" in found_by_dns(monkeypatch, tmp_path, table, typed)
