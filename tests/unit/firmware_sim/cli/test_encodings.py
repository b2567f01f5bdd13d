"""The help of every command of meter-sim in encodings that lack characters."""

from __future__ import annotations

import pytest

from firmware_sim.cli.program import app
from tests.support.encodings import LACKING, helps


@pytest.mark.parametrize("encoding", LACKING)
def test_every_help_is_printed_whole(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = helps(app, "meter-sim", "utf-8", monkeypatch)
    printed = helps(app, "meter-sim", encoding, monkeypatch)
    assert {"", "run", "simulate", "control", "scenario check", "card new"} <= set(printed)
    for words, text in printed.items():
        assert len(text.splitlines()) == len(whole[words].splitlines()), words
