"""The vending point of the demo."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from meterctl.card_readers.image import create_image, open_image
from meterctl.demo.household import CARD_SERIAL, CUSTOMER, SERIAL_NUMBER
from meterctl.journal import EntryState, Journal
from meterctl.key_ring import development_ring
from meterctl.operations.card.case import Case
from meterctl.operations.card.comparison import compare
from meterctl.operations.card.issuing import plan_format
from meterctl.operations.card.openings import Opening, open_account
from meterctl.operations.card.presented import PresentedCard
from meterctl.operations.card.sales import sell
from meterctl.transports.wires import wall_seconds
from protocols.quantities import CENT, format_money


class VendingPoint:
    """The vending point: the customer's card, its key ring and its journal."""

    def __init__(self, card: Path, journal: Journal, out: Callable[[str], None]) -> None:
        self.card, self.journal, self._out = card, journal, out
        create_image(card, CARD_SERIAL)
        with self._presented() as presented:
            plan_format(presented, journal).carry_out()

    def sell(self, cents: int) -> None:
        """Sell credit on the card; the first sale opens the account."""
        with self._presented() as presented:
            case = Case.read(presented, self.journal)
            if self.journal.entries():
                entry = sell(case, cents).entry
            else:
                entry = open_account(case, Opening(SERIAL_NUMBER, CUSTOMER, cents, 156)).entry
        self._out(
            f"{'vending point':<13} card {entry.card} bought: "
            f"{format_money(entry.amount * CENT)}, sequence "
            f"{entry.sequence}, sealed for meter {entry.meter}"
        )

    def reconcile(self) -> bool:
        """Read the write-back and return whether the journal agrees with the meter to the cent."""
        with self._presented() as presented:
            case = Case.read(presented, self.journal)
            back = case.back
            if back is None:
                return False
            compare(case)
        confirmed = [
            entry for entry in self.journal.entries() if entry.state is EntryState.CONFIRMED
        ]
        total = sum(entry.amount for entry in confirmed)
        agreed = len(confirmed) == len(self.journal.entries()) and total * CENT == back.cumulative
        self._out(
            f"{'write-back':<13} the card brought back: purchases "
            f"{format_money(back.cumulative)} in all; the journal "
            f"has sold {format_money(total * CENT)}, {'proved' if agreed else 'NOT proved'}"
        )
        return agreed

    @contextmanager
    def _presented(self) -> Iterator[PresentedCard]:
        with open_image(self.card) as port:
            yield PresentedCard(port.transmit, development_ring(), os.urandom, wall_seconds)
