"""The errors that a user of the library and of the fixtures meets, in one place.

HostingError           a wrong description, a file or a port that cannot be used, a closed meter
└── NotStoredError     a storage refused the last save of its meter
RefusedError           the meter refused an order and carried nothing out; `outcome` is the reason
CommandFailedError     no answer to an order, or a change that does not hold: the meter is without
                       power, it failed in the middle of a write, or the storage refused a change
MeterStoppedError      a storage failed to flush; the meter stays stopped
ProtocolError          root of `protocols.errors`
├── QuantityError      a word or a number that is not allowed; names the allowed ones
└── CardError          a card that is not of this meter, was pulled or has a wrong content
"""

from __future__ import annotations

from firmware_sim.hosting.errors import HostingError, NotStoredError
from firmware_sim.hosting.live import RefusedError
from firmware_sim.meter import MeterStoppedError
from firmware_sim.rack.errors import CommandFailedError
from protocols.errors import CardError, ProtocolError, QuantityError

__all__ = [
    "CardError",
    "CommandFailedError",
    "HostingError",
    "MeterStoppedError",
    "NotStoredError",
    "ProtocolError",
    "QuantityError",
    "RefusedError",
]

TOLD = (HostingError, RefusedError, CommandFailedError, MeterStoppedError, ProtocolError)
"""Errors whose text says all: the library raises them without the frames of its inside."""
