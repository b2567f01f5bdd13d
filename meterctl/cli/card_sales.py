"""card open|sell|replace|preset|service: credit and commands on a card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from meterctl.cli.arguments import (
    PayeeOption,
    SaleOption,
    SetBackOption,
    cents_of,
    sale_key,
    serial_number,
    text_of,
)
from meterctl.cli.card_bulk import sell_bulk
from meterctl.cli.card_options import (
    FileOption,
    MeterOption,
    ReaderOption,
    card_case,
    carry_out,
    is_confirmed,
    meter_of,
)
from meterctl.cli.card_output import print_card_result, print_sold
from meterctl.cli.interruption import carrying_out
from meterctl.cli.options import options
from meterctl.cli.output import say
from meterctl.cli.values import offered
from meterctl.errors import UsageError
from protocols.command_line import Argument, Context, Option
from protocols.data_model import items
from protocols.named_files import MAX_TABLES
from protocols.quantities import CENT, format_money


def open_(
    context: Context,
    meter: MeterOption,
    customer: Annotated[
        str,
        Option("--customer", metavar="NUMBER", help="Number of the customer who pays, 12 digits."),
    ],
    amount: Annotated[
        str, Option("--amount", metavar="AMOUNT", help="First credit; may be 0.00.")
    ] = "0.00",
    account_unit: Annotated[
        str,
        Option(
            "--account-unit",
            metavar="UNIT",
            help="Unit of the account: a currency such as CNY or EUR, or kWh.",
            autocompletion=offered("CNY", "EUR", "USD", "kWh"),
        ),
    ] = "CNY",
    again: Annotated[
        bool, Option("--again", help="The meter has a new storage: open its account once more.")
    ] = False,
    sale: SaleOption = None,
    set_back: SetBackOption = False,
    file: FileOption = None,
    reader: ReaderOption = None,
) -> None:
    """Sell an opening card: it opens the account of a meter, which need not be at hand."""
    from meterctl.operations.card.openings import Opening, plan_opening

    given = options(context)
    serial = str(items.SERIAL_NUMBER.kind.parse(meter))
    number = str(items.CUSTOMER_NUMBER.kind.parse(customer))
    cents = cents_of(amount, "nothing was sold", zero=True)
    wanted = Opening(serial, number, cents, items.ACCOUNT_UNIT.kind.parse(account_unit), again)
    key = sale_key(sale)
    with card_case(given, file, reader, payee=serial, reference=key, set_back=set_back) as case:
        sold = carry_out(given, case.serial, plan_opening(case, wanted), serial)
        if sold is not None:
            print_sold(given, sold)


def sell(
    context: Context,
    amount: Annotated[
        str | None,
        Argument(
            metavar="AMOUNT", help="How much, in the account unit, such as 50.00; none with --from."
        ),
    ] = None,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    bulk: Annotated[
        Path | None,
        Option(
            "--from",
            metavar="FILE",
            help="Sell the rows of a CSV with the columns sale,file,amount; the card files "
            "are looked for beside it.",
        ),
    ] = None,
    file: FileOption = None,
    reader: ReaderOption = None,
) -> None:
    """Sell credit on a card, or on many with --from sales.csv; a second run continues the first."""
    from meterctl.operations.card.sales import plan_sale

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
    cents = cents_of(amount, "nothing was sold")
    with card_case(given, file, reader, payee=payee, reference=key, set_back=set_back) as case:
        sold = carry_out(given, case.serial, plan_sale(case, cents), meter_of(case))
        if sold is not None:
            print_sold(given, sold)


def replace(
    context: Context, meter: MeterOption, file: FileOption = None, reader: ReaderOption = None
) -> None:
    """Replace a customer's lost card: the new one carries its sale, and the meter then takes it."""
    from meterctl.operations.card.issuing import plan_replacement

    given = options(context)
    serial = str(items.SERIAL_NUMBER.kind.parse(meter))
    with card_case(given, file, reader, payee=serial, asked_before_reading=serial) as case:
        planned = plan_replacement(case, serial)
        if not is_confirmed(given, case.serial, planned, serial):
            return
        with carrying_out(f"card {case.serial}", meter=serial):
            carried = planned.carry_out()
        opens = carried is not None and carried.kind == "open"
        print_card_result(
            given,
            {
                "card": f'"{case.serial}"',
                "meter": f'"{serial}"',
                "card_type": '"open"' if opens else '"replacement"',
                "amount": format_money(carried.amount * CENT) if carried else "0.00",
            },
            serial=serial,
            entry=carried.id if carried else None,
        )


def preset(
    context: Context,
    presets: Annotated[
        Path, Argument(metavar="FILE", help="TOML file with the tables [limits] and [tariff].")
    ],
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    file: FileOption = None,
    reader: ReaderOption = None,
) -> None:
    """Write limits and prices to a card; its meter takes them when the card is inserted."""
    from meterctl.operations.card.preset_file import parse_presets
    from meterctl.operations.card.presets import plan_preset

    given = options(context)
    try:
        text = text_of(presets, MAX_TABLES)
        commands = parse_presets(text)
    except UsageError as error:
        told = "\n".join(f"presets {presets}: {line}" for line in str(error).splitlines())
        raise UsageError(f"{told}; nothing was changed") from error
    payee = serial_number(meter)
    with card_case(given, file, reader, payee=payee, set_back=set_back) as case:
        planned = plan_preset(case, commands)
        if not given.yes:
            say(text.rstrip())
        sealed = carry_out(given, case.serial, planned, meter_of(case))
        if sealed is not None:
            print_card_result(
                given,
                {
                    "card": f'"{case.serial}"',
                    "meter": f'"{sealed[0].serial_number}"',
                    "commands": json.dumps([message.kind.word for message in sealed]),
                    "sequences": json.dumps([message.sequence for message in sealed]),
                },
                serial=sealed[0].serial_number,
            )


def service(
    context: Context, meter: MeterOption, file: FileOption = None, reader: ReaderOption = None
) -> None:
    """Make a service card: it sells nothing and brings back the state of a meter."""
    from meterctl.operations.card.case import Case
    from meterctl.operations.card.issuing import plan_service

    given = options(context)
    serial = str(items.SERIAL_NUMBER.kind.parse(meter))
    with given.presented(file, reader) as presented, given.open_journal() as journal:
        planned = plan_service(Case.read(presented, journal), serial)
        if given.rehearses(f"card {presented.serial}: {planned.text}", serial):
            return
        with carrying_out(f"card {presented.serial}", meter=serial):
            planned.carry_out()
        fragments = {
            "card": f'"{presented.serial}"',
            "meter": f'"{serial}"',
            "card_type": '"service"',
        }
        print_card_result(given, fragments, serial=serial)
