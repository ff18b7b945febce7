"""Fixtures that more than one test file uses; servers start only where a test asks for them."""

import gc
import logging
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from daemon import errors

pytest_plugins = ["dovecot", "company_kit", "cli_kit", "crm_kit"]

# An example is never too slow: the machine may be busy with other tests.
settings.register_profile(
    "tests", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


SERVERS = {"company", "small_company", "dovecot_server"}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker is left alone with one at the end.

    These are the files with tests marked long, then those with servers; a file stays together.
    """
    slow = {item.path: 2 for item in items}
    for item in items:
        if item.get_closest_marker("long"):
            slow[item.path] = 0
        elif SERVERS.intersection(getattr(item, "fixturenames", ())):
            slow[item.path] = min(slow[item.path], 1)
    items.sort(key=lambda item: slow[item.path])


def pytest_collection_finish() -> None:
    """Python need not look for garbage among thousands of collected tests again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, bool, bool]:
    """Leave the next test what a process has once: its logger, and the secrets that it hides."""
    logger = logging.getLogger("mail2deal")
    handlers, propagate, level = logger.handlers[:], logger.propagate, logger.level
    secrets = set(errors._secrets)
    try:
        return (yield)
    finally:
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)
        for one in set(errors._secrets) - secrets:
            del errors._secrets[one]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the numbers that tests recorded, e.g. how many steps were killed at."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid}: {name} {value}")
