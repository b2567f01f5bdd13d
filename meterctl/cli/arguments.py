"""Options that several commands take, and the values of their texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from meterctl.errors import UsageError
from meterctl.named_files import read_named
from protocols.data_model import items
from protocols.errors import QuantityError
from protocols.quantities import SECOND, parse_amount, parse_duration

PayeeOption = Annotated[
    str | None,
    typer.Option(
        "--meter", help="Serial number of the payee, 12 digits: another meter is refused."
    ),
]
SetBackOption = Annotated[
    bool,
    typer.Option(
        "--set-back",
        help="Accept that the meter was set back: its proved state is reset.",
    ),
]
SaleOption = Annotated[
    str | None,
    typer.Option("--sale", help="Your own key of this sale: the same key again is the same sale."),
]
ValidForOption = Annotated[
    str | None,
    typer.Option(
        "--valid-for",
        help="How long the meter may take the command, in its elapsed time, such as 5m.",
    ),
]


def serial_number(text: str | None) -> str | None:
    """Return the serial number of --meter, None without one; raises QuantityError."""
    return None if text is None else str(items.SERIAL_NUMBER.kind.parse(text))


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


def text_of(path: Path) -> str:
    """Return the text of a file; raises UsageError, which does not name it."""
    return read_named(path).text


def cents_of(text: str, unchanged: str, *, zero: bool = False) -> int:
    """Return an amount in 0.01; raises UsageError, whose text ends with `unchanged`."""
    try:
        return parse_amount(text, zero=zero)
    except QuantityError as error:
        raise UsageError(f"{error}; {unchanged}") from error


def with_settings(port: str | None, given: Mapping[str, str | None]) -> str | None:
    """Return a port with settings that were given as options; raises UsageError for a TCP port."""
    settings = [f"{key}={value}" for key, value in given.items() if value is not None]
    if port is None or not settings:
        return port
    if port.startswith("tcp://"):
        raise UsageError(f"port {port}: a TCP port has no {' and no '.join(settings)}")
    return port + ("&" if "?" in port else "?") + "&".join(settings)
