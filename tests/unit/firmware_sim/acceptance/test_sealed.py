"""Sealed messages (METER.md 6, 7): outcomes in order, replay, epochs, keys, suspension, effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from firmware_sim.acceptance.instruction import Authenticated
from firmware_sim.acceptance.sealed import SealedProof, instruction_of
from firmware_sim.assembly import build, build_lost
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.requests import (
    AskReceipt,
    AskStatus,
    DriftClock,
    LoseClock,
    Sealed,
    SetLoad,
    StepClock,
)
from firmware_sim.settings import Settings
from protocols.control import CutPower, ReturnPower
from protocols.data_model.tariff import DayTables, Prices, Steps, TariffChange
from protocols.data_model.words import AccountState, Carrier
from protocols.errors import MalformedMessageError
from protocols.keys import MessageClass, MeterKeys, derive_meter_keys, development_keys
from protocols.quantities import CENT, DAY, HOUR, LEDGER, SECOND
from protocols.sealed_message import (
    COMMAND_REACH,
    FORMAT_VERSION,
    LAST_SECOND,
    Answer,
    MessageKind,
    Origin,
    Outcome,
    Receipt,
    SealedMessage,
    SwitchAction,
    encode_limits,
    encode_number,
    verify,
)
from protocols.sealed_status import StatusQuestion
from tests.support.meters import Host, event_names, make

CREDIT = MessageKind.CREDIT
MASTER = bytes(range(16))
START_S = MeterDescription().start // 1000


def test_only_an_authenticator_makes_an_authenticated_instruction() -> None:
    message = Host(make()).message(CREDIT, amount=1)
    instruction = instruction_of(message, Carrier.WIRE)
    with pytest.raises(PermissionError):
        Authenticated(instruction, SealedProof(message, b"", 1), object())


def test_an_amount_becomes_ledger_units_in_the_authenticator() -> None:
    message = Host(make()).message(CREDIT, amount=1)
    assert instruction_of(message, Carrier.WIRE).amount == CENT


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (MessageKind.CREDIT, b"\0"),
        (MessageKind.CLEAR_TAMPER, b"\0"),
        (MessageKind.SWITCH, b""),
        (MessageKind.SWITCH, b"\0"),
        (MessageKind.SWITCH, b"\4"),
        (MessageKind.CLOCK, bytes(7)),
        (MessageKind.GUARANTEE, bytes(2)),
        (MessageKind.LIMITS, b""),
        (MessageKind.TARIFF, b"\xff"),
    ],
)
def test_parameters_that_do_not_fit_the_kind_are_malformed(
    kind: MessageKind, parameters: bytes
) -> None:
    message = Host(make()).message(kind, parameters=parameters)
    with pytest.raises(MalformedMessageError):
        instruction_of(message, Carrier.WIRE)


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"expires_at": 1}, Outcome.MALFORMED),
        ({"version": 1}, Outcome.UNSUPPORTED_VERSION),
        ({"version": 3}, Outcome.UNSUPPORTED_VERSION),
        ({"serial_number": "000000000009"}, Outcome.NOT_FOR_THIS_METER),
        ({"epoch": 77}, Outcome.NOT_FOR_THIS_METER),
        ({"epoch": 0}, Outcome.NOT_FOR_THIS_METER),
        ({"key_version": 9}, Outcome.UNKNOWN_KEY_VERSION),
        ({"sequence": 0}, Outcome.SEQUENCE_OLD),
        ({"sequence": 3}, Outcome.SEQUENCE_GAP),
        ({"kind": MessageKind.CLEAR_DEMAND, "expires_at": 1}, Outcome.EXPIRED),
        ({"kind": MessageKind.OPEN}, Outcome.ALREADY_OPENED),
        ({"customer_number": "000000000123"}, Outcome.NOT_FOR_THIS_CUSTOMER),
        ({"account_unit": 978}, Outcome.WRONG_UNIT),
        ({"amount": 0}, Outcome.OUT_OF_RANGE),
        ({"amount": 3001}, Outcome.EXCEEDS_MAX_CREDIT),
        ({"amount": 3000}, Outcome.ACCEPTED),
        ({"kind": MessageKind.REFUND, "amount": 2001}, Outcome.OUT_OF_RANGE),
        ({"kind": MessageKind.VOID, "amount": 1}, Outcome.OUT_OF_RANGE),
        ({"kind": MessageKind.VOID, "amount": 0, "expires_at": 1}, Outcome.MALFORMED),
        ({"kind": MessageKind.VOID, "amount": 0}, Outcome.ACCEPTED),
    ],
)
def test_each_refusal_by_name(fields: dict[str, object], outcome: Outcome) -> None:
    meter = make(settings=Settings(max_credit=50 * LEDGER))
    host = Host(meter)
    kind = fields.pop("kind", CREDIT)
    assert isinstance(kind, MessageKind)
    meter.advance(SECOND)
    before = meter.state.account.credit
    answer = host.send(kind, **({"amount": 100} | fields))
    assert answer.outcome is outcome
    if outcome is not Outcome.ACCEPTED:
        assert meter.state.account.credit == before
        assert meter.state.security.credit_sequence == 0
        assert host.send(CREDIT, amount=100).outcome is Outcome.ACCEPTED, (
            "a refusal consumes nothing"
        )


def test_the_first_outcome_that_applies_is_the_answer() -> None:
    """Each message has the fault of its own outcome and of every later one."""
    meter = make(settings=Settings(max_credit=50 * LEDGER))
    host = Host(meter)
    wrong: dict[str, object] = {
        "expires_at": 1, "version": 3, "serial_number": "000000000009", "key_version": 9,
        "sequence": 5,
        "customer_number": "000000000123", "account_unit": 978, "amount": 0,
    }  # fmt: skip
    assert host.send(CREDIT, **wrong).outcome is Outcome.UNSUPPORTED_VERSION, (
        "whatever follows the first byte"
    )
    del wrong["version"]
    order = [
        Outcome.MALFORMED,
        Outcome.NOT_FOR_THIS_METER,
        Outcome.UNKNOWN_KEY_VERSION,
        Outcome.SEQUENCE_GAP,
        Outcome.NOT_FOR_THIS_CUSTOMER,
        Outcome.WRONG_UNIT,
        Outcome.OUT_OF_RANGE,
    ]
    for outcome in order:
        assert host.send(CREDIT, **wrong).outcome is outcome
        del wrong[next(iter(wrong))]


def test_the_first_outcome_that_applies_is_the_answer_to_a_command_too() -> None:
    meter = make()
    meter.advance(SECOND)
    host = Host(meter)
    wrong: dict[str, object] = {
        "serial_number": "000000000009",
        "key_version": 9,
        "sequence": COMMAND_REACH + 1,
        "expires_at": 1,
        "customer_number": "000000000123",
        "account_unit": 978,
        "parameters": b"\2",
    }
    order = [
        Outcome.NOT_FOR_THIS_METER,
        Outcome.UNKNOWN_KEY_VERSION,
        Outcome.SEQUENCE_GAP,
        Outcome.EXPIRED,
        Outcome.NOT_FOR_THIS_CUSTOMER,
        Outcome.WRONG_UNIT,
        Outcome.OUT_OF_RANGE,
    ]
    for outcome in order:
        assert host.send(MessageKind.GUARANTEE, **wrong).outcome is outcome
        del wrong[next(iter(wrong))]


@pytest.mark.parametrize("first", sorted(set(range(256)) - {FORMAT_VERSION}))
def test_a_first_byte_other_than_2_is_an_unsupported_version_whatever_follows(first: int) -> None:
    meter = make()
    host = Host(meter)
    right = host.seal(CREDIT, amount=100)
    former = host.seal(CREDIT, amount=100, version=1)
    for rest in (b"", b"x", b"x" * 60, bytes(3000), right[1:], former[1:]):
        assert host.deliver(bytes((first,)) + rest).outcome is Outcome.UNSUPPORTED_VERSION
    assert meter.state.security.failures == ((),) * len(Carrier), "it is no attack"
    assert host.deliver(right).outcome is Outcome.ACCEPTED


def test_malformed_is_said_of_format_2_and_of_no_bytes_at_all() -> None:
    host = Host(make())
    right = host.seal(CREDIT, amount=100)
    for data in (b"", b"\2", b"\2" + b"x" * 60, b"\2" + bytes(3000), right[:-1], right + b"\0"):
        assert host.deliver(data).outcome is Outcome.MALFORMED
    assert host.send(CREDIT, amount=100, expires_at=0xFFFF_FFFF).outcome is Outcome.MALFORMED


def test_a_sealed_status_and_a_receipt_are_no_message() -> None:
    meter = make()
    host = Host(meter)
    assert host.send(CREDIT, amount=100).outcome is Outcome.ACCEPTED
    for reply in (
        meter.handle(AskStatus(StatusQuestion(bytes(8), 0, 0))),
        meter.handle(AskReceipt(MessageClass.CREDIT, 1)),
    ):
        assert reply is not None
        assert host.deliver(reply.status or reply.receipt).outcome is Outcome.UNSUPPORTED_VERSION


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
    assert (receipt.credit_before, receipt.credit_after, receipt.amount) == (
        20 * LEDGER,
        70 * LEDGER,
        5000,
    )
    assert host.send(CREDIT, sequence=1, amount=4999).outcome is Outcome.SEQUENCE_CONFLICT
    for _ in range(17):
        host.send(CREDIT, amount=1)
    assert host.deliver(sealed).outcome is Outcome.SEQUENCE_OLD
    assert meter.handle(AskReceipt(MessageClass.CREDIT, 1)).receipt == b""


def test_a_command_never_touches_the_credit_sequence() -> None:
    meter = make()
    host = Host(meter)
    sealed = host.seal(CREDIT, amount=100)
    for number in (5, 9):
        answer = host.send(MessageKind.GUARANTEE, sequence=number, parameters=b"\1")
        assert answer.outcome is Outcome.ACCEPTED, "any number above the last"
    assert (
        host.send(MessageKind.GUARANTEE, sequence=7, parameters=b"\0").outcome
        is Outcome.SEQUENCE_OLD
    )
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
    assert host.deliver(first).outcome is Outcome.ALREADY_ACCEPTED, (
        "the very bytes, also when the receipt is gone"
    )
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


def keys_of_versions(*versions: int) -> dict[int, MeterKeys]:
    """Return the meter's keys of the given versions."""
    return {version: derive_meter_keys(MASTER, "000000000001", version) for version in versions}


