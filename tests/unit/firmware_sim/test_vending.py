"""Vending within the meter's own process: journal 0, counted marks, issue instants in range."""

from __future__ import annotations

import pytest

from firmware_sim.meter import Meter
from firmware_sim.requests import Reply
from firmware_sim.settings import Settings
from firmware_sim.vending import Order, Vending, parse_order, refusal_reason
from protocols.data_model.words import Carrier
from protocols.errors import QuantityError
from protocols.quantities import LEDGER, SECOND
from protocols.sealed_message import (
    LAST_SECOND,
    MessageKind,
    Origin,
    Outcome,
    SealedMessage,
    SwitchAction,
    encode_number,
)
from tests.support.meters import make

CREDIT = Order(MessageKind.CREDIT, 100)
INTERRUPT = Order(
    MessageKind.SWITCH, parameters=encode_number(MessageKind.SWITCH, SwitchAction.INTERRUPT)
)


def outcome(reply: Reply | None) -> Outcome:
    """Return the outcome of a reply."""
    assert reply is not None
    assert reply.answer is not None
    return reply.answer.outcome


def sealed(vending: Vending, meter: Meter, order: Order) -> SealedMessage:
    """Return the sealed message of an order, decoded."""
    return SealedMessage.decode(vending.seal(meter, order).data)


def test_its_journal_has_number_0_and_its_messages_count_their_marks() -> None:
    meter, vending = make(), Vending()
    found = [sealed(vending, meter, order) for order in (CREDIT, CREDIT, INTERRUPT, CREDIT)]
    assert [message.origin for message in found] == [Origin(0, mark) for mark in (1, 2, 3, 4)]
    assert all(message.version == 2 for message in found)
    first, second = vending.seal(meter, CREDIT).data, vending.seal(meter, CREDIT).data
    assert first != second, "the same order twice is not the same bytes"


def test_what_it_sells_is_accepted_and_keeps_no_row() -> None:
    meter, vending = make(), Vending()
    for _ in range(20):
        assert outcome(vending.send(meter, CREDIT)) is Outcome.ACCEPTED
    assert meter.state.security.credit_sequence == 20
    assert (meter.state.security.journals, meter.state.security.forgotten) == ((), 0)
    assert vending.seal(meter, CREDIT).carrier is Carrier.WIRE


def test_a_switch_order_expires_by_elapsed_and_credit_never_does() -> None:
    meter, vending = make(), Vending()
    meter.advance(1000 * SECOND)
    assert sealed(vending, meter, CREDIT).expires_at == 0
    message = sealed(vending, meter, INTERRUPT)
    assert message.expires_at == 1000 + 300, "seconds of elapsed"
    request = vending.seal(meter, INTERRUPT)
    meter.advance(message.expires_at * SECOND)
    assert outcome(meter.handle(request)) is Outcome.EXPIRED
    assert outcome(vending.send(meter, INTERRUPT)) is Outcome.ACCEPTED


@pytest.mark.parametrize("year", ["1969-01-01", "2026-01-01", "2107-01-01"])
def test_the_issue_instant_is_held_to_its_field_whatever_the_clock_says(year: str) -> None:
    moments = {"1969-01-01": -31_536_000, "2026-01-01": 1_767_225_600, "2107-01-01": 4_323_369_600}
    meter = make(start=moments[year] * 1000)
    message = sealed(Vending(), meter, CREDIT)
    assert message.issued_at == min(max(moments[year], 0), LAST_SECOND)
    assert outcome(Vending().send(meter, CREDIT)) is Outcome.ACCEPTED


def test_a_card_that_it_sells_is_of_journal_0_too() -> None:
    meter = make(opened=False)
    assert parse_order(["topup", "1.00"]) == CREDIT
    found = sealed(Vending(), meter, Order(MessageKind.OPEN, 100, customer_number="000000001001"))
    assert (found.origin.journal, found.kind) == (0, MessageKind.OPEN)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("limits max_credit=8.00 reconnect_threshold=8.00", "no top-up could reconnect; allowed"),
        ("limits low_credit_threshold_2=5.00", "low_credit_threshold_1 is below low_credit_thresh"),
        ("limits utc_offset_minutes=60", "a meter with a time zone has no offset of its own"),
        ("moratorium 2026-01-01", "allowed is off, or a date after 2026-01-01 and before 2100"),
        ("moratorium 2100-01-01", "and before 2100"),
    ],
)
def test_an_order_out_of_range_is_refused_with_what_is_allowed(words: str, told: str) -> None:
    one = Settings(low_credit_threshold_1=LEDGER)
    meter = make(settings=one, transitions=((0, 0),))
    order = parse_order(words.split())
    reply = Vending().send(meter, order)
    assert reply is not None
    assert reply.answer is not None
    assert reply.answer.outcome is Outcome.OUT_OF_RANGE
    assert told in refusal_reason(meter, order)


def test_an_order_in_range_has_no_reason_to_be_refused() -> None:
    for words in ("limits max_credit=8.01 reconnect_threshold=8.00", "moratorium off", "close"):
        assert refusal_reason(make(), parse_order(words.split())) == ""


@pytest.mark.parametrize("text", ["1970-01-01", "1969-12-31", "0001-01-01"])
def test_a_moratorium_before_all_dates_of_a_meter_is_no_order(text: str) -> None:
    with pytest.raises(QuantityError, match=f"'{text}' is no date of a meter"):
        parse_order(["moratorium", text])
