"""clock show|set."""

from __future__ import annotations

import contextlib
from typing import Annotated

from meterctl.cli.arguments import LOOK, PayeeOption, SetBackOption, ValidForOption, valid_for_s
from meterctl.cli.options import options
from meterctl.cli.output import print_result, print_rows, table_of_fields
from meterctl.cli.values import offered
from meterctl.errors import MeterctlError
from meterctl.operations.command import execute_command, plan_command, rehearse_command
from protocols.command_line import Argument, Context, Program
from protocols.data_model import items
from protocols.quantities import format_moment, parse_moment
from protocols.sealed_message import MessageKind, encode_number

_clock = Program("Show or set the clock of the meter.")


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_clock, name="clock", rich_help_panel=LOOK)


@_clock.command("show")
def show(context: Context) -> None:
    """Show the meter's clock beside the host's."""
    given = options(context)
    with given.session() as session:
        values = session.driver.read([items.CLOCK, items.UTC_OFFSET, items.ELAPSED])
        host = session.now() * 1000
    offset = values[items.UTC_OFFSET]
    fragments = {
        "clock": f'"{format_moment(values[items.CLOCK], offset)}"',
        "utc_offset_minutes": str(offset),
        "elapsed_ms": str(values[items.ELAPSED]),
        "host_clock": f'"{format_moment(host, offset)}"',
        "difference_s": str((values[items.CLOCK] - host) // 1000),
    }
    print_rows([fragments], given.json, table_of_fields(fragments, ("value",), heading="item"))


@_clock.command("set")
def set_(
    context: Context,
    moment: Annotated[
        str,
        Argument(
            help="Date and time such as 2026-12-31T18:00, in the meter's local time unless an "
            "offset is given, or `now` for the host's clock.",
            autocompletion=offered("now"),
        ),
    ] = "now",
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    valid_for: ValidForOption = None,
) -> None:
    """Set the meter's clock. Credit is unchanged; charges of skipped days are not made."""
    given = options(context)
    lives = valid_for_s(valid_for)
    with (
        given.open_journal() as journal,
        given.session(seals=True, payee=meter, set_back=set_back) as session,
    ):
        offset = session.driver.read([items.UTC_OFFSET])[items.UTC_OFFSET]
        wanted = session.now() * 1000 if moment == "now" else parse_moment(moment, offset)
        parameters = encode_number(MessageKind.CLOCK, max(wanted, 0))
        planned = plan_command(session, journal, MessageKind.CLOCK, parameters, lives)
        hint = planned.meter
        question = (
            f"meter {hint.serial_number}: set the clock from "
            f"{format_moment(hint.clock, offset)} to "
        )
        if given.dry_run:
            rehearse_command(session, journal, planned)
        if not given.confirm(question + format_moment(wanted, offset), hint.serial_number):
            return
        with given.carrying_out(f"meter {hint.serial_number}"):
            execute_command(session, journal, planned)
        now = wanted
        with contextlib.suppress(MeterctlError):
            now = session.driver.read([items.CLOCK])[items.CLOCK]
    fragments = {
        "old": f'"{format_moment(hint.clock, offset)}"',
        "clock": f'"{format_moment(now, offset)}"',
    }
    print_result(fragments, given.json, serial_number=hint.serial_number)
