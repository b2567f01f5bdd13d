"""The options common to all commands: their declarations, and where they may stand in the words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

from meterctl.cli.given_maps import MAP_VARIABLE
from meterctl.cli.values import map_names, offered
from meterctl.drivers.table import DRIVERS
from meterctl.errors import UsageError
from protocols.command_line import Option
from protocols.port_settings import HELP, PARITIES

_LINE, _OWN_FILES, _ACTING, _OUTPUT = "Line", "Keys and journal", "Before it acts", "Output"

PortOption = Annotated[
    str | None,
    Option(
        metavar="PORT",
        envvar="METERCTL_PORT",
        help="Where the meter is: a serial port such as /dev/ttyUSB0?baud=9600 "
        f"({HELP}), tcp://HOST:PORT, or a URL of pyserial such as rfc2217://HOST:PORT.",
        rich_help_panel=_LINE,
    ),
]
BaudOption = Annotated[
    str | None,
    Option(
        metavar="N",
        help="Speed of the serial port in bit/s, as ?baud= behind its path; `scan` takes auto, "
        "and lists such as 9600,19200.",
        rich_help_panel=_LINE,
        show_default="9600",
    ),
]
ParityOption = Annotated[
    str | None,
    Option(
        metavar="|".join(PARITIES),
        help="Parity of the serial port, as ?parity= behind its path: none, even or odd.",
        rich_help_panel=_LINE,
        show_default="N",
        autocompletion=offered(*PARITIES),
    ),
]
ProtocolOption = Annotated[
    str,
    Option(
        metavar="NAME",
        help=f"Protocol on the line: {', '.join(DRIVERS)}.",
        rich_help_panel=_LINE,
        hidden=len(DRIVERS) == 1,
    ),
]
MapOption = Annotated[
    list[str] | None,
    Option(
        "--map",
        metavar="NAME|FILE[@UNIT]",
        envvar=MAP_VARIABLE,
        help="Register map of the meter: a shipped one (`meter-sim map list`), or a file whose "
        "name has a / or ends in .toml; with @UNIT that of one unit; repeatable.",
        rich_help_panel=_LINE,
        show_default="native",
        autocompletion=map_names,
    ),
]
UnitOption = Annotated[
    int,
    Option(
        metavar="N",
        help="Unit number of the meter on its line, 1 to 247.",
        rich_help_panel=_LINE,
    ),
]
TimeoutOption = Annotated[
    str,
    Option(
        metavar="TIME",
        help="Wait so long for an answer, such as 500ms or 2s, before the next of three tries.",
        rich_help_panel=_LINE,
    ),
]
KeysOption = Annotated[
    Path | None,
    Option(
        metavar="FILE",
        help="File with your keys, made by `meterctl keys init`.",
        rich_help_panel=_OWN_FILES,
    ),
]
JournalOption = Annotated[
    Path | None,
    Option(
        metavar="FILE",
        envvar="METERCTL_JOURNAL",
        help="File in which every sale is kept with its outcome, and every other message about "
        "an account; commands to the supply, limits and the clock are not in it.",
        rich_help_panel=_OWN_FILES,
        show_default="$XDG_STATE_HOME/meterctl/journal.sqlite",
    ),
]
DevelopmentKeyOption = Annotated[
    bool,
    Option(
        "--development-key",
        help="Use the published test key on any port; anyone can make messages with it.",
        rich_help_panel=_OWN_FILES,
    ),
]
YesOption = Annotated[bool, Option(help="Answer yes to every question.", rich_help_panel=_ACTING)]
DryRunOption = Annotated[
    bool,
    Option(
        "--dry-run",
        help="Show what would be sent or written; send and write nothing.",
        rich_help_panel=_ACTING,
    ),
]
JsonOption = Annotated[
    bool,
    Option("--json", help="Print JSON Lines: one object a line.", rich_help_panel=_OUTPUT),
]
TraceOption = Annotated[
    bool,
    Option(help="Show every frame on the line, as bytes on stderr.", rich_help_panel=_OUTPUT),
]

WITH_VALUE = (
    "--port",
    "--baud",
    "--parity",
    "--protocol",
    "--map",
    "--unit",
    "--keys",
    "--journal",
    "--timeout",
)
FLAGS = ("--json", "--trace", "--yes", "--dry-run", "--development-key")


def hoist(
    arguments: Sequence[str],
    with_value: Collection[str] = WITH_VALUE,
    flags: Collection[str] = FLAGS,
) -> tuple[list[str], str | None]:
    """Return the arguments with the common options first, and the command.

    Args:
        with_value: the common options that take a value.
        flags: the others.
    """
    common: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        name = word.partition("=")[0]
        if word == "--":
            rest += [word, *words]
        elif name in with_value:
            common += (
                [word]
                if "=" in word
                else [word, *([value] if (value := next(words, None)) is not None else [])]
            )
        elif word in flags:
            common.append(word)
        else:
            rest.append(word)
    return common + rest, next((word for word in rest if not word.startswith("-")), None)


def require_values(arguments: Sequence[str]) -> None:
    """Raise UsageError for a common option whose value is missing, or is another option."""
    words = iter(arguments)
    for word in words:
        if word == "--":
            return
        if word in WITH_VALUE:
            value = next(words, None)
            if value is None or value.startswith("--"):
                raise UsageError(f"{word} needs a value; meterctl -h shows how")
