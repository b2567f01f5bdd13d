"""One insertion of a card at a station: the exchange between them, step by step.

The holder of the card's contacts drives it: at once for a card in this process, or at the pace of a
reader. The meter is brought to the present before each step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from firmware_sim.rack.stations import Station
from firmware_sim.rack.values import Value, money
from firmware_sim.token_carriers.card_slot import CardSlot, Inserted
from protocols.card.terminal import Exchange
from protocols.data_model import items
from protocols.errors import CardGoneError


class CardInsertion:
    """One insertion. `inserted` is its result; None while it goes on, or if the meter failed."""

    def __init__(self, station: Station, random: Callable[[int], bytes]) -> None:
        self._station, self._random = station, random
        self._exchange: Exchange[Inserted] | None = None
        self._restarts = station.restarts
        self.inserted: Inserted | None = None

    @property
    def power_failed(self) -> bool:
        """Whether the meter restarted since the insertion began: it has no state of the card."""
        return self._station.restarts != self._restarts

    def begin(self, answer_to_reset: bytes, at_us: int) -> bytes | None:
        """Take the card's answer to reset; return the first command, None where there is none."""
        self._station.present(at_us)
        self._restarts = self._station.restarts
        slot = CardSlot(self._station.meter, self._station.hand_over, self._random)
        exchange = slot.insert(answer_to_reset)
        self._exchange = exchange
        return self._step(lambda: next(exchange))

    def answer(self, response: bytes | None, at_us: int) -> bytes | None:
        """Take a response (None: the card was pulled); return the next command, None at the end."""
        self._station.present(at_us)
        exchange = self._exchange
        assert exchange is not None, "begin first"
        if self.power_failed:
            exchange.close()
            return None
        if response is None:
            gone = CardGoneError("the card was pulled, or does not answer")
            return self._step(lambda: exchange.throw(gone))
        return self._step(lambda: exchange.send(response))

    def _step(self, go_on: Callable[[], bytes]) -> bytes | None:
        try:
            command = go_on()
        except StopIteration as end:
            failed = self.power_failed or self._station.failure is not None
            self.inserted = None if failed else end.value
            return None
        return command

    def play(
        self, answer_to_reset: bytes, transmit: Callable[[bytes], bytes], at_us: int
    ) -> Inserted | None:
        """Play the whole insertion at once; None where the power failed in the middle of a write.

        Args:
            transmit: brings a command to the card; raises CardGoneError where there is none.
        """
        command = self.begin(answer_to_reset, at_us)
        while command is not None:
            try:
                response = transmit(command)
            except CardGoneError:
                response = None
            command = self.answer(response, at_us)
        return self.inserted


def describe(station: Station, inserted: Inserted) -> Mapping[str, Value]:
    """Return the result of an insertion as values by name (DESIGN.md 5.1)."""
    state, insertion = station.meter.state, inserted.insertion
    error = insertion.error if insertion else None
    outcome = insertion.outcome if insertion else None
    commands = insertion.command_outcome if insertion else None
    before = insertion.credit_before if insertion else None
    return {
        "serial_number": state.identity.serial_number,
        "card": inserted.serial.hex() if any(inserted.serial) else None,
        "card_type": inserted.card_type.word if inserted.card_type else None,
        "outcome": outcome.name.lower() if outcome else None,
        "command_outcome": commands.name.lower() if commands else None,
        "error": int(error) if error else None,
        "error_name": error.word if error else None,
        "display": inserted.display,
        "written_back": inserted.written_back,
        "credit_before": money(before) if before is not None else None,
        "available_credit": money(state.account.credit),
        "supply_state": items.SUPPLY_STATE.kind.text(state.supply.state),
    }
