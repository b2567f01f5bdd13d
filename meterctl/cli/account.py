"""topup, account show|open|refund|debt|close."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated

import typer

from meterctl.cli.options import Options, PayeeOption, SaleOption, SetBackOption, options, sale_key
from meterctl.cli.output import (
    item_json,
    item_text,
    print_json,
    print_result,
    print_table,
    receipt_fragments,
    say,
)
from meterctl.errors import MeterctlError, UsageError
from meterctl.journal import Entry, EntryState, Journal
from meterctl.operations.credit import Plan, execute, go_on, plan, rehearse, sale_begun_before
from meterctl.operations.entry_results import Settled
from meterctl.operations.exactly_once import Sale
from meterctl.operations.resolution import identify_for
from meterctl.operations.sealing import on_card_text
from meterctl.operations.status import ask_status, require_payee
from meterctl.operations.withdrawal import Withdrawn, carried_by_cards, withdraw_cards
from meterctl.session import MeterIdentity, Session
from protocols.data_model import items
from protocols.data_model.words import account_unit_text, cause_words
from protocols.errors import QuantityError
from protocols.quantities import CENT, format_money, parse_amount
from protocols.sealed_message import MessageKind

_account = typer.Typer(no_args_is_help=True, help="The account: show, open, refund, debt, close.")
Amount = Annotated[str, typer.Argument(help="In the account unit, such as 50.00.")]
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
    amount: Amount,
    void_card: VoidCardOption = False,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Top up the meter exactly once, whatever the line does."""
    wanted = RequestedTopUp(
        MessageKind.CREDIT, _cents(amount), "top up", sale_key(sale), meter, set_back
    )
    _bring(context, wanted, void_card=void_card)


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
        print_table(
            "",
            ("item", "value"),
            [(i.name, item_text(i, values[i], offset)) for i in SHOWN],
            ("value",),
        )


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
    verb = f"open the account of {customer} with"
    cents = _cents(amount, zero=True)
    wanted = RequestedTopUp(
        MessageKind.OPEN, cents, verb, sale_key(sale), meter, set_back, customer
    )
    _bring(context, wanted, void_card=void_card)


