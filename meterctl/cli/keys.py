"""keys init|show|export|retire|advance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from meterctl.cli.arguments import SET_UP, PayeeOption, SetBackOption
from meterctl.cli.forms import CsvExcelOption, CsvOption, table_form
from meterctl.cli.interruption import carrying_out
from meterctl.cli.options import Options, options
from meterctl.cli.output import print_receipt, print_result, print_rows, say, table_of
from meterctl.errors import UsageError
from meterctl.key_ring import create_ring, export_keys, with_retired, write_ring
from protocols.command_line import Argument, Context, Option, Program
from protocols.data_model import items
from protocols.quantities import CENT, format_money, parse_money

_keys = Program("Your keys: the file that seals messages, and the keys of single meters.")
Out = Annotated[
    Path,
    Option(
        "--out",
        metavar="FILE",
        help="File to write, readable by you only; an existing one is never overwritten.",
    ),
]
Meter = Annotated[
    str, Option("--meter", metavar="SERIAL", help="Serial number of the meter, 12 digits.")
]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_keys, name="keys", rich_help_panel=SET_UP)


@_keys.command("init")
def init(
    context: Context,
    out: Out,
    daily_limit: Annotated[
        str | None,
        Option(
            "--daily-limit",
            metavar="AMOUNT",
            help="At most so much is sold a UTC day and journal, such as 5000.00.",
            show_default="no limit",
        ),
    ] = None,
) -> None:
    """Make a file with a new master key. Keep it: without it your meters cannot be topped up."""
    limit = None if daily_limit is None else parse_money(daily_limit) // CENT
    if limit is not None and limit < 0:
        raise UsageError(f"--daily-limit {daily_limit}: allowed is 0.00 and more")
    if options(context).rehearses(f"draw a master into {out}"):
        return
    create_ring(out, limit)
    text = (
        f"key ring {out}: one master, version 1. Keep it: without it no meter of yours can "
        f"be topped up"
    )
    say(text)
    _end(options(context), text)


@_keys.command("show")
def show(
    context: Context,
    meter: Annotated[
        str | None,
        Option(
            "--meter",
            metavar="SERIAL",
            help="Show the check values of the keys of this meter too, 12 digits.",
        ),
    ] = None,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
) -> None:
    """Show the versions of your keys, never the keys; with --meter the check values."""
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    ring = given.ring(seals=False)
    serial = _serial(meter) if meter else None
    rows = []
    for version in sorted(ring.masters):
        limit = "null" if ring.daily_limit is None else format_money(ring.daily_limit * CENT)
        source = f'"{ring.path or "published development key"}"'
        retired = "true" if version in ring.retired else "false"
        row = {"version": str(version), "source": source, "retired": retired, "daily_limit": limit}
        if serial:
            value = items.KEY_CHECK_VALUE.kind.json(ring.meter_keys(serial, version).check_value)
            row |= {
                "meter": f'"{serial}"',
                "serial_number": f'"{serial}"',
                "key_check_value": value,
            }
        rows.append(row)
    shown = [name for name in rows[0] if name != "serial_number"]
    print_rows(rows, form, table_of(rows, shown))


@_keys.command("export")
def export(context: Context, meter: Meter, out: Out) -> None:
    """Write the keys of one meter, for `meter-sim run --keys`."""
    given = options(context)
    if given.keys is None:
        raise UsageError("keys export: give the key ring with --keys FILE")
    ring, serial = given.ring(seals=False), _serial(meter)
    if given.rehearses(f"write the keys of meter {serial} to {out}", serial):
        return
    exported = export_keys(ring, serial, out)
    values = ", ".join(f"version {k.version} check value {k.check_value:06x}" for k in exported)
    text = f"keys of meter {meter} in {out}: {values}"
    say(text)
    _end(given, text, serial)


@_keys.command("retire")
def retire(
    context: Context,
    version: Annotated[
        int, Argument(metavar="VERSION", help="Version of the key to retire, such as 1.")
    ],
) -> None:
    """Retire a version of your keys: it seals nothing any more, and proves nothing."""
    given = options(context)
    if given.keys is None:
        raise UsageError("keys retire: give the key ring with --keys FILE")
    ring = given.ring(seals=False)
    checked = with_retired(ring, version)
    if not given.confirm(f"key ring {given.keys}: retire version {version}"):
        return
    write_ring(checked)
    text = f"key ring {given.keys}: version {version} is retired"
    say(text)
    _end(given, text)


@_keys.command("advance")
def advance(context: Context, meter: PayeeOption = None, set_back: SetBackOption = False) -> None:
    """Let the meter on the port change to the next version of your keys."""
    from meterctl.operations.credit import advance_key_version, rehearse_advance
    from meterctl.operations.status import require_payee

    given = options(context)
    with (
        given.session(seals=True, payee=meter, set_back=set_back) as session,
        given.open_journal() as journal,
    ):
        hint = session.identify()
        serial = hint.serial_number
        require_payee(session, journal, serial)
        if given.dry_run:
            rehearse_advance(session, journal, hint)
        question = f"meter {serial}: advance its key version from {hint.key_version}"
        if not given.confirm(question, serial):
            return
        with carrying_out(f"meter {serial}", journal, meter=serial):
            settled = advance_key_version(session, journal, hint)
    entry = settled.entry
    fragments = {
        "id": str(entry.id),
        "outcome": json.dumps(entry.outcome),
        "meter": f'"{entry.meter}"',
        "sequence": str(entry.sequence),
        "key_version": str(entry.key_version),
    }
    print_receipt(entry, fragments, given.json)


def _end(given: Options, message: str, serial: str | None = None) -> None:
    """Print the result object with --json; the message is on stderr already."""
    print_result({}, given.json, outcome=None, serial_number=serial, message=message)


def _serial(text: str) -> str:
    return str(items.SERIAL_NUMBER.kind.parse(text))
