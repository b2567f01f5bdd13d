"""Values as people type them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from meterctl.utility.errors import Invalid
from meterctl.utility.rules import typed_text
from meterctl.utility.rules.rights import Role


def test_values_are_read() -> None:
    assert typed_text.word(Role, " Vendor ", "role") is Role.VENDOR
    assert typed_text.day("2026-12-31", "--from") == date(2026, 12, 31)
    assert typed_text.whole(" 12 ", "unit") == 12
    flags = [typed_text.flag(text, "protected") for text in ("yes", "NO", "", "1")]
    assert flags == [True, False, False, True]
    assert typed_text.power("8kW", "capacity") == 8_000_000


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (lambda: typed_text.word(Role, "vendr", "role"), "role 'vendr': did you mean vendor?"),
        (lambda: typed_text.day("31.12.2026", "--to"), "--to '31.12.2026': write a date as 2026"),
        (lambda: typed_text.whole("-1", "unit"), "unit '-1': write a whole number"),
        (lambda: typed_text.flag("perhaps", "protected"), "protected 'perhaps': write yes or no"),
        (lambda: typed_text.power("8", "capacity"), "capacity: '8' is not a power"),
    ],
)
def test_a_wrong_value_is_named(read: Callable[[], object], error: str) -> None:
    with pytest.raises(Invalid) as refused:
        read()
    assert str(refused.value).startswith(error)
