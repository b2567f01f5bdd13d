"""The thread of one port, and of one card reader."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError

from meterctl.errors import MeterctlError
from meterctl.utility.meters.due_orders import Scope
from meterctl.utility.meters.execution import Execution
from meterctl.utility.meters.gateway import CardPlace, Presented, Wire
from meterctl.utility.meters.orders import Claim, live_of
from meterctl.utility.meters.readers import finish_card, present_card, write_card
from meterctl.utility.meters.reconcile import settle_by_journal
from meterctl.utility.meters.waiting import Changes
from meterctl.utility.rules.transitions import SaleState

IDLE_S = 1.0
"""Longest wait before a port looks for orders that have become due, s."""
AFTER_FAILURE_S = 1.0
"""Wait after the database, the journal or the keys could not be used, s."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PortOfWorker:
    """A port or reader that a worker has: its number, name, address, and whether it is a reader."""

    id: int
    name: str
    url: str
    is_reader: bool


def _in_words(error: Exception) -> str:
    """Return an error in one line."""
    text = str(error).partition("\n")[0]
    known = isinstance(error, (DBAPIError, MeterctlError))
    return text if known else f"internal fault ({type(error).__name__}: {text})"


@dataclass(slots=True)
class PortThread:
    """Carries out the orders of one port until it is stopped, between two orders."""

    execution: Execution
    port: PortOfWorker
    holder: str
    """Name of this process, which has the port's lease."""
    say: Say
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _last: Presented | None = None
    _found: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name=f"port {self.port.name}")
        self._thread.start()

    def stop(self) -> None:
        """Let it end after the order that it carries out."""
        self._stop.set()

    def join(self) -> None:
        """Wait until it has ended."""
        if self._thread is not None:
            self._thread.join()

    def is_alive(self) -> bool:
        """Return whether it runs."""
        return self._thread is not None and self._thread.is_alive()

    def run_due(self) -> int:
        """Carry out what is due, in this thread; return the number of orders.

        What hinders the port is said, and its orders wait.
        """
        done = 0
        try:
            if self.port.is_reader:
                return self._serve_card()
            with self.execution.gateway.wire(self.port.url) as wire:
                while not self._stop.is_set() and self._next(wire):
                    done += 1
        except MeterctlError as error:
            self.say(f"port {self.port.name}: {str(error).splitlines()[0]}")
        return done

    def _run(self) -> None:
        changes = Changes(self.execution.database)
        while not self._stop.is_set():
            try:
                if self.port.is_reader:
                    self._serve_reader(changes)
                else:
                    self._serve_wire(changes)
            except Exception as error:  # a fault with one order must not end the port
                self._found = []
                self.say(f"port {self.port.name}: {_in_words(error)}; trying again")
                self._stop.wait(AFTER_FAILURE_S)
        changes.close()

    def _serve_wire(self, changes: Changes) -> None:
        """Carry out orders on a wire that is kept open."""
        self._settle_interrupted()
        with self.execution.gateway.wire(self.port.url) as wire:
            while not self._stop.is_set():
                if not self._next(wire):
                    changes.wait(self._stop, IDLE_S)

    def _serve_reader(self, changes: Changes) -> None:
        self._settle_interrupted()
        while not self._stop.is_set():
            self._serve_card()
            changes.wait(self._stop, IDLE_S)

    def _settle_interrupted(self) -> None:
        """Settle by the journal what a failure here left behind; no other has the port."""
        for begun in live_of(self.execution.database, self.execution.worker):
            where = begun.card.reader if begun.card else begun.place.url if begun.place else ""
            if where == self.port.url and begun.credit_state in (None, SaleState.SENDING):
                database, gateway = self.execution.database, self.execution.gateway
                settle_by_journal(database, gateway, begun, self.holder)

    def _next(self, wire: Wire) -> bool:
        """Carry out the next order, of those that were found before or of the whole port."""
        while self._found:
            if self.execution.run_next(wire, Claim(Scope.ORDER, self._found.pop(0))) is not None:
                return True
        begun = self.execution.run_next(wire, Claim(Scope.PORT, self.port.id))
        self._found = [] if begun is None else list(begun.others)
        return begun is not None

    def _serve_card(self) -> int:
        """Read the card in the reader, and write the sales that wait for it."""
        card, done = CardPlace(self.port.url), 0
        presented = present_card(self.execution, card)
        if not presented.card:
            self._last = None
            return 0
        if presented != self._last:
            self._last = presented
            finish_card(self.execution, card, presented)
            self.say(f"reader {self.port.name}: card {presented.card} of meter {presented.meter}")
        names = (self.port.name, self.port.url)
        while not self._stop.is_set() and write_card(self.execution, names, presented):
            done += 1
            presented = present_card(self.execution, card)
        return done
