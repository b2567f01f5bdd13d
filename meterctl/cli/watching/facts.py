"""The facts of a reading as words with a style, for the picture of a watch; what a map lacks is
left out. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from meterctl.cli.output import item_text
from meterctl.cli.watching.big_digits import big_digits
from meterctl.cli.watching.pen import Pen, Word
from meterctl.cli.watching.values import absent_phases
from meterctl.operations.observations import Reading
from meterctl.operations.present_rate import DAYS_AT_PRESENT_RATE
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.words import (
    Cause,
    Status,
    SupplyState,
    account_unit_text,
    cause_words,
    flags,
)
from protocols.quantities import DAY, SECOND, format_duration, format_fixed, format_moment

Values = Mapping[Item, Any]

_SUPPLY_STYLES = {
    SupplyState.CONNECTED: "bold green",
    SupplyState.READY_FOR_RECONNECTION: "bold yellow",
    SupplyState.DISCONNECTED: "bold red",
}
_HARMLESS = Status.GUARANTEE | Status.MORATORIUM | Status.FRIENDLY_WINDOW | Status.TARIFF_PENDING
"""Bits of the status that are no fault and no danger."""
_CLOCK_TOLERANCE_MS = 2 * SECOND
"""A difference of the clocks below it may be the time that a reading takes."""
_DISPLAYED = (
    (items.AVAILABLE_CREDIT, "credit"),
    (items.ENERGY_IMPORT, "import"),
    (items.ACTIVE_POWER, "power"),
)
"""What a display shows: the first of these that the meter has."""


def display(values: Values) -> tuple[str, list[str], str] | None:
    """Return label, rows and style of the display: the credit, else the energy or the power."""
    shown = next((pair for pair in _DISPLAYED if values.get(pair[0]) is not None), None)
    if shown is None:
        return None
    item, label = shown
    value, style = values[item], _supply_style(values.get(items.SUPPLY_STATE))
    if item is items.AVAILABLE_CREDIT:
        name = "overdraft" if value < 0 else label
        return f"{name}{money_unit(values)}", big_digits(item.kind.text(value)), style
    return f"{label} {item.unit}", big_digits(format_fixed(value, 6, 2)), style


def money_unit(values: Values) -> str:
    """Return the unit of the account behind a space, empty where it is not known."""
    unit = values.get(items.ACCOUNT_UNIT)
    return "" if unit is None else f" {account_unit_text(unit)}"


def _supply_style(state: int | None) -> str:
    return "bold" if state is None else _SUPPLY_STYLES.get(SupplyState(state), "bold")


def supply_words(values: Values) -> list[Word]:
    """Return the supply state, its causes, and what to top up for it."""
    state, causes = values.get(items.SUPPLY_STATE), values.get(items.SUPPLY_CAUSES)
    words = []
    if state is not None:
        words.append((items.SUPPLY_STATE.kind.text(state), _supply_style(state)))
    elif causes == 0:
        words.append(("no open cause", ""))
    words += [(cause, "red") for cause in cause_words(Cause(causes or 0))]
    amount = values.get(items.AMOUNT_TO_RECONNECT) or 0
    if amount > 0:
        text = items.AMOUNT_TO_RECONNECT.kind.text(amount)
        words.append((f"reconnects with {text}{money_unit(values)}", "yellow"))
    return words


def lamp_words(values: Values, pen: Pen) -> list[Word]:
    """Return the lamps of the meter: pulse, low-credit warning, trip."""
    power, warning = values.get(items.ACTIVE_POWER), values.get(items.LOW_CREDIT_WARNING)
    state = values.get(items.SUPPLY_STATE)
    if warning is None and state is None:
        return []
    lamps = []
    if power is not None:
        lamps.append(pen.lamp("pulse", power != 0, "red"))
    if warning is not None:
        lamps.append(pen.lamp("warning", bool(warning), "yellow"))
    if state is not None:
        lamps.append(pen.lamp("trip", state != SupplyState.CONNECTED, "yellow"))
    return lamps


def account_words(values: Values) -> list[Word]:
    """Return the state of the account, and the debt."""
    words = []
    if values.get(items.ACCOUNT_STATE) is not None:
        words.append((items.ACCOUNT_STATE.kind.text(values[items.ACCOUNT_STATE]), ""))
    debt = values.get(items.DEBT)
    if debt is not None:
        text = f"debt {items.DEBT.kind.text(debt)}{money_unit(values)}"
        words.append((text, "yellow" if debt else ""))
    return words


def clock_words(reading: Reading) -> list[Word]:
    """Return the meter's clock, and how far it is from the host's."""
    clock = reading.values.get(items.CLOCK)
    if not clock:
        return []
    text = format_moment(clock, reading.offset_at(clock))
    words = [(f"{text[:10]} {text[11:19]}{text[23:]}", "")]
    ahead_ms = clock - reading.at_ms
    if abs(ahead_ms) >= _CLOCK_TOLERANCE_MS:
        unit = DAY if abs(ahead_ms) >= DAY else SECOND
        apart = format_duration(abs(ahead_ms) // unit * unit)
        words.append((f"{apart} {'ahead of' if ahead_ms > 0 else 'behind'} this computer", ""))
    return words


def credit_words(values: Values) -> list[Word]:
    """Return the credit, and how long it lasts at the present rate."""
    credit = values.get(items.AVAILABLE_CREDIT)
    if credit is None:
        return []
    style = "bold" if credit > 0 else "bold red"
    words = [(f"{items.AVAILABLE_CREDIT.kind.text(credit)}{money_unit(values)}", style)]
    if DAYS_AT_PRESENT_RATE in values:
        left = values[DAYS_AT_PRESENT_RATE]
        told = "nothing is charged now" if left is None else _days_text(left)
        words.append((told, ""))
    return words


def _days_text(left: int) -> str:
    return f"{DAYS_AT_PRESENT_RATE.kind.text(left)} days left at the present rate"


def power_rows(values: Values) -> Iterator[tuple[str, list[Word]]]:
    """Yield name and words of the power, and of each phase where there are several."""
    absent = absent_phases(values)
    known = [item for item in values if values[item] is not None and item not in absent]
    power = [item for item in (items.ACTIVE_POWER,) if item in known]
    rest = [item for item in (items.POWER_FACTOR, items.FREQUENCY) if item in known]
    phases = [
        [item for item in of_phase if item in known]
        for of_phase in zip(items.ACTIVE_POWERS, items.VOLTAGES, items.CURRENTS, strict=True)
    ]
    if not any(phases[1:]):  # the power of the only phase is the total
        single = [item for item in phases[0] if not power or item is not items.ACTIVE_POWERS[0]]
        yield "power", _quantity_words([*power, *single, *rest], values)
        return
    yield "power", _quantity_words([*power, *rest], values)
    for number, of_phase in enumerate(phases, 1):
        yield f"  L{number}", _quantity_words(of_phase, values)


def _quantity_words(shown: Sequence[Item], values: Values) -> list[Word]:
    return [
        (_with_unit(item, values), "bold" if item is items.ACTIVE_POWER else "") for item in shown
    ]


def _with_unit(item: Item, values: Values) -> str:
    name = "pf " if item is items.POWER_FACTOR else ""
    return name + item_text(item, values[item], 0)


def energy_words(values: Values) -> list[Word]:
    """Return the import energy."""
    energy = values.get(items.ENERGY_IMPORT)
    return [] if energy is None else [(item_text(items.ENERGY_IMPORT, energy, 0), "")]


def price_words(values: Values) -> list[Word]:
    """Return price, rate and step in force; the prices of the rates where that is not known."""
    words = []
    of_rates = {rate: values.get(item) for rate, item in enumerate(items.PRICES, 1)}
    if values.get(items.CURRENT_PRICE) is None and any(of_rates.values()):
        words = [
            (f"rate {rate}: {items.CURRENT_PRICE.kind.text(price)}", "")
            for rate, price in of_rates.items()
            if price is not None
        ]
        words.append((f"{money_unit(values)} per kWh".strip(), ""))
    if values.get(items.CURRENT_PRICE) is not None:
        text = items.CURRENT_PRICE.kind.text(values[items.CURRENT_PRICE])
        words.append((f"{text}{money_unit(values)} per kWh", ""))
    for item, name in ((items.CURRENT_RATE, "rate"), (items.CURRENT_STEP, "step")):
        if values.get(item) is not None:
            words.append((f"{name} {values[item]}", ""))
    return words


def warning_words(reading: Reading) -> list[Word]:
    """Return the bits of the status, and a pending trip with its time."""
    values = reading.values
    status = values.get(items.STATUS)
    if status is None:
        return []
    kind = flags(Status)
    words = [
        (_told(name, values), "" if Status[name.upper()] & _HARMLESS else "bold red")
        for name in kind.names(status)
    ]
    due = values.get(items.TRIP_DUE)
    if values.get(items.TRIP_PENDING) and due:
        text = format_moment(due, reading.offset_at(due))
        causes = " ".join(cause_words(Cause(values[items.TRIP_PENDING])))
        words.append((f"trips at {text[:10]} {text[11:19]} for {causes}", "bold red"))
    return words or [("none", "")]


def _told(name: str, values: Values) -> str:
    """Return the word of a bit of the status, with what the meter shows of it."""
    until, trips = values.get(items.MORATORIUM), values.get(items.OVERLOAD_COUNT)
    if name == "moratorium" and until:
        return f"moratorium until {items.MORATORIUM.kind.text(until)}"
    if name == "overload" and trips:
        return f"overload, {trips} trips"
    return name
