"""What a watch shows of a meter: the items, and the values of a reading as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from meterctl.cli.output import RESULTS, item_json, item_text
from meterctl.operations.meter_watch import Wanted
from meterctl.operations.observations import (
    AnsweringMeter,
    EventsSeen,
    Failure,
    OtherMeter,
    Reading,
)
from meterctl.operations.present_rate import (
    DAYS_AT_PRESENT_RATE,
    FURTHER_SOURCES,
    SOURCES,
    days_at_present_rate,
)
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.kinds import COUNT
from protocols.data_model.tables import Event
from protocols.quantities import format_moment

DASHBOARD = (
    items.SERIAL_NUMBER,
    items.EPOCH,
    items.METER_TYPE,
    items.ACCOUNT_UNIT,
    items.CLOCK,
    items.UTC_OFFSET,
    items.STATUS,
    items.EVENT_NUMBER,
    items.SUPPLY_STATE,
    items.SUPPLY_CAUSES,
    items.LOW_CREDIT_WARNING,
    items.TRIP_PENDING,
    items.TRIP_DUE,
    items.AMOUNT_TO_RECONNECT,
    items.GUARANTEE,
    items.MORATORIUM,
    items.OVERLOAD_COUNT,
    items.AVAILABLE_CREDIT,
    items.DEBT,
    items.ACCOUNT_STATE,
    *items.VOLTAGES,
    *items.CURRENTS,
    items.ACTIVE_POWER,
    *items.ACTIVE_POWERS,
    items.POWER_FACTOR,
    items.FREQUENCY,
    items.ENERGY_IMPORT,
    items.CURRENT_RATE,
    items.CURRENT_STEP,
    items.CURRENT_PRICE,
    *items.PRICES,
    *FURTHER_SOURCES,
)
"""The items of a watch without an ITEM."""
_KEPT = {items.CURRENT_RATE, items.CURRENT_STEP, items.CURRENT_PRICE, *FURTHER_SOURCES}
_FURTHER = {
    items.POWER_FACTOR: None,
    items.FREQUENCY: None,
    items.ENERGY_IMPORT: items.AVAILABLE_CREDIT,
}
_INSTEAD = dict.fromkeys(items.PRICES, items.CURRENT_PRICE)
LOGGED = (
    items.SUPPLY_STATE,
    items.SUPPLY_CAUSES,
    items.AVAILABLE_CREDIT,
    DAYS_AT_PRESENT_RATE,
    items.ACTIVE_POWER,
    *items.VOLTAGES,
    *items.CURRENTS,
    items.ENERGY_IMPORT,
    items.STATUS,
)
"""The items of a line of a log without an ITEM."""
PASSING = {items.CLOCK, items.ELAPSED}
"""Items that change with time alone: they are no change of a meter."""


def wanted_items(named: Sequence[Item], *, past_events: int) -> Wanted:
    """Return what is read for the items that were named, or for the dashboard without any."""
    if named:
        return Wanted(tuple(dict.fromkeys(named)), past_events=past_events, identity_twice=True)
    return Wanted(DASHBOARD, frozenset(_KEPT), _FURTHER, _INSTEAD, past_events)


def shows_days(shown: Sequence[Item]) -> bool:
    """Return whether the items of a reading tell how long the credit lasts."""
    return all(item in shown for item in SOURCES)


def values_of(reading: Reading) -> dict[Item, object]:
    """Return the values of a reading, and how long the credit lasts where they tell it."""
    values = dict(reading.values)
    if shows_days([*values]):
        values[DAYS_AT_PRESENT_RATE] = days_at_present_rate(values)
    return values


def columns_of(shown: Sequence[Item]) -> list[Item]:
    """Return the items of an object or a row of a watch, of which `shown` are read."""
    return [*shown, *([DAYS_AT_PRESENT_RATE] if shows_days(shown) else [])]


def value_fragments(reading: Reading, shown: Sequence[Item]) -> dict[str, str]:
    """Return the items of a reading as JSON values, null for those without a value."""
    values = values_of(reading)
    return {
        item.name: item_json(item, values.get(item), reading.offset_at)
        for item in columns_of(shown)
    }


def at_text(at_ms: int) -> str:
    """Return an instant of the host's clock, in UTC."""
    return format_moment(at_ms)


