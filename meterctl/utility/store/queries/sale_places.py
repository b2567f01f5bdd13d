"""Where a sale can be made, and what is known of the meter there, in few statements.

They are made once: a sale over the counter waits for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, bindparam, or_, select, true
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement, AgreementMode, AgreementVersion
from meterctl.utility.model.metering import Installation, Meter, Reading
from meterctl.utility.model.money import Sale, SaleKind, Shift
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.selling import ProvedCredit, SaleTerms
from meterctl.utility.rules.transitions import (
    LIVE,
    UNDELIVERED,
    AgreementState,
    SaleState,
    ShiftState,
    VersionState,
)
from meterctl.utility.store.queries.agreements import find_agreement
from meterctl.utility.store.statements import Prepared, rows_of
from protocols.data_model.words import AccountState

_OPENED_BY = (*UNDELIVERED, SaleState.DELIVERED, SaleState.HAND_DELIVERED)
"""States of a first sale, or of an opening, after which a further sale finds the account open."""
_OPEN, _UNOPENED = AccountState.OPEN.name.lower(), AccountState.UNOPENED.name.lower()
_AGREEMENTS, _VERSIONS = rows_of(Agreement).c, rows_of(AgreementVersion).c
_POINTS, _NODES, _PLACED = rows_of(SupplyPoint).c, rows_of(Organisation).c, rows_of(Installation).c
_METERS, _SHIFTS = rows_of(Meter).c, rows_of(Shift).c
_SALES, _READINGS = rows_of(Sale).c, rows_of(Reading).c


@dataclass(frozen=True, slots=True)
class SalePlace:
    """An agreement, and the meter to which its credit goes; `path` is that of its node."""

    agreement_id: int
    number: str
    mode: AgreementMode
    state: AgreementState
    node_id: int
    path: str
    meter_id: int | None
    terms: dict[str, Any] | None
    """Those of the active version; None: there is none."""

    def terms_of_sale(self) -> SaleTerms:
        """Return the terms that decide about a sale; without a version the meter alone decides."""
        terms = self.terms or {}
        return SaleTerms(
            terms.get("max_credit"),
            terms.get("reconnect_threshold", 0),
            terms.get("debt_share_percent", 0),
        )


@dataclass(frozen=True, slots=True)
class Till:
    """An open or counted shift that is locked."""

    id: int
    number: str
    state: ShiftState
    limit_amount: int


@dataclass(frozen=True, slots=True)
class MeterOfSale:
    """A meter that is locked, as its row stands."""

    id: int
    serial: str
    stopped: str | None
    epoch: int | None


@dataclass(frozen=True, slots=True)
class Held:
    """What a sale over the counter locks: the agreement, its vendor's till, the meter."""

    state: AgreementState
    till: Till
    meter: MeterOfSale


@dataclass(frozen=True, slots=True)
class MeterStatus:
    """What is known of a meter, and what was sold for it and is not settled (0.01)."""

    account_state: str | None
    """Word of the account as it was read last; None: it was never read."""
    proved: ProvedCredit | None
    waiting: int
    on_card: int | None
    """A sale that lies unused on a card."""
    live: int | None
    """The sale whose outcome is not settled; later ones wait for it."""


_PLACE = Prepared(
    select(
        _AGREEMENTS.id,
        _AGREEMENTS.number,
        _AGREEMENTS.mode,
        _AGREEMENTS.state,
        _POINTS.node_id,
        _NODES.path,
        _PLACED.meter_id,
        _VERSIONS.terms,
    )
    .join(rows_of(SupplyPoint), _POINTS.id == _AGREEMENTS.point_id)
    .join(rows_of(Organisation), _NODES.id == _POINTS.node_id)
    .join(
        rows_of(Installation),
        and_(_PLACED.point_id == _POINTS.id, _PLACED.to_at.is_(None)),
        isouter=True,
    )
    .join(
        rows_of(AgreementVersion),
        and_(_VERSIONS.agreement_id == _AGREEMENTS.id, _VERSIONS.state == VersionState.ACTIVE),
        isouter=True,
    )
    .where(_AGREEMENTS.number == bindparam("agreement"))
)
_HELD = Prepared(
    select(
        _AGREEMENTS.state.label("agreement_state"),
        _SHIFTS.id,
        _SHIFTS.number,
        _SHIFTS.state,
        _SHIFTS.limit_amount,
        _METERS.id.label("meter_id"),
        _METERS.serial,
        _METERS.stopped,
        _METERS.epoch,
    )
    .select_from(rows_of(Agreement).join(rows_of(Shift), true()).join(rows_of(Meter), true()))
    .where(
        _AGREEMENTS.id == bindparam("agreement"),
        _SHIFTS.vendor_id == bindparam("vendor"),
        _SHIFTS.state != ShiftState.CLOSED,
        _METERS.id == bindparam("meter"),
    )
    .with_for_update(of=[rows_of(Agreement), rows_of(Shift), rows_of(Meter)])
)
"""PostgreSQL locks the rows in the order in which their tables are named, that of `RANKS`."""
_READING = Prepared(
    select(
        _READINGS.epoch,
        _READINGS.credit_sequence,
        _READINGS.credit_exact,
        _READINGS.debt_exact,
        _READINGS.causes,
        _READINGS.more,
    )
    .where(_READINGS.meter_id == bindparam("meter"))
    .order_by(_READINGS.id.desc())
    .limit(1)
)
_LATER_SALES = Prepared(
    select(
        _SALES.id,
        _SALES.amount,
        _SALES.state,
        _SALES.credit_after_exact,
        _SALES.to_debt_exact,
        _SALES.causes,
    )
    .where(
        _SALES.meter_id == bindparam("meter"),
        or_(
            _SALES.state.in_(UNDELIVERED),
            and_(
                _SALES.state == SaleState.DELIVERED,
                _SALES.epoch == bindparam("epoch"),
                _SALES.sequence > bindparam("sequence"),
            ),
        ),
    )
    .order_by(_SALES.sequence, _SALES.id)
)


