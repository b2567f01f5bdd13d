"""topup, account show|open|refund|debt|close."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from meterctl.cli.options import options, say
from meterctl.cli.output import item_json, item_text, print_json, print_table, receipt_fragments
from meterctl.errors import UsageError
from meterctl.journal import EntryState, Journal
from meterctl.operations.credit import Plan, Withdrawn, carried_by_cards, execute, plan, withdraw_cards
from meterctl.operations.exactly_once import Settled, on_card_text
from meterctl.session import Session
from protocols.data_model import items
from protocols.data_model.words import account_unit_text, cause_words
from protocols.errors import QuantityError
from protocols.quantities import CENT, format_money, parse_amount
from protocols.sealed_message import MessageKind

_account = typer.Typer(no_args_is_help=True, help="The account: show, open, refund, debt, close.")
Amount = Annotated[str, typer.Argument(help="In the account unit, such as 50.00.")]

SHOWN = (
    items.ACCOUNT_STATE, items.CUSTOMER_NUMBER, items.ACCOUNT_UNIT, items.AVAILABLE_CREDIT_EXACT, items.OVERDRAFT,
    items.DEBT, items.PURCHASE_COUNT, items.CUMULATIVE_PURCHASED, items.CREDIT_SEQUENCE, items.OPENING_BALANCE,
    items.CREDITED, items.REFUNDED, items.SETTLED, items.CONSUMPTION_CHARGED, items.STANDING_CHARGED,
    items.INSTALMENTS_TAKEN, items.DEBT_ENTERED, items.DEBT_FROM_TOP_UPS,
)  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("topup")(topup)
    app.add_typer(_account, name="account")


def topup(
    context: typer.Context,
    amount: Amount,
    void_card: Annotated[
        bool, typer.Option("--void-card", help="Void what a card carries for this meter, and say what is owed.")
    ] = False,
) -> None:
    """Top up the meter, exactly once: whatever the line does, the credit is neither lost nor doubled."""
    _bring(context, MessageKind.CREDIT, _cents(amount), "top up", void_card=void_card)


@_account.command("show")
def show(context: typer.Context) -> None:
    """Show the account and its books."""
    given = options(context)
    with given.session() as session:
        values = session.driver.read({*SHOWN, items.UTC_OFFSET})
    offset = values[items.UTC_OFFSET]
    if given.json:
        print_json({item.name: item_json(item, values[item], offset) for item in SHOWN})
    else:
        print_table("", ("item", "value"), [(i.name, item_text(i, values[i], offset)) for i in SHOWN], ("value",))


@_account.command("open")
def open_account(
    context: typer.Context,
    amount: Annotated[str, typer.Argument(help="First credit, may be 0.00.")] = "0.00",
    customer: Annotated[str, typer.Option("--customer", help="Customer number, 12 digits.")] = "0" * 12,
) -> None:
    """Open the account of a meter that never had one."""
    items.CUSTOMER_NUMBER.kind.parse(customer)
    _bring(context, MessageKind.OPEN, _cents(amount, zero=True), f"open the account of {customer} with", customer)


@_account.command("refund")
def refund(context: typer.Context, amount: Amount) -> None:
    """Take credit back, at most what is left."""
    _bring(context, MessageKind.REFUND, _cents(amount), "refund")


@_account.command("debt")
def debt(context: typer.Context, amount: Amount) -> None:
    """Enter a debt, to be recovered from top-ups and instalments."""
    _bring(context, MessageKind.DEBT, _cents(amount), "enter a debt of")


@_account.command("close")
def close(context: typer.Context) -> None:
    """Close the account: the balance goes to the settlement on the receipt; charging stops."""
    _bring(context, MessageKind.CLOSE, 0, "close the account")


def _cents(text: str, zero: bool = False) -> int:
    try:
        return parse_amount(text, zero=zero)
    except QuantityError as error:
        raise UsageError(f"{error}; nothing was sent") from error


def _bring(
    context: typer.Context,
    kind: MessageKind,
    cents: int,
    verb: str,
    customer: str | None = None,
    *,
    void_card: bool = False,
) -> None:
    given = options(context)
    with given.open_journal() as journal, given.session(seals=True) as session:
        carried = carried_by_cards(session, journal, erased_only=not void_card)
        planned = plan(session, journal, kind, cents, customer, carried)
        question = _question(planned, verb, cents, kind)
        if carried:
            void = ", ".join(on_card_text(entry) for entry in carried)
            question = f"void what was sold on cards: {void}; then {question}"
        if not given.confirm(question):
            return
        withdrawn = Withdrawn([])
        with given.carrying_out(f"meter {planned.meter.serial_number}"):
            if carried:
                withdrawn = _withdraw(session, journal, erased_only=not void_card)
                planned = plan(session, journal, kind, cents, customer)
            settled = execute(session, journal, planned)
    _print_settled(settled, planned.meter.utc_offset_minutes, given.json, withdrawn)


def _withdraw(session: Session, journal: Journal, *, erased_only: bool) -> Withdrawn:
    """End what cards carry for the meter, and say what became of it."""
    withdrawn = withdraw_cards(session, journal, erased_only=erased_only)
    for entry in withdrawn.entries:
        amount = format_money(entry.amount * CENT)
        taken = entry.state is EntryState.CONFIRMED
        became = "the meter has taken it" if taken else f"it is void, {amount} is owed to the customer"
        say(f"card {entry.card} carried {amount} (journal entry {entry.id}): {became}")
    return withdrawn


def _question(planned: Plan, verb: str, cents: int, kind: MessageKind) -> str:
    meter = planned.meter
    amount = (
        "" if kind is MessageKind.CLOSE else f" {format_money(cents * CENT)} {account_unit_text(meter.account_unit)}"
    )
    return f"meter {meter.serial_number} (credit {format_money(meter.available_credit)}): {verb}{amount}"


def _print_settled(settled: Settled, utc_offset_minutes: int, as_json: bool, withdrawn: Withdrawn) -> None:
    receipt, answer = settled.receipt, settled.answer
    assert receipt is not None
    fragments = {"id": str(settled.entry.id), "outcome": '"accepted"', **receipt_fragments(receipt, utc_offset_minutes)}
    if withdrawn.entries:
        ended = [{"id": entry.id, "card": entry.card, "outcome": entry.outcome} for entry in withdrawn.entries]
        fragments |= {"withdrawn": json.dumps(ended), "owed": format_money(withdrawn.owed * CENT)}
    if answer is not None:
        fragments |= {
            "supply_state": items.SUPPLY_STATE.kind.json(answer.supply_state),
            "supply_causes": items.SUPPLY_CAUSES.kind.json(answer.causes),
            "amount_to_reconnect": items.AMOUNT_TO_RECONNECT.kind.json(answer.amount_to_reconnect),
        }
    if as_json:
        print_json(fragments)
    else:
        print_table("receipt", ("field", "value"), [(n, v.strip('"')) for n, v in fragments.items()], ("value",))
    if answer is not None and answer.causes:
        words = ", ".join(cause_words(answer.causes))
        say(f"supply stays {answer.supply_state.name.lower()}: {words}; "
            f"amount_to_reconnect {format_money(answer.amount_to_reconnect)}")  # fmt: skip
