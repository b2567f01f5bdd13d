"""The table of settings."""

from __future__ import annotations

import pytest

from meterctl.utility.errors import Invalid
from meterctl.utility.rules.law import (
    BILL_DUE,
    CASH_LIMIT,
    SETTINGS,
    parse_value,
    setting,
    shown_value,
)


@pytest.mark.parametrize("code", SETTINGS)
def test_a_default_is_allowed_and_reads_as_it_is_shown(code: str) -> None:
    definition = setting(code)
    assert definition.lowest <= definition.default <= definition.highest
    shown = shown_value(definition, definition.default)
    assert parse_value(definition, shown) == definition.default
    assert definition.meaning.endswith(".")
    assert definition.source


def test_values_are_read_in_their_type() -> None:
    assert (parse_value(CASH_LIMIT, "12.5"), parse_value(BILL_DUE, "20d")) == (12_50, 20)
    for definition, text in ((BILL_DUE, "400"), (BILL_DUE, "1.5"), (CASH_LIMIT, "-0.01")):
        with pytest.raises(Invalid):
            parse_value(definition, text)


def test_an_unknown_setting_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(Invalid, match="there is no setting 'cash_limt'; did you mean cash_limit"):
        setting("cash_limt")
