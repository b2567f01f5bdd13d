"""Commands of `meterctl desk` in the process of the tests, as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Ran(NamedTuple):
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The objects of --json; amounts are texts, to be compared digit by digit."""
        return [json.loads(line, parse_float=str) for line in self.out.splitlines()]


DeskCommand = Callable[..., Ran]


@pytest.fixture
def desk_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> DeskCommand:
    """Run `meterctl desk WORDS`; the journal, and a database by default, are files of the test.

    The call takes `token` and `url` for the two variables of the environment.
    """
    monkeypatch.setenv("METERCTL_JOURNAL", str(tmp_path / "journal.sqlite"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def call(*words: str, token: str | None = None, url: str | None = None) -> Ran:
        for name, value in (("METERCTL_DESK_TOKEN", token), ("METERCTL_DESK_URL", url)):
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        from meterctl.cli.program import run

        capsys.readouterr()
        code = run(["desk", *words])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return call
