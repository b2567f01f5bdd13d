"""topup, account show|open|refund|debt|close."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.account_change import RequestedTopUp, change_account
from meterctl.cli.arguments import (
    SELL,
    PayeeOption,
    SaleOption,
    SetBackOption,
    cents_of,
    sale_key,
)
from meterctl.cli.forms import CsvExcelOption, CsvOption, table_form
from meterctl.cli.options import options
from meterctl.cli.output import print_items
from meterctl.operations.exactly_once import Sale
from protocols.command_line import Argument, Context, Option, Program, examples
from protocols.data_model import items
from protocols.sealed_message import MessageKind

_account = Program("Show, open and close the account of a meter; refund, and enter a debt.")
AmountArgument = Annotated[
    str,
    Argument(
        metavar="AMOUNT",
        help="How much, in the meter's account unit (money or kWh), such as 50.00.",
    ),
]
VoidCardOption = Annotated[
    bool,
    Option(
        "--void-card",
        help="Void what was sold to this meter on cards and not used; shows the amount owed.",
    ),
]

SHOWN = (
    items.ACCOUNT_STATE,
    items.CUSTOMER_NUMBER,
    items.ACCOUNT_UNIT,
    items.AVAILABLE_CREDIT_EXACT,
    items.OVERDRAFT,
    items.DEBT,
    items.PURCHASE_COUNT,
    items.CUMULATIVE_PURCHASED,
    items.CREDIT_SEQUENCE,
    items.OPENING_BALANCE,
    items.CREDITED,
    items.REFUNDED,
    items.SETTLED,
    items.CONSUMPTION_CHARGED,
    items.STANDING_CHARGED,
    items.INSTALMENTS_TAKEN,
    items.DEBT_ENTERED,
    items.DEBT_FROM_TOP_UPS,
)


_TOPUP = examples(
    ("meterctl --port m1.tty topup 50.00", "Show the meter and the amount, ask, credit."),
    ("meterctl --port m1.tty topup 50.00 --yes --json", "Answer yes; print the receipt as JSON."),
    (
        "meterctl --port m1.tty topup 50.00 --yes --sale R-1042",
        "Repeat it: R-1042 is sold once.",
    ),
    ("meterctl --port m1.tty topup 50.00 --dry-run", "Show what would be sent."),
)


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.command("topup", rich_help_panel=SELL, epilog=_TOPUP)(topup)
    app.add_typer(_account, name="account", rich_help_panel=SELL)


def topup(
    context: Context,
    amount: AmountArgument,
    void_card: VoidCardOption = False,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Credit the meter exactly once, whatever the line does."""
    wanted = _sale(MessageKind.CREDIT, amount, sale)
    change_account(options(context), RequestedTopUp(wanted, "top up", meter, set_back, void_card))


@_account.command("show")
def show(context: Context, as_csv: CsvOption = False, for_excel: CsvExcelOption = False) -> None:
    """Show the account and its books: what was credited, charged and refunded."""
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    with given.session() as session:
        values = session.driver.read({*SHOWN, items.UTC_OFFSET})
    print_items(SHOWN, values, form, values[items.UTC_OFFSET])


@_account.command("open")
def open_account(
    context: Context,
    amount: Annotated[
        str, Argument(help="First credit, in the account unit; may be 0.00.")
    ] = "0.00",
    customer: Annotated[
        str,
        Option("--customer", metavar="NUMBER", help="Number of the customer who pays, 12 digits."),
    ] = "0" * 12,
    void_card: VoidCardOption = False,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Open the account of a meter that never had one."""
    items.CUSTOMER_NUMBER.kind.parse(customer)
    wanted = _sale(MessageKind.OPEN, amount, sale, customer)
    verb = f"open the account of {customer} with"
    change_account(options(context), RequestedTopUp(wanted, verb, meter, set_back, void_card))


@_account.command("refund")
def refund(
    context: Context,
    amount: AmountArgument,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Take credit back from the meter, at most what remains."""
    wanted = _sale(MessageKind.REFUND, amount, sale)
    change_account(options(context), RequestedTopUp(wanted, "refund", meter, set_back))


@_account.command("debt")
def debt(
    context: Context,
    amount: AmountArgument,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Enter a debt; the meter recovers it from top-ups and daily instalments."""
    wanted = _sale(MessageKind.DEBT, amount, sale)
    change_account(options(context), RequestedTopUp(wanted, "enter a debt of", meter, set_back))


@_account.command("close")
def close(
    context: Context,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Close the account: the receipt shows the balance to settle, and charging stops."""
    wanted = Sale(MessageKind.CLOSE, 0, reference=sale_key(sale))
    change_account(options(context), RequestedTopUp(wanted, "close the account", meter, set_back))


def _sale(kind: MessageKind, amount: str, key: str | None, customer: str | None = None) -> Sale:
    """Return a sale from the texts of a command; only an opening may be of 0.00."""
    cents = cents_of(amount, "nothing was sent", zero=kind is MessageKind.OPEN)
    return Sale(kind, cents, customer, sale_key(key))
