"""Why a command to the rack failed."""

from __future__ import annotations

from protocols.errors import PrepaidMeterError

POWER_FAILED = "the power failed in the middle of a write; the meter restarted from its storage"


class CommandFailedError(PrepaidMeterError):
    """A command whose effect does not hold."""


class UnknownMeterError(Exception):
    """No meter of this process has the serial number of a command."""
