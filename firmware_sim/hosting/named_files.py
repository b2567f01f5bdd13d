"""Opens files named by a user, without blocking and with a limit on their size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from firmware_sim.hosting.errors import HostingError
from protocols import named_files
from protocols.errors import QuantityError

_ALWAYS = os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
"""No wait at a FIFO, no terminal as controlling terminal, no inheritance by a child."""
_PIECE = 1 << 16


class NamedText(NamedTuple):
    """The text of a file, and its st_mode when it was read."""

    text: str
    mode: int


def open_named(
    path: Path | str,
    flags: int,
    kind: str,
    max_size: int | None = named_files.MAX_SIZE,
) -> int:
    """Return a descriptor of a regular file, which the caller closes; a new file gets mode 600.

    Args:
        path: its path.
        flags: of os.open, such as os.O_RDWR.
        kind: kind of file, such as "card"; the error text begins with it.
        max_size: limit in bytes; None is without limit.

    Raises:
        HostingError: it cannot be opened, is not a regular file, or is too large.
    """
    try:
        file = os.open(path, flags | _ALWAYS, 0o600)
    except FileExistsError as error:
        raise _error(kind, path, "it exists and is never overwritten") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise _error(kind, path, getattr(error, "strerror", None) or error) from error
    try:
        status = os.fstat(file)
        refusal = named_files.refusal(status.st_mode, status.st_size, max_size)
        if refusal is not None:
            raise _error(kind, path, refusal)
    except BaseException:
        os.close(file)
        raise
    return file


def read_named(path: Path | str, kind: str) -> NamedText:
    """Return the text of a regular file of at most `MAX_SIZE` bytes, and its mode.

    Raises:
        HostingError: it cannot be read, is not a regular file, is too large, or is no text.
    """
    file = open_named(path, os.O_RDONLY, kind)
    try:
        return NamedText("".join(_pieces(file, path, kind)), os.fstat(file).st_mode)
    finally:
        os.close(file)


def read_text(path: Path | str, kind: str) -> str:
    """Return the text of `read_named` alone; raises HostingError."""
    return read_named(path, kind).text


def create_text(path: Path, text: str) -> None:
    """Write a new file; an existing one is never overwritten.

    Raises:
        HostingError: it exists or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as out:
            out.write(text)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise HostingError(f"{path}: {reason}; nothing was changed") from error


def read_pieces(path: Path | str, kind: str) -> Iterator[str]:
    """Yield the text of `read_text` in pieces of whole lines; a long file is never held whole.

    Raises:
        HostingError: as `read_named`, also after some pieces.
    """
    file = open_named(path, os.O_RDONLY, kind)
    try:
        yield from _pieces(file, path, kind)
    finally:
        os.close(file)


def _pieces(file: int, path: Path | str, kind: str) -> Iterator[str]:
    """Yield the text of an open file in pieces of whole lines; each line ends in "\\n"."""
    decoder = named_files.TextDecoder()
    size = 0
    line: list[str] = []  # the pieces of one that has not ended
    try:
        while data := os.read(file, _PIECE):
            size += len(data)
            if size > named_files.MAX_SIZE:  # it grew, or its size was not known
                raise _error(kind, path, named_files.TOO_LARGE)
            text = decoder.decode(data)
            end = text.rfind("\n") + 1
            if end:
                yield "".join([*line, text[:end]])
                line.clear()
            line.append(text[end:])
        line.append(decoder.decode(b"", final=True))
    except OSError as error:
        raise _error(kind, path, error.strerror) from error
    except QuantityError as error:
        raise _error(kind, path, error) from error
    if rest := "".join(line):
        yield rest


def _error(kind: str, path: Path | str, reason: object) -> HostingError:
    return HostingError(f"{kind} {path}: {reason}; nothing was changed")
