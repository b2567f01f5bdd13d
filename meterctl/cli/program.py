"""The program: common options before or after the command, exit codes, no traceback."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar

from meterctl.cli.arguments import port_of, require_unit
from meterctl.cli.held_wire import HeldWire
from meterctl.cli.interruption import interrupts
from meterctl.cli.options import Options
from meterctl.cli.output import OutputError, discard_stdout, print_json, result_fragments, say
from meterctl.cli.values import map_names, offered
from meterctl.drivers.table import DRIVERS, MODBUS
from meterctl.errors import MeterctlError, UsageError
from protocols.command_line import (
    VERSION,
    Abort,
    CommandGroup,
    Context,
    Exit,
    Option,
    Program,
    StdoutError,
    UsageMistakeError,
    completion_words,
    examples,
    execute,
    exit_codes,
)
from protocols.errors import ProtocolError
from protocols.port_settings import HELP, PARITIES
from protocols.quantities import SECOND, parse_duration

NAME = "meterctl"
_EXAMPLES = examples(
    ("meterctl demo", "See it all on a simulated meter: warning, trip, top-up, the books."),
    ("meterctl --port /dev/ttyUSB0?baud=9600 status", "Read the state of a meter."),
    ("meterctl --port tcp://192.168.1.50:502 topup 50.00", "Ask, then credit 50.00 exactly once."),
    ("meterctl --port m1.tty read available_credit --json", "Read one item, for a script."),
)
_LINE, _OWN_FILES, _ACTING, _OUTPUT = "Line", "Keys and journal", "Before it acts", "Output"


class _Group(CommandGroup):
    """The commands of the program; common options are accepted behind a command too."""

    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("recharge", "credit", "charge", "pay", "vend"), "topup"),
        **dict.fromkeys(("balance", "state", "info"), "status"),
        **dict.fromkeys(("history", "sales"), "journal list"),
        **dict.fromkeys(("disconnect", "connect", "relay"), "switch"),
        **dict.fromkeys(("time", "date"), "clock"),
        **dict.fromkeys(("consumption", "bill", "cost"), "usage"),
        **dict.fromkeys(("load", "curve"), "profile"),
        **dict.fromkeys(("price", "prices", "rates"), "tariff"),
        **dict.fromkeys(("find", "discover", "search"), "scan"),
        **dict.fromkeys(("print", "slip", "invoice"), "receipt"),
        **dict.fromkeys(("live", "top", "follow"), "watch"),
    }

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words with the common options first."""
        if args and args[-1] in WITH_VALUE and "--" not in args:
            is_value = args[-2:-1] and args[-2] in WITH_VALUE
            if not is_value and not ctx.resilient_parsing:
                raise UsageMistakeError(f"{args[-1]} needs a value", ctx)
        return super().parse_args(ctx, hoist(args)[0])


app = Program(
    """Read prepaid electricity meters, top them up exactly once, and command their supply.

    The options below are accepted before and after COMMAND.""",
    group=_Group,
    epilog="\n\n".join([_EXAMPLES, exit_codes()]),
)
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
INTERRUPTED = 130
"""Exit code of an interrupt before any effect; an interrupt after that has an outcome."""
FLAGS = ("--json", "--trace", "--yes", "--dry-run", "--development-key")


