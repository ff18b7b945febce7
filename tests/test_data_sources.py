"""Every entry of the lists that decide says where it is known from."""

from importlib.resources import files
from itertools import pairwise

import pytest

from daemon.message import data

LISTS = sorted(
    one.name for one in files(data.__name__).iterdir() if one.name.endswith((".txt", ".toml"))
)
# Lists in which each line has its own source: how many fields it has, the last being the source.
FIELDS = {"headers.txt": 4, "message_ids.txt": 3, "spam_filters.txt": 3, "vendors.txt": 2}


def text(name: str) -> str:
    return (files(data.__name__) / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "fields"), FIELDS.items())
def test_each_line_names_its_source(name: str, fields: int) -> None:
    lines = [line for line in data.read(name) if not line.startswith("[")]
    assert lines
    without = [
        line
        for line in lines
        if len(line.split(" | ")) != fields or len(line.rpartition(" | ")[2].strip()) < 4
    ]
    assert without == []


def test_each_form_of_message_ids_says_by_what_it_is_known() -> None:
    assert [line for line in data.read("message_ids.txt") if ";" not in line.split(" | ")[2]] == []


@pytest.mark.parametrize("name", [name for name in LISTS if name not in FIELDS])
def test_the_other_lists_name_theirs_at_their_head(name: str) -> None:
    head = text(name).partition("\n\n")[0]
    assert "# Sources: " in head


def test_each_part_of_the_phrases_says_where_they_are_from() -> None:
    parts = [two for two in pairwise(text("phrases.txt").splitlines()) if two[0].startswith("[")]
    assert parts
    assert [part[0] for part in parts if not part[1].startswith("# ")] == []
