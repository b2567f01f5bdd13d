"""NVRAM in a file: positional writes, a flush that reaches the disk, one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from firmware_sim.hal.nvram import NvramError, NvramFlushError
from firmware_sim.hosting.errors import HostingError
from firmware_sim.meter import Meter


class FileNvram:
    """A byte device in a file, held under an exclusive lock; never truncated, never grown by reading."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0)
        try:
            self._file = os.open(path, flags, 0o600)
        except OSError as error:
            raise HostingError(f"state file {path}: {error.strerror}; nothing was changed") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise HostingError(f"state file {path}: another process runs this meter; nothing was changed") from error

    def read(self, offset: int, size: int) -> bytes:
        """Return what stands at `offset`; fewer bytes at the end."""
        try:
            return os.pread(self._file, size, offset)
        except OSError as error:
            raise NvramError(str(error)) from error

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data`; raises NvramError where the device refuses (a full disk)."""
        view = memoryview(data)
        try:
            while view:
                done = os.pwrite(self._file, view, offset)
                view, offset = view[done:], offset + done
        except OSError as error:
            raise NvramError(str(error)) from error

    def flush(self) -> None:
        """Return when everything is on the disk."""
        try:
            if hasattr(fcntl, "F_FULLFSYNC"):
                fcntl.fcntl(self._file, fcntl.F_FULLFSYNC)
            else:
                os.fdatasync(self._file)
        except OSError as error:
            raise NvramFlushError(str(error)) from error

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)


def open_meter(path: Path, build: Callable[[FileNvram], Meter]) -> tuple[Meter, FileNvram]:
    """Return the meter of a state file; a file that is absent is made whole under another name and then moved here.

    Raises:
        HostingError: the file cannot be used.
    """
    if path.exists() or path.is_symlink():
        if not path.is_file():
            raise HostingError(f"state file {path}: it is not a file; nothing was changed")
        nvram = FileNvram(path)
        try:
            if path.stat().st_size == 0:
                raise HostingError(f"state file {path}: it is empty and holds no meter; nothing was changed")
            return build(nvram), nvram
        except NvramError as error:
            raise HostingError(f"state file {path}: {error}; nothing was changed") from error
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    nvram = FileNvram(draft, create=True)
    try:
        meter = build(nvram)
        os.link(draft, path)  # fails where another process was faster; its meter is never overwritten
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
