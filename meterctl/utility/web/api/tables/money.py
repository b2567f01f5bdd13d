"""Shifts, sales, payments and receipts."""

from __future__ import annotations

from pydantic import Field

from meterctl.utility.model.money import Carrier, PaymentChannel
from meterctl.utility.rules.transitions import SaleState, ShiftState
from meterctl.utility.services import (
    at_counter,
    payments,
    payouts,
    receipts,
    sale_lists,
    sale_moves,
    sales,
    settling,
    shift_lists,
    shifts,
)
from meterctl.utility.services.settling import SettledAs
from meterctl.utility.store.unit_of_work import Answer
from meterctl.utility.web.api.answers import money as told
from meterctl.utility.web.api.operations import (
    Asked,
    Call,
    Change,
    Look,
    Looked,
    Operation,
    Page,
    Reason,
    Values,
    act_and_begin,
    calling,
)
from meterctl.utility.web.api.values import AmountIn, AmountOrZeroIn, Name, Text

OWN = "own"
"""In a path the own shift that is not closed; shifts have numbers."""


class NewShift(Asked):
    """A shift; `node` is where you work, where that is one."""

    node: Name | None = None
    float_amount: AmountOrZeroIn = Field(0, alias="float")


class Count(Asked):
    """All notes and coins in the till, the float too."""

    counted: AmountOrZeroIn


class Slip(Asked):
    """The bank's slip for the cash that is banked."""

    slip: Name | None = None


class ShiftPage(Page):
    """Shifts at a node and below; `all` those that are closed too."""

    node: Name | None = None
    state: ShiftState | None = None
    all_: bool = Field(False, alias="all")


class NewSale(Asked):
    """A sale in cash; `reader`: on the card in this reader, else by wire."""

    agreement: Name
    amount: AmountIn
    reader: Name | None = None


class SaleAgain(Asked):
    """A sale that is paid by what is owed; what is left out is as it was."""

    to: Name | None = None
    amount: AmountIn | None = None
    reader: Name | None = None


class SalePage(Page):
    """Sales at a node and below, in a state, of an agreement, of a shift."""

    node: Name | None = None
    state: SaleState | None = None
    agreement: Name | None = None
    shift: Name | None = None


class Payout(Asked):
    """How it is paid out; `shift` is the open one whose till pays, else your own."""

    channel: PaymentChannel = PaymentChannel.CASH
    shift: Name | None = None


class To(Asked):
    """The right agreement."""

    to: Name


class Settled(Asked):
    """What is known of a sale."""

    settled_as: SettledAs = Field(alias="as")
    reason: Text = ""


class NewPayment(Asked):
    """Money for bills."""

    agreement: Name
    amount: AmountIn
    channel: PaymentChannel = PaymentChannel.CASH


class NewRefund(Asked):
    """Money that goes back."""

    agreement: Name
    amount: AmountIn
    channel: PaymentChannel = PaymentChannel.CASH
    shift: Name | None = None


def _carried(values: Values) -> Values:
    """Return what a sale says with its carrier, as the command says it."""
    return {**values, "carrier": Carrier.CARD if values["reader"] else Carrier.WIRE}


def _sold(call: Call) -> Answer:
    """Sell, and bring the sale to its meter; a sale that could not be carried out is refused."""
    _require_deliverable(call, call.asked["agreement"], call.asked["amount"])
    return _as_it_stands(call, ())


def _sold_again(call: Call) -> Answer:
    """Sell again, as `_sold`."""
    asked, visitor = call.asked, call.visitor
    with visitor.reading() as session:
        if at_counter.sale_of_key(session, visitor.actor, call.key) is None:
            own, owed = sale_lists.sold_again(session, visitor.actor, asked["sale"])
            _require_deliverable(call, asked["to"] or own, asked["amount"] or owed)
    return _as_it_stands(call, ("paid_now", "still_owed"))


def _require_deliverable(call: Call, agreement: str, amount: int) -> None:
    """Refuse a sale that could not be carried out here; a rehearsal touches no card."""
    if not call.dry_run:
        call.visitor.office.delivery.require_deliverable(
            call.visitor.actor, call.key, agreement, amount, call.asked["reader"]
        )


def _as_it_stands(call: Call, kept: tuple[str, ...]) -> Answer:
    """Take a sale, begin its delivery, and return it as it stands then."""
    taken = act_and_begin(call)
    if call.dry_run:
        return taken
    with call.visitor.reading() as session:
        now = sale_lists.show(session, call.visitor.actor, taken.values["sale"])
    return Answer({**now, **{name: taken.values[name] for name in kept}}, taken.replayed)


def _own(values: Values) -> Values:
    """Return what is said of a shift, as the command says it: None is one's own."""
    return {**values, "shift": None if values["shift"] == OWN else values["shift"]}


def _shifts(found: Looked) -> list[Values]:
    q = found.query
    return shift_lists.list_(
        found.session, found.visitor.actor, closed=q.all_ or q.state is ShiftState.CLOSED,
        state=q.state, node=q.node, after=q.after, limit=q.limit + 1,
    )  # fmt: skip


