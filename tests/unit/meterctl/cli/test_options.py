"""The common options: which journal is made, and when the development key is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from meterctl.drivers.table import MODBUS
from meterctl.errors import UsageError
from meterctl.journal import Journal
from tests.unit.meterctl.cli.conftest import Options

NOTICE = "no --keys: the published development key is in force\n"


def given(journal: Path | None = None, port: str | None = None, **changed: Any) -> Options:
    fields = {"json": False, "trace": False, "yes": True, "dry_run": False, **changed}
    return Options(port, MODBUS, 1, None, journal, 1000, development_key=False, **fields)


@pytest.mark.parametrize("how", [{"reading": True}, {"exists": True}, {"looks": True}])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_command_that_looks_makes_no_journal(
    tmp_path: Path, how: dict[str, bool], dry_run: bool
) -> None:
    missing = tmp_path / "deep" / "none.sqlite"
    options = given(missing, dry_run=dry_run)
    with pytest.raises(UsageError, match="there is no such file"), options.open_journal(**how):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_card_can_be_looked_at_before_the_first_sale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with given().open_journal(looks=True) as journal:
        assert journal.entries() == []
    assert list(tmp_path.iterdir()) == []
    assert "there is no such file yet" in capsys.readouterr().err


def test_a_dry_run_makes_no_journal_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "deep" / "none.sqlite"
    with given(missing, dry_run=True).open_journal() as journal:
        assert journal.entries() == []
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == f"journal {missing}: there is no such file yet\n"
    with given(missing).open_journal():
        assert missing.exists()
    assert capsys.readouterr().err == f"journal {missing}: new\n"


def test_a_journal_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    Journal(path).close()
    path.chmod(0o444)
    before = path.read_bytes()
    with given(path).open_journal(reading=True) as journal:
        assert journal.entries() == []
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (before, 0o444)
    assert [one.name for one in tmp_path.iterdir()] == ["j.sqlite"]


def test_the_development_key_is_told_once_a_run_at_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = given(port="/dev/pts/0")
    for _ in range(2):
        options.ring(seals=True)
        options.confirm("go on")
    assert capsys.readouterr().err == "", "there is no terminal"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    options.confirm("go on")
    options.confirm("go on")
    assert capsys.readouterr().err == NOTICE


def test_the_development_key_is_not_told_before_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    options = given(port="/dev/pts/0")
    options.ring(seals=True)
    assert capsys.readouterr().err == ""
