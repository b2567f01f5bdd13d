"""Tables of a TOML text, for files that a person writes: meters, scenarios, faults, presets."""

from __future__ import annotations

from typing import Any

from protocols.errors import QuantityError


def parse_toml(text: str) -> dict[str, Any]:
    """Return the table of a text; decimals stay text, so that every digit is kept.

    Raises:
        QuantityError: it is not TOML.
    """
    import tomllib  # noqa: PLC0415 - most starts read no file

    try:
        return tomllib.loads(text, parse_float=str)
    # ValueError: tomllib's own error, and that of an integer with too many digits
    except (ValueError, RecursionError) as error:
        raise QuantityError(f"it is not TOML: {error}") from error
