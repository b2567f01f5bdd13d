"""The ledger's transfers for each event (UTILITY 4), as values.

One function a row of UTILITY 4's table. It returns the transfers of the row in their order; those
of amount 0 are left out. A negative amount is reversed where the row allows it, else refused
(`Invalid`, code `negative_amount`). Amounts are in 0.01, cumulative values of meters in exact units
(1e-10). Every transfer on `receivable` and `meter_debt` names its bill.

The rows of these events are for later parts: a bill is issued or cancelled; a penalty, its waiver;
written off and recovered; bank lines without an owner; bank statements, fees, what an agent keeps.
"""

from __future__ import annotations

from meterctl.utility.rules.postings.accounts import (
    BANK,
    NEVER_NEGATIVE,
    REBATE,
    REVENUE_ENERGY,
    REVENUE_STANDING,
    TAKEN_OVER,
    TILL_DIFFERENCE,
    Account,
    AccountKind,
    Side,
    Transfer,
    Transfers,
    advance,
    cash,
    in_meter,
    meter_debt,
    payable,
    receivable,
    transit,
    undelivered,
)
from meterctl.utility.rules.postings.metering import (
    Books,
    arrears_accepted,
    debt_after_epoch,
    debt_set_back,
    debt_taken,
    epoch_closed,
    epoch_lost,
    not_taken,
    reading_accepted,
    refund_proved,
    set_off,
    taken_after_all,
    transfer_taken_over,
    unexplained_credit,
)
from meterctl.utility.rules.postings.payments import (
    allocated,
    cash_banked,
    cash_difference,
    float_made_up,
    paid_for_bills,
    payment_bounced,
    payment_moved,
    payment_refunded,
    rebate_granted,
    sale_bounced,
    taken_back_for_move,
)
from meterctl.utility.rules.postings.sales import (
    cancelled_in_shift,
    delivered,
    moved_claim,
    not_delivered,
    paid_for_sale,
    paid_out,
    sold_again,
)
from meterctl.utility.rules.postings.taking_over import (
    MeterBalances,
    taken_over,
)

__all__ = [
    "BANK",
    "NEVER_NEGATIVE",
    "REBATE",
    "REVENUE_ENERGY",
    "REVENUE_STANDING",
    "TAKEN_OVER",
    "TILL_DIFFERENCE",
    "Account",
    "AccountKind",
    "Books",
    "MeterBalances",
    "Side",
    "Transfer",
    "Transfers",
    "advance",
    "allocated",
    "arrears_accepted",
    "cancelled_in_shift",
    "cash",
    "cash_banked",
    "cash_difference",
    "debt_after_epoch",
    "debt_set_back",
    "debt_taken",
    "delivered",
    "epoch_closed",
    "epoch_lost",
    "float_made_up",
    "in_meter",
    "meter_debt",
    "moved_claim",
    "not_delivered",
    "not_taken",
    "paid_for_bills",
    "paid_for_sale",
    "paid_out",
    "payable",
    "payment_bounced",
    "payment_moved",
    "payment_refunded",
    "reading_accepted",
    "rebate_granted",
    "receivable",
    "refund_proved",
    "sale_bounced",
    "set_off",
    "sold_again",
    "taken_after_all",
    "taken_back_for_move",
    "taken_over",
    "transfer_taken_over",
    "transit",
    "undelivered",
    "unexplained_credit",
]
