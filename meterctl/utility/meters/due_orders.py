"""Which orders are due: the statements that find them, made once."""

from __future__ import annotations

from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, exists, not_, or_, select

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Meter, Port
from meterctl.utility.model.money import Carrier, Sale, SaleKind
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.transitions import LIVE, CommandState, SaleState
from meterctl.utility.store.queries.waiting import ANY_TIME, stands_before
from meterctl.utility.store.statements import Prepared, rows_of

AT_ONCE = 20
"""How many due orders of a port are found at once: to look for each alone costs as much."""
TERMS = "terms"
"""Parameter of a reading of what the meter is set to, not of its registers; it waits its turn."""
_ORDER, _SALE, _METER = rows_of(Order), rows_of(Sale), rows_of(Meter)
_PORT, _AGREEMENT, _POINT = rows_of(Port), rows_of(Agreement), rows_of(SupplyPoint)


class Scope(Enum):
    """Which orders a claim looks at."""

    PORT = "port"
    """Those of the meters on one port that go by wire and are due, sales first."""
    ORDER = "order"
    """One of them."""
    READER = "reader"
    """Sales for the card that lies in one reader that are due."""
    METER = "meter"
    """Those of one meter up to one order, also before they are due: a person waits."""
    CARD_ORDER = "card_order"
    """One sale by card: the card lies before the command that sold it."""


def orders() -> Select[Any]:
    """Return the statement for orders with all that their meters are asked for."""
    return (
        select(
            _ORDER,
            _SALE.c.kind.label("sale_kind"),
            _SALE.c.amount,
            _SALE.c.carrier,
            _METER.c.serial,
            _METER.c.unit,
            _METER.c.port_id,
            _METER.c.epoch.label("meter_epoch"),
            _METER.c.proved_cumulative,
            _PORT.c.url,
            _PORT.c.protocol,
            _POINT.c.number,
        )
        .join(_METER, _METER.c.id == _ORDER.c.meter_id)
        .outerjoin(_PORT, _PORT.c.id == _METER.c.port_id)
        .outerjoin(_SALE, _SALE.c.id == _ORDER.c.sale_id)
        .outerjoin(_AGREEMENT, _AGREEMENT.c.id == _ORDER.c.agreement_id)
        .outerjoin(_POINT, _POINT.c.id == _AGREEMENT.c.point_id)
        .order_by(_ORDER.c.id)
    )


def _waits() -> ColumnElement[bool]:
    """Return the condition that an order can be begun, or has to be settled by this journal."""
    live = _ORDER.alias("live")
    has_live = exists().where(live.c.meter_id == _ORDER.c.meter_id, live.c.credit_state.in_(LIVE))
    return or_(
        and_(_ORDER.c.credit_state == SaleState.TAKEN, _METER.c.stopped.is_(None), not_(has_live)),
        and_(_ORDER.c.credit_state == SaleState.UNKNOWN, _ORDER.c.worker_id == bindparam("own")),
        _ORDER.c.command_state.in_((CommandState.QUEUED, CommandState.SILENT)),
    )


def _in_turn() -> ColumnElement[bool]:
    """Return the condition that no order of the meter stands before an order.

    A sale that waits for its card does not wait for others.
    """
    blocked = exists().where(stands_before(_ORDER.alias("before"), _ORDER))
    of_settings = _ORDER.c.parameters[TERMS].as_string().is_not(None)
    any_time = and_(_ORDER.c.kind.in_(ANY_TIME), not_(of_settings))
    return or_(any_time, (_SALE.c.carrier == Carrier.CARD).is_(True), not_(blocked))


def _due() -> dict[Scope, Prepared]:
    """Return the statement of each scope for its next order."""
    base = orders().where(_waits()).limit(1).with_for_update(skip_locked=True, of=_ORDER)
    in_turn, on_time = _in_turn(), _ORDER.c.not_before <= bindparam("now")
    by_wire = or_(
        _SALE.c.id.is_(None),
        _SALE.c.carrier == Carrier.WIRE,
        _ORDER.c.credit_state == SaleState.UNKNOWN,
    )
    to_card = and_(_SALE.c.carrier == Carrier.CARD, _ORDER.c.credit_state == SaleState.TAKEN)
    reader = _ORDER.c.parameters["reader"].as_string()
    fits_card = or_(
        _METER.c.serial == bindparam("serial"),
        and_(bindparam("serial") == "", _SALE.c.kind == SaleKind.OPEN),
    )
    sales_first = case((_ORDER.c.kind == OrderKind.SALE, 0), else_=1)
    due = {
        Scope.PORT: base.where(_METER.c.port_id == bindparam("of"), by_wire, on_time, in_turn)
        .order_by(None)
        .order_by(sales_first, _ORDER.c.id)
        .limit(AT_ONCE),
        Scope.ORDER: base.where(_ORDER.c.id == bindparam("of"), by_wire, on_time, in_turn),
        Scope.READER: base.where(
            to_card, reader.in_((bindparam("name"), bindparam("address"))), fits_card, on_time
        ),
        Scope.METER: base.where(
            _METER.c.id == bindparam("of"),
            _ORDER.c.id > bindparam("after"),
            _ORDER.c.id <= bindparam("upto"),
            by_wire,
            in_turn,
        ),
        Scope.CARD_ORDER: base.where(to_card, _ORDER.c.id == bindparam("of")),
    }
    return {scope: Prepared(statement) for scope, statement in due.items()}


DUE = _due()
OF_KEY = Prepared(orders().where(_ORDER.c.key == bindparam("key")))
LIVE_OF = Prepared(
    orders().where(
        _ORDER.c.worker_id == bindparam("own"),
        or_(_ORDER.c.credit_state.in_(LIVE), _ORDER.c.command_state == CommandState.RUNNING),
    )
)
"""Orders of a journal that may have been sealed and are not settled."""
