"""Delivery: how often the bytes go out, and when a receipt or a refusal ends it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from meterctl.drivers import Delivery, Driver
from meterctl.errors import CorruptAnswerError, MeterctlError, NoAnswerError, RefusedError
from meterctl.key_ring import KeyRing
from meterctl.operations.delivery import (
    DELIVERIES,
    TOTAL_MS,
    Delivered,
    Outgoing,
    ask_receipt,
    deliver,
)
from meterctl.session import Session
from protocols.keys import MessageClass
from protocols.sealed_message import Answer, MessageKind, Outcome, Receipt, code_of

SEALED, SEQUENCE = bytes(range(63)), 7
RECEIPT = Receipt(
    MessageKind.CREDIT, "000000000042", 0xE0, SEQUENCE, 1, b"code", 0, 0, 0, 0, 0, 0, 0, 1
)
PROVING, OTHER = b"proving", b"of another message"
ACCEPTED = Answer(Outcome.ACCEPTED, SEQUENCE, code_of(SEALED))
REFUSED = replace(ACCEPTED, outcome=Outcome.EXCEEDS_MAX_CREDIT)
FAULTS = [NoAnswerError("x"), CorruptAnswerError("x"), RefusedError("x")]


class Line:
    """A driver that gives its next delivery and receipt, or raises them; the last one stays."""

    def __init__(self, *deliveries: Delivery | MeterctlError, receipts: Any = (b"",)) -> None:
        self._deliveries, self._receipts = list(deliveries), list(receipts)
        self.asked: list[str] = []
        self.now_ms, self.takes_ms = 70_000, 0

    def deliver(self, sealed: bytes) -> Delivery:
        assert sealed == SEALED
        self.asked.append("deliver")
        self.now_ms += self.takes_ms
        return cast(Delivery, _next(self._deliveries))

    def receipt(self, message_class: MessageClass, sequence: int) -> bytes:
        assert (message_class, sequence) == (MessageClass.CREDIT, SEQUENCE)
        self.asked.append("receipt")
        return cast(bytes, _next(self._receipts))

    @property
    def session(self) -> Session:
        ring = KeyRing({}, Path("keys.json"))
        return Session(cast(Driver, self), ring, lambda: 0, lambda: self.now_ms)


def _next(held: list[Any]) -> Any:
    found = held.pop(0) if len(held) > 1 else held[0]
    if isinstance(found, MeterctlError):
        raise found
    return found


def prove(sealed: bytes) -> Receipt | None:
    return RECEIPT if sealed == PROVING else None


MESSAGE = Outgoing(SEALED, MessageClass.CREDIT, SEQUENCE, prove)


def test_a_receipt_that_comes_with_the_answer_ends_it() -> None:
    line = Line(Delivery(ACCEPTED, PROVING))
    assert deliver(line.session, MESSAGE) == Delivered(RECEIPT, PROVING, ACCEPTED, True)
    assert line.asked == ["deliver"]


@pytest.mark.parametrize("attached", [b"", OTHER])
def test_without_a_proving_receipt_in_the_answer_the_receipt_is_requested(attached: bytes) -> None:
    line = Line(Delivery(ACCEPTED, attached), receipts=[PROVING])
    assert deliver(line.session, MESSAGE) == Delivered(RECEIPT, PROVING, ACCEPTED, True)
    assert line.asked == ["deliver", "receipt"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_lost_answer_is_made_good_by_the_receipt(fault: MeterctlError) -> None:
    line = Line(fault, receipts=[PROVING])
    assert deliver(line.session, MESSAGE) == Delivered(RECEIPT, PROVING, None, True)
    assert line.asked == ["deliver", "receipt"]


@pytest.mark.parametrize("receipt", [b"", OTHER])
def test_a_refusal_ends_it_only_after_the_question_for_the_receipt(receipt: bytes) -> None:
    line = Line(Delivery(REFUSED, b""), receipts=[receipt])
    told = deliver(line.session, MESSAGE)
    assert told == Delivered(None, receipt, REFUSED, True)
    assert told.refused is Outcome.EXCEEDS_MAX_CREDIT
    assert line.asked == ["deliver", "receipt"]


def test_a_refusal_without_an_answer_to_that_question_says_so() -> None:
    line = Line(Delivery(REFUSED, b""), receipts=[NoAnswerError("x")])
    assert deliver(line.session, MESSAGE) == Delivered(None, b"", REFUSED, False)


def test_where_only_the_receipt_proves_such_a_refusal_ends_nothing() -> None:
    message = replace(MESSAGE, only_receipt_proves=True)
    line = Line(Delivery(REFUSED, b""), receipts=[NoAnswerError("x"), PROVING])
    assert deliver(line.session, message) == Delivered(RECEIPT, PROVING, REFUSED, True)
    assert line.asked == ["deliver", "receipt"] * 2
    silent = Line(Delivery(REFUSED, b""), receipts=[NoAnswerError("x")])
    assert deliver(silent.session, message) == Delivered()
    assert silent.asked == ["deliver", "receipt"] * DELIVERIES
    known = Line(Delivery(REFUSED, b""), receipts=[OTHER])
    assert deliver(known.session, message) == Delivered(None, OTHER, REFUSED, True)


def test_a_receipt_stands_against_a_refusal() -> None:
    line = Line(Delivery(REFUSED, b""), receipts=[PROVING])
    assert deliver(line.session, MESSAGE).receipt is RECEIPT


@pytest.mark.parametrize("other", [{"sequence": 6}, {"code": b"else"}], ids=str)
def test_an_answer_to_other_bytes_is_no_refusal(other: dict[str, Any]) -> None:
    line = Line(Delivery(replace(REFUSED, **other), b""))
    assert deliver(line.session, MESSAGE) == Delivered()
    assert line.asked == ["deliver", "receipt"] * DELIVERIES


@pytest.mark.parametrize("answer", [ACCEPTED, NoAnswerError("x")], ids=["accepted", "silent"])
def test_without_a_proof_the_bytes_go_out_three_times(answer: Answer | MeterctlError) -> None:
    line = Line(answer if isinstance(answer, MeterctlError) else Delivery(answer, b""))
    assert deliver(line.session, MESSAGE) == Delivered()
    assert line.asked == ["deliver", "receipt"] * DELIVERIES


@pytest.mark.parametrize(("takes_ms", "deliveries"), [(TOTAL_MS, 2), (TOTAL_MS + 1, 1)])
def test_no_delivery_begins_after_the_total_time(takes_ms: int, deliveries: int) -> None:
    line = Line(NoAnswerError("x"))
    line.takes_ms = takes_ms
    assert deliver(line.session, MESSAGE) == Delivered()
    assert line.asked.count("deliver") == deliveries


def test_a_second_delivery_can_bring_the_proof() -> None:
    line = Line(NoAnswerError("x"), Delivery(ACCEPTED, PROVING))
    assert deliver(line.session, MESSAGE) == Delivered(RECEIPT, PROVING, ACCEPTED, True)
    assert line.asked == ["deliver", "receipt", "deliver"]


def test_a_receipt_is_asked_for_and_applies_nothing() -> None:
    assert ask_receipt(Line(receipts=[PROVING]).session, MESSAGE) == Delivered(
        RECEIPT, PROVING, None, True
    )
    assert ask_receipt(Line(receipts=[OTHER]).session, MESSAGE) == Delivered(
        None, OTHER, None, True
    )
    assert ask_receipt(Line(receipts=[b""]).session, MESSAGE) == Delivered(None, b"", None, True)
    for fault in FAULTS:
        assert ask_receipt(Line(receipts=[fault]).session, MESSAGE) == Delivered()


def test_a_message_is_delivered_three_times_at_most() -> None:
    assert DELIVERIES == 3
