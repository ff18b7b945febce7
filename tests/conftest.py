"""Fixtures that more than one test file uses; servers start only where a test asks for them."""

pytest_plugins = ["dovecot", "company_kit"]
