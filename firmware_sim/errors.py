"""The errors that a user of the library and of the fixtures meets, in one place.

PrepaidMeterError          root of all of them; the text says all
├── HostingError           a wrong description, a file or a port that cannot be used, a closed meter
│   └── NotStoredError     a storage refused the last save of its meter
├── RefusedError           the meter refused an order, without effect; `outcome` is the reason
├── CommandFailedError     no answer to an order, or a change that does not hold: no power, a power
│                          failure in the middle of a write, or a storage that refused the change
├── MeterStoppedError      a storage failed to flush; the meter stays stopped
└── ProtocolError          root of `protocols.errors`
    ├── QuantityError      a word or a number that is not allowed; names the allowed ones
    └── CardError          a card that is not of this meter, was pulled or has a wrong content
"""

from __future__ import annotations

from firmware_sim.hosting.errors import HostingError, NotStoredError
from firmware_sim.hosting.live import RefusedError
from firmware_sim.meter import MeterStoppedError
from firmware_sim.rack.errors import CommandFailedError
from protocols.errors import CardError, PrepaidMeterError, ProtocolError, QuantityError

__all__ = [
    "CardError",
    "CommandFailedError",
    "HostingError",
    "MeterStoppedError",
    "NotStoredError",
    "PrepaidMeterError",
    "ProtocolError",
    "QuantityError",
    "RefusedError",
]
