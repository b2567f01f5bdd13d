"""Command line of meter-sim: run, simulate and control simulated meters (DESIGN.md 5.1)."""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firmware_sim.hosting.errors import HostingError
from firmware_sim.wire_kinds import WIRE_KINDS, Wires
from protocols.errors import QuantityError

if TYPE_CHECKING:
    from firmware_sim.hosting.descriptions import MeterFlags

EXIT_INTERNAL, EXIT_USAGE = 1, 2

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A simulated prepaid electricity meter, exact to the milliwatt-hour and to the cent.",
)

Config = Annotated[
    list[str] | None, typer.Option("--config", help="Meter in TOML; repeat for several meters.")
]
Unit = Annotated[int | None, typer.Option("--unit", help="Unit number on the wires, 1 to 247.")]
Serial = Annotated[str | None, typer.Option("--serial-number", help="12 digits.")]
Credit = Annotated[
    str | None, typer.Option("--credit", help="Opening balance of a new meter, such as 20.00.")
]
Price = Annotated[
    str | None, typer.Option("--price", help="Price per kWh of a one-rate tariff, such as 0.5283.")
]
TripMode = Annotated[str | None, typer.Option("--trip-mode", help="two_stage, direct or delayed.")]
LoadOption = Annotated[
    str | None, typer.Option("--load", help="2kW, -1.5kW, FILE.csv or household.")
]
Unopened = Annotated[bool, typer.Option("--unopened", help="The account is not open yet.")]
Keys = Annotated[
    str | None, typer.Option("--keys", help="The meter's own keys, from `meterctl keys export`.")
]
Start = Annotated[str | None, typer.Option("--start", help="Where the clock begins, ISO 8601.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of whatever is random.")]
Control = Annotated[str | None, typer.Option("--control", help="Path of the control socket.")]
StateFile = Annotated[
    str | None, typer.Option("--state", help="State file; for several meters a directory.")
]
SpeedOption = Annotated[str, typer.Option("--speed", help="Meter time per wall time, 0 to 100000.")]
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
Json = Annotated[bool, typer.Option("--json", help="JSON Lines on stdout.")]


