"""Money that goes back to a customer: a dead sale, the rest of an advance, credit of a meter.

An accountant decides it. It is paid from the accountant's own till, from the open till that is
named (its vendor hands the money over, and the audit names both), or by the bank. Above the limit
of `rules.rights` it is proposed, and paid in the moment in which another person approves it.
"""

from __future__ import annotations

from typing import Any

from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.money import Payment, PaymentChannel, PaymentPurpose, Sale, Shift
from meterctl.utility.model.organisation import Staff
from meterctl.utility.model.work import Task
from meterctl.utility.rules import postings
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.rights import Action, Role, payout_needs_approval
from meterctl.utility.rules.sale_words import require_possible
from meterctl.utility.rules.selling import shown
from meterctl.utility.rules.transitions import AgreementState, SaleEvent
from meterctl.utility.services import tasks
from meterctl.utility.services.meter_refunds import order_refund
from meterctl.utility.services.receipts import enter_payment
from meterctl.utility.services.shifts import require_open
from meterctl.utility.store import sale_books
from meterctl.utility.store.ledger import About
from meterctl.utility.store.queries.agreements import find_agreement
from meterctl.utility.store.queries.payments import describe_payment, owed_by_name
from meterctl.utility.store.queries.sale_places import sale_place
from meterctl.utility.store.queries.sales import (
    describe_sale,
    find_sale,
    node_of_agreement,
)
from meterctl.utility.store.queries.shifts import find_shift, shift_of
from meterctl.utility.store.sale_postings import till
from meterctl.utility.store.tasks import number_of
from meterctl.utility.store.unit_of_work import UnitOfWork

CHANNELS = (PaymentChannel.CASH, PaymentChannel.TRANSFER)
"""How money is paid out: from a till, or by the bank."""
_OR_BY_BANK = "or pay it by the bank: --channel transfer; nothing was paid"


def payout(
    work: UnitOfWork,
    *,
    sale: str,
    channel: PaymentChannel = PaymentChannel.CASH,
    shift: str | None = None,
) -> dict[str, Any]:
    """Pay out a sale that its meter did not get.

    Args:
        shift: number of the shift whose till pays; None: one's own.

    Raises:
        Refused: nothing is owed for it, no shift is open, or the till has not so much.
        NotPermitted: no role of yours pays out where that till is.
    """
    found = find_sale(work.session, sale)
    node = node_of_agreement(work.session, found.agreement_id)
    work.require(Action.PAYOUT, node)
    require_possible(f"S{found.id}", found.state, SaleEvent.PAYOUT)
    till_id = _till_that_pays(work, channel, shift, Action.PAYOUT)
    if payout_needs_approval(found.amount):
        task = tasks.propose(
            work,
            Action.PAYOUT,
            found,
            node,
            Role.STATION_HEAD,
            {"sale": found.id, "amount": found.amount, "channel": channel, "shift": till_id},
        )
        return {**describe_sale(work.session, found.id), "task": number_of(task)}
    return _pay_out_sale(work, found.id, channel, till_id)


def refund(
    work: UnitOfWork,
    *,
    agreement: str,
    amount: int,
    channel: PaymentChannel = PaymentChannel.CASH,
    shift: str | None = None,
) -> dict[str, Any]:
    """Give a customer money back: what is owed or stands in advance, else credit of the meter.

    What the desk holds is paid at once. Where it holds nothing and the credit is kept in the
    meter, an order takes it from there; when the meter has proved it, it is owed, and a refund
    under another key pays it out.

    Args:
        shift: number of the shift whose till pays; None: one's own.

    Raises:
        Invalid: an amount of 0.00 or below.
        Refused: the desk or the till holds less, or the meter is not known to have so much.
        NotPermitted: no role of yours refunds where that till is.
    """
    if amount <= 0:
        raise Invalid("amount", f"{shown(amount)} is no refund: at least 0.01; nothing was paid")
    found = find_agreement(work.session, agreement)
    node = node_of_agreement(work.session, found.id)
    work.require(Action.PAY_REFUND, node)
    work.lock(Agreement, found.id)
    free, advance = _held(work, found.id)
    if not free + advance and found.mode is AgreementMode.METER:
        return _from_meter(work, found, amount)
    _require_held(amount, free, advance)
    till_id = _till_that_pays(work, channel, shift, Action.PAY_REFUND)
    if payout_needs_approval(amount):
        task = tasks.propose(
            work,
            Action.PAYOUT,
            found,
            node,
            Role.STATION_HEAD,
            {"agreement": found.id, "amount": amount, "channel": channel, "shift": till_id},
        )
        return {"agreement": agreement, "amount": amount, "task": number_of(task)}
    return _pay_out_rest(work, found.id, amount, channel, till_id)


@tasks.approval(Action.PAYOUT)
def _approved(work: UnitOfWork, task: Task) -> dict[str, Any]:
    """Pay out what was proposed, from the till that the proposal names."""
    assert task.proposal is not None
    channel, shift = PaymentChannel(task.proposal["channel"]), task.proposal["shift"]
    if "sale" in task.proposal:
        return _pay_out_sale(work, task.proposal["sale"], channel, shift)
    amount = task.proposal["amount"]
    return _pay_out_rest(work, task.proposal["agreement"], amount, channel, shift)


