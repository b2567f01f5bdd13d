"""Settings: the nearest node's value of the latest date; a legal one by two persons."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial

import pytest

from meterctl.utility.errors import Invalid, NotPermitted, Refused
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.law import BILL_DUE, CASH_LIMIT, SettingDefinition
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import settings, tasks
from meterctl.utility.store.queries.organisation import find_node
from meterctl.utility.store.settings import value
from tests.support.desk_founded import ON_SQLITE, FoundedDesk
from tests.support.desk_world import TODAY


def _value(
    desk: FoundedDesk,
    on: date,
    node: str = "D1",
    of_class: CustomerClass | None = None,
    setting: SettingDefinition = CASH_LIMIT,
) -> int:
    with desk.database.reading() as session:
        return value(session, setting, find_node(session, node).id, of_class, on)


def test_the_nearest_node_then_the_class_then_the_latest_date_wins(desk: FoundedDesk) -> None:
    later = TODAY + timedelta(10)
    put = partial(settings.set_value, code="cash_limit")
    desk.do(desk.admin, partial(put, value="100.00", node="0101"))
    desk.do(desk.admin, partial(put, value="200.00", node="0101", from_on=later))
    desk.do(desk.admin, partial(put, value="300.00", from_on=TODAY))
    of_class = CustomerClass.RESIDENT
    desk.do(desk.admin, partial(put, value="50.00", node="0101", customer_class=of_class))
    assert _value(desk, TODAY) == 100_00
    assert _value(desk, later) == 200_00
    assert _value(desk, later, of_class=of_class) == 50_00
    assert _value(desk, later, of_class=CustomerClass.OTHER) == 200_00
    assert _value(desk, TODAY, node="company") == 300_00
    assert _value(desk, TODAY - timedelta(1)) == 20_000_00
    assert _value(desk, date(1990, 1, 1)) == CASH_LIMIT.default


@ON_SQLITE
def test_a_value_of_the_same_date_that_was_written_later_wins(desk: FoundedDesk) -> None:
    for text in ("100.00", "150.00"):
        desk.do(desk.admin, partial(settings.set_value, code="cash_limit", value=text))
    assert _value(desk, TODAY) == 150_00
    with desk.database.reading() as session:
        rows = settings.rows_of(session, desk.admin, "cash_limit")
    assert [row["value"] for row in rows] == ["20000.00", "100.00", "150.00"]


@ON_SQLITE
@pytest.mark.parametrize(
    ("code", "text"),
    [("cash_limit", "-1"), ("cash_limit", "1.005"), ("card_old", "0"), ("card_old", "1.5"),
     ("cash_limits", "1")],
)  # fmt: skip
def test_a_value_that_a_setting_may_not_have_is_refused(
    desk: FoundedDesk, code: str, text: str
) -> None:
    with pytest.raises(Invalid):
        desk.do(desk.admin, partial(settings.set_value, code=code, value=text))


@ON_SQLITE
def test_a_past_date_is_refused(desk: FoundedDesk) -> None:
    with pytest.raises(Invalid, match="is past"):
        desk.do(
            desk.admin,
            partial(settings.set_value, code="card_old", value="9", from_on=TODAY - timedelta(1)),
        )


def test_a_legal_setting_is_written_after_a_second_persons_approval(desk: FoundedDesk) -> None:
    manager = desk.person("m1", Role.COMPANY_MANAGER, "company")
    propose = partial(settings.set_value, code="bill_due", value="20")
    proposed = desk.do(desk.admin, propose)
    assert (proposed["state"], _value(desk, TODAY, setting=BILL_DUE)) == ("proposed", 15)
    with pytest.raises(Refused) as waiting:
        desk.do(desk.admin, propose)
    assert waiting.value.code == "proposed_already"
    with pytest.raises(NotPermitted):
        desk.do(desk.second_admin, lambda work: tasks.approve(work, proposed["task"]))
    desk.now += 2 * 86_400_000
    approved = desk.do(manager, lambda work: tasks.approve(work, proposed["task"]))
    two_days_on = TODAY + timedelta(2)
    assert approved["setting"]["from_on"] == two_days_on.isoformat()
    assert _value(desk, two_days_on, setting=BILL_DUE) == 20
    assert _value(desk, two_days_on - timedelta(1), setting=BILL_DUE) == 15


@ON_SQLITE
def test_all_settings_are_shown_with_their_sources(desk: FoundedDesk) -> None:
    vendor = desk.person("v1", Role.VENDOR, "D1")
    with desk.database.reading() as session:
        shown = {row["code"]: row for row in settings.all_values(session, vendor, "D1", TODAY)}
        assert shown["bill_due"]["legal"]
        assert shown["cash_limit"]["value"] == "20000.00"
        with pytest.raises(NotPermitted):
            settings.all_values(session, vendor, "0101", TODAY)
