"""The host side: reads meters, tops them up exactly once, and proves the outcome.

Its errors, each with its exit code, are in `meterctl.errors`.
"""

from pkgutil import extend_path

from protocols import __version__

__path__ = extend_path(__path__, __name__)  # a project may have a folder of this name, as modules
__all__ = ["__version__"]
