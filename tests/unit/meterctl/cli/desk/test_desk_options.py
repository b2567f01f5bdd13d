"""The options of the desk's commands: database, token, key."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterctl.cli.desk.desk_options import DeskOptions
from meterctl.cli.options import Options
from meterctl.drivers.table import MODBUS
from meterctl.errors import NotPermittedError, UsageError


def given(
    database: str | None = None, key: str | None = None, dry_run: bool = False
) -> DeskOptions:
    journal = Path("/state/meterctl/journal.sqlite")
    common = Options(None, MODBUS, 1, None, journal, 1000, False, False, True, dry_run, False)
    return DeskOptions(common, database, key)


@pytest.mark.parametrize(
    ("database", "url"),
    [
        (None, "sqlite:////state/meterctl/desk.sqlite"),
        ("/data/d.sqlite", "sqlite:////data/d.sqlite"),
        ("sqlite:////data/d.sqlite", "sqlite:////data/d.sqlite"),
        ("postgresql://u:p@h/n?x=1", "postgresql+psycopg://u:p@h/n?x=1"),
        ("postgres:///n", "postgresql+psycopg:///n"),
        ("postgresql+psycopg://h/n", "postgresql+psycopg://h/n"),
    ],
)
def test_a_database_is_a_file_or_a_url(database: str | None, url: str) -> None:
    assert given(database).url == url


def test_a_file_without_a_folder_is_in_this_one() -> None:
    assert given("d.sqlite").url == f"sqlite:///{Path.cwd()}/d.sqlite"


def test_another_engine_is_refused_without_its_password() -> None:
    with pytest.raises(UsageError, match="allowed are postgresql") as refused:
        _ = given("mysql://user:secret@host/x").url
    assert "secret" not in str(refused.value)


def test_a_drawn_key_is_printed_once_and_every_one_is_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = given(), given()
    assert first.key == first.key != second.key
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[0].startswith(f"key {first.key} (")
    assert len(printed.err.splitlines()) == 2


def test_a_dry_run_prints_no_key_to_repeat_it_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert given(dry_run=True).key
    assert capsys.readouterr().err == ""


def test_a_given_key_is_taken_as_the_journal_takes_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert given(key="till 3/17").key == "till 3/17"
    for wrong in ("", " 17", "a" * 65, "a\n"):
        with pytest.raises(UsageError, match="--key"):
            _ = given(key=wrong).key
    assert capsys.readouterr().err == ""


def test_without_a_token_there_is_no_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METERCTL_DESK_TOKEN", raising=False)
    with pytest.raises(NotPermittedError, match="set METERCTL_DESK_TOKEN"):
        _ = given().token
    monkeypatch.setenv("METERCTL_DESK_TOKEN", " t1\n")
    assert given().token == "t1"
