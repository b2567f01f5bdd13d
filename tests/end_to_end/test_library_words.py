"""What the calls of the library take, and the one sentence for what they do not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from firmware_sim import PrepaidMeter, PrepaidMeterError, SerialPair, errors
from firmware_sim.errors import QuantityError


@pytest.fixture(scope="module")
def meter() -> Iterator[PrepaidMeter]:
    with PrepaidMeter() as made:
        yield made


def test_every_error_of_the_library_has_one_root() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), PrepaidMeterError)


def test_an_item_that_does_not_exist_is_one_sentence_with_its_neighbours(
    meter: PrepaidMeter,
) -> None:
    with pytest.raises(QuantityError) as raised:
        meter.value("credit")
    assert str(raised.value).startswith("'credit' is no item: did you mean available_credit, ")
    with pytest.raises(QuantityError, match=r"^'zzz' is no item: `meterctl items` lists them$"):
        meter.value("zzz")


def test_a_fault_of_something_else_is_refused_as_an_unknown_one_is() -> None:
    with SerialPair() as pair:
        for fault in ("reply_lost", "flop"):
            with pytest.raises(QuantityError, match=f"^'?{fault}'? is "):
                pair.inject(fault)