@pytest.mark.parametrize(
    ("versions", "current", "following"), [((1, 2, 3), 1, 2), ((3, 9, 5), 3, 5)]
)
def test_only_the_current_version_and_the_next_one_are_taken(
    versions: tuple[int, ...], current: int, following: int
) -> None:
    keys = keys_of_versions(*versions)
    meter = build(MeterDescription(keys=keys))
    beyond = Host(meter, keys[max(versions)])
    assert meter.state.security.key_version == current
    assert beyond.send(CREDIT, amount=1).outcome is Outcome.UNKNOWN_KEY_VERSION
    assert (
        beyond.send(MessageKind.GUARANTEE, parameters=b"\1").outcome is Outcome.UNKNOWN_KEY_VERSION
    )
    assert Host(meter, keys[current]).send(CREDIT, amount=1).outcome is Outcome.ACCEPTED
    assert (
        Host(meter, keys[following]).send(MessageKind.GUARANTEE, parameters=b"\1").outcome
        is Outcome.ACCEPTED
    )
    assert meter.state.security.key_version == following, "a command makes it current too"
    assert (
        Host(meter, keys[current]).send(CREDIT, amount=1).outcome is Outcome.UNKNOWN_KEY_VERSION
    ), "they only rise"
    assert beyond.send(CREDIT, amount=1).outcome is Outcome.ACCEPTED, "now it is the next one"
    assert meter.state.security.key_version == max(versions)


