"""Exclusive lock on the path of a virtual port; it ends with the process that holds it.

It is an exclusive flock on a file `.NAME.lock` in the directory of the port's link. A user who can
create that file can also create the port's own name: the lock adds no way to hold a port.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.hosting.errors import HostingError

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_FOREIGN = (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EACCES, errno.EPERM)
"""errno of opening a symlink, a directory, a socket, or a file of another user."""
_ATTEMPTS = 100
"""Limit: a lock file that vanishes or is foreign more often is changed by another program."""


@dataclass(frozen=True, slots=True)
class PortLock:
    """A held lock; `release` it after the port's link was removed."""

    path: Path
    file: int

    def release(self) -> None:
        """Remove the lock file where it is still this one, then unlock."""
        with contextlib.suppress(OSError):
            if os.path.samestat(os.lstat(self.path), os.fstat(self.file)):
                os.unlink(self.path)
        os.close(self.file)


def lock_port(link: Path) -> PortLock:
    """Return the lock of a port's path; only one process of this user holds it at a time.

    The lock file of an ended process is taken over. Anything but a regular file of this user is
    removed where the directory permits it.

    Raises:
        HostingError: another process holds it, or the lock file cannot be made.
    """
    path = link.with_name(f".{link.name}.lock")
    for _ in range(_ATTEMPTS):
        file = _opened(link, path)
        if file is None:
            _remove_foreign(link, path)
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.lstat(path), os.fstat(file)):
                    return PortLock(path, file)
        except BlockingIOError as error:
            os.close(file)
            served = "another meter-sim serves it"
            raise HostingError(f"port {link}: {served}; nothing was touched") from error
        except OSError as error:
            os.close(file)
            raise HostingError(f"port {link}: {path}: {error.strerror}") from error
        os.close(file)  # its holder removed it between os.open and flock
    raise HostingError(f"port {link}: {path} keeps changing; nothing was touched")


def _opened(link: Path, path: Path) -> int | None:
    """Return the open lock file, None where its path holds anything but a file of this user."""
    try:
        file = os.open(path, _FLAGS, 0o600)
    except OSError as error:
        if error.errno in _FOREIGN and os.path.lexists(path):
            return None
        raise HostingError(f"port {link}: {error.strerror}; nothing was touched") from error
    status = os.fstat(file)
    if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
        return file
    os.close(file)
    return None


def _remove_foreign(link: Path, path: Path) -> None:
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            os.rmdir(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostingError(
            f"port {link}: {path} is not a lock file of this user and cannot be removed "
            f"({error.strerror}): remove it, or name another path. Nothing was touched"
        ) from error
