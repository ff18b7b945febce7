"""Fixtures that more than one test file uses; servers start only where a test asks for them."""

import pytest

pytest_plugins = ["dovecot", "company_kit"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the numbers that tests recorded, e.g. how many steps were killed at."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid}: {name} {value}")
