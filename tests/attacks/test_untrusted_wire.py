"""False registers, replies and statuses on a wire: no message is sealed from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meterctl.drivers import Delivery
from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
)
from meterctl.journal import EntryState, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.command import execute_command, plan_command
from meterctl.operations.resolution import resolve
from protocols.data_model.words import Status
from protocols.quantities import SECOND
from protocols.sealed_message import (
    Answer,
    MessageKind,
    Outcome,
    SealedMessage,
    SwitchAction,
    code_of,
    encode_number,
)
from protocols.sealed_status import SealedStatus, StatusQuestion
from tests.attacks.wires import (
    METER,
    OTHER,
    command,
    credit,
    keys_of,
    lying,
    make,
    prepared,
    session_of,
    shows,
    top_up,
)
from tests.support.meters import Host


@pytest.mark.parametrize("sequence", [5, 100, 2**31, 2**32 - 2])
def test_a_lied_credit_sequence_seals_nothing_and_wedges_nothing(
    journal: Journal, sequence: int
) -> None:
    """The registers are not trusted; the sealed status is."""
    meter = make()
    session = session_of(meter)
    liar = lying(session, read=shows(session, credit_sequence=sequence))
    assert top_up(liar, journal).sequence == 1
    assert credit(meter) == 5000
    assert top_up(session, journal).sequence == 2


def test_a_lied_command_sequence_ends_no_class(journal: Journal) -> None:
    """The sequence of the status is used, not that of the registers."""
    meter = make()
    session = session_of(meter)
    liar = lying(session, read=shows(session, command_sequence=2**32 - 2))
    done = execute_command(
        liar,
        journal,
        plan_command(liar, journal, MessageKind.SWITCH, encode_number(MessageKind.SWITCH, 1)),
    )
    assert done.receipt.sequence == 1
    restore = encode_number(MessageKind.SWITCH, SwitchAction.DIRECT)
    assert execute_command(
        session, journal, plan_command(session, journal, MessageKind.SWITCH, restore)
    ).answer


def test_a_lied_clock_lengthens_the_life_of_no_command(journal: Journal) -> None:
    """A switch command that was held back expires 300 s of the meter's elapsed time later."""
    meter = make()
    session = session_of(meter)
    held: list[bytes] = []

    def hold(sealed: bytes) -> Delivery:
        held.append(sealed)
        raise NoAnswerError("silence")

    future = 4_102_444_799_000
    liar = lying(session, read=shows(session, clock=future), deliver=hold)
    restore = encode_number(MessageKind.SWITCH, SwitchAction.DIRECT)
    with pytest.raises(
        UnknownOutcomeError, match=r"could be taken until the meter's elapsed time is 300 s"
    ) as error:
        execute_command(liar, journal, plan_command(liar, journal, MessageKind.SWITCH, restore))
    assert error.value.exit_code == 7
    meter.advance(300 * SECOND)
    answer = Host(meter).deliver(held[0])
    assert answer.outcome is Outcome.EXPIRED


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [(MessageKind.GUARANTEE, b"\1"), (MessageKind.LIMITS, bytes.fromhex("0100000000174876e800"))],
)
def test_what_was_held_after_a_forged_refusal_expires(
    journal: Journal, kind: MessageKind, parameters: bytes
) -> None:
    """Limits and a guarantee: the wire answers "refused" and keeps the bytes for later."""
    meter = make()
    session = session_of(meter)
    held: list[bytes] = []

    def refuse(sealed: bytes) -> Delivery:
        held.append(sealed)
        return Delivery(
            Answer(Outcome.OUT_OF_RANGE, SealedMessage.decode(sealed).sequence, code_of(sealed)),
            b"",
        )

    with pytest.raises(
        RefusedError, match=r"not sealed: its bytes could be taken until .* 300 s"
    ) as error:
        command(lying(session, deliver=refuse), journal, kind, parameters)
    assert (error.value.exit_code, error.value.outcome) == (3, "out_of_range")
    meter.advance(300 * SECOND - 1)
    other = make()
    other.advance(300 * SECOND - 1)
    assert Host(other).deliver(held[0]).outcome is Outcome.ACCEPTED, (
        "until then the bytes live, and 3 said so"
    )
    meter.advance(300 * SECOND)
    assert Host(meter).deliver(held[0]).outcome is Outcome.EXPIRED


def test_a_command_that_lost_its_number_is_not_sealed_again(journal: Journal) -> None:
    meter = make()
    session = session_of(meter)
    inner = session.driver.deliver

    def late(sealed: bytes) -> Delivery:
        Host(meter, keys_of()[1]).send(MessageKind.CLEAR_EVENTS)
        return inner(sealed)

    with pytest.raises(RefusedError) as error:
        command(lying(session, deliver=late), journal, MessageKind.CLEAR_TAMPER, b"")
    assert (error.value.exit_code, error.value.outcome) == (3, "sequence_conflict")
    assert meter.state.security.command_sequence == 1


