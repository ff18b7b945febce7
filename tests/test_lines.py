"""What `make lines` counts."""

from lines import kinds

_FILE = '''"""A module
of two lines."""

# A comment.
NUMBER = 1  # code, with a comment


def one() -> str:
    """One sentence."""
    return """no docstring
# and no comment
"""
'''


def test_a_line_is_code_explaining_or_blank() -> None:
    """A docstring and a comment explain; a text that is used is code, whatever it looks like."""
    first = ["explaining", "explaining", "blank", "explaining", "code", "blank", "blank"]
    assert list(kinds(_FILE)) == [*first, "code", "explaining", "code", "code", "code"]
