"""Rules for files that a person names: file type, size, permissions, text. No I/O.

They hold for cards, loads, key files, configurations, presets, scenarios, fault plans and state
files. A FIFO or a device could block a program for ever or deliver bytes without end.
"""

from __future__ import annotations

from codecs import (
    BOM_UTF16_BE,
    BOM_UTF16_LE,
    BOM_UTF32_BE,
    BOM_UTF32_LE,
    IncrementalDecoder,
    getincrementaldecoder,
)
from stat import S_IRGRP, S_IROTH, S_ISREG, S_IWGRP, S_IWOTH

from protocols.errors import QuantityError

MAX_SIZE = 64 << 20
"""Maximum size, bytes: a load of one row a second for 18 days, read whole into memory."""
NOT_REGULAR = "it is not a regular file"
MAX_TABLES = 1 << 20
"""Maximum size of a file of settings that a person writes in TOML, bytes."""


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
        return too_large(max_size)
    return None


def too_large(max_size: int) -> str:
    """Return the text of a file that is larger than a limit of whole MiB."""
    return f"it is larger than {max_size >> 20} MiB"


TOO_LARGE = too_large(MAX_SIZE)


class TextDecoder:
    """Decodes a text file piece by piece: UTF-8, or UTF-16 if it begins with a byte order mark.

    A byte order mark is no part of the text. Every line ends in "\n".
    """

    def __init__(self) -> None:
        self._head = b""
        self._name = ""
        self._decode: IncrementalDecoder | None = None
        self._lines = 1
        self._held = ""

    def decode(self, data: bytes, final: bool = False) -> str:
        """Return the text of the next bytes; the end of a piece may be held back.

        Raises:
            QuantityError: the bytes are no text; it names the line and how to save the file.
        """
        if self._decode is None:
            self._head += data
            if len(self._head) < _LONGEST_MARK and not final:
                return ""
            data, self._name = self._head, _encoding(self._head)
            self._decode = getincrementaldecoder(_CODECS[self._name])()
        try:
            text = self._held + self._decode.decode(data, final)
        except UnicodeDecodeError as error:
            raise self._refusal(error) from error
        self._held = "\r" if text.endswith("\r") and not final else ""
        text = text[: len(text) - len(self._held)].replace("\r\n", "\n").replace("\r", "\n")
        if "\0" in text:
            line = self._lines + text[: text.index("\0")].count("\n")
            raise QuantityError(f"line {line}: a zero byte, so it is no text: {_SAVE}")
        self._lines += text.count("\n")
        return text

    def _refusal(self, error: UnicodeDecodeError) -> QuantityError:
        if self._name != "UTF-8":
            return QuantityError(f"it begins as {self._name} and is no such text: {_SAVE}")
        good = error.object[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        line = self._lines + good.count(b"\n")
        byte = error.object[error.start]
        return QuantityError(f"line {line}: it is not UTF-8 text (byte {byte:02X}H): {_SAVE}")


_SAVE = "save it as UTF-8"
_CODECS = {"UTF-8": "utf-8-sig", "UTF-16": "utf-16"}
_LONGEST_MARK = len(BOM_UTF32_LE)


def _encoding(head: bytes) -> str:
    """Return the encoding of a text by its first bytes; raises QuantityError for UTF-32."""
    if head.startswith((BOM_UTF32_LE, BOM_UTF32_BE)):
        raise QuantityError(f"it is UTF-32 text: {_SAVE}")
    return "UTF-16" if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "UTF-8"


def decode_text(data: bytes) -> str:
    """Return the text of a whole file; raises QuantityError as `TextDecoder` does."""
    return TextDecoder().decode(data, final=True)


def others_may_write(mode: int) -> bool:
    """Return whether the group or others may write a file of this st_mode."""
    return bool(mode & (S_IWGRP | S_IWOTH))


def others_may_read(mode: int) -> bool:
    """Return whether the group or others may read a file of this st_mode."""
    return bool(mode & (S_IRGRP | S_IROTH))
