"""A meter in virtual time, as fast as it can run, and its events: no wire, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from firmware_sim.meter import Meter
from firmware_sim.programs.shown_events import ShownEvent, present_event, recorded_events
from firmware_sim.records.ring import EVENT_RING
from firmware_sim.vending import Order, Vending
from protocols.sealed_message import MessageKind, Outcome


def simulate(
    meter: Meter, duration: int, top_ups: Sequence[tuple[int, int]] = ()
) -> Iterator[ShownEvent]:
    """Yield the events of `duration` ms, then one that is named `end`.

    Args:
        top_ups: (elapsed ms from now, amount in 0.01), in order.
    """
    begin, vending = meter.state.elapsed_ms, Vending()
    yield from recorded_events(meter, meter.events_before + 1)
    seen = meter.rings[EVENT_RING].last
    for at, amount in [*sorted(top_ups), (duration, 0)]:
        until = begin + min(at, duration)
        while meter.state.elapsed_ms < until:
            meter.advance(until, to_event=True)
            yield from recorded_events(meter, seen + 1)
            seen = meter.rings[EVENT_RING].last
        if at < duration or (amount and at == duration):
            refused = _top_up(meter, vending, amount)
            yield from recorded_events(meter, seen + 1)
            seen = meter.rings[EVENT_RING].last
            if refused is not None:
                yield present_event(
                    meter, "credit_refused", {"outcome": f'"{refused.name.lower()}"'}
                )
    yield present_event(meter, "end", {})


def _top_up(meter: Meter, vending: Vending, amount: int) -> Outcome | None:
    """Top up by a sealed message; return the outcome of a refusal, None if accepted."""
    reply = vending.send(meter, Order(MessageKind.CREDIT, amount))
    if reply is None or reply.answer is None or reply.answer.outcome is Outcome.ACCEPTED:
        return None
    return reply.answer.outcome
