"""The help of every command of meterctl in encodings that lack characters."""

from __future__ import annotations

import warnings

import click
import pytest

from tests.support.encodings import LACKING, helps

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # typer imports names that click deprecates
    import typer

    from meterctl.cli.program import add_commands, app


@pytest.fixture(scope="module")
def program() -> click.Command:
    """All commands."""
    add_commands(None)
    return typer.main.get_command(app)


@pytest.mark.parametrize("encoding", LACKING)
def test_every_help_is_printed_whole(
    program: click.Command, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = helps(program, encoding, monkeypatch)
    assert len(printed) > 40
    for words, text in printed.items():
        assert "Usage" in text, words
        assert text.rstrip()[-1] in "+┘╯\u00d9", f"{words}: the frame of the last panel"
    for name in ("read", "topup", "guarantee", "journal", "card"):
        assert name in printed[""]
    assert "switch" in printed["guarantee"] or "supply" in printed["guarantee"]
