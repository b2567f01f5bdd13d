"""A meter in virtual time, as fast as it can run, and its events: no wire, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from firmware_sim.meter import Meter
from firmware_sim.readings import GETTERS, utc_offset_minutes
from firmware_sim.records.ring import EVENT_RING
from firmware_sim.vending import Order, Vending
from protocols.data_model import items
from protocols.data_model.tables import Event
from protocols.quantities import format_moment
from protocols.sealed_message import MessageKind, Outcome

_SHOWN = (items.AVAILABLE_CREDIT, items.ENERGY_IMPORT, items.SUPPLY_STATE)


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """An event: its word, its instant, its details as JSON values, and items of the meter then."""

    name: str
    at: int
    elapsed_ms: int
    details: dict[str, str]
    standing: dict[str, str]
    utc_offset_minutes: int

    def fragments(self) -> dict[str, str]:
        """Return the JSON object of `simulate --json`."""
        return {
            "event": f'"{self.name}"',
            "at": f'"{format_moment(self.at, self.utc_offset_minutes)}"',
            "elapsed_ms": str(self.elapsed_ms),
            **self.standing,
            **self.details,
        }


def simulate(
    meter: Meter, duration: int, top_ups: Sequence[tuple[int, int]] = ()
) -> Iterator[SimulatedEvent]:
    """Yield the events of `duration` ms, then one that is named `end`.

    Args:
        top_ups: (elapsed ms from now, amount in 0.01), in order.
    """
    begin = meter.state.elapsed_ms
    seen, vending = 0, Vending()
    for at, amount in [*sorted(top_ups), (duration, 0)]:
        until = begin + min(at, duration)
        while meter.state.elapsed_ms < until:
            due = meter.next_deadline()
            meter.advance(until if due is None else min(due, until))
            yield from _new_events(meter, seen)
            seen = meter.rings[EVENT_RING].last
        if at < duration or (amount and at == duration):
            refused = _top_up(meter, vending, amount)
            yield from _new_events(meter, seen)
            seen = meter.rings[EVENT_RING].last
            if refused is not None:
                yield _event(meter, "credit_refused", {"outcome": f'"{refused.name.lower()}"'})
    yield _event(meter, "end", {})


def _new_events(meter: Meter, seen: int) -> Iterator[SimulatedEvent]:
    ring = meter.rings[EVENT_RING]
    for number in range(max(seen + 1, ring.first), ring.last + 1):
        row = ring.get(number)
        if row is not None:
            event = Event.unpack(row)
            details = event.detail_fragments(partial(utc_offset_minutes, meter))
            yield _event(meter, event.name, details, event.at, event.elapsed_ms)


def _event(
    meter: Meter,
    name: str,
    details: dict[str, str],
    at: int | None = None,
    elapsed_ms: int | None = None,
) -> SimulatedEvent:
    standing = {item.name: item.kind.json(GETTERS[item](meter)) for item in _SHOWN}
    moment = meter.clock if at is None else at
    since = meter.state.elapsed_ms if elapsed_ms is None else elapsed_ms
    return SimulatedEvent(name, moment, since, details, standing, utc_offset_minutes(meter, moment))


def _top_up(meter: Meter, vending: Vending, amount: int) -> Outcome | None:
    """Top up by a sealed message; return the outcome of a refusal, None if accepted."""
    reply = vending.send(meter, Order(MessageKind.CREDIT, amount))
    if reply is None or reply.answer is None or reply.answer.outcome is Outcome.ACCEPTED:
        return None
    return reply.answer.outcome
