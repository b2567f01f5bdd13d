"""Sales over the counter: taken, cancelled, paid out, sold again (UTILITY 4, 5).

`take` commits the decision: payment, receipt, sale, order and entry in one transaction. A worker
carries it out later; after `take` a sale moves by `sale_books.move` alone.
"""

from __future__ import annotations

from typing import Any

from meterctl.utility.errors import NotPermitted
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import (
    Carrier,
    Payment,
    PaymentPurpose,
    Sale,
    Shift,
)
from meterctl.utility.rules.cash_up import require_room as require_room_in_till
from meterctl.utility.rules.law import LOWEST_SALE
from meterctl.utility.rules.postings import AccountKind, cash, paid_for_sale
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.sale_words import require_possible
from meterctl.utility.rules.selling import (
    require_amount,
    require_sale_key,
)
from meterctl.utility.rules.transitions import SaleEvent, ShiftState
from meterctl.utility.services.receipts import Entered, enter_payment
from meterctl.utility.services.sale_checks import answer, check, meter_of, require_meter, write
from meterctl.utility.services.shifts import no_open_shift, own_shift, require_open, till_of
from meterctl.utility.store import sale_books, settings
from meterctl.utility.store.ledger import About
from meterctl.utility.store.queries.sale_places import (
    SalePlace,
    Till,
    hold_for_sale,
    sale_place,
)
from meterctl.utility.store.queries.sales import describe_sale, find_sale, node_of_agreement
from meterctl.utility.store.unit_of_work import UnitOfWork


def take(
    work: UnitOfWork,
    *,
    agreement: str,
    amount: int,
    carrier: Carrier = Carrier.WIRE,
    reader: str | None = None,
) -> dict[str, Any]:
    """Take money for credit: it lies in the till, and the order to the meter waits.

    The request's key is the key of the sale, of its order, and later of the journal's entry.

    Args:
        agreement: number of the agreement.
        amount: 0.01.
        carrier: how it reaches the meter.
        reader: the card's file or reader, of a sale by card.

    Raises:
        Refused: the agreement keeps no credit in a meter or is not active, the meter is stopped,
            a limit of the agreement or of the shift would be passed, or no shift is open.
        Conflict: a sale for the meter lies unused on a card.
        Invalid: the amount is not sold, or no journal takes the key.
    """
    require_sale_key(work.key)
    place = sale_place(work.session, agreement)
    work.actor.require(Action.SELL, place.path)
    meter = require_meter(place)
    lowest = settings.value_on_path(work.session, LOWEST_SALE, place.path, None, work.today)
    require_amount(amount, lowest)
    vendor = work.actor.staff_id or 0
    held = hold_for_sale(work.session, place.agreement_id, vendor, meter)
    if held is None:
        raise no_open_shift()
    require_open(held.till)
    checked = check(work, place, held.state, held.meter, amount)
    paid = _pay(work, held.till, place, amount)
    written = write(work, checked, amount, carrier=carrier, reader=reader, paid=paid, key=work.key)
    _book_paid(work, place.agreement_id, written.id, paid)
    return answer(work, written, checked)


