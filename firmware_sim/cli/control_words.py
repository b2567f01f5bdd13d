"""The words of `meter-sim control`: their completion, and that none of them is an option."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from protocols.command_line import Command, Context
from protocols.control import next_words

_NO_OPTION = re.compile(r"-[^-].")
"""A word such as -1kWh: one minus sign and more than a letter. -h and --help are options."""
_MARK = "\0"
"""Stands before such a word while options are looked for; no word of a command line has it."""


class ControlCommand(Command):
    """The command whose words may begin with a minus sign: letters in them are no options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words; those that begin with one minus sign stay as they are."""
        marked = [_MARK + word if _NO_OPTION.match(word) else word for word in args]
        rest: list[str] = super().parse_args(ctx, marked)
        for name, value in ctx.params.items():
            ctx.params[name] = _unmarked(value)
        return rest


def _unmarked(value: Any) -> Any:
    match value:
        case str():
            return value.removeprefix(_MARK)
        case Path():
            return Path(str(value).removeprefix(_MARK))
        case list() | tuple():
            return [_unmarked(each) for each in value]
        case _:
            return value


def complete_words(context: Context) -> list[tuple[str, str]]:
    """Return the words that a shell completes for `control`."""
    return list(next_words(context.params.get("words") or ()).items())
