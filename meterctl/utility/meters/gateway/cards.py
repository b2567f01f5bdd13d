"""Cards at a counter: sold under the order's key, read back, replaced, erased.

What the journal says of a key whose sale is on a card: `ON_CARD` from before the first byte is
written, also where the card was pulled meanwhile: the same call finishes it. Moved to another card
it is `ON_CARD` with that card's serial number; both carry identical bytes, which the meter takes
once. Erased without a proof it is `UNKNOWN`, word `erased`: a wire resolves or voids it. The
write-back settles it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meterctl.card_readers import CardPort
from meterctl.card_readers.image import open_image
from meterctl.card_readers.pcsc import open_reader
from meterctl.errors import MeterctlError, NotPermittedError, UsageError
from meterctl.journal import Entry, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.card.case import Case
from meterctl.operations.card.comparison import hold_against_journal, settle_by_write_back
from meterctl.operations.card.erasure import plan_erasure
from meterctl.operations.card.issuing import plan_format, plan_replacement
from meterctl.operations.card.openings import Opening, plan_opening
from meterctl.operations.card.planning import Planned
from meterctl.operations.card.port import hinted_before_reading
from meterctl.operations.card.presented import PresentedCard
from meterctl.operations.card.presets import plan_preset
from meterctl.operations.card.rules import decoded
from meterctl.operations.card.sales import plan_sale
from meterctl.operations.card.sold import Sold, consumption
from meterctl.operations.limits import encode_settings
from meterctl.session import Session
from meterctl.utility.meters.gateway.card_values import (
    CardDone,
    CardReading,
    Consumption,
    Presented,
)
from meterctl.utility.meters.gateway.credit_orders import CreditOrder, is_settled
from meterctl.utility.meters.gateway.outcomes import (
    CreditKind,
    Outcome,
    outcome_of,
    outcome_of_entry,
    outcomes_of,
)
from meterctl.utility.meters.gateway.places import CardPlace, MeterPlace
from meterctl.utility.meters.gateway.problems import cause_at_desk, problem_of
from protocols.data_model.items import Item
from protocols.sealed_message import ANY_CUSTOMER, MessageKind

if TYPE_CHECKING:
    from meterctl.utility.meters.gateway.wire import Wire

CARD_S = 3.0
"""Longest time for one response of a card in a reader."""
CNY = 156
OpenJournal = Callable[[], AbstractContextManager[Journal]]
OpenCard = Callable[[CardPlace], AbstractContextManager[CardPort]]


@contextmanager
def open_card(place: CardPlace) -> Iterator[CardPort]:
    """Power a card; raises UsageError or NoAnswerError."""
    if place.is_file:
        with open_image(Path(place.reader)) as port:
            yield port
        return
    if find_spec("smartcard") is None:
        raise UsageError(
            f"reader {place.reader}: PC/SC needs pyscard: pip install 'prepaid-meter[card]'; "
            f"nothing was changed"
        )
    with open_reader(place.reader or None, CARD_S) as port:
        yield port


def ring_for_card(ring: KeyRing, port: CardPort) -> KeyRing:
    """Return the key ring for a card; the published development key is for simulated cards.

    Raises:
        NotPermittedError: a card in a reader, and there is no key ring.
    """
    if ring.is_development and not port.is_desk:
        raise NotPermittedError(
            f"reader {port.name}: the published development key is for simulated cards only. "
            f"Give the desk a key ring. Nothing was changed"
        )
    return ring


@dataclass(frozen=True, slots=True)
class Cards:
    """The cards of a counter. Without a wire a message is sealed from what is proved already.

    That is the card's write-back, or the journal's last proof of the meter; an opening needs
    neither. With a `wire` the meter is asked, and it has to be the one of the place.

    Raises:
        UsageError: of each call: a key, an amount or a number that cannot be; or the journal
            cannot be read or written, so that nothing can be said of the money.
    """

    journal: OpenJournal
    ring_for: Callable[[CardPort], KeyRing]
    now: Callable[[], int]
    open_card: OpenCard = open_card

    def sell(
        self,
        card: CardPlace,
        place: MeterPlace,
        key: str,
        kind: CreditKind,
        amount: int,
        customer: str = ANY_CUSTOMER,
        *,
        epoch: int | None = None,
        unit: int = CNY,
        new_storage: bool = False,
        wire: Wire | None = None,
    ) -> Outcome:
        """Sell an opening or a credit on a card, exactly once for its key.

        A key whose sale the card carries whole is told; one that was interrupted is finished, with
        the same card.

        Args:
            amount: 0.01; 0 is allowed for `OPEN`.
            customer: 12 digits, of an `OPEN` alone.
            epoch: of the only storage of the meter for which it may be sealed: another one is
                `Problem.EPOCH_CHANGED`. None: none is known yet.
            unit: ISO 4217 number of the account, of an `OPEN` alone.
            new_storage: an `OPEN` for a meter whose account the journal knows from a lost storage.

        Raises:
            UsageError: another kind; the key is known with another amount, kind or meter; see the
                class.
        """
        order = _order_by_card(place, key, kind, amount, customer)
        with self.journal() as journal:
            if is_settled(order.entry(journal)):
                return outcome_of(journal, key)
            error: MeterctlError | None = None
            try:
                with self._case(journal, card, place, key, wire, epoch=epoch) as case:
                    _planned(case, order, unit, new_storage=new_storage).carry_out()
            except MeterctlError as raised:
                error = raised
            order.entry(journal)  # another counter may have used the key for something else
            return outcome_of(journal, key, error)

    def rehearse(
        self,
        card: CardPlace,
        place: MeterPlace,
        key: str,
        kind: CreditKind,
        amount: int,
        customer: str = ANY_CUSTOMER,
        *,
        epoch: int | None = None,
    ) -> None:
        """See that a sale could be written on a card now; the card is not changed.

        The arguments are those of `sell`. What the card's write-back proves stays settled.

        Raises:
            MeterctlError: why it could not.
        """
        order = _order_by_card(place, key, kind, amount, customer)
        with (
            self.journal() as journal,
            self._case(journal, card, place, key, None, epoch=epoch) as case,
        ):
            _planned(case, order, CNY)

    def present(self, card: CardPlace) -> Presented:
        """Read a card, and settle what its write-back proves."""
        with self.journal() as journal:
            found = Presented()
            try:
                with self._presented(card) as presented:
                    case = Case.read(presented, journal)
                    settled = settle_by_write_back(case)
                    try:
                        hold_against_journal(case)
                    finally:
                        found = _told(case, settled)
            except MeterctlError as error:
                return replace(found, problem=problem_of(error), cause=cause_at_desk(error))
            return found

    def replace(self, card: CardPlace, place: MeterPlace, *, wire: Wire | None = None) -> CardDone:
        """Make a card that takes the place of a lost one, with the sale that this carries."""

        def work(journal: Journal) -> CardDone:
            with self._case(journal, card, place, "", wire, is_replacement=True) as case:
                carried = plan_replacement(case, place.serial).carry_out()
                return _done(case.presented, journal, [carried] if carried is not None else [])

        return self._worked(work)

    def issued(self, serial: str) -> str:
        """Return the serial number of the card that this journal made last for a meter, or ""."""
        with self.journal() as journal:
            return journal.card_of(serial)

    def preset(
        self,
        card: CardPlace,
        place: MeterPlace,
        wanted: Mapping[Item, Any],
        *,
        wire: Wire | None = None,
    ) -> CardDone:
        """Write limits on a bound card; its write-back tells whether the meter took them."""

        def work(journal: Journal) -> CardDone:
            with self._case(journal, card, place, "", wire) as case:
                commands = [(MessageKind.LIMITS, encode_settings(wanted))]
                sealed = plan_preset(case, commands).carry_out()
                sequences = tuple(message.sequence for message in sealed)
                return replace(_done(case.presented, journal, []), sequences=sequences)

        return self._worked(work)

    def format(self, card: CardPlace) -> CardDone:
        """Write the keys of the ring to a blank card."""

        def work(journal: Journal) -> CardDone:
            with self._presented(card) as presented:
                plan_format(presented, journal).carry_out()
                return _done(presented, journal, [])

        return self._worked(work)

    def erase(self, card: CardPlace) -> CardDone:
        """Erase a card; a sale on it that no meter is proved to have taken stays open, `UNKNOWN`.

        A card with unconsumed credit of another journal is refused.
        """

        def work(journal: Journal) -> CardDone:
            with self._presented(card) as presented:
                return _done(presented, journal, plan_erasure(presented, journal).carry_out())

        return self._worked(work)

    # ---- the case of an operation

    def _worked(self, work: Callable[[Journal], CardDone]) -> CardDone:
        """Run an operation on a card; return what became of it."""
        with self.journal() as journal:
            try:
                return work(journal)
            except MeterctlError as error:
                return CardDone(False, problem=problem_of(error), cause=cause_at_desk(error))

    @contextmanager
    def _presented(self, place: CardPlace) -> Iterator[PresentedCard]:
        with self.open_card(place) as port:
            yield PresentedCard(port.transmit, self.ring_for(port), os.urandom, self.now)

    @contextmanager
    def _case(
        self,
        journal: Journal,
        card: CardPlace,
        place: MeterPlace,
        key: str,
        wire: Wire | None,
        *,
        epoch: int | None = None,
        is_replacement: bool = False,
    ) -> Iterator[Case]:
        """Open the card, and the meter if there is a wire; read the card."""
        held: AbstractContextManager[Session | None]
        held = nullcontext() if wire is None else wire.session(place)
        with self._presented(card) as presented, held as session:
            ask = hinted_before_reading(session, journal, place.serial) if is_replacement else None
            yield Case.read(
                presented,
                journal,
                session,
                reference=key,
                payee=place.serial,
                epoch=epoch,
                ask=ask,
            )


def _order_by_card(
    place: MeterPlace, key: str, kind: CreditKind, amount: int, customer: str
) -> CreditOrder:
    """Return the checked order of a sale by card; raises UsageError."""
    order = CreditOrder.checked(place.serial, key, kind, amount, customer)
    order.require_card()
    return order


def _planned(
    case: Case, order: CreditOrder, unit: int, *, new_storage: bool = False
) -> Planned[Sold]:
    """Return the plan of a sale by card; raises MeterctlError where it cannot be made."""
    if order.kind is CreditKind.OPEN:
        wanted = Opening(order.meter, order.customer, order.amount, unit, new_storage)
        return plan_opening(case, wanted)
    return plan_sale(case, order.amount)


def _told(case: Case, settled: list[Entry]) -> Presented:
    """Return what a card that was read tells."""
    identity, credit, journal = case.identity, case.credit, case.journal
    message = decoded(credit.message) if credit is not None else None
    entry = None
    if credit is not None and message is not None:
        entry = journal.find_message(message.serial_number, credit.message)
    return Presented(
        case.serial,
        "" if identity is None else identity.meter,
        "" if identity is None else identity.customer,
        Consumption(consumption(case, entry)),
        None if entry is None else outcome_of_entry(entry),
        outcomes_of(journal, settled),
        None if case.back is None else CardReading.of(case.back),
        tuple(case.presented.notices),
    )


def _done(presented: PresentedCard, journal: Journal, entries: list[Entry]) -> CardDone:
    """Return what became of a card and of the entries that this touched."""
    outcomes = outcomes_of(journal, entries)
    return CardDone(True, presented.serial, outcomes, notices=tuple(presented.notices))
