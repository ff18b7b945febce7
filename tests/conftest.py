"""Fixtures that more than one test file uses; servers start only where a test asks for them."""

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["dovecot", "company_kit"]

# An example is never too slow: the machine may be busy with other tests.
settings.register_profile(
    "tests", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the numbers that tests recorded, e.g. how many steps were killed at."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid}: {name} {value}")
