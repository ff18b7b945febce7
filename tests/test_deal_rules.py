"""Which deals still take mail, as a table."""

import pytest

from daemon.rules.deals import AfterClose, DealRules

ALL = ("open", "won", "lost", "deleted")


@pytest.mark.parametrize(
    ("after", "takes"),
    [
        ("never", {"open"}),
        ("won", {"open", "won"}),
        ("always", {"open", "won", "lost"}),
    ],
)
def test_a_closed_deal_takes_mail_only_where_the_configuration_says_so(
    after: AfterClose, takes: set[str]
) -> None:
    rules = DealRules(mail_after_close=after)
    assert {status for status in ALL if rules.takes_mail(status, archived=False)} == takes


def test_an_archived_deal_takes_none() -> None:
    rules = DealRules(mail_after_close="always")
    assert not any(rules.takes_mail(status, archived=True) for status in ALL)
