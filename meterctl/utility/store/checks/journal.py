"""What the journal at hand proves, and the books have to know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, func, select
from sqlalchemy.orm import Session

from meterctl.utility.model.metering import Meter, Reading
from meterctl.utility.model.money import Entry
from meterctl.utility.model.work import Order
from meterctl.utility.rules.money import UNITS_IN_AMOUNT
from meterctl.utility.store.checks.outcome import Checked, Tally, streamed
from meterctl.utility.store.statements import Prepared, rows_of
from protocols.quantities import CENT, format_money

_ORDERS = rows_of(Order).c
_OF_KEY = Prepared(select(_ORDERS.id).where(_ORDERS.key == bindparam("of_key")))
_NAMED = 3
"""Entries that a violation names."""


@dataclass(frozen=True, slots=True)
class AcceptedSale:
    """A sale that a journal proves as accepted: its entry, its message, its amount (0.01)."""

    entry: int
    serial: str
    key: str
    epoch: int
    sequence: int
    amount: int


@dataclass(frozen=True, slots=True)
class _Known:
    """What the books know of a meter: its epoch, from where on, and the credit explained since.

    `since` is the sequence with which it was taken over; `explained` is exact.
    """

    epoch: int
    since: int
    explained: int


def journal_known(session: Session, accepted: Iterable[AcceptedSale]) -> Checked:
    """Each sale that the journal proves at a meter of the desk is the desk's, or was explained.

    A database that was restored from an older copy lacks sales that its meters have. Epochs that
    are not booked now are left out: two persons have decided about their money.

    Args:
        accepted: of the journal at hand, each proved by its meter.
    """
    tally, meters = Tally(), _meters(session)
    foreign: dict[str, list[AcceptedSale]] = defaultdict(list)
    for sale in accepted:
        tally.count += 1
        meter = meters.get(sale.serial)
        if meter is None or sale.epoch != meter.epoch or sale.sequence <= meter.since:
            continue
        if not sale.key or _OF_KEY.row(session.connection(), {"of_key": sale.key}) is None:
            foreign[sale.serial].append(sale)
    for serial, sales in foreign.items():
        amount = sum(sale.amount for sale in sales)
        if amount * UNITS_IN_AMOUNT > meters[serial].explained:
            named = ", ".join(
                f"entry {sale.entry} (key {sale.key or 'none'})" for sale in sales[:_NAMED]
            )
            tally.violation(
                f"meter {serial}",
                f"it accepted {format_money(amount * CENT)} that no sale of the desk is, nor was "
                f"explained: {named}; is the database an older copy?",
            )
    return tally.checked(
        "journal",
        "each sale that the journal proves at a meter of the desk is a sale of the desk, or was "
        "explained by two persons",
        "accepted sales of the journal",
    )


def _meters(session: Session) -> dict[str, _Known]:
    """Return what the books know of each meter that was read or sold to, by serial number."""
    first = (
        select(
            Reading.meter_id,
            Reading.epoch,
            func.max(Reading.credit_sequence).label("sequence"),
            func.max(Reading.cumulative_exact).label("cumulative"),
        )
        .join(Entry, and_(Entry.reading_id == Reading.id, Entry.kind == "taken_over"))
        .group_by(Reading.meter_id, Reading.epoch)
        .subquery()
    )
    rows = (
        select(
            Meter.serial, Meter.epoch, Meter.explained_before,
            func.coalesce(first.c.sequence, 0), func.coalesce(first.c.cumulative, 0),
        )
        .outerjoin(first, and_(first.c.meter_id == Meter.id, first.c.epoch == Meter.epoch))
        .where(Meter.epoch.is_not(None))
    )  # fmt: skip
    return {
        serial: _Known(epoch, int(since), explained - int(before))
        for serial, epoch, explained, since, before in streamed(session, rows)
    }
