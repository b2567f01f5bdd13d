"""Values that an older build took and this one refuses: a state that holds them goes on."""

from __future__ import annotations

from collections.abc import Iterator

from firmware_sim.state import State
from protocols.quantities import MONEY_LIMIT, format_money


def refused_today(state: State) -> Iterator[str]:
    """Yield each value of a state that no description and no message could set now.

    They stay in force until they are set: a change of other settings is not refused for them. A
    negative debt takes no part of a top-up and is balanced against a debt that is entered; equal
    hours are no friendly window, the first of two day tables of a holiday holds.
    """
    for problem in state.settings.problems():
        yield problem.text
    account = state.account
    if account.credit > MONEY_LIMIT:
        yield (
            f"credit = {format_money(account.credit)}: allowed is at most "
            f"{format_money(MONEY_LIMIT)}; it is spent as it is"
        )
    if account.debt < 0:
        yield (
            f"debt = {format_money(account.debt)}: allowed is 0.00 or more; it takes no part of a "
            f"top-up, and a debt that is entered is smaller by it"
        )
    for part in (state.tariff, *(pending.part for pending in state.pending)):
        if found := part.problem():
            yield f"tariff: {found}"
