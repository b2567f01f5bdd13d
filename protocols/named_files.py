"""Rules for files that a person names: file type, size, permissions, text. No I/O.

They hold for cards, loads, key files, configurations, presets, scenarios, fault plans and state
files. A FIFO or a device could block a program for ever or deliver bytes without end.
"""

from __future__ import annotations

from stat import S_IRGRP, S_IROTH, S_ISREG, S_IWGRP, S_IWOTH

MAX_SIZE = 64 << 20
"""Maximum size, bytes: a load of one row a second for 18 days, read whole into memory."""
NOT_REGULAR = "it is not a regular file"
TOO_LARGE = f"it is larger than {MAX_SIZE >> 20} MiB"


def refusal(mode: int, size: int, max_size: int | None = MAX_SIZE) -> str | None:
    """Return why a file must not be read, None where it may be read.

    Args:
        mode: its st_mode.
        size: its st_size, bytes.
        max_size: the limit of `size`, bytes; None is without limit.
    """
    if not S_ISREG(mode):
        return NOT_REGULAR
    if max_size is not None and size > max_size:
        return TOO_LARGE
    return None


def decode_text(data: bytes) -> str:
    """Return the text of a file: UTF-8, with "\\n" at the end of every line.

    Raises:
        UnicodeDecodeError: the bytes are not UTF-8.
    """
    return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def others_may_write(mode: int) -> bool:
    """Return whether the group or others may write a file of this st_mode."""
    return bool(mode & (S_IWGRP | S_IWOTH))


def others_may_read(mode: int) -> bool:
    """Return whether the group or others may read a file of this st_mode."""
    return bool(mode & (S_IRGRP | S_IROTH))
