"""Plain writes: a credit counts once by its purchase count, a command as a sealed one does."""

from __future__ import annotations

from typing import Any

import pytest

from firmware_sim.acceptance.plain import LAST_COUNT, plain_credit, plain_limits, plain_switch
from firmware_sim.assembly import build, build_lost
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.records.ring import CREDIT_RECEIPTS, PURCHASE_RING
from firmware_sim.requests import Plain, Reply
from firmware_sim.settings import Settings
from protocols.control import CutPower, ReturnPower
from protocols.data_model.items import (
    LOW_CREDIT_1,
    LOW_CREDIT_2,
    MAX_CREDIT,
    RECONNECT_THRESHOLD,
    SETTINGS,
    Item,
)
from protocols.data_model.tables import Purchase
from protocols.data_model.words import Carrier, Cause, SupplyState
from protocols.quantities import CENT, LEDGER, MONEY_LIMIT
from protocols.sealed_message import MessageKind, Outcome, SwitchAction
from tests.support.meters import Host, event_names, events

ACCEPTED, AGAIN = Outcome.ACCEPTED, Outcome.ALREADY_ACCEPTED
CONFLICT, OLD, GAP = Outcome.SEQUENCE_CONFLICT, Outcome.SEQUENCE_OLD, Outcome.SEQUENCE_GAP
NUMBERS = {item: number for number, item in SETTINGS.items()}


def make(nvram: SimulatedNvram | None = None, **fields: Any) -> Meter:
    """Return a meter that takes plain writes."""
    return build(MeterDescription(unsafe_writes=True, **fields), nvram)


def give(meter: Meter, submission: Plain) -> Reply:
    """Return the reply to a plain write."""
    reply = meter.handle(submission)
    assert reply is not None
    return reply


def outcome(meter: Meter, submission: Plain) -> Outcome:
    """Return the outcome of a plain write."""
    answer = give(meter, submission).answer
    assert answer is not None
    return answer.outcome


def credit(meter: Meter, count: int, cents: int) -> Outcome:
    """Return the outcome of a plain credit."""
    return outcome(meter, plain_credit(count, cents))


def limits(meter: Meter, values: dict[Item, int | None]) -> Outcome:
    """Return the outcome of written settings."""
    return outcome(meter, plain_limits({NUMBERS[item]: value for item, value in values.items()}))


def essence(meter: Meter) -> tuple[object, ...]:
    """Return what a refused write must not change."""
    state = meter.state
    return state.account, state.security, state.settings, state.supply, list(state.numbers)


# ---- who takes them


def test_without_unsafe_writes_a_meter_has_no_such_form() -> None:
    assert not build(MeterDescription()).takes_plain_writes
    assert make().takes_plain_writes
    assert build_lost(MeterDescription(unsafe_writes=True)).takes_plain_writes


def test_unsafe_writes_are_of_the_description_and_not_of_the_storage() -> None:
    device = SimulatedNvram()
    assert make(device).takes_plain_writes
    assert not build(MeterDescription(), device).takes_plain_writes
    assert make(device).takes_plain_writes


# ---- credit


def test_a_plain_credit_is_a_purchase_and_moves_no_sequence() -> None:
    meter = make()
    reply = give(meter, plain_credit(1, 5000))
    assert reply.receipt == b""
    assert reply.answer is not None
    assert (reply.answer.outcome, reply.answer.sequence, reply.answer.code) == (
        ACCEPTED,
        0,
        bytes(4),
    )
    account, security = meter.state.account, meter.state.security
    assert (account.credit, account.purchases, account.cumulative) == (
        70 * LEDGER,
        1,
        50 * LEDGER,
    )
    assert account.imbalance() == (0, 0)
    assert (security.credit_sequence, security.command_sequence) == (0, 0)
    assert (security.last_code, security.journals) == ("00000000", ())
    assert meter.rings[CREDIT_RECEIPTS].last == 0
    (row,) = meter.rings[PURCHASE_RING].newest(10)
    purchase = Purchase.unpack(row)
    assert (purchase.sequence, purchase.carrier, purchase.amount) == (
        1,
        Carrier.PLAIN,
        50 * LEDGER,
    )


def test_each_accepted_plain_write_is_an_event_of_its_own() -> None:
    meter = make()
    credit(meter, 1, 5000)
    outcome(meter, plain_switch(SwitchAction.INTERRUPT))
    limits(meter, {LOW_CREDIT_1: LEDGER})
    credit(meter, 1, 5000)
    credit(meter, 1, 6000)
    kinds = [(e.a, e.b) for e in events(meter) if e.name == "plain_write_accepted"]
    assert kinds == [(0, 1), (1, 1), (2, 1)]
    assert event_names(meter)[:2] == ["credit_accepted", "plain_write_accepted"]


