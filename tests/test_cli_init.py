"""`init`: asks, guesses, writes a configuration that loads, and overwrites nothing unasked."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from daemon.cli import main
from daemon.config import load
from daemon.config.draft import guess_host

GIVEN = ("--email", "ada@analytical.example", "--company", "analytical")


def run(*arguments: str, typed: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["init", *arguments], input=typed)
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("ada@gmail.com", "imap.gmail.com"),
        ("ada@GoogleMail.com", "imap.gmail.com"),
        ("ada@hotmail.com", "outlook.office365.com"),
        ("ada@yahoo.co.uk", "imap.mail.yahoo.com"),
        ("ada@icloud.com", "imap.mail.me.com"),
        ("ada@gmx.de", "imap.gmx.net"),
        ("ada@fastmail.com", "imap.fastmail.com"),
        ("ada@t-online.de", "secureimap.t-online.de"),
        ("ada@analytical.example", "imap.analytical.example"),
    ],
)
def test_the_host_is_guessed_from_the_address(address: str, host: str) -> None:
    assert guess_host(address) == host


def test_answers_become_a_configuration_that_loads(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    answers = {
        "address": "ada@analytical.example",
        "host": "",  # the guessed one
        "company": "https://analytical.pipedrive.com",
        "pipeline": "Enterprise: north",  # needs quotes in YAML
        "stage": "",  # the usual one
        "since": "2026-01-01",
        "password": "imap secret",
        "token": "pipedrive secret",
    }
    typed = "".join(f"{answer}\n" for answer in answers.values())

    status, out = run("--output", str(path), typed=typed)

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
    typed = "ada@analytical.example\n\nanalytical\n\n\n\nimap secret\npipedrive secret\n"

    status, out = run("--output", str(path), typed=typed)

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
    assert load(path).ledger == Path("/var/lib/mail2deal/acme/ledger.db")


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
    assert "oauth" in out


def test_an_existing_file_is_overwritten_only_by_consent(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mine")

    assert run(*GIVEN, "--output", str(path), "--no-input")[0] == 2
    assert run(*GIVEN, "--output", str(path), typed="n\n")[0] == 2
    assert path.read_text() == "mine"
    assert run(*GIVEN, "--output", str(path), "--no-input", "--force")[0] == 0
    assert path.read_text() != "mine"


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
