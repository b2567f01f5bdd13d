"""A wire that is held: sells, resolves, reads and sets over it, one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from meterctl.drivers import Driver
from meterctl.drivers.chosen_driver import driver_of
from meterctl.drivers.table import DRIVERS, DriverKind
from meterctl.errors import MeterctlError, UsageError
from meterctl.journal import Journal
from meterctl.key_ring import KeyRing
from meterctl.session import Session
from meterctl.transports import Transport
from meterctl.transports.held_wire import HeldWire
from meterctl.utility.meters.gateway.clocks import Clocks
from meterctl.utility.meters.gateway.commands import (
    CommandOutcome,
    Terms,
    change_tariff,
    failed,
    read_terms,
    require_change,
    require_limits,
    set_terms,
)
from meterctl.utility.meters.gateway.credit_orders import (
    NOTHING,
    CreditOrder,
    Tried,
    can_tell_more,
    is_settled,
    require_place,
    resolve,
    sell,
    settle_open,
    void,
)
from meterctl.utility.meters.gateway.freezes import Freezes, read_freezes
from meterctl.utility.meters.gateway.outcomes import CreditKind, Outcome, outcome_of
from meterctl.utility.meters.gateway.places import MeterPlace
from meterctl.utility.meters.gateway.readings import Reading, read_meter
from meterctl.utility.meters.gateway.told import Told, Value, told_by
from protocols.data_model.items import SERIAL_NUMBER, Item
from protocols.data_model.tariff import TariffChange
from protocols.sealed_message import ANY_CUSTOMER


@dataclass(frozen=True, slots=True)
class _Known:
    """The driver of the last call."""

    place: MeterPlace
    transport: Transport
    driver: Driver


class Wire:
    """One port, kept open between calls and opened again after a failure.

    A call waits while another thread is at work here. No call raises for what a meter, a line or a
    rule did: that stands in the value it returns.

    Raises:
        UsageError: of each call: a key, an amount or a place that cannot be; or the journal cannot
            be read or written, so that nothing can be said of the money.
    """

    def __init__(
        self,
        url: str,
        journal: Journal,
        ring: KeyRing,
        clocks: Clocks,
        timeout_ms: int,
        open_wire: Callable[[], Transport],
    ) -> None:
        self.url = url
        self._journal, self._ring, self._clocks = journal, ring, clocks
        self._timeout_ms, self._open_wire = timeout_ms, open_wire
        self._held, self._alone = HeldWire(), threading.Lock()
        self._kinds: dict[tuple[str, str], DriverKind] = {}
        self._last: _Known | None = None
        self._is_sound = False
        """Whether the last call ended well."""

    def release(self) -> None:
        """Close the port; the next call opens it again."""
        with self._alone:
            self._held.release()

    # ---- orders of the credit class

    def sell(
        self,
        place: MeterPlace,
        key: str,
        kind: CreditKind,
        amount: int,
        customer: str = ANY_CUSTOMER,
        epoch: int | None = None,
    ) -> Outcome:
        """Carry out an order of the credit class exactly once for its key.

        A key with an entry is never sealed again: an open entry is settled, a settled one is told
        without asking the meter. So the same call may be repeated any number of times.

        Args:
            key: the order's key, which the journal keeps as its sale key (1 to 64 characters).
            amount: 0.01; 0 for `CLOSE`, and allowed for `OPEN`.
            customer: 12 digits, of an `OPEN` alone.
            epoch: of the storage that the books know; for another one nothing is sealed
                (`Problem.EPOCH_CHANGED`). None: none is known yet.

        Raises:
            UsageError: the key is known with another amount, kind or meter; see the class.
        """
        order = CreditOrder.checked(place.serial, key, kind, amount, customer, epoch)
        with self._alone:
            if is_settled(order.entry(self._journal)):
                return outcome_of(self._journal, key)
            outcome = self._tried(place, key, lambda session: sell(session, self._journal, order))
            order.entry(self._journal)  # another process may have used the key for something else
            return outcome

    def refund(self, place: MeterPlace, key: str, amount: int) -> Outcome:
        """Take credit back, at most what is left; as `sell`."""
        return self.sell(place, key, CreditKind.REFUND, amount)

    def debt(self, place: MeterPlace, key: str, amount: int) -> Outcome:
        """Enter a debt; as `sell`."""
        return self.sell(place, key, CreditKind.DEBT, amount)

    def close(self, place: MeterPlace, key: str) -> Outcome:
        """Close the account: `Effect.settlement` is what it pays out; as `sell`."""
        return self.sell(place, key, CreditKind.CLOSE, 0)

    def resolve(self, place: MeterPlace, key: str) -> Outcome:
        """Settle the entry of a key by proof; without one its bytes are sent again, or voided.

        It may also prove an entry that a person closed, and fetch the receipt of a confirmed entry
        that has none. What a card carries is only asked about: the meter may have taken it.

        Raises:
            UsageError: the entry is of another meter; see the class.
        """
        with self._alone:
            entry = require_place(self._journal, place, key)
            if not can_tell_more(entry):
                return outcome_of(self._journal, key)
            return self._tried(place, key, lambda session: resolve(session, self._journal, key))

    def void(self, place: MeterPlace, key: str) -> Outcome:
        """End the open entry of a key, a card's too; audited.

        It is `REFUSED` afterwards by the receipt of its void, or `CONFIRMED` where the meter has
        accepted it before. The card that carried it is to be taken back: it carries dead bytes.

        Raises:
            UsageError: the entry is of another meter; see the class.
        """
        with self._alone:
            entry = require_place(self._journal, place, key)
            if entry is None or not entry.is_open:
                return outcome_of(self._journal, key)
            return self._tried(place, key, lambda session: void(session, self._journal, key))

    def settle_open(self, place: MeterPlace) -> Told[tuple[Outcome, ...]]:
        """Settle every open entry of a meter, also those that the journal has without a key.

        A person may have sold with this journal by `meterctl`: such an entry is in the way of the
        desk's orders, and `Outcome.in_the_way` is None for it. What a card carries stays.
        """
        return self._told(place, lambda session: settle_open(session, self._journal))

    # ---- reading and setting

    def reading(self, place: MeterPlace, *, set_back: bool = False) -> Told[Reading]:
        """Return one consistent reading of a proved meter; see `Reading`.

        Args:
            set_back: two persons decided to serve a meter that was set back: what the journal has
                proved of it is begun again.
        """

        def read() -> Reading:
            with self._alone, self._session(place, set_back=set_back) as session:
                return read_meter(session, self._journal)

        return told_by(read)

    def freezes(self, place: MeterPlace, since: int = 1) -> Told[Freezes]:
        """Return the daily freezes from number `since` on; see `Freezes`."""
        return self._told(place, lambda session: read_freezes(session, self._journal, since))

    def terms(self, place: MeterPlace) -> Told[Terms]:
        """Return what a meter is set to: every setting, and both tariff sets; see `Terms`."""
        return self._told(place, lambda session: read_terms(session, self._journal))

    def limits(self, place: MeterPlace, wanted: Mapping[Item, Any]) -> CommandOutcome:
        """Set limits by one command, and read them back; it may be repeated at any time.

        A command has no entry in the journal and so no key: what it sets says what it is.

        Raises:
            UsageError: nothing to set, or an item that is no setting.
        """
        require_limits(wanted)
        return self._commanded(place, lambda session: set_terms(session, self._journal, wanted))

    def tariff(self, place: MeterPlace, change: TariffChange) -> CommandOutcome:
        """Set parts of the tariff by one command, and read them back; as `limits`.

        A part with a later activation is `DONE` when it waits in the pending set.

        Raises:
            UsageError: parts that no message can carry.
        """
        require_change(change)
        return self._commanded(place, lambda session: change_tariff(session, self._journal, change))

    # ---- sessions

    @contextmanager
    def session(self, place: MeterPlace) -> Iterator[Session]:
        """Hold the port for a card of this meter; for this package alone."""
        with self._alone, self._session(place) as session:
            yield session

    def _tried(self, place: MeterPlace, key: str, work: Callable[[Session], Tried]) -> Outcome:
        """Run a try, and return what the journal says of its key afterwards."""
        error: MeterctlError | None = None
        tried = NOTHING
        try:
            with self._session(place) as session:
                tried = work(session)
        except MeterctlError as raised:
            error = raised
        return outcome_of(self._journal, key, error, answer=tried.answer, receipt=tried.receipt)

    def _told(self, place: MeterPlace, work: Callable[[Session], Value]) -> Told[Value]:
        """Return what some work learns of a meter, or the problem that ended it."""

        def alone() -> Value:
            with self._alone, self._session(place) as session:
                return work(session)

        return told_by(alone)

    def _commanded(
        self, place: MeterPlace, work: Callable[[Session], CommandOutcome]
    ) -> CommandOutcome:
        """Run a command; return what became of it."""
        try:
            with self._alone, self._session(place) as session:
                return work(session)
        except MeterctlError as error:
            return failed(error)

    @contextmanager
    def _session(self, place: MeterPlace, *, set_back: bool = False) -> Iterator[Session]:
        """Open the port if it is not open, and yield a session with the meter of a place."""
        if place.url != self.url:
            raise UsageError(f"meter {place.serial} is at {place.url}, this wire is {self.url}")
        self._journal.notices.clear()
        kind, clocks = self._kind(place), self._clocks
        with self._held.opened(self.url, self._timeout_ms, self._open_wire) as transport:
            yield Session(
                self._driver(place, kind, transport),
                self._ring,
                lambda: clocks.now_ms() // 1000,
                clocks.ticks,
                clocks.pause,
                payee=place.serial,
                set_back=set_back,
                now_ms=clocks.now_ms,
            )
            self._is_sound = True

    def _kind(self, place: MeterPlace) -> DriverKind:
        """Return the driver with the map of a place; a map is read once."""
        words = place.protocol, place.map_name
        if words not in self._kinds:
            kind = DRIVERS.get(place.protocol)
            if kind is None:
                raise UsageError(f"protocol {place.protocol}: allowed is {', '.join(DRIVERS)}")
            self._kinds[words] = driver_of(kind, place.map_name or None, seals=True)
        return self._kinds[words]

    def _driver(self, place: MeterPlace, kind: DriverKind, transport: Transport) -> Driver:
        """Return the driver of a place: that of the last call, if it was here and ended well.

        It has made contact, and a serial line is settled for it. After another meter of the line,
        or a fault, a new one makes sure that no late reply is taken for its own.
        """
        known = self._last
        is_known = known is not None and (known.place, known.transport) == (place, transport)
        if known is None or not is_known or not self._is_sound:
            driver = kind.open(transport, place.unit, self._timeout_ms, self._clocks.ticks, None)
            known = self._last = _Known(place, transport, driver)
            self._is_sound = False
            if not transport.framed:
                driver.read([SERIAL_NUMBER])  # a read shows whether an adapter echoes
        self._is_sound = False
        return known.driver
