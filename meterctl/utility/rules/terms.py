"""The terms of an agreement: settings of its meter, its tariff, how the customer buys (UTILITY 6).

In a file (TOML) and for people a term has the name and the text of its item: `max_credit =
"300.00"`, `power_limit_kw = "4"`. In JSON money is whole 0.01 and power whole mW, under the names
of the fields here. Ranges, and rules between settings, are those of the meter
(`protocols.data_model`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from meterctl.utility.errors import Invalid
from protocols.data_model import items
from protocols.data_model.items import MONEY_UNIT, Item, settable
from protocols.data_model.kinds import Boolean, Choice
from protocols.data_model.limit_rules import limit_problems
from protocols.errors import QuantityError
from protocols.quantities import CENT
from protocols.toml_text import parse_toml, with_lines
from protocols.toml_values import ConfigurationError, Reader, Words, read_all, reader_of


class WayOfBuying(StrEnum):
    """How credit reaches the customer's meter."""

    WIRE = "wire"
    CARD = "card"


class Terms(BaseModel):
    """The terms of one version of an agreement. Money in 0.01, power in mW; None is off.

    Raises:
        ValidationError: unknown names, wrong types, values that no meter takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    way_of_buying: str | None = None
    """A `WayOfBuying`; required to sign where credit is kept in the meter."""
    tariff: str | None = None
    """Name of the tariff file that its meter gets; None: the meter keeps the one that it has."""
    tariff_text: str | None = None
    """The text of that file, as it was when the terms were drafted."""

    low_credit_threshold_1: int | None = None
    low_credit_threshold_2: int | None = None
    overdraft_limit: int = 0
    max_credit: int | None = None
    reconnect_threshold: int = 0
    trip_mode: str = "two_stage"
    reconnect_mode: str = "automatic"
    friendly_hours: str = "17:00-09:00"
    friendly_weekends: bool = True
    friendly_holidays: bool = True
    power_limit_mw: int | None = None
    unopened_supply: str = "disconnected"
    standing_charge: int = 0
    debt_share_percent: int = 0
    debt_instalment: int = 0

    @model_validator(mode="after")
    def _holds_what_meters_take(self) -> Terms:
        if self.way_of_buying is not None and self.way_of_buying not in _WAYS:
            raise ValueError(f"way_of_buying: allowed is {', '.join(_WAYS)}")
        problems = [problem.text for problem in limit_problems(settings_of(self))]
        if problems:
            raise ValueError("; ".join(problems))
        return self


_WAYS = tuple(way.value for way in WayOfBuying)

FIELDS: Mapping[str, Item] = {
    "low_credit_threshold_1": items.LOW_CREDIT_1,
    "low_credit_threshold_2": items.LOW_CREDIT_2,
    "overdraft_limit": items.OVERDRAFT_LIMIT,
    "max_credit": items.MAX_CREDIT,
    "reconnect_threshold": items.RECONNECT_THRESHOLD,
    "trip_mode": items.TRIP_MODE,
    "reconnect_mode": items.RECONNECT_MODE,
    "friendly_hours": items.FRIENDLY_HOURS,
    "friendly_weekends": items.FRIENDLY_WEEKENDS,
    "friendly_holidays": items.FRIENDLY_HOLIDAYS,
    "power_limit_mw": items.POWER_LIMIT,
    "unopened_supply": items.UNOPENED_SUPPLY,
    "standing_charge": items.STANDING_CHARGE,
    "debt_share_percent": items.DEBT_SHARE,
    "debt_instalment": items.DEBT_INSTALMENT,
}
"""The setting of a meter that a field of the terms is."""
WITHOUT_ACCOUNT = ("power_limit_mw", "unopened_supply")
"""The fields that a meter gets whose account stays unopened (modes `account` and `bill`)."""


def default_terms(*, in_meter: bool) -> Terms:
    """Return the terms before a person has written any.

    Args:
        in_meter: the credit is kept in the meter (mode `meter`); else its account stays unopened,
            and it supplies all the same.
    """
    return Terms(unopened_supply="disconnected" if in_meter else "connected")


def settings_of(terms: Terms) -> dict[Item, Any]:
    """Return the value of each setting as a meter holds it."""
    return {item: _held(item, getattr(terms, name)) for name, item in FIELDS.items()}


def limits_of(terms: Terms, *, in_meter: bool) -> dict[Item, Any]:
    """Return the settings of the `limits` command that brings the terms to the meter."""
    return {FIELDS[name]: settings_of(terms)[FIELDS[name]] for name in _sent(in_meter=in_meter)}


def _sent(*, in_meter: bool) -> tuple[str, ...]:
    return tuple(FIELDS) if in_meter else WITHOUT_ACCOUNT


def _held(item: Item, value: Any) -> Any:
    """Return a field's value as the meter holds the setting; raises ValueError."""
    if value is None:
        return None
    if item.unit == MONEY_UNIT:
        return value * CENT
    if isinstance(value, str):
        try:
            return item.kind.parse(value)
        except QuantityError as error:
            raise ValueError(f"{item.name}: {error}") from error
    return int(value)


