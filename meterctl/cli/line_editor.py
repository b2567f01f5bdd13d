"""Lines typed at a terminal: editing, history and completion, by readline of the standard library.

The history is one file of the user, readable by no other; lines of every shell are appended to it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from meterctl.cli.output import say

MOST_LINES = 1000
"""Lines that the history file keeps."""
Complete = Callable[[str], list[str]]
"""Returns what the last word of a line may become."""


class LineEditor:
    """Reads lines at a terminal.

    Args:
        history: the file of the history.
        complete: returns the completions of the text before the cursor.
    """

    def __init__(self, history: Path, complete: Complete) -> None:
        self._history, self._complete = history, complete
        self._found: list[str] = []
        self._readline = _readline()
        if self._readline is None:
            say("this Python has no readline: no history, and no completion with the Tab key")
            return
        self._readline.set_auto_history(False)  # an answer to a question is no command
        self._readline.set_completer_delims(" \t")
        self._readline.set_completer(self._completion)
        is_libedit = "libedit" in (self._readline.__doc__ or "")
        self._readline.parse_and_bind(
            "bind ^I rl_complete" if is_libedit else "tab: complete",
        )
        self._is_kept = self._load(self._readline)

    def read(self, prompt: str) -> str:
        """Return the next line; raises EOFError at the end of input."""
        line = input(prompt)
        if self._readline is not None and line.strip():
            self._add(self._readline, line)
        return line

    def _load(self, readline: ModuleType) -> bool:
        """Read the history file, which is made first; return whether it can be used."""
        try:
            self._history.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self._history, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.fchmod(file, 0o600)
            finally:
                os.close(file)
            readline.set_history_length(MOST_LINES)
            readline.read_history_file(self._history)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            say(f"history {self._history}: {reason}; the lines of this shell are not kept")
            return False
        return True

    def _add(self, readline: ModuleType, line: str) -> None:
        last = readline.get_current_history_length()
        if last and readline.get_history_item(last) == line:
            return
        readline.add_history(line)
        if self._is_kept:
            with contextlib.suppress(OSError):  # a disk that is full now keeps no line
                readline.append_history_file(1, self._history)

    def close(self) -> None:
        """Shorten the history file to its newest lines."""
        if self._readline is not None and self._is_kept:
            with contextlib.suppress(OSError, UnicodeError):
                self._readline.clear_history()
                self._readline.read_history_file(self._history)
                if self._readline.get_current_history_length() > MOST_LINES:
                    self._readline.write_history_file(self._history)
            self._readline.set_completer(None)

    def _completion(self, text: str, state: int) -> str | None:
        """Return one completion after the other, as readline asks for them."""
        assert self._readline is not None
        if state == 0:
            before = self._readline.get_line_buffer()[: self._readline.get_endidx()]
            try:
                self._found = self._complete(before)
            except Exception:  # readline would discard it; a line goes on without completion
                self._found = []
        return self._found[state] if state < len(self._found) else None


def _readline() -> ModuleType | None:
    try:
        import readline
    except ImportError:
        return None
    return readline
