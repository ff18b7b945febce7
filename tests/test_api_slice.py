"""The slice of the official API description that is kept here is what the description says."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from api_slice import KEPT, folder, sliced, text


def test_the_slice_is_what_the_whole_description_says() -> None:
    source = folder()
    if source is None:
        pytest.skip("the whole description isn't here (PIPEDRIVE_OPENAPI names its folder)")
    assert KEPT.read_text(encoding="utf-8") == text(source), "python tests/api_slice.py mends it"
    assert len(sliced(source)) > 150


def test_the_slice_holds_no_texts() -> None:
    values = list(strings(json.loads(KEPT.read_text(encoding="utf-8"))))
    assert [value for value in values if value.count(" ") > 3] == []


def strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value:
        if not isinstance(value, str):
            yield from strings(item) if isinstance(item, str | dict | list) else ()