@app.callback()
def _options(
    context: Context,
    port: Annotated[
        str | None,
        Option(
            metavar="PORT",
            envvar="METERCTL_PORT",
            help="Where the meter is: a serial port such as /dev/ttyUSB0?baud=9600 "
            f"({HELP}), tcp://HOST:PORT, or a URL of pyserial such as rfc2217://HOST:PORT.",
            rich_help_panel=_LINE,
        ),
    ] = None,
    baud: Annotated[
        str | None,
        Option(
            metavar="N",
            help="Speed of the serial port in bit/s, as ?baud= behind its path; `scan` takes auto, "
            "and lists such as 9600,19200.",
            rich_help_panel=_LINE,
            show_default="9600",
        ),
    ] = None,
    parity: Annotated[
        str | None,
        Option(
            metavar="|".join(PARITIES),
            help="Parity of the serial port, as ?parity= behind its path: none, even or odd.",
            rich_help_panel=_LINE,
            show_default="N",
            autocompletion=offered(*PARITIES),
        ),
    ] = None,
    protocol: Annotated[
        str,
        Option(
            metavar="NAME",
            help=f"Protocol on the line: {', '.join(DRIVERS)}.",
            rich_help_panel=_LINE,
            hidden=len(DRIVERS) == 1,
        ),
    ] = MODBUS.name,
    map_name: Annotated[
        str | None,
        Option(
            "--map",
            metavar="NAME|FILE",
            envvar="METERCTL_MAP",
            help="Register map of the meter: a shipped one (`meter-sim map list`), or a file whose "
            "name has a / or ends in .toml.",
            rich_help_panel=_LINE,
            show_default="native",
            autocompletion=map_names,
        ),
    ] = None,
    unit: Annotated[
        int,
        Option(
            metavar="N",
            help="Unit number of the meter on its line, 1 to 247.",
            rich_help_panel=_LINE,
        ),
    ] = 1,
    timeout: Annotated[
        str,
        Option(
            metavar="TIME",
            help="Wait so long for an answer, such as 500ms or 2s, before the next of three tries.",
            rich_help_panel=_LINE,
        ),
    ] = "1s",
    keys: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help="File with your keys, made by `meterctl keys init`.",
            rich_help_panel=_OWN_FILES,
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            envvar="METERCTL_JOURNAL",
            help="File in which every sale is kept with its outcome, and every other message about "
            "an account; commands to the supply, limits and the clock are not in it.",
            rich_help_panel=_OWN_FILES,
            show_default="$XDG_STATE_HOME/meterctl/journal.sqlite",
        ),
    ] = None,
    development_key: Annotated[
        bool,
        Option(
            "--development-key",
            help="Use the published test key on any port; anyone can make messages with it.",
            rich_help_panel=_OWN_FILES,
        ),
    ] = False,
    yes: Annotated[
        bool, Option(help="Answer yes to every question.", rich_help_panel=_ACTING)
    ] = False,
    dry_run: Annotated[
        bool,
        Option(
            "--dry-run",
            help="Show what would be sent or written; send and write nothing.",
            rich_help_panel=_ACTING,
        ),
    ] = False,
    as_json: Annotated[
        bool,
        Option("--json", help="Print JSON Lines: one object a line.", rich_help_panel=_OUTPUT),
    ] = False,
    trace: Annotated[
        bool,
        Option(help="Show every frame on the line, as bytes on stderr.", rich_help_panel=_OUTPUT),
    ] = False,
    _version: Annotated[bool, VERSION] = False,
) -> None:
    if protocol not in DRIVERS:
        raise UsageError(f"--protocol {protocol}: allowed is {', '.join(DRIVERS)}")
    require_unit(unit, port)
    context.obj = Options(
        port_of(port, {"baud": baud, "parity": parity}),
        DRIVERS[protocol],
        unit,
        keys,
        journal,
        _timeout_ms(timeout),
        as_json,
        trace,
        yes,
        dry_run,
        development_key,
        map_name or None,
        context.obj,
    )


def _timeout_ms(text: str) -> int:
    """Return the time-out of --timeout, ms; a number alone is seconds. Raises UsageError."""
    milliseconds = parse_duration(text if not text.isdigit() else f"{int(text) * SECOND}ms")
    if not 0 < milliseconds <= 15 * SECOND:
        raise UsageError(f"--timeout {text}: allowed is above 0 and at most 15s")
    return milliseconds


SHELL = "shell"
_FILES = {
    "demo": ("demo",),
    "reading": ("status", "read"),
    "watch": ("watch",),
    "item_list": ("items",),
    "ports": ("ports",),
    "scan": ("scan",),
    "records": ("purchases", "events"),
    "usage": ("usage",),
    "profile": ("profile",),
    "freezes": ("freezes",),
    "clock": ("clock",),
    "account": ("topup", "account"),
    "card": ("card",),
    "journal": ("journal",),
    "receipt": ("receipt",),
    "supply": ("switch", "guarantee", "moratorium", "tamper"),
    "limits": ("limits",),
    "tariff": ("tariff",),
    "write": ("write",),
    "frames": ("frames",),
    "monitor": ("monitor",),
    "keys": ("keys",),
    "shell": (SHELL,),
}
"""Module of this package -> its commands, in the order of the help.

Only the needed one is imported, to start faster.
"""