def with_wires(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each kind of wire, in place of its parameter `wires`."""

    @wraps(command)
    def wrapped(**given: Any) -> None:
        wires = {kind: tuple(given.pop(kind.name) or ()) for kind in WIRE_KINDS}
        command(wires=wires, **given)

    signature = inspect.signature(command, eval_str=True)
    options = [
        inspect.Parameter(
            kind.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[list[str] | None, typer.Option(kind.flag, help=kind.medium.value)],
        )
        for kind in WIRE_KINDS
    ]
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        keyword = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        parameters += options if parameter.name == "wires" else [keyword]
    wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
    return wrapped


@app.command()
@with_wires
def run(
    config: Config = None,
    unit: Unit = None,
    serial_number: Serial = None,
    credit: Credit = None,
    price: Price = None,
    trip_mode: TripMode = None,
    load: LoadOption = None,
    unopened: Unopened = False,
    keys: Keys = None,
    start: Start = None,
    seed: Seed = None,
    wires: Wires | None = None,
    control: Control = None,
    state: StateFile = None,
    speed: SpeedOption = "1",
    silent_unknown_units: SilentUnits = False,
    faults: FaultsFile = None,
    as_json: Json = False,
) -> None:
    """Run one or more meters on wires, until SIGINT or SIGTERM."""
    from firmware_sim.programs.run import RunOptions
    from firmware_sim.programs.run import run as serve
    from protocols.control import parse_speed

    options = RunOptions(
        wires or {},
        control,
        state,
        parse_speed(speed),
        as_json,
        silent_unknown_units,
        faults,
    )
    serve(
        _flags(
            config, unit, serial_number, credit, price, trip_mode, load, unopened, keys, start, seed
        ),
        options,
    )


@app.command()
def simulate(
    duration: Annotated[str, typer.Option("--for", help="Duration, such as 30d.")],
    config: Config = None,
    unit: Unit = None,
    serial_number: Serial = None,
    credit: Credit = None,
    price: Price = None,
    trip_mode: TripMode = None,
    load: LoadOption = None,
    unopened: Unopened = False,
    keys: Keys = None,
    start: Start = None,
    seed: Seed = None,
    topup: TopUps = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw credit and power into an SVG file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate a meter in virtual time at full speed, without a wire; prints each event."""
    from firmware_sim.programs.simulate import simulate as play
    from protocols.quantities import parse_duration

    flags = _flags(
        config, unit, serial_number, credit, price, trip_mode, load, unopened, keys, start, seed
    )
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


_card = typer.Typer(
    no_args_is_help=True, help="Simulated cards in files; sold with `meterctl card`."
)
app.add_typer(_card, name="card")
_TRANSMISSIONS = {"T=0": 0, "T=1": 1}


@_card.command("new")
def card_new(
    file: Annotated[
        Path, typer.Argument(help="File to create; an existing file is never overwritten.")
    ],
    card_serial: Annotated[str, typer.Option("--card-serial", help="16 hexadecimal digits.")],
    transmission: Annotated[str, typer.Option("--transmission", help="T=0 or T=1.")] = "T=1",
) -> None:
    """Make a blank card, as it leaves its factory: `meterctl card format` gives it its keys."""
    from firmware_sim.hosting.cards.card_file import create_blank
    from protocols.card.answer_to_reset import Transmission
    from protocols.card.keys import parse_card_serial

    if transmission not in _TRANSMISSIONS:
        raise QuantityError(f"--transmission {transmission}: allowed are T=0 and T=1")
    create_blank(file, parse_card_serial(card_serial), Transmission(_TRANSMISSIONS[transmission]))


@_card.command("serve")
def card_serve(
    file: Annotated[Path, typer.Argument(help="The card.")],
    reader: Annotated[
        int, typer.Option("--slot", help="Slot of the virtual reader: 0 or 1.", min=0, max=1)
    ] = 0,
    host: Annotated[str, typer.Option("--host", help="Host of pcscd.")] = "127.0.0.1",
    as_json: Json = False,
) -> None:
    """Put a card into the virtual PC/SC reader (vpcd), for any PC/SC program, until interrupted."""
    from firmware_sim.hosting.cards.card_file import open_card
    from firmware_sim.hosting.cards.vpcd import FIRST_PORT, connect, serve

    where = (host, FIRST_PORT + reader)
    with open_card(file) as card, connect(where) as wire:
        serial = card.state.serial.hex()
        told = json.dumps(
            {"event": "ready", "card": serial, "reader": f"Virtual PCD 00 {reader:02d}"}
        )
        plain = f"ready: card {serial} in Virtual PCD 00 {reader:02d}"
        try:
            serve(card, wire, lambda: print(told if as_json else plain, flush=True))
        except KeyboardInterrupt:
            return
    raise HostingError("the virtual reader closed the connection; is pcscd still running?")


_scenario = typer.Typer(
    no_args_is_help=True, help="Play scenarios of a meter and check their expectations."
)
app.add_typer(_scenario, name="scenario")


@_scenario.command("check")
def scenario_check(
    files: Annotated[list[str], typer.Argument(help="Scenarios in TOML (docs/scenarios.md).")],
    junit: Annotated[
        Path | None, typer.Option("--junit", help="Write the results as JUnit XML.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Play files in virtual time; exit 3 if an expectation did not hold, 2 for a bad file."""
    from firmware_sim.programs.scenarios import check_files

    raise typer.Exit(check_files(files, junit, as_json))


@_scenario.command("run")
@with_wires
def scenario_run(
    file: Annotated[str, typer.Argument(help="A scenario in TOML.")],
    wires: Wires | None = None,
    control: Control = None,
    speed: SpeedOption = "1",
    as_json: Json = False,
) -> None:
    """Play a file live on wires until its end; exit 3 if an expectation did not hold."""
    from firmware_sim.programs.scenarios import EXIT_NOT_HELD, play_live
    from protocols.control import parse_speed

    if not play_live(file, wires or {}, control, parse_speed(speed), as_json).held:
        raise typer.Exit(EXIT_NOT_HELD)


@app.command()
def new(
    file: Annotated[
        Path, typer.Argument(help="File to create; an existing file is never overwritten.")
    ],
) -> None:
    """Write a commented example of a meter in TOML."""
    from importlib.resources import files

    try:
        with file.open("x") as out:
            out.write(files("firmware_sim.data").joinpath("meter.toml").read_text())
    except OSError as error:
        raise HostingError(f"{file}: {error.strerror}; nothing was changed") from error


def _flags(
    config: list[str] | None,
    unit: int | None,
    serial_number: str | None,
    credit: str | None,
    price: str | None,
    trip_mode: str | None,
    load: str | None,
    unopened: bool,
    keys: str | None,
    start: str | None,
    seed: int | None,
) -> MeterFlags:
    from firmware_sim.hosting.descriptions import MeterFlags

    return MeterFlags(
        tuple(config or ()),
        unit,
        serial_number,
        credit,
        price,
        trip_mode,
        load,
        unopened,
        keys,
        start,
        seed,
    )


def main() -> None:
    """Run the program: usage and local faults exit with 2, internal faults with 1."""
    from firmware_sim.meter import MeterStoppedError
    from firmware_sim.rack import UnknownMeterError

    try:
        app()
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
        if os.environ.get("METER_SIM_TRACEBACK"):
            raise
        print(
            f"meter-sim: internal fault: {type(error).__name__}: {error} "
            "(set METER_SIM_TRACEBACK=1 to see where)",
            file=sys.stderr,
        )
        sys.exit(EXIT_INTERNAL)
