"""Values as people type them in options and in cells of CSV files."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import TypeVar

from meterctl.utility.errors import Invalid
from protocols.errors import QuantityError
from protocols.quantities import parse_power
from protocols.suggestions import did_you_mean

Word = TypeVar("Word", bound=StrEnum)
_FLAGS = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False, "": False}


def word(words: type[Word], text: str, name: str) -> Word:
    """Return a word of an enum; `name` is what it stands for. Raises Invalid."""
    found = {each.value: each for each in words}.get(text.strip().lower())
    if found is None:
        allowed = [each.value for each in words]
        hint = did_you_mean(text, allowed, f"allowed are {', '.join(allowed)}")
        raise Invalid(name, f"{name} {text!r}: {hint}")
    return found


def day(text: str, name: str) -> date:
    """Return a date from 2026-12-31; raises Invalid."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise Invalid(name, f"{name} {text!r}: write a date as 2026-12-31") from error


def whole(text: str, name: str) -> int:
    """Return a whole number of at most nine digits; raises Invalid."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        raise Invalid(name, f"{name} {text!r}: write a whole number")
    return int(digits)


def flag(text: str, name: str) -> bool:
    """Return whether a cell says yes; an empty one says no. Raises Invalid."""
    found = _FLAGS.get(text.strip().lower())
    if found is None:
        raise Invalid(name, f"{name} {text!r}: write yes or no")
    return found


def power(text: str, name: str) -> int:
    """Return a power in mW from 8kW; raises Invalid."""
    try:
        return parse_power(text)
    except QuantityError as error:
        raise Invalid(name, f"{name}: {error}") from error
