"""Generated mail for tests and benchmarks: `generate` makes a correspondence of any size."""

from correspondence.generate import generate

__all__ = ["generate"]
