"""The supply control switch: causes, modes, clearing, and each row of the table in METER.md 5."""

from __future__ import annotations

from itertools import product

import pytest

from firmware_sim.hal.switch import SwitchDefect
from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from firmware_sim.requests import BreakSwitch, SetLoad
from firmware_sim.settings import Settings
from firmware_sim.supply.control import Supply, clear
from firmware_sim.supply.switch import (
    CLEARED_BY,
    CLOSES_ALWAYS,
    CLOSES_NEVER,
    CUSTOMER,
    SWITCHED_BY,
    Clearing,
    customer_may_clear,
)
from protocols.control import PressButton
from protocols.data_model.words import Cause, ReconnectMode, SupplyState, SwitchedBy
from protocols.quantities import DAY, LEDGER, SECOND
from protocols.sealed_message import MessageKind, Outcome, SwitchAction, encode_number
from tests.support.meters import Host, event_names, make

ALL_CAUSES = [Cause(bits) for bits in range(64)]


@pytest.mark.parametrize("mode", list(ReconnectMode))
@pytest.mark.parametrize("by", list(Clearing))
def test_every_clearing_of_every_set_of_causes_in_every_mode(
    by: Clearing, mode: ReconnectMode
) -> None:
    for causes, locked in product(ALL_CAUSES, (False, True)):
        supply = Supply(closed=False, causes=int(causes), reclose_due_ms=None if locked else 5)
        emitted: list[tuple[str, int, int]] = []
        before = supply.state
        changed = clear(
            supply,
            by,
            Settings(reconnect_mode=mode),
            lambda name, a, b, out=emitted: out.append((name, a, b)),
        )
        switched_by = SWITCHED_BY.get(by, SwitchedBy.AUTOMATIC)
        left = Cause(supply.causes)
        cleared = causes & ~left
        assert left | causes == causes, "clearing never adds a cause"
        for cause in Cause:
            if cleared & cause:
                assert by in CLEARED_BY[cause]
        if by in CUSTOMER and not customer_may_clear(
            causes, locked and bool(causes & Cause.OVERLOAD)
        ):
            assert cleared == Cause.NONE
        if supply.closed:
            assert left == Cause.NONE
            assert by not in CLOSES_NEVER
            assert by in CLOSES_ALWAYS or (mode is ReconnectMode.AUTOMATIC and cleared)
            assert emitted == [("supply_connected", switched_by, 0)]
        elif supply.state is not before:
            assert emitted == [("ready_for_reconnection", switched_by, 0)]
        else:
            assert emitted == [("supply_cause_cleared", int(cleared), 0)] * bool(cleared)
        assert changed is (supply.closed or bool(cleared))


# ---- METER.md 5: two_stage, T1 10, T2 5, overdraft 20, reconnect 8, automatic


def at(
    credit: int, mode: ReconnectMode = ReconnectMode.AUTOMATIC, reconnect: int = 8
) -> tuple[Meter, Host]:
    """Return a meter of the table whose credit was consumed from 12 to `credit` account units."""
    settings = Settings(
        low_credit_threshold_1=10 * LEDGER,
        low_credit_threshold_2=5 * LEDGER,
        overdraft_limit=20 * LEDGER,
        reconnect_threshold=reconnect * LEDGER,
        reconnect_mode=mode,
    )
    meter = make(credit=12 * LEDGER, settings=settings)
    burn(meter, credit)
    return meter, Host(meter)


def burn(meter: Meter, credit: int) -> None:
    """Consume down to the level `credit`, with a button press at each reminder."""
    # 1 mWh costs 5283 ledger units at 0.5283, so a whole amount is not reached exactly:
    # advance from one level crossing to the next.
    while meter.state.account.credit > credit * LEDGER:
        if meter.state.supply.state is SupplyState.READY_FOR_RECONNECTION:
            meter.handle(PressButton())
        meter.handle(SetLoad(Load.constant((1_000_000,))))
        due = meter.next_deadline()
        assert due is not None
        meter.advance(due)
    meter.handle(SetLoad(Load.constant((0,))))


