"""The tables of the supply control switch and the state that follows from them (METER.md 5)."""

from __future__ import annotations

import pytest

from firmware_sim.supply.switch import (
    CLEARED_BY,
    Clearing,
    causes_cleared,
    closes,
    supply_state,
)
from protocols.data_model.words import Cause, ReconnectMode, SupplyState

ALL_CAUSES = [Cause(bits) for bits in range(64)]


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("closed", [False, True])
def test_the_state_follows_from_the_causes_over_the_whole_product(
    closed: bool, locked: bool
) -> None:
    for causes in ALL_CAUSES:
        state = supply_state(closed, causes, locked)
        customers = Cause.CREDIT_REMINDER | (Cause.OVERLOAD if locked else Cause.NONE)
        if closed and causes == Cause.NONE:
            assert state is SupplyState.CONNECTED
        elif causes | customers == customers:
            assert state is SupplyState.READY_FOR_RECONNECTION
        else:
            assert state is SupplyState.DISCONNECTED


def test_the_tables_name_every_cause() -> None:
    assert set(CLEARED_BY) == set(Cause) - {Cause.NONE}
    assert not closes(Cause.REMOTE, Cause.NONE, Clearing.BUTTON, ReconnectMode.AUTOMATIC)
    assert (
        causes_cleared(Cause.REMOTE | Cause.CREDIT_REMINDER, Clearing.BUTTON, False) == Cause.NONE
    )


@pytest.mark.parametrize(
    ("by", "mode", "wanted"),
    [
        (Clearing.BUTTON, ReconnectMode.MANUAL, True),
        (Clearing.DIRECT_CLOSE, ReconnectMode.MANUAL, True),
        (Clearing.RECLOSING, ReconnectMode.MANUAL, True),
        (Clearing.RETURN_CONDITION, ReconnectMode.MANUAL, False),
        (Clearing.RETURN_CONDITION, ReconnectMode.AUTOMATIC, True),
        (Clearing.PERMIT, ReconnectMode.AUTOMATIC, False),
    ],
)
def test_once_no_cause_is_left_the_clearing_and_the_mode_decide_whether_it_closes(
    by: Clearing, mode: ReconnectMode, wanted: bool
) -> None:
    assert closes(Cause.NONE, Cause.REMOTE, by, mode) is wanted
    assert not closes(Cause.TAMPER, Cause.REMOTE, by, mode)