def _shift(found: Looked) -> Values:
    shift = found.path["shift"]
    return shift_lists.show(found.session, found.visitor.actor, None if shift == OWN else shift)


def _sales(found: Looked) -> list[Values]:
    q = found.query
    return sale_lists.list_(
        found.session, found.visitor.actor, state=q.state, agreement=q.agreement, shift=q.shift,
        node=q.node, after=q.after, limit=q.limit + 1,
    )  # fmt: skip


def _sale(found: Looked) -> Values:
    return sale_lists.show(found.session, found.visitor.actor, found.path["sale"])


def _payment(found: Looked) -> Values:
    return payments.show(found.session, found.visitor.actor, found.path["payment"])


def _receipt(found: Looked) -> Values:
    return receipts.show(found.session, found.visitor.actor, found.path["receipt"])


SHIFTS: tuple[Operation, ...] = (
    Look("/shifts", "shift_list", "List the shifts at your nodes, the newest first.", _shifts,
         told.Shift, query=ShiftPage, by="shift"),
    Look("/shifts/{shift}", "shift_show", "Show a shift; `own`: your own.", _shift, told.Shift),
    Change("POST", "/shifts", "shift open", "Open your shift.",
           calling(shifts.open_shift, float="float_amount"), told.Shift, body=NewShift,
           money=True, status=201),
    Change("POST", "/shifts/{shift}/count", "shift count", "Write down the cash that you counted.",
           calling(shifts.count), told.CountedShift, body=Count, money=True, asks=_own),
    Change("POST", "/shifts/{shift}/recount", "shift recount",
           "Take a count back: the shift is open again.", calling(shifts.recount), told.Shift,
           asks=_own),
    Change("POST", "/shifts/{shift}/close", "shift close",
           "Close a counted shift: all but the float is banked.", calling(shifts.close),
           told.ClosedShift, body=Slip, money=True, asks=_own),
)  # fmt: skip
SALES: tuple[Operation, ...] = (
    Look("/sales", "sale_list", "List the sales at your nodes, the newest first.", _sales,
         told.Sale, query=SalePage, by="sale"),
    Look("/sales/{sale}", "sale_show", "Show a sale by its number or its key.", _sale, told.Sale),
    Change("POST", "/sales", "sell", "Take cash for credit, and bring it to the meter.",
           calling(sales.take),
           told.Sale, body=NewSale, money=True, status=201, run=_sold, asks=_carried),
    Change("POST", "/sales/{sale}/cancel", "sale cancel", "Cancel a sale that no worker has begun.",
           calling(sales.cancel), told.CancelledSale, body=Reason, money=True),
    Change("POST", "/sales/{sale}/payout", "sale payout",
           "Pay out a sale that its meter did not get.", calling(payouts.payout), told.RepaidSale,
           body=Payout, money=True),
    Change("POST", "/sales/{sale}/sell-again", "sale sell-again",
           "Let what is owed for a sale pay a new one.", calling(sales.sell_again, to="agreement"),
           told.SaleSoldAgain, body=SaleAgain, money=True, status=201, run=_sold_again,
           asks=_carried),
    Change("POST", "/sales/{sale}/move", "sale move",
           "Propose to move a delivered sale to the agreement for which it was paid.",
           calling(sale_moves.move), told.SaleToMove, body=To, money=True),
    Change("POST", "/sales/{sale}/settle", "sale settle",
           "Propose how a sale ends that stays unknown.",
           calling(settling.settle, **{"as": "as_"}), told.SaleToSettle, body=Settled, money=True),
)  # fmt: skip
PAYMENTS: tuple[Operation, ...] = (
    Look("/payments/{payment}", "pay_show", "Show a payment by its number or its receipt's.",
         _payment, told.Payment),
    Change("POST", "/payments", "pay", "Take cash: it pays the open bills, the oldest first.",
           calling(payments.pay), told.StandingPayment, body=NewPayment, money=True, status=201),
    Change("POST", "/payments/{payment}/move", "pay move",
           "Move a payment that was booked on the wrong agreement.", calling(payments.move),
           told.MovedPayment, body=To, money=True),
    Change("POST", "/payments/{payment}/bounce", "pay bounce",
           "Take a payment back whose money was not good.", calling(payments.bounce),
           told.BouncedPayment, body=Reason, money=True),
    Change("POST", "/refunds", "refund",
           "Give money back: what is owed, what stands in advance, or credit of the meter.",
           calling(payouts.refund), told.Refund, body=NewRefund, money=True, status=201,
           run=act_and_begin),
)  # fmt: skip
RECEIPTS: tuple[Operation, ...] = (
    Look("/receipts/{receipt}", "receipt_show", "Show what stands on a receipt, without a print.",
         _receipt, told.Receipt),
    Change("POST", "/receipts/{receipt}/print", "receipt print",
           "Count a print of a receipt; the first one is the original.",
           calling(receipts.print_receipt, receipt="named"), told.PrintedReceipt),
)  # fmt: skip
