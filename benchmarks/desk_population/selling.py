"""Shifts, and the sales in them with their payments, receipts, orders and audit."""

from __future__ import annotations

from collections import Counter

from benchmarks.desk_population.bulk import Bulk
from benchmarks.desk_population.plan import (
    AMOUNT,
    DAYS,
    EPOCH,
    OPENING,
    SALES,
    STATIONS,
    VENDORS,
    Plan,
    code_of,
    date_of,
    morning,
    station_of,
)
from protocols.quantities import CENT, HOUR, SECOND

LIMIT = 10**9
"""Cash that a vendor may hold, 0.01."""


def sold_in_shifts(plan: Plan) -> Counter[int]:
    """Return how many sales each shift has."""
    return Counter(plan.sale(n).shift for n in range(1, plan.sales + 1))


def write_shifts(bulk: Bulk, plan: Plan, sold: Counter[int]) -> None:
    """Write a shift of each vendor on each day; those of the last day are open."""
    rows = []
    for day in range(DAYS):
        on, opened = date_of(day).isoformat(), morning(day)
        is_open = day == DAYS - 1
        closed = None if is_open else opened + 10 * HOUR
        for station in range(STATIONS):
            for vendor in range(VENDORS):
                n = plan.shift(day, station, vendor)
                rows.append((
                    n, f"{code_of(station)}-{n:06}", plan.vendor(station, vendor),
                    plan.station_node(station), "open" if is_open else "closed", opened, on, 0,
                    LIMIT, sold[n], closed, None if is_open else f"B{n}", 1,
                ))  # fmt: skip
    bulk.fill(
        "shift",
        "id number vendor_id node_id state opened_at opened_on float_amount limit_amount receipts "
        "closed_at slip version",
        rows,
    )


def write_sales(bulk: Bulk, plan: Plan) -> None:
    """Write all sales."""
    payments, sales, receipts, orders, audits = [], [], [], [], []
    numbers = Counter[int]()
    for n in range(1, plan.sales + 1):
        customer, _, shift, at, state = plan.sale(n)
        numbers[shift] += 1
        is_proved, is_on_card = state == "delivered", state == "on_card"
        sequence = 2 + n * SALES // plan.sales
        proof = (
            (EPOCH, sequence, 0, (OPENING + AMOUNT) * CENT, "connected", "[]")
            if is_proved
            else (None,) * 6
        )
        proved_at = at + 3 * SECOND if is_proved else None
        payments.append((n, customer, shift, "cash", "sale", "taken", AMOUNT, at))
        sales.append((
            n, f"K{n}", customer, customer, shift, n, "credit", AMOUNT, "paid",
            "card" if is_on_card else "wire", state, "", *proof,
            f"C4D{n:08}" if is_on_card else None, at, at + 3 * SECOND, proved_at,
        ))  # fmt: skip
        receipts.append((n, shift, numbers[shift], n, 0, True))
        orders.append((n, f"K{n}", customer, customer, n, "sale", "{}", state, 1, at, "", at, at))
        vendor = plan.vendor(station_of(customer), n % VENDORS)
        audits.append((1_000 + n, at, vendor, "sell", f"sale/{n}", "", f"K{n}"))
    bulk.fill("payment", "id agreement_id shift_id channel purpose state amount paid_at", payments)
    bulk.fill(
        "sale",
        "id key agreement_id meter_id shift_id payment_id kind amount source carrier state cause "
        "epoch sequence to_debt_exact credit_after_exact supply_state causes card taken_at "
        "changed_at proved_at",
        sales,
    )
    bulk.fill("receipt", "id shift_id number payment_id copies printed", receipts)
    bulk.fill(
        "meter_order",
        "id key meter_id agreement_id sale_id kind parameters credit_state tries not_before cause "
        "made_at changed_at",
        orders,
    )
    bulk.fill("audit", "id at_ms staff_id action subject reason key", audits)
