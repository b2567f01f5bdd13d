"""Both programs in locales that lack characters: nothing is lost, and no fault is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.programs import meter_sim, meterctl


def test_help_in_the_c_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    for name, value in {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}.items():
        monkeypatch.setenv(name, value)
    told = meterctl("--help", cwd=tmp_path).stdout
    assert all(command in told for command in ("guarantee", "topup", "journal", "card"))


def test_json_in_ascii_has_the_values_of_unicode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    items = meterctl("--json", "items", cwd=tmp_path).stdout
    assert items.isascii()
    assert json.loads(items.splitlines()[0])["term"] == "表号"


def test_an_error_of_meter_sim_in_ascii(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    wrong = meter_sim("control", "none…", "jump…", cwd=tmp_path, check=2)
    assert "there is no command 'jump...'" in wrong.stderr
    assert wrong.stderr.isascii()
