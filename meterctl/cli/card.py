"""card readers|format|read|history|erase, and the group of all card commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from meterctl.cli.arguments import SELL, SetBackOption
from meterctl.cli.card_options import FileOption, ReaderOption, carry_out, meter_of
from meterctl.cli.card_output import (
    LOG_COLUMNS,
    log_fragments,
    print_card_result,
    print_standing,
    standing_fragments,
)
from meterctl.cli.card_sales import open_, preset, replace, sell, service
from meterctl.cli.forms import CsvExcelOption, CsvOption, table_form
from meterctl.cli.options import Options, options
from meterctl.cli.output import print_rows, say, table_of
from meterctl.errors import UsageError
from protocols.command_line import Context, Option, Program, examples
from protocols.command_line.tables import Table
from protocols.quantities import CENT, format_money

if TYPE_CHECKING:
    pass

_EXAMPLES = examples(
    (
        "meterctl card format --file c.img --card-serial 00000000000000c1",
        "Make a simulated card and write your keys to it.",
    ),
    (
        "meterctl card open --meter 000000000001 --customer 000000000042 --amount 50.00 "
        "--file c.img",
        "Sell the card that opens an account.",
    ),
    ("meterctl card sell 20.00 --file c.img", "Sell credit on a card that its meter has written."),
    ("meterctl card sell --from sales.csv", "Sell many; a second run goes on where one ended."),
    ("meterctl card read --file c.img", "See what the meter wrote back."),
)


def add_to(app: Program) -> None:
    """Add the commands of cards, in the order of their help."""
    group = Program(
        "Prepaid cards: sell credit on them, read what the meter wrote back.",
        epilog=_EXAMPLES,
    )
    group.command("readers")(readers)
    group.command("format")(format_)
    group.command("open")(open_)
    group.command("sell")(sell)
    group.command("replace")(replace)
    group.command("preset")(preset)
    group.command("service")(service)
    group.command("read")(read)
    group.command("history")(history)
    group.command("erase")(erase)
    app.add_typer(group, name="card", rich_help_panel=SELL)


def readers(context: Context, as_csv: CsvOption = False, for_excel: CsvExcelOption = False) -> None:
    """List the PC/SC card readers of this computer."""
    from meterctl.card_readers.pcsc import reader_names

    form = table_form(options(context).json, as_csv, for_excel)
    names = reader_names()
    print_rows(
        [{"reader": json.dumps(name)} for name in names],
        form,
        Table(("reader",), [[name] for name in names]),
        "no reader is connected; a simulated card needs none: --file card.img",
    )


def format_(
    context: Context,
    file: FileOption = None,
    reader: ReaderOption = None,
    card_serial: Annotated[
        str | None,
        Option(
            "--card-serial",
            metavar="HEX",
            help="Serial number of a new card: 16 hexadecimal digits.",
        ),
    ] = None,
    again: Annotated[
        bool,
        Option(
            "--again", help="The card has keys already: write them again, which also unblocks them."
        ),
    ] = False,
) -> None:
    """Write your keys to a blank card; with --file a missing card is created first."""
    from meterctl.card_readers.image import create_image
    from meterctl.operations.card.issuing import plan_format
    from protocols.card.keys import parse_card_serial

    given = options(context)
    serial = parse_card_serial(card_serial) if card_serial is not None else None
    _ring(given, file)
    if file is not None and not file.exists():
        if serial is None:
            raise UsageError(f"card {file}: it does not exist; give --card-serial to create it")
        if given.rehearses(f"create card {serial.hex()} in {file} and write its keys"):
            return
        create_image(file, serial)
    with given.presented(file, reader) as presented, given.open_journal() as journal:
        if serial is not None and presented.selected.serial != serial:
            raise UsageError(
                f"card {presented.serial}: it is not {serial.hex()}; nothing was changed"
            )
        planned = plan_format(presented, journal, again=again)
        if given.rehearses(f"card {presented.serial}: {planned.text}"):
            return
        planned.carry_out()
        print_card_result(given, {"card": f'"{presented.serial}"', "state": '"formatted"'})


def read(
    context: Context,
    file: FileOption = None,
    reader: ReaderOption = None,
    set_back: SetBackOption = False,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
) -> None:
    """Read a card: its sale, and what its meter wrote back; settle the entries this proves."""
    from meterctl.operations.card.case import Case
    from meterctl.operations.card.comparison import hold_against_journal, settle_by_write_back

    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    with given.presented(file, reader) as presented, given.open_journal(looks=True) as journal:
        case = Case(presented, journal, presented.read(), set_back=set_back)
        settled = settle_by_write_back(case)
        last = settled[-1] if settled else None
        print_standing(
            given,
            form,
            standing_fragments(case),
            serial=meter_of(case),
            entry=last.id if last else None,
        )
        for entry in settled:
            say(
                f"journal entry {entry.id} ({format_money(entry.amount * CENT)}) is "
                f"{entry.state.value}"
            )
        hold_against_journal(case)


def history(
    context: Context,
    file: FileOption = None,
    reader: ReaderOption = None,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
) -> None:
    """Show the card's own log: its last 8 sales and insertions, newest first."""
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    with given.presented(file, reader) as presented:
        rows = presented.read_log()
    records = [log_fragments(row) for row in rows]
    table = table_of(records, LOG_COLUMNS, ("sequence", "amount", "available_credit"))
    print_rows(records, form, table, "the card's log is empty")


def erase(
    context: Context,
    file: FileOption = None,
    reader: ReaderOption = None,
    unknown_sale: Annotated[
        bool,
        Option(
            "--unknown-sale",
            help="Erase credit too that another journal sold and no meter has taken.",
        ),
    ] = False,
) -> None:
    """Erase a card; a sale that no meter is proved to have taken stays open in the journal."""
    from meterctl.operations.card.erasure import plan_erasure

    given = options(context)
    with given.presented(file, reader) as presented, given.open_journal() as journal:
        planned = plan_erasure(presented, journal, unknown_sale=unknown_sale)
        touched = carry_out(given, presented.serial, planned)
        if touched is None:
            return
        last = touched[-1] if touched else None
        print_card_result(
            given,
            {"card": f'"{presented.serial}"', "state": '"erased"'},
            serial=last.meter if last else None,
            entry=last.id if last else None,
        )
        for entry in touched:
            say(
                f"journal entry {entry.id} ({format_money(entry.amount * CENT)}, meter "
                f"{entry.meter}) is "
                f"{entry.state.value} ({entry.outcome})"
            )
            if entry.is_open:
                say(
                    f"meterctl --port ... journal resolve {entry.id} asks its meter: "
                    f"accepted, or void and owed"
                )


def _ring(given: Options, file: Path | None) -> None:
    """Check the key ring before anything is created: an error must leave no file."""
    if given.keys is not None or file is None:
        given.ring(seals=False)
