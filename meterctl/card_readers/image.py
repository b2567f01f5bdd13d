"""A simulated card in a file: the card runs in this process, the locked file is its memory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meterctl.card_readers import CardPort
from meterctl.errors import UsageError
from meterctl.named_files import open_named
from protocols.card.applet import Card
from protocols.card.memory import make_blank
from protocols.errors import CardImageError, CardMemoryError


class ImageMemory:
    """The memory of a card in a file; any write may fail on a full disk."""

    def __init__(self, path: Path, file: int) -> None:
        self._path, self._file = path, file

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset`."""
        try:
            return os.pread(self._file, size, offset)
        except OSError as error:
            raise CardImageError(f"it cannot be read: {error.strerror}") from error

    def write(self, offset: int, data: bytes) -> None:
        """Write all bytes; raises CardMemoryError."""
        try:
            while data:
                written = os.pwrite(self._file, data, offset)
                data, offset = data[written:], offset + written
        except OSError as error:
            raise CardMemoryError(f"{self._path}: {error.strerror}") from error

    def flush(self) -> None:
        """Flush to the disk; raises CardMemoryError."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise CardMemoryError(f"{self._path}: {error.strerror}") from error


@contextmanager
def open_image(path: Path) -> Iterator[CardPort]:
    """Power the card in a file; raises UsageError if it is absent or held by another program."""
    try:
        file = open_named(path, os.O_RDWR)
    except UsageError as error:
        raise UsageError(f"card {path}: {error}; nothing was changed") from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            card = Card(ImageMemory(path, file), os.urandom)
        except OSError as error:
            raise UsageError(
                f"card {path}: another program holds this card; nothing was changed"
            ) from error
        except CardImageError as error:
            raise UsageError(f"card {path}: {error}; nothing was changed") from error
        card.power_on()
        yield CardPort(str(path), card.apdu, True)
    finally:
        os.close(file)


def create_image(path: Path, serial: bytes) -> None:
    """Create a blank card in a new file, all or nothing."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            make_blank(ImageMemory(path, file), serial)
            os.link(draft, path)
        finally:
            os.close(file)
            draft.unlink()
    except FileExistsError as error:
        raise UsageError(
            f"card {path}: it exists and is never overwritten; nothing was changed"
        ) from error
    except (OSError, CardMemoryError) as error:
        raise UsageError(f"card {path}: {error}; nothing was changed") from error
