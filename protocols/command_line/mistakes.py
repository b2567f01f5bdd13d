"""Mistakes of a command line, told in one sentence with what to type instead."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

from protocols.command_line.help_page import argument_word, parameters, shared_options, sharing
from protocols.suggestions import did_you_mean


def explained(error: Any) -> str:
    """Return one sentence for a UsageMistakeError, and where the command is explained."""
    context = getattr(error, "ctx", None)
    text = str(error.format_message()).rstrip(".")
    kind, parameter = type(error).__name__, getattr(error, "param", None)
    if kind == "NoSuchOption" and context is not None:
        text = _unknown_option(error.option_name, context)
    elif kind == "BadOptionUsage":
        needs = "takes no" if "does not take a value" in text else "needs a"
        text = f"{error.option_name} {needs} value"
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


def _unknown_option(name: str, context: Any) -> str:
    """Return why an option is refused: no command has it, or it is the program's, with a value."""
    around = (shared_options(each) for each in sharing(context))
    options = [*parameters(context.command)[1], *chain.from_iterable(around)]
    known = [each for option in options for each in (*option.opts, *option.secondary_opts)]
    if name in known:
        return f"{name} takes no value"
    hint = did_you_mean(name, known)
    return f"there is no option {name}{'; ' if hint else ''}{hint}"


def _word_of(parameter: Any) -> str:
    is_option = parameter.param_type_name == "option"
    return str(parameter.opts[0]) if is_option else argument_word(parameter)
