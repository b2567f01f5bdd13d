"""Stdout: whether it took what a program wrote to it, and whether it shows colours.

Help, version and completion are output too.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from protocols.command_line.typer_names import Exit, style


class StdoutError(Exception):
    """Stdout cannot be written, such as on a full disk; the text is the reason."""


@contextlib.contextmanager
def written_out() -> Iterator[None]:
    """Run a block that may write to stdout, does no other input or output, and may end the program.

    Raises:
        StdoutError: stdout did not take it; the caller has to discard what it holds.
        BrokenPipeError: its reader has ended; likewise.
    """
    try:
        try:
            yield
        except (Exit, SystemExit):
            if sys.stdout is not None:  # it is None if it was closed before the program began
                sys.stdout.flush()
            raise
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise StdoutError(error.strerror or str(error)) from error


def is_styled() -> bool:
    """Return whether stdout is a terminal that shows colours and wants them."""
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and "NO_COLOR" not in os.environ
        and os.environ.get("TERM") != "dumb"
    )


def coloured(text: str, colour: str) -> str:
    """Return a text in a colour, such as "red", where stdout shows colours."""
    return str(style(text, fg=colour)) if is_styled() else text
