"""The commands of the desk: each file imported when it is needed, common options anywhere."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from meterctl.cli.desk import command_table
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.output import say
from meterctl.cli.program import add_commands, app
from protocols.command_line import Context, Program, pages_of
from tests.support.desk_commands import DeskCommand


def tell(context: Context) -> None:
    """Tell the options."""
    given = desk_options(context)
    say(f"{given.node} {given.given_key} {given.json}")


def missing(context: Context) -> None:
    """Need a package."""
    raise ModuleNotFoundError("No module named 'argon2.low_level'", name="argon2.low_level")


def faulty(context: Context) -> None:
    """Need another module."""
    raise ModuleNotFoundError("No module named 'of_ours'", name="of_ours")


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two files of commands: `many` with a group and a failing one, `one` with a single command."""
    files: list[str] = []

    def add_one(app: Program) -> None:
        files.append("one")
        app.command("tell")(tell)

    def add_many(app: Program) -> None:
        files.append("many")
        app.command("missing")(missing)
        app.command("faulty")(faulty)
        group = Program("Things.")
        group.command("tell")(tell)
        group.command("list")(tell)
        app.add_typer(group, name="thing")

    def add_needing(app: Program) -> None:
        raise ModuleNotFoundError("No module named 'sqlalchemy'", name="sqlalchemy")

    for name, add_to in (("one", add_one), ("many", add_many), ("needing", add_needing)):
        module = ModuleType(name)
        module.add_to = add_to  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, f"meterctl.cli.desk.{name}", module)
    table = {"many": ("thing", "missing", "faulty"), "one": ("tell",)}
    monkeypatch.setattr(command_table, "FILES", table)
    return files


@pytest.mark.parametrize(
    "words",
    [
        ("--node", "N1", "--key", "K", "--json", "thing", "tell"),
        ("thing", "--node=N1", "tell", "--json", "--key=K"),
        ("thing", "tell", "--key", "K", "--node", "N1", "--json"),
    ],
)
def test_options_of_all_commands_stand_anywhere_and_one_file_is_imported(
    words: tuple[str, ...], loaded: list[str], desk_command: DeskCommand
) -> None:
    assert desk_command(*words).err == "N1 K True\n"
    assert loaded == ["many"]


def test_the_only_command_of_a_file_is_a_command(
    loaded: list[str], desk_command: DeskCommand
) -> None:
    assert desk_command("tell").err == "None None False\n"
    assert loaded == ["one"]


def test_help_has_all_commands_in_the_order_of_the_table(desk_command: DeskCommand) -> None:
    add_commands("desk")
    pages = [page.path for page in pages_of(app, "meterctl") if " desk " in page.path]
    names = ("thing", "thing tell", "thing list", "missing", "faulty", "tell")
    assert pages == [f"meterctl desk {name}" for name in names]
    shown = desk_command("thing", "tell", "-h").out
    assert "and the options of meterctl desk -h and meterctl -h" in shown


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("tel",), "there is no command 'tel'; did you mean tell? meterctl desk -h lists them"),
        (("list",), "there is no command 'list'; did you mean thing list?"),
        (("tell", "--node"), "--node needs a value. meterctl desk -h shows how"),
        (("tell", "--nod", "x"), "there is no option --nod; did you mean --node?"),
        (("missing",), "the desk needs argon2, which is not installed: pip install"),
    ],
)
def test_a_mistake_is_refused_with_what_to_type(
    words: tuple[str, ...], error: str, desk_command: DeskCommand
) -> None:
    ran = desk_command(*words)
    assert ran.code == 2
    assert ran.err.startswith(f"meterctl: {error}")
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("words", [("--help",), ("needing",), ("tell", "--help"), ("other",)])
def test_help_and_commands_name_a_package_that_their_file_needs(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, desk_command: DeskCommand
) -> None:
    monkeypatch.setattr(command_table, "FILES", {"one": ("tell",), "needing": ("needing",)})
    ran = desk_command(*words)
    if words[0] == "tell":
        assert (ran.code, ran.err) == (0, "")
    else:
        assert ran.code == 2
        assert "the desk needs sqlalchemy, which is not installed: pip install" in ran.err


def test_a_module_of_ours_that_is_missing_is_a_fault(desk_command: DeskCommand) -> None:
    ran = desk_command("faulty")
    assert ran.code == 1
    assert "internal fault" in ran.err


def test_words_of_the_desk_are_not_proposed_for_those_of_meters(
    loaded: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from meterctl.cli.program import run

    assert run(["missing"]) == 2
    assert "there is no command 'missing'. meterctl -h" in capsys.readouterr().err
    assert loaded == []