def test_the_count_is_the_next_one_or_the_credit_is_refused() -> None:
    meter = make()
    for count, refused in ((0, OLD), (2, GAP), (LAST_COUNT, GAP)):
        before = essence(meter)
        assert credit(meter, count, 100) is refused
        assert essence(meter) == before
    assert credit(meter, 1, 100) is ACCEPTED
    assert credit(meter, 3, 100) is GAP
    assert credit(meter, 2, 100) is ACCEPTED
    assert meter.state.account.credit == 22 * LEDGER


def test_the_same_count_is_accepted_again_for_its_own_amount_alone_and_credits_nothing() -> None:
    meter = make()
    assert credit(meter, 1, 5000) is ACCEPTED
    before = essence(meter)
    for _ in range(3):
        assert credit(meter, 1, 5000) is AGAIN
        assert credit(meter, 1, 5001) is CONFLICT
        assert credit(meter, 1, 0) is CONFLICT
    assert essence(meter) == before


def test_two_masters_with_the_same_count_get_one_credit_in() -> None:
    meter = make()
    assert [credit(meter, 1, 5000), credit(meter, 1, 3000)] == [ACCEPTED, CONFLICT]
    assert [credit(meter, 2, 3000), credit(meter, 1, 5000)] == [ACCEPTED, AGAIN]
    assert meter.state.account.credit == 100 * LEDGER


def test_a_sealed_top_up_between_two_plain_ones_moves_the_count() -> None:
    meter = make()
    host = Host(meter)
    assert credit(meter, 1, 100) is ACCEPTED
    assert host.send(MessageKind.CREDIT, amount=200).outcome is ACCEPTED
    assert meter.state.security.credit_sequence == 1
    assert credit(meter, 2, 200) is OLD, "a sealed one had this count, with the same amount"
    assert credit(meter, 1, 100) is AGAIN, "it was credited, whatever came after it"
    assert credit(meter, 3, 300) is ACCEPTED
    assert host.send(MessageKind.CREDIT, amount=400).outcome is ACCEPTED
    assert meter.state.account.credit == 30 * LEDGER
    assert [Purchase.unpack(row).sequence for row in meter.rings[PURCHASE_RING].newest(9)] == [
        2,
        3,
        1,
        1,
    ]


def test_a_sealed_message_that_is_no_purchase_does_not_move_the_count() -> None:
    meter = make()
    host = Host(meter)
    host.send(MessageKind.VOID)
    host.send(MessageKind.REFUND, amount=100)
    assert credit(meter, 1, 100) is ACCEPTED


def test_a_repeat_is_known_after_a_restart_and_for_ten_purchases() -> None:
    device = SimulatedNvram()
    meter = make(device)
    assert credit(meter, 1, 100) is ACCEPTED
    for count in range(2, 11):
        meter = make(device.power_cycle(lambda _: False))
        device = meter._store._nvram  # type: ignore[union-attr]
        assert credit(meter, count - 1, 100) is AGAIN
        assert credit(meter, count - 1, 101) is CONFLICT
        assert credit(meter, count, 100) is ACCEPTED
    assert credit(meter, 1, 100) is AGAIN
    assert credit(meter, 11, 100) is ACCEPTED
    assert credit(meter, 1, 100) is OLD, "its purchase is kept no longer"
    assert meter.state.account.credit == 31 * LEDGER


def test_a_plain_credit_passes_the_same_admission_as_a_sealed_one() -> None:
    top = MONEY_LIMIT // CENT
    rows = [
        (make(opened=False), 1, 100, Outcome.NOT_OPENED),
        (make(), 1, 0, Outcome.OUT_OF_RANGE),
        (
            make(credit=-10 * LEDGER, settings=Settings(overdraft_limit=20 * LEDGER)),
            1,
            top + 1,
            Outcome.OUT_OF_RANGE,
        ),
        (make(), 1, (1 << 64) - 1, Outcome.OUT_OF_RANGE),
        (make(), 1, top, Outcome.EXCEEDS_MAX_CREDIT),
        (make(settings=Settings(max_credit=50 * LEDGER)), 1, 3001, Outcome.EXCEEDS_MAX_CREDIT),
    ]
    for meter, count, cents, refused in rows:
        before = essence(meter)
        assert credit(meter, count, cents) is refused
        assert essence(meter) == before
    assert credit(rows[-1][0], 1, 3000) is ACCEPTED


def test_a_closed_account_takes_no_plain_credit_and_still_knows_the_last_one() -> None:
    meter = make()
    assert credit(meter, 1, 100) is ACCEPTED
    Host(meter).send(MessageKind.CLOSE)
    assert credit(meter, 2, 100) is Outcome.NOT_OPENED
    assert credit(meter, 1, 100) is AGAIN