def switch(host: Host, action: SwitchAction) -> Outcome:
    return host.send(
        MessageKind.SWITCH, parameters=encode_number(MessageKind.SWITCH, action)
    ).outcome


def stand(meter: Meter) -> tuple[str, str]:
    supply = meter.state.supply
    return supply.state.name.lower(), " ".join(
        c.name.lower() for c in Cause if c and supply.causes & c
    )  # type: ignore[union-attr]


CONNECTED = ("connected", "")
REMINDER = ("ready_for_reconnection", "credit_reminder")
EXHAUSTED = ("disconnected", "credit_exhausted")


@pytest.mark.parametrize(
    ("credit", "standing", "button", "interrupt", "permit", "direct"),
    [
        (12, CONNECTED, CONNECTED, ("disconnected", "remote"), CONNECTED, CONNECTED),
        (10, CONNECTED, CONNECTED, ("disconnected", "remote"), CONNECTED, CONNECTED),
        (5, REMINDER, CONNECTED, ("disconnected", "credit_reminder remote"), REMINDER, CONNECTED),
        (0, REMINDER, CONNECTED, ("disconnected", "credit_reminder remote"), REMINDER, CONNECTED),
        (
            -20,
            EXHAUSTED,
            EXHAUSTED,
            ("disconnected", "credit_exhausted remote"),
            EXHAUSTED,
            EXHAUSTED,
        ),
    ],
)
def test_rows_of_the_state_table(
    credit: int,
    standing: tuple[str, str],
    button: tuple[str, str],
    interrupt: tuple[str, str],
    permit: tuple[str, str],
    direct: tuple[str, str],
) -> None:
    meter, host = at(credit)
    assert stand(meter) == standing
    assert meter.state.supply.warning == (credit <= 10)
    meter.handle(PressButton())
    assert stand(meter) == button
    for action, wanted in ((SwitchAction.INTERRUPT, interrupt), (SwitchAction.PERMIT, permit)):
        meter, host = at(credit)
        assert switch(host, action) is Outcome.ACCEPTED
        assert stand(meter) == wanted
    meter, host = at(credit)
    answer = host.send(
        MessageKind.SWITCH, parameters=encode_number(MessageKind.SWITCH, SwitchAction.DIRECT)
    )
    assert stand(meter) == direct
    assert answer.causes == meter.state.supply.causes, "the answer names what stays"


def test_after_the_button_threshold_2_is_spent_and_the_next_trip_is_zero() -> None:
    meter, _ = at(5)
    meter.handle(PressButton())
    burn_names = len(event_names(meter))
    meter.handle(SetLoad(Load.constant((1_000_000,))))
    while meter.state.supply.closed:
        due = meter.next_deadline()
        assert due is not None
        meter.advance(due)
    assert meter.state.account.credit <= 0 < meter.state.account.credit + 5283
    assert event_names(meter)[burn_names:] == ["supply_disconnected"]


def test_exhausted_top_up_below_the_reconnect_threshold_stays_open() -> None:
    meter, host = at(-20)
    answer = host.send(MessageKind.CREDIT, amount=2500)
    assert stand(meter) == EXHAUSTED
    assert answer.amount_to_reconnect == 301 * LEDGER // 100, (
        "3.00 and what the last mWh took, in whole cents"
    )
    meter.handle(PressButton())
    assert stand(meter) == EXHAUSTED
    host.send(MessageKind.CREDIT, amount=301)
    assert stand(meter) == CONNECTED
    assert meter.state.supply.spent == 0, "threshold 2 is armed again"


