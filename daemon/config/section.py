"""What all sections of the configuration share, and the rule that two keys exclude each other."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo

# A key that may be absent, but not in every company: its validator sees the absence as None.
CHECKED: Any = Field(default=None, validate_default=True)


class Section(BaseModel):
    """What all sections share: they can't be changed, and a key they don't know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def one_of(key: str, value: object, other: str, info: ValidationInfo) -> None:
    """Demand one of two keys, and not both; `other` was checked before `key`."""
    # A partner that failed its own check isn't in `data`: its problem is named already.
    if other not in info.data:
        return
    if value is None and info.data[other] is None:
        raise ValueError(f"missing ({key} or {other})")
    if value is not None and info.data[other] is not None:
        raise ValueError(f"can't stand beside {other}: choose one")
