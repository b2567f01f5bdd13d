"""Credit thresholds: warning, reminder trips, exhaustion, delayed trips (METER.md 4)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.settings import Settings
from firmware_sim.supply.control import Supply
from firmware_sim.supply.thresholds import evaluate, spend_after_top_up
from protocols.data_model.words import Cause, ReconnectMode, SupplyState, TripMode
from protocols.quantities import LEDGER, MINUTE

modest = settings(deadline=None, max_examples=100, database=None)

AGREEMENT = Settings(
    low_credit_threshold_1=10 * LEDGER,
    low_credit_threshold_2=5 * LEDGER,
    overdraft_limit=20 * LEDGER,
    reconnect_threshold=8 * LEDGER,
)
DELAYED = Settings(
    low_credit_threshold_2=5 * LEDGER, trip_mode=TripMode.DELAYED, trip_delay_minutes=30
)


@dataclass
class Evaluated:
    """A supply whose thresholds are evaluated at one credit after the other."""

    settings: Settings = AGREEMENT
    supply: Supply = field(default_factory=Supply)
    events: list[str] = field(default_factory=list)
    now_ms: int = 0

    def emit(self, name: str, _: int, __: int) -> None:
        self.events.append(name)

    def at(self, credit: int, *, held_back: bool = False) -> SupplyState:
        """Evaluate at a credit in ledger units; return the supply state."""
        evaluate(self.supply, self.settings, credit, held_back, self.now_ms, self.emit, 0)
        return self.supply.state

    def topped_up(self, credit: int) -> SupplyState:
        """Evaluate after a top-up that resulted in a credit."""
        spend_after_top_up(self.supply, self.settings, credit, False, self.emit)
        return self.at(credit)


def test_the_warning_is_lit_exactly_while_credit_is_at_or_below_threshold_1() -> None:
    meter = Evaluated()
    lit = []
    for credit in (10 * LEDGER + 1, 10 * LEDGER, 10 * LEDGER + 1, 10 * LEDGER):
        meter.at(credit)
        lit.append(meter.supply.warning)
    assert lit == [False, True, False, True]
    assert meter.events == ["low_credit_warning"] * 2
    assert meter.supply.closed


@pytest.mark.parametrize(
    ("credit", "state"),
    [
        (5 * LEDGER + 1, SupplyState.CONNECTED),
        (5 * LEDGER, SupplyState.READY_FOR_RECONNECTION),
        (0, SupplyState.READY_FOR_RECONNECTION),
        (-20 * LEDGER + 1, SupplyState.READY_FOR_RECONNECTION),
        (-20 * LEDGER, SupplyState.DISCONNECTED),
    ],
)
def test_at_a_level_it_trips_and_just_above_it_does_not(credit: int, state: SupplyState) -> None:
    assert Evaluated().at(credit) is state


def test_a_jump_over_several_levels_trips_once_for_the_deepest() -> None:
    meter = Evaluated()
    assert meter.at(-27 * LEDGER) is SupplyState.DISCONNECTED
    assert meter.events == ["low_credit_warning", "supply_disconnected"]
    assert meter.supply.causes == Cause.CREDIT_EXHAUSTED


def test_a_spent_level_trips_again_only_after_credit_was_above_it() -> None:
    meter = Evaluated()
    meter.at(5 * LEDGER)
    meter.topped_up(4 * LEDGER)
    assert meter.at(3 * LEDGER) is SupplyState.CONNECTED
    assert meter.topped_up(5 * LEDGER) is SupplyState.CONNECTED, "equal is not above"
    assert meter.at(0) is SupplyState.READY_FOR_RECONNECTION
    meter.topped_up(5 * LEDGER + 1)
    assert meter.at(5 * LEDGER) is SupplyState.READY_FOR_RECONNECTION


def test_zero_is_a_level_only_where_overdraft_is_allowed() -> None:
    without = Evaluated(Settings(low_credit_threshold_2=5 * LEDGER))
    without.at(5 * LEDGER)
    without.topped_up(4 * LEDGER)
    assert without.at(1) is SupplyState.CONNECTED
    assert without.at(0) is SupplyState.DISCONNECTED


@pytest.mark.parametrize(
    ("threshold", "credit", "returns"),
    [(8, 8 * LEDGER - 1, False), (8, 8 * LEDGER, True), (0, 0, False), (0, 1, True)],
)
def test_exhaustion_ends_above_zero_and_at_the_reconnect_threshold(
    threshold: int, credit: int, returns: bool
) -> None:
    meter = Evaluated(Settings(overdraft_limit=20 * LEDGER, reconnect_threshold=threshold * LEDGER))
    meter.at(-20 * LEDGER)
    assert meter.topped_up(credit) is (
        SupplyState.CONNECTED if returns else SupplyState.DISCONNECTED
    )


def test_in_manual_mode_the_end_of_exhaustion_leaves_the_switch_open() -> None:
    meter = Evaluated(Settings(reconnect_mode=ReconnectMode.MANUAL))
    meter.at(0)
    assert meter.topped_up(50 * LEDGER) is SupplyState.READY_FOR_RECONNECTION


def test_exhaustion_is_latched_when_the_limit_is_raised() -> None:
    meter = Evaluated(Settings())
    meter.at(-LEDGER)
    meter.settings = Settings(overdraft_limit=20 * LEDGER)
    assert meter.at(-LEDGER) is SupplyState.DISCONNECTED
    assert meter.supply.causes == Cause.CREDIT_EXHAUSTED


def test_direct_mode_warns_at_threshold_2_and_at_zero_and_trips_at_the_limit_only() -> None:
    meter = Evaluated(
        Settings(
            low_credit_threshold_2=5 * LEDGER,
            overdraft_limit=20 * LEDGER,
            trip_mode=TripMode.DIRECT,
        )
    )
    states = [meter.at(credit * LEDGER) for credit in (5, 0, -19, -20)]
    assert states == [SupplyState.CONNECTED] * 3 + [SupplyState.DISCONNECTED]
    assert meter.events == ["low_credit_warning"] * 2 + ["supply_disconnected"]


def test_delayed_mode_trips_when_its_delay_has_run_out() -> None:
    meter = Evaluated(DELAYED)
    assert meter.at(0) is SupplyState.CONNECTED
    assert meter.supply.credit_due_ms == 30 * MINUTE
    assert meter.supply.spent == 0
    meter.now_ms = 30 * MINUTE - 1
    assert meter.at(-LEDGER) is SupplyState.CONNECTED
    meter.now_ms += 1
    assert meter.at(-LEDGER) is SupplyState.DISCONNECTED
    assert meter.supply.credit_due_ms is None


@pytest.mark.parametrize(("credit", "held_back"), [(1, False), (-LEDGER, True)])
def test_credit_above_the_limit_and_an_inhibitor_cancel_the_delay(
    credit: int, held_back: bool
) -> None:
    meter = Evaluated(DELAYED)
    meter.at(0)
    meter.at(credit, held_back=held_back)
    assert meter.supply.credit_due_ms is None
    assert meter.events[-1] == "trip_cancelled"


def test_while_held_back_nothing_trips_and_nothing_is_spent() -> None:
    meter = Evaluated()
    for credit in (5, 0, -20, -100):
        assert meter.at(credit * LEDGER, held_back=True) is SupplyState.CONNECTED
    assert meter.supply.spent == 0
    assert meter.at(-100 * LEDGER) is SupplyState.DISCONNECTED


@modest
@given(levels=st.lists(st.integers(-30, 15), max_size=8))
def test_the_switch_is_open_exactly_while_a_cause_stands(levels: list[int]) -> None:
    meter = Evaluated()
    for credit in levels:
        meter.at(credit * LEDGER)
        assert meter.supply.closed == (not meter.supply.causes)
        assert bool(meter.supply.causes & Cause.CREDIT_EXHAUSTED) <= (credit < 8)


@pytest.mark.parametrize(
    ("credit", "held_back", "spent"),
    [
        (-20 * LEDGER, False, 6),
        (-20 * LEDGER, True, 0),
        (6 * LEDGER, False, 0),
        (6 * LEDGER, True, 0),
    ],
)
def test_while_exhausted_the_reminder_levels_are_spent_only_at_the_limit_and_not_held_back(
    credit: int, held_back: bool, spent: int
) -> None:
    meter = Evaluated()
    meter.at(-20 * LEDGER)
    meter.supply.spent = 0
    assert meter.at(credit, held_back=held_back) is SupplyState.DISCONNECTED
    assert meter.supply.spent == spent


def test_a_reminder_level_that_was_armed_while_exhausted_trips_when_exhaustion_ends() -> None:
    meter = Evaluated()
    meter.at(-20 * LEDGER)
    meter.at(6 * LEDGER)
    meter.at(5 * LEDGER)
    meter.settings = replace(AGREEMENT, reconnect_threshold=5 * LEDGER)
    assert meter.at(5 * LEDGER) is SupplyState.READY_FOR_RECONNECTION
    assert meter.supply.causes == Cause.CREDIT_REMINDER


@pytest.mark.parametrize(
    ("overdraft", "credit", "state"),
    [
        (LEDGER, 1, SupplyState.CONNECTED),
        (LEDGER, 0, SupplyState.READY_FOR_RECONNECTION),
        (1, 0, SupplyState.READY_FOR_RECONNECTION),
        (0, 1, SupplyState.CONNECTED),
        (0, 0, SupplyState.DISCONNECTED),
    ],
)
def test_zero_is_reached_exactly_at_zero_and_with_any_overdraft(
    overdraft: int, credit: int, state: SupplyState
) -> None:
    assert Evaluated(Settings(overdraft_limit=overdraft)).at(credit) is state


def test_a_top_up_spends_the_levels_that_it_leaves_below() -> None:
    meter = Evaluated()
    assert meter.topped_up(5 * LEDGER) is SupplyState.CONNECTED
    assert meter.supply.spent == 2
    assert meter.topped_up(0) is SupplyState.CONNECTED
    assert meter.supply.spent == 6
    held_back = Evaluated()
    spend_after_top_up(held_back.supply, AGREEMENT, 0, True, held_back.emit)
    assert held_back.supply.spent == 0


@pytest.mark.parametrize(("overdraft", "warnings"), [(0, 0), (LEDGER, 1)])
def test_zero_warns_in_direct_mode_only_where_overdraft_is_allowed(
    overdraft: int, warnings: int
) -> None:
    meter = Evaluated(Settings(overdraft_limit=overdraft, trip_mode=TripMode.DIRECT))
    meter.at(0)
    assert meter.events.count("low_credit_warning") == warnings
