"""Values that an older build took and this one refuses: a state that holds them goes on."""

from __future__ import annotations

from collections.abc import Iterator

from firmware_sim.state import State
from protocols.quantities import format_money


def refused_today(state: State) -> Iterator[str]:
    """Yield each value of a state that no description and no message could set now.

    They stay in force until they are set: a change of other settings is not refused for them. A
    negative debt takes no part of a top-up, equal hours are no friendly window, the first of two
    day tables of a holiday holds.
    """
    for problem in state.settings.problems():
        yield problem.text
    if state.account.debt < 0:
        yield f"debt = {format_money(state.account.debt)}: it counts as none"
    for part in (state.tariff, *(pending.part for pending in state.pending)):
        if found := part.problem():
            yield f"tariff: {found}"