def test_a_refused_message_under_the_next_key_makes_nothing_current() -> None:
    keys = keys_of_versions(1, 2)
    meter = build(MeterDescription(keys=keys))
    assert Host(meter, keys[2]).send(CREDIT, amount=0).outcome is Outcome.OUT_OF_RANGE
    assert meter.state.security.key_version == 1


def test_bytes_under_a_version_that_is_not_taken_are_no_attack() -> None:
    keys = keys_of_versions(1, 2, 3)
    meter = build(MeterDescription(keys=keys))
    for _ in range(7):
        assert Host(meter, keys[3]).send(CREDIT, amount=1).outcome is Outcome.UNKNOWN_KEY_VERSION
    assert meter.state.security.failures == ((),) * len(Carrier)
    assert event_names(meter) == []


@pytest.mark.parametrize("held", [(1, 2), (2,)], ids=["keys still held", "keys taken away"])
def test_the_very_code_of_a_kept_receipt_is_already_accepted_under_a_version_that_is_over(
    held: tuple[int],
) -> None:
    keys, nvram = keys_of_versions(1, 2), SimulatedNvram()
    meter = build(MeterDescription(keys=keys), nvram)
    old = Host(meter, keys[1])
    credit, command = (
        old.seal(CREDIT, amount=100),
        old.seal(MessageKind.GUARANTEE, parameters=b"\1"),
    )
    other = old.seal(CREDIT, amount=101)
    assert [old.deliver(data).outcome for data in (credit, command)] == [Outcome.ACCEPTED] * 2
    assert Host(meter, keys[2]).send(CREDIT, amount=7).outcome is Outcome.ACCEPTED
    meter = build(MeterDescription(keys=keys_of_versions(*held)), nvram.power_cycle())
    host, before = Host(meter, keys[2]), meter.state.account.credit
    for data, message_class in ((credit, MessageClass.CREDIT), (command, MessageClass.COMMAND)):
        reply = meter.handle(Sealed(data))
        assert reply is not None
        assert reply.answer is not None
        assert reply.answer.outcome is Outcome.ALREADY_ACCEPTED
        assert reply == replace(reply, receipt=meter.handle(AskReceipt(message_class, 1)).receipt)
        assert Receipt.decode(reply.receipt).code == data[-16:-12]
        verify(reply.receipt, keys[2].key(message_class))
    assert host.deliver(other).outcome is Outcome.UNKNOWN_KEY_VERSION, "other bytes at its sequence"
    assert old.send(CREDIT, sequence=3, amount=1).outcome is Outcome.UNKNOWN_KEY_VERSION
    elsewhere = SealedMessage.decode(credit)
    moved = replace(elsewhere, sequence=2).encode() + credit[-16:]
    assert host.deliver(moved).outcome is Outcome.UNKNOWN_KEY_VERSION, (
        "the code of another sequence's receipt"
    )
    assert meter.state.account.credit == before
    for _ in range(16):
        host.send(CREDIT, amount=1)
    assert host.deliver(credit).outcome is Outcome.UNKNOWN_KEY_VERSION, (
        "its receipt is no longer kept"
    )


