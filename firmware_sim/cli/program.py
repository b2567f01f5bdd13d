"""The commands of meter-sim without a group, and the program around all (DESIGN.md 5.1)."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from firmware_sim.cli import card, scenario
from firmware_sim.cli.options import (
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
from protocols.errors import QuantityError

EXIT_INTERNAL, EXIT_USAGE = 1, 2

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A simulated prepaid electricity meter, exact to the milliwatt-hour and to the cent.",
)
app.add_typer(card.app, name="card")
app.add_typer(scenario.app, name="scenario")

StateFile = Annotated[
    str | None, typer.Option("--state", help="State file; for several meters a directory.")
]
FaultsFile = Annotated[
    str | None, typer.Option("--faults", help="Plan of faults in TOML (docs/faults.md).")
]
SilentUnits = Annotated[
    bool,
    typer.Option(
        "--silent-unknown-units", help="TCP: no reply to unknown units, instead of exception 0B."
    ),
]
TopUps = Annotated[
    list[str] | None, typer.Option("--topup", help="WHEN:AMOUNT, such as 5d:20.00; repeatable.")
]


@app.command()
@with_flags
@with_wires
def run(
    flags: MeterFlags,
    seed: SeedOption = None,
    wires: Wires | None = None,
    control: ControlOption = None,
    state: StateFile = None,
    speed: SpeedOption = "1",
    silent_unknown_units: SilentUnits = False,
    faults: FaultsFile = None,
    as_json: JsonOption = False,
) -> None:
    """Run one or more meters on wires, until SIGINT, SIGTERM or SIGHUP."""
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
    )
    serve(flags, options)


@app.command()
@with_flags
def simulate(
    duration: Annotated[str, typer.Option("--for", help="Duration, such as 30d.")],
    flags: MeterFlags,
    seed: SeedOption = None,
    topup: TopUps = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw credit and power into an SVG file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a meter in virtual time at full speed, without a wire; prints each event."""
    from firmware_sim.programs.simulate import simulate as play
    from protocols.quantities import parse_duration

    play(flags, parse_duration(duration), topup or (), plot, as_json)


@app.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
def control(
    path: Annotated[Path, typer.Argument(help="The control socket of a running meter-sim.")],
    words: Annotated[
        list[str],
        typer.Argument(help="advance 17h, load 3kW, button, card insert FILE, state, ..."),
    ],
    meter: Annotated[
        str | None, typer.Option("--meter", help="Serial number, where there are several.")
    ] = None,
) -> None:
    """Control a running meter (time, load, button, card); returns once the effect is stored."""
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
    answer = ask(path, words, meter)
    if not answer["ok"]:
        print(f"meter-sim control: {answer['error']}", file=sys.stderr)
        raise typer.Exit(int(str(answer["exit"])))
    raw = str(answer["raw"])
    result = raw[raw.index('"result": ') + len('"result": ') : raw.rindex("}")]
    if result != "{}":
        print(result)


@app.command()
def new(
    file: Annotated[
        Path, typer.Argument(help="File to create; an existing file is never overwritten.")
    ],
) -> None:
    """Write a commented example of a meter in TOML."""
    from firmware_sim.programs.new import write_example

    write_example(file)


def main() -> None:
    """Run the program: usage and local faults exit with 2, internal faults with 1."""
    from firmware_sim.meter import MeterStoppedError
    from firmware_sim.rack import UnknownMeterError

    raise_at_signals()
    try:
        app()
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
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
