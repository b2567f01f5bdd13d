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
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from meterctl.cli.arguments import port_of, require_unit
from meterctl.cli.common_options import (
    WITH_VALUE,
    BaudOption,
    DevelopmentKeyOption,
    DryRunOption,
    JournalOption,
    JsonOption,
    KeysOption,
    MapOption,
    ParityOption,
    PortOption,
    ProtocolOption,
    TimeoutOption,
    TraceOption,
    UnitOption,
    YesOption,
    hoist,
    require_values,
)
from meterctl.cli.given_maps import named_maps
from meterctl.cli.interruption import interrupts
from meterctl.cli.options import Options
from meterctl.cli.output import OutputError, discard_stdout, print_json, result_fragments, say
from meterctl.drivers.table import DRIVERS, MODBUS
from meterctl.errors import MeterctlError, UsageError
from meterctl.transports.held_wire import HeldWire
from protocols.command_line import (
    VERSION,
    Abort,
    CommandGroup,
    Context,
    Exit,
    Program,
    StdoutError,
    UsageMistakeError,
    completion_words,
    examples,
    execute,
    exit_codes,
)
from protocols.errors import ProtocolError
from protocols.quantities import SECOND, parse_duration

if TYPE_CHECKING:
    from meterctl.named_maps import GivenMaps

NAME = "meterctl"
_EXAMPLES = examples(
    ("meterctl demo", "See it all on a simulated meter: warning, trip, top-up, the books."),
    ("meterctl --port /dev/ttyUSB0?baud=9600 status", "Read the state of a meter."),
    ("meterctl --port tcp://192.168.1.50:502 topup 50.00", "Ask, then credit 50.00 exactly once."),
    ("meterctl --port m1.tty read available_credit --json", "Read one item, for a script."),
)


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
INTERRUPTED = 130
"""Exit code of an interrupt before any effect; an interrupt after that has an outcome."""


@app.callback()
def _options(
    context: Context,
    port: PortOption = None,
    baud: BaudOption = None,
    parity: ParityOption = None,
    protocol: ProtocolOption = MODBUS.name,
    map_names: MapOption = None,
    unit: UnitOption = 1,
    timeout: TimeoutOption = "1s",
    keys: KeysOption = None,
    journal: JournalOption = None,
    development_key: DevelopmentKeyOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    trace: TraceOption = False,
    _version: Annotated[bool, VERSION] = False,
) -> None:
    if protocol not in DRIVERS:
        raise UsageError(f"--protocol {protocol}: allowed is {', '.join(DRIVERS)}")
    require_unit(unit, port)
    maps = _maps(named_maps(context)) if map_names else None
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
        None if maps is None else maps.of_unit(unit),
        context.obj,
        maps,
    )


def _maps(names: Sequence[str]) -> GivenMaps:
    """Return the maps of --map; raises UsageError."""
    from meterctl.named_maps import given_maps  # most commands name no map

    return given_maps(names)


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
    "desk": ("desk",),
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
        if (word := getattr(error, "code", None)) is not None:  # of the desk, which is not imported
            further["code"] = json.dumps(word)
        with contextlib.suppress(OutputError):
            print_json({**further, **fragments})
    return code