@pytest.mark.parametrize("epoch", [0, 1])
def test_the_very_opening_is_already_accepted_under_a_version_that_is_over(epoch: int) -> None:
    keys = keys_of_versions(1, 2)
    meter = build(MeterDescription(keys=keys, opened=False))
    old, new = Host(meter, keys[1]), Host(meter, keys[2])
    opening = old.seal(MessageKind.OPEN, epoch=epoch, amount=3000, customer_number="000000001001")
    other = old.seal(MessageKind.OPEN, epoch=1, amount=3001, customer_number="000000001001")
    assert old.deliver(opening).outcome is Outcome.ACCEPTED
    for _ in range(20):
        assert new.send(CREDIT, amount=1).outcome is Outcome.ACCEPTED
    assert meter.handle(AskReceipt(MessageClass.CREDIT, 1)).receipt == b""
    assert old.deliver(opening).outcome is Outcome.ALREADY_ACCEPTED
    assert old.deliver(other).outcome is Outcome.UNKNOWN_KEY_VERSION
    assert meter.state.account.credit == 30 * LEDGER + 20 * LEDGER // 100


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
    good = TariffChange(
        ((later, two), (later, Prices((5283, 9000))), (0, Steps((10_000_000,), (0, 100))))
    )
    assert host.send(MessageKind.TARIFF, parameters=good.encode()).outcome is Outcome.ACCEPTED
    assert len(meter.state.pending) == 2
    meter.advance(4 * HOUR)
    assert meter.state.tariff.prices == Prices((5283, 9000))
    assert meter.state.account.consumption == 3_000_000 * 5283 + 1_000_000 * 9000
    energy = make(
        account_unit=0,
        tariff=replace(
            meter.state.tariff, prices=Prices((10_000,)), day_tables=DayTables(), steps=Steps()
        ),
    )
    change = TariffChange(((0, Prices((5283,))),))
    assert (
        Host(energy).send(MessageKind.TARIFF, parameters=change.encode()).outcome
        is Outcome.OUT_OF_RANGE
    )


