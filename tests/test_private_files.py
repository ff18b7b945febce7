"""Nothing is opened, made or given away through a link of somebody else, and no secret is shown."""

import json
import logging
import os
import stat
from pathlib import Path

import pytest

from daemon.cli.output import log_to_stderr, write_private
from daemon.config import load
from daemon.errors import LedgerProblem, Rejected, hide
from daemon.ledger.lock import Lock
from daemon.ledger.store import Ledger
from daemon.log import TextLines, event, is_journal

NOBODY = 65_534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("how", ["symbolic", "hard"])
def test_a_lock_that_is_a_link_to_something_else_is_refused_and_leaves_it_alone(
    tmp_path: Path, how: str
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("root's")
    precious.chmod(0o644)
    link = tmp_path / "ledger.db.lock"
    (link.symlink_to if how == "symbolic" else link.hardlink_to)(precious)
    before = precious.stat()

    with pytest.raises(LedgerProblem, match=r"link|another name"):
        Lock(tmp_path / "ledger.db").acquire("mail2deal retry")

    assert precious.read_text() == "root's"
    assert (precious.stat().st_uid, mode(precious)) == (before.st_uid, 0o644)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make links of another user")
@pytest.mark.parametrize("name", ["ledger.db", "ledger.db-wal", "ledger.db-shm"])
def test_a_ledger_behind_a_link_of_another_user_is_refused(tmp_path: Path, name: str) -> None:
    if name != "ledger.db":
        Ledger.open(tmp_path / "ledger.db").close()
    target = tmp_path / "elsewhere"
    target.write_bytes(b"")
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).symlink_to(target)
    os.lchown(tmp_path / name, NOBODY, NOBODY)

    for readonly in (True, False):
        with pytest.raises(LedgerProblem, match="link of another user"):
            Ledger.open(tmp_path / "ledger.db", readonly=readonly)
    assert target.read_bytes() == b""


def test_a_ledger_that_an_administrator_keeps_on_another_disk_is_followed(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    Ledger.open(disk / "ledger.db").close()
    (tmp_path / "ledger.db").symlink_to(disk / "ledger.db")

    with Ledger.open(tmp_path / "ledger.db") as ledger:
        assert ledger.counts("messages") == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_belongs_to_the_directorys_owner_and_what_is_there_stays(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    Ledger.open(home / "ledger.db").close()
    assert (home / "ledger.db").stat().st_uid == NOBODY
    roots = home / "ledger.db.lock"
    roots.write_text("")

    lock = Lock(home / "ledger.db")
    lock.acquire("mail2deal retry")
    lock.release()
    assert roots.stat().st_uid == 0


def test_a_file_with_personal_data_is_for_its_owner_and_replaces_a_link(tmp_path: Path) -> None:
    precious, path = tmp_path / "precious", tmp_path / "page.html"
    precious.write_text("root's")
    path.symlink_to(precious)
    before = os.umask(0)
    try:
        write_private(path, "<p>Ada</p>")
    finally:
        os.umask(before)

    assert (path.read_text(), path.is_symlink(), mode(path)) == ("<p>Ada</p>", False, 0o600)
    assert precious.read_text() == "root's"
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_a_secret_that_a_server_repeats_is_in_no_error_and_no_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = 'a "secret" of ours/1'
    (tmp_path / "token").write_text(token)
    config = tmp_path / "config.yaml"
    config.write_text(
        "mailboxes: [{name: a, host: h, username: u, password: {env: X}}]\n"
        "pipedrive: {company: acme, token: {file: token}}\n"
    )
    assert load(config).pipedrive.token.read() == token
    caplog.set_level(logging.INFO)
    problem = Rejected(
        f"invalid token {token}", what="GET ?api_token=a%20%22secret%22%20of%20ours%2F1"
    )

    event("pipedrive.refused", reason=problem, body=json.dumps({"token": token}))

    for text in (str(problem), caplog.text):
        assert "secret" not in text
        assert "***" in text


@pytest.mark.parametrize("secret", ["hunter2", "p4ss", "(a)b!"])
def test_a_short_secret_is_hidden_where_it_stands_as_a_word(secret: str) -> None:
    hide(secret)
    assert str(Rejected(f"no login with '{secret}' for x{secret}x")) == (
        f"no login with '***' for x{secret}x"
    )


def test_what_is_shorter_than_any_password_hides_nothing() -> None:
    hide("abc")
    assert str(Rejected("abc refused")) == "abc refused"


def test_a_line_has_time_and_level_and_fewer_lines_come_by_log_level(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_to_stderr("text", "warning")
    event("intake.polled", mailbox="sales")
    event("job.failed", logging.WARNING, again_in_s=30)

    (line,) = capsys.readouterr().err.splitlines()
    at, level, *rest = line.split()
    assert (len(at), at[-1], level, rest) == (20, "Z", "WARNING", ["job.failed", "again_in_s=30"])


@pytest.mark.parametrize(
    ("level", "priority"), [(logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3)]
)
def test_the_journal_gets_syslogs_priorities(level: int, priority: int) -> None:
    record = logging.LogRecord("mail2deal", level, "", 0, "job.failed", None, None)
    assert TextLines(journal=True).format(record) == f"<{priority}>job.failed"
    assert not is_journal()
