"""The values of options that several commands take."""

from __future__ import annotations

import pytest

from meterctl.cli.arguments import cents_of, sale_key, serial_number, valid_for_s
from meterctl.errors import UsageError
from protocols.errors import QuantityError


def test_an_amount_is_in_cents_and_zero_only_where_it_may_be() -> None:
    assert cents_of("12.50", "nothing was sold") == 1250
    assert cents_of("0.00", "nothing was sold", zero=True) == 0
    for text in ("0.00", "1.005", "much"):
        with pytest.raises(UsageError, match=r"; nothing was sold$"):
            cents_of(text, "nothing was sold")


def test_an_option_that_is_not_given_has_no_value() -> None:
    assert (serial_number(None), sale_key(None), valid_for_s(None)) == (None, "", None)


def test_a_serial_number_has_12_digits() -> None:
    assert serial_number("000000000042") == "000000000042"
    with pytest.raises(QuantityError):
        serial_number("forty-two")


def test_a_sale_key_is_checked() -> None:
    assert sale_key("2026-11-0001") == "2026-11-0001"
    with pytest.raises(UsageError):
        sale_key("")


def test_a_command_lives_at_least_a_second() -> None:
    assert valid_for_s("5m") == 300
    with pytest.raises(UsageError, match="at least 1s is allowed"):
        valid_for_s("0s")