def add_commands(command: str | None) -> None:
    """Add the module of one command to the program; all for a shell or an unknown command."""
    wanted = [file for file, commands in _FILES.items() if command in commands]
    for file in list(_FILES) if not wanted or command == SHELL else wanted:
        _add(file)


@cache
def _add(file: str) -> None:
    import_module(f"meterctl.cli.{file}").add_to(app)


def hoist(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the arguments with the common options first, and the command."""
    common: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        name = word.partition("=")[0]
        if word == "--":
            rest += [word, *words]
        elif name in WITH_VALUE:
            common += (
                [word]
                if "=" in word
                else [word, *([value] if (value := next(words, None)) is not None else [])]
            )
        elif word in FLAGS:
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


def main() -> None:
    """Run the program; a failure is printed on stderr and gives the exit code."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)
    try:
        for number in interrupts():
            signal.signal(number, signal.default_int_handler)
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        say("meterctl: interrupted")
        code = INTERRUPTED
    sys.exit(code)


def run(arguments: Sequence[str], wire: HeldWire | None = None) -> int:
    """Run one command and return its exit code; a failure is printed on stderr.

    Args:
        wire: the wire that a shell holds for its commands.
    """
    as_json = "--json" in hoist(arguments)[0]
    try:
        completed = completion_words(NAME)
        if completed is None:
            require_values(arguments)
        add_commands(hoist(completed or arguments)[1])
        execute(app, NAME, arguments, wire)
    except MeterctlError as error:
        return failed(f"meterctl: {error}", error.exit_code, as_json, error)
    except ProtocolError as error:
        return failed(f"meterctl: {error}", UsageError.exit_code, as_json)
    except Exit as stopped:
        return int(stopped.exit_code)
    except UsageMistakeError as error:
        from protocols.command_line.mistakes import explained

        return failed(f"meterctl: {explained(error)}", UsageError.exit_code, as_json)
    except (KeyboardInterrupt, Abort) as interrupt:
        text = f"meterctl: {str(interrupt) or 'interrupted'}"
        serial_number = getattr(interrupt, "serial_number", None)
        named = MeterctlError(text, serial_number=serial_number)
        return failed(text, INTERRUPTED, as_json, named)
    except BrokenPipeError:
        discard_stdout()
    except StdoutError as error:
        if not (isinstance(error, OutputError) and error.is_pipe):
            discard_stdout()
            text = f"meterctl: stdout cannot be written: {error}"
            return failed(text, UsageError.exit_code, as_json=False)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            text = f"meterctl: {os.strerror(error.errno)}: raise the limit (ulimit -n)"
            return failed(text, UsageError.exit_code, as_json)
        if os.environ.get("METERCTL_TRACEBACK"):
            raise
        text = (
            f"meterctl: internal fault: {type(error).__name__}: {error} "
            f"(METERCTL_TRACEBACK=1 shows where)"
        )
        return failed(text, 1, as_json)
    return 0


def failed(text: str, code: int, as_json: bool, error: MeterctlError | None = None) -> int:
    """Print why a command failed, with --json as the result object too; return its exit code."""
    say(text)
    if as_json:
        named = (
            (error.outcome, error.serial_number, error.entry)
            if error is not None
            else (None, None, None)
        )
        outcome, serial_number, entry = named
        fragments = result_fragments(
            code,
            outcome=outcome,
            serial_number=serial_number,
            entry=entry,
            message=text.removeprefix("meterctl: "),
        )
        fields = error.fields if error is not None else {}
        further = {name: json.dumps(words) for name, words in fields.items()}
        with contextlib.suppress(OutputError):
            print_json({**further, **fragments})
    return code
