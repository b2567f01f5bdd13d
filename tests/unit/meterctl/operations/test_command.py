"""Sealed commands: done by a receipt alone, delivered three times, refusals that prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.meter import Meter
from meterctl.drivers import Delivery
from meterctl.errors import (
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.command import (
    LIVES_S,
    Refusal,
    execute_command,
    plan_command,
    rehearse_command,
)
from meterctl.operations.delivery import DELIVERIES
from meterctl.session import Session
from protocols.keys import derive_meter_keys
from protocols.quantities import HOUR
from protocols.sealed_message import (
    MessageKind,
    Outcome,
    SealedMessage,
    SwitchAction,
    encode_number,
)
from tests.support.meters import make
from tests.support.wire import connect

METER = "000000000042"
MASTER = bytes(range(16))
RING = KeyRing({1: MASTER}, Path("keys.json"))
TAMPER = MessageKind.CLEAR_TAMPER
INTERRUPT = encode_number(MessageKind.SWITCH, SwitchAction.INTERRUPT)


class Line:
    """A meter and a session on it; counts deliveries and can change each delivery."""

    def __init__(self, **description: Any) -> None:
        keys = {1: derive_meter_keys(MASTER, METER, 1)}
        self.meter: Meter = make(serial_number=METER, keys=keys, **description)
        self.session: Session = connect(self.meter, ring=RING)[0]
        self.delivered: list[bytes] = []
        self.change: Callable[[Delivery], Delivery] = lambda delivery: delivery
        self._deliver = self.session.driver.deliver
        self.session.driver.deliver = self._delivery  # type: ignore[method-assign]

    def _delivery(self, sealed: bytes) -> Delivery:
        self.delivered.append(sealed)
        return self.change(self._deliver(sealed))

    def without_receipts(self) -> None:
        """Let the meter's receipts be lost, asked for or not."""
        self.change = lambda delivery: replace(delivery, receipt=b"")
        self.session.driver.receipt = lambda *_: b""  # type: ignore[method-assign]


def lost(_: Delivery) -> Delivery:
    raise NoAnswerError("silence")


def done(
    line: Line,
    journal: Journal,
    kind: MessageKind = TAMPER,
    parameters: bytes = b"",
    valid_for_s: int | None = None,
) -> Any:
    command = plan_command(line.session, journal, kind, parameters, valid_for_s)
    return execute_command(line.session, journal, command)


def test_a_command_is_done_by_its_receipt(journal: Journal) -> None:
    line = Line()
    result = done(line, journal)
    assert (result.receipt.kind, result.receipt.sequence) == (TAMPER, 1)
    assert result.answer.outcome is Outcome.ACCEPTED
    assert line.meter.state.security.command_sequence == 1


def test_a_command_makes_no_entry_in_the_journal(journal: Journal) -> None:
    done(Line(), journal)
    assert journal.entries() == []


@pytest.mark.parametrize(
    ("valid_for_s", "expires_at"), [(None, 3600 + LIVES_S), (5, 3605), (0, 3600)]
)
def test_a_command_expires_by_elapsed_time_after_its_status(
    journal: Journal, valid_for_s: int | None, expires_at: int
) -> None:
    line = Line()
    line.meter.advance(HOUR)
    line.change = lost
    line.session.driver.receipt = lambda *_: b""  # type: ignore[method-assign]
    with pytest.raises(MeterctlError):
        done(line, journal, valid_for_s=valid_for_s)
    assert SealedMessage.decode(line.delivered[0]).expires_at == expires_at


def test_under_the_development_key_a_command_has_no_expiry(journal: Journal) -> None:
    session, _ = connect(make())
    assert plan_command(session, journal, TAMPER).lives_s is None
    assert plan_command(session, journal, TAMPER, valid_for_s=7).lives_s == 7


def test_planning_and_rehearsing_seal_nothing(journal: Journal) -> None:
    line = Line()
    command = plan_command(line.session, journal, TAMPER)
    assert rehearse_command(line.session, journal, command).command_sequence == 0
    assert line.delivered == []


