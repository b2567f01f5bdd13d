"""The meters of one process, their time, and the commands that no wire can give."""

from firmware_sim.rack.errors import CommandFailedError, UnknownMeterError

__all__ = ["CommandFailedError", "UnknownMeterError"]
