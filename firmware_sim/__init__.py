"""The simulated prepaid meter: metering, money and switch in whole numbers; time is an argument.

from firmware_sim import PrepaidMeter

with PrepaidMeter(credit="20.00") as meter:
    meter.load("3kW")
    meter.advance("2h")
    assert meter.value("supply_state") == "connected"

docs/library.md is the page of it. The names below are imported when they are first used, so that
`import firmware_sim` costs nothing.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pkgutil import extend_path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firmware_sim.errors import (
        CardError,
        CommandFailedError,
        HostingError,
        MeterStoppedError,
        PrepaidMeterError,
        QuantityError,
        RefusedError,
    )
    from firmware_sim.library.meter import PrepaidMeter
    from firmware_sim.library.pair import SerialPair
    from firmware_sim.library.thread import LoopThread
    from protocols import __version__

__path__ = extend_path(__path__, __name__)  # a project may have a folder of this name, as modules
_MODULES = {
    "PrepaidMeter": "firmware_sim.library.meter",
    "SerialPair": "firmware_sim.library.pair",
    "LoopThread": "firmware_sim.library.thread",
    "__version__": "protocols",
    "CardError": "firmware_sim.errors",
    "CommandFailedError": "firmware_sim.errors",
    "HostingError": "firmware_sim.errors",
    "MeterStoppedError": "firmware_sim.errors",
    "PrepaidMeterError": "firmware_sim.errors",
    "QuantityError": "firmware_sim.errors",
    "RefusedError": "firmware_sim.errors",
}
__all__ = [
    "CardError",
    "CommandFailedError",
    "HostingError",
    "LoopThread",
    "MeterStoppedError",
    "PrepaidMeter",
    "PrepaidMeterError",
    "QuantityError",
    "RefusedError",
    "SerialPair",
    "__version__",
]


def __getattr__(name: str) -> object:
    """Import a name of `__all__` when it is first used.

    Raises:
        ImportError: another package `protocols` stands in front of the one that this needs.
    """
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    other = _other("protocols")
    if other is not None:
        raise ImportError(
            f"prepaid-meter needs its own package `protocols`, and {other} stands in front of it: "
            f"rename that one, or run the meter as a program of its own (meter-sim run)"
        )
    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _other(name: str) -> str | None:
    """Return where a package of this distribution is found if another one is found instead."""
    loaded = sys.modules.get(name)
    try:
        spec = find_spec(name) if loaded is None else loaded.__spec__
    except (ImportError, ValueError, AttributeError):
        spec = None
    origin = getattr(loaded, "__file__", None) or (spec.origin if spec is not None else None)
    own = os.path.join(os.path.dirname(os.path.dirname(__file__)), name, "__init__.py")
    if origin is None or not os.path.exists(own):
        return None  # a distribution without files, such as one in a zip
    return None if os.path.samefile(own, origin) else origin
