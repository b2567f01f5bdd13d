"""The commands of `meterctl desk`: which file has which, and the options that all of them take.

A file has `add_to(app: Program)`, as those of meterctl, and one row of `FILES`. It is imported
when one of its commands is called, so none pays for another's imports.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

from meterctl.cli.common_options import hoist
from meterctl.cli.desk.desk_options import DATABASE, KEY, NODE, DeskOptions
from meterctl.cli.options import options
from meterctl.errors import UsageError
from protocols.command_line import (
    CommandGroup,
    Context,
    Option,
    Program,
    UsageMistakeError,
    command_of,
)

FILES: dict[str, tuple[str, ...]] = {
    "set_up": ("init", "upgrade", "status"),
    "desk_time": ("time",),
    "org": ("org",),
    "staff": ("staff", "duty"),
    "setting": ("setting",),
    "customer": ("customer",),
    "point": ("point",),
    "port": ("port",),
    "meter": ("meter",),
    "agreement": ("agreement",),
    "document": ("document",),
    "takeover": ("takeover",),
    "reading": ("reading",),
    "shift": ("shift",),
    "sell": ("sell",),
    "sale": ("sale",),
    "pay": ("pay", "refund"),
    "receipt": ("receipt",),
    "bank": ("bank",),
    "mandate": ("mandate",),
    "card": ("card",),
    "work": ("work",),
    "serve": ("serve",),
    "worker": ("worker",),
    "order": ("order",),
    "finding": ("finding",),
    "close": ("close",),
    "sheet": ("sheet",),
    "today": ("today",),
    "ledger": ("ledger",),
    "check": ("check",),
    "task": ("task",),
    "audit": ("audit",),
}
"""Module of this package -> its commands, in the order of the help."""
PACKAGES = (
    "sqlalchemy", "alembic", "psycopg", "argon2", "stdnum", "chinese_calendar", "fastapi",
    "starlette", "uvicorn", "jinja2", "markupsafe", "multipart",
)  # fmt: skip
"""Import names of the packages of the extra `desk`."""
_WITH_VALUE = (DATABASE, KEY, NODE)


class _DeskGroup(CommandGroup):
    """The commands of the desk, each imported with the file that has it."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all commands; none where the words of another group are compared with ours."""
        if ctx.command is not self:
            return []
        for file in FILES:
            self._load(file)
        self.commands = {name: self.commands[name] for names in FILES.values() for name in names}
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name, None if there is none."""
        for file, names in FILES.items():
            if cmd_name in names:
                self._load(file)
        return super().get_command(ctx, cmd_name)

    def _load(self, file: str) -> None:
        """Add the commands of a file, once."""
        if FILES[file][0] not in self.commands:
            part = Program("")
            part.callback()(_nothing)  # else a single command would be the whole program
            with _naming_missing_package():
                import_module(f"meterctl.cli.desk.{file}").add_to(part)
            self.commands.update(command_of(part).commands)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words with the options of all commands first."""
        if args and args[-1] in _WITH_VALUE and not ctx.resilient_parsing:
            raise UsageMistakeError(f"{args[-1]} needs a value", ctx)
        return super().parse_args(ctx, hoist(args, _WITH_VALUE, ())[0])

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with _naming_missing_package():
            return super().invoke(ctx)


@contextmanager
def _naming_missing_package() -> Iterator[None]:
    """Name a package of the extra that is not there, with the remedy; raises UsageError."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in PACKAGES:
            raise
        raise UsageError(
            f"the desk needs {missing}, which is not installed: pip install "
            f'"prepaid-meter[desk]". Nothing was changed'
        ) from error


def _nothing() -> None:
    """Stand for the callback of a file's commands."""


desk = Program(
    """The desk of a utility: customers, agreements, sales, shifts, and the books of them.

    Who works is said by the token in METERCTL_DESK_TOKEN. The options below are accepted before
    and after COMMAND.""",
    group=_DeskGroup,
)


@desk.callback()
def _options(
    context: Context,
    database: Annotated[
        str | None,
        Option(
            DATABASE,
            metavar="URL",
            envvar="METERCTL_DESK_URL",
            help="The desk's database: postgresql://USER@HOST/NAME, or a file for SQLite.",
            show_default="desk.sqlite beside the journal",
        ),
    ] = None,
    key: Annotated[
        str | None,
        Option(
            KEY,
            metavar="KEY",
            help="Your own name for what a command does: the same command with the same KEY again "
            "does nothing twice and gives the first answer.",
            show_default="drawn, and printed first",
        ),
    ] = None,
    node: Annotated[
        str | None,
        Option(
            NODE,
            metavar="CODE",
            help="The company, branch, station or district that is meant.",
            show_default="where you work",
        ),
    ] = None,
) -> None:
    context.obj = DeskOptions(options(context), database, key, node)
