"""Simulated card in a file: positional writes, flush to disk, exclusive lock."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.locked_file import open_locked, write_all
from protocols.card.answer_to_reset import Transmission
from protocols.card.applet import Card
from protocols.card.memory import make_blank
from protocols.errors import CardImageError, CardMemoryError


class CardFileMemory:
    """Memory of a card in an open file."""

    def __init__(self, file: int) -> None:
        self._file = file

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes at `offset`. Raises CardMemoryError."""
        try:
            return os.pread(self._file, size, offset)
        except OSError as error:
            raise CardMemoryError(f"it cannot be read: {error.strerror}") from error

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data`; raises CardMemoryError where the file refuses."""
        try:
            write_all(self._file, offset, data)
        except OSError as error:
            raise CardMemoryError(str(error)) from error

    def flush(self) -> None:
        """Flush all writes to the disk; raises CardMemoryError."""
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise CardMemoryError(str(error)) from error


@contextlib.contextmanager
def open_card(path: Path) -> Iterator[Card]:
    """Yield the card of a file under an exclusive lock; raises HostingError where there is none."""
    with _opened(path, os.O_RDWR) as file:
        try:
            card = Card(CardFileMemory(file), os.urandom)
        except (CardImageError, CardMemoryError) as error:
            raise HostingError(f"card {path}: {error}; nothing was changed") from error
        yield card


def create_blank(path: Path, serial: bytes, transmission: Transmission) -> None:
    """Create a blank card in a new file; an existing one is never overwritten."""
    with _opened(path, os.O_RDWR | os.O_CREAT | os.O_EXCL) as file:
        try:
            make_blank(CardFileMemory(file), serial, transmission)
        except CardMemoryError as error:
            path.unlink()
            raise HostingError(f"card {path}: {error}; nothing was kept") from error


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    file = open_locked(path, flags, "card", "another program holds this card")
    try:
        yield file
    finally:
        os.close(file)
