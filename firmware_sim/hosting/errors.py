"""Errors of the meter's edge, each with the exit code of the program.

HostingError           2  a local file, port or address that cannot be used
└── NotStoredError     1  a storage refused the last save of its meter
"""

from protocols.errors import PrepaidMeterError


class HostingError(PrepaidMeterError):
    """The text names the failure and the unchanged parts."""

    exit_code = 2


class NotStoredError(HostingError):
    """A storage refused the last save of its meter; the text names the credit not stored."""

    exit_code = 1
