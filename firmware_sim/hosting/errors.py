"""What can go wrong at the edge of the meter: a local file, port or address that cannot be used (exit code 2)."""


class HostingError(Exception):
    """The text says what failed and what is unchanged."""
