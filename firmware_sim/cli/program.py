"""The commands of meter-sim without a group, and the program around all (DESIGN.md 5.1)."""

from __future__ import annotations

import errno
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from firmware_sim.cli import card, scenario
from firmware_sim.cli import map as map_commands
from firmware_sim.cli.control_words import ControlCommand, complete_words
from firmware_sim.cli.options import (
    FAULTS,
    METER,
    OUTPUT,
    TIME,
    WIRES,
    ControlOption,
    JsonOption,
    SeedOption,
    SpeedOption,
    with_flags,
    with_wires,
)
from firmware_sim.description.flags import MeterFlags
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.signals import EndedBySignalError, end_by_signal, raise_at_signals
from firmware_sim.wire_kinds import Wires
from protocols.command_line import (
    VERSION,
    Argument,
    Exit,
    Option,
    Program,
    StdoutError,
    UsageMistakeError,
    examples,
    execute,
    exit_codes,
    section_text,
)
from protocols.control import GRAMMAR_ROWS
from protocols.errors import QuantityError
from protocols.modbus.named_maps import shipped_names

EXIT_INTERNAL, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130

NAME = "meter-sim"
_EXAMPLES = examples(
    (
        "meter-sim run --modbus-rtu m1.tty --load 2kW --speed 3600",
        "A meter on a virtual serial port that uses 2 kW; an hour passes in a second.",
    ),
    (
        "meter-sim run --modbus-tcp 127.0.0.1:5020 --control m1.sock --speed 0",
        "A meter on TCP whose time only moves when it is told to.",
    ),
    ("meter-sim control m1.sock advance 17h", "Let 17 hours pass in that meter."),
    ("meter-sim simulate --load household --for 30d", "See a month of a household at once."),
)
app = Program(
    "A simulated prepaid electricity meter, exact to the milliwatt-hour and to the cent.",
    epilog="\n\n".join([_EXAMPLES, exit_codes((0, 1, 2, 3, 130))]),
)
RUN, VIRTUAL, MAKE = "Run a meter", "Try behaviour in virtual time", "Make files"
_RUN = examples(
    (
        "meter-sim run --modbus-rtu m1.tty --load 2kW --speed 3600",
        "On a virtual serial port; `meterctl --port m1.tty status` reads it.",
    ),
    (
        "meter-sim run --modbus-rtu '/dev/ttyUSB0?baud=9600&parity=E' --credit 50.00",
        "On a real serial port.",
    ),
    (
        "meter-sim run --modbus-tcp 127.0.0.1:5020 --control m1.sock --state m1.nv",
        "On TCP, acted on through m1.sock, kept in m1.nv.",
    ),
)
_SIMULATE = examples(
    ("meter-sim simulate --load 2kW --for 2d", "Two days at 2 kW, until the credit is used up."),
    (
        "meter-sim simulate --load household --for 30d --topup 5d:20.00 --plot month.svg",
        "A month of a household with a top-up on day 5, drawn.",
    ),
)
_CONTROL = "\n\n".join(
    [
        examples(
            ("meter-sim control m1.sock advance 17h", "Let 17 hours pass."),
            ("meter-sim control m1.sock load 3kW", "Change what is drawn."),
            ("meter-sim control m1.sock state", "Show every item as JSON."),
        ),
        section_text("What it can do", *GRAMMAR_ROWS),
    ]
)

StateFile = Annotated[
    str | None,
    Option(
        "--state",
        metavar="FILE",
        help="Keep the meter in this file: it goes on from there at the next start. For several "
        "meters a directory.",
        rich_help_panel=METER,
    ),
]
FaultsFile = Annotated[
    str | None,
    Option(
        "--faults",
        metavar="FILE",
        help="Plan of faults of line, replies, storage and meter, in TOML (docs/faults.md).",
        rich_help_panel=FAULTS,
    ),
]
SilentUnits = Annotated[
    bool,
    Option(
        "--silent-unknown-units",
        help="On TCP give no reply for a unit that is not here, instead of exception 0B.",
        rich_help_panel=WIRES,
    ),
]
TopUps = Annotated[
    list[str] | None,
    Option(
        "--topup",
        metavar="WHEN:AMOUNT",
        help="Credit an amount after a time, such as 5d:20.00; repeatable.",
        rich_help_panel=TIME,
    ),
]
Count = Annotated[
    int | None,
    Option(
        "--count",
        metavar="N",
        help="So many meters alike; serial numbers and units count up from the given ones.",
        rich_help_panel=METER,
    ),
]
Maps = Annotated[
    list[str] | None,
    Option(
        "--map",
        metavar="NAME|FILE[@UNIT]",
        help="Register map on Modbus: a shipped one (`meter-sim map list`), or a file whose name "
        "has a / or ends in .toml; for every meter, or with @UNIT for one; repeatable.",
        rich_help_panel=METER,
        show_default="native",
        autocompletion=shipped_names,
    ),
]
Quiet = Annotated[
    bool,
    Option("--quiet", help="Tell no events, only the ready line.", rich_help_panel=OUTPUT),
]


@app.callback()
def _options(_version: Annotated[bool, VERSION] = False) -> None:
    pass