def test_the_clock_forwards_and_back_charges_no_date_twice() -> None:
    meter = make(settings=Settings(standing_charge=LEDGER))
    host = Host(meter)

    def set_clock(days: int, hour: int) -> None:
        moment = MeterDescription().start + days * DAY + hour * HOUR
        assert (
            host.send(
                MessageKind.CLOCK, parameters=encode_number(MessageKind.CLOCK, moment)
            ).outcome
            is Outcome.ACCEPTED
        )

    set_clock(0, 23)
    meter.advance(meter.state.elapsed_ms + 2 * HOUR)
    assert meter.state.account.standing == LEDGER
    set_clock(0, 23)
    meter.advance(meter.state.elapsed_ms + 2 * HOUR)
    assert meter.state.account.standing == LEDGER, "the same date is not charged again"
    set_clock(5, 12)
    assert meter.state.account.standing == LEDGER, "jumped days are not charged"
    set_clock(1, 23)
    meter.advance(meter.state.elapsed_ms + 2 * HOUR)
    assert meter.state.account.standing == 2 * LEDGER, (
        "a date that was jumped over is charged when it comes"
    )
    assert event_names(meter).count("clock_set") == 4


def set_the_clock(meter: Meter, moment: int) -> None:
    """Set a meter's clock by a command."""
    parameters = encode_number(MessageKind.CLOCK, moment)
    assert Host(meter).send(MessageKind.CLOCK, parameters=parameters).outcome is Outcome.ACCEPTED


CLOCKS: dict[str, Callable[[Meter], object]] = {
    "right": lambda meter: None,
    "years ahead": lambda meter: set_the_clock(meter, (START_S + 10 * 365 * 86_400) * 1000),
    "at its beginning": lambda meter: set_the_clock(meter, 1),
    "lost": lambda meter: meter.handle(LoseClock()),
    "stepped back": lambda meter: meter.handle(StepClock(-40 * DAY)),
    "fast": lambda meter: meter.handle(DriftClock(1_000)),
}
COMMANDS = {
    MessageKind.LIMITS: encode_limits({1: 5 * LEDGER}),
    MessageKind.TARIFF: TariffChange(((0, Prices((6000,))),)).encode(),
    MessageKind.CLOCK: encode_number(MessageKind.CLOCK, START_S * 1000),
    MessageKind.SWITCH: encode_number(MessageKind.SWITCH, SwitchAction.INTERRUPT),
    MessageKind.GUARANTEE: encode_number(MessageKind.GUARANTEE, 1),
    MessageKind.MORATORIUM: encode_number(MessageKind.MORATORIUM, 40_000),
    MessageKind.CLEAR_TAMPER: b"",
    MessageKind.CLEAR_EVENTS: b"",
    MessageKind.CLEAR_DEMAND: b"",
}


def test_every_command_is_among_these() -> None:
    assert set(COMMANDS) == {
        kind for kind in MessageKind if kind.message_class is MessageClass.COMMAND
    }


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.word)
def test_a_command_expires_from_exactly_that_second_of_elapsed_on(
    kind: MessageKind, clock: str
) -> None:
    meter = make()
    CLOCKS[clock](meter)
    host = Host(meter)
    sealed = host.seal(kind, parameters=COMMANDS[kind], expires_at=10)
    meter.advance(10 * SECOND)
    assert host.deliver(sealed).outcome is Outcome.EXPIRED
    meter.advance(11 * SECOND)
    assert host.deliver(sealed).outcome is Outcome.EXPIRED
    assert meter.state.supply.closed
    assert not meter.state.supply.guarantee
    in_time = host.seal(kind, parameters=COMMANDS[kind], expires_at=20)
    meter.advance(20 * SECOND - 1)
    assert host.deliver(in_time).outcome is Outcome.ACCEPTED, "a refusal consumed nothing"


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.word)
def test_of_a_command_the_meter_demands_no_expiry(kind: MessageKind) -> None:
    meter = make()
    meter.advance(40 * DAY)
    assert (
        Host(meter).send(kind, parameters=COMMANDS[kind], expires_at=0).outcome is Outcome.ACCEPTED
    )
    assert meter.state.supply.closed is (kind is not MessageKind.SWITCH)


