"""The one place that reads the configuration and builds the edges from it."""

from daemon.wiring.edges import Wiring, utc_now

__all__ = ["Wiring", "utc_now"]
