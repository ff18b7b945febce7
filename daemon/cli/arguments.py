"""What an argument may be, where click's own words for a wrong one are a programmer's."""

from datetime import datetime
from typing import Any

import click


class _WholeNumber(click.IntRange):
    name = "whole number"


class _Day(click.DateTime):
    name = "day"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read a day; a wrong one is shown a right one."""
        try:
            found: datetime = super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} must be a day like 2026-01-01.", param, ctx)
        return found


DAY = _Day(["%Y-%m-%d"])
COUNT = _WholeNumber(min=1)
NUMBER = _WholeNumber()
PORT = _WholeNumber(0, 65_535)
