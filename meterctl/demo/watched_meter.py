"""The running meter of the demo: its state and events, read over the wire and printed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from meterctl.demo.processes import Control
from meterctl.errors import RefusedError
from meterctl.session import Session
from meterctl.transports.wires import monotonic_ms
from protocols.data_model import items
from protocols.data_model.tables import EVENTS, Event
from protocols.data_model.words import Cause, SupplyState, SwitchedBy, cause_words
from protocols.quantities import format_moment, format_money

LIMIT_MS = 50_000
"""Wall time after which the demo fails."""
POLL_S = 0.1
_STANDING = (
    items.CLOCK,
    items.AVAILABLE_CREDIT_EXACT,
    items.SUPPLY_STATE,
    items.SUPPLY_CAUSES,
    items.EVENT_NUMBER,
)


@dataclass(slots=True)
class StepPrinter:
    """Prints steps and stores the events that were read."""

    out: Callable[[str], None]
    seen: list[Event] = field(default_factory=list)

    def line(self, name: str, at: int, credit: int, state: SupplyState, remark: str) -> None:
        """Print one step: its name, the meter's own time, credit and switch."""
        switch = state.name.lower().replace("_", " ")
        self.out(
            f"{name:<13} {format_moment(at)[:19]}Z  credit {format_money(credit):>8}  "
            f"{switch:<23} {remark}".rstrip()
        )


def is_event(event: Event, name: str, details: Mapping[str, int]) -> bool:
    """Return whether an event has a name, and at least these details."""
    held = {key: value for key, (_, value) in event.details().items()}
    return event.name == name and all(held.get(key) == value for key, value in details.items())


class WatchedMeter:
    """The running meter: the session on its wire, and its control socket."""

    def __init__(self, session: Session, control: Control, show: StepPrinter) -> None:
        self.session, self.control, self.show = session, control, show
        self._deadline = monotonic_ms() + LIMIT_MS

    def poll(self) -> tuple[int, SupplyState, Cause, list[Event]]:
        """Read the state of the meter and its new events."""
        if monotonic_ms() > self._deadline:
            raise RefusedError(
                f"demo: the expected events did not occur within {LIMIT_MS // 1000} s"
            )
        values = self.session.driver.read(_STANDING)
        new: list[Event] = []
        while len(self.show.seen) + len(new) < values[items.EVENT_NUMBER]:
            rows, _ = self.session.driver.rows(EVENTS, len(self.show.seen) + len(new) + 1)
            if not rows:
                raise RefusedError("demo: the meter's event number exceeds the events it returns")
            new += rows
        self.show.seen += new
        return (
            values[items.AVAILABLE_CREDIT_EXACT],
            SupplyState(values[items.SUPPLY_STATE]),
            Cause(values[items.SUPPLY_CAUSES]),
            new,
        )

    def until(self, name: str, **details: int) -> None:
        """Show events up to one with these details; press the button at each reminder trip."""
        while True:
            credit, state, causes, new = self.poll()
            found = False
            for event in new:
                self._tell(event, credit, state)
                found = found or is_event(event, name, details)
            if found:
                return
            if causes == Cause.CREDIT_REMINDER:
                self.show.line("button", self._clock(), credit, state, "the customer presses it")
                self.control("button")
            time.sleep(POLL_S)  # noqa: TID251 - the demo is watched by people, in wall time

    def _clock(self) -> int:
        return int(self.session.driver.read([items.CLOCK])[items.CLOCK])

    def _tell(self, event: Event, credit: int, state: SupplyState) -> None:
        details = {key: value for key, (_, value) in event.details().items()}
        if event.name == "low_credit_warning":
            remark = f"the lamp is lit: credit reached {format_money(details['threshold'])}"
            self.show.line("warning", event.at, credit, state, remark)
        elif event.name == "supply_disconnected":
            remark = f"cause {', '.join(cause_words(Cause(details['cause'])))}"
            self.show.line("disconnected", event.at, credit, state, remark)
        elif event.name == "supply_connected":
            self.show.line(
                "connected", event.at, credit, state, f"by {SwitchedBy(details['by']).name.lower()}"
            )

    def insert(self, card: Path) -> None:
        """Insert the card; raises RefusedError if the meter refuses it."""
        told = json.loads(self.control("card", "insert", str(card)))
        if told["error"] is not None:
            raise RefusedError(f"demo: the meter shows {told['display']} ({told['error_name']})")
        values = self.session.driver.read([items.CLOCK, items.AVAILABLE_CREDIT, items.SUPPLY_STATE])
        self.show.line(
            "card",
            values[items.CLOCK],
            values[items.AVAILABLE_CREDIT],
            SupplyState(values[items.SUPPLY_STATE]),
            f"inserted, {told['outcome'].replace('_', ' ')}: the display shows {told['display']}",
        )
