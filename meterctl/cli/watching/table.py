"""The picture of a watch of several meters: a row for each, and their events. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meterctl.cli.output import item_text
from meterctl.cli.watching.facts import money_unit, supply_words, warning_words
from meterctl.cli.watching.load_history import ASCII_BARS, BARS, bars
from meterctl.cli.watching.parts import event_lines, foot, notice_lines, reason_lines, state_lines
from meterctl.cli.watching.pen import Pen, Word
from meterctl.cli.watching.values import values_of
from meterctl.cli.watching.views import MeterView, WatchView
from meterctl.errors import NoAnswerError
from meterctl.operations.present_rate import DAYS_AT_PRESENT_RATE
from protocols.data_model import items
from protocols.replacements import has

if TYPE_CHECKING:
    from rich.text import Text

_NAME_WIDTH = 9
"""Columns of the unit number before the values."""
_LEAST_COURSE = 8
"""Columns below which the course of the load is left out."""
MOST_EVENT_LINES = 8


def table(watch: WatchView, width: int, height: int, encoding: str, now_ms: int) -> list[Text]:
    """Return the lines of several meters, at most `height`; what does not fit is counted."""
    pen = Pen(width, encoding)
    meters = [*watch.meters.values()]
    has_events = any(meter.events for meter in meters)
    lines = [pen.line((f"{len(meters)} meters on {watch.port}", "bold"))]
    lines += notice_lines(watch, pen)
    room = height - len(lines) - 2 - (4 if has_events and height > 12 else 0)
    left = len(meters)
    for meter in meters:
        rows = _rows(watch, meter, replace(pen, fades=meter.failure is not None), now_ms)
        if len(rows) > room:
            break
        lines += rows
        room -= len(rows)
        left -= 1
    if left:
        lines.append(pen.line((f"{left} more: the screen is too low", "yellow")))
    lines += event_lines(meters, pen, min(height - len(lines) - 1, MOST_EVENT_LINES))
    return [*lines[: height - 1], foot(watch, pen)]


def _rows(watch: WatchView, meter: MeterView, pen: Pen, now_ms: int) -> list[Text]:
    """Return the lines of a meter: its number and values, or since when it is silent."""
    name = f"unit {meter.unit}".ljust(_NAME_WIDTH)
    below = (" " * _NAME_WIDTH, "")
    states = _state_words(meter, replace(pen, width=max(pen.width - _NAME_WIDTH, 1)), now_ms)
    if meter.reading is None:
        lit = replace(pen, fades=False)
        return [
            lit.line(below if number else (name, "bold"), word)
            for number, word in enumerate(states)
        ]
    values = values_of(meter.reading)
    words: list[Word] = [(meter.reading.meter.serial_number or "", "bold")]
    if watch.named:
        words += [
            (f"{item.name} {item_text(item, values[item], meter.reading.offset_at)}", "")
            for item in watch.named
            if item in values
        ]
    else:
        words += supply_words(values)
        if values.get(items.AVAILABLE_CREDIT) is not None:
            credit = items.AVAILABLE_CREDIT.kind.text(values[items.AVAILABLE_CREDIT])
            words.append((f"{credit}{money_unit(values)}", "bold"))
        if values.get(DAYS_AT_PRESENT_RATE) is not None:
            words.append(
                (f"{item_text(DAYS_AT_PRESENT_RATE, values[DAYS_AT_PRESENT_RATE], 0)} left", "")
            )
        if values.get(items.ACTIVE_POWER) is not None:
            words.append((item_text(items.ACTIVE_POWER, values[items.ACTIVE_POWER], 0), ""))
        words += [word for word in warning_words(meter.reading) if word[0] != "none"]
    lines = pen.pair(name, [word for word in words if word[0]], _NAME_WIDTH)
    used = lines[-1].cell_len
    if meter.load.low is not None and pen.width - used - 2 >= _LEAST_COURSE:
        glyphs = BARS if has(pen.encoding, BARS) else ASCII_BARS
        (drawn,) = bars(meter.load.means(pen.width - used - 2), 1, glyphs)
        lines[-1].append(f"  {drawn}", "cyan")
    if meter.failure is not None:
        lines += [pen.line(below, word) for word in states]
    return lines


def _state_words(meter: MeterView, pen: Pen, now_ms: int) -> list[Word]:
    """Return a line each: since when a meter is silent, or why its answer is none."""
    words = [(state_lines(meter, pen, now_ms)[0].plain, "bold red" if meter.failure else "yellow")]
    if meter.failure is not None and not isinstance(meter.failure.error, NoAnswerError):
        words += [(line.plain, "red") for line in reason_lines(meter.failure, pen)]
    return words
