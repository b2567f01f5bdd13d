"""Why a command to the rack failed."""

from __future__ import annotations

POWER_FAILED = "the power failed in the middle of a write; the meter restarted from its storage"


class CommandFailedError(Exception):
    """A command whose effect does not hold."""


class UnknownMeterError(Exception):
    """No meter of this process has the serial number of a command."""
