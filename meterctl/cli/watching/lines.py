"""A watch in lines: JSON Lines, lines of a log, and rows of a CSV file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from meterctl.cli.output import emit, print_json
from meterctl.cli.watching.values import (
    PASSING,
    answer_word,
    at_text,
    detail_words,
    event_fragments,
    failure_fragments,
    logged_words,
    lost_fragments,
    other_meter_fragments,
    reading_fragments,
)
from meterctl.operations.observations import EventsSeen, Failure, Observation, OtherMeter, Reading
from protocols.command_line.tables import Screen, folded
from protocols.data_model.items import Item
from protocols.quantities import SECOND, format_duration


class Sink(Protocol):
    """Takes what is seen of the meters."""

    def take(self, seen: Observation) -> None:
        """Show it, or keep it."""
        ...


class Changes:
    """Tells readings that differ from the one before of their unit, passing time aside."""

    def __init__(self) -> None:
        self._last: dict[int, object] = {}

    def has(self, seen: Observation) -> bool:
        """Return whether it is news."""
        match seen:
            case Reading():
                values = {i: v for i, v in seen.values.items() if i not in PASSING}
                return self._is_new(seen.unit, values)
            case Failure():
                return self._is_new(seen.unit, answer_word(seen))
            case EventsSeen() | OtherMeter():
                return True

    def _is_new(self, unit: int, what: object) -> bool:
        is_new = unit not in self._last or self._last[unit] != what
        self._last[unit] = what
        return is_new


class OnChange:
    """Passes on only what is news."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self._changes = sink, Changes()

    def take(self, seen: Observation) -> None:
        """Pass it on, or not."""
        if self._changes.has(seen):
            self._sink.take(seen)


class JsonLines:
    """An object for each reading, failed reading, event and other meter."""

    def __init__(self, shown: Sequence[Item]) -> None:
        self._shown = shown

    def take(self, seen: Observation) -> None:
        """Print its objects; raises OutputError."""
        for fragments in self._objects(seen):
            print_json(fragments)

    def _objects(self, seen: Observation) -> list[Mapping[str, str]]:
        match seen:
            case Reading():
                return [reading_fragments(seen, self._shown)]
            case Failure():
                return [failure_fragments(seen)]
            case OtherMeter():
                return [other_meter_fragments(seen)]
            case EventsSeen():
                lost = [lost_fragments(seen)] if seen.lost else []
                return [*lost, *(event_fragments(seen, event) for event in seen.events)]


class LogLines:
    """A line for each reading, event and other meter, and for begin and end of a silence."""

    def __init__(self, shown: Sequence[Item], named: Sequence[Item], has_units: bool) -> None:
        self._shown, self._named, self._has_units = shown, named, has_units
        self._failed: dict[int, Failure] = {}

    def take(self, seen: Observation) -> None:
        """Print its lines; raises OutputError."""
        screen = Screen.of_stdout()
        unit = f"unit={seen.unit} " if self._has_units else ""
        for text in self._texts(seen):
            emit(folded(f"{at_text(seen.at_ms)} {unit}{text}", screen))

    def _texts(self, seen: Observation) -> list[str]:
        match seen:
            case Reading():
                failed = self._failed.pop(seen.unit, None)
                line = " ".join(logged_words(seen, self._shown, self._named))
                return [*([_returned(failed, seen)] if failed else []), line]
            case Failure():
                before = self._failed.get(seen.unit)
                self._failed[seen.unit] = seen
                is_told = before is not None and answer_word(before) == answer_word(seen)
                return [] if is_told else [_failed(seen)]
            case OtherMeter():
                return [f"another meter answers: {seen.now}, before it was {seen.before}"]
            case EventsSeen():
                lost = [_lost(seen)] if seen.lost else []
                return [*lost, *(self._event(seen, number) for number in range(len(seen.events)))]

    def _event(self, seen: EventsSeen, place: int) -> str:
        event = seen.events[place]
        at = event.fragments(seen.offset_at)["at"].strip('"')
        told = f"event={event.name} number={event.number} event_at={at}"
        return f"{told} {detail_words(event, seen)}".rstrip()


def _failed(seen: Failure) -> str:
    return f"{answer_word(seen)} since {at_text(seen.since_ms)}: {seen.error}"


def _returned(failed: Failure, seen: Reading) -> str:
    silent_ms = (seen.at_ms - failed.since_ms) // SECOND * SECOND
    return f"it answers again, after {format_duration(silent_ms)}"


def _lost(seen: EventsSeen) -> str:
    return (
        f"the meter does not keep its events {seen.lost[0]} to {seen.lost[-1]} any more; they were "
        f"not seen"
    )
