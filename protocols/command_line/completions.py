"""What the last word of a line may become: for a shell of our own, without its environment."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from protocols.command_line.typer_names import Typer, TyperCommand, get_command

_OF_FOREIGN_SHELLS: dict[str, Any] = dict.fromkeys(
    ("name", "source_template", "source_vars", "get_completion_args", "format_completion")
)
"""What typer asks of a class that serves bash, zsh or fish; nothing of it is used here."""


def completions(program: Typer, name: str, words: Sequence[str], incomplete: str) -> list[str]:
    """Return what a word may become behind these words; names of files are not among it.

    No command is run. Words that name no command offer nothing.
    """
    base: Any = next(each for each in TyperCommand.__mro__ if each.__name__ == "Command")
    module = import_module(f"{base.__module__.rpartition('.')[0]}.shell_completion")
    concrete: Any = type("_Complete", (module.ShellComplete,), _OF_FOREIGN_SHELLS)
    finder = concrete(get_command(program), {}, name, "")
    found = finder.get_completions(list(words), incomplete)
    offered = [str(item.value) for item in found if item.type == "plain"]
    return [word for word in offered if word.startswith(incomplete)]
