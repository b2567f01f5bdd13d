"""card readers|format|open|sell|replace|preset|service|read|history|erase."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from meterctl.cli.card_bulk import sell_bulk
from meterctl.cli.card_output import plain, print_fields, print_sold, standing_fragments
from meterctl.cli.options import (
    Options,
    PayeeOption,
    SaleOption,
    SetBackOption,
    options,
    sale_key,
    serial_number,
    text_of,
)
from meterctl.cli.output import print_json, print_table, say
from meterctl.errors import UsageError
from protocols.data_model import items
from protocols.errors import QuantityError
from protocols.quantities import CENT, format_moment, format_money, parse_amount

if TYPE_CHECKING:
    from meterctl.operations.card_writing import Planned
    from meterctl.operations.presented_card import PresentedCard

_card = typer.Typer(
    no_args_is_help=True, help="Prepaid cards: sell credit on them, read their write-backs."
)
File = Annotated[Path | None, typer.Option("--file", help="A simulated card in a file.")]
Reader = Annotated[str | None, typer.Option("--reader", help="PC/SC reader: start of its name.")]
Meter = Annotated[str, typer.Option("--meter", help="Serial number of the meter, 12 digits.")]
_UNIT = "CNY"
_Result = TypeVar("_Result")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_card, name="card")


@_card.command("readers")
def readers(context: typer.Context) -> None:
    """List PC/SC readers."""
    from meterctl.card_readers.pcsc import reader_names

    names = reader_names()
    if options(context).json:
        for name in names:
            print_json({"reader": json.dumps(name)})
    elif names:
        print_table("", ("reader",), [[name] for name in names])
    else:
        say("no reader is connected; a simulated card needs none: --file card.img")


@_card.command("format")
def format_(
    context: typer.Context,
    file: File = None,
    reader: Reader = None,
    card_serial: Annotated[
        str | None, typer.Option("--card-serial", help="Serial of a new file: 16 hex digits.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Write an issued card's keys again; unblocks them.")
    ] = False,
) -> None:
    """Write the keys of this ring to a blank card; with --file a missing card is created first."""
    from meterctl.card_readers.image import create_image
    from meterctl.operations.card_issuing import plan_format
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
    with given.open_journal() as journal, given.presented(file, reader) as presented:
        if serial is not None and presented.selected.serial != serial:
            raise UsageError(
                f"card {presented.serial}: it is not {serial.hex()}; nothing was changed"
            )
        planned = plan_format(presented, journal, again=again)
        if given.rehearses(f"card {presented.serial}: {planned.text}"):
            return
        planned.carry_out()
        print_fields(given, {"card": f'"{presented.serial}"', "state": '"formatted"'}, changed=True)


@_card.command("open")
def open_(
    context: typer.Context,
    meter: Meter,
    customer: Annotated[str, typer.Option("--customer", help="Customer number, 12 digits.")],
    amount: Annotated[str, typer.Option("--amount", help="First credit, may be 0.00.")] = "0.00",
    account_unit: Annotated[str, typer.Option("--account-unit", help="CNY, EUR, kWh, ...")] = _UNIT,
    again: Annotated[bool, typer.Option("--again", help="The meter has a new storage.")] = False,
    sale: SaleOption = None,
    set_back: SetBackOption = False,
    file: File = None,
    reader: Reader = None,
) -> None:
    """Sell an opening card: it opens the account of a meter that was never read."""
    from meterctl.operations.card_sales import plan_opening

    given = options(context)
    serial, number = (
        str(items.SERIAL_NUMBER.kind.parse(meter)),
        str(items.CUSTOMER_NUMBER.kind.parse(customer)),
    )
    cents, unit, key = (
        _cents(amount, zero=True),
        items.ACCOUNT_UNIT.kind.parse(account_unit),
        sale_key(sale),
    )
    with (
        given.open_journal() as journal,
        given.presented(file, reader, set_back=set_back) as presented,
        given.session_if(meter, set_back) as session,
    ):
        planned = plan_opening(
            presented,
            journal,
            serial,
            number,
            cents,
            unit,
            again=again,
            session=session,
            reference=key,
        )
        sold = _carry_out(given, presented, planned)
        if sold is not None:
            print_sold(given, sold)


@_card.command("sell")
def sell(
    context: typer.Context,
    amount: Annotated[
        str | None, typer.Argument(help="In the account unit, such as 50.00.")
    ] = None,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    bulk: Annotated[
        Path | None,
        typer.Option("--from", help="CSV of sales: sale,file,amount; paths relative to it."),
    ] = None,
    file: File = None,
    reader: Reader = None,
) -> None:
    """Sell credit on a card, or on many with --from sales.csv; a second run continues the first."""
    from meterctl.operations.card_sales import plan_sale

    given = options(context)
    if (amount is None) == (bulk is None):
        raise UsageError("give AMOUNT, or --from FILE; nothing was sold")
    key, payee = sale_key(sale), serial_number(meter)
    if bulk is not None and (sale, file, reader, meter) != (None, None, None, None):
        raise UsageError(
            "--from has keys and cards in its rows: give no --sale, --file, --reader or "
            "--meter; nothing was sold"
        )
    if bulk is not None:
        sell_bulk(given, bulk)
        return
    assert amount is not None
    cents = _cents(amount)
    with (
        given.open_journal() as journal,
        given.presented(file, reader, set_back=set_back) as presented,
        given.session_if(meter, set_back) as session,
    ):
        sold = _carry_out(
            given, presented, plan_sale(presented, journal, cents, session, key, payee)
        )
        if sold is not None:
            print_sold(given, sold)


@_card.command("replace")
def replace(context: typer.Context, meter: Meter, file: File = None, reader: Reader = None) -> None:
    """Replace a customer's lost card: the new one carries its sale, and binds at the meter."""
    from meterctl.operations.card_issuing import plan_replacement

    given = options(context)
    serial = str(items.SERIAL_NUMBER.kind.parse(meter))
    with (
        given.open_journal() as journal,
        given.presented(file, reader) as presented,
        given.session_if(serial) as session,
    ):
        planned = plan_replacement(presented, journal, serial, session)
        if given.dry_run:
            planned.rehearse()
        if not given.confirm(f"card {presented.serial}: {planned.text}", serial):
            return
        with given.carrying_out(f"card {presented.serial}"):
            carried = planned.carry_out()
        opens = carried is not None and carried.kind == "open"
        print_fields(
            given,
            {
                "card": f'"{presented.serial}"',
                "meter": f'"{serial}"',
                "card_type": '"open"' if opens else '"replacement"',
                "amount": format_money(carried.amount * CENT) if carried else "0.00",
            },
            changed=True,
            serial=serial,
            entry=carried.id if carried else None,
        )