def _kept(item: Item, value: Any) -> Any:
    """Return a setting as a field's value."""
    if value is None:
        return None
    if item.unit == MONEY_UNIT:
        return value // CENT
    if isinstance(item.kind, Boolean):
        return bool(value)
    return item.kind.text(value) if isinstance(item.kind, Choice | items.Windows) else value


def terms_of_meter(read: Mapping[Item, Any], **further: Any) -> Terms:
    """Return the terms that a meter has, for an agreement that is taken over.

    Args:
        read: its settings; one that it does not show has its default.
        further: fields that no meter has, such as `way_of_buying`.

    Raises:
        Invalid: code `terms`.
    """
    values = {name: _kept(item, read[item]) for name, item in FIELDS.items() if item in read}
    return terms_of_json({**values, **further})


def terms_of_json(values: Mapping[str, Any]) -> Terms:
    """Return terms as they are stored; raises Invalid (`terms`) and names each mistake."""
    try:
        return Terms.model_validate(dict(values))
    except ValidationError as error:
        told = "; ".join(_told(each) for each in error.errors())
        raise Invalid("terms", f"terms: {told}; nothing was changed") from error


def _told(problem: Mapping[str, Any]) -> str:
    """Return a problem of pydantic in one line; one of ours names its term already."""
    ours = problem.get("ctx", {}).get("error")
    return str(ours) if ours else f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def json_of_terms(terms: Terms) -> dict[str, Any]:
    """Return terms as they are stored."""
    return terms.model_dump()


def _tariff_name(place: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{place} = {value!r}: allowed is the name of a tariff")
    return value.strip()


_NAMES = {item.name: name for name, item in FIELDS.items()}
_READERS: dict[str, Reader] = {
    "way_of_buying": reader_of(Words({way: way for way in _WAYS})),
    "tariff": _tariff_name,
    **{item.name: reader_of(settable(item)) for item in FIELDS.values()},
}


def read_terms(text: str, *, in_meter: bool) -> Terms:
    """Return the terms of a file (TOML); a term that it leaves out has its default.

    Args:
        in_meter: see `default_terms`.

    Raises:
        Invalid: code `terms`; each mistake is named with its line.
    """
    try:
        values = read_all((_READERS, parse_toml(text)))
    except QuantityError as error:
        raise Invalid("terms", f"terms: {error}") from error
    except ConfigurationError as error:
        raise Invalid("terms", "\n".join(with_lines(str(error).split("\n"), text))) from error
    return _terms_of(values, in_meter=in_meter)


def terms_of_texts(texts: Mapping[str, Any], *, in_meter: bool) -> Terms:
    """Return terms from the names and values of their file, as `read_terms`.

    Raises:
        Invalid: code `terms`; each mistake is named.
    """
    try:
        return _terms_of(read_all((_READERS, dict(texts))), in_meter=in_meter)
    except (ConfigurationError, QuantityError) as error:
        raise Invalid("terms", f"terms: {error}; nothing was changed") from error


def _terms_of(values: Mapping[str, Any], *, in_meter: bool) -> Terms:
    """Return the terms of values that were read; raises Invalid."""
    given = {
        _NAMES.get(name, name): _kept(FIELDS[_NAMES[name]], value) if name in _NAMES else value
        for name, value in values.items()
    }
    terms = terms_of_json({**json_of_terms(default_terms(in_meter=in_meter)), **given})
    if not in_meter and terms.unopened_supply != "connected":
        raise Invalid(
            "terms",
            "terms: unopened_supply = disconnected would leave the customer without supply, for "
            "only a meter that keeps the credit is opened; write connected",
        )
    return terms


def shown_terms(terms: Terms) -> Iterator[tuple[str, str]]:
    """Return the name and the text of each term that is set, in their order."""
    for name in ("way_of_buying", "tariff"):
        if getattr(terms, name) is not None:
            yield name, getattr(terms, name)
    for name, item in FIELDS.items():
        yield item.name, item.kind.text(_held(item, getattr(terms, name)))


def missing_to_sign(terms: Terms, *, in_meter: bool) -> list[str]:
    """Return the terms that are required to sign and not given (UTILITY 6 S3)."""
    if not in_meter:
        return []
    needed = ("way_of_buying", "low_credit_threshold_1")
    return [name for name in needed if getattr(terms, name) is None]


def settings_read(texts: Mapping[str, str]) -> dict[Item, Any]:
    """Return settings as they were read from a meter, from the name and the text of each."""
    items_of = {items.BY_NAME[name]: text for name, text in texts.items() if name in items.BY_NAME}
    return {item: item.kind.parse(text) for item, text in items_of.items()}


class Difference(NamedTuple):
    """A term that its meter has otherwise: both as text; `found` is None if it does not show it."""

    name: str
    agreed: str
    found: str | None


def differences(terms: Terms, read: Mapping[Item, Any], *, in_meter: bool) -> list[Difference]:
    """Return the terms that differ from the settings read from the meter."""
    found = []
    for item, agreed in limits_of(terms, in_meter=in_meter).items():
        if item not in read:
            found.append(Difference(item.name, item.kind.text(agreed), None))
        elif read[item] != agreed:
            text = item.kind.text(read[item])
            found.append(Difference(item.name, item.kind.text(agreed), text))
    return found
