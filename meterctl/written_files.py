"""Files that the user names to be written: whole (a page, a plot) or growing (rows, frames).

A new file is readable as the umask allows; a device or a FIFO is written as it is. Every error is a
UsageError that names the file, the reason, and what is unchanged.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from meterctl.errors import UsageError
from protocols.replacements import printable

_ALWAYS = os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
"""No child inherits it, no terminal becomes the controlling one, a FIFO without reader fails."""
_NEW_MODE = 0o666
"""Mode of a new file, less the umask."""
_HEAD = 4096
"""Bytes at the beginning of a file by which its making is known."""


class Making(NamedTuple):
    """What a program writes into whole files: only a file of the same making is ever replaced.

    `mark` stands within the first bytes of each, `_HEAD` at most.
    """

    name: str
    mark: bytes


class WholeFile:
    """The place of a file that is written whole, found out before anything is done for it.

    A device or a FIFO is open from the beginning, so that one that cannot be written is refused.
    """

    def __init__(self, path: Path, making: Making, own: Iterable[Path] = ()) -> None:
        """Find the place.

        Args:
            own: files that the program itself keeps, which are never the place.

        Raises:
            UsageError: as `require_place`, or a device cannot be opened.
        """
        require_place(path, making, own)
        self.path = path
        self._making, self._own = making, tuple(own)
        self._device: int | None = None
        try:
            mode = _mode(path)
            if mode is not None and not stat.S_ISREG(mode):
                self._device = os.open(path, os.O_WRONLY | _ALWAYS)
                os.set_blocking(self._device, True)
        except (OSError, ValueError) as error:
            raise _refusal(path, error, "nothing was written") from error

    def write(self, data: bytes) -> None:
        """Write the file, all or nothing: an existing one is replaced when the new one is whole.

        A symbolic link stays, and the file that it names is replaced; the mode of a file stays.

        Raises:
            UsageError: it cannot be written; an existing file is as it was.
        """
        try:
            if self._device is not None:
                _write_all(self._device, data)
                return
            require_place(self.path, self._making, self._own)  # it may have come meanwhile
            target = Path(os.path.realpath(self.path))
            _replace(target, data, _mode(target))
        except (OSError, ValueError) as error:
            raise _refusal(self.path, error, "nothing was written") from error

    def close(self) -> None:
        """Close a device; further calls do nothing."""
        if self._device is not None:
            with contextlib.suppress(OSError):
                os.close(self._device)
            self._device = None


def write_whole(path: Path, data: bytes, making: Making, own: Iterable[Path] = ()) -> None:
    """Write a file as `WholeFile` does; raises UsageError."""
    file = WholeFile(path, making, own)
    try:
        file.write(data)
    finally:
        file.close()


def require_place(path: Path, making: Making, own: Iterable[Path] = ()) -> None:
    """Refuse a name under which no file can be written, or that holds another file.

    An empty file is replaced too. The file stays as it is, and a device is not opened.

    Raises:
        UsageError: its directory does not exist or cannot be written; it is a directory, one of
            `own`, or a file of another making.
    """
    try:
        require_other(path, own)
        mode = _mode(path)
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if mode is None or stat.S_ISREG(mode):
            target = Path(os.path.realpath(path))
            os.stat(target.parent)
            if not os.access(target.parent, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if mode is not None and stat.S_ISREG(mode):
            with path.open("rb") as file:
                head = file.read(_HEAD)
            if head and making.mark not in head:
                raise UsageError(
                    f"file {_named(path)}: it exists and is no {making.name} of meterctl; give "
                    f"another name; nothing was written"
                )
    except (OSError, ValueError) as error:  # ValueError: an impossible file name
        raise _refusal(path, error, "nothing was written") from error


def require_other(path: Path, own: Iterable[Path]) -> None:
    """Raise UsageError where a name is that of a file that the program itself keeps."""
    for each in own:
        is_same = os.path.realpath(each) == os.path.realpath(path)
        with contextlib.suppress(OSError):
            is_same = is_same or os.path.samefile(each, path)
        if is_same:
            raise UsageError(
                f"file {_named(path)}: it is {_named(each)}, which meterctl itself keeps (keys, "
                f"journal); give another name; nothing was written"
            )


def _mode(path: Path) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _replace(path: Path, data: bytes, mode: int | None) -> None:
    draft = path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _NEW_MODE)
    try:
        try:
            if mode is not None:
                os.fchmod(file, stat.S_IMODE(mode))
            _write_all(file, data)
            os.fsync(file)
        finally:
            os.close(file)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


class GrowingFile:
    """A file that gets bytes one after the other; each `write` is in it whole, or not at all.

    A name that holds data already is refused, so that nothing is overwritten; with `append` it is
    continued.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        """Open the file.

        Args:
            append: continue a file that exists.

        Raises:
            UsageError: it cannot be opened, or holds data without `append`.
        """
        self.path = path
        try:
            self._file = _opened(path)
        except (OSError, ValueError) as error:
            raise _refusal(path, error, "nothing was written") from error
        status = os.fstat(self._file)
        self._is_regular = stat.S_ISREG(status.st_mode)
        self.size = status.st_size if self._is_regular else 0
        """Bytes that it holds; 0 for a device. A heading belongs into an empty file only."""
        if self.size and not append:
            os.close(self._file)
            raise UsageError(
                f"file {_named(path)}: it exists and is never overwritten; give another name"
            )

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            UsageError: they cannot be written; the file ends with the last bytes that were whole.
        """
        try:
            _write_all(self._file, data)
        except BaseException as error:  # an interrupt too leaves no part of a row
            if self._is_regular:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, self.size)
            if not isinstance(error, OSError):
                raise
            kept = "it ends with what was written before" if self.size else "it is empty"
            raise _refusal(self.path, error, kept) from error
        if self._is_regular:
            self.size += len(data)

    def close(self) -> None:
        """Close the file.

        Raises:
            UsageError: the last bytes may not be in it.
        """
        try:
            os.close(self._file)
        except OSError as error:
            raise _refusal(self.path, error, "its last rows may be missing") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        with contextlib.suppress(UsageError):  # the first error is told
            self.close()


def _opened(path: Path) -> int:
    """Return a descriptor that appends to a file, which is made if it does not exist."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _ALWAYS, _NEW_MODE)
    os.set_blocking(file, True)
    return file


def _write_all(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def _refusal(path: Path, error: OSError | ValueError, kept: str) -> UsageError:
    reason = getattr(error, "strerror", None) or str(error)
    return UsageError(f"file {_named(path)}: {reason[:1].lower()}{reason[1:]}; {kept}")


def _named(path: Path) -> str:
    """Return a path in one line, whatever characters it has."""
    return printable(str(path))