def head(unit: int, at_ms: int, record: str) -> dict[str, str]:
    """Return the first keys of every object of a watch."""
    return {"at": f'"{at_text(at_ms)}"', "unit": str(unit), "record": f'"{record}"'}


def reading_fragments(reading: Reading, shown: Sequence[Item]) -> dict[str, str]:
    """Return a reading as an object: the keys of `read`, behind its head."""
    return {
        **head(reading.unit, reading.at_ms, "reading"),
        "answer": '"done"',
        **value_fragments(reading, shown),
    }


def answer_word(failure: Failure) -> str:
    """Return the word of a failed reading (DESIGN 5.3)."""
    return RESULTS.get(failure.error.exit_code, "unknown")


def failure_fragments(failure: Failure) -> dict[str, str]:
    """Return a failed reading as an object."""
    return {
        **head(failure.unit, failure.at_ms, "reading"),
        "answer": f'"{answer_word(failure)}"',
        "since": f'"{at_text(failure.since_ms)}"',
        "message": json.dumps(str(failure.error), ensure_ascii=False),
    }


def other_meter_fragments(other: OtherMeter) -> dict[str, str]:
    """Return the coming of another meter as an object."""
    return {
        **head(other.unit, other.at_ms, "other_meter"),
        **_identity_fragments(other.now),
        "previous_serial_number": json.dumps(other.before.serial_number),
        "previous_epoch": _epoch_json(other.before),
    }


def _identity_fragments(meter: AnsweringMeter) -> dict[str, str]:
    return {"serial_number": json.dumps(meter.serial_number), "epoch": _epoch_json(meter)}


def _epoch_json(meter: AnsweringMeter) -> str:
    return "null" if meter.epoch is None else items.EPOCH.kind.json(meter.epoch)


def event_fragments(seen: EventsSeen, event: Event) -> dict[str, str]:
    """Return an event as an object; `event_at` is the meter's time of it."""
    return {
        **head(seen.unit, seen.at_ms, "event"),
        "serial_number": json.dumps(seen.meter.serial_number),
        "number": COUNT.json(event.number),
        "event_at": event.fragments(seen.offset_at)["at"],
        "event": f'"{event.name}"',
        "elapsed_ms": COUNT.json(event.elapsed_ms),
        **event.detail_fragments(seen.offset_at),
    }


def lost_fragments(seen: EventsSeen) -> dict[str, str]:
    """Return the numbers of events that the meter does not keep any more as an object."""
    return {
        **head(seen.unit, seen.at_ms, "events_lost"),
        "serial_number": json.dumps(seen.meter.serial_number),
        "first": COUNT.json(seen.lost[0]),
        "last": COUNT.json(seen.lost[-1]),
    }


def detail_words(event: Event, seen: EventsSeen) -> str:
    """Return the details of an event as words, each with its name."""
    return " ".join(
        f"{name}={value}".replace('"', "")
        for name, value in event.detail_fragments(seen.offset_at).items()
    )


def logged_words(reading: Reading, shown: Sequence[Item], named: Sequence[Item]) -> list[str]:
    """Return the values of a line of a log, each with its name."""
    values = values_of(reading)
    wanted = named or [item for item in LOGGED if item in columns_of(shown)]
    absent = absent_phases(values)
    return [f"{item.name}={_word(item, values, reading)}" for item in wanted if item not in absent]


def _word(item: Item, values: Mapping[Item, object], reading: Reading) -> str:
    value = values.get(item)
    text = "-" if value is None else item_text(item, value, reading.offset_at)
    return (text.removesuffix(f" {item.unit}") if item.unit else text).replace(" ", ",")


def absent_phases(values: Mapping[Item, object]) -> set[Item]:
    """Return the items of phases that the meter does not have."""
    single = values.get(items.METER_TYPE) == 0
    return {item for item in values if item.phases > 1 and (single or values[item] is None)}