def test_with_reconnect_1_the_top_up_leaves_threshold_2_spent() -> None:
    meter, host = at(-20, reconnect=1)
    host.send(MessageKind.CREDIT, amount=2301)
    assert stand(meter) == CONNECTED
    meter.handle(SetLoad(Load.constant((1_000_000,))))
    while meter.state.supply.closed:
        due = meter.next_deadline()
        assert due is not None
        meter.advance(due)
    assert meter.state.account.credit <= 0
    assert stand(meter) == REMINDER


def test_a_standing_charge_past_every_level_is_one_event() -> None:
    meter, _ = at(12)
    meter.state.settings = Settings(
        low_credit_threshold_1=10 * LEDGER,
        low_credit_threshold_2=5 * LEDGER,
        overdraft_limit=20 * LEDGER,
        standing_charge=39 * LEDGER,
    )
    meter.advance(2 * DAY - meter.state.elapsed_ms % DAY)
    assert stand(meter) == EXHAUSTED
    assert event_names(meter).count("supply_disconnected") == 1


def test_a_reminder_under_an_interrupt() -> None:
    meter, host = at(5)
    switch(host, SwitchAction.INTERRUPT)
    meter.handle(PressButton())
    assert stand(meter) == ("disconnected", "credit_reminder remote"), (
        "the button acknowledges nothing"
    )
    switch(host, SwitchAction.PERMIT)
    assert stand(meter) == REMINDER
    switch(host, SwitchAction.INTERRUPT)
    switch(host, SwitchAction.DIRECT)
    assert stand(meter) == CONNECTED


def test_remote_and_a_top_up() -> None:
    meter, host = at(12)
    switch(host, SwitchAction.INTERRUPT)
    host.send(MessageKind.CREDIT, amount=5000)
    assert stand(meter) == ("disconnected", "remote")
    switch(host, SwitchAction.PERMIT)
    assert stand(meter) == ("ready_for_reconnection", ""), "permit never closes"
    meter.handle(PressButton())
    assert stand(meter) == CONNECTED


def test_manual_mode_waits_for_the_button() -> None:
    meter, host = at(-20, ReconnectMode.MANUAL)
    host.send(MessageKind.CREDIT, amount=5000)
    assert stand(meter) == ("ready_for_reconnection", "")
    switch(host, SwitchAction.INTERRUPT)
    assert stand(meter) == ("disconnected", "remote")
    switch(host, SwitchAction.DIRECT)
    assert stand(meter) == CONNECTED


def test_a_welded_switch_keeps_charging_and_is_noticed_after_five_seconds() -> None:
    meter = make(load=Load.constant((2_000_000,)))
    host = Host(meter)
    meter.handle(BreakSwitch(SwitchDefect.WELDED))
    switch(host, SwitchAction.INTERRUPT)
    assert stand(meter) == ("disconnected", "remote")
    credit = meter.state.account.credit
    meter.advance(5 * SECOND - 1)
    assert meter.state.account.credit < credit
    assert "switch_fault" not in event_names(meter)
    meter.advance(5 * SECOND)
    assert event_names(meter)[-1] == "switch_fault"
    meter.handle(BreakSwitch(SwitchDefect.NONE))
    assert event_names(meter)[-1] == "switch_fault_ended"
    assert sum(meter.demand.phases) == 0


def test_a_guarantee_refuses_an_interrupt_and_lets_credit_run() -> None:
    meter, host = at(5)
    host.send(MessageKind.GUARANTEE, parameters=encode_number(MessageKind.GUARANTEE, 1))
    assert stand(meter) == CONNECTED
    assert switch(host, SwitchAction.INTERRUPT) is Outcome.REFUSED_BY_GUARANTEE
    meter.handle(SetLoad(Load.constant((100_000_000,))))
    meter.advance(meter.state.elapsed_ms + 10 * 3_600_000)
    assert meter.state.account.credit < -20 * LEDGER
    assert stand(meter) == CONNECTED
    host.send(MessageKind.GUARANTEE, parameters=encode_number(MessageKind.GUARANTEE, 0))
    assert stand(meter) == EXHAUSTED