@_card.command("preset")
def preset(
    context: typer.Context,
    presets: Annotated[
        Path, typer.Argument(metavar="FILE", help="TOML with [limits] and [tariff].")
    ],
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    file: File = None,
    reader: Reader = None,
) -> None:
    """Write sealed limits and prices to a bound card for the next insertion into its meter."""
    from meterctl.operations.card_issuing import plan_preset
    from meterctl.operations.presets import parse_presets

    given = options(context)
    try:
        text = text_of(presets)
        commands = parse_presets(text)
    except UsageError as error:
        raise UsageError(f"presets {presets}: {error}; nothing was changed") from error
    payee = serial_number(meter)
    with (
        given.open_journal() as journal,
        given.presented(file, reader, set_back=set_back) as presented,
        given.session_if(meter, set_back) as session,
    ):
        planned = plan_preset(presented, journal, commands, session, payee)
        if not given.yes:
            say(text.rstrip())
        sealed = _carry_out(given, presented, planned)
        if sealed is not None:
            print_fields(
                given,
                {
                    "card": f'"{presented.serial}"',
                    "meter": f'"{sealed[0].serial_number}"',
                    "commands": json.dumps([message.kind.word for message in sealed]),
                    "sequences": json.dumps([message.sequence for message in sealed]),
                },
                changed=True,
                serial=sealed[0].serial_number,
            )


@_card.command("service")
def service(context: typer.Context, meter: Meter, file: File = None, reader: Reader = None) -> None:
    """Make a service card, which only brings back the state of a meter."""
    from meterctl.operations.card_issuing import plan_service

    given = options(context)
    serial = str(items.SERIAL_NUMBER.kind.parse(meter))
    with given.open_journal() as journal, given.presented(file, reader) as presented:
        planned = plan_service(presented, journal, serial)
        if given.rehearses(f"card {presented.serial}: {planned.text}"):
            return
        with given.carrying_out(f"card {presented.serial}"):
            planned.carry_out()
        fragments = {
            "card": f'"{presented.serial}"',
            "meter": f'"{serial}"',
            "card_type": '"service"',
        }
        print_fields(given, fragments, changed=True, serial=serial)