@app.command(rich_help_panel=RUN, epilog=_RUN)
@with_flags
@with_wires
def run(
    flags: MeterFlags,
    maps: Maps = None,
    count: Count = None,
    state: StateFile = None,
    wires: Wires | None = None,
    silent_unknown_units: SilentUnits = False,
    speed: SpeedOption = "1",
    control: ControlOption = None,
    faults: FaultsFile = None,
    seed: SeedOption = None,
    as_json: JsonOption = False,
    quiet: Quiet = False,
) -> None:
    """Run one or more meters on wires until Ctrl-C or a signal ends it; tells events as they fall.

    Events are lines on stderr, with --json objects on stdout after the one that is named ready.
    """
    from firmware_sim.programs.run import RunOptions
    from firmware_sim.programs.run import run as serve
    from protocols.control import parse_speed

    options = RunOptions(
        wires=wires or {},
        control=control,
        state=state,
        speed=parse_speed(speed),
        as_json=as_json,
        silent_unknown_units=silent_unknown_units,
        faults=faults,
        seed=seed,
        quiet=quiet,
    )
    serve(replace(flags, count=count, maps=tuple(maps or ())), options)


@app.command(rich_help_panel=VIRTUAL, epilog=_SIMULATE)
@with_flags
def simulate(
    duration: Annotated[
        str,
        Option(
            "--for",
            metavar="TIME",
            help="How much time passes in the meter, such as 17h or 30d.",
            rich_help_panel=TIME,
        ),
    ],
    flags: MeterFlags,
    topup: TopUps = None,
    seed: SeedOption = None,
    plot: Annotated[
        Path | None,
        Option(
            "--plot",
            metavar="FILE",
            help="Draw credit and power into this SVG file; needs matplotlib.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a meter in virtual time at full speed, without a wire; prints each event."""
    from firmware_sim.programs.simulate import simulate as play
    from protocols.quantities import parse_duration

    play(flags, parse_duration(duration), topup or (), plot, as_json)


@app.command(
    cls=ControlCommand,
    context_settings={"ignore_unknown_options": True},
    rich_help_panel=RUN,
    epilog=_CONTROL,
)
def control(
    path: Annotated[Path, Argument(help="The socket that `meter-sim run --control PATH` made.")],
    words: Annotated[
        list[str],
        Argument(
            metavar="WORD",
            help="What to do, such as advance 17h, button or state; all stand below.",
            autocompletion=complete_words,
        ),
    ],
    meter: Annotated[
        str | None,
        Option(
            "--meter",
            metavar="SERIAL|UNIT",
            help="Serial number or unit of the one meter that is meant; without it: all meters.",
        ),
    ] = None,
) -> None:
    """Control running meters (time, load, button, card); returns once the effect is stored.

    Prints an object a meter where there are several, each with its serial_number and unit.
    """
    from firmware_sim.hosting.control_socket import ask
    from protocols.control import InsertCard, parse_command

    command = parse_command(words)
    if words[0] == "load" and words[1].lower().endswith(".csv"):
        words = ["load", os.path.abspath(words[1])]
    if (
        words[:2] == ["card", "insert"]
        and isinstance(command, InsertCard)
        and command.file is not None
    ):
        words = [os.path.abspath(word) if word == command.file else word for word in words]
    exit_code = 0
    for answer in ask(path, words, meter):
        told = json.loads(answer.result)
        if "warning" in told:
            print(f"meter-sim control: {told['warning']}", file=sys.stderr)
        if answer.result != "{}" and set(told) != {"warning"}:
            print(answer.result)
        if answer.error is not None:
            print(f"meter-sim control: {answer.error}", file=sys.stderr)
            exit_code = exit_code or answer.exit_code
    if exit_code:
        raise Exit(exit_code)


@app.command(rich_help_panel=MAKE)
def new(
    file: Annotated[Path, Argument(help="File to create; an existing file is never overwritten.")],
    serial_number: Annotated[
        str | None,
        Option(
            "--serial-number",
            metavar="12DIGITS",
            help="Serial number of the meter, 000000000001 where it is left out.",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        Option("--unit", metavar="N", help="Unit number on the wires, 1 to 247; 1 by default."),
    ] = None,
) -> None:
    """Write a commented example of a meter in TOML."""
    from firmware_sim.programs.new import write_example

    given = {"serial_number": serial_number, "unit": unit}
    write_example(file, {name: text for name, text in given.items() if text is not None})


app.add_typer(scenario.app, name="scenario", rich_help_panel=VIRTUAL)
app.add_typer(card.app, name="card", rich_help_panel=MAKE)
app.add_typer(map_commands.app, name="map", rich_help_panel=MAKE)


def main() -> None:
    """Run the program: usage and local faults exit with 2, internal faults with 1."""
    from firmware_sim.meter import MeterStoppedError
    from firmware_sim.rack import UnknownMeterError

    raise_at_signals()
    try:
        execute(app, NAME, sys.argv[1:])
    except Exit as ended:
        sys.exit(ended.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except UsageMistakeError as error:
        from protocols.command_line.mistakes import explained

        print(f"{NAME}: {explained(error)}", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    except EndedBySignalError as ended:
        end_by_signal(ended.number)
    except HostingError as error:
        print(f"meter-sim: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (QuantityError, UnknownMeterError) as error:
        print(f"meter-sim: {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    except MeterStoppedError as error:
        print(f"meter-sim: {error}", file=sys.stderr)
        sys.exit(EXIT_INTERNAL)
    except StdoutError as error:
        _discard_stdout()
        print(f"{NAME}: stdout cannot be written: {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    except BrokenPipeError:
        _discard_stdout()
        sys.exit(0)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            print(f"meter-sim: {error.strerror}: raise the limit (ulimit -n)", file=sys.stderr)
            sys.exit(EXIT_USAGE)
        if os.environ.get("METER_SIM_TRACEBACK"):
            raise
        print(
            f"meter-sim: internal fault: {type(error).__name__}: {error} "
            "(set METER_SIM_TRACEBACK=1 to see where)",
            file=sys.stderr,
        )
        sys.exit(EXIT_INTERNAL)


def _discard_stdout() -> None:
    """Discard what stdout did not take: it would fail again when the program ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
