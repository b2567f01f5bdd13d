"""What reading back found is told with the names, the outcome and the meter."""

from __future__ import annotations

from meterctl.operations.reading_back import found_after_refusal, not_as_asked


def test_after_a_refusal_the_names_that_changed_are_told() -> None:
    assert found_after_refusal([]) == "read back, nothing has changed"
    assert found_after_refusal(["a", "b"]) == "read back, a, b CHANGED all the same"


def test_accepted_and_another_value_names_the_meter_and_the_outcome() -> None:
    error = not_as_asked("000000000001", ["prices"])
    assert str(error) == "meter 000000000001: accepted, but read back prices is not as asked"
    assert (error.outcome, error.serial_number) == ("accepted", "000000000001")
