"""Kept connections: whose they are, how many, and what happens to one that has gone."""

import dataclasses

import pytest
from dovecot import Post
from scripted_imap import HANGUP, ScriptedImap

from daemon.errors import RetryLater
from daemon.mailbox.account import Account
from daemon.mailbox.connections import Connections, Left, NoRoom
from daemon.mailbox.imap import Mailbox
from daemon.mailbox.imap_errors import Crowded


def test_a_connection_is_kept_for_its_account_and_for_no_other(dovecot: Post) -> None:
    account = dovecot.account()
    pool = Connections(5)
    with pool.lent(account) as first:
        pass
    with pool.lent(account) as again:
        assert again is first
    with pool.lent(dataclasses.replace(account, read_timeout=7)) as other:
        assert other is not first
        assert first.closed
    pool.close()
    assert other.closed


def test_one_that_ends_while_it_is_used_is_told_from_a_new_one_that_does() -> None:
    pool = Connections(5)
    with ScriptedImap() as server:
        account = server.account()
        with pool.lent(account):
            pass
        server.answers["NOOP"] = HANGUP
        with pytest.raises(Left), pool.lent(account) as kept:
            kept.command(b"NOOP")
        with pytest.raises(RetryLater) as problem, pool.lent(account) as new:
            new.command(b"NOOP")
        assert not isinstance(problem.value, Left)
        assert pool._server(account).count() == 0


def test_an_error_closes_the_connection_and_frees_its_place(dovecot: Post) -> None:
    pool = Connections(1)
    with pytest.raises(ZeroDivisionError), pool.lent(dovecot.account()) as mailbox:
        raise ZeroDivisionError
    assert mailbox.closed
    with pool.lent(dovecot.account(name="other")):
        pass
    pool.close()


def test_a_quarter_of_the_room_is_left_to_polls(dovecot: Post) -> None:
    pool = Connections(4)
    spares = [pool.spare(dovecot.account(name=f"box{number}")) for number in range(4)]
    assert [one is not None for one in spares] == [True, True, True, False]
    with pool.lent(dovecot.account()):
        for one in spares:
            if one is not None:
                one.close()
        assert pool._server(dovecot.account()).count() == 1
    pool.close()


def test_a_server_that_others_have_filled_is_no_fault_of_ours(dovecot: Post) -> None:
    def full(account: Account) -> Mailbox:
        raise Crowded("full", what=account.name)

    pool = Connections(5, full)
    with pytest.raises(Crowded), pool.lent(dovecot.account()):
        pass
    assert pool._server(dovecot.account()).count() == 0


def test_a_server_that_we_have_filled_is_asked_again_later(dovecot: Post) -> None:
    tries = 0

    def full(account: Account) -> Mailbox:
        nonlocal tries
        tries += 1
        if tries > 1:
            raise Crowded("full", what=account.name)
        return Mailbox.connect(account)

    pool = Connections(50, full)
    with pool.lent(dovecot.account()), pytest.raises(NoRoom), pool.lent(dovecot.account(name="b")):
        pass
    assert pool._server(dovecot.account()).limit == 1
    pool.close()
