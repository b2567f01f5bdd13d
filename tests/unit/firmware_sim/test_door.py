"""The one door: outcomes in their order, replay, epochs, keys, suspension; what each message does (METER.md 6, 7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_sim.assembly import MeterDescription, build
from firmware_sim.clock import DAY_MS
from firmware_sim.metrology.load import Load
from firmware_sim.requests import AskReceipt, SetLoad
from firmware_sim.security.door import Vouched
from firmware_sim.settings import Settings
from protocols.data_model.tariff import DayTables, Prices, Steps, TariffChange
from protocols.data_model.words import AccountState, Carrier
from protocols.keys import MessageClass, derive_meter_keys, development_keys
from protocols.quantities import HOUR, LEDGER, SECOND
from protocols.sealed_message import (
    Answer,
    MessageKind,
    Outcome,
    Receipt,
    SwitchAction,
    encode_limits,
    encode_number,
    verify,
)
from tests.support.meters import Host, event_names, make

CREDIT = MessageKind.CREDIT
MASTER = bytes(range(16))
START_S = MeterDescription().start // 1000


def test_only_the_door_vouches() -> None:
    message = Host(make()).message(CREDIT, amount=1)
    with pytest.raises(PermissionError):
        Vouched(message, b"", Carrier.WIRE, object())


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"version": 2}, Outcome.UNSUPPORTED_VERSION),
        ({"serial_number": "000000000009"}, Outcome.NOT_FOR_THIS_METER),
        ({"epoch": 77}, Outcome.NOT_FOR_THIS_METER),
        ({"epoch": 0}, Outcome.NOT_FOR_THIS_METER),
        ({"key_version": 9}, Outcome.UNKNOWN_KEY_VERSION),
        ({"sequence": 0}, Outcome.SEQUENCE_OLD),
        ({"sequence": 3}, Outcome.SEQUENCE_GAP),
        ({"expires_at": 1}, Outcome.EXPIRED),
        ({"kind": MessageKind.OPEN}, Outcome.ALREADY_OPENED),
        ({"customer_number": "000000000123"}, Outcome.NOT_FOR_THIS_CUSTOMER),
        ({"account_unit": 978}, Outcome.WRONG_UNIT),
        ({"amount": 0}, Outcome.OUT_OF_RANGE),
        ({"amount": 3001}, Outcome.EXCEEDS_MAX_CREDIT),
        ({"amount": 3000}, Outcome.ACCEPTED),
        ({"kind": MessageKind.REFUND, "amount": 2001}, Outcome.OUT_OF_RANGE),
        ({"kind": MessageKind.VOID, "amount": 1}, Outcome.OUT_OF_RANGE),
        ({"kind": MessageKind.VOID, "amount": 0, "expires_at": 1}, Outcome.ACCEPTED),
    ],
)
def test_each_refusal_by_name(fields: dict[str, object], outcome: Outcome) -> None:
    meter = make(settings=Settings(max_credit=50 * LEDGER))
    host = Host(meter)
    kind = fields.pop("kind", CREDIT)
    assert isinstance(kind, MessageKind)
    before = meter.state.account.credit
    answer = host.send(kind, **({"amount": 100} | fields))
    assert answer.outcome is outcome
    if outcome is not Outcome.ACCEPTED:
        assert meter.state.account.credit == before
        assert meter.state.security.credit_sequence == 0
        assert host.send(CREDIT, amount=100).outcome is Outcome.ACCEPTED, "a refusal consumes nothing"


def test_the_first_outcome_that_applies_is_the_answer() -> None:
    """Each message is wrong in everything from its own outcome on."""
    meter = make(settings=Settings(max_credit=50 * LEDGER))
    host = Host(meter)
    wrong: dict[str, object] = {
        "serial_number": "000000000009", "key_version": 9, "sequence": 5, "expires_at": 1,
        "customer_number": "000000000123", "account_unit": 978, "amount": 0,
    }  # fmt: skip
    order = [Outcome.NOT_FOR_THIS_METER, Outcome.UNKNOWN_KEY_VERSION, Outcome.SEQUENCE_GAP, Outcome.EXPIRED,
             Outcome.NOT_FOR_THIS_CUSTOMER, Outcome.WRONG_UNIT, Outcome.OUT_OF_RANGE]  # fmt: skip
    for outcome in order:
        assert host.send(CREDIT, **wrong).outcome is outcome
        del wrong[next(iter(wrong))]
    assert host.deliver(b"").outcome is Outcome.MALFORMED
    assert host.deliver(b"x" * 60).outcome is Outcome.MALFORMED


def test_every_flipped_bit_is_refused() -> None:
    meter = make()
    host = Host(meter)
    sealed = host.seal(CREDIT, amount=5000)
    for bit in range(8 * len(sealed)):
        data = bytearray(sealed)
        data[bit // 8] ^= 1 << bit % 8
        assert not host.deliver(bytes(data)).outcome.applied
    assert meter.state.account.credit == 20 * LEDGER
    assert host.deliver(sealed).outcome is Outcome.ACCEPTED


def test_the_same_bytes_again_answer_with_the_first_receipt_and_credit_once() -> None:
    meter = make()
    host = Host(meter)
    sealed = host.seal(CREDIT, amount=5000)
    assert host.deliver(sealed).outcome is Outcome.ACCEPTED
    first = meter.handle(AskReceipt(MessageClass.CREDIT, 1))
    for _ in range(3):
        assert host.deliver(sealed).outcome is Outcome.ALREADY_ACCEPTED
    assert meter.state.account.credit == 70 * LEDGER
    assert first is not None
    receipt = Receipt.decode(first.receipt)
    verify(first.receipt, host.keys.credit)
    assert (receipt.credit_before, receipt.credit_after, receipt.amount) == (20 * LEDGER, 70 * LEDGER, 5000)
    assert host.send(CREDIT, sequence=1, amount=4999).outcome is Outcome.SEQUENCE_CONFLICT
    for _ in range(17):
        host.send(CREDIT, amount=1)
    assert host.deliver(sealed).outcome is Outcome.SEQUENCE_OLD
    assert meter.handle(AskReceipt(MessageClass.CREDIT, 1)).receipt == b""  # type: ignore[union-attr]


def test_a_command_never_touches_the_credit_sequence() -> None:
    meter = make()
    host = Host(meter)
    sealed = host.seal(CREDIT, amount=100)
    for number in (5, 9):
        answer = host.send(MessageKind.GUARANTEE, sequence=number, parameters=b"\1")
        assert answer.outcome is Outcome.ACCEPTED, "any number above the last"
    assert host.send(MessageKind.GUARANTEE, sequence=7, parameters=b"\0").outcome is Outcome.SEQUENCE_OLD
    assert host.deliver(sealed).outcome is Outcome.ACCEPTED
    assert (meter.state.security.credit_sequence, meter.state.security.command_sequence) == (1, 9)


def test_an_opening_card_sold_before_the_meter_was_ever_read() -> None:
    meter = make(opened=False)
    host = Host(meter)
    first = host.seal(MessageKind.OPEN, epoch=0, amount=3000, customer_number="000000001001")
    other = host.seal(MessageKind.OPEN, epoch=0, amount=9000, customer_number="000000001001")
    assert host.send(CREDIT, amount=1).outcome is Outcome.NOT_OPENED
    assert host.deliver(first).outcome is Outcome.ACCEPTED
    assert meter.state.account.state == AccountState.OPEN
    assert meter.state.account.customer_number == "000000001001"
    assert host.deliver(other).outcome is Outcome.NOT_FOR_THIS_METER
    for _ in range(20):
        host.send(CREDIT, amount=1)
    assert host.deliver(first).outcome is Outcome.ALREADY_ACCEPTED, "the very bytes, also when the receipt is gone"
    assert meter.state.account.credit == 30 * LEDGER + 20 * LEDGER // 100
    assert host.send(CREDIT, epoch=0, amount=1).outcome is Outcome.NOT_FOR_THIS_METER


def test_five_wrong_codes_suspend_a_carrier_and_a_genuine_message_ends_it() -> None:
    meter = make()
    host = Host(meter)
    bad = bytearray(host.seal(CREDIT, amount=1))
    bad[-1] ^= 1
    outcomes = [host.deliver(bytes(bad)).outcome for _ in range(7)]
    assert outcomes == [Outcome.BAD_AUTHENTICATION] * 5 + [Outcome.SUSPENDED] * 2
    assert event_names(meter) == ["authentication_attack"]
    assert host.deliver(bytes(bad), Carrier.CARD).outcome is Outcome.BAD_AUTHENTICATION
    assert host.send(CREDIT, amount=1).outcome is Outcome.ACCEPTED
    replay = make()
    other = Host(replay)
    for _ in range(5):
        other.deliver(bytes(bad))
    replay.advance(3_600 * SECOND - 1)
    assert other.deliver(bytes(bad)).outcome is Outcome.SUSPENDED
    replay.advance(3_600 * SECOND)
    assert other.deliver(bytes(bad)).outcome is Outcome.BAD_AUTHENTICATION


def test_strict_suspension_refuses_genuine_messages_too() -> None:
    meter = make(settings=Settings(strict_suspension=1))
    host = Host(meter)
    good = host.seal(CREDIT, amount=1)
    bad = good[:-1] + bytes((good[-1] ^ 1,))
    for _ in range(5):
        host.deliver(bad)
    assert host.deliver(good).outcome is Outcome.SUSPENDED
    meter.advance(3_600 * SECOND)
    assert host.deliver(good).outcome is Outcome.ACCEPTED


def test_the_first_message_under_the_next_key_makes_it_current() -> None:
    keys = {version: derive_meter_keys(MASTER, "000000000001", version) for version in (1, 2)}
    meter = build(MeterDescription(keys=keys))
    old, new = Host(meter, keys[1]), Host(meter, keys[2])
    assert old.send(CREDIT, amount=1).outcome is Outcome.ACCEPTED
    assert new.send(CREDIT, amount=1).outcome is Outcome.ACCEPTED
    assert meter.state.security.key_version == 2
    assert old.send(CREDIT, amount=1).outcome is Outcome.UNKNOWN_KEY_VERSION
    assert meter.state.security.credit_sequence == 2, "sequences go on"
    assert development_keys("000000000001").check_value != keys[1].check_value


def test_the_account_from_opening_to_settlement() -> None:
    meter = make(debt=40 * LEDGER, settings=Settings(debt_share_percent=50))
    host = Host(meter)
    answer = host.send(CREDIT, amount=3000)
    assert (answer.to_debt, meter.state.account.credit) == (15 * LEDGER, 35 * LEDGER)
    host.send(MessageKind.DEBT, amount=500)
    assert meter.state.account.debt == 30 * LEDGER
    host.send(MessageKind.REFUND, amount=1000)
    host.send(MessageKind.CLOSE)
    assert meter.state.account.settled == 25 * LEDGER
    assert meter.state.account.credit == 0
    receipt = meter.handle(AskReceipt(MessageClass.CREDIT, 4))
    assert receipt is not None
    assert Receipt.decode(receipt.receipt).settlement == 25 * LEDGER
    meter.handle(SetLoad(Load.constant((1_000_000,))))
    meter.advance(HOUR)
    assert meter.state.registers.import_mwh == 1_000_000
    assert meter.state.account.consumption == 0
    assert host.send(CREDIT, amount=1).outcome is Outcome.NOT_OPENED
    assert host.send(MessageKind.VOID).outcome is Outcome.ACCEPTED
    assert meter.state.account.imbalance() == (0, 0)


def test_a_tariff_part_by_part_and_never_one_that_does_not_hold() -> None:
    meter = make(load=Load.constant((1_000_000,)))
    host = Host(meter)
    later = (START_S + 7200) * 1000
    two = DayTables((((0, 1), (180, 2)),))
    bad = TariffChange(((later, two),))
    assert host.send(MessageKind.TARIFF, parameters=bad.encode()).outcome is Outcome.OUT_OF_RANGE
    early = TariffChange(((0, two), (later, Prices((5283, 9000)))))
    assert host.send(MessageKind.TARIFF, parameters=early.encode()).outcome is Outcome.OUT_OF_RANGE
    good = TariffChange(((later, two), (later, Prices((5283, 9000))), (0, Steps((10_000_000,), (0, 100)))))
    assert host.send(MessageKind.TARIFF, parameters=good.encode()).outcome is Outcome.ACCEPTED
    assert len(meter.state.pending) == 2
    meter.advance(4 * HOUR)
    assert meter.state.tariff.prices == Prices((5283, 9000))
    assert meter.state.account.consumption == 3_000_000 * 5283 + 1_000_000 * 9000
    energy = make(
        account_unit=0,
        tariff=replace(meter.state.tariff, prices=Prices((10_000,)), day_tables=DayTables(), steps=Steps()),
    )
    change = TariffChange(((0, Prices((5283,))),))
    assert Host(energy).send(MessageKind.TARIFF, parameters=change.encode()).outcome is Outcome.OUT_OF_RANGE


def test_the_clock_forwards_and_back_charges_no_date_twice() -> None:
    meter = make(settings=Settings(standing_charge=LEDGER))
    host = Host(meter)

    def set_clock(days: int, hour: int) -> None:
        moment = MeterDescription().start + days * DAY_MS + hour * HOUR
        assert (
            host.send(MessageKind.CLOCK, parameters=encode_number(MessageKind.CLOCK, moment)).outcome
            is Outcome.ACCEPTED
        )

    set_clock(0, 23)
    meter.advance(meter.state.elapsed + 2 * HOUR)
    assert meter.state.account.standing == LEDGER
    set_clock(0, 23)
    meter.advance(meter.state.elapsed + 2 * HOUR)
    assert meter.state.account.standing == LEDGER, "the same date is not charged again"
    set_clock(5, 12)
    assert meter.state.account.standing == LEDGER, "jumped days are not charged"
    set_clock(1, 23)
    meter.advance(meter.state.elapsed + 2 * HOUR)
    assert meter.state.account.standing == 2 * LEDGER, "a date that was jumped over is charged when it comes"
    assert event_names(meter).count("clock_set") == 4


def test_a_switch_command_expires_by_the_meters_clock() -> None:
    meter = make()
    host = Host(meter)
    parameters = encode_number(MessageKind.SWITCH, SwitchAction.INTERRUPT)
    assert host.send(MessageKind.SWITCH, parameters=parameters, expires_at=0).outcome is Outcome.OUT_OF_RANGE
    sealed = host.seal(MessageKind.SWITCH, parameters=parameters, expires_at=START_S + 10)
    meter.advance(10 * SECOND)
    assert host.deliver(sealed).outcome is Outcome.EXPIRED
    assert meter.state.supply.closed


def test_limits_are_all_or_nothing() -> None:
    meter = make()
    host = Host(meter)
    answer = host.send(MessageKind.LIMITS, parameters=encode_limits({1: LEDGER, 2: 2 * LEDGER}))
    assert answer.outcome is Outcome.OUT_OF_RANGE
    assert meter.state.settings == Settings()
    assert host.send(MessageKind.LIMITS, parameters=b"\0" * 10).outcome is Outcome.MALFORMED


def test_a_level_reached_exactly_where_the_load_ends_is_judged() -> None:
    """1 kW until 30 minutes for 0.50 at 1.0000: the last mWh completes at the very edge."""
    from firmware_sim.metrology.load import Demand, OnEnd
    from protocols.data_model.tariff import Tariff

    load = Load([0, HOUR // 2], [Demand((1_000_000,)), Demand((0,))], OnEnd.HOLD)
    for credit in (LEDGER // 2, LEDGER // 2 - 1):
        meter = make(credit=credit, load=load, tariff=Tariff(prices=Prices((10_000,))))
        meter.advance(2 * HOUR)
        assert event_names(meter) == ["supply_disconnected"]
        assert not meter.state.supply.closed


def test_huge_overdraft_saturates_on_the_wire_and_not_in_the_books() -> None:
    from protocols.data_model.tariff import Tariff

    meter = make(guarantee=True, load=Load.constant((10**12,)), tariff=Tariff(prices=Prices((99_999_999,))))
    meter.advance(30 * DAY_MS)
    assert meter.state.account.credit < -(1 << 63)
    answer = Host(meter).send(CREDIT, amount=5000)
    assert answer.outcome is Outcome.ACCEPTED
    assert Answer.decode(answer.encode()).credit_after == -(1 << 63)
    assert meter.state.account.imbalance() == (0, 0)
