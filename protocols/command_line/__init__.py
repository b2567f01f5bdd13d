"""The command lines of both programs: commands of typer with one help, one way to refuse a word.

The only package that imports typer, so that every version of it is met in one place
(`typer_names.py`). A command is a function with `Argument` and `Option` annotations.
"""

from __future__ import annotations

from protocols.command_line.commands import (
    VERSION,
    Command,
    CommandGroup,
    Program,
    command_of,
    completion_words,
    execute,
    pages_of,
    version,
)
from protocols.command_line.completions import completions
from protocols.command_line.epilogs import examples, exit_codes, section_text
from protocols.command_line.stdout import StdoutError, coloured
from protocols.command_line.typer_names import (
    Abort,
    Argument,
    Context,
    Exit,
    Option,
    UsageMistakeError,
    confirm,
)

__all__ = [
    "VERSION",
    "Abort",
    "Argument",
    "Command",
    "CommandGroup",
    "Context",
    "Exit",
    "Option",
    "Program",
    "StdoutError",
    "UsageMistakeError",
    "coloured",
    "command_of",
    "completion_words",
    "completions",
    "confirm",
    "examples",
    "execute",
    "exit_codes",
    "pages_of",
    "section_text",
    "version",
]
