"""What a person is told who asks for something that the state of a sale does not allow."""

from __future__ import annotations

from meterctl.utility.errors import Refused
from meterctl.utility.rules.transitions import SALE, SaleEvent, SaleState

_ASKED = {
    SaleEvent.CANCEL: "cancelled",
    SaleEvent.CANCEL_LATER: "cancelled",
    SaleEvent.PAYOUT: "paid out",
    SaleEvent.SELL_AGAIN: "sold again",
    SaleEvent.SETTLED_AS_DELIVERED: "settled by hand",
    SaleEvent.SETTLED_AS_DEAD: "settled by hand",
}
_IS = {
    SaleState.TAKEN: "it waits to be sent to its meter; `desk sale cancel` ends it",
    SaleState.SENDING: "it is being sent to its meter",
    SaleState.ON_CARD: "it lies on a card; `desk card present` reads what became of it",
    SaleState.UNKNOWN: "its meter may have it; `desk work` asks the meter",
    SaleState.DELIVERED: "its meter has it; `desk refund` gives credit back",
    SaleState.CANCELLED: "it was cancelled, and its money given back",
    SaleState.DEAD: "its meter did not get it; `desk sale payout` or `sell-again` ends it",
    SaleState.HAND_DELIVERED: "two persons have settled it: its meter has it",
    SaleState.HAND_DEAD: "two persons have settled it: `desk sale payout` or `sell-again` ends it",
    SaleState.REPAID: "it was paid out already",
    SaleState.REPLACED: "it was sold again already",
}


def require_possible(number: str, state: SaleState, event: SaleEvent) -> None:
    """Refuse what a person asks for a sale in a state that does not allow it.

    Args:
        number: of the sale, for people.
        event: one that a person asks for.

    Raises:
        Refused: `not_in_this_state`, in words, with what is possible instead.
    """
    if (state, event) not in SALE:
        raise Refused(
            "not_in_this_state",
            f"{number} cannot be {_ASKED[event]}: {_IS[state]}; nothing was changed",
        )
