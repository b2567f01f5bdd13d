"""The story of the desk, with a few meters: it proves all that it tells, and fits a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from rich.cells import cell_len

from meterctl.utility.story.office import Ran
from meterctl.utility.story.plan import SMALL
from meterctl.utility.story.play import play
from meterctl.utility.story.screen import WIDTH


def test_the_story_proves_all_that_it_tells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    told: list[str] = []

    def run(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Ran:
        from meterctl.cli.program import run as run_here

        with monkeypatch.context() as here:
            here.chdir(folder)
            for name, value in environment.items():
                here.setenv(name, value)
            capsys.readouterr()
            code = run_here(["desk", *words])
            printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    proved = play(SMALL, told.append, run)
    assert proved, "\n".join(told)
    lines = "\n".join(told).splitlines()
    assert [line for line in lines if cell_len(line) > WIDTH] == []
    assert not any("\x1b" in line for line in lines)
    assert sum("killed by SIGKILL" in line for line in lines) == 1
