"""limits show|set."""

from __future__ import annotations

from typing import Annotated

import typer

from meterctl.cli.options import PayeeOption, SetBackOption, ValidForOption, options, valid_for_s
from meterctl.cli.output import (
    OutputError,
    item_json,
    item_text,
    print_json,
    print_result,
    print_table,
    say,
)
from meterctl.operations.command import plan_command, rehearse_command
from meterctl.operations.limits import encode_settings, parse_settings, set_limits
from protocols.data_model.items import SETTINGS
from protocols.sealed_message import MessageKind

_limits = typer.Typer(
    no_args_is_help=True, help="Thresholds and settings of the purchase agreement."
)


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
    settings: Annotated[
        list[str], typer.Argument(help="NAME=VALUE, all in one command: all or nothing.")
    ],
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    valid_for: ValidForOption = None,
) -> None:
    """Set limits; they are read back, after a refusal too."""
    given = options(context)
    wanted, lives = parse_settings(settings), valid_for_s(valid_for)
    with (
        given.open_journal() as journal,
        given.session(seals=True, payee=meter, set_back=set_back) as session,
    ):
        planned = plan_command(session, journal, MessageKind.LIMITS, encode_settings(wanted), lives)
        serial = planned.meter.serial_number
        asked = " ".join(f"{item.name}={item.kind.text(value)}" for item, value in wanted.items())
        if given.dry_run:
            rehearse_command(session, journal, planned)
        if not given.confirm(f"meter {serial}: set {asked}", serial):
            return
        with given.carrying_out(f"meter {serial}"):
            changes = set_limits(session, journal, planned, wanted)
    unread = (
        ""
        if changes
        else "the meter accepted them; it did not answer when they were to be read back"
    )
    if unread:
        say(f"meterctl: meter {serial}: {unread}")
    if given.json:
        values = {change.item.name: item_json(change.item, change.after, 0) for change in changes}
        print_result(values, as_json=True, serial_number=serial, message=unread)
    elif changes:
        rows = [
            (c.item.name, item_text(c.item, c.before, 0), item_text(c.item, c.after, 0))
            for c in changes
        ]
        try:
            print_table("", ("setting", "before", "read back"), rows, ("before", "read back"))
        except OutputError as error:
            say(
                f"meterctl: it was done on meter {serial}, but the result cannot be "
                f"printed: {error}"
            )
