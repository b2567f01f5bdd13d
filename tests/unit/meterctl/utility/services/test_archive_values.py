"""Values that customers and supply points may not have."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from meterctl.utility.errors import DeskError
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.rights import Role
from meterctl.utility.services.archive import customers, points
from meterctl.utility.store.unit_of_work import Actor
from tests.support.desk_founded import ON_SQLITE, FoundedDesk

POINT = partial(
    points.add,
    node="D1", address="1 First street", customer_class=CustomerClass.RESIDENT,
    capacity_mw=8_000_000, route="R1",
)  # fmt: skip


@pytest.fixture
def clerk(desk: FoundedDesk) -> Actor:
    """A clerk of the station."""
    return desk.person("c1", Role.CLERK, "0101")


@ON_SQLITE
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"name": " "}, "name"),
        ({"name": "A", "id_number": "110105194912310021"}, "check_digit"),
        ({"name": "A", "phones": ["call me"]}, "phone"),
        ({"name": "A", "phones": [f"1380013800{n}" for n in range(6)]}, "phone"),
        ({"name": "A", "number": "a b"}, "customer_number"),
    ],
)
def test_a_customers_wrong_values_are_refused(
    desk: FoundedDesk, clerk: Actor, values: dict[str, Any], code: str
) -> None:
    with pytest.raises(DeskError) as refused:
        desk.do(clerk, partial(customers.add, **values))
    assert refused.value.code == code


@ON_SQLITE
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"node": "company"}, "not_allowed"),
        ({"address": ""}, "address"),
        ({"capacity_mw": 0}, "capacity"),
        ({"capacity_mw": 100_000_000}, "capacity_not_yet"),
        ({"read_day": 29}, "read_day"),
        ({"number": "020200000010"}, "check_digit"),
    ],
)
def test_a_points_wrong_values_are_refused(
    desk: FoundedDesk, clerk: Actor, values: dict[str, Any], code: str
) -> None:
    with pytest.raises(DeskError) as refused:
        desk.do(clerk, partial(POINT, **values))
    assert refused.value.code == code
