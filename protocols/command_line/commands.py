"""The commands of typer as both programs use them, and how a program of them is run."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from protocols.command_line.parameter_values import explained_arguments, read_plainly
from protocols.command_line.stdout import is_styled, written_out
from protocols.command_line.typer_names import (
    Context,
    Exit,
    Option,
    Typer,
    TyperCommand,
    TyperGroup,
    UsageMistakeError,
    get_command,
    style,
)

if TYPE_CHECKING:
    from protocols.command_line.help_page import HelpPage


EXIT_USAGE = 2
DISTRIBUTION = "prepaid-meter"
_FALLBACK_WIDTH = (80, 24)
_HELP_OPTIONS = ["-h", "--help"]

CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])


class Program(Typer):
    """A program, or a group of commands of it, with our help."""

    def __init__(
        self, summary: str, *, group: type[TyperGroup] | None = None, epilog: str = ""
    ) -> None:
        super().__init__(
            cls=group or CommandGroup,
            help=summary,
            epilog=epilog,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": _HELP_OPTIONS},
        )

    def command(
        self, name: str | None = None, **settings: Any
    ) -> Callable[[CommandFunction], CommandFunction]:
        """Return a decorator that adds a command; settings as those of `Typer.command`."""
        settings.setdefault("cls", Command)
        return super().command(name, **settings)


class _Helped:
    """What a command and a group of commands have in common."""

    def get_help(self, ctx: Any) -> str:
        """Return the help, in the width, the style and the characters of stdout."""
        from protocols.command_line.help_page import page_of, text_of

        columns = shutil.get_terminal_size(_FALLBACK_WIDTH).columns
        page = page_of(self, ctx)
        if not is_styled():
            return _encodable(text_of(page, columns))
        return _encodable(text_of(page, columns, _bold, _coloured))


class Command(_Helped, TyperCommand):
    """One command."""

    def get_params(self, ctx: Any) -> Any:
        """Return the arguments and options."""
        return explained_arguments(self.callback, read_plainly(super().get_params(ctx)))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words; a number below zero is refused as a number, not as an option."""
        numbers = [word for word in args if re.match(r"-\.?[0-9]", word)]
        try:
            with written_out():
                return super().parse_args(ctx, args)
        except UsageMistakeError as error:
            named = str(getattr(error, "option_name", ""))
            below = next((word for word in numbers if named and word.startswith(named)), None)
            if below is None:
                raise
            raise UsageMistakeError(
                f"{below}: a value below 0 is not allowed here; nothing was done", ctx
            ) from error

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Complete options: the program's own are accepted behind a command too."""
        from protocols.command_line.help_page import sharing

        found = super().shell_complete(ctx, incomplete)
        for around in sharing(ctx) if incomplete.startswith("-") else ():
            known = {item.value for item in found}
            of_group = around.command.shell_complete(around, incomplete)
            found += [item for item in of_group if item.value not in known]
        return found


class CommandGroup(_Helped, TyperGroup):
    """A group of commands; without a command it shows its help and exits with 2."""

    other_words: ClassVar[Mapping[str, str]] = {}
    """Words that people try, with the command that does what they mean."""

    def get_params(self, ctx: Any) -> Any:
        """Return the options."""
        return read_plainly(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words up to the command."""
        if not args and not ctx.resilient_parsing:
            if sys.stderr is not None:
                print(self.get_help(ctx), file=sys.stderr)
            raise Exit(EXIT_USAGE)
        with written_out():
            return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Complete commands and options; the `--no-` of a flag is accepted, and not offered."""
        found = super().shell_complete(ctx, incomplete)
        return [item for item in found if not item.value.startswith("--no-")]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; an unknown one is refused with those that may have been meant."""
        from protocols.suggestions import did_you_mean, one_of

        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            deeper = [path for path in _paths(self, ctx) if path.split()[1:] == [name]]
            if not deeper and name.lower() in self.other_words:
                deeper = [self.other_words[name.lower()]]
            meant = f"did you mean {one_of(deeper)}?" if deeper else ""
            hint = meant or did_you_mean(name, self.list_commands(ctx))
            ctx.fail(f"there is no command {name!r}{'; ' if hint else ''}{hint}")
        return super().resolve_command(ctx, args)


def _paths(group: Any, context: Any) -> Iterator[str]:
    for name in group.list_commands(context):
        each = group.get_command(context, name)
        if hasattr(each, "commands"):
            yield from (f"{name} {inner}" for inner in each.list_commands(context))


def command_of(program: Typer) -> Any:
    """Return the tree of commands that typer makes of a program."""
    return get_command(program)


def pages_of(program: Typer, name: str) -> list[HelpPage]:
    """Return the help pages of a program and of every command that is shown, in their order."""
    command = command_of(program)
    return [*_pages(command, command.make_context(name, [], resilient_parsing=True))]


def _pages(command: Any, context: Any) -> Iterator[HelpPage]:
    from protocols.command_line.help_page import page_of

    yield page_of(command, context)
    for name, each in getattr(command, "commands", {}).items():
        if not each.hidden:
            made = each.make_context(name, [], parent=context, resilient_parsing=True)
            yield from _pages(each, made)


def execute(program: Typer, name: str, arguments: Sequence[str], shared: Any = None) -> None:
    """Run a program under its name, or answer a shell that completes a word of it.

    Args:
        shared: what the callback of the program finds as the object of its context.

    Raises:
        UsageMistakeError: the words cannot be parsed; see `explained`.
        Exit: the command ended with a code.
        StdoutError: stdout cannot be written.
    """
    command = command_of(program)
    if _completion_variable(name) in os.environ:
        _join_words_of_bash()
        with written_out():
            command.main(list(arguments), prog_name=name)
        return
    with command.make_context(name, list(arguments), obj=shared) as context:
        command.invoke(context)


def completion_words(name: str) -> list[str] | None:
    """Return the words behind a program's name that a shell asks to complete; None if none asks."""
    if _completion_variable(name) not in os.environ:
        return None
    typed = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return typed.split()[1:]


def _join_words_of_bash() -> None:
    from protocols.command_line.bash_words import joined

    words, current = os.environ.get("COMP_WORDS"), os.environ.get("COMP_CWORD", "")
    if words is not None and "\n" in words and current.isdecimal():  # bash; zsh gives one line
        own, index = joined(words.split("\n"), int(current))
        os.environ |= {"COMP_WORDS": "\n".join(own), "COMP_CWORD": str(index)}


def _completion_variable(name: str) -> str:
    return f"_{name}_COMPLETE".replace("-", "_").upper()


def show_version(context: Context, wanted: bool) -> None:
    """Print the version of a program and end it, as the callback of its option."""
    if wanted and not context.resilient_parsing:
        print(f"{context.find_root().info_name} {version()}")
        raise Exit(0)


def version() -> str:
    """Return the version that is installed."""
    from importlib import metadata

    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "of a tree that is not installed"


VERSION: Any = Option(
    "--version",
    help="Show the version and exit.",
    is_eager=True,
    expose_value=False,
    callback=show_version,
)


def _bold(text: str) -> str:
    return str(style(text, bold=True))


def _coloured(text: str) -> str:
    return str(style(text, fg="cyan"))


def _encodable(text: str) -> str:
    """Return a text without the characters that stdout cannot show."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = re.sub(r" ?\([^()\x00-\x7f]+\)", "", text)  # a Chinese term beside an English one
    return text.encode(encoding, "replace").decode(encoding)
