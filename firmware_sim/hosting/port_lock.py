"""Exclusive lock on the path of a virtual port; it ends with the process that holds it.

It is an exclusive flock on a file `.NAME.lock` in the directory of the port's link. A user who can
create that file can also create the port's own name: the lock adds no way to hold a port.

The file records the link that its process made. After a kill the link still is there, and its
terminal may belong to another program: by the record it is known as left over.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.hosting.errors import HostingError

_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_FOREIGN = (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EACCES, errno.EPERM)
"""errno of opening a symlink, a directory, a socket, or a file of another user."""
_ATTEMPTS = 100
"""Limit: a lock file that vanishes or is foreign more often is changed by another program."""
_MAX_NAME = 255
"""Bytes of a name in a directory."""
_MAX_RECORD = 4_200
"""The longest target of a link, and two numbers."""


@dataclass(frozen=True, slots=True)
class PortLock:
    """A held lock; `release` it after the port's link was removed."""

    path: Path
    file: int

    def record(self, link: Path) -> None:
        """Store which link this process made; a full disk leaves it unknown."""
        with contextlib.suppress(OSError):
            os.ftruncate(self.file, 0)
            os.pwrite(self.file, _identity(link), 0)

    def has_recorded(self, link: Path) -> bool:
        """Return whether the last holder of the lock made this link."""
        return _has_recorded(self.file, link)

    def release(self) -> None:
        """Remove the lock file where it is still this one, then unlock."""
        with contextlib.suppress(OSError):
            if os.path.samestat(os.lstat(self.path), os.fstat(self.file)):
                os.unlink(self.path)
        os.close(self.file)


def lock_port(link: Path, name: str | None = None) -> PortLock:
    """Return the lock of a port's path; only one process of this user holds it at a time.

    The lock file of an ended process is taken over. Anything but a regular file of this user is
    removed where the directory permits it.

    Args:
        link: the path.
        name: its name in error texts.

    Raises:
        HostingError: another process holds it, or the lock file cannot be made.
    """
    path, name = _lock_path(link), name or str(link)
    for _ in range(_ATTEMPTS):
        file = _opened(path, name)
        if file is None:
            _remove_foreign(path, name)
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.lstat(path), os.fstat(file)):
                    return PortLock(path, file)
        except BlockingIOError as error:
            os.close(file)
            raise _served(name) from error
        except OSError as error:
            os.close(file)
            raise HostingError(f"port {name}: {path}: {error.strerror}") from error
        os.close(file)  # its holder removed it between os.open and flock
    raise HostingError(f"port {name}: {path} keeps changing; nothing was touched")


def is_left_link(link: Path, name: str) -> bool:
    """Return whether a meter-sim of this user made a link and was killed.

    Raises:
        HostingError: a meter-sim serves the path.
    """
    try:
        file = os.open(_lock_path(link), _FLAGS)
    except OSError:
        return False
    try:
        if not _is_own(file):
            return False
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _has_recorded(file, link)
    except BlockingIOError as error:
        raise _served(name) from error
    finally:
        os.close(file)


def _served(name: str) -> HostingError:
    return HostingError(f"port {name}: another meter-sim serves it; nothing was touched")


def _lock_path(link: Path) -> Path:
    name = f".{link.name}.lock"
    if len(os.fsencode(name)) > _MAX_NAME:
        name = f".{hashlib.sha256(os.fsencode(link.name)).hexdigest()}.lock"
    return link.with_name(name)


def _identity(link: Path) -> bytes:
    """Return what tells a link from every other one that was or will be at its place."""
    status = os.lstat(link)
    return os.fsencode(f"{os.readlink(link)} {status.st_ino} {status.st_mtime_ns}")


def _has_recorded(file: int, link: Path) -> bool:
    try:
        return os.pread(file, _MAX_RECORD, 0) == _identity(link)
    except OSError:
        return False  # no link


def _is_own(file: int) -> bool:
    status = os.fstat(file)
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()


def _opened(path: Path, name: str) -> int | None:
    """Return the open lock file, None where its path holds anything but a file of this user."""
    try:
        file = os.open(path, _FLAGS | os.O_CREAT, 0o600)
    except OSError as error:
        if error.errno in _FOREIGN and os.path.lexists(path):
            return None
        raise HostingError(f"port {name}: {error.strerror}; nothing was touched") from error
    if _is_own(file):
        return file
    os.close(file)
    return None


def _remove_foreign(path: Path, name: str) -> None:
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            os.rmdir(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostingError(
            f"port {name}: {path} is not a lock file of this user and cannot be removed "
            f"({error.strerror}): remove it, or name another path. Nothing was touched"
        ) from error
