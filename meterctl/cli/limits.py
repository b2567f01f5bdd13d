"""limits show|set."""

from __future__ import annotations

from typing import Annotated

import typer

from meterctl.cli.options import options
from meterctl.cli.output import item_json, item_text, print_json, print_table
from meterctl.operations.command import plan_command
from meterctl.operations.limits import encode_settings, parse_settings, set_limits
from protocols.data_model.items import SETTINGS
from protocols.sealed_message import MessageKind

_limits = typer.Typer(no_args_is_help=True, help="Thresholds and settings of the purchase agreement.")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_limits, name="limits")


@_limits.command("show")
def show(context: typer.Context) -> None:
    """Show every setting."""
    given = options(context)
    with given.session() as session:
        values = session.driver.read(SETTINGS.values())
    if given.json:
        print_json({item.name: item_json(item, values[item], 0) for item in SETTINGS.values()})
    else:
        rows = [(i.name, item_text(i, values[i], 0), i.meaning) for i in SETTINGS.values()]
        print_table("", ("setting", "value", "meaning"), rows, ("value",))


@_limits.command("set")
def set_(
    context: typer.Context,
    settings: Annotated[list[str], typer.Argument(help="NAME=VALUE, all in one command: all or nothing.")],
) -> None:
    """Set limits; they are read back, after a refusal too."""
    given = options(context)
    wanted = parse_settings(settings)
    with given.session(seals=True) as session:
        meter, message = plan_command(session, MessageKind.LIMITS, encode_settings(wanted))
        asked = " ".join(f"{item.name}={item.kind.text(value)}" for item, value in wanted.items())
        if not given.confirm(f"meter {meter.serial_number}: set {asked}"):
            return
        changes = set_limits(session, meter, message, wanted)
    if given.json:
        print_json({change.item.name: item_json(change.item, change.after, 0) for change in changes})
    else:
        rows = [(c.item.name, item_text(c.item, c.before, 0), item_text(c.item, c.after, 0)) for c in changes]
        print_table("", ("setting", "before", "read back"), rows, ("before", "read back"))