def _opened(states: Collection[SaleState]) -> Select[bool]:
    """Return the statement for whether an opening of a meter, not that of `sale`, is in a state."""
    by_sale = select(_SALES.id).where(
        _SALES.meter_id == bindparam("meter"),
        _SALES.id != bindparam("sale"),
        _SALES.kind == SaleKind.OPEN,
        _SALES.state.in_(states),
        or_(_SALES.epoch.is_(None), _SALES.epoch == bindparam("epoch")),
    )
    by_order = select(rows_of(Order).c.id).where(
        rows_of(Order).c.meter_id == bindparam("meter"),
        rows_of(Order).c.kind == OrderKind.OPEN,
        rows_of(Order).c.credit_state.in_(states),
    )
    return select(or_(by_sale.exists(), by_order.exists()))


_OPENED_HERE = Prepared(_opened(_OPENED_BY))
_OPENED_ALREADY = Prepared(_opened((SaleState.DELIVERED, SaleState.HAND_DELIVERED)))
_NO_SALE = 0


def sale_place(session: Session, agreement: str) -> SalePlace:
    """Return the place of a sale by what `find_agreement` takes; raises what it raises."""
    connection = session.connection()
    row = _PLACE.row(connection, {"agreement": agreement})
    if row is None:
        number = find_agreement(session, agreement).number
        row = _PLACE.row(connection, {"agreement": number})
        assert row is not None
    return SalePlace(*row)


def hold_for_sale(session: Session, agreement: int, vendor: int, meter: int) -> Held | None:
    """Lock what a sale over the counter needs; None where the vendor has no shift now."""
    named = {"agreement": agreement, "vendor": vendor, "meter": meter}
    row = _HELD.row(session.connection(), named)
    if row is None:
        return None
    return Held(
        row.agreement_state,
        Till(row.id, row.number, row.state, row.limit_amount),
        MeterOfSale(row.meter_id, row.serial, row.stopped, row.epoch),
    )


def meter_status(session: Session, meter_id: int, epoch: int | None) -> MeterStatus:
    """Return what is known of a meter by its last reading, and by later receipts of sales.

    The credit sequence says which is later. Without a reading a receipt of the epoch decides.
    """
    connection = session.connection()
    reading = _READING.row(connection, {"meter": meter_id})
    since = (epoch, -1) if reading is None else (reading.epoch, reading.credit_sequence)
    rows = _LATER_SALES.rows(
        connection, {"meter": meter_id, "epoch": since[0], "sequence": since[1]}
    )
    on_the_way = [row for row in rows if row.state in UNDELIVERED]
    on_card = [row.id for row in on_the_way if row.state is SaleState.ON_CARD]
    live = [row.id for row in on_the_way if row.state in LIVE]
    return MeterStatus(
        None if reading is None else reading.more.get("account_state"),
        _proved(reading, [row for row in rows if row.state is SaleState.DELIVERED]),
        sum(row.amount for row in on_the_way),
        min(on_card, default=None),
        min(live, default=None),
    )


def proved_credit(session: Session, meter_id: int, epoch: int | None) -> ProvedCredit | None:
    """Return credit and debt of a meter as proved last; None: they never were."""
    return meter_status(session, meter_id, epoch).proved


def _proved(reading: Any, delivered: Iterable[Any]) -> ProvedCredit | None:
    """Return what a reading and the receipts after it prove."""
    told = [row for row in delivered if row.credit_after_exact is not None]
    debt = 0 if reading is None else reading.debt_exact
    debt -= sum(row.to_debt_exact or 0 for row in told) if reading is not None else 0
    if told:
        return ProvedCredit(told[-1].credit_after_exact, debt, tuple(told[-1].causes or ()))
    if reading is None:
        return None
    return ProvedCredit(reading.credit_exact, debt, tuple(reading.causes))


def was_opened_here(session: Session, meter_id: int, epoch: int | None) -> bool:
    """Return whether a sale or an order of ours has opened a meter's account, or is about to."""
    named = {"meter": meter_id, "epoch": epoch, "sale": _NO_SALE}
    return _OPENED_HERE.value(session.connection(), named) in (True, 1)


def kind_of_sale(
    session: Session, meter_id: int, epoch: int | None, sale_id: int, decided: SaleKind
) -> SaleKind:
    """Return the message of a sale as the meter's account stands now; `decided` if that is unknown.

    The account is open if it was read so, or if another sale or order of ours has opened it.
    """
    reading = _READING.row(session.connection(), {"meter": meter_id})
    state = None if reading is None else reading.more.get("account_state")
    named = {"meter": meter_id, "epoch": epoch, "sale": sale_id}
    if state == _OPEN or _OPENED_ALREADY.value(session.connection(), named):
        return SaleKind.CREDIT
    return SaleKind.OPEN if state == _UNOPENED else decided
