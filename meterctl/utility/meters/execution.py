"""One order carried out: begun, done at its meter through the gateway, written down.

The steps are told to an observer: a worker prints them, and tests end a process at each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from meterctl.errors import MeterctlError
from meterctl.utility.meters.due_orders import TERMS
from meterctl.utility.meters.endings import Ended, end, end_credit, expire, go_on
from meterctl.utility.meters.gateway import (
    CommandOutcome,
    CommandWord,
    Gateway,
    MeterPlace,
    Outcome,
    Problem,
    Wire,
)
from meterctl.utility.meters.orders import Begun, Claim, begin, of_key
from meterctl.utility.meters.terms_of_orders import wanted_settings, wanted_tariff
from meterctl.utility.model.work import OrderKind
from meterctl.utility.store.engine import Database
from meterctl.utility.store.order_books import THEN
from meterctl.utility.store.queries.waiting import NO_WIRE
from meterctl.utility.store.set_back_books import ESTIMATE
from protocols.errors import QuantityError


class Step(StrEnum):
    """What has just been done with an order."""

    SENDING = "sending"
    """It is begun, committed; the journal is touched next."""
    SETTLED = "settled"
    """The gateway has answered; nothing is booked of it yet."""
    POSTED = "posted"
    """It is written down, committed."""


Observer = Callable[[Step, Begun, str], None]
"""Told each step of an order, with the word of its state for `POSTED`, else empty."""


def unobserved(step: Step, begun: Begun, state: str) -> None:
    """Observe nothing."""


@dataclass(frozen=True, slots=True)
class Execution:
    """Carries out orders for one journal; its methods may be called by any thread.

    `worker` is the number of the journal's row.
    """

    database: Database
    gateway: Gateway
    worker: int
    observer: Observer = unobserved

    def run_next(self, wire: Wire | None, claim: Claim) -> Begun | None:
        """Carry out the next order of a claim; None where none is due.

        Raises:
            UsageError: the journal cannot be read or written; the order stays as it was begun, and
                is sought in the journal later.
            DeskError: the books refuse it, or what follows it; the text says what stands.
        """
        begun = begin(self.database, self.worker, claim)
        while begun is not None and begun.is_expired:
            expire(self.database, begun)
            begun = begin(self.database, self.worker, claim)
        if begun is None:
            return None
        self.observer(Step.SENDING, begun, "")
        ended = self._carry_out(wire, begun)
        self.observer(Step.SETTLED, begun, "")
        state = end(self.database, begun, ended)
        self.observer(Step.POSTED, begun, state)
        if THEN in begun.parameters:
            go_on(self.database, begun.order)
        return begun

    def on_card(self, begun: Begun) -> Outcome:
        """Write a sale on its card, or finish what was interrupted."""
        assert begun.card is not None
        assert begun.credit is not None
        place = begun.place or MeterPlace(begun.serial, "")
        return self.gateway.cards.sell(
            begun.card,
            place,
            begun.key,
            begun.credit,
            begun.amount,
            begun.customer,
            epoch=begun.epoch,
        )

    def _carry_out(self, wire: Wire | None, begun: Begun) -> Ended:
        """Do an order at its meter or card."""
        if begun.credit is not None:
            outcome = self._credit(wire, begun)
            key = outcome.in_the_way
            if outcome.problem is Problem.ENTRY_OPEN and key and wire and begun.place:
                self._resolve_other(wire, begun.place, key)
                outcome = self._credit(wire, begun)
            return outcome
        if wire is None or begun.place is None:
            return CommandOutcome(CommandWord.SILENT, problem=Problem.LOCAL, cause=NO_WIRE)
        place, parameters = begun.place, begun.parameters
        match begun.kind:
            case OrderKind.READ:
                if parameters.get(TERMS):
                    return wire.terms(place)
                return wire.reading(place, set_back=ESTIMATE in parameters)
            case OrderKind.LIMITS:
                return _command(lambda: wire.limits(place, wanted_settings(parameters)))
            case OrderKind.TARIFF:
                return _command(lambda: wire.tariff(place, wanted_tariff(parameters)))
            case OrderKind.RESOLVE:
                return self._resolve_asked(wire, place, parameters["key"])
            case _:
                raise AssertionError(f"O{begun.order}: {begun.kind} is of the credit class")

    def _credit(self, wire: Wire | None, begun: Begun) -> Outcome:
        """Carry out or settle an order of the credit class; the journal says what became of it."""
        assert begun.credit is not None
        if begun.card is not None:
            return self.on_card(begun)
        if wire is None or begun.place is None:
            return replace(self.gateway.find(begun.key), problem=Problem.LOCAL, cause=NO_WIRE)
        if begun.resolves:
            return wire.resolve(begun.place, begun.key)
        return wire.sell(
            begun.place, begun.key, begun.credit, begun.amount, begun.customer, begun.epoch
        )

    def _resolve_other(self, wire: Wire, place: MeterPlace, key: str) -> Outcome:
        """Settle another entry of the meter, and the order that it belongs to, if it is one."""
        outcome = wire.resolve(place, key)
        other = of_key(self.database, key)
        if other is not None:
            end_credit(self.database, other, outcome)
            if THEN in other.parameters:
                go_on(self.database, other.order)
        return outcome

    def _resolve_asked(self, wire: Wire, place: MeterPlace, key: str) -> CommandOutcome:
        """Settle the entry of a key because an order asks for it."""
        outcome = self._resolve_other(wire, place, key)
        word = CommandWord.SILENT if outcome.is_open else CommandWord.DONE
        return CommandOutcome(word, problem=outcome.problem, cause=outcome.cause)


def _command(act: Callable[[], CommandOutcome]) -> CommandOutcome:
    """Run a command; one whose parameters cannot be is refused."""
    try:
        return act()
    except (MeterctlError, QuantityError, KeyError) as error:
        return CommandOutcome(CommandWord.REFUSED, problem=Problem.LOCAL, cause=str(error))
