"""Words of `control` that begin with a minus sign are words, and -h is the help."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.cli.program import NAME, app
from firmware_sim.hosting import control_socket
from protocols.command_line import Exit, UsageMistakeError, execute
from protocols.errors import QuantityError

Asked = list[tuple[Path, list[str], str | None]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Return what is asked at a control socket, which answers without a line."""
    found: Asked = []

    def ask(path: Path, words: list[str], meter: str | None) -> list[control_socket.Answer]:
        found.append((path, words, meter))
        return []

    monkeypatch.setattr(control_socket, "ask", ask)
    return found


@pytest.mark.parametrize("text", ["-1h", "-1kWh", "-xh", "-h1"])
def test_a_time_with_a_minus_sign_and_an_h_is_refused_as_a_time(text: str, asked: Asked) -> None:
    with pytest.raises(QuantityError, match=text):
        execute(app, NAME, ["control", "z", "advance", text])
    assert not asked


@pytest.mark.parametrize("text", ["-1.5kW", "-1kWh", "-.5kW"])
def test_a_load_with_a_minus_sign_is_sent_as_it_was_written(text: str, asked: Asked) -> None:
    execute(app, NAME, ["control", "z", "load", text, "--meter", "2"])
    execute(app, NAME, ["control", "-z.sock", "--meter", "-12", "load", text])
    assert asked == [
        (Path("z"), ["load", text], "2"),
        (Path("-z.sock"), ["load", text], "-12"),
    ]


@pytest.mark.parametrize("words", [["-h"], ["--help"], ["z", "advance", "-h"]])
def test_the_help_of_control_is_shown(
    words: list[str], asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Exit):
        execute(app, NAME, ["control", *words])
    assert "meter-sim control" in capsys.readouterr().out


def test_options_of_a_fault_are_words(asked: Asked) -> None:
    words = ["fault", "flip", "on", "--count", "3"]
    execute(app, NAME, ["control", "z", *words])
    assert asked == [(Path("z"), words, None)]


def test_control_without_words_is_refused(asked: Asked) -> None:
    with pytest.raises(UsageMistakeError):
        execute(app, NAME, ["control", "z"])
