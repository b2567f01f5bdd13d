"""A file that one process holds: opened by a person's path, locked, read and written by place."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.named_files import open_named
from protocols.named_files import MAX_SIZE


def open_locked(
    path: Path, flags: int, kind: str, held: str, *, max_size: int | None = MAX_SIZE
) -> int:
    """Return the descriptor of a file under an exclusive lock; closing it releases the lock.

    Args:
        kind: what the file is, for errors.
        held: what is said where another process holds it.

    Raises:
        HostingError: it cannot be opened, or another process holds it.
    """
    file = open_named(path, flags, kind, max_size=max_size)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        raise HostingError(f"{kind} {path}: {held}; nothing was changed") from error
    return file


def write_all(file: int, offset: int, data: bytes) -> int:
    """Write all of `data` at an offset and return the offset after it; raises OSError."""
    view = memoryview(data)
    while view:
        done = os.pwrite(file, view, offset)
        view, offset = view[done:], offset + done
    return offset
