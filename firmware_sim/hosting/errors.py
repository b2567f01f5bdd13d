"""The errors of the meter's edge, each with the exit code of the program.

HostingError           2  a local file, port or address that cannot be used
└── NotStoredError     1  a storage refused the last save of its meter
"""


class HostingError(Exception):
    """The text says what failed and what is unchanged."""

    exit_code = 2


class NotStoredError(HostingError):
    """A storage refused the last save of its meter; the text says which credit is not stored."""

    exit_code = 1
