"""clock show|set."""

from __future__ import annotations

import contextlib
from typing import Annotated

from meterctl.cli.arguments import LOOK, PayeeOption, SetBackOption, ValidForOption, valid_for_s
from meterctl.cli.forms import CsvExcelOption, CsvOption, table_form
from meterctl.cli.interruption import carrying_out
from meterctl.cli.options import options
from meterctl.cli.output import item_json, print_result, print_rows, table_of_fields
from meterctl.cli.values import offered
from meterctl.drivers import Reader
from meterctl.errors import MeterctlError
from meterctl.journal import Journal
from meterctl.operations.clock_setting import explained, require_settable
from meterctl.operations.command import (
    Command,
    Refusal,
    execute_command,
    plan_command,
    rehearse_command,
)
from meterctl.operations.local_time import read_offsets
from meterctl.session import Session
from protocols.command_line import Argument, Context, Program
from protocols.data_model import items
from protocols.quantities import LocalMoment, format_moment, parse_written_moment
from protocols.sealed_message import MessageKind, encode_clock

_clock = Program("Show or set the clock of the meter.")


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_clock, name="clock", rich_help_panel=LOOK)


@_clock.command("show")
def show(context: Context, as_csv: CsvOption = False, for_excel: CsvExcelOption = False) -> None:
    """Show the meter's clock beside the host's, in UTC where the meter shows no offset."""
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    with given.session() as session:
        driver = session.driver
        beside = [item for item in (items.UTC_OFFSET, items.ELAPSED) if driver.holds(item)]
        before = session.host_clock_ms()
        values = driver.read([items.CLOCK, *beside])
        host = (before + session.host_clock_ms()) // 2
    offset = values.get(items.UTC_OFFSET, 0)
    fragments = {
        "clock": f'"{format_moment(values[items.CLOCK], offset)}"',
        **{i.name: item_json(i, values.get(i), 0) for i in (items.UTC_OFFSET, items.ELAPSED)},
        "host_clock": f'"{format_moment(host, offset)}"',
        "difference_s": str(nearest_s(values[items.CLOCK] - host)),
    }
    print_rows([fragments], form, table_of_fields(fragments, ("value",), heading="item"))


def nearest_s(difference_ms: int) -> int:
    """Return the nearest second; half a second counts as one, forwards and backwards."""
    seconds = (abs(difference_ms) + 500) // 1000
    return seconds if difference_ms > 0 else -seconds


@_clock.command("set")
def set_(
    context: Context,
    moment: Annotated[
        str,
        Argument(
            help="Date and time such as 2026-12-31T18:00, in the meter's local time at that "
            "moment unless an offset is given, or `now` for the host's clock.",
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
    written = None if moment == "now" else parse_written_moment(moment)
    if written is not None:
        require_settable(written)
    with (
        given.session(seals=True, payee=meter, set_back=set_back) as session,
        given.open_journal() as journal,
    ):
        wanted = session.host_clock_ms() if written is None else written
        planned = plan_command(session, journal, MessageKind.CLOCK, encode_clock(wanted), lives)
        hint = planned.meter
        serial = hint.serial_number
        old = format_moment(hint.clock, hint.utc_offset_minutes)
        if given.dry_run:
            rehearse_command(session, journal, planned)
        question = f"meter {serial}: set the clock from {old} to "
        if not given.confirm(question + _shown(session.driver, wanted), serial):
            return
        with carrying_out(f"meter {serial}", journal, meter=serial):
            _execute(session, journal, planned, wanted)
        new = _shown(session.driver, wanted)
        with contextlib.suppress(MeterctlError):
            values = session.driver.read([items.CLOCK, items.UTC_OFFSET])
            new = format_moment(values[items.CLOCK], values[items.UTC_OFFSET])
    fragments = {"old": f'"{old}"', "clock": f'"{new}"'}
    print_result(fragments, given.json, serial_number=serial)


def _shown(driver: Reader, moment: int | LocalMoment) -> str:
    """Return a moment as text: an instant with the meter's offset then, or local time."""
    if isinstance(moment, LocalMoment):
        return f"{moment} local time"
    try:
        return format_moment(moment, read_offsets(driver, [moment]).at(moment))
    except MeterctlError:
        return format_moment(moment)


def _execute(
    session: Session, journal: Journal, planned: Command, wanted: int | LocalMoment
) -> None:
    """Execute the command; a refusal of local time says why that can be."""
    try:
        execute_command(session, journal, planned)
    except Refusal as refusal:
        raise explained(refusal, wanted) from refusal
