"""Receipts: the last 16 of each class, sealed on request, with contents that never change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_sim.assembly import build
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.records.ring import RECEIPTS_KEPT
from firmware_sim.requests import AskReceipt, Sealed
from protocols.control import CutPower
from protocols.errors import AuthenticationError
from protocols.keys import MessageClass, MeterKeys, derive_meter_keys
from protocols.quantities import LEDGER, SECOND
from protocols.sealed_message import MessageKind, Outcome, Receipt, verify
from tests.support.meters import Host

MASTER = bytes(range(16))
KEYS = {version: derive_meter_keys(MASTER, "000000000001", version) for version in (1, 2, 3)}
KINDS = {
    MessageClass.CREDIT: (MessageKind.CREDIT, 100, b""),
    MessageClass.COMMAND: (MessageKind.GUARANTEE, 0, b"\1"),
}
OTHER = {MessageClass.CREDIT: MessageClass.COMMAND, MessageClass.COMMAND: MessageClass.CREDIT}


def meter_of_three_versions(nvram: SimulatedNvram | None = None) -> Meter:
    """Return a meter that holds versions 1 to 3."""
    return build(MeterDescription(keys=KEYS), nvram)


def accept(
    meter: Meter, keys: MeterKeys, message_class: MessageClass, **fields: object
) -> tuple[bytes, bytes]:
    """Deliver a message, assert its acceptance, return its bytes and the receipt of the reply."""
    kind, amount, parameters = KINDS[message_class]
    known = {"kind": kind, "amount": amount, "parameters": parameters}
    sealed = Host(meter, keys).seal(**(known | fields))  # type: ignore[arg-type]
    reply = meter.handle(Sealed(sealed))
    assert reply is not None
    assert reply.answer is not None
    assert reply.answer.outcome is Outcome.ACCEPTED
    return sealed, reply.receipt


def ask(meter: Meter, message_class: MessageClass, sequence: int) -> bytes:
    """Return the receipt of a sequence, as sealed now."""
    reply = meter.handle(AskReceipt(message_class, sequence))
    assert reply is not None
    assert reply.answer is None
    return reply.receipt


@pytest.mark.parametrize("message_class", MessageClass)
def test_a_receipt_is_sealed_under_the_current_key_of_its_class(
    message_class: MessageClass,
) -> None:
    meter = meter_of_three_versions()
    meter.advance(7 * SECOND)
    sealed, receipt = accept(meter, KEYS[1], message_class)
    assert receipt == ask(meter, message_class, 1)
    first = Receipt.decode(receipt)
    assert (receipt[0], first.key_version, first.code, first.at) == (
        0x82,
        1,
        sealed[-16:-12],
        meter.clock,
    )
    verify(receipt, KEYS[1].key(message_class))
    with pytest.raises(AuthenticationError):
        verify(receipt, KEYS[1].key(OTHER[message_class]))


@pytest.mark.parametrize("changed_by", MessageClass)
@pytest.mark.parametrize("message_class", MessageClass)
def test_after_a_key_change_a_receipt_is_sealed_again_and_says_the_same(
    message_class: MessageClass, changed_by: MessageClass
) -> None:
    meter = meter_of_three_versions()
    sealed, receipt = accept(meter, KEYS[1], message_class)
    for version in (2, 3):
        meter.advance(meter.state.elapsed_ms + 60 * SECOND)
        _, of_change = accept(meter, KEYS[version], changed_by)
        assert Receipt.decode(of_change).key_version == version
        verify(of_change, KEYS[version].key(changed_by))
        found = ask(meter, message_class, 1)
        assert Receipt.decode(found) == replace(Receipt.decode(receipt), key_version=version)
        verify(found, KEYS[version].key(message_class))
        with pytest.raises(AuthenticationError):
            verify(found, KEYS[1].key(message_class))
        again = meter.handle(Sealed(sealed))
        assert again is not None
        assert again.receipt == found, "the same bytes again are answered with it too"


def test_the_next_version_alone_changes_no_receipt() -> None:
    meter = meter_of_three_versions()
    _, receipt = accept(meter, KEYS[1], MessageClass.CREDIT)
    Host(meter, KEYS[2]).send(MessageKind.CREDIT, amount=0)  # OUT_OF_RANGE: not accepted
    assert ask(meter, MessageClass.CREDIT, 1) == receipt


@pytest.mark.parametrize("message_class", MessageClass)
def test_the_last_16_of_each_class_can_be_asked_for_by_their_sequence(
    message_class: MessageClass,
) -> None:
    meter = meter_of_three_versions()
    numbers = range(1, 20) if message_class is MessageClass.CREDIT else range(10, 200, 10)
    receipts = {
        number: accept(meter, KEYS[1], message_class, sequence=number)[1] for number in numbers
    }
    for _ in range(20):
        accept(meter, KEYS[1], OTHER[message_class])
    assert RECEIPTS_KEPT == 16
    for number in list(numbers)[-16:]:
        assert ask(meter, message_class, number) == receipts[number]
    for number in (
        0,
        *list(numbers)[:-16],
        numbers[-1] + 1,
        numbers[-1] - 1 if numbers.step > 1 else 0,
        2**32 - 1,
    ):
        assert ask(meter, message_class, number) == b""


@pytest.mark.parametrize("drained", [1, 40])
def test_receipts_survive_a_restart_and_are_sealed_under_the_key_that_is_current_then(
    drained: int,
) -> None:
    nvram = SimulatedNvram()
    meter = meter_of_three_versions(nvram)
    for _ in range(drained):
        _, receipt = accept(meter, KEYS[1], MessageClass.CREDIT)
    again = meter_of_three_versions(nvram.power_cycle(lambda _: False))
    assert ask(again, MessageClass.CREDIT, drained) == receipt
    accept(again, KEYS[2], MessageClass.COMMAND)
    found = ask(again, MessageClass.CREDIT, drained)
    assert Receipt.decode(found) == replace(Receipt.decode(receipt), key_version=2)
    verify(found, KEYS[2].credit)


@pytest.mark.parametrize("kind", [MessageKind.VOID, MessageKind.CLOSE])
def test_a_void_has_a_receipt_too(kind: MessageKind) -> None:
    meter = meter_of_three_versions()
    sealed, receipt = accept(meter, KEYS[1], MessageClass.CREDIT, kind=kind, amount=0)
    found = Receipt.decode(receipt)
    assert (found.kind, found.sequence, found.code) == (kind, 1, sealed[-16:-12])


def test_a_question_for_a_receipt_commits_nothing_and_is_not_answered_without_power() -> None:
    nvram = SimulatedNvram()
    meter = meter_of_three_versions(nvram)
    accept(meter, KEYS[1], MessageClass.CREDIT)
    stored = (bytes(nvram.data), nvram.written, nvram.flushes, meter.revision)
    assert ask(meter, MessageClass.CREDIT, 1)
    assert (bytes(nvram.data), nvram.written, nvram.flushes, meter.revision) == stored
    meter.handle(CutPower())
    assert meter.handle(AskReceipt(MessageClass.CREDIT, 1)) is None


@pytest.mark.parametrize("message_class", MessageClass)
def test_the_receipt_of_a_message_names_only_what_it_moved(message_class: MessageClass) -> None:
    meter = meter_of_three_versions()
    _, sealed = accept(meter, KEYS[1], message_class)
    receipt = Receipt.decode(sealed)
    before, after = receipt.credit_before, receipt.credit_after
    assert after - before == (LEDGER if message_class is MessageClass.CREDIT else 0)
    assert (receipt.to_overdraft, receipt.to_debt, receipt.settlement) == (0, 0, 0)


def test_the_receipt_of_a_closing_names_the_settlement_and_no_split() -> None:
    meter = meter_of_three_versions()
    sealed = Host(meter, KEYS[1]).seal(MessageKind.CLOSE)
    reply = meter.handle(Sealed(sealed))
    assert reply is not None
    receipt = Receipt.decode(reply.receipt)
    assert receipt.settlement == 20 * LEDGER
    assert (receipt.credit_after, receipt.to_overdraft, receipt.to_debt) == (0, 0, 0)
