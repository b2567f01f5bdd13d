"""NVRAM in a file: positional writes, flush to disk, exclusive lock."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from firmware_sim.hal.nvram import NvramError, NvramFlushError
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.locked_file import open_locked, write_all
from firmware_sim.meter import Meter


class FileNvram:
    """A byte device in a file under an exclusive lock; never truncated, never extended by reads.

    A write is refused while the path does not lead to the open file, or while the file is shorter
    than before: a restarted meter would not find the data.
    """

    refusal: str | None = None
    """The reason why the last write was refused; None where it was not."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if create else 0)
        self._path = path
        held = "another process runs this meter"
        self._file = open_locked(path, flags, "state file", held, max_size=None)
        self._size = os.fstat(self._file).st_size

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes at `offset`; raises NvramError."""
        try:
            return os.pread(self._file, size, offset)
        except OSError as error:
            raise NvramError(str(error)) from error

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data`.

        Raises:
            NvramError: the device refuses (a full disk), or the path does not lead to this file.
        """
        try:
            self._require_path()
            self._size = max(self._size, write_all(self._file, offset, data))
        except (NvramError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            self.refusal = f"state file {self._path}: {reason}"
            raise NvramError(str(reason)) from error
        self.refusal = None

    def _require_path(self) -> None:
        """Raise NvramError unless the path leads to the open file in its full length."""
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise NvramError(f"it was removed or moved ({error.strerror}); put it back") from error
        if not os.path.samestat(found, os.fstat(self._file)):
            raise NvramError("it was replaced by another file; put it back")
        if found.st_size < self._size:
            short = f"it was cut from {self._size} to {found.st_size} bytes"
            raise NvramError(f"{short}; put its content back")

    def remove(self) -> None:
        """Remove the file where its path still leads to it; it stays open."""
        with contextlib.suppress(NvramError, OSError):
            self._require_path()
            self._path.unlink()

    def is_at(self, path: Path) -> None:
        """Set the path that leads to the file from now on."""
        self._path = path

    def flush(self) -> None:
        """Flush all writes to the disk; raises NvramFlushError."""
        try:
            if hasattr(fcntl, "F_FULLFSYNC"):
                fcntl.fcntl(self._file, fcntl.F_FULLFSYNC)
            else:
                os.fdatasync(self._file)
        except OSError as error:
            raise NvramFlushError(str(error)) from error

    def close(self) -> None:
        """Close the file; this releases its lock."""
        os.close(self._file)


def open_meter(path: Path, build: Callable[[FileNvram], Meter]) -> tuple[Meter, FileNvram]:
    """Return the meter of a state file.

    A new file is completed under another name and then linked to `path`.

    Raises:
        HostingError: the file cannot be used.
    """
    if path.exists() or path.is_symlink():
        nvram = FileNvram(path)
        try:
            if path.stat().st_size == 0:
                raise HostingError(
                    f"state file {path}: it is empty and holds no meter; nothing was changed"
                )
            return build(nvram), nvram
        except NvramError as error:
            raise HostingError(f"state file {path}: {error}; nothing was changed") from error
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    if not path.parent.is_dir():
        raise HostingError(
            f"state file {path}: there is no directory {path.parent}; nothing was changed"
        )
    nvram = FileNvram(draft, create=True)
    try:
        meter = build(nvram)
        # fails where another process was faster: its meter is never overwritten
        os.link(draft, path)
        nvram.is_at(path)
        draft.unlink()
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except (NvramError, OSError) as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise HostingError(f"state file {path}: {error}; nothing was changed") from error
    return meter, nvram
