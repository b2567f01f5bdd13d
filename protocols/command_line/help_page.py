"""The help of one command, as data and as text for a screen of any width.

Help on a screen, the man pages and the test that every parameter is explained read the same page.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from protocols.command_line.epilogs import EXAMPLES

NARROW = 60
"""Below this width the text of a row stands below its name, not beside it."""
WIDEST = 110
"""Longer lines are hard to read."""
NAMES_AT_MOST = 30
OTHER_COMMANDS, OTHER_OPTIONS = "Commands", "Options"


@dataclass(frozen=True, slots=True)
class Row:
    """A command, an argument, an option, an example or an exit code, and its explanation."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """Rows below a heading, and a closing remark."""

    heading: str
    rows: tuple[Row, ...]
    remark: str = ""


@dataclass(frozen=True, slots=True)
class HelpPage:
    """The help of one command: `path` is what is typed, such as `meterctl card sell`."""

    path: str
    usage: str
    paragraphs: tuple[str, ...]
    sections: tuple[Section, ...]


Style = Callable[[str], str]


def page_of(command: Any, context: Any) -> HelpPage:
    """Return the page of a command of typer, called in this context."""
    own = [*_epilog_sections(command.epilog or "")]
    paragraphs = [_joined(part) for part in re.split(r"\n\s*\n", (command.help or "").strip())]
    return HelpPage(
        context.command_path,
        _usage(command, context),
        tuple(paragraphs),
        (
            *(section for section in own if section.heading == EXAMPLES),
            *_panels(_commands(command, context), OTHER_COMMANDS),
            *_panels(_arguments(command), "Arguments"),
            *_option_sections(command, context),
            *(section for section in own if section.heading != EXAMPLES),
        ),
    )


def text_of(page: HelpPage, width: int, heading: Style = str, name: Style = str) -> str:
    """Return a page as lines of at most `width` columns; a longer word is never broken."""
    width = min(max(width, 20), WIDEST)
    lines = _wrapped(page.usage, width, first=heading("Usage:") + " ", taken=7, hanging="    ")
    for paragraph in page.paragraphs:
        lines += ["", *_wrapped(paragraph, width)]
    for section in page.sections:
        lines += ["", heading(f"{section.heading}:")]
        beside = _names_width(section, width)
        for row in section.rows:
            lines += _row(row, width, beside, name)
        if section.remark:
            lines += _wrapped(section.remark, width, first="  ", taken=2, hanging="  ")
    return "\n".join(lines)


def _names_width(section: Section, width: int) -> int:
    """Return the width of the names of a section; 0 where the text stands below them."""
    if width < NARROW or section.heading == EXAMPLES:
        return 0
    fitting = [len(row.name) for row in section.rows if len(row.name) <= NAMES_AT_MOST]
    return max(fitting, default=0)


def _row(row: Row, width: int, beside: int, name: Style) -> Iterator[str]:
    if not beside or len(row.name) > beside:
        yield from _wrapped(row.name, width, first="  ", taken=2, hanging="      ", style=name)
        indent = " " * (beside + 4 if beside else 6)
        yield from _wrapped(row.text, width, first=indent, taken=len(indent), hanging=indent)
        return
    indent = " " * (beside + 4)
    first = f"  {name(row.name)}{' ' * (beside - len(row.name))}  "
    yield from _wrapped(row.text, width, first=first, taken=len(indent), hanging=indent) or [
        first.rstrip()
    ]


def _wrapped(
    text: str, width: int, first: str = "", taken: int = 0, hanging: str = "", style: Style = str
) -> list[str]:
    """Return the lines of a text; `first` stands before it and takes `taken` columns."""
    lines = textwrap.wrap(
        "\0" * taken + text,
        width,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    if not text or not lines:
        return []
    return [first + style(lines[0][taken:]), *(style(line) for line in lines[1:])]


def _joined(text: str) -> str:
    return " ".join(text.split())


def summary_of(command: Any) -> str:
    """Return the first sentence of a command's help."""
    first = _joined(re.split(r"\n\s*\n", (command.help or "").strip())[0])
    return re.split(r"(?<=[^.][.!?]) ", first)[0]


