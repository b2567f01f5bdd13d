"""Open and read files that the user names, without blocking and with a size limit.

The errors give the reason only; the caller adds the file and what is unchanged.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from meterctl.errors import UsageError
from protocols import named_files
from protocols.errors import QuantityError

_ALWAYS = os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
"""A FIFO opens at once, a terminal does not become the controlling one, no child inherits it."""
_CHUNK = 1 << 20


class NamedText(NamedTuple):
    """The text of a file, and its st_mode when it was read."""

    text: str
    mode: int


def open_named(path: Path, flags: int, max_size: int = named_files.MAX_SIZE) -> int:
    """Return a descriptor of a regular file of at most `max_size` bytes, which the caller closes.

    Args:
        path: its path.
        flags: of os.open, such as os.O_RDWR; a new file gets mode 600.
        max_size: the limit of its size, bytes, in whole MiB.

    Raises:
        UsageError: it cannot be opened, is not a regular file, or is too large.
    """
    try:
        file = os.open(path, flags | _ALWAYS, 0o600)
    except (OSError, ValueError) as error:  # ValueError: an impossible file name
        raise UsageError(str(getattr(error, "strerror", None) or error)) from error
    try:
        status = os.fstat(file)
        refusal = named_files.refusal(status.st_mode, status.st_size, max_size)
        if refusal is not None:
            raise UsageError(refusal)
    except BaseException:
        os.close(file)
        raise
    return file


def read_named(path: Path, max_size: int = named_files.MAX_SIZE) -> NamedText:
    """Return the text of a regular file of at most `max_size` bytes, and its mode.

    Raises:
        UsageError: it cannot be read, is not a regular file, is too large, or is no text.
    """
    data, mode = _read(path, max_size)
    try:
        return NamedText(named_files.decode_text(data), mode)
    except QuantityError as error:
        raise UsageError(str(error)) from error


def read_named_bytes(path: Path, max_size: int = named_files.MAX_SIZE) -> bytes:
    """Return the bytes of a regular file of at most `max_size` bytes; raises UsageError."""
    return _read(path, max_size)[0]


def _read(path: Path, max_size: int) -> tuple[bytes, int]:
    """Return the bytes of a file, and its mode."""
    file = open_named(path, os.O_RDONLY, max_size)
    try:
        data = bytearray()
        while piece := os.read(file, _CHUNK):
            data += piece
            if len(data) > max_size:  # it grew, or reported no size
                raise UsageError(named_files.too_large(max_size))
        return bytes(data), os.fstat(file).st_mode
    except OSError as error:
        raise UsageError(str(error.strerror or error)) from error
    finally:
        os.close(file)
