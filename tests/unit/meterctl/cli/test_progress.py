"""The progress bar: on a terminal, for long reads, and gone at the end."""

from __future__ import annotations

import io
from itertools import count

import pytest

from meterctl.cli.progress import LONG_S, reading


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Say so."""
        return True


def shown(
    err: io.StringIO, each_s: float, monkeypatch: pytest.MonkeyPatch, *, is_shown: bool = True
) -> str:
    times = count(0, each_s)
    monkeypatch.setattr("sys.stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    with reading("load profile", shown=is_shown, clock=lambda: next(times)) as on_read:
        on_read(20, 960)
        on_read(40, 960)
    return err.getvalue()


def test_a_long_read_shows_its_progress_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(Terminal(), LONG_S, monkeypatch)
    assert "load profile" in text
    assert "40/960" in text
    assert text.endswith("\x1b[2K"), "its line is cleared"


def test_nothing_is_shown_without_a_terminal_for_a_short_read_and_beside_a_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert shown(io.StringIO(), LONG_S, monkeypatch) == ""
    assert shown(Terminal(), LONG_S / 3, monkeypatch) == ""
    assert shown(Terminal(), LONG_S, monkeypatch, is_shown=False) == ""
