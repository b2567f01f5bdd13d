"""An output in an encoding that lacks characters, and the commands whose help is printed on it."""

from __future__ import annotations

import io
import sys

import pytest

from protocols.command_line import Program, pages_of
from protocols.replacements import replace_in

LACKING = ("ascii", "latin-1", "cp437")


def output_in(encoding: str, monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """Make stdout and stderr as the programs set them up in a locale; return what stdout gets."""
    raw = io.BytesIO()
    for name in ("stdout", "stderr"):
        stream = io.TextIOWrapper(raw, encoding, "strict", write_through=True)
        replace_in(stream)
        monkeypatch.setattr(sys, name, stream)
    return raw


def helps(
    program: Program, name: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Return the help of every command of a program, printed in an encoding, by its words."""
    printed = {}
    for page in pages_of(program, name):
        raw = output_in(encoding, monkeypatch)
        words = page.path.split()[1:]
        program([*words, "--help"], standalone_mode=False)
        printed[" ".join(words)] = raw.getvalue().decode(encoding)
    return printed
