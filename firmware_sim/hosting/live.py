"""Meters of this process on real ports, for tests: a thread serves wires, the test moves time.

    with LiveMeter(thread, description, folder) as meter:
        meter.load("3kW")
        meter.advance("2h")
        assert meter.value("supply_state") == "connected"

Every call returns when its effect holds, so a test never has to wait.
"""

from __future__ import annotations

import difflib
import json
import os
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from firmware_sim.assembly import MeterDescription, rack_of
from firmware_sim.hosting.cards.card_file import open_card
from firmware_sim.hosting.cards.slot import insert, insert_file
from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.host import Host
from firmware_sim.hosting.loads import load_for
from firmware_sim.hosting.thread import LoopThread
from firmware_sim.meter import Meter
from firmware_sim.rack.operator import Operator
from firmware_sim.rack.stations import Station
from firmware_sim.rack.values import Value, to_json, values
from firmware_sim.records.ring import EVENT_RING, PURCHASE_RING
from firmware_sim.requests import Reply
from firmware_sim.vending import SILENCE, Order, Vending, parse_order
from firmware_sim.wire_kinds import MODBUS_TCP
from protocols.card.applet import Card
from protocols.control import BeginFault, Command, parse_command
from protocols.data_model.tables import PURCHASES, Event, Purchase
from protocols.errors import QuantityError
from protocols.faults import parse_rule
from protocols.quantities import CENT, parse_money
from protocols.sealed_message import Outcome

FRAMES_KEPT = 40
EVENTS_SHOWN = 20

Result = TypeVar("Result")


class RefusedError(Exception):
    """The meter refused an order; `outcome` is the reason."""

    def __init__(self, words: str, outcome: Outcome | None) -> None:
        super().__init__(f"{words}: {outcome.name if outcome is not None else SILENCE}")
        self.outcome = outcome