def test_another_payee_is_refused_before_anything_is_sealed(journal: Journal) -> None:
    line = Line()
    session = replace(line.session, payee="000000000043")
    with pytest.raises(NotPermittedError):
        plan_command(session, journal, TAMPER)


def test_a_lost_answer_is_made_good_by_the_receipt(journal: Journal) -> None:
    line = Line()
    line.change = lost
    result = done(line, journal)
    assert result.receipt.sequence == 1
    assert result.answer is None
    assert len(line.delivered) == 1


def test_without_a_proof_the_same_bytes_go_out_three_times_and_the_outcome_is_unknown(
    journal: Journal,
) -> None:
    line = Line()
    line.without_receipts()
    with pytest.raises(UnknownOutcomeError, match="may have been done"):
        done(line, journal)
    assert len(line.delivered) == DELIVERIES
    assert len(set(line.delivered)) == 1


def test_an_acceptance_without_a_receipt_is_no_proof(journal: Journal) -> None:
    line = Line()
    accepted: list[Outcome] = []

    def keep(delivery: Delivery) -> Delivery:
        accepted.append(delivery.answer.outcome)
        return replace(delivery, receipt=b"")

    line.without_receipts()
    line.change = keep
    with pytest.raises(UnknownOutcomeError):
        done(line, journal)
    assert accepted == [Outcome.ACCEPTED] + [Outcome.ALREADY_ACCEPTED] * (DELIVERIES - 1)


def test_a_refusal_says_until_when_the_bytes_could_be_taken(journal: Journal) -> None:
    line = Line(guarantee=True)
    with pytest.raises(Refusal, match="refused_by_guarantee") as caught:
        done(line, journal, MessageKind.SWITCH, INTERRUPT)
    assert caught.value.outcome == "refused_by_guarantee"
    assert caught.value.unchanged == "nothing was changed"
    assert f"elapsed time is {LIVES_S} s" in str(caught.value)
    assert len(line.delivered) == 1


def test_a_refusal_that_the_sealed_status_contradicts_is_an_unknown_outcome(
    journal: Journal,
) -> None:
    line = Line()
    line.without_receipts()
    line.change = lambda delivery: Delivery(replace(delivery.answer, outcome=Outcome.EXPIRED), b"")
    with pytest.raises(UnknownOutcomeError, match="names command sequence 1") as caught:
        done(line, journal)
    assert caught.value.outcome == "expired"


def test_a_refusal_without_an_answer_for_the_receipt_is_an_unknown_outcome(
    journal: Journal,
) -> None:
    line = Line(guarantee=True)

    def silent(*_: Any) -> Any:
        raise NoAnswerError("silence")

    line.session.driver.receipt = silent  # type: ignore[method-assign]
    with pytest.raises(UnknownOutcomeError, match="no answer to switch"):
        done(line, journal, MessageKind.SWITCH, INTERRUPT)
    assert len(line.delivered) == DELIVERIES


def test_an_answer_to_other_bytes_is_no_refusal(journal: Journal) -> None:
    line = Line()
    line.change = lambda delivery: Delivery(
        replace(delivery.answer, outcome=Outcome.EXPIRED, code=b"else"), b""
    )
    assert done(line, journal).receipt.sequence == 1


def test_a_usage_error_after_the_bytes_are_out_is_an_unknown_outcome(journal: Journal) -> None:
    line = Line()

    def unplugged(_: Delivery) -> Delivery:
        raise UsageError("the port is gone")

    line.change = unplugged
    with pytest.raises(UnknownOutcomeError, match="was sent and may have been done"):
        done(line, journal)


def test_nothing_is_sealed_above_the_key_version_of_an_open_entry(journal: Journal) -> None:
    line = Line()
    epoch = line.meter.state.identity.epoch
    journal.prepare(METER, epoch, 1, "credit", 100, b"\2\0", 0)
    with pytest.raises(NotPermittedError, match="key version 1"):
        done(line, journal)
    assert line.delivered == []
