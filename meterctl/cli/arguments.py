"""Options that several commands take, and the values of their texts."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Annotated

from meterctl.errors import UsageError
from meterctl.named_files import read_named
from protocols.command_line import Option
from protocols.data_model import items
from protocols.errors import QuantityError
from protocols.named_files import MAX_SIZE
from protocols.quantities import SECOND, parse_amount, parse_duration

PayeeOption = Annotated[
    str | None,
    Option(
        "--meter",
        metavar="SERIAL",
        help="Serial number of the meter that is meant, 12 digits: any other is refused.",
    ),
]
LOOK, SELL, SUPPLY, SET_UP, TRY = "Look", "Sell", "Supply", "Set up", "Try it"
"""The groups of the commands in the help."""
SetBackOption = Annotated[
    bool,
    Option(
        "--set-back",
        help="Accept that the meter was set back to an earlier state: what the journal has proved "
        "of it begins again.",
    ),
]
SaleOption = Annotated[
    str | None,
    Option(
        "--sale",
        metavar="KEY",
        help="Your own name for this sale: the same command with the same KEY again goes on with "
        "the same sale, and sells nothing twice.",
    ),
]
ValidForOption = Annotated[
    str | None,
    Option(
        "--valid-for",
        metavar="TIME",
        help="The meter refuses the command after this time, such as 5m, counted by the meter from "
        "its last answer.",
        show_default="5m, and no limit under the published test key",
    ),
]

_HOST_ITSELF = 255
"""The unit of a TCP host that is the meter itself."""
_ADDRESS = re.compile(r"[\w.-]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}|\d{1,3}(\.\d{1,3}){3}")


def serial_number(text: str | None) -> str | None:
    """Return the serial number of --meter, None without one; raises QuantityError."""
    try:
        return None if text is None else str(items.SERIAL_NUMBER.kind.parse(text))
    except QuantityError as error:
        raise QuantityError(f"--meter: {error}") from error


def require_unit(unit: int, port: str | None) -> None:
    """Refuse a unit number that no meter on a port has; raises UsageError."""
    if not 1 <= unit <= 247 and not (unit == _HOST_ITSELF and (port or "").startswith("tcp://")):
        raise UsageError(f"--unit {unit}: allowed is 1 to 247, and {_HOST_ITSELF} on tcp://")


def sale_key(text: str | None) -> str:
    """Return a sale key, empty without one; raises UsageError as `require_sale_key`."""
    from meterctl.operations.credit import require_sale_key

    return "" if text is None else require_sale_key(text)


def valid_for_s(text: str | None) -> int | None:
    """Return the seconds of --valid-for, None without it; raises UsageError."""
    if text is None:
        return None
    seconds = parse_duration(text) // SECOND
    if seconds < 1:
        raise UsageError(f"--valid-for {text}: at least 1s is allowed; nothing was sealed")
    return seconds


def text_of(path: Path, max_size: int = MAX_SIZE) -> str:
    """Return the text of a file of at most `max_size` bytes; a UsageError does not name it."""
    return read_named(path, max_size).text


def cents_of(text: str, unchanged: str, *, zero: bool = False) -> int:
    """Return an amount in 0.01; raises UsageError, whose text ends with `unchanged`."""
    try:
        return parse_amount(text, zero=zero)
    except QuantityError as error:
        raise UsageError(f"{error}; {unchanged}") from error


def port_of(port: str | None, given: Mapping[str, str | None]) -> str | None:
    """Return a port with settings that were given as options.

    Raises:
        UsageError: settings for a TCP port; an address of one without its tcp://.
    """
    if port is not None and _ADDRESS.fullmatch(port) and not os.path.exists(port):
        address = port if ":" in port else f"{port}:502"
        raise UsageError(f"port {port}: a TCP address begins with tcp://: write tcp://{address}")
    settings = [f"{key}={value}" for key, value in given.items() if value is not None]
    if port is None or not settings:
        return port
    if port.startswith("tcp://"):
        raise UsageError(f"port {port}: a TCP port has no {' and no '.join(settings)}")
    return port + ("&" if "?" in port else "?") + "&".join(settings)


def unit_numbers(text: str, allowed: Container[int], shown: tuple[int, int]) -> list[int]:
    """Return the units of --units such as 1,2,5-9, each once, in their order.

    Args:
        text: numbers and ranges.
        allowed: the numbers that units can have.
        shown: the first and the last of them, for the error.

    Raises:
        UsageError: no such list, or a number that no unit has.
    """
    found: list[int] = []
    for part in text.split(","):
        ends = re.fullmatch(r"\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?", part)
        low, high = (int(ends[1]), int(ends[2] or ends[1])) if ends else (1, 0)
        units = list(range(low, high + 1))
        if not units or low not in allowed or high not in allowed:
            raise UsageError(
                f"--units {text}: allowed are numbers and ranges from {shown[0]} to {shown[1]}, "
                f"such as 1,2,5-9; nothing was sent"
            )
        found += units
    return list(dict.fromkeys(found))
