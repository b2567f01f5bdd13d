"""tariff show|set|check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from meterctl.cli.arguments import (
    SUPPLY,
    PayeeOption,
    SetBackOption,
    ValidForOption,
    text_of,
    valid_for_s,
)
from meterctl.cli.forms import CsvExcelOption, CsvOption, TableForm, table_form
from meterctl.cli.interruption import carrying_out
from meterctl.cli.options import Options, options
from meterctl.cli.output import (
    emit,
    emit_csv,
    item_json,
    print_items,
    print_json,
    print_result,
    print_table,
    reporting_unprinted,
    result_fragments,
    say,
)
from meterctl.cli.tariff_output import (
    CSV_COLUMNS,
    difference_fragments,
    part_fragments,
    print_file,
    print_sets,
    read_back_table,
    say_warnings,
    show_differences,
)
from meterctl.cli.values import offered
from meterctl.drivers import Reader
from meterctl.errors import RefusedError, UsageError
from meterctl.operations.command import rehearse_command
from meterctl.operations.one_meter import of_one_meter
from meterctl.operations.tariff.file import (
    Activation,
    TariffFile,
    parse_moment_of_activation,
    parse_tariff_file,
)
from meterctl.operations.tariff.sets import TariffSets, read_sets
from meterctl.operations.tariff.setting import (
    PartReadBack,
    PlannedTariff,
    asked_text,
    plan_tariff,
    set_tariff,
)
from meterctl.operations.tariff.shown_items import held_items, json_of_items
from meterctl.operations.tariff.values import toml_of
from meterctl.operations.tariff.warnings import activation_warnings, set_warnings, warnings_of
from protocols.command_line import Argument, Context, Option, Program, examples
from protocols.data_model import items
from protocols.errors import QuantityError
from protocols.named_files import MAX_TABLES

_tariff = Program("The tariff: prices, steps, day tables, seasons, holidays.")
_SET_EXAMPLES = examples(
    ("meterctl tariff check tariff.toml", "Read a file in words; no meter is needed."),
    (
        "meterctl --port m1.tty tariff set tariff.toml --activate 2026-07-01",
        "Set it from 1 July, 00:00 local time of the meter.",
    ),
)
_SHOW_EXAMPLES = examples(
    ("meterctl --port m1.tty tariff show", "Show the current and the pending set."),
    (
        "meterctl --port m1.tty tariff show --toml > tariff.toml",
        "Write the current set to a file, to edit it and set it again.",
    ),
)
FileArgument = Annotated[
    Path,
    Argument(metavar="FILE", help="TOML file of a tariff, as those in examples/tariffs."),
]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_tariff, name="tariff", rich_help_panel=SUPPLY)


# ---- show


@_tariff.command("show", epilog=_SHOW_EXAMPLES)
def show(
    context: Context,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
    as_toml: Annotated[
        bool,
        Option("--toml", help="Print the current set as a file for `meterctl tariff set`."),
    ] = False,
) -> None:
    """Show the current and the pending set; over another map, its prices and steps."""
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    if as_toml and form is not TableForm.PEOPLE:
        raise UsageError("give one of --toml, --json, --csv and --csv-excel")
    with given.session() as session:
        driver = session.driver
        with of_one_meter(driver) as meter:
            sets = _sets_shown(meter)
            unit = items.ACCOUNT_UNIT
            shown = None
            if sets is not None and meter.holds(unit):
                shown = meter.read([unit])[unit]
        if sets is None:
            _show_items(driver, form, as_toml=as_toml)
            return
    if as_toml:
        emit(toml_of(sets.current))
    else:
        print_sets(sets, item_json(unit, shown, 0), form)


def _sets_shown(driver: Reader) -> TariffSets | None:
    """Return both sets; None where the map, or the build of the meter, does not show them."""
    if not driver.has_tariff():
        return None
    try:
        return read_sets(driver)
    except RefusedError as error:
        say(f"meterctl: the meter does not show the parts of its tariff ({error}): its items only")
        return None


def _show_items(driver: Reader, form: TableForm, *, as_toml: bool) -> None:
    held = held_items(driver)
    if as_toml:
        raise UsageError(
            "--toml: the meter shows only a part of its tariff here, so no file can be made of it"
        )
    unit, shown = items.ACCOUNT_UNIT, None
    with of_one_meter(driver) as meter:
        values = meter.read(held)
        if form is TableForm.JSON and meter.holds(unit):
            shown = meter.read([unit])[unit]
    if form is TableForm.JSON:
        print_json(
            {
                "account_unit": item_json(unit, shown, 0),
                "current": json_of_items(held, values),
                "pending": "null",
            }
        )
    elif form.is_csv:
        records = (
            {
                **dict.fromkeys(CSV_COLUMNS, "null"),
                "set": '"current"',
                "name": f'"{item.name}"',
                "value": item_json(item, values.get(item), 0),
            }
            for item in held
        )
        emit_csv(records, CSV_COLUMNS, form)
    else:
        print_items(held, values, form, 0)


# ---- check


@_tariff.command("check")
def check(context: Context, file: FileArgument) -> None:
    """Show a tariff file in words, without a meter; every mistake is named with its line."""
    from meterctl.transports.wires import wall_seconds

    given = options(context)
    parsed = _parsed(file)
    now_ms = wall_seconds() * 1000
    warnings = [*activation_warnings(parsed, now_ms), *warnings_of(parsed, now_ms)]
    print_file(file, parsed, warnings, given.json)
    say_warnings(file, warnings)


def _parsed(path: Path, unchanged: str = "") -> TariffFile:
    """Return a tariff file; raises UsageError, a line for each mistake."""
    try:
        return parse_tariff_file(text_of(path, MAX_TABLES))
    except UsageError as error:
        mistakes = str(error).splitlines()
        told = "\n".join(f"tariff {path}: {line}" for line in mistakes)
        raise UsageError(told + unchanged, fields={"mistakes": mistakes}) from error


# ---- set


@_tariff.command("set", epilog=_SET_EXAMPLES)
def set_(
    context: Context,
    file: FileArgument,
    activate: Annotated[
        str | None,
        Option(
            "--activate",
            metavar="MOMENT|now",
            help="When it applies, such as 2026-07-01T00:00, in the meter's local time unless an "
            "offset is given; it goes over `activation` of the file.",
            show_default="activation of the file, else now",
            autocompletion=offered("now"),
        ),
    ] = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    valid_for: ValidForOption = None,
) -> None:
    """Set the parts of the tariff that a file has; they are read back, after a refusal too."""
    given = options(context)
    lives, activation = valid_for_s(valid_for), _activation(activate)
    parsed = _parsed(file, "; nothing was sent")
    with (
        given.session(seals=True, payee=meter, set_back=set_back) as session,
        given.open_journal() as journal,
    ):
        planned = plan_tariff(session, journal, parsed.change(activation), lives)
        serial = planned.serial_number
        say_warnings(file, warnings_of(parsed, session.host_clock_ms()))
        _say_of_meter(planned)
        if not planned.changes:
            _print_unchanged(given, planned)
            return
        show_differences(planned, on_stderr=given.json)
        if given.dry_run:
            rehearse_command(session, journal, planned.command)
        question = f"meter {serial}: set {asked_text(planned)}"
        if given.rehearses(question, serial, last=False):
            _print_planned(given, planned, question)
            return
        given.confirm(question, serial)
        with carrying_out(
            f"meter {serial}", journal, meter=serial, looks="meterctl tariff show shows both sets"
        ):
            found = set_tariff(session, journal, planned)
    _print_read_back(given, planned, found)


def _activation(text: str | None) -> Activation | None:
    """Return the activation of --activate, None without it; raises UsageError."""
    try:
        return None if text is None else parse_moment_of_activation(text)
    except QuantityError as error:
        raise UsageError(f"--activate {text}: {error}, or now; nothing was sent") from error


def _say_of_meter(planned: PlannedTariff) -> None:
    """Warn of what only the meter's sets and clock show."""
    serial = planned.serial_number
    if not planned.has_valid_clock:
        say(
            f"meterctl: meter {serial}: warning: its clock is not valid: no part activates at its "
            f"moment until the clock is set (meterctl clock set)"
        )
    elif past := planned.past():
        say(
            f"meterctl: meter {serial}: the activation of {', '.join(past)} is past on its clock: "
            f"it applies at once"
        )
    for told in set_warnings(planned.last_set()):
        say(f"meterctl: meter {serial}: warning: {told}")


