"""A terminal of tests: a program of this tree on a real pty, and what its screen shows."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

from tests.support.programs import BIN, TIMEOUT_S

ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"
CURSOR_ON, CURSOR_OFF = b"\x1b[?25h", b"\x1b[?25l"
READ_S = 0.05


class Terminal:
    """Runs meterctl on a terminal of a size for the length of a `with` block."""

    def __init__(self, *words: str, cwd: Path, columns: int = 80, lines: int = 24) -> None:
        self.received = b""
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._file, slave = os.openpty()
        self._set_size(columns, lines)
        environment = os.environ | {"TERM": "xterm-256color", "XDG_STATE_HOME": str(cwd / "xdg")}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "METERCTL_PORT"):
            environment.pop(name, None)
        self._process = subprocess.Popen(
            [BIN / "meterctl", *words],
            cwd=cwd,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns: int, lines: int) -> None:
        """Give the window another size; it is not the program's own, so that it has to be told."""
        self._set_size(columns, lines)
        self._screen.resize(lines, columns)
        self.signal(signal.SIGWINCH)

    @property
    def rows(self) -> list[str]:
        """What the screen shows."""
        return [row.rstrip() for row in self._screen.display]

    @property
    def text(self) -> str:
        """The words on the screen."""
        return " ".join(" ".join(self.rows).split())

    @property
    def echoes(self) -> bool:
        """Whether it shows what is typed."""
        local_modes: int = termios.tcgetattr(self._file)[3]
        return bool(local_modes & termios.ECHO)

    def until(self, holds: Callable[[], bool]) -> None:
        """Read what the program writes until something holds."""
        deadline = time.monotonic() + TIMEOUT_S
        while not holds():
            assert time.monotonic() < deadline, "\n".join(self.rows)
            self._read()

    def until_shown(self, *words: str, without: str = "\0") -> None:
        """Read until the screen shows all of some words, and not others."""
        self.until(lambda: all(each in self.text for each in words) and without not in self.text)

    def _read(self) -> bool:
        """Take what is written; return False when the program has closed the terminal."""
        if not select.select([self._file], [], [], READ_S)[0]:
            return True
        try:
            data = os.read(self._file, 65_536)
        except OSError:
            return False
        self.received += data
        self._stream.feed(data)
        return bool(data)

    def signal(self, number: int) -> None:
        """Send a signal to the program."""
        self._process.send_signal(number)

    def end(self) -> int:
        """Read until the program ends; return its exit code."""
        while self._read():
            pass
        return self._process.wait(TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._file)