def test_elapsed_goes_on_through_a_power_cut_and_a_restart_and_so_does_expiry() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram)
    sealed = Host(meter).seal(MessageKind.GUARANTEE, parameters=b"\1", expires_at=3600)
    meter.handle(CutPower())
    meter.advance(HOUR)
    meter.handle(ReturnPower())
    again = build(MeterDescription(), nvram.power_cycle())
    assert Host(again).deliver(sealed).outcome is Outcome.EXPIRED


def test_an_accepted_command_that_expired_is_still_already_accepted() -> None:
    meter = make()
    host = Host(meter)
    sealed = host.seal(MessageKind.GUARANTEE, parameters=b"\1", expires_at=1)
    assert host.deliver(sealed).outcome is Outcome.ACCEPTED
    meter.advance(HOUR)
    assert host.deliver(sealed).outcome is Outcome.ALREADY_ACCEPTED


@pytest.mark.parametrize("last", [0, 7])
def test_a_command_may_lie_65536_above_the_last_and_no_more(last: int) -> None:
    meter = make()
    host = Host(meter)
    if last:
        assert (
            host.send(MessageKind.GUARANTEE, sequence=last, parameters=b"\0").outcome
            is Outcome.ACCEPTED
        )
    for sequence in (last + 65_537, 0xFFFF_FFFF):
        answer = host.send(MessageKind.GUARANTEE, sequence=sequence, parameters=b"\1")
        assert answer.outcome is Outcome.SEQUENCE_GAP
    assert meter.state.security.command_sequence == last
    assert not meter.state.supply.guarantee
    answer = host.send(MessageKind.GUARANTEE, sequence=last + 65_536, parameters=b"\1")
    assert answer.outcome is Outcome.ACCEPTED
    assert meter.state.security.command_sequence == last + 65_536


@pytest.mark.parametrize("state", AccountState)
def test_a_void_takes_its_sequence_in_every_account_state(state: AccountState) -> None:
    meter = make(opened=state is not AccountState.UNOPENED)
    host = Host(meter)
    if state is AccountState.CLOSED:
        assert host.send(MessageKind.CLOSE).outcome is Outcome.ACCEPTED
    number, credit = meter.state.security.credit_sequence + 1, meter.state.account.credit
    void, sale = host.seal(MessageKind.VOID), host.seal(CREDIT, amount=100)
    assert host.deliver(void).outcome is Outcome.ACCEPTED
    assert meter.state.security.credit_sequence == number
    assert host.deliver(void).outcome is Outcome.ALREADY_ACCEPTED
    assert host.deliver(sale).outcome is Outcome.SEQUENCE_CONFLICT, "the sale is dead"
    assert (meter.state.account.state, meter.state.account.credit) == (state, credit)
    assert meter.state.account.purchases == 0


def test_the_same_content_with_another_mark_is_another_message() -> None:
    """Two copies of a journal seal equal sales at one sequence: the second is a conflict."""
    meter = make()
    host = Host(meter)
    first, second = (host.seal(CREDIT, amount=100, origin=Origin(7, mark)) for mark in (1, 2))
    assert host.deliver(first).outcome is Outcome.ACCEPTED
    assert host.deliver(second).outcome is Outcome.SEQUENCE_CONFLICT
    assert meter.state.account.credit == 21 * LEDGER


@pytest.mark.parametrize("issued_at", [0, 1, START_S, LAST_SECOND])
def test_the_issue_instant_is_for_people_only(issued_at: int) -> None:
    meter = make()
    meter.advance(HOUR)
    host = Host(meter)
    assert host.send(CREDIT, amount=100, issued_at=issued_at).outcome is Outcome.ACCEPTED
    switch = {"parameters": COMMANDS[MessageKind.SWITCH], "issued_at": issued_at}
    assert host.send(MessageKind.SWITCH, expires_at=3601, **switch).outcome is Outcome.ACCEPTED
    assert host.send(MessageKind.SWITCH, expires_at=3600, **switch).outcome is Outcome.EXPIRED


def test_an_answer_names_the_sequence_and_the_code_that_it_answers() -> None:
    host = Host(make())
    for fields in ({}, {"sequence": 9}, {"version": 1, "sequence": 5}, {"epoch": 9}):
        message = host.message(CREDIT, amount=100, **fields)
        sealed = message.seal(host.keys.credit)
        answer = host.deliver(sealed)
        assert (answer.sequence, answer.code) == (message.sequence, sealed[-16:-12])
    assert (host.deliver(b"").sequence, host.deliver(b"").code) == (0, bytes(4))


