"""desk point add|edit|show|list|import."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.desk.csv_import import FileArgument, import_file
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_record, print_records
from meterctl.cli.desk.shared_options import ROWS, LimitOption, SeenVersionOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.cli.values import offered
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.typed_text import power, word
from meterctl.utility.services.archive import points
from meterctl.utility.services.archive.imports import ImportKind
from protocols.command_line import Argument, Context, Option, Program

_point = Program("Supply points, each with its number for life (户号).")
_CLASSES = [each.value for each in CustomerClass]
NumberArgument = Annotated[str, Argument(metavar="NUMBER", help="12 digits of the supply point.")]
AddressOption = Annotated[str | None, Option("--address", metavar="TEXT", help="Where it is.")]
ClassOption = Annotated[
    str | None,
    Option(
        "--class",
        metavar="CLASS",
        help=f"Class of its customers: {', '.join(_CLASSES)}.",
        autocompletion=offered(*_CLASSES),
    ),
]
CapacityOption = Annotated[
    str | None, Option("--capacity", metavar="POWER", help="Agreed power, such as 8kW.")
]
BoundaryOption = Annotated[
    str | None,
    Option("--boundary", metavar="TEXT", help="Where the utility's property ends (产权分界)."),
]
RouteOption = Annotated[
    str | None, Option("--route", metavar="CODE", help="Route on which it is read (抄表段).")
]
ReadDayOption = Annotated[
    int | None,
    Option("--read-day", metavar="DAY", help="Day of the month of its billing reading, 1 to 28."),
]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_point, name="point")


@_point.command("add")
def add(
    context: Context,
    address: Annotated[str, Argument(metavar="ADDRESS", help="Where it is.")],
    customer_class: ClassOption = CustomerClass.RESIDENT.value,
    capacity: CapacityOption = "8kW",
    boundary: BoundaryOption = "",
    route: RouteOption = "",
    read_day: ReadDayOption = 1,
    number: Annotated[
        str,
        Option("--number", metavar="NUMBER", help="Its number, if it has one; else one is drawn."),
    ] = "",
) -> None:
    """Add a supply point in the district or station of --node, and draw its number."""
    of_class = word(CustomerClass, customer_class or "", "class")
    capacity_mw = power(capacity or "", "capacity")
    with signed_in(desk_options(context)) as desk:
        node = desk.node()
        wanted = {
            "node": node, "address": address, "class": of_class, "capacity_mw": capacity_mw,
            "boundary": boundary, "route": route, "read_day": read_day, "number": number,
        }  # fmt: skip
        desk.do(
            "point add",
            wanted,
            lambda work: points.add(
                work,
                node=node,
                address=address,
                customer_class=of_class,
                capacity_mw=capacity_mw,
                boundary=boundary or "",
                route=route or "",
                read_day=read_day or 1,
                number=number,
            ),
            lambda done: f"supply point {done['number']} is added in {done['node']}",
        )


@_point.command("edit")
def edit(
    context: Context,
    number: NumberArgument,
    seen: SeenVersionOption,
    address: AddressOption = None,
    customer_class: ClassOption = None,
    capacity: CapacityOption = None,
    boundary: BoundaryOption = None,
    route: RouteOption = None,
    read_day: ReadDayOption = None,
) -> None:
    """Change what is named of a supply point."""
    of_class = None if customer_class is None else word(CustomerClass, customer_class, "class")
    capacity_mw = None if capacity is None else power(capacity, "capacity")
    wanted = {
        "number": number, "version": seen, "address": address, "class": of_class,
        "capacity_mw": capacity_mw, "boundary": boundary, "route": route, "read_day": read_day,
    }  # fmt: skip
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "point edit",
            wanted,
            lambda work: points.edit(
                work,
                number=number,
                version=seen,
                address=address,
                customer_class=of_class,
                capacity_mw=capacity_mw,
                boundary=boundary,
                route=route,
                read_day=read_day,
            ),
            lambda done: f"supply point {done['number']} is changed",
        )


@_point.command("show")
def show(context: Context, number: NumberArgument) -> None:
    """Show a supply point with its meter and its agreements."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        print_record(given, desk.record(points.show(session, desk.actor, number)))


@_point.command("list")
def list_(
    context: Context,
    text: Annotated[
        str | None, Argument(metavar="TEXT", help="A part of the address, or the whole number.")
    ] = None,
    limit: LimitOption = ROWS,
) -> None:
    """List supply points of your nodes, with --node those there and below."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = points.list_(session, desk.actor, given.node, text, limit)
        columns = ("number", "node", "address", "class", "capacity_mw", "route", "meter")
        print_records(given, [desk.record(row) for row in found], columns, ("capacity_mw",))


@_point.command("import")
def import_(context: Context, file: FileArgument) -> None:
    """Add the supply points of a file: columns node, address, class and capacity.

    Columns number, boundary, route and read_day may stand there too.
    """
    import_file(context, file, ImportKind.POINT)
