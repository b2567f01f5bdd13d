"""The picture of a watch at a terminal: lines for a size and an encoding. Pure.

Where the screen is too low, what matters least is left out; where there is room, more events and a
higher course of the load are shown. No number is cut on a screen of 40 columns and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum, auto
from typing import TYPE_CHECKING

from meterctl.cli.output import item_text
from meterctl.cli.watching.facts import (
    account_words,
    clock_words,
    credit_words,
    display,
    energy_words,
    lamp_words,
    power_rows,
    price_words,
    supply_words,
    warning_words,
)
from meterctl.cli.watching.load_history import ASCII_BARS, BARS, bars
from meterctl.cli.watching.parts import (
    age,
    clock_time,
    event_lines,
    foot,
    notice_lines,
    state_lines,
)
from meterctl.cli.watching.pen import NAME_WIDTH, Pen, Section, Word, beside, fitted
from meterctl.cli.watching.values import absent_phases, values_of
from meterctl.cli.watching.views import MeterView, WatchView
from protocols.data_model import items
from protocols.replacements import has

if TYPE_CHECKING:
    from rich.text import Text

SIDE_BY_SIDE = 72
"""Columns from which on the display is beside the facts."""
DISPLAY_LINES = 16
"""Lines of a screen from which on there is a display."""
EVENT_LINES = 12
"""Lines of a screen from which on events have room of their own."""
OTHER_LINES = 16
"""Lines of a picture beside its events, on a screen of 80 columns."""
_DISPLAY_WIDTH = 30
_LEAST_EVENTS = 3
_MOST_BAR_ROWS = 6
_ENOUGH_EVENTS = 8
"""Events beyond which room goes to the course of the load first."""


def picture(watch: WatchView, width: int, height: int, encoding: str, now_ms: int) -> list[Text]:
    """Return the lines of a watch, at most `height`, at an instant of the host's clock."""
    if len(watch.meters) > 1:
        from meterctl.cli.watching.table import table  # most watches are of one meter

        return table(watch, width, height, encoding, now_ms)
    (meter,) = watch.meters.values()
    pen = Pen(width, encoding)
    fixed = _sections(watch, meter, pen, height, now_ms)
    kept = fitted(fixed, height - (_LEAST_EVENTS if meter.events and height >= EVENT_LINES else 0))
    room = height - sum(len(section.lines) for section in kept)
    wanted = min(len(meter.events) + 1, _ENOUGH_EVENTS) if meter.events else 0
    rows = max(1, min(_MOST_BAR_ROWS, 1 + room - wanted))
    has_load = any(section.weight == Weight.LOAD for section in kept)
    if rows > 1 and has_load:
        load = Section(Weight.LOAD, _load_lines(meter, _faded(pen, meter), rows))
        kept = [load if section.weight == Weight.LOAD else section for section in kept]
        room = height - sum(len(section.lines) for section in kept)
    *above, last = [line for section in kept for line in section.lines]
    return [*above, *event_lines([meter], pen, room), last][:height]


class Weight(IntEnum):
    """What is left out first where the screen is too low."""

    DISPLAY = auto()
    ENERGY = auto()
    LAMPS = auto()
    ACCOUNT = auto()
    PRICE = auto()
    LOAD = auto()
    PHASES = auto()
    NOTICE = auto()
    WARNINGS = auto()
    CLOCK = auto()
    POWER = auto()
    CREDIT = auto()
    SUPPLY = auto()
    ITEMS = auto()
    OTHER_METER = auto()
    FOOT = auto()
    STATE = auto()
    HEAD = auto()


def _sections(
    watch: WatchView, meter: MeterView, pen: Pen, height: int, now_ms: int
) -> list[Section]:
    """Return the sections in their order, the events left out."""
    found = [
        Section(Weight.HEAD, _head(watch, meter, pen)),
        Section(Weight.STATE, state_lines(meter, pen, now_ms)),
        Section(Weight.OTHER_METER, _note(meter, pen)),
    ]
    faded = _faded(pen, meter)
    if meter.reading is not None and watch.named:
        found.append(Section(Weight.ITEMS, _item_lines(watch, meter, faded)))
    elif meter.reading is not None:
        found += _facts(meter, faded, height)
    if meter.load.low is not None:
        found.append(Section(Weight.LOAD, _load_lines(meter, faded, 1)))
    found.append(Section(Weight.NOTICE, notice_lines(watch, pen)))
    found.append(Section(Weight.FOOT, [foot(watch, pen)]))
    return [section for section in found if section.lines]


def _faded(pen: Pen, meter: MeterView) -> Pen:
    return replace(pen, fades=meter.failure is not None)


