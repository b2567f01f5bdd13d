"""desk init and upgrade: a desk is made once, its token shown once; an admin upgrades it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from meterctl.cli.output import OutputError
from meterctl.utility.store.authentication import hash_of
from meterctl.utility.store.engine import connect
from meterctl.utility.store.layout import LAYOUT, TABLE
from tests.support.desk_commands import DeskCommand


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = connect(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(statement))]
    engine.dispose()
    return found


def set_layout(url: str, number: str) -> None:
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {TABLE} SET version_num = '{number}'"))
    engine.dispose()


def test_a_new_desk_prints_the_token_of_its_admin_and_keeps_it_nowhere(
    desk_command: DeskCommand, empty_url: str
) -> None:
    made = desk_command("init", "--simulated", "--company", "North", url=empty_url)
    token = made.out.strip()
    assert made.code == 0
    assert token not in made.err
    assert rows(empty_url, "SELECT number, token_hash FROM staff") == [("admin", hash_of(token))]
    assert rows(empty_url, "SELECT name FROM organisation") == [("North",)]
    assert rows(empty_url, "SELECT zone FROM desk") == [("Asia/Shanghai",)]
    again = desk_command("init", url=empty_url)
    assert again.code == 3
    assert "there is a desk already; nothing was changed" in again.err
    checked = desk_command("upgrade", url=empty_url, token=token)
    assert checked.code == 0
    assert f"{LAYOUT} already" in checked.err


def test_the_object_of_json_has_the_token(desk_command: DeskCommand, tmp_path: Path) -> None:
    made = desk_command("init", "--json", "--zone", "Europe/Berlin")
    (told,) = made.objects
    url = f"sqlite:///{tmp_path}/desk.sqlite"
    assert rows(url, "SELECT token_hash FROM staff") == [(hash_of(told["token"]),)]
    assert (told["zone"], told["simulated"], told["result"]) == ("Europe/Berlin", False, "done")


def test_a_file_is_made_with_its_folder_for_its_owner_alone(
    desk_command: DeskCommand, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "desk.sqlite"
    assert desk_command("init", "--database", str(path)).code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_token_that_stdout_does_not_take_is_printed_on_stderr(
    desk_command: DeskCommand,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    form: tuple[str, ...],
) -> None:
    def full(_: object) -> None:
        raise OutputError(OSError(28, "No space left on device"))

    for name in ("emit", "print_json"):
        monkeypatch.setattr(f"meterctl.cli.desk.set_up.{name}", full, raising=False)
    made = desk_command("init", *form)
    token = made.err.strip().rpartition(" ")[2]
    url = f"sqlite:///{tmp_path}/desk.sqlite"
    assert rows(url, "SELECT token_hash FROM staff") == [(hash_of(token),)]


def test_a_dry_run_makes_nothing(desk_command: DeskCommand, tmp_path: Path) -> None:
    ran = desk_command("init", "--dry-run", "--json")
    assert ran.objects[0]["result"] == "planned"
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database_is_refused(desk_command: DeskCommand, tmp_path: Path) -> None:
    page = tmp_path / "page.txt"
    page.write_text("no database " * 100)
    ran = desk_command("init", "--database", str(page))
    assert ran.code == 2
    assert "nothing was changed" in ran.err
    assert page.read_text() == "no database " * 100
    unknown = desk_command("init", "--zone", "Nix/Nox", "--json")
    assert (unknown.code, unknown.objects[0]["code"]) == (2, "unknown_zone")


def test_only_an_admin_upgrades(
    desk_command: DeskCommand, empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = desk_command("init", url=empty_url).out.strip()
    set_layout(empty_url, "0000")

    def step(configured: Any, *_: object) -> None:
        connection = configured.attributes["connection"]
        connection.execute(text(f"UPDATE {TABLE} SET version_num = '{LAYOUT}'"))

    monkeypatch.setattr("meterctl.utility.store.upgrading.command.upgrade", step)
    refused = desk_command("upgrade", "--json", url=empty_url, token="another")
    assert (refused.code, refused.objects[0]["code"]) == (6, "token")
    assert rows(empty_url, f"SELECT version_num FROM {TABLE}") == [("0000",)]
    tried = desk_command("upgrade", "--json", "--dry-run", url=empty_url, token=token)
    assert (tried.objects[0]["result"], tried.objects[0]["layout"]) == ("planned", LAYOUT)
    assert rows(empty_url, f"SELECT version_num FROM {TABLE}") == [("0000",)]
    done = desk_command("upgrade", "--json", "--key", "K1", url=empty_url, token=token)
    assert (done.code, done.objects[0]["layout_before"], done.objects[0]["layout"]) == (
        0,
        "0000",
        LAYOUT,
    )
    audited = "SELECT staff_id, subject, key FROM audit WHERE action = 'upgrade'"
    assert rows(empty_url, audited) == [(1, "desk/1", "K1")]


def test_nothing_is_upgraded_where_there_is_no_desk(
    desk_command: DeskCommand, empty_url: str, tmp_path: Path
) -> None:
    ran = desk_command("upgrade", url=empty_url, token="any")
    assert ran.code == 2
    assert "no such file" in ran.err or "no desk" in ran.err
    engine = connect(empty_url)
    if engine.dialect.name == "sqlite":
        assert not (tmp_path / "empty.sqlite").exists()
    else:
        assert rows(empty_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    engine.dispose()
