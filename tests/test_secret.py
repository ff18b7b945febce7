from pathlib import Path
from typing import Any

import pytest
from config_kit import SMALL, written

from daemon.config import Secret, load
from daemon.errors import ConfigProblem, Problem


def test_a_literal_secret_is_fine_in_a_private_file(tmp_path: Path) -> None:
    config = load(written(tmp_path, SMALL.replace("{env: PW}", "hunter2"), mode=0o640))
    assert config.mailboxes[0].password is not None
    assert config.mailboxes[0].password.read() == "hunter2"
    assert config.warnings == ()


def test_a_literal_secret_that_everyone_can_read_is_warned_of(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL.replace("{env: PW}", "hunter2"), mode=0o644)
    assert load(path).warnings == (
        f"mailboxes[0].password: a secret in a file that everyone can read: chmod o-r {path}",
    )


def test_no_secret_is_ever_shown(tmp_path: Path) -> None:
    literal = SMALL.replace("{env: PW}", "hunter2").replace("{env: TOKEN}", "hunter3")
    assert "hunter" not in repr(load(written(tmp_path, literal)))
    for wrong in (literal + "bogus: 1", literal.replace("hunter2", "[hunter2]")):
        with pytest.raises(ConfigProblem) as caught:
            load(written(tmp_path, wrong))
        assert "hunter" not in str(caught.value.problems)


def test_a_secret_is_read_from_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
        config = load(written(tmp_path, SMALL.replace("{env: TOKEN}", reference)))
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
            "{env: MAIL2DEAL_NO_SUCH}: the environment variable isn't set",
        ),
        ("env", ("MAIL2DEAL_EMPTY",), "{env: MAIL2DEAL_EMPTY}: the secret is empty"),
        (
            "file",
            ("/nowhere/pw",),
            "{file: /nowhere/pw}: /nowhere/pw can't be read: No such file or directory",
        ),
        ("file", ("/dev/zero",), "/dev/zero: isn't a regular file (name the right file)"),
        (
            "command",
            ("/nowhere/helper", "pw"),
            "{command: /nowhere/helper}: can't be run: No such file or directory",
        ),
        ("command", ("false",), "{command: false}: ended with exit status 1"),
        ("command", ("true",), "{command: true}: the secret is empty"),
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


def test_a_credential_that_systemd_has_not_loaded_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "loaded"))
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "sales").write_text("secret\n")  # put there after the start

    with pytest.raises(ConfigProblem, match="systemd has not loaded sales") as told:
        Secret("credential", ("sales",), tmp_path).read()

    assert "restart the unit" in str(told.value)
