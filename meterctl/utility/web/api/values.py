"""What the API makes of the desk's values: amounts are texts with two decimals, instants texts.

An amount in exact units stands twice, as the command line has it: cut to two decimals under the
plain name, and whole, with ten decimals, under `NAME_exact`.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from datetime import date
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, Field, Strict, StringConstraints, create_model
from pydantic.json_schema import WithJsonSchema

from meterctl.utility.rules.calendar import moment_text
from meterctl.utility.rules.units import Unit, fields_of
from meterctl.utility.services.sheets.figures import Figures, unit_of
from protocols.errors import QuantityError
from protocols.quantities import (
    CENT,
    LEDGER_DECIMALS,
    format_money,
    parse_amount,
    parse_duration,
)

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL has no text with that character."""
Text = Annotated[str, StringConstraints(max_length=2_000, pattern=NO_NUL)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
"""A name or a number of something."""
LARGEST_FILE = 10_000_000
FileText = Annotated[str, StringConstraints(max_length=LARGEST_FILE, pattern=NO_NUL)]

_AMOUNT = {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,2})?$", "examples": ["50.00"]}
_SENT = r"^-?[0-9]+\.[0-9]{2}$"
_SENT_EXACT = r"^-?[0-9]+\.[0-9]{10}$"
_MOMENT = {"type": "string", "format": "date-time"}


def _amount(value: object, *, zero: bool) -> int:
    if not isinstance(value, str):
        raise ValueError('an amount is a text such as "50.00"')
    try:
        return parse_amount(value, zero=zero)
    except QuantityError as error:
        raise ValueError(str(error)) from error


def _positive(value: object) -> int:
    return _amount(value, zero=False)


def _not_negative(value: object) -> int:
    return _amount(value, zero=True)


def _base64(value: object) -> bytes:
    if not isinstance(value, str) or len(value) > LARGEST_FILE:
        raise ValueError(f"Base64 of at most {LARGEST_FILE} characters is needed")
    try:
        return b64decode(value, validate=True)
    except ValueError as error:
        raise ValueError("it is no Base64") from error


def _duration(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('a time is a text such as "1d"')
    try:
        return parse_duration(value)
    except QuantityError as error:
        raise ValueError(str(error)) from error


AmountIn = Annotated[int, BeforeValidator(_positive), WithJsonSchema(_AMOUNT)]
"""An amount above 0.00 in a request: a text, 0.01 within."""
AmountOrZeroIn = Annotated[int, BeforeValidator(_not_negative), WithJsonSchema(_AMOUNT)]
DurationIn = Annotated[
    int,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "examples": ["1d", "90m"]}),
]
"""A time in a request: a text, ms within."""

Flag = Annotated[bool, Strict()]
Number = Annotated[int, Strict(), Field(ge=1, le=2**31 - 1)]
"""The number of a row, or of a version."""
Base64In = Annotated[
    bytes,
    BeforeValidator(_base64),
    WithJsonSchema({"type": "string", "format": "base64", "maxLength": LARGEST_FILE}),
]
"""Bytes in a request: Base64."""

Amount = Annotated[str, Field(pattern=_SENT, examples=["50.00"])]
"""An amount in an answer."""
Exact = Annotated[str, Field(pattern=_SENT_EXACT, examples=["50.0000000000"])]
Moment = Annotated[str, WithJsonSchema(_MOMENT)]
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


def json_of(values: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Return an answer of the desk as JSON values, with its parts and lists."""
    return {name: _shown(value, unit, zone) for name, value, unit in fields_of(values)}


def json_of_figures(figures: Figures, zone: ZoneInfo) -> dict[str, Any]:
    """Return the figures of a sheet as JSON values, by the units that their fields have."""
    of = type(figures)
    return {
        name: _figure(getattr(figures, name), unit_of(of, name), zone) for name in of.model_fields
    }


@cache
def answer_of(figures: type[Figures]) -> type[BaseModel]:
    """Return the model of figures as `json_of_figures` makes them."""
    fields: dict[str, Any] = {
        name: (_sent_type(field.annotation, unit_of(figures, name)), ...)
        for name, field in figures.model_fields.items()
    }
    return create_model(figures.__name__, __doc__=figures.__doc__, **fields)


def _shown(value: Any, unit: Unit | None, zone: ZoneInfo) -> Any:
    if isinstance(value, Mapping):
        return json_of(value, zone)
    if isinstance(value, list | tuple):
        return [_shown(each, None, zone) for each in value]
    return _one(value, unit, zone)


def _figure(value: Any, unit: Unit | None, zone: ZoneInfo) -> Any:
    if isinstance(value, Figures):
        return json_of_figures(value, zone)
    if isinstance(value, tuple):
        return [_figure(each, unit, zone) for each in value]
    return _one(value, unit, zone)


def _one(value: Any, unit: Unit | None, zone: ZoneInfo) -> Any:
    """Return a value that has no parts."""
    if isinstance(value, date):
        return value.isoformat()
    if value is None or unit is None:
        return value
    match unit:
        case Unit.MONEY:
            return format_money(value * CENT)
        case Unit.CUT:
            return format_money(value)
        case Unit.EXACT:
            return format_money(value, LEDGER_DECIMALS)
        case Unit.INSTANT:
            return moment_text(value, zone)


_SENT_TYPES: Mapping[Unit, Any] = {
    Unit.MONEY: Amount,
    Unit.CUT: Amount,
    Unit.EXACT: Exact,
    Unit.INSTANT: Moment,
}


def _sent_type(annotation: Any, unit: Unit | None) -> Any:
    """Return the type of a figure in an answer."""
    parts = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType) and NoneType in parts:
        return _sent_type(parts[0], unit) | None
    if get_origin(annotation) is tuple:
        return list[_sent_type(parts[0], unit)]  # type: ignore[misc]
    if unit is not None:
        return _SENT_TYPES[unit]
    if isinstance(annotation, type) and issubclass(annotation, Figures):
        return answer_of(annotation)
    return Day if annotation is date else annotation