def test_a_meter_whose_storage_is_lost_refuses_every_message() -> None:
    meter = build_lost(MeterDescription())
    host = Host(meter)
    for data in (
        host.seal(MessageKind.OPEN, amount=100),
        host.seal(MessageKind.GUARANTEE, parameters=b"\1"),
        b"",
    ):
        assert host.deliver(data).outcome is Outcome.STORAGE_FAULT
    assert meter.state.security.credit_sequence == 0


def test_epoch_0_is_only_of_an_opening_of_sequence_1() -> None:
    meter = make(opened=False)
    host = Host(meter)
    assert host.send(MessageKind.VOID).outcome is Outcome.ACCEPTED
    late = host.seal(MessageKind.OPEN, epoch=0, sequence=2, amount=3000)
    assert host.deliver(late).outcome is Outcome.NOT_FOR_THIS_METER
    for kind in (CREDIT, MessageKind.VOID, MessageKind.GUARANTEE):
        assert host.send(kind, epoch=0, sequence=1).outcome is Outcome.NOT_FOR_THIS_METER
    assert host.send(MessageKind.OPEN, epoch=0, sequence=1).outcome is Outcome.SEQUENCE_CONFLICT


def test_the_very_opening_is_known_after_a_restart_and_many_messages() -> None:
    nvram = SimulatedNvram()
    meter = build(MeterDescription(opened=False), nvram)
    opening = Host(meter).seal(MessageKind.OPEN, epoch=0, amount=3000)
    assert Host(meter).deliver(opening).outcome is Outcome.ACCEPTED
    for _ in range(20):
        Host(meter).send(CREDIT, amount=1)
    again = build(MeterDescription(opened=False), nvram.power_cycle(lambda _: False))
    assert Host(again).deliver(opening).outcome is Outcome.ALREADY_ACCEPTED


def test_a_credit_message_is_strictly_the_last_plus_1() -> None:
    host = Host(make())
    for sequence in (2, 3, 65_536, 0xFFFF_FFFF):
        assert host.send(CREDIT, sequence=sequence, amount=1).outcome is Outcome.SEQUENCE_GAP
    assert host.send(CREDIT, sequence=1, amount=1).outcome is Outcome.ACCEPTED


def test_limits_are_all_or_nothing() -> None:
    meter = make()
    host = Host(meter)
    answer = host.send(MessageKind.LIMITS, parameters=encode_limits({1: LEDGER, 2: 2 * LEDGER}))
    assert answer.outcome is Outcome.OUT_OF_RANGE
    assert meter.state.settings == Settings()
    assert host.send(MessageKind.LIMITS, parameters=b"\0" * 10).outcome is Outcome.MALFORMED


def test_a_level_reached_exactly_where_the_load_ends_is_checked() -> None:
    """1 kW for 30 minutes costs 0.50 at 1.0000: the last mWh completes as the load ends."""
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

    meter = make(
        guarantee=True, load=Load.constant((10**12,)), tariff=Tariff(prices=Prices((99_999_999,)))
    )
    meter.advance(30 * DAY)
    assert meter.state.account.credit < -(1 << 63)
    answer = Host(meter).send(CREDIT, amount=5000)
    assert answer.outcome is Outcome.ACCEPTED
    assert Answer.decode(answer.encode()).credit_after == -(1 << 63)
    assert meter.state.account.imbalance() == (0, 0)


def test_the_expiry_of_a_message_is_stored_once_so_that_no_restart_undoes_it() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram)
    host = Host(meter)
    meter.advance(19_999)
    assert host.send(CREDIT, amount=100).outcome is Outcome.ACCEPTED
    sealed = host.seal(MessageKind.GUARANTEE, parameters=b"\1", expires_at=20)
    meter.advance(20_000)
    flushes = []
    for _ in range(2):
        assert host.deliver(sealed).outcome is Outcome.EXPIRED
        flushes.append(nvram.flushes)
    assert flushes[0] == flushes[1]
    again = build(MeterDescription(), nvram.power_cycle())
    assert again.state.elapsed_ms == 20_000
    assert Host(again).deliver(sealed).outcome is Outcome.EXPIRED