@_account.command("refund")
def refund(
    context: typer.Context,
    amount: Amount,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Take credit back, at most the remaining credit."""
    _bring(
        context,
        RequestedTopUp(
            MessageKind.REFUND, _cents(amount), "refund", sale_key(sale), meter, set_back
        ),
    )


@_account.command("debt")
def debt(
    context: typer.Context,
    amount: Amount,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Enter a debt, to be recovered from top-ups and instalments."""
    _bring(
        context,
        RequestedTopUp(
            MessageKind.DEBT, _cents(amount), "enter a debt of", sale_key(sale), meter, set_back
        ),
    )


@_account.command("close")
def close(
    context: typer.Context,
    sale: SaleOption = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Close the account: the balance becomes the settlement on the receipt; charging stops."""
    _bring(
        context,
        RequestedTopUp(MessageKind.CLOSE, 0, "close the account", sale_key(sale), meter, set_back),
    )


def _cents(text: str, zero: bool = False) -> int:
    try:
        return parse_amount(text, zero=zero)
    except QuantityError as error:
        raise UsageError(f"{error}; nothing was sent") from error


@dataclass(frozen=True, slots=True)
class RequestedTopUp:
    """A requested account operation: amount in 0.01, sale key, and payee as typed."""

    kind: MessageKind
    cents: int
    verb: str
    sale: str
    payee: str | None
    set_back: bool
    customer: str | None = None


def _bring(context: typer.Context, wanted: RequestedTopUp, *, void_card: bool = False) -> None:
    given = options(context)
    with (
        given.open_journal() as journal,
        given.session(seals=True, payee=wanted.payee, set_back=wanted.set_back) as session,
    ):
        if wanted.sale:
            begun = journal.find_reference(wanted.sale)
            hint = identify_for(session, journal, [begun] if begun is not None else [])
            sale = Sale(wanted.kind, wanted.cents, wanted.customer, wanted.sale)
            known = sale_begun_before(session, journal, hint, sale)
            if known is not None:
                require_payee(session, journal, hint.serial_number)
                _go_on(given, session, journal, hint, known)
                return
        carried = carried_by_cards(session, journal, erased_only=not void_card)
        planned = plan(
            session, journal, wanted.kind, wanted.cents, wanted.customer, carried, wanted.sale
        )
        hint = planned.meter
        question = _question(planned, wanted)
        if carried:
            void = ", ".join(on_card_text(entry) for entry in carried)
            question = f"void what was sold on cards: {void}; then {question}"
            if given.dry_run:
                ask_status(session, journal, hint).require_ours()
        elif given.dry_run:
            rehearse(session, journal, planned)
        if not given.confirm(question, hint.serial_number):
            return
        withdrawn = Withdrawn()

        def tell(entry: Entry) -> None:
            withdrawn.entries.append(entry)
            _tell_withdrawn(entry)

        with given.carrying_out(f"meter {hint.serial_number}"):
            try:
                if carried:
                    withdraw_cards(session, journal, erased_only=not void_card, tell=tell)
                    planned = plan(
                        session,
                        journal,
                        wanted.kind,
                        wanted.cents,
                        wanted.customer,
                        reference=wanted.sale,
                    )
                settled = execute(session, journal, planned)
            except MeterctlError as error:
                if withdrawn.owed:
                    voided = format_money(withdrawn.owed * CENT)
                    error.args = (
                        f"{error}. Cards were voided before: {voided} is owed to the customer",
                    )
                raise
        _print_settled(given, settled, hint.utc_offset_minutes, withdrawn)


def _go_on(
    given: Options, session: Session, journal: Journal, hint: MeterIdentity, known: Entry
) -> None:
    """Settle the sale of a known key, or show its result."""
    say(f"sale {known.reference}: it was begun before, as journal entry {known.id}")
    going_on = f"go on with journal entry {known.id}, which is {known.state.value}"
    if (known.is_open or known.is_closed_by_hand) and given.rehearses(going_on, known.meter):
        return
    with given.carrying_out(f"journal entry {known.id}"):
        settled = go_on(session, journal, hint, known)
    _print_settled(given, settled, hint.utc_offset_minutes, Withdrawn())


def _tell_withdrawn(entry: Entry) -> None:
    amount = format_money(entry.amount * CENT)
    taken = entry.state is EntryState.CONFIRMED
    became = "the meter has taken it" if taken else f"it is void, {amount} is owed to the customer"
    say(f"card {entry.card} carried {amount} (journal entry {entry.id}): {became}")


def _question(planned: Plan, wanted: RequestedTopUp) -> str:
    meter = planned.meter
    unit = account_unit_text(meter.account_unit)
    amount = (
        "" if wanted.kind is MessageKind.CLOSE else f" {format_money(wanted.cents * CENT)} {unit}"
    )
    return (
        f"meter {meter.serial_number} (credit {format_money(meter.available_credit)}): "
        f"{wanted.verb}{amount}"
    )


def _print_settled(
    given: Options, settled: Settled, utc_offset_minutes: int, withdrawn: Withdrawn
) -> None:
    entry, receipt, answer = settled.entry, settled.receipt, settled.answer
    fragments = {"id": str(entry.id), "outcome": json.dumps(entry.outcome)}
    if receipt is not None:
        fragments |= receipt_fragments(receipt, utc_offset_minutes)
    else:
        say(
            f"journal entry {entry.id}: it is proved without a receipt, which the meter "
            f"no longer keeps or did not give"
        )
        fragments |= {
            "meter": f'"{entry.meter}"',
            "epoch": items.EPOCH.kind.json(entry.epoch),
            "kind": f'"{entry.kind}"',
            "sequence": str(entry.sequence),
            "amount": format_money(entry.amount * CENT),
        }
    if withdrawn.entries:
        ended = [
            {"id": entry.id, "card": entry.card, "outcome": entry.outcome}
            for entry in withdrawn.entries
        ]
        fragments |= {"withdrawn": json.dumps(ended), "owed": format_money(withdrawn.owed * CENT)}
    if answer is not None:
        fragments |= {
            "supply_state": items.SUPPLY_STATE.kind.json(answer.supply_state),
            "supply_causes": items.SUPPLY_CAUSES.kind.json(answer.causes),
            "amount_to_reconnect": items.AMOUNT_TO_RECONNECT.kind.json(answer.amount_to_reconnect),
        }
    print_result(
        fragments,
        given.json,
        "receipt",
        outcome=entry.outcome,
        serial_number=entry.meter,
        entry=entry.id,
    )
    if answer is not None and answer.causes:
        words = ", ".join(cause_words(answer.causes))
        say(
            f"supply stays {answer.supply_state.name.lower()}: {words}; "
            f"amount_to_reconnect {format_money(answer.amount_to_reconnect)}"
        )
