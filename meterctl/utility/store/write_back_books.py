"""What a card's write-back books of a meter without a wire: a reading, derived (UTILITY 4)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.metering import Meter, Reading, ReadingSource
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.calendar import days_between, local_date
from meterctl.utility.rules.terms import terms_of_json
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.rules.write_back import KnownSums, books_of
from meterctl.utility.store.queries.agreements import active_version, live_agreement
from meterctl.utility.store.queries.points import point_of_meter
from meterctl.utility.store.queries.readings import (
    booked_cumulative,
    last_accepted,
    live_credit_order,
)
from meterctl.utility.store.reading_books import BOOKED, ReadingValues, accept
from meterctl.utility.store.unit_of_work import UnitOfWork
from protocols.quantities import CENT


@dataclass(frozen=True, slots=True)
class WriteBackValues:
    """What a verified write-back tells; the units are those of `Reading`, the clock is ms UTC."""

    serial: str
    epoch: int
    elapsed: int
    credit_sequence: int
    command_sequence: int
    energy_mwh: int
    credit_exact: int
    debt_exact: int
    cumulative_exact: int
    clock: int
    account_state: str
    customer_number: str
    supply_state: str
    causes: tuple[str, ...]


def accept_write_back(work: UnitOfWork, values: WriteBackValues) -> Reading | None:
    """Book the reading that a write-back makes; None where it makes none.

    It makes none of a meter with a wire, without an agreement in force that keeps credit in it, or
    whose account is not open; while a sale is not settled, or where the meter has accepted more or
    less than is booked; and where standing charges began at an instant that no reading has.
    """
    meter = work.session.scalars(select(Meter).where(Meter.serial == values.serial)).one_or_none()
    if meter is None or meter.port_id is not None or values.account_state != "open":
        return None
    point = point_of_meter(work.session, meter.id)
    held = None if point is None else live_agreement(work.session, point.id)
    if held is None or held.mode is not AgreementMode.METER or held.state not in BOOKED:
        return None
    agreement, meter = work.lock(Agreement, held.id), work.lock(Meter, meter.id)
    booked = booked_cumulative(work.session, meter.id, values.epoch, meter.explained_before)
    if live_credit_order(work.session, meter.id) is not None or values.cumulative_exact != booked:
        return None
    base = last_accepted(work.session, meter.id, values.epoch)
    standing = _standing(work, agreement, base, values.clock)
    if standing is None:
        return None
    known = KnownSums(
        opening=0 if base is None else base.opening_exact,
        refunds=_since(work, meter, base, OrderKind.REFUND),
        entered=_since(work, meter, base, OrderKind.DEBT),
        to_debt=meter.to_debt_exact,
        standing=standing,
    )
    return accept(work, _reading(work, meter, values, known), agreement.id)


def _standing(
    work: UnitOfWork, agreement: Agreement, base: Reading | None, clock: int
) -> int | None:
    """Return the standing charges of the epoch up to a clock; None where their begin is unknown."""
    version = active_version(work.session, agreement.id)
    charge = 0 if version is None else terms_of_json(version.terms).standing_charge
    if base is None:
        return None if charge else 0
    zone = work.database.zone
    first = local_date(base.meter_clock or base.taken_at, zone)
    midnights = max(days_between(first, local_date(clock, zone)), 0)
    return base.standing_exact + midnights * charge * CENT


def _since(work: UnitOfWork, meter: Meter, base: Reading | None, kind: OrderKind) -> int:
    """Return refunds, or debts entered, of the epoch: those of a reading and of orders since."""
    before, since = 0, 0
    if base is not None:
        is_refund = kind is OrderKind.REFUND
        before = base.refunds_exact if is_refund else base.debt_entered_exact
        since = base.taken_at
    parameters = work.session.scalars(
        select(Order.parameters).where(
            Order.meter_id == meter.id,
            Order.kind == kind,
            Order.credit_state == SaleState.DELIVERED,
            Order.changed_at >= since,
        )
    )
    amount: int = sum(each["amount"] for each in parameters)
    return before + amount * CENT


def _reading(
    work: UnitOfWork, meter: Meter, values: WriteBackValues, known: KnownSums
) -> ReadingValues:
    books = books_of(values.credit_exact, values.debt_exact, values.cumulative_exact, known)
    return ReadingValues(
        meter_id=meter.id,
        source=ReadingSource.CARD,
        taken_at=min(values.clock, work.now),
        epoch=values.epoch,
        elapsed=values.elapsed,
        credit_sequence=values.credit_sequence,
        command_sequence=values.command_sequence,
        energy_mwh=values.energy_mwh,
        credit_exact=values.credit_exact,
        debt_exact=values.debt_exact,
        consumption_exact=books.consumption,
        standing_exact=books.standing,
        instalments_exact=books.instalments,
        refunds_exact=known.refunds,
        cumulative_exact=values.cumulative_exact,
        to_debt_exact=known.to_debt,
        debt_entered_exact=known.entered,
        opening_exact=known.opening,
        account_state=values.account_state,
        customer_number=values.customer_number,
        supply_state=values.supply_state,
        causes=values.causes,
        meter_clock=values.clock,
    )
