"""Replacements for characters that the encoding of an output lacks. Pure.

An output in ASCII, Latin-1 or code page 437 is never stopped by a character: text gets a similar
one, or its number; JSON gets its escape, which every reader of JSON turns back.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Protocol

READABLE = "readable"
"""Name of the error handler of `codecs` that replaces what an encoding lacks."""

_SIMILAR = {
    **dict.fromkeys("─━╌╍═", "-"),
    **dict.fromkeys("│┃║", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋┡┩╇╭╮╰╯╞╡╪╶╴╸╺", "+"),
    **dict.fromkeys("…", "..."),
    **dict.fromkeys("‐‑‒–—−·", "-"),
    **dict.fromkeys("•▪", "*"),
    **dict.fromkeys("‘’‚′", "'"),
    **dict.fromkeys("“”„″«»", '"'),
    **dict.fromkeys("→⇒", "->"),
    **dict.fromkeys("←⇐", "<-"),
    **dict.fromkeys("\u00a0\u2007\u2009\u202f", " "),
    "×": "x",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "±": "+/-",
    "µ": "u",
    "μ": "u",
    "Δ": "delta ",
    "✓": "ok",
}


_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
"""Characters that steer a terminal or the direction of writing, in place of being seen."""
_LINES = "\n\t"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Stream(Protocol):
    """A text stream whose error handler can be changed."""

    @property
    def encoding(self) -> str: ...
    @property
    def errors(self) -> str | None: ...
    def reconfigure(self, *, errors: str) -> None: ...


def replace_in(stream: Stream) -> None:
    """Make a stream replace what its encoding lacks, unless the user chose another way.

    In a UTF-8 locale without a language, names of files pass as they are (surrogateescape).
    """
    passes = stream.errors == "surrogateescape" and stream.encoding.lower().startswith("utf")
    if stream.errors in ("strict", "surrogateescape", "backslashreplace") and not passes:
        codecs.register_error(READABLE, _handle)
        stream.reconfigure(errors=READABLE)


def has(encoding: str, text: str) -> bool:
    """Return whether an encoding has all characters of a text."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str, kept: str = "") -> str:
    r"""Return a text in which what steers a terminal is an escape, such as \x1b or \u202e.

    Args:
        kept: characters that stay what they are, such as line breaks.
    """
    return _STEERING.sub(lambda found: found[0] if found[0] in kept else _escape(found[0]), text)


def printable_lines(text: str, *, coloured: bool = False) -> str:
    """Return lines of text as `printable` does; line breaks and tabs stay, and colours may."""
    if _STEERING.search(text) is None:
        return text
    if not coloured:
        return printable(text, _LINES)
    colours = _COLOUR.findall(text)
    parts = [printable(part, _LINES) for part in _COLOUR.split(text)]
    return parts[0] + "".join(map("".join, zip(colours, parts[1:], strict=True)))


def readable(text: str, encoding: str) -> str:
    """Return a text with only characters that the encoding has, and that steer no terminal."""
    return encodable(printable_lines(text), encoding)


def encodable(text: str, encoding: str) -> str:
    """Return a text with only characters that the encoding has."""
    if has(encoding, text):
        return text
    return "".join(letter if has(encoding, letter) else _similar(letter) for letter in text)


def escaped_json(text: str, encoding: str) -> str:
    r"""Return a line of JSON with \uXXXX for what the encoding lacks or what steers a terminal."""
    text = _STEERING.sub(lambda found: json.dumps(found[0])[1:-1], text)
    if has(encoding, text):
        return text
    return "".join(letter if has(encoding, letter) else json.dumps(letter)[1:-1] for letter in text)


def _handle(error: UnicodeError) -> tuple[str, int]:
    """Replace what cannot be encoded: an error handler of `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_similar(letter) for letter in lacking), error.end


def _similar(letter: str) -> str:
    r"""Return ASCII for a character: a similar one, else its number, \xff for a bare byte."""
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{number - 0xDC00:02x}"
    return _SIMILAR.get(letter) or _escape(letter)


def _escape(letter: str) -> str:
    """Return the escape of a character, in ASCII."""
    return letter.encode("unicode_escape").decode("ascii")