def test_a_refused_write_of_the_storage_leaves_the_count_unused() -> None:
    device = SimulatedNvram()
    meter = make(device)
    device.full = True
    before = essence(meter)
    assert credit(meter, 1, 100) is Outcome.STORAGE_FAULT
    assert outcome(meter, plain_switch(SwitchAction.INTERRUPT)) is Outcome.STORAGE_FAULT
    assert essence(meter) == before
    device.full = False
    assert credit(meter, 1, 100) is ACCEPTED


def test_a_meter_with_a_lost_storage_refuses() -> None:
    meter = build_lost(MeterDescription(unsafe_writes=True))
    assert credit(meter, 1, 100) is Outcome.STORAGE_FAULT


def test_without_power_a_plain_write_is_not_answered_and_nothing_is_credited() -> None:
    meter = make()
    meter.handle(CutPower())
    assert meter.handle(plain_credit(1, 100)) is None
    assert meter.handle(plain_switch(SwitchAction.INTERRUPT)) is None
    meter.handle(ReturnPower())
    assert (meter.state.account.credit, meter.state.supply.causes) == (20 * LEDGER, 0)


def test_a_plain_credit_acknowledges_and_reconnects_as_a_sealed_one_does() -> None:
    meter = make(credit=0)
    assert meter.state.supply.causes == Cause.CREDIT_EXHAUSTED
    assert credit(meter, 1, 1) is ACCEPTED
    assert meter.state.supply.closed


# ---- commands


def test_a_written_action_of_the_switch_is_the_sealed_one() -> None:
    meter = make()
    assert outcome(meter, plain_switch(SwitchAction.INTERRUPT)) is ACCEPTED
    assert (meter.state.supply.causes, meter.state.supply.closed) == (Cause.REMOTE, False)
    assert outcome(meter, plain_switch(SwitchAction.PERMIT)) is ACCEPTED
    assert meter.state.supply.state is SupplyState.READY_FOR_RECONNECTION
    assert outcome(meter, plain_switch(SwitchAction.DIRECT)) is ACCEPTED
    assert meter.state.supply.closed
    assert meter.state.security.command_sequence == 0


def test_a_guarantee_refuses_a_written_interrupt_and_not_a_permit() -> None:
    meter = make(guarantee=True)
    assert outcome(meter, plain_switch(SwitchAction.INTERRUPT)) is Outcome.REFUSED_BY_GUARANTEE
    assert meter.state.supply.closed
    assert outcome(meter, plain_switch(SwitchAction.PERMIT)) is ACCEPTED


def test_written_settings_are_one_change_under_the_rules_of_a_sealed_limits_command() -> None:
    meter = make()
    assert limits(meter, {LOW_CREDIT_1: 10 * LEDGER, LOW_CREDIT_2: 5 * LEDGER}) is ACCEPTED
    before = meter.state.settings
    assert (before.low_credit_threshold_1, before.low_credit_threshold_2) == (
        10 * LEDGER,
        5 * LEDGER,
    )
    refused: list[dict[Item, int | None]] = [
        {LOW_CREDIT_1: LEDGER},
        {LOW_CREDIT_2: 11 * LEDGER, MAX_CREDIT: 100 * LEDGER},
        {MAX_CREDIT: LEDGER, RECONNECT_THRESHOLD: LEDGER},
        {LOW_CREDIT_1: 20 * LEDGER, RECONNECT_THRESHOLD: -1},
    ]
    for values in refused:
        assert limits(meter, values) is Outcome.OUT_OF_RANGE
        assert meter.state.settings == before, "all or nothing"
    assert limits(meter, {LOW_CREDIT_1: None}) is ACCEPTED
    assert meter.state.settings.low_credit_threshold_1 is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        bytes((MessageKind.CREDIT,)),
        plain_credit(1, 1).data + b"\0",
        bytes((MessageKind.SWITCH,)),
        bytes((MessageKind.SWITCH, 0)),
        bytes((MessageKind.SWITCH, 4)),
        bytes((MessageKind.LIMITS,)),
        bytes((MessageKind.LIMITS, 0xFF)) + bytes(9),
        bytes((MessageKind.OPEN,)) + plain_credit(1, 1).data[1:],
        bytes((MessageKind.REFUND,)) + plain_credit(1, 1).data[1:],
        bytes((MessageKind.CLOSE,)),
        bytes((MessageKind.CLEAR_EVENTS,)),
        bytes((MessageKind.GUARANTEE, 1)),
    ],
)
def test_only_credit_switch_and_limits_exist_as_plain_writes(data: bytes) -> None:
    meter = make()
    before = essence(meter)
    assert outcome(meter, Plain(data, Carrier.PLAIN)) is Outcome.MALFORMED
    assert essence(meter) == before