class LiveMeter:
    """One meter on a virtual serial port and a TCP port of its own; its time is moved by hand."""

    def __init__(
        self, thread: LoopThread, description: MeterDescription, folder: Path, seed: int = 0
    ) -> None:
        self._thread = thread
        self.frames: deque[tuple[str, bytes]] = deque(maxlen=FRAMES_KEPT)
        self._vending = Vending()
        self._sold = 0
        """Sequence of the newest card that was bought."""
        self.unit = description.unit
        self.serial_number = description.serial_number
        link = folder / f"meter-{description.serial_number}-{description.unit}.tty"
        self.port = str(link)
        self._host = thread.call(lambda: self._open(description, link, seed))
        thread.run(self._host.open_tcp("127.0.0.1:0", MODBUS_TCP))
        host, _, port = self._host.names(MODBUS_TCP)[0].rpartition(":")
        self.tcp = (host, int(port))

    def _open(self, description: MeterDescription, link: Path, seed: int) -> Host:
        rack = rack_of(description, 0, seed)
        host = Host(rack, Operator(rack, load_for, line_time, insert_file), self._thread.loop)
        host.tap = lambda direction, data: self.frames.append((direction, data))
        host.add_serial(str(link))
        host.begin()
        return host

    @property
    def _station(self) -> Station:
        return self._host.rack.stations[0]

    @property
    def _meter(self) -> Meter:
        return self._station.meter

    def _do(self, work: Callable[[], Result]) -> Result:
        """Do something on the thread of the wires; a failed storage is raised here as well."""
        result = self._thread.call(work)
        if self._host.failure is not None:
            raise self._host.failure
        return result

    # ---- commands

    def command(self, *words: str) -> dict[str, Any]:
        """Execute a command of `meter-sim control`; return its result as JSON would show it."""
        return _as_json(self._command(parse_command([str(word) for word in words])))

    def _command(self, command: Command) -> Mapping[str, Value]:
        def execute() -> Mapping[str, Value]:
            try:
                return self._host.operator.execute(command)
            finally:
                self._host.after_command()  # a command that failed may have moved time

        return self._do(execute)

    def advance(self, duration: str) -> None:
        """Move meter time forward, such as "2h" or "15m"; events on the way have their instants."""
        self.command("advance", duration)

    def load(self, text: str) -> None:
        """Change the load from now on: "3kW", "-1.5kW", a CSV file or "household"."""
        self.command("load", text)

    def button(self) -> None:
        """Press the button."""
        self.command("button")

    def buy_card(self, amount: object, card: Card | None = None) -> Card:
        """Buy credit at a vending point, such as "30.00", on a new card or on one bought before.

        The first card of an unopened meter opens its account, and a new card for a meter that knows
        another one is its replacement. Like a top-up it carries the meter's next sequence; put it
        in with `insert` before the next.
        """
        cents = parse_money(str(amount)) // CENT
        return self._do(lambda: self._buy(cents, card))

    def _buy(self, cents: int, card: Card | None) -> Card:
        following = self._meter.state.security.credit_sequence + 1
        if self._sold == following:
            raise QuantityError("a card was bought and not inserted yet: insert it first")
        bought = self._vending.buy_card(self._meter, cents, card, os.urandom)
        self._sold = following
        return bought

    def insert(
        self, card: Card | str | os.PathLike[str], pull_after: int | None = None
    ) -> dict[str, Any]:
        """Put a card, or one in a file, into the slot, perhaps pull it after so many exchanges.

        Returns what `control` would print; amounts are exact.
        """
        if not isinstance(card, Card):
            with open_card(Path(card)) as found:
                return self.insert(found, pull_after)
        return _as_json(self._do(lambda: insert(self._station, card, pull_after)))

    def power(self, turn: str) -> None:
        """Cut or return the meter's own supply: "cut" or "return"."""
        self.command("power", turn)

    def cover(self, turn: str) -> None:
        """Open or close the meter cover: "open" or "close"."""
        self.command("cover", turn)

    def inject(self, fault: str, **options: object) -> None:
        """Put a fault in force (docs/faults.md), such as inject("reply_late", value="300ms").

        `from` and `for` are written from_ and for_.
        """
        texts = {name.rstrip("_"): str(value) for name, value in options.items()}
        self._command(BeginFault(parse_rule(fault, texts)))

    def heal(self, fault: str | None = None) -> None:
        """End every fault of a name, or all of them."""
        self.command("fault", *((fault, "off") if fault else ("off",)))

    def order(self, *words: str) -> None:
        """Seal an order with the meter's own keys and deliver it: order("debt", "10.00").

        Raises:
            RefusedError: the meter refused it; `outcome` is the reason.
        """
        wanted = parse_order(words[0].split() if len(words) == 1 else words)
        reply = self._do(lambda: self._hand_over(wanted))
        outcome = reply.answer.outcome if reply is not None and reply.answer is not None else None
        if outcome is not Outcome.ACCEPTED:
            raise RefusedError(" ".join(words), outcome)

    def _hand_over(self, order: Order) -> Reply | None:
        meter = self._station.present(line_time())
        return self._station.hand_over(self._vending.seal(meter, order))

    def topup(self, amount: object) -> None:
        """Top up, such as "50.00", as a vending point would; raises RefusedError."""
        self.order("topup", str(amount))

    # ---- values

    def value(self, item: str) -> Value:
        """Return an item as `meterctl read --json` shows it: Decimal or str."""
        values = self.values()
        if item not in values:
            near = ", ".join(difflib.get_close_matches(item, values)) or "see `meterctl items`"
            raise KeyError(f"{item!r} is no item; near it: {near}")
        return values[item]

    def values(self) -> dict[str, Value]:
        """Return every item by name."""
        return self._do(lambda: values(self._meter))

    def events(self) -> list[Event]:
        """Return the event log, oldest first; `event.name` is the word of docs/events.md."""
        rows = self._do(lambda: list(self._meter.rings[EVENT_RING].newest(1000)))
        return [Event.unpack(row) for row in reversed(rows)]

    def event_names(self) -> list[str]:
        """Return the words of the event log, oldest first."""
        return [event.name for event in self.events()]

    def purchases(self) -> list[Purchase]:
        """Return the purchase records, newest first."""
        rows = self._do(lambda: list(self._meter.rings[PURCHASE_RING].newest(PURCHASES.depth)))
        return [Purchase.unpack(row) for row in rows]

    def report(self) -> str:
        """Return values, last events and last frames as text, for a test that failed."""
        values = self.values()
        names = ("clock", "available_credit", "supply_state", "supply_causes", "energy_import_kwh")
        lines = [
            f"meter {self.serial_number} unit {self.unit} on {self.port} and "
            f"{self.tcp[0]}:{self.tcp[1]}"
        ]
        lines += [f"  {name} = {values[name]}" for name in names]
        lines.append("last events:")
        for event in self.events()[-EVENTS_SHOWN:]:
            details = " ".join(f"{name}={text}" for name, text in event.detail_fragments(0).items())
            lines.append(
                f"  {event.number:>4}  {event.elapsed_ms:>12} ms  {event.name}  {details}".rstrip()
            )
        lines.append("last frames (-> to the meter, <- from it):")
        lines += [f"  {direction} {data.hex(' ')}" for direction, data in self.frames]
        return "\n".join(lines)

    def close(self) -> None:
        """Close its ports."""
        self._thread.call(self._host.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _as_json(result: Mapping[str, Value]) -> dict[str, Any]:
    """Return values as JSON would show them: lists, whole numbers, and Decimal for the others."""
    shown: dict[str, Any] = json.loads(to_json(result), parse_float=Decimal)
    return shown
