"""read, status, items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from meterctl.cli.arguments import LOOK
from meterctl.cli.options import options
from meterctl.cli.output import print_items, print_rows, say, stdout_encoding
from meterctl.cli.tables import Table
from meterctl.cli.values import item_names
from meterctl.drivers import Reader
from meterctl.errors import UsageError
from meterctl.operations.local_time import read_offsets
from protocols.command_line import Argument, Context, Program, examples
from protocols.data_model import items
from protocols.data_model.items import BY_NAME, ITEMS, Item
from protocols.data_model.kinds import Moment
from protocols.data_model.tables import OffsetAt
from protocols.replacements import has
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
    app.command("items", rich_help_panel=LOOK)(list_items)


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
) -> None:
    """Read items; `meterctl items` lists their names.

    It is reported if their values are from several answers of the meter.
    """
    wanted = _items(names or ()) or list(ITEMS)
    _read_and_print(context, wanted)


def status(context: Context) -> None:
    """Show the state of the meter: supply, credit, power, clock."""
    _read_and_print(context, list(STATUS))


def list_items(context: Context) -> None:
    """List every item that a meter shows, with its unit, meaning and DL/T 645 term.

    With --json, `codes` holds the word of each number that a wire carries, of sets that of each
    bit.
    """
    records = [
        {
            "name": _quoted(item.name),
            "unit": _quoted(item.unit),
            "settable": "true" if item.setting else "false",
            "allowed": _quoted(item.allowed) if item.setting else "null",
            "codes": _codes(item),
            "meaning": _quoted(item.meaning),
            "term": _quoted(item.term),
        }
        for item in ITEMS
    ]
    columns = ["item", "unit", "limits", "meaning", "term"]
    rows = [[i.name, i.unit, i.allowed, i.meaning, i.term] for i in ITEMS]
    if not has(stdout_encoding(), "".join(item.term for item in ITEMS)):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    print_rows(records, options(context).json, Table(columns, rows))


def _codes(item: Item) -> str:
    import json

    from protocols.data_model.codes import codes  # no other command needs it

    return json.dumps({str(number): word for number, word in codes(item.kind).items()} or None)


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)


def _items(names: Sequence[str]) -> list[Item]:
    """Return items by name; raises UsageError, which names every unknown one."""
    wrong = [
        f"there is no item {name!r}; {did_you_mean(name, BY_NAME, '`meterctl items` lists them')}"
        for name in names
        if name not in BY_NAME
    ]
    if wrong:
        raise UsageError("\n".join(wrong))
    return [BY_NAME[name] for name in names]


def _read_and_print(context: Context, wanted: list[Item]) -> None:
    given = options(context)
    with given.session() as session:
        values = session.driver.read({*wanted, items.UTC_OFFSET})
        answers = session.driver.answers(wanted)
        offset = _offset_at(session.driver, wanted, values)
    if answers > 1:
        say(
            f"these values are from {answers} answers of the meter and may be of different instants"
        )
    print_items(wanted, values, given.json, offset)


def _offset_at(driver: Reader, shown: list[Item], values: Mapping[Item, Any]) -> int | OffsetAt:
    """Return the offset of the clock, or of each moment where others than the clock are shown."""
    moments = [
        values[item]
        for item in shown
        if isinstance(item.kind, Moment) and item is not items.CLOCK and values[item]
    ]
    if not moments:
        offset: int = values[items.UTC_OFFSET]
        return offset
    clock = [values[items.CLOCK]] if items.CLOCK in shown else []
    return read_offsets(driver, [*moments, *clock]).at