def test_a_status_of_another_question_is_none(journal: Journal) -> None:
    """Nonce, journal number and key version of a status must be those of the query."""
    meter = make()
    session = session_of(meter)
    first: list[bytes] = []

    def replays(question: StatusQuestion) -> bytes:
        first.append(session.driver.status(question))
        return first[0]

    liar = lying(session, status=replays)
    top_up(liar, journal, 100)
    with pytest.raises(CorruptAnswerError, match="answers another question"):
        top_up(liar, journal, 100)
    assert credit(meter) == 100


def test_a_status_about_another_journal_is_none(journal: Journal) -> None:
    """The row of another journal would show that ours has none."""
    meter = make()
    session = session_of(meter)
    top_up(session, journal, 100)

    def about_another(question: StatusQuestion) -> bytes:
        return session.driver.status(replace(question, journal=question.journal ^ 1))

    with pytest.raises(CorruptAnswerError, match="answers another question"):
        top_up(lying(session, status=about_another), journal, 100)


@pytest.mark.parametrize("at", range(0, SealedStatus.SIZE, 7))
def test_a_changed_status_is_corrupt_and_seals_nothing(journal: Journal, at: int) -> None:
    meter = make()
    session = session_of(meter)

    def faulty(question: StatusQuestion) -> bytes:
        data = bytearray(session.driver.status(question))
        data[at] ^= 1
        return bytes(data)

    with pytest.raises(CorruptAnswerError) as error:
        top_up(lying(session, status=faulty), journal)
    assert error.value.exit_code == 5
    assert journal.entries() == []


def test_silence_is_4_and_with_bytes_out_7(journal: Journal) -> None:
    meter = make()
    session = session_of(meter)

    def silent(*_: object) -> Any:
        raise NoAnswerError("silence")

    with pytest.raises(NoAnswerError):
        top_up(lying(session, status=silent), journal)
    assert journal.entries() == []
    prepared(session, journal)
    (resolved,) = resolve(lying(session, status=silent), journal)
    assert isinstance(resolved.error, UnknownOutcomeError)
    assert resolved.error.exit_code == 7


def test_a_wrong_key_ring_is_told_by_its_check_value(journal: Journal) -> None:
    wrong = KeyRing({1: bytes(16)}, Path("wrong.json"))
    with pytest.raises(NotPermittedError, match="check value"):
        top_up(session_of(make(), wrong), journal)


def test_a_lost_storage_is_3_and_nothing_is_sealed(journal: Journal) -> None:
    meter = make()
    session = session_of(meter)
    lost = int(Status.STORAGE_LOST)
    with pytest.raises(RefusedError, match="lost its storage") as error:
        top_up(lying(session, status=lambda _: b"", read=shows(session, status=lost)), journal)
    assert error.value.exit_code == 3
    assert journal.entries() == []


def test_a_wire_that_leads_to_another_meter_takes_no_top_up(journal: Journal) -> None:
    """The port's last meter is the payee, unless a person or --meter names another."""
    mine, unrelated = make(), make(serial=OTHER)
    port = "tcp://127.0.0.1:15999 modbus unit 1"
    assert top_up(session_of(mine, port=port), journal).state is EntryState.CONFIRMED, (
        "a first contact is believed"
    )
    elsewhere = session_of(unrelated, port=port)
    with pytest.raises(
        NotPermittedError, match=r"last time it was meter 000000000042.*--meter 000000000043"
    ) as error:
        top_up(elsewhere, journal)
    assert error.value.exit_code == 6
    with pytest.raises(NotPermittedError, match="--meter names 000000000042"):
        top_up(replace(elsewhere, payee=METER), journal)
    with pytest.raises(NotPermittedError):
        command(elsewhere, journal, MessageKind.CLEAR_TAMPER, b"")
    assert credit(unrelated) == 0
    asked: list[str] = []

    def yes(question: str) -> bool:
        asked.append(question)
        return True

    assert top_up(replace(elsewhere, ask=yes), journal).meter == OTHER
    assert len(asked) == 1
    assert top_up(elsewhere, journal, 1).meter == OTHER, "a yes makes it the port's last"
    assert top_up(session_of(mine, port=port, payee=METER), journal, 1).meter == METER
    assert journal.ports.meter_of(port) == METER


def test_a_meter_that_shows_another_serial_number_than_it_proves_is_refused(
    journal: Journal,
) -> None:
    unrelated = make(serial=OTHER)
    session = session_of(unrelated)
    liar = lying(session, read=shows(session, serial_number=METER))
    with pytest.raises(NotPermittedError, match="meter 000000000043 is proved on this port"):
        top_up(replace(liar, payee=METER), journal)
    assert credit(unrelated) == 0
    assert journal.entries() == []


def test_a_lied_serial_number_of_another_meter_after_the_bytes_is_no_permission(
    journal: Journal,
) -> None:
    meter = make()
    session = session_of(meter)
    entry = prepared(session, journal)
    with pytest.raises(
        MeterctlError, match=f"is of meter {METER}; {OTHER} is on this port"
    ) as error:
        resolve(lying(session, read=shows(session, serial_number=OTHER)), journal, entry.id)
    assert error.value.exit_code == 2