def _till_that_pays(
    work: UnitOfWork, channel: PaymentChannel, number: str | None, action: Action
) -> int | None:
    """Return the shift from whose till it is paid; None: the bank pays.

    Args:
        number: of the shift that is named; None: one's own.
        action: which needs a role where the shift is, if it is another person's.
    """
    if channel not in CHANNELS:
        raise Invalid(
            "channel", f"{channel}: it is paid out by {' or '.join(CHANNELS)}; nothing was paid"
        )
    if channel is not PaymentChannel.CASH:
        if number is not None:
            raise Invalid(
                "till", f"a {channel} is paid by the bank, out of no till; nothing was paid"
            )
        return None
    vendor = work.actor.staff_id or 0
    held = shift_of(work.session, vendor) if number is None else find_shift(work.session, number)
    if held is None:
        raise Refused(
            "no_shift",
            f"you have no open shift: name the one whose till pays with --shift, {_OR_BY_BANK}",
        )
    if held.vendor_id != vendor:
        work.require(action, held.node_id)
    require_open(held)
    return held.id


def _require_in_till(work: UnitOfWork, shift: Shift, amount: int) -> None:
    """Refuse to pay more than a till has taken; its float stays in it. Raises Refused."""
    held = work.ledger.balance(AccountKind.CASH, shift.id)
    if amount > held:
        raise Refused(
            "not_in_till",
            f"the till of shift {shift.number} has taken {shown(held)} beside its float, less than "
            f"{shown(amount)}: name another open shift with --shift, {_OR_BY_BANK}",
        )


def _paid_by(work: UnitOfWork, payment: Payment) -> dict[str, str]:
    """Return the till that paid and its vendor, for the audit; nothing where the bank pays."""
    if payment.shift_id is None:
        return {}
    shift = work.session.get_one(Shift, payment.shift_id)
    vendor = work.session.get_one(Staff, shift.vendor_id)
    return {"shift": shift.number, "vendor": vendor.number}


def _entered(
    work: UnitOfWork,
    agreement_id: int,
    shift_id: int | None,
    purpose: PaymentPurpose,
    amount: int,
    channel: PaymentChannel,
) -> Payment:
    """Write down money that goes out; the agreement is locked already."""
    shift = None if shift_id is None else work.lock(Shift, shift_id)
    if shift is not None:
        require_open(shift)
        _require_in_till(work, shift, amount)
    entered = enter_payment(work, shift_id, agreement_id, purpose, amount, channel)
    return work.session.get_one(Payment, entered.id)


def _pay_out_sale(
    work: UnitOfWork, sale_id: int, channel: PaymentChannel, shift_id: int | None
) -> dict[str, Any]:
    sale = work.session.get_one(Sale, sale_id)
    work.lock(Agreement, sale.agreement_id)
    paid = _entered(work, sale.agreement_id, shift_id, PaymentPurpose.PAYOUT, sale.amount, channel)
    sale_books.move(work, sale.id, SaleEvent.PAYOUT, payment=paid)
    told = {"amount": paid.amount, **_paid_by(work, paid)}
    work.audit(Action.PAYOUT, paid, None, {"sale": f"S{sale.id}", **told})
    work.session.flush()
    return {**describe_sale(work.session, sale.id), **_paid(work, paid)}


def _pay_out_rest(
    work: UnitOfWork,
    agreement_id: int,
    amount: int,
    channel: PaymentChannel,
    shift_id: int | None,
) -> dict[str, Any]:
    """Pay out what is owed without a name, then what stands in advance."""
    work.lock(Agreement, agreement_id)
    free, advance = _held(work, agreement_id)
    _require_held(amount, free, advance)
    paid = _entered(work, agreement_id, shift_id, PaymentPurpose.REFUND, amount, channel)
    work.ledger.post(
        f"payment/{paid.id}/refunded",
        "refund",
        (
            *postings.payment_refunded(agreement_id, max(0, amount - free)),
            *postings.paid_out(agreement_id, till(paid), amount),
        ),
        About(agreement_id, payment=paid.id),
    )
    work.audit(Action.PAY_REFUND, paid, None, {"amount": amount, **_paid_by(work, paid)})
    work.session.flush()
    return {
        "agreement": describe_payment(work.session, paid.id)["agreement"],
        "amount": amount,
        **_paid(work, paid),
        "still_held": free + advance - amount,
    }


def _paid(work: UnitOfWork, payment: Payment) -> dict[str, Any]:
    described = describe_payment(work.session, payment.id)
    return {
        "till": _paid_by(work, payment).get("shift"),
        "payment": described["payment"],
        "paid_out": payment.amount,
        "channel": described["channel"],
        "payout_receipt": described["receipt_number"],
    }


def _held(work: UnitOfWork, agreement_id: int) -> tuple[int, int]:
    """Return what is owed without a sale's name, and what stands in advance."""
    payable = work.ledger.balance(AccountKind.PAYABLE, agreement_id)
    free = max(0, payable - owed_by_name(work.session, agreement_id))
    return free, work.ledger.balance(AccountKind.ADVANCE, agreement_id)


def _require_held(amount: int, free: int, advance: int) -> None:
    if amount > free + advance:
        raise Refused(
            "not_held",
            f"the desk holds {shown(free + advance)} for it (owed {shown(free)}, in advance "
            f"{shown(advance)}): refund that first; nothing was paid",
        )


def _from_meter(work: UnitOfWork, agreement: Agreement, amount: int) -> dict[str, Any]:
    """Order a meter to give credit back; it is owed when the meter has proved it."""
    place = sale_place(work.session, agreement.number)
    if agreement.state is not AgreementState.ACTIVE or place.meter_id is None:
        raise Refused("nothing_held", f"nothing is held for {agreement.number}; nothing was paid")
    order = order_refund(work, agreement.id, place.meter_id, amount, work.key, {})
    return {
        "agreement": agreement.number,
        "amount": amount,
        "order": f"O{order.id}",
        "next": "when the meter has proved it, the amount is owed: the same command with "
        "another --key pays it out",
    }
