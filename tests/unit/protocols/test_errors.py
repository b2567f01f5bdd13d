"""The error tree: one root, and Modbus refusals that carry their exception code."""

from __future__ import annotations

import pytest

from protocols import errors


@pytest.mark.parametrize(
    "error",
    [
        errors.QuantityError,
        errors.FrameError,
        errors.MalformedMessageError,
        errors.AuthenticationError,
        errors.ModbusError,
    ],
)
def test_every_error_is_a_protocol_error(error: type[Exception]) -> None:
    assert error.__bases__ == (errors.ProtocolError,)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.IllegalFunctionError, 1),
        (errors.IllegalAddressError, 2),
        (errors.IllegalValueError, 3),
        (errors.DeviceFailureError, 4),
        (errors.ModbusError, 4),
    ],
)
def test_a_modbus_refusal_carries_the_exception_code_of_the_specification(
    error: type[errors.ModbusError], code: int
) -> None:
    assert error.code == code
    assert issubclass(error, errors.ModbusError)


def test_the_exception_codes_of_the_specification_are_all_named() -> None:
    assert sorted(errors.MODBUS_EXCEPTIONS) == [1, 2, 3, 4, 5, 6, 8, 10, 11]
    assert errors.MODBUS_EXCEPTIONS[2] == "illegal data address"
    assert len(set(errors.MODBUS_EXCEPTIONS.values())) == 9
