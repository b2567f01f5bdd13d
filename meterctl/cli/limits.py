"""limits show|set."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.arguments import SUPPLY, PayeeOption, SetBackOption, ValidForOption, valid_for_s
from meterctl.cli.forms import CsvExcelOption, CsvOption, table_form
from meterctl.cli.interruption import carrying_out
from meterctl.cli.options import Options, options
from meterctl.cli.output import (
    item_json,
    item_text,
    print_result,
    print_rows,
    print_table,
    reporting_unprinted,
    say,
)
from meterctl.cli.values import settings as settings_
from meterctl.operations.command import plan_command, rehearse_command
from meterctl.operations.limits import (
    Change,
    encode_settings,
    parse_settings,
    require_settable,
    set_limits,
)
from protocols.command_line import Argument, Context, Program, examples
from protocols.command_line.tables import Table
from protocols.data_model.items import SETTINGS
from protocols.sealed_message import MessageKind

_limits = Program("The purchase agreement: warning and trip levels, trip mode, power limit.")


_EXAMPLES = examples(
    (
        "meterctl --port m1.tty limits set low_credit_threshold_1=10 overdraft_limit=5",
        "Warn below 10.00 and trip at -5.00.",
    ),
    ("meterctl --port m1.tty limits set trip_mode=direct", "Trip without the reminder."),
)


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_limits, name="limits", rich_help_panel=SUPPLY)


@_limits.command("show")
def show(context: Context, as_csv: CsvOption = False, for_excel: CsvExcelOption = False) -> None:
    """Show every setting with its meaning."""
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    with given.session() as session:
        values = session.driver.read(SETTINGS.values())
    record = {item.name: item_json(item, values[item], 0) for item in SETTINGS.values()}
    rows = [(i.name, item_text(i, values[i], 0), i.meaning) for i in SETTINGS.values()]
    print_rows([record], form, Table(("setting", "value", "meaning"), rows, ("value",)))


@_limits.command("set", epilog=_EXAMPLES)
def set_(
    context: Context,
    settings: Annotated[
        list[str],
        Argument(
            metavar="NAME=VALUE...",
            help="Settings and their new values; the meter takes all of them or none. "
            "`meterctl limits show` lists the names.",
            autocompletion=settings_,
        ),
    ],
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    valid_for: ValidForOption = None,
) -> None:
    """Set limits; they are read back, after a refusal too."""
    given = options(context)
    wanted, lives = parse_settings(settings), valid_for_s(valid_for)
    with (
        given.session(seals=True, payee=meter, set_back=set_back) as session,
        given.open_journal() as journal,
    ):
        planned = plan_command(session, journal, MessageKind.LIMITS, encode_settings(wanted), lives)
        serial = planned.meter.serial_number
        require_settable(session.driver, wanted, serial)
        asked = " ".join(f"{item.name}={item.kind.text(value)}" for item, value in wanted.items())
        if given.dry_run:
            rehearse_command(session, journal, planned)
        if not given.confirm(f"meter {serial}: set {asked}", serial):
            return
        with carrying_out(f"meter {serial}", journal, meter=serial):
            changes = set_limits(session, journal, planned, wanted)
    _print_changes(given, changes, serial)


def _print_changes(given: Options, changes: list[Change], serial: str) -> None:
    """Print the settings as they were read back; report where they were not."""
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
        with reporting_unprinted(serial):
            columns = ("setting", "before", "read back")
            print_table(Table(columns, rows, ("before", "read back")))
