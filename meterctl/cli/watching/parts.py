"""Lines that the pictures of one meter and of several have in common. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meterctl.cli.watching.pen import Pen
from meterctl.cli.watching.values import answer_word, detail_words
from meterctl.cli.watching.views import MeterView, WatchView
from meterctl.operations.observations import Failure
from protocols.quantities import SECOND, format_duration, format_moment

if TYPE_CHECKING:
    from rich.text import Text

_MOST_REASON_LINES = 6
"""Lines of 40 columns that every reason with its advice fits."""


def state_lines(meter: MeterView, pen: Pen, now_ms: int) -> list[Text]:
    """Return whether a meter answers: since when it does not, and how old its values are."""
    seen, failure = meter.reading, meter.failure
    if failure is None:
        told = (
            "waiting for the first answer" if seen is None else f"answered {clock_time(seen.at_ms)}"
        )
        return [pen.line((told, "green" if seen else "yellow"))]
    word = answer_word(failure).replace("_", " ")
    text = f"{word} since {clock_time(failure.since_ms)}, {age(now_ms - failure.since_ms)}"
    lines = pen.paragraph(text, "bold red")
    if seen is not None:
        lines += pen.paragraph(
            f"the values are of {clock_time(seen.at_ms)}, {age(now_ms - seen.at_ms)} old", "red"
        )
    return [*lines, *reason_lines(failure, pen)]


def reason_lines(failure: Failure, pen: Pen) -> list[Text]:
    """Return why a reading failed, and what to do."""
    return pen.paragraph(str(failure.error), "red")[:_MOST_REASON_LINES]


def notice_lines(watch: WatchView, pen: Pen) -> list[Text]:
    """Return what is said of the port and of a file."""
    notices = [notice for notice in (watch.port_notice, watch.file_notice) if notice]
    return [line for notice in notices for line in pen.paragraph(notice, "yellow")]


def event_lines(meters: Sequence[MeterView], pen: Pen, room: int) -> list[Text]:
    """Return a heading and the newest events that fit, the newest first; nothing without room."""
    found = sorted(
        (pair for meter in meters for pair in meter.events),
        key=lambda pair: (pair[0].at_ms, pair[1].number),
        reverse=True,
    )
    if not found or room < 2:
        return []
    lines = [pen.line(("events", "bold"))]
    for seen, event in found:
        unit = f"unit {seen.unit} " if len(meters) > 1 else ""
        at = format_moment(event.at, seen.offset_at(event.at))
        number = f" {unit}{event.number:>4}  "
        words = [
            (f"{at[5:10]} {at[11:19]}", ""),
            (event.name, "bold"),
            (detail_words(event, seen), ""),
        ]
        told = pen.pair(number, [word for word in words if word[0]], len(number), "dim")
        if len(lines) + len(told) > room:
            break
        lines += told
    return lines


def foot(watch: WatchView, pen: Pen) -> Text:
    """Return the last line: pace and counts."""
    readings = sum(meter.readings for meter in watch.meters.values())
    failures = sum(meter.failures for meter in watch.meters.values())
    failed = f", {failures} failed" if failures else ""
    pace = format_duration(watch.every_ms)
    return pen.line((f"Ctrl-C ends  every {pace}  {readings} readings{failed}", "dim"))


def clock_time(at_ms: int) -> str:
    """Return a time of the host's clock."""
    return f"{format_moment(at_ms)[11:19]}Z"


def age(milliseconds: int) -> str:
    """Return a duration in whole seconds."""
    return format_duration(max(milliseconds, 0) // SECOND * SECOND)
