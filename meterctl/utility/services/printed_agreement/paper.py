"""A printed agreement before it is a page: its head, its clauses, its notice, who signs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from protocols.data_model.kinds import PRICE
from protocols.data_model.tariff import DayTables
from protocols.quantities import CENT, format_fixed, format_money


class Part(NamedTuple):
    """A clause, or a part of the notice: its heading and its sentences, in lines."""

    heading: str
    text: str


class Pair(NamedTuple):
    """A name and its value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class AgreementPaper:
    """A sheet of one language (BCP 47)."""

    language: str
    title: str
    subject: str
    head: Sequence[Pair]
    clauses: Sequence[Part]
    signatures: Sequence[str]
    signed_on: str
    notice_title: str
    notice: Sequence[Part]


def money(amount: int) -> str:
    """Return an amount in 0.01 with two decimals."""
    return format_money(amount * CENT)


def kilowatts(power_mw: int) -> str:
    """Return a power in kW without needless decimals."""
    text = format_fixed(power_mw, 6, 6)
    return text.rstrip("0").rstrip(".")


def kilowatt_hours(energy_mwh: int) -> str:
    """Return an energy in kWh without needless decimals."""
    return kilowatts(energy_mwh)


def price(value: int) -> str:
    """Return a price a kWh with its four decimals."""
    return PRICE.text(value)


def times(tables: DayTables) -> str | None:
    """Return from when which rate holds on every day; None: days differ."""
    if len(tables.tables) != 1:
        return None
    return ", ".join(
        f"{minute // 60:02d}:{minute % 60:02d} {rate}" for minute, rate in tables.tables[0]
    )
