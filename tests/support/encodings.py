"""An output in an encoding that lacks characters, and the commands whose help is printed on it."""

from __future__ import annotations

import io
import sys
from collections.abc import Collection

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
    program: Program,
    name: str,
    encoding: str,
    monkeypatch: pytest.MonkeyPatch,
    only: Collection[str] | None = None,
) -> dict[str, str]:
    """Return the help of every command of a program, printed in an encoding, by its words.

    Args:
        only: the words of the commands whose help is wanted; None: of all.
    """
    printed = {}
    for page in pages_of(program, name):
        words = page.path.split()[1:]
        if only is not None and " ".join(words) not in only:
            continue
        raw = output_in(encoding, monkeypatch)
        program([*words, "--help"], standalone_mode=False)
        printed[" ".join(words)] = raw.getvalue().decode(encoding)
    return printed
