"""Values of settings: the nearest node's, of its dates the latest."""

from __future__ import annotations

from datetime import date

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from meterctl.utility.model.organisation import Organisation, Setting
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.law import ANY_CLASS, SettingDefinition
from meterctl.utility.store.queries.organisation import numbers_of_path
from meterctl.utility.store.statements import Prepared, rows_of

_SETTINGS = rows_of(Setting).c
_ROWS = Prepared(
    select(
        _SETTINGS.id,
        _SETTINGS.node_id,
        _SETTINGS.customer_class,
        _SETTINGS.from_on,
        _SETTINGS.value,
    ).where(_SETTINGS.code == bindparam("setting"), _SETTINGS.from_on <= bindparam("on"))
)


def value(
    session: Session,
    setting: SettingDefinition,
    node_id: int,
    customer_class: CustomerClass | None,
    on: date,
) -> int:
    """Return the value that a setting has at a node on a date.

    The nearest node that has one wins; at one node a value of the class wins over one of all; of
    those the latest date that is not after `on`, and of one date the row that was written last.
    Where no row holds, it is the default.
    """
    path = session.scalars(select(Organisation.path).where(Organisation.id == node_id)).one()
    return value_on_path(session, setting, path, customer_class, on)


def value_on_path(
    session: Session,
    setting: SettingDefinition,
    path: str,
    customer_class: CustomerClass | None,
    on: date,
) -> int:
    """Return the value that a setting has at the node of a path, as `value` does."""
    upwards = numbers_of_path(path)[::-1]
    wanted = (ANY_CLASS, str(customer_class or ANY_CLASS))
    rows = [
        row
        for row in _ROWS.rows(session.connection(), {"setting": setting.code, "on": on})
        if row.node_id in upwards and row.customer_class in wanted
    ]
    if not rows:
        return setting.default
    nearest = min(
        rows,
        key=lambda row: (
            upwards.index(row.node_id),
            row.customer_class == ANY_CLASS,
            -row.from_on.toordinal(),
            -row.id,
        ),
    )
    return int(nearest.value["value"])
