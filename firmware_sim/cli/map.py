"""meter-sim map: register maps of other meters, shipped ones and files that people write."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from firmware_sim.cli.options import JsonOption
from protocols.command_line import Argument, Exit, Option, Program, examples
from protocols.modbus.named_maps import shipped_names
from protocols.suggestions import one_of

FORMATS = ("table", "markdown", "csv", "json")
ADDRESSES = ("decimal", "hex", "from-1", "reference")

app = Program(
    "Register maps of other meters: which are shipped, what they hold, and files of your own.",
    epilog=examples(
        ("meter-sim map list", "Name the maps that are shipped."),
        ("meter-sim map show sdm630", "Show the registers of one."),
        (
            "meter-sim map new mine.toml --from-csv registers.csv",
            "Make a map of a register list; docs/maps.md goes on from there.",
        ),
        ("meter-sim map check mine.toml", "Name every mistake of a map with its line."),
    ),
)


NamedMap = Annotated[
    str,
    Argument(
        metavar="NAME|FILE",
        help="A shipped map (`meter-sim map list`), or a file: it has a / or ends in .toml.",
        autocompletion=shipped_names,
    ),
]


@app.command("check")
def map_check(
    files: Annotated[
        list[str],
        Argument(metavar="FILE", help="Register maps in TOML (docs/maps.md), or shipped names."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Check register maps; every mistake is told at once with its file and line, then exit 2.

    Warnings name what is allowed and often not meant. They leave the exit code at 0.
    """
    from firmware_sim.programs.maps import check_maps

    if not check_maps(files, as_json):
        raise Exit(2)


@app.command("show")
def map_show(
    named: NamedMap,
    form: Annotated[
        str,
        Option(
            "--format",
            metavar="|".join(FORMATS),
            help="Form of the page; csv can be read by `map new --from-csv`, which takes its items "
            "alone.",
            autocompletion=lambda: list(FORMATS),
        ),
    ] = "table",
) -> None:
    """Show what lies at which address of a register map."""
    from firmware_sim.programs.maps import show_map
    from protocols.errors import QuantityError

    if form not in FORMATS:
        raise QuantityError(f"--format {form}: allowed are {one_of(FORMATS)}")
    show_map(named, form)


@app.command("list")
def map_list(as_json: JsonOption = False) -> None:
    """List the shipped register maps: name, title, registers, and how sure their sources are."""
    from firmware_sim.programs.maps import list_maps

    list_maps(as_json)


@app.command("new")
def map_new(
    file: Annotated[Path, Argument(help="File to create; an existing file is never overwritten.")],
    from_csv: Annotated[
        str | None,
        Option(
            "--from-csv",
            metavar="REGISTERS.csv",
            help="A list of registers with a line that names its columns: address, name, type, "
            "unit, scale, function, access, in many spellings.",
        ),
    ] = None,
    addresses: Annotated[
        str | None,
        Option(
            "--addresses",
            metavar="|".join(ADDRESSES),
            help="How the list writes addresses, where it cannot be seen: wire addresses in "
            "decimal or hexadecimal, numbers from 1, or 30001 and 40001 for address 0.",
            autocompletion=lambda: list(ADDRESSES),
        ),
    ] = None,
) -> None:
    """Write a commented register map, of the registers of a list where one is given.

    Rows of the list that mean no item for sure are written as comments, with the nearest items.
    """
    from firmware_sim.programs.maps import new_map
    from protocols.errors import QuantityError

    if addresses is not None and from_csv is None:
        raise QuantityError("--addresses says how a list writes them: give --from-csv too")
    if addresses is not None and addresses not in ADDRESSES:
        raise QuantityError(f"--addresses {addresses}: allowed are {one_of(ADDRESSES)}")
    new_map(file, from_csv, addresses)
