"""desk port add|edit|show|list|import."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from meterctl.cli.desk.csv_import import FileArgument, absolute, import_file
from meterctl.cli.desk.desk_options import DeskOptions, desk_options
from meterctl.cli.desk.desk_output import print_record, print_records
from meterctl.cli.desk.shared_options import SeenVersionOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.utility.services.archive import ports
from meterctl.utility.services.archive.imports import ImportKind
from protocols.command_line import Argument, Context, Option, Program

_port = Program("Ports on which meters answer, and card readers of vending points.")
NameArgument = Annotated[str, Argument(metavar="NAME", help="Name of the port.")]
_ADDRESS = "Device or address, as meterctl's --port takes it; of a card reader its name or file."
CardReaderOption = Annotated[
    bool, Option("--card-reader", help="It is a card reader of a vending point.")
]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_port, name="port")


def _protocol(given: DeskOptions, card_reader: bool) -> str:
    """Return the protocol of a port: of --protocol and --map, or `card`."""
    if card_reader:
        return ports.CARD_READER
    driver, map_name = given.common.driver.name, given.common.map_name
    return driver if map_name is None else f"{driver}/{map_name}"


@_port.command("add")
def add(
    context: Context,
    name: NameArgument,
    address: Annotated[str, Argument(metavar="ADDRESS", help=_ADDRESS)],
    card_reader: CardReaderOption = False,
) -> None:
    """Add a port of --node; its meters are read by --protocol and --map."""
    given = desk_options(context)
    url = absolute(address, is_card=card_reader, folder=Path())
    protocol = _protocol(given, card_reader)
    with signed_in(given) as desk:
        node = desk.node()
        desk.do(
            "port add",
            {"name": name, "node": node, "url": url, "protocol": protocol},
            lambda work: ports.add(work, name=name, node=node, url=url, protocol=protocol),
            lambda done: f"port {done['name']} is added in {done['node']}",
        )


@_port.command("edit")
def edit(
    context: Context,
    name: NameArgument,
    seen: SeenVersionOption,
    address: Annotated[str | None, Option("--address", metavar="ADDRESS", help=_ADDRESS)] = None,
    card_reader: CardReaderOption = False,
) -> None:
    """Change a port: its address, and its protocol to that of --protocol and --map."""
    given = desk_options(context)
    url = None if address is None else absolute(address, is_card=card_reader, folder=Path())
    protocol = _protocol(given, card_reader)
    with signed_in(given) as desk:
        desk.do(
            "port edit",
            {"name": name, "version": seen, "url": url, "protocol": protocol},
            lambda work: ports.edit(work, name=name, version=seen, url=url, protocol=protocol),
            lambda done: f"port {done['name']} is changed",
        )


@_port.command("show")
def show(context: Context, name: NameArgument) -> None:
    """Show a port with the meters on it."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        print_record(given, desk.record(ports.show(session, desk.actor, name)))


@_port.command("list")
def list_(context: Context) -> None:
    """List all ports."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = ports.list_(session, desk.actor)
        columns = ("name", "node", "url", "protocol", "version")
        print_records(given, [desk.record(row) for row in found], columns, ("version",))


@_port.command("import")
def import_(context: Context, file: FileArgument) -> None:
    """Add the ports of a file: columns name, node and url; protocol where it is not modbus.

    Paths of devices are relative to the folder of the file.
    """

    def with_absolute_path(cells: Mapping[str, str]) -> Mapping[str, str]:
        is_card = cells["protocol"] == ports.CARD_READER
        return {**cells, "url": absolute(cells["url"], is_card=is_card, folder=file.parent)}

    import_file(context, file, ImportKind.PORT, with_absolute_path)