def _epilog_sections(epilog: str) -> Iterator[Section]:
    for part in re.split(r"\n\s*\n", epilog.strip()):
        head, *lines = part.split("\n")
        rows = tuple(Row(name, text) for name, _, text in (line.partition("\t") for line in lines))
        if head:
            yield Section(head.removesuffix(":"), rows)


def parameters(command: Any) -> tuple[list[Any], list[Any]]:
    """Return the arguments and the options of a command that are shown."""
    shown = [each for each in command.params if not getattr(each, "hidden", False)]
    return (
        [each for each in shown if each.param_type_name == "argument"],
        [each for each in shown if each.param_type_name == "option"],
    )


def shared_options(context: Any) -> list[Any]:
    """Return the options of a program, or of a group, that are accepted behind a command too."""
    return [each for each in parameters(context.command)[1] if each.expose_value]


def sharing(context: Any) -> list[Any]:
    """Return the contexts around one whose options it accepts, the innermost first."""
    around = []
    while context.parent is not None:
        context = context.parent
        if shared_options(context):
            around.append(context)
    return around


def _usage(command: Any, context: Any) -> str:
    arguments = [_argument_name(each) for each in parameters(command)[0]]
    commands = ["COMMAND", "..."] if hasattr(command, "commands") else []
    return " ".join([context.command_path, "[OPTIONS]", *arguments, *commands])


def _argument_name(argument: Any) -> str:
    name = argument_word(argument)
    if argument.nargs == -1 and not name.endswith("..."):
        name += "..."
    return name if argument.required else f"[{name}]"


def argument_word(argument: Any) -> str:
    """Return the word that stands for an argument, such as AMOUNT."""
    return str(argument.metavar or argument.name.upper()).strip("[]")


def _commands(command: Any, context: Any) -> Iterator[tuple[str, Row]]:
    if hasattr(command, "commands"):
        for name in command.list_commands(context):
            each = command.get_command(context, name)
            if each is not None and not each.hidden:
                yield each.rich_help_panel or "", Row(name, summary_of(each))


def _arguments(command: Any) -> Iterator[tuple[str, Row]]:
    for argument in parameters(command)[0]:
        text = _with_notes(argument, argument.help or "")
        yield argument.rich_help_panel or "", Row(argument_word(argument), text)


def _option_sections(command: Any, context: Any) -> Iterator[Section]:
    rows = [
        (option.rich_help_panel or "", Row(_option_name(option), _with_notes(option, option.help)))
        for option in parameters(command)[1]
    ]
    rows.append(("", Row(", ".join(context.help_option_names), "Show this help and exit.")))
    *others, last = _panels(rows, OTHER_OPTIONS)
    yield from others
    shown_by = [f"{each.command_path} -h" for each in sharing(context)]
    remark = f"and the options of {' and '.join(shown_by)}" if shown_by else ""
    yield Section(last.heading, last.rows, remark)


def _option_name(option: Any) -> str:
    names = ", ".join(option.opts)
    if option.is_flag:
        return names
    return f"{names} {option.metavar or option.name.upper()}"


def _with_notes(parameter: Any, text: str | None) -> str:
    """Return the help of a parameter with its default, its variable and whether it is needed."""
    notes = []
    if getattr(parameter, "envvar", None):
        notes.append(f"variable {parameter.envvar}")
    shown, default = getattr(parameter, "show_default", False), parameter.default
    if isinstance(shown, str):
        notes.append(f"default: {shown}")
    elif shown and isinstance(default, str | int) and not isinstance(default, bool):
        notes.append(f"default: {default}")
    if parameter.required and parameter.param_type_name == "option":
        notes.append("required")
    return f"{text or ''} [{'; '.join(notes)}]".strip() if notes else text or ""


def _panels(rows: Iterable[tuple[str, Row]], rest: str) -> list[Section]:
    """Return rows by their panel, in the order in which panels first come; the rest is last."""
    panels: dict[str, list[Row]] = {}
    for panel, row in rows:
        panels.setdefault(panel, []).append(row)
    without = panels.pop("", [])
    if without:
        panels[rest] = without
    return [Section(heading, tuple(each)) for heading, each in panels.items()]
