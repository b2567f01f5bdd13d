"""The help of every command of meter-sim in encodings that lack characters."""

from __future__ import annotations

import warnings

import click
import pytest

from tests.support.encodings import LACKING, helps

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # typer imports names that click deprecates
    import typer

    from firmware_sim.cli.program import app


@pytest.fixture(scope="module")
def program() -> click.Command:
    """All commands."""
    return typer.main.get_command(app)


@pytest.mark.parametrize("encoding", LACKING)
def test_every_help_is_printed_whole(
    program: click.Command, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = helps(program, encoding, monkeypatch)
    assert {"", "run", "simulate", "control", "scenario check", "card new"} <= set(printed)
    for words, text in printed.items():
        assert "Usage" in text, words
        assert "--help" in text, words
