"""desk meter add|edit|install|remove|show|list|import."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.desk.csv_import import FileArgument, import_file
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_record, print_records
from meterctl.cli.desk.shared_options import ROWS, LimitOption, ReasonOption, SeenVersionOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.utility.services.archive import meters
from meterctl.utility.services.archive.imports import ImportKind
from protocols.command_line import Argument, Context, Option, Program

_meter = Program("Meters, their ports, and the supply points at which they are installed.")
SerialArgument = Annotated[
    str, Argument(metavar="SERIAL", help="Serial number of the meter, 12 digits.")
]
PointArgument = Annotated[str, Argument(metavar="POINT", help="Number of the supply point.")]
_COLUMNS = ("serial", "port", "unit", "point", "epoch", "sequence", "stopped", "version")


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_meter, name="meter")


@_meter.command("add")
def add(
    context: Context,
    serial: SerialArgument,
    port: Annotated[
        str, Option("--on", metavar="PORT", help="Name of its port; without one it has no wire.")
    ] = "",
    point: Annotated[
        str, Option("--point", metavar="POINT", help="Install it at this supply point.")
    ] = "",
) -> None:
    """Add a meter; --unit is its number on the port."""
    given = desk_options(context)
    unit = given.common.unit
    with signed_in(given) as desk:
        desk.do(
            "meter add",
            {"serial": serial, "port": port, "unit": unit, "point": point},
            lambda work: meters.add(work, serial=serial, port=port, unit=unit, point=point),
            lambda done: f"meter {done['serial']} is added",
        )


@_meter.command("edit")
def edit(
    context: Context,
    serial: SerialArgument,
    seen: SeenVersionOption,
    port: Annotated[
        str | None,
        Option("--on", metavar="PORT", help="Name of its port; none: it has no wire."),
    ] = None,
) -> None:
    """Change the port of a meter, and its unit there to that of --unit."""
    given = desk_options(context)
    unit = given.common.unit
    with signed_in(given) as desk:
        desk.do(
            "meter edit",
            {"serial": serial, "version": seen, "port": port, "unit": unit},
            lambda work: meters.edit(work, serial=serial, version=seen, port=port, unit=unit),
            lambda done: f"meter {done['serial']} is changed",
        )


@_meter.command("install")
def install(context: Context, serial: SerialArgument, point: PointArgument) -> None:
    """Install a meter at a supply point, from now on."""
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "meter install",
            {"serial": serial, "point": point},
            lambda work: meters.install(work, serial=serial, point=point),
            lambda done: f"meter {done['serial']} is installed at {done['point']}",
        )


@_meter.command("remove")
def remove(context: Context, serial: SerialArgument, reason: ReasonOption) -> None:
    """Take a meter from its supply point, where no agreement is about the point."""
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "meter remove",
            {"serial": serial, "reason": reason},
            lambda work: meters.remove(work, serial=serial, reason=reason),
            lambda done: f"meter {done['serial']} is removed",
        )


@_meter.command("show")
def show(context: Context, serial: SerialArgument) -> None:
    """Show a meter with its port, its supply point and what was proved of it last."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        print_record(given, desk.record(meters.show(session, desk.actor, serial)))


@_meter.command("list")
def list_(context: Context, limit: LimitOption = ROWS) -> None:
    """List meters, with --node those installed there and below."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = meters.list_(session, desk.actor, given.node, limit)
        records = [desk.record(row) for row in found]
        print_records(given, records, _COLUMNS, ("unit", "epoch", "sequence", "version"))


@_meter.command("import")
def import_(context: Context, file: FileArgument) -> None:
    """Add the meters of a file: column serial; port, unit and point if known."""
    import_file(context, file, ImportKind.METER)
