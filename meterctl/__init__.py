"""The host side: reads meters, tops them up exactly once, and proves the outcome.

Its errors, each with its exit code, are in `meterctl.errors`.
"""

from protocols import __version__

__all__ = ["__version__"]