@_card.command("read")
def read(
    context: typer.Context,
    file: File = None,
    reader: Reader = None,
    set_back: SetBackOption = False,
) -> None:
    """Read a card, its sale and its meter's write-back; settle the journal entries it proves."""
    given = options(context)
    with (
        given.open_journal() as journal,
        given.presented(file, reader, set_back=set_back) as presented,
    ):
        card_files = presented.read()
        settled = presented.settle(journal, card_files.back) if card_files.back is not None else []
        last = settled[-1] if settled else None
        print_fields(
            given,
            standing_fragments(presented, journal, card_files),
            changed=True,
            serial=card_files.back.meter_digits if card_files.back else None,
            entry=last.id if last else None,
        )
        for entry in settled:
            say(
                f"journal entry {entry.id} ({format_money(entry.amount * CENT)}) is "
                f"{entry.state.value}"
            )
        presented.hold_against(journal, card_files)


@_card.command("history")
def history(context: typer.Context, file: File = None, reader: Reader = None) -> None:
    """Show the card's own log: its last 8 sales and insertions, newest first."""
    from protocols.card.files import CardType, LogActor
    from protocols.data_model.insertion import InsertionError
    from protocols.sealed_message import Outcome

    given = options(context)
    with given.presented(file, reader) as presented:
        rows = presented.read_log()
    shown = []
    for row in rows:
        by_meter = row.actor is LogActor.METER
        error = InsertionError(row.detail) if by_meter and 1 <= row.detail <= 21 else None
        kind = CardType(row.detail).word if not by_meter and 1 <= row.detail <= 5 else None
        outcome = Outcome(row.outcome).name.lower() if 1 <= row.outcome <= 20 else None
        shown.append(
            {
                "at": f'"{format_moment(row.at * 1000)}"',
                "actor": f'"{row.actor.name.lower()}"',
                "card_type": json.dumps(kind),
                "outcome": json.dumps(outcome),
                "error": str(int(error)) if error else "null",
                "error_name": json.dumps(error.word if error else None),
                "sequence": str(row.sequence),
                "amount": format_money(row.amount * CENT),
                "available_credit": format_money(row.credit * CENT) if by_meter else "null",
            }
        )
    if given.json:
        for fields in shown:
            print_json(fields)
    elif shown:
        table = [[plain(value) for value in fields.values()] for fields in shown]
        print_table("", list(shown[0]), table, ("sequence", "amount", "available_credit"))
    else:
        say("the card's log is empty")


@_card.command("erase")
def erase(
    context: typer.Context,
    file: File = None,
    reader: Reader = None,
    unknown_sale: Annotated[
        bool,
        typer.Option(
            "--unknown-sale", help="Also erase unconsumed credit that another journal sold."
        ),
    ] = False,
) -> None:
    """Erase a card; a sale on it without a proving write-back stays open for its meter."""
    from meterctl.operations.card_issuing import plan_erasure

    given = options(context)
    with given.open_journal() as journal, given.presented(file, reader) as presented:
        touched = _carry_out(
            given, presented, plan_erasure(presented, journal, unknown_sale=unknown_sale)
        )
        if touched is None:
            return
        last = touched[-1] if touched else None
        print_fields(
            given,
            {"card": f'"{presented.serial}"', "state": '"erased"'},
            changed=True,
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


# ---- shared by the commands


def _ring(given: Options, file: Path | None) -> None:
    """Check the key ring before anything is created: an error must leave no file."""
    if given.keys is not None or file is None:
        given.ring(seals=False)


def _carry_out(
    given: Options, presented: PresentedCard, planned: Planned[_Result]
) -> _Result | None:
    """Confirm and carry out a plan; None if it is not carried out."""
    if given.dry_run:
        planned.rehearse()
    if not given.confirm(f"card {presented.serial}: {planned.text}"):
        return None
    with given.carrying_out(f"card {presented.serial}"):
        return planned.carry_out()


def _cents(text: str, zero: bool = False) -> int:
    try:
        return parse_amount(text, zero=zero)
    except QuantityError as error:
        raise UsageError(f"{error}; nothing was sold") from error