def _facts(meter: MeterView, pen: Pen, height: int) -> list[Section]:
    """Return the sections of what a meter shows."""
    assert meter.reading is not None
    reading, values = meter.reading, values_of(meter.reading)
    shown = display(values) if height >= DISPLAY_LINES else None
    is_beside = shown is not None and pen.width >= SIDE_BY_SIDE
    side = replace(pen, width=pen.width - _DISPLAY_WIDTH - 4) if is_beside else pen
    facts = [
        Section(weight, side.pair(name, words))
        for weight, name, words in (
            (Weight.SUPPLY, "supply", supply_words(values)),
            (Weight.LAMPS, "lamps", lamp_words(values, side)),
            (Weight.ACCOUNT, "account", account_words(values)),
            (Weight.CLOCK, "clock", clock_words(reading)),
        )
        if words
    ]
    found: list[Section] = []
    if shown is not None:
        label, rows, style = shown
        box = pen.boxed(rows, label, _DISPLAY_WIDTH, style)
        if is_beside:
            right = [line for section in facts for line in section.lines]
            found.append(Section(Weight.SUPPLY, beside(box, right, _DISPLAY_WIDTH + 4)))
            facts = []
        else:
            found.append(Section(Weight.DISPLAY, box))
    found += facts
    pairs: list[tuple[int, str, Sequence[Word]]] = [
        (Weight.CREDIT, "credit", credit_words(values)),
        *(
            (Weight.PHASES if number else Weight.POWER, name, words)
            for number, (name, words) in enumerate(power_rows(values))
        ),
        (Weight.ENERGY, "energy", energy_words(values)),
        (Weight.PRICE, "price", price_words(values)),
        (Weight.WARNINGS, "warnings", warning_words(reading)),
    ]
    return [
        *found,
        *(Section(weight, pen.pair(name, words)) for weight, name, words in pairs if words),
    ]


def _head(watch: WatchView, meter: MeterView, pen: Pen) -> list[Text]:
    serial = meter.reading.meter.serial_number if meter.reading is not None else None
    name = f"meter {serial}  unit {meter.unit}" if serial else f"unit {meter.unit}"
    room = pen.width - len(name) - 2
    port = (
        watch.port
        if len(watch.port) <= room
        else f"...{watch.port[3 - room :]}"
        if room > 8
        else ""
    )
    return [pen.line((name, "bold"), (port.rjust(pen.width - len(name)), "dim"))]


def _note(meter: MeterView, pen: Pen) -> list[Text]:
    """Return what is said of a meter that came in the place of another."""
    if meter.before is None or meter.reading is None:
        return []
    return pen.paragraph(
        f"another meter since {clock_time(meter.changed_ms)}: {meter.reading.meter}, before it was "
        f"{meter.before}; load, events and days left begin with it",
        "yellow",
    )


def _item_lines(watch: WatchView, meter: MeterView, pen: Pen) -> list[Text]:
    """Return the items that were named, one below the other."""
    assert meter.reading is not None
    reading = meter.reading
    values = values_of(reading)
    absent = absent_phases(values)
    wanted = [item for item in watch.named if item in values and item not in absent]
    texts = [(item.name, item_text(item, values[item], reading.offset_at)) for item in wanted]
    longest = max((len(name) for name, _ in texts), default=0) + 2
    lines: list[Text] = []
    for name, text in texts:
        if longest + len(text) <= pen.width:
            lines.append(pen.line((name.ljust(longest), "bold"), (text, "")))
        else:
            lines += [pen.line((name, "bold")), *pen.pair("  ", [(text, "")], 2)]
    return lines


def _load_lines(meter: MeterView, pen: Pen, rows: int) -> list[Text]:
    """Return the course of the load as bars, and its extent."""
    load, item = meter.load, meter.plotted
    assert item is not None
    assert load.low is not None
    assert load.high is not None
    glyphs = BARS if has(pen.encoding, BARS) else ASCII_BARS
    drawn = bars(load.means(max(pen.width - NAME_WIDTH, 1)), rows, glyphs)
    name = "load" if item is items.ACTIVE_POWER else "course"
    lines = [
        pen.line(((name if not number else "").ljust(NAME_WIDTH), "bold"), (row, "cyan"))
        for number, row in enumerate(drawn)
    ]
    low, high = item.kind.text(load.low), item_text(item, load.high, 0)
    extent: list[Word] = [(f"{low} to {high}", ""), (f"in {age(load.duration_ms)}", "")]
    if item is not items.ACTIVE_POWER:
        extent.insert(0, (item.name, ""))
    return [*lines, *pen.pair("", extent)]
