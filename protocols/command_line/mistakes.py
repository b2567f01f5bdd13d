"""Mistakes of a command line, told in one sentence with what to type instead."""

from __future__ import annotations

import re
from typing import Any

from protocols.command_line.help_page import argument_word, parameters, shared_options
from protocols.suggestions import did_you_mean


def explained(error: Any) -> str:
    """Return one sentence for a UsageMistakeError, and where the command is explained."""
    context = getattr(error, "ctx", None)
    text = str(error.format_message()).rstrip(".")
    kind, parameter = type(error).__name__, getattr(error, "param", None)
    if kind == "NoSuchOption" and context is not None:
        text = f"there is no option {error.option_name}"
        options = [*parameters(context.command)[1], *shared_options(context.find_root())]
        known = [name for option in options for name in (*option.opts, *option.secondary_opts)]
        hint = did_you_mean(error.option_name, known)
        text += f"; {hint}" if hint else ""
    elif kind == "BadOptionUsage":
        text = f"{error.option_name} needs a value"
    elif kind == "MissingParameter" and parameter is not None:
        meaning = str(parameter.help).rstrip(".")
        text = f"{_word_of(parameter)} is missing: {meaning[:1].lower()}{meaning[1:]}"
    elif kind == "BadParameter" and parameter is not None:
        told = re.sub(r"is not a valid int(eger)?", "is not a whole number", str(error.message))
        text = f"{_word_of(parameter)}: {told}".rstrip(".")
    elif extra := re.fullmatch(r"Got unexpected extra argument\S* \((.*)\)", text):
        text = f"{extra[1]!r} is more than this command takes"
    if context is None:
        return text
    end = "" if text.endswith("?") else "."
    shows = "lists them" if text.startswith("there is no") else "shows how"
    return f"{text}{end} {context.command_path} -h {shows}"


def _word_of(parameter: Any) -> str:
    is_option = parameter.param_type_name == "option"
    return str(parameter.opts[0]) if is_option else argument_word(parameter)
