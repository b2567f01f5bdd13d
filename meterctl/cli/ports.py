"""ports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from meterctl.cli.arguments import LOOK
from meterctl.cli.forms import CsvExcelOption, CsvOption, TableForm, table_form
from meterctl.cli.lists import Columns, Extent, listing_of, print_list
from meterctl.cli.options import options
from meterctl.cli.output import say
from protocols.command_line import Argument, Context, Program, examples

if TYPE_CHECKING:
    from meterctl.transports.local_ports import LocalPort
    from meterctl.transports.port_holders import Machine

_SHOWN = ("port", "description", "stable_name", "held_by", "problem")
_KEYS = (
    "port",
    "stable_name",
    "description",
    "vendor",
    "product",
    "serial_number",
    "driver",
    "held_by",
    "usable",
    "problem",
)
_PORTS = examples(
    ("meterctl ports", "See which port your adapter is, and whether you may use it."),
    ("meterctl ports --json", "For a script: one object for each port."),
)


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("ports", rich_help_panel=LOOK, epilog=_PORTS)(ports)


def ports(
    context: Context,
    paths: Annotated[
        list[str] | None,
        Argument(metavar="PATH", help="Show these ports too, such as a link of meter-sim."),
    ] = None,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
) -> None:
    """List the serial ports of this machine: what each is, who has it open, what is missing.

    Virtual ports of `meter-sim run` are listed where this folder links to them. No port is opened.
    With --json, `stable_name` stays the same when the adapter is plugged in again.
    """
    from meterctl.transports.local_ports import local_ports
    from meterctl.transports.port_holders import Machine

    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    machine = Machine()
    found = local_ports(machine, Path.cwd(), paths or ())
    rows = [fragments(port) for port in found]
    print_list(
        Extent(None, True, form), listing_of(rows), Columns(_SHOWN, (), _KEYS, "-"), _none(machine)
    )
    _tell_none(found, machine, form)


def fragments(port: LocalPort) -> dict[str, str]:
    """Return a port as JSON values."""
    record = {name: getattr(port, name) for name in _KEYS if name != "usable"}
    record["usable"] = port.is_usable
    return {name: json.dumps(record[name], ensure_ascii=False) for name in _KEYS}


def _tell_none(found: Sequence[LocalPort], machine: Machine, form: TableForm) -> None:
    """Say on stderr that there is no port, where programs get an empty list."""
    if not found and form is not TableForm.PEOPLE:
        say(_none(machine))


def _none(machine: Machine) -> str:
    """Return the text of a machine without a port."""
    text = "this machine has no serial port: plug the adapter in, and look again"
    if not any((machine.sys / "class" / "tty").glob("tty[UAS]*")):
        text += "; a container or virtual machine sees only ports that are handed to it"
    return text
