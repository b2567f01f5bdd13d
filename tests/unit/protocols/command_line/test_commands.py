"""Commands of typer as both programs use them: values, refusals in one sentence, completion."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest

from protocols.command_line import (
    VERSION,
    Argument,
    Context,
    Exit,
    Option,
    Program,
    UsageMistakeError,
    command_of,
    completion_words,
    execute,
)
from protocols.command_line.mistakes import explained

taken: dict[str, Any] = {}


def program() -> Program:
    """Return a program with one command of every kind of parameter, and a group."""
    app = Program("A program of a test.")
    group = Program("Commands in a group.")

    @app.callback()
    def options(
        common: Annotated[str, Option(help="An option of all.")] = "c",
        _version: Annotated[bool, VERSION] = False,
    ) -> None:
        taken.clear()
        taken["common"] = common

    @app.command("take")
    def take(
        context: Context,
        amount: Annotated[str, Argument(help="How much.")],
        names: Annotated[list[str] | None, Argument(help="Any names.")] = None,
        number: Annotated[int, Option(help="A number.", metavar="N")] = 3,
        file: Annotated[Path | None, Option(help="A file.")] = None,
        each: Annotated[list[str] | None, Option(help="Repeatable.")] = None,
        slot: Annotated[int, Option(help="Zero or one.", min=0, max=1)] = 0,
        fast: Annotated[bool, Option("--fast", help="Faster.")] = False,
    ) -> None:
        assert context.find_root().info_name == "prog"
        values = (amount, names, number, file, each, slot, fast)
        taken.update(
            zip(("amount", "names", "number", "file", "each", "slot", "fast"), values, strict=False)
        )

    @group.command("sell")
    def sell() -> None:
        taken["sold"] = True

    app.add_typer(group, name="card")
    return app


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        ("take 5", {}),
        ("take 5 --number 7 --fast", {"number": 7, "fast": True}),
        ("take 5 --number=-7", {"number": -7}),
        ("take 5 a b --file x/y", {"names": ["a", "b"], "file": Path("x/y")}),
        ("take 5 --each a --each b --slot 1", {"each": ["a", "b"], "slot": 1}),
        ("--common d take -- -5", {"common": "d", "amount": "-5"}),
    ],
)
def test_every_kind_of_value_is_read(words: str, changed: dict[str, Any]) -> None:
    execute(program(), "prog", words.split())
    given: dict[str, Any] = {
        "amount": "5",
        "names": None,
        "number": 3,
        "file": None,
        "each": None,
        "slot": 0,
        "fast": False,
    }
    assert {name: value or None for name, value in taken.items()} == {
        name: value or None for name, value in {"common": "c", **given, **changed}.items()
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("tak", "there is no command 'tak'; did you mean take? prog -h lists them"),
        ("sell", "there is no command 'sell'; did you mean card sell? prog -h lists them"),
        ("xyz", "there is no command 'xyz'. prog -h lists them"),
        ("card sel", "there is no command 'sel'; did you mean sell? prog card -h lists them"),
        ("take", "AMOUNT is missing: how much. prog take -h shows how"),
        ("take 5 --fst", "there is no option --fst; did you mean --fast? prog take -h lists them"),
        (
            "take 5 --comon 3",
            "there is no option --comon; did you mean --common? prog take -h lists them",
        ),
        ("take -5", "-5: a value below 0 is not allowed here; nothing was done. "
                    "prog take -h shows how"),
        ("take -.5 x", "-.5: a value below 0 is not allowed here; nothing was done. "
                       "prog take -h shows how"),
        ("take 5 --number x", "--number: 'x' is not a whole number. prog take -h shows how"),
        ("card sell x", "'x' is more than this command takes. prog card sell -h shows how"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_sentence_with_what_to_type(words: str, told: str) -> None:
    with pytest.raises(UsageMistakeError) as caught:
        execute(program(), "prog", words.split())
    assert explained(caught.value) == told


def test_an_option_without_its_value_is_named() -> None:
    with pytest.raises(UsageMistakeError) as caught:
        execute(program(), "prog", ["take", "5", "--file"])
    assert explained(caught.value).startswith("--file needs a value")


def test_a_group_without_a_command_shows_its_help_and_ends_with_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words in ([], ["card"]):
        with pytest.raises(Exit) as caught:
            execute(program(), "prog", words)
        assert caught.value.exit_code == 2
    assert "Usage: prog card [OPTIONS] COMMAND" in capsys.readouterr().err


def test_the_version_is_printed_under_the_name_of_the_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(Exit) as caught:
        execute(program(), "prog", ["--version"])
    assert caught.value.exit_code == 0
    assert capsys.readouterr().out.startswith("prog ")


def test_the_words_that_a_shell_completes_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert completion_words("meter-sim") is None
    monkeypatch.setenv("_METER_SIM_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "meter-sim\ncontrol\n")
    assert completion_words("meter-sim") == ["control"]


def test_help_has_only_the_characters_of_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ascii:
        encoding = "ascii"

        def isatty(self) -> bool:
            return False

    app = Program("Power guarantee (保电).")
    app.callback()(lambda: None)
    app.command("x")(lambda: None)
    command = command_of(app)
    context = command.make_context("prog", ["x"])
    monkeypatch.setattr(sys, "stdout", Ascii())
    assert "Power guarantee." in command.get_help(context)


@pytest.mark.parametrize(
    "program_and_words",
    [
        ("meterctl", "items", "--json", "--unit", "2"),
        ("meterctl", "limits", "set", "nosuch=1", "--port", "x"),
        ("firmware_sim", "new", "/nowhere/m.toml"),
        ("firmware_sim", "run", "-h"),
    ],
)
def test_a_command_starts_without_pydantic_and_rich_and_without_a_warning(
    program_and_words: tuple[str, ...],
) -> None:
    module, *words = program_and_words
    code = (
        "import atexit, sys\n"
        f"sys.argv = ['x', *{words!r}]\n"
        "slow = lambda: {'pydantic', 'rich', 'rich.table'} & {*sys.modules}\n"
        "atexit.register(lambda: print('SLOW', slow(), file=sys.stderr))\n"
        f"from {module}.cli import main\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode in (0, 2), ended.stderr
    assert ended.stderr.splitlines()[-1] == "SLOW set()"
