"""Values of a call as the words that the programs take."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal


def written(value: object) -> str:
    """Return a value as a person would type it: a number, a date, a moment or a word."""
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)
