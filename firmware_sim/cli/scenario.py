"""meter-sim scenario: check scenario files, or play one live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from firmware_sim.cli.options import ControlOption, JsonOption, SpeedOption, with_wires
from firmware_sim.wire_kinds import Wires
from protocols.command_line import Argument, Exit, Option, Program, examples

app = Program(
    "Play scenarios of a meter and check their expectations.",
    epilog=examples(
        ("meter-sim scenario check day.toml", "Play it in virtual time; exit code 3 if it fails."),
        (
            "meter-sim scenario run day.toml --modbus-rtu m1.tty --speed 60",
            "Play it live on a wire, a minute a second.",
        ),
    ),
)


@app.command("check")
def scenario_check(
    files: Annotated[
        list[str], Argument(metavar="FILE", help="Scenarios in TOML (docs/scenarios.md).")
    ],
    junit: Annotated[
        Path | None,
        Option("--junit", metavar="FILE", help="Write the results into this file as JUnit XML."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Play files in virtual time; exit 3 if an expectation did not hold, 2 for a bad file."""
    from firmware_sim.programs.scenarios import check_files

    raise Exit(check_files(files, junit, as_json))


@app.command("run")
@with_wires
def scenario_run(
    file: Annotated[str, Argument(help="A scenario in TOML.")],
    wires: Wires | None = None,
    control: ControlOption = None,
    speed: SpeedOption = "1",
    as_json: JsonOption = False,
) -> None:
    """Play a file live on wires until its end; exit 3 if an expectation did not hold."""
    from firmware_sim.programs.scenarios import EXIT_NOT_HELD, play_live
    from protocols.control import parse_speed

    if not play_live(file, wires or {}, control, parse_speed(speed), as_json).held:
        raise Exit(EXIT_NOT_HELD)
