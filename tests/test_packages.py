"""A package that is missing is told by its name at the start; no mail is blamed for it."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from postbox import START, WE, letter

from daemon.cli.commands import Commands
from daemon.cli.packages import absent
from daemon.message.parse import parse


def test_what_isnt_installed_is_named_and_extras_arent_missed() -> None:
    required = [
        "click<9,>=8.1",
        "no-such-package==1",
        "No.Such_Other",
        "datasette<1; extra == 'never-there'",
        "absent-extra>=1; extra == 'inspect'",
    ]
    assert list(absent(required)) == ["no-such-package", "No.Such_Other"]


@pytest.mark.parametrize("command", [("status",), ("--catch-up",), ("init", "--no-input"), ()])
def test_each_command_says_which_package_is_missing_instead_of_starting(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    metadata = tmp_path / "mail2deal-0.0.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: mail2deal\nVersion: 0.0.0\nRequires-Dist: no-such-package\n"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from daemon.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "this Python environment lacks no-such-package" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mail_isnt_called_unreadable_for_a_package_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)  # as where it isn't installed
    text = "Hello\n\n-- \nAnna Example\nPhone: +44 20 7946 0018\n"
    raw = letter("Anna <anna@example.org>", WE, number=1, at=START, text=text)

    with pytest.raises(ImportError, match="phonenumbers"):
        parse(raw, size=len(raw))


@pytest.mark.parametrize("module", ["daemon.wiring", "rich", None])
def test_a_module_of_ours_that_is_missing_is_a_fault_and_no_package_to_install(
    module: str | None,
) -> None:
    group = Commands("group")

    @group.command("run")
    def run() -> None:
        raise ModuleNotFoundError(name=module)

    done = CliRunner().invoke(group, ["run"])
    if module == "rich":
        assert done.exit_code == 2
        assert "this Python environment lacks rich" in done.output
    else:
        assert isinstance(done.exception, ModuleNotFoundError)
