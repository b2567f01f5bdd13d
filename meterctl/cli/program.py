"""The program: common options before or after the command, exit codes, no traceback."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, NoReturn

import click
import typer

from meterctl.cli.arguments import with_settings
from meterctl.cli.options import Options, interrupts
from meterctl.cli.output import OutputError, print_json, result_fragments, say
from meterctl.drivers.table import DRIVERS, MODBUS
from meterctl.errors import MeterctlError, UsageError
from protocols.errors import ProtocolError
from protocols.port_settings import HELP
from protocols.quantities import SECOND, parse_duration

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Read prepaid meters, top them up exactly once, and command their supply. "
    "The options below are accepted before and after COMMAND.",
)
_WITH_VALUE = (
    "--port",
    "--baud",
    "--parity",
    "--protocol",
    "--unit",
    "--keys",
    "--journal",
    "--timeout",
)
INTERRUPTED = 130
"""Exit code of an interrupt before any effect; an interrupt after that has an outcome."""
_FLAGS = ("--json", "--trace", "--yes", "--dry-run", "--development-key")


@app.callback()
def _options(
    context: typer.Context,
    port: Annotated[
        str | None,
        typer.Option(
            envvar="METERCTL_PORT",
            help=f"Device ({HELP}), tcp://host:port, or a URL of pyserial.",
        ),
    ] = None,
    baud: Annotated[str | None, typer.Option(help="Speed of a serial port, as ?baud=.")] = None,
    parity: Annotated[
        str | None, typer.Option(help="N, E or O, of a serial port, as ?parity=.")
    ] = None,
    protocol: Annotated[str, typer.Option(help=f"{', '.join(DRIVERS)}.")] = MODBUS.name,
    unit: Annotated[int, typer.Option(help="Unit number, 1 to 247.")] = 1,
    keys: Annotated[Path | None, typer.Option(help="Key ring of `keys init`.")] = None,
    journal: Annotated[
        Path | None, typer.Option(envvar="METERCTL_JOURNAL", help="Journal file.")
    ] = None,
    timeout: Annotated[str, typer.Option(help="Time-out of one try, such as 500ms.")] = "1s",
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines on stdout.")] = False,
    trace: Annotated[bool, typer.Option(help="Show frames on stderr.")] = False,
    yes: Annotated[bool, typer.Option(help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent; send nothing.")
    ] = False,
    development_key: Annotated[
        bool, typer.Option("--development-key", help="Use the published key anywhere.")
    ] = False,
) -> None:
    if protocol not in DRIVERS:
        raise UsageError(f"--protocol {protocol}: allowed is {', '.join(DRIVERS)}")
    if not 1 <= unit <= 247:
        raise UsageError(f"--unit {unit}: allowed is 1 to 247")
    milliseconds = parse_duration(
        timeout if not timeout.isdigit() else f"{int(timeout) * SECOND}ms"
    )
    if not 0 < milliseconds <= 15 * SECOND:
        raise UsageError(f"--timeout {timeout}: allowed is above 0 and at most 15s")
    context.obj = Options(
        with_settings(port, {"baud": baud, "parity": parity}),
        DRIVERS[protocol],
        unit,
        keys,
        journal,
        milliseconds,
        as_json,
        trace,
        yes,
        dry_run,
        development_key,
    )


_FILES = {
    "reading": ("read", "status", "items"),
    "records": ("purchases", "events"),
    "account": ("topup", "account"),
    "supply": ("switch", "guarantee", "moratorium", "tamper"),
    "limits": ("limits",),
    "clock": ("clock",),
    "keys": ("keys",),
    "journal": ("journal",),
    "card": ("card",),
    "demo": ("demo",),
}
"""Module of this package -> its commands. Only the needed one is imported, to start faster."""


def add_commands(command: str | None) -> None:
    """Add the module of one command to the program; all modules for an unknown command."""
    wanted = [file for file, commands in _FILES.items() if command in commands] or list(_FILES)
    for file in wanted:
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
        elif name in _WITH_VALUE:
            common += (
                [word]
                if "=" in word
                else [word, *([value] if (value := next(words, None)) is not None else [])]
            )
        elif word in _FLAGS:
            common.append(word)
        else:
            rest.append(word)
    return common + rest, next((word for word in rest if not word.startswith("-")), None)


def main() -> None:
    """Run the program; a failure is printed on stderr and gives the exit code."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)
    arguments, command = hoist(sys.argv[1:])
    as_json = "--json" in arguments
    try:
        for number in interrupts():
            signal.signal(number, signal.default_int_handler)
        add_commands(command)
        ended = app(arguments, standalone_mode=False)
        if ended == INTERRUPTED:  # typer returns it for an interrupt
            raise KeyboardInterrupt
        sys.exit(ended if isinstance(ended, int) else 0)
    except MeterctlError as error:
        _fail(f"meterctl: {error}", error.exit_code, as_json, error)
    except ProtocolError as error:
        _fail(f"meterctl: {error}", UsageError.exit_code, as_json)
    except click.exceptions.Exit as stopped:
        sys.exit(stopped.exit_code)
    except click.ClickException as error:
        error.show()
        _end(error.exit_code, as_json, error.format_message())
    except (KeyboardInterrupt, click.Abort):
        _fail("meterctl: interrupted", INTERRUPTED, as_json)
    except OutputError as error:
        if error.is_pipe:
            sys.exit(0)
        _fail(f"meterctl: stdout cannot be written: {error}", UsageError.exit_code, as_json=False)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            text = f"meterctl: {os.strerror(error.errno)}: raise the limit (ulimit -n)"
            _fail(text, UsageError.exit_code, as_json)
        if os.environ.get("METERCTL_TRACEBACK"):
            raise
        text = (
            f"meterctl: internal fault: {type(error).__name__}: {error} "
            f"(METERCTL_TRACEBACK=1 shows where)"
        )
        _fail(text, 1, as_json)


def _fail(text: str, code: int, as_json: bool, error: MeterctlError | None = None) -> NoReturn:
    say(text)
    _end(code, as_json, text.removeprefix("meterctl: "), error)


def _end(code: int, as_json: bool, message: str, error: MeterctlError | None = None) -> NoReturn:
    """Exit with a code; with --json print the result object first, if stdout can be written."""
    if as_json:
        named = (
            (error.outcome, error.serial_number, error.entry)
            if error is not None
            else (None, None, None)
        )
        outcome, serial_number, entry = named
        fragments = result_fragments(
            code, outcome=outcome, serial_number=serial_number, entry=entry, message=message
        )
        with contextlib.suppress(OutputError):
            print_json(fragments)
    sys.exit(code)
