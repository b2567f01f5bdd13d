"""keys init|show|export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterctl.cli.options import options, say
from meterctl.cli.output import print_json, print_table
from meterctl.errors import UsageError
from meterctl.key_ring import create_ring, export_keys
from protocols.data_model import items
from protocols.quantities import CENT, format_money, parse_money

_keys = typer.Typer(no_args_is_help=True, help="Masters of this host, and the keys of one meter.")
Out = Annotated[Path, typer.Option("--out", help="New file, mode 600; an existing one is never overwritten.")]
Meter = Annotated[str, typer.Option("--meter", help="Serial number, 12 digits.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_keys, name="keys")


@_keys.command("init")
def init(
    context: typer.Context,
    out: Out,
    daily_limit: Annotated[
        str | None,
        typer.Option(
            "--daily-limit",
            help="What may be sold with it in a day of UTC and one journal, such as 5000.00; 0.00 is nothing.",
        ),
    ] = None,
) -> None:
    """Draw a new master into a key ring."""
    limit = None if daily_limit is None else parse_money(daily_limit) // CENT
    if limit is not None and limit < 0:
        raise UsageError(f"--daily-limit {daily_limit}: allowed is 0.00 and more")
    if options(context).rehearses(f"draw a master into {out}"):
        return
    create_ring(out, limit)
    say(f"key ring {out}: one master, version 1. Keep it: without it no meter of yours can be topped up")


@_keys.command("show")
def show(
    context: typer.Context,
    meter: Annotated[str | None, typer.Option("--meter", help="Show the check values for this meter too.")] = None,
) -> None:
    """Show which masters the ring has, never the keys; with --meter the check values to compare."""
    given = options(context)
    ring = given.ring(seals=False)
    serial = _serial(meter) if meter else None
    rows = []
    for version in sorted(ring.masters):
        limit = "null" if ring.daily_limit is None else format_money(ring.daily_limit * CENT)
        source = f'"{ring.path or "published development key"}"'
        row = {"version": str(version), "source": source, "daily_limit": limit}
        if serial:
            value = items.KEY_CHECK_VALUE.kind.json(ring.meter_keys(serial, version).check_value)
            row |= {"meter": f'"{serial}"', "key_check_value": value}
        rows.append(row)
    if given.json:
        for row in rows:
            print_json(row)
    else:
        print_table(
            "", list(rows[0]), [[value.strip('"').replace("null", "-") for value in row.values()] for row in rows]
        )


@_keys.command("export")
def export(context: typer.Context, meter: Meter, out: Out) -> None:
    """Write one meter's own keys, derived, for `meter-sim run --keys`."""
    given = options(context)
    if given.keys is None:
        raise UsageError("keys export: give the key ring with --keys FILE")
    ring, serial = given.ring(seals=False), _serial(meter)
    if given.rehearses(f"write the keys of meter {serial} to {out}"):
        return
    exported = export_keys(ring, serial, out)
    values = ", ".join(f"version {k.version} check value {k.check_value:06x}" for k in exported)
    say(f"keys of meter {meter} in {out}: {values}")


def _serial(text: str) -> str:
    return str(items.SERIAL_NUMBER.kind.parse(text))
