"""topup, account show|open|refund|debt|close."""

from __future__ import annotations

from typing import Annotated

import typer

from meterctl.cli.account_change import RequestedTopUp, change_account
from meterctl.cli.arguments import PayeeOption, SaleOption, SetBackOption, cents_of, sale_key
from meterctl.cli.options import options
from meterctl.cli.output import print_items
from meterctl.operations.exactly_once import Sale
from protocols.data_model import items
from protocols.sealed_message import MessageKind

_account = typer.Typer(no_args_is_help=True, help="The account: show, open, refund, debt, close.")
AmountArgument = Annotated[str, typer.Argument(help="In the account unit, such as 50.00.")]
VoidCardOption = Annotated[
    bool,
    typer.Option(
        "--void-card", help="Void this meter's sales on cards, and report the amount owed."
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


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("topup")(topup)
    app.add_typer(_account, name="account")


def topup(
    context: typer.Context,
    amount: AmountArgument,
    void_card: VoidCardOption = False,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Top up the meter exactly once, whatever the line does."""
    wanted = _sale(MessageKind.CREDIT, amount, sale)
    change_account(options(context), RequestedTopUp(wanted, "top up", meter, set_back, void_card))


@_account.command("show")
def show(context: typer.Context) -> None:
    """Show the account and its books."""
    given = options(context)
    with given.session() as session:
        values = session.driver.read({*SHOWN, items.UTC_OFFSET})
    print_items(SHOWN, values, given.json, values[items.UTC_OFFSET])


@_account.command("open")
def open_account(
    context: typer.Context,
    amount: Annotated[str, typer.Argument(help="First credit, may be 0.00.")] = "0.00",
    customer: Annotated[str, typer.Option("--customer", help="Customer number, 12 digits.")] = "0"
    * 12,
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
    context: typer.Context,
    amount: AmountArgument,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Take credit back, at most the remaining credit."""
    wanted = _sale(MessageKind.REFUND, amount, sale)
    change_account(options(context), RequestedTopUp(wanted, "refund", meter, set_back))


@_account.command("debt")
def debt(
    context: typer.Context,
    amount: AmountArgument,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Enter a debt, to be recovered from top-ups and instalments."""
    wanted = _sale(MessageKind.DEBT, amount, sale)
    change_account(options(context), RequestedTopUp(wanted, "enter a debt of", meter, set_back))


@_account.command("close")
def close(
    context: typer.Context,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Close the account: the balance becomes the settlement on the receipt; charging stops."""
    wanted = Sale(MessageKind.CLOSE, 0, reference=sale_key(sale))
    change_account(options(context), RequestedTopUp(wanted, "close the account", meter, set_back))


def _sale(kind: MessageKind, amount: str, key: str | None, customer: str | None = None) -> Sale:
    """Return a sale from the texts of a command; only an opening may be of 0.00."""
    cents = cents_of(amount, "nothing was sent", zero=kind is MessageKind.OPEN)
    return Sale(kind, cents, customer, sale_key(key))
