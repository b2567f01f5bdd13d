"""The help of every command of meterctl in encodings that lack characters."""

from __future__ import annotations

import pytest

from meterctl.cli.program import add_commands, app
from tests.support.encodings import LACKING, helps

add_commands(None)


@pytest.fixture(scope="module")
def whole() -> dict[str, str]:
    """The help of every command with all its characters."""
    with pytest.MonkeyPatch.context() as patch:
        return helps(app, "meterctl", "utf-8", patch)


@pytest.mark.parametrize("encoding", LACKING)
def test_every_help_is_printed_whole(
    encoding: str, whole: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(whole) > 40
    lacking = {words for words, text in whole.items() if not text.isascii()}
    printed = helps(app, "meterctl", encoding, monkeypatch, lacking | {"", "guarantee"})
    assert len(printed) > 10
    for words, text in printed.items():
        assert len(text.splitlines()) == len(whole[words].splitlines()), words
    for name in ("read", "topup", "guarantee", "journal", "card"):
        assert name in printed[""]
    assert "supply" in printed["guarantee"]
