"""Openings and closings of a terminal by other processes (Linux, inotify(7))."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import termios

_CLOSED_AFTER_WRITING, _OPENED, _OVERFLOW = 0x8, 0x20, 0x4000
_EVENT = struct.Struct("iIII")
_READ_SIZE = 64 * 1024
_NONE = bytes(4)


class Openings:
    """Tells of openings of a terminal and of closings by those that could write to it.

    Raises:
        OSError: the system has no inotify, or no more of it.
    """

    def __init__(self, terminal: str) -> None:
        system = ctypes.CDLL(None, use_errno=True)
        try:
            file = system.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except AttributeError as error:
            raise OSError(ctypes.get_errno(), "this system has no inotify") from error
        if file < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1 failed")
        events = _OPENED | _CLOSED_AFTER_WRITING
        if system.inotify_add_watch(file, os.fsencode(terminal), events) < 0:
            os.close(file)
            raise OSError(ctypes.get_errno(), "inotify_add_watch failed")
        self.file: int = file
        self._size = bytearray(4)

    @property
    def is_pending(self) -> bool:
        """Whether `take` has something to tell. Called before each reply."""
        fcntl.ioctl(self.file, termios.FIONREAD, self._size)
        return self._size != _NONE

    def take(self) -> tuple[bool, bool]:
        """Return whether the terminal was closed since the last call, and opened after that."""
        was_closed = was_opened_again = False
        while self.is_pending:
            data = os.read(self.file, _READ_SIZE)
            for _, mask, _, _ in _EVENT.iter_unpack(data):
                if mask & (_CLOSED_AFTER_WRITING | _OVERFLOW):
                    was_closed = True
                if mask & _OVERFLOW or (was_closed and mask & _OPENED):
                    was_opened_again = True
        return was_closed, was_opened_again

    def close(self) -> None:
        """End."""
        os.close(self.file)
