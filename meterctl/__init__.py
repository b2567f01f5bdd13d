"""The host side: reads meters, tops them up exactly once, and proves the outcome.

Its errors, each with its exit code, are in `meterctl.errors`.
"""

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protocols import __version__

__path__ = extend_path(__path__, __name__)  # a project may have a folder of this name, as modules
__all__ = ["__version__"]


def __getattr__(name: str) -> object:
    """Import the version when it is first used: a program chooses its `protocols` before."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = import_module("protocols").__version__
    globals()[name] = value
    return value
