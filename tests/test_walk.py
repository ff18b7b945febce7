"""The way of one mail through the service stays short: counted, not timed."""

import pytest
from walk import EVERYTHING, Walk, walks

from daemon.sandbox.imap_server import installed

pytestmark = pytest.mark.skipif("dovecot" not in installed(), reason="Dovecot isn't installed")


@pytest.fixture(scope="module", params=[{}, EVERYTHING], ids=["usual", "everything"])
def counted(request: pytest.FixtureRequest) -> list[Walk]:
    return walks(request.param)


@pytest.mark.parametrize(("which", "statements", "transactions"), [(0, 80, 12), (1, 150, 20)])
def test_a_mail_costs_no_more_than_this(
    counted: list[Walk], which: int, statements: int, transactions: int
) -> None:
    walk = counted[which]
    assert walk.statements.total() <= statements, walk.statements.most_common(20)
    assert walk.transactions <= transactions


def test_every_walk_ends_with_its_activity(counted: list[Walk]) -> None:
    for walk in counted:
        done = [
            n
            for sql, n in walk.statements.items()
            if sql.startswith("UPDATE journal SET state = 'done'")
        ]
        assert sum(done) >= 1
        assert any(file.endswith("sync/push.py") for file, _ in walk.functions)
