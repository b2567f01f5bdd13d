"""A card at a meter of the rack: the exchange between them, step by step, with the meter brought to
each present.

Whoever has the card's contacts drives it: at once where the card is in this process, or at the pace
of a reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from firmware_sim.hal.nvram import PowerCutError
from firmware_sim.rack import Rack, RackStation
from firmware_sim.token_carriers.card_slot import CardSlot, Inserted
from protocols.card.terminal import Exchange
from protocols.data_model import items
from protocols.errors import CardGoneError
from protocols.quantities import format_money


class CardSession:
    """One insertion. `answered` is what became of it, None while it goes on or where the meter lost
    its power.
    """

    def __init__(self, rack: Rack, station: RackStation, random: Callable[[int], bytes]) -> None:
        self._rack, self._station, self._random = rack, station, random
        self._exchange: Exchange[Inserted] | None = None
        self.inserted: Inserted | None = None
        self.power_lost = False

    def begin(self, answer_to_reset: bytes, at: int) -> bytes | None:
        """Give the card's answer to reset at line time `at`; return the first command, None where
        there is none.
        """
        self._rack.present(at)
        exchange = CardSlot(self._station.meter, self._random).insert(answer_to_reset)
        self._exchange = exchange
        return self._step(lambda: next(exchange), at)

    def answer(self, response: bytes | None, at: int) -> bytes | None:
        """Give a response, None for a card that is gone; return the next command, None at the
        end.
        """
        self._rack.present(at)
        exchange = self._exchange
        assert exchange is not None, "begin first"
        if response is None:
            return self._step(
                lambda: exchange.throw(CardGoneError("the card was pulled, or is silent")), at
            )
        return self._step(lambda: exchange.send(response), at)

    def _step(self, go_on: Callable[[], bytes], at: int) -> bytes | None:
        try:
            return go_on()
        except StopIteration as end:
            self.inserted = end.value
        except PowerCutError:
            self.power_lost = True
            self._rack.power_lost(self._station, at)
        return None

    def play(
        self, answer_to_reset: bytes, transmit: Callable[[bytes], bytes], at: int
    ) -> Inserted | None:
        """Play the whole insertion at once; None where the meter lost its power in the middle of a
        write.

        Args:
            transmit: brings a command to the card; raises CardGoneError where there is none.
        """
        command = self.begin(answer_to_reset, at)
        while command is not None:
            try:
                response = transmit(command)
            except CardGoneError:
                response = None
            command = self.answer(response, at)
        return self.inserted


def describe(station: RackStation, inserted: Inserted) -> Mapping[str, str]:
    """Return what became of an insertion, as JSON values by name (DESIGN.md 5.1)."""
    state, insertion = station.meter.state, inserted.insertion
    error = insertion.error if insertion else None
    outcome = insertion.outcome if insertion else None
    commands = insertion.command_outcome if insertion else None
    before = insertion.credit_before if insertion else None
    return {
        "serial_number": f'"{state.identity.serial_number}"',
        "card": f'"{inserted.serial.hex()}"' if any(inserted.serial) else "null",
        "card_type": f'"{inserted.card_type.word}"' if inserted.card_type else "null",
        "outcome": f'"{outcome.name.lower()}"' if outcome else "null",
        "command_outcome": f'"{commands.name.lower()}"' if commands else "null",
        "error": str(int(error)) if error else "null",
        "error_name": f'"{error.word}"' if error else "null",
        "display": f'"{inserted.display}"',
        "written_back": "true" if inserted.written_back else "false",
        "credit_before": format_money(before) if before is not None else "null",
        "available_credit": format_money(state.account.credit),
        "supply_state": items.SUPPLY_STATE.kind.json(state.supply.state),
    }