def sell_again(
    work: UnitOfWork,
    *,
    sale: str,
    agreement: str | None = None,
    amount: int | None = None,
    carrier: Carrier = Carrier.WIRE,
    reader: str | None = None,
) -> dict[str, Any]:
    """Let what is owed for a sale pay another one, also to another agreement.

    Args:
        sale: the one that its meter did not get.
        agreement: number of the other agreement; None: the same one.
        amount: of the new sale; None: all that is owed. More is paid in cash to it; what is less
            stays owed, and `refund` pays it out.

    Raises:
        Refused, Conflict, Invalid: as `take`; or nothing is owed for the sale.
    """
    require_sale_key(work.key)
    old = find_sale(work.session, sale)
    work.require(Action.SALE_SELL_AGAIN, node_of_agreement(work.session, old.agreement_id))
    place = _target(work, old, agreement)
    work.actor.require(Action.SALE_SELL_AGAIN, place.path)
    require_possible(f"S{old.id}", old.state, SaleEvent.SELL_AGAIN)
    to_meter = require_meter(place)
    wanted = old.amount if amount is None else amount
    further = wanted - old.amount
    lowest = settings.value_on_path(work.session, LOWEST_SALE, place.path, None, work.today)
    require_amount(wanted, lowest if further > 0 else 1)
    for each in sorted({old.agreement_id, place.agreement_id}):
        work.lock(Agreement, each)
    shift = work.lock(Shift, own_shift(work).id) if further > 0 else None
    for each in sorted({old.meter_id, to_meter}):
        work.lock(Meter, each)
    state = work.lock(Agreement, place.agreement_id).state
    checked = check(work, place, state, meter_of(work.lock(Meter, to_meter)), wanted)
    paid = None if shift is None else _pay(work, till_of(shift), place, further)
    new = write(
        work,
        checked,
        wanted,
        carrier=carrier,
        reader=reader,
        paid=paid,
        key=work.key,
        follows=old.id,
    )
    if paid is not None:
        _book_paid(work, place.agreement_id, new.id, paid)
    follower = work.session.get_one(Sale, new.id)
    sale_books.move(work, old.id, SaleEvent.SELL_AGAIN, follower=follower)
    return {
        **answer(work, new, checked),
        "paid_now": max(0, further),
        "still_owed": max(0, -further),
    }


def cancel(work: UnitOfWork, *, sale: str, reason: str = "") -> dict[str, Any]:
    """Cancel a sale that no worker has begun.

    In its shift the money goes back from the till that took it; when that is closed, the amount is
    owed.

    Raises:
        Refused: a worker has begun it (the meter may have it), or it is ended; or its shift is
            counted.
        NotPermitted: its shift is open and another person's: only that till can give it back.
    """
    found = find_sale(work.session, sale)
    work.require(Action.SALE_CANCEL, node_of_agreement(work.session, found.agreement_id))
    work.lock(Agreement, found.agreement_id)
    event = SaleEvent.CANCEL_LATER
    shift = None if found.shift_id is None else work.lock(Shift, found.shift_id)
    if shift is not None and shift.state is not ShiftState.CLOSED:
        require_open(shift)
        if shift.vendor_id != work.actor.staff_id:
            raise NotPermitted(
                "other_till",
                f"{sale} was paid into shift {shift.number}, which is open: its vendor cancels it; "
                "nothing was changed",
            )
        event = SaleEvent.CANCEL if _was_paid_whole(work, found) else SaleEvent.CANCEL_LATER
    require_possible(f"S{found.id}", found.state, event)
    moved = sale_books.move(work, found.id, event, cause=reason)
    work.session.flush()
    given_back = moved.amount if event is SaleEvent.CANCEL else 0
    return {**describe_sale(work.session, moved.id), "given_back": given_back}


def _target(work: UnitOfWork, old: Sale, agreement: str | None) -> SalePlace:
    """Return where a sale is sold again: the agreement that is named, else its own."""
    if agreement is None:
        agreement = work.session.get_one(Agreement, old.agreement_id).number
    return sale_place(work.session, agreement)


def _pay(work: UnitOfWork, till: Till, place: SalePlace, amount: int) -> Entered:
    """Take cash for a sale into an open till, which is locked, with its receipt.

    Raises:
        Refused: it is not open, or would hold more than its limit.
    """
    require_open(till)
    held = work.ledger.balance(AccountKind.CASH, till.id)
    require_room_in_till(held, amount, till.limit_amount)
    return enter_payment(work, till.id, place.agreement_id, PaymentPurpose.SALE, amount)


def _book_paid(work: UnitOfWork, agreement_id: int, sale_id: int, paid: Entered) -> None:
    """Book the money that was taken for a sale."""
    assert paid.shift_id is not None
    work.ledger.post(
        f"sale/{sale_id}/taken",
        "sale_taken",
        paid_for_sale(cash(paid.shift_id), agreement_id, paid.amount),
        About(agreement_id, sale_id, paid.id),
    )


def _was_paid_whole(work: UnitOfWork, sale: Sale) -> bool:
    """Return whether all of a sale was paid into its till; one that was sold again was not."""
    paid = None if sale.payment_id is None else work.session.get(Payment, sale.payment_id)
    return paid is not None and paid.amount == sale.amount
