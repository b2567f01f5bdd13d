"""read, status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from meterctl.cli.arguments import LOOK
from meterctl.cli.forms import CsvExcelOption, CsvOption, TableForm, table_form
from meterctl.cli.options import options
from meterctl.cli.output import print_items, say
from meterctl.cli.values import item_names
from meterctl.drivers import Reader
from meterctl.errors import NotFiniteValuesError, UsageError
from meterctl.operations.local_time import read_offsets
from protocols.command_line import Argument, Context, Program, examples
from protocols.data_model import items
from protocols.data_model.items import BY_NAME, ITEMS, Item
from protocols.data_model.kinds import Moment
from protocols.data_model.tables import OffsetAt
from protocols.suggestions import did_you_mean

STATUS = (
    items.SERIAL_NUMBER,
    items.CLOCK,
    items.SUPPLY_STATE,
    items.SUPPLY_CAUSES,
    items.AVAILABLE_CREDIT,
    items.LOW_CREDIT_WARNING,
    items.AMOUNT_TO_RECONNECT,
    items.ACTIVE_POWER,
    items.ENERGY_IMPORT,
    items.CURRENT_RATE,
    items.CURRENT_PRICE,
    items.ACCOUNT_STATE,
    items.DEBT,
    items.TRIP_PENDING,
    items.GUARANTEE,
    items.MORATORIUM,
    items.STATUS,
    items.SUPPLY_COMMANDED,
    items.SUPPLY_SWITCH,
)


_READ = examples(
    ("meterctl --port m1.tty read", "Read everything that the meter shows."),
    ("meterctl --port m1.tty read available_credit supply_state --json", "For a script."),
)


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.command("status", rich_help_panel=LOOK)(status)
    app.command("read", rich_help_panel=LOOK, epilog=_READ)(read)


def read(
    context: Context,
    names: Annotated[
        list[str] | None,
        Argument(
            metavar="ITEM",
            help="Names of items such as available_credit; without any, all are read.",
            autocompletion=item_names,
        ),
    ] = None,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
) -> None:
    """Read items; `meterctl items` lists their names.

    It is reported if their values are from several answers of the meter. Without an ITEM all are
    read that the meter's map has.
    """
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    wanted = named_items(names or ())
    with given.session() as session:
        wanted = wanted or _held(session.driver, ITEMS)
        if not wanted:
            raise UsageError(f"map {given.map_name} has no item that can be read; nothing was sent")
        found = _read(session.driver, wanted)
    _print(form, wanted, found)


def status(context: Context, as_csv: CsvOption = False, for_excel: CsvExcelOption = False) -> None:
    """Show the state of the meter: supply, credit, power, clock.

    It is told which of it the meter's map does not have; in JSON that is null.
    """
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    with given.session() as session:
        found = _held(session.driver, STATUS)
        missing = [item.name for item in STATUS if item not in found]
        if not found:
            raise UsageError(
                f"map {given.map_name} has nothing of the status; `meterctl read` reads what it "
                f"has. Nothing was sent"
            )
        if missing:
            say(
                f"map {given.map_name} has {len(found)} of the {len(STATUS)} items of the status, "
                f"and no {', '.join(missing)}"
            )
        values = _read(session.driver, found)
    _print(form, STATUS, values)


def named_items(names: Sequence[str]) -> list[Item]:
    """Return items by name; raises UsageError, which names every unknown one."""
    wrong = [
        f"there is no item {name!r}; {did_you_mean(name, BY_NAME, '`meterctl items` lists them')}"
        for name in names
        if name not in BY_NAME
    ]
    if wrong:
        raise UsageError("\n".join(wrong))
    return [BY_NAME[name] for name in names]


def _held(driver: Reader, wanted: Iterable[Item]) -> list[Item]:
    """Return the items that can be read."""
    return [item for item in wanted if driver.holds(item)]


class _Read(NamedTuple):
    """The values of items, the number of answers that they came in, and the offsets of moments.

    `unknown` are items for which the meter has no finite number; they have no value.
    """

    values: Mapping[Item, Any]
    answers: int
    offset: int | OffsetAt
    unknown: frozenset[Item]


def _read(driver: Reader, wanted: Sequence[Item]) -> _Read:
    unknown: frozenset[Item] = frozenset()
    try:
        values = driver.read({*wanted, *_held(driver, [items.UTC_OFFSET])})
    except NotFiniteValuesError as error:
        values, unknown = error.values, error.items
    offset = _offset_at(driver, wanted, values)
    found = {item: values[item] for item in wanted if item not in unknown}
    return _Read(found, driver.answers(wanted), offset, unknown)


def _print(form: TableForm, shown: Sequence[Item], found: _Read) -> None:
    if found.answers > 1:
        say(
            f"these values are from {found.answers} answers of the meter and may be of different "
            f"instants"
        )
    if found.unknown:
        names = ", ".join(sorted(item.name for item in found.unknown))
        say(f"the meter has no finite number (NaN or infinity) for {names}")
    print_items(shown, found.values, form, found.offset, found.unknown)


def _offset_at(driver: Reader, shown: Sequence[Item], values: Mapping[Item, Any]) -> int | OffsetAt:
    """Return the offset of the clock, or of each moment where others than the clock are shown."""
    moments = [
        values[item]
        for item in shown
        if isinstance(item.kind, Moment) and item is not items.CLOCK and values.get(item)
    ]
    if not moments:
        offset: int = values.get(items.UTC_OFFSET) or 0
        return offset
    clock = [values[items.CLOCK]] if items.CLOCK in shown and values.get(items.CLOCK) else []
    return read_offsets(driver, [*moments, *clock]).at
