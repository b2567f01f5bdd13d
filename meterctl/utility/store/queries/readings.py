"""Readings of meters, and what their books are compared with."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.model.metering import Reading, ReadingSource
from meterctl.utility.model.money import Sale
from meterctl.utility.model.work import Order
from meterctl.utility.rules.money import UNITS_IN_AMOUNT
from meterctl.utility.rules.transitions import LIVE, ReadingState, SaleState
from protocols.quantities import SECOND

IN_METER = (SaleState.DELIVERED, SaleState.HAND_DELIVERED)
"""States of sales that the books have in the meter: by proof, or by a person's word."""
SET_BACK = "set_back"
"""Mark of a reading with which the books of a meter that was set back began again."""


def last_accepted(session: Session, meter_id: int, epoch: int) -> Reading | None:
    """Return the last reading of an epoch that was booked; what it holds is booked up to it.

    Those from before the meter was set back are left out.
    """
    begun = (
        select(func.coalesce(func.max(Reading.id), 0))
        .where(Reading.meter_id == meter_id, Reading.epoch == epoch, was_set_back())
        .scalar_subquery()
    )
    return session.scalars(
        select(Reading)
        .where(
            Reading.meter_id == meter_id,
            Reading.epoch == epoch,
            Reading.state == ReadingState.ACCEPTED,
            Reading.id >= begun,
        )
        .order_by(Reading.elapsed.desc(), Reading.id.desc())
        .limit(1)
    ).one_or_none()


def was_set_back() -> ColumnElement[bool]:
    """Return the condition that a reading is the first one after its meter was set back."""
    marked: ColumnElement[bool] = Reading.more[SET_BACK].as_string().is_not(None)
    return marked


def newest(session: Session, meter_id: int) -> Reading | None:
    """Return the newest reading of a meter in any state, None where it was never read."""
    return session.scalars(
        select(Reading)
        .where(Reading.meter_id == meter_id)
        .order_by(Reading.taken_at.desc(), Reading.id.desc())
        .limit(1)
    ).one_or_none()


def readings_from(
    session: Session, meter_id: int, epoch: int, source: ReadingSource, taken_at: int
) -> Sequence[Reading]:
    """Return the readings of an epoch and source of the second from an instant on, in order."""
    return session.scalars(
        select(Reading)
        .where(
            Reading.meter_id == meter_id,
            Reading.epoch == epoch,
            Reading.source == source,
            Reading.taken_at >= taken_at,
            Reading.taken_at < taken_at + SECOND,
        )
        .order_by(Reading.taken_at)
    ).all()


def live_credit_order(session: Session, meter_id: int) -> Order | None:
    """Return the meter's order of the credit class whose outcome is not settled (I5)."""
    return session.scalars(
        select(Order).where(Order.meter_id == meter_id, Order.credit_state.in_(LIVE))
    ).one_or_none()


def booked_cumulative(session: Session, meter_id: int, epoch: int, explained: int) -> int:
    """Return what a meter has accepted in an epoch by the books (I4), exact units.

    Args:
        explained: what is explained without a sale, `Meter.explained_before`.
    """
    sold = session.scalars(
        select(func.coalesce(func.sum(Sale.amount), 0)).where(
            Sale.meter_id == meter_id,
            or_(Sale.epoch == epoch, Sale.epoch.is_(None)),
            Sale.state.in_(IN_METER),
        )
    ).one()
    return explained + int(sold) * UNITS_IN_AMOUNT
