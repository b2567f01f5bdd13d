"""An order of a call: from its words to the meter's answer, or the error that tells its fate."""

from __future__ import annotations

from firmware_sim.errors import CommandFailedError, RefusedError
from firmware_sim.hosting.clock import line_time
from firmware_sim.rack.errors import POWER_FAILED
from firmware_sim.rack.stations import Station
from firmware_sim.vending import Order, Vending, refusal_reason
from protocols.sealed_message import Outcome

__tracebackhide__ = True


def deliver(station: Station, vending: Vending, order: Order, words: str) -> None:
    """Seal an order with the meter's own keys and deliver it at the present instant.

    Raises:
        RefusedError: the meter refused it; `outcome` is the reason, and nothing was carried out.
        CommandFailedError: there was no answer; the text says whether it may be carried out.
        MeterStoppedError: the storage failed to flush.
    """
    meter = station.present(line_time())
    station.require_running()
    if not meter.state.powered:
        raise CommandFailedError(f"{words}: the meter is without power; it was not carried out")
    reply = station.hand_over(vending.seal(meter, order))
    station.require_running()
    if reply is None or reply.answer is None:
        raise CommandFailedError(
            f"{words}: {POWER_FAILED}. It may have been carried out: see purchases() and events() "
            f"before it is sent again"
        )
    outcome = reply.answer.outcome
    if outcome is not Outcome.ACCEPTED:
        wrong = outcome is Outcome.OUT_OF_RANGE
        raise RefusedError(words, outcome, refusal_reason(meter, order) if wrong else "")
