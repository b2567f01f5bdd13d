"""An output in an encoding that lacks characters, and the commands whose help is printed on it."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import click
import pytest

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


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Return the words of a program's commands and groups, its own first."""
    yield path
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from commands(command, (*path, name))


def helps(program: click.Command, encoding: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the help of every command of a program, printed in an encoding."""
    printed = {}
    for words in commands(program):
        raw = output_in(encoding, monkeypatch)
        program.main([*words, "--help"], "program", standalone_mode=False)
        printed[" ".join(words)] = raw.getvalue().decode(encoding)
    return printed