def _print_unchanged(given: Options, planned: PlannedTariff) -> None:
    serial = planned.serial_number
    told = f"meter {serial}: its tariff is so already; nothing was sent"
    say(told)
    if given.json:
        fragments = {**part_fragments(planned, ()), **difference_fragments(planned)}
        print_result(fragments, as_json=True, outcome=None, serial_number=serial, message=told)


def _print_planned(given: Options, planned: PlannedTariff, question: str) -> None:
    """Print the object of a dry run."""
    if given.json:
        result = result_fragments(
            serial_number=planned.serial_number, message=question, planned=True
        )
        fragments = {**part_fragments(planned, ()), **difference_fragments(planned)}
        print_json({**fragments, **result})


def _print_read_back(given: Options, planned: PlannedTariff, found: list[PartReadBack]) -> None:
    """Print the parts as they were read back; report where they were not."""
    serial = planned.serial_number
    unread = "" if found else "the meter accepted it; it did not answer when it was to be read back"
    if unread:
        say(f"meterctl: meter {serial}: {unread}")
    if given.json:
        fragments = {**part_fragments(planned, found), **difference_fragments(planned)}
        print_result(fragments, as_json=True, serial_number=serial, message=unread)
    elif found:
        with reporting_unprinted(serial):
            print_table(read_back_table(planned, found))
