"""A top-up over a faulty line: never lost, never doubled, never reported with a wrong outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from firmware_sim.meter import Meter
from meterctl.errors import (
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import Entry, EntryEvent, EntryState, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.command import execute_command, plan_command
from meterctl.operations.credit import execute, plan
from meterctl.operations.entry_results import Settled
from meterctl.operations.exactly_once import settle
from meterctl.operations.resolution import close_by_hand, resolve
from meterctl.operations.sealing import credit_message, enter
from meterctl.operations.status import ask_status
from meterctl.session import Session
from protocols.quantities import LEDGER
from protocols.sealed_message import MessageKind, SwitchAction, encode_limits, encode_number
from tests.support.meters import Host, make
from tests.support.wire import Fault, connect


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


def top_up(session: Session, journal: Journal, cents: int = 5000) -> Settled:
    return execute(session, journal, plan(session, journal, MessageKind.CREDIT, cents))


def audit(meter: Meter, journal: Journal) -> None:
    """Assert that the meter has every confirmed entry and only confirmed or open transfers."""
    confirmed = {
        e.sequence: e
        for e in journal.entries()
        if e.state is EntryState.CONFIRMED and e.kind == "credit"
    }
    open_ones = {e.sequence: e for e in journal.entries() if e.is_open and e.kind == "credit"}
    credited = meter.state.account.credited
    sure = sum(e.amount for e in confirmed.values()) * LEDGER // 100
    maybe = sum(e.amount for e in open_ones.values()) * LEDGER // 100
    assert sure <= credited <= sure + maybe
    assert meter.state.account.imbalance() == (0, 0)
    assert len(open_ones) <= 1


def lose(*numbers: int, direction: str) -> Fault:
    return lambda n, way, data: b"" if n in numbers and way == direction else data


def test_a_clean_line_confirms_with_a_proven_receipt(journal: Journal) -> None:
    meter = make()
    session, _ = connect(meter)
    settled = top_up(session, journal)
    assert settled.entry.state is EntryState.CONFIRMED
    assert settled.receipt is not None
    assert (settled.receipt.credit_before, settled.receipt.credit_after) == (
        20 * LEDGER,
        70 * LEDGER,
    )
    assert meter.state.account.credit == 70 * LEDGER
    assert meter.state.account.purchases == 1
    audit(meter, journal)


@pytest.mark.parametrize("direction", ["request", "reply"])
@pytest.mark.parametrize("first", range(1, 9))
@pytest.mark.parametrize("count", [1, 2, 3])
def test_lost_exchanges_never_lose_or_double_credit(
    journal: Journal, direction: str, first: int, count: int
) -> None:
    meter = make()
    session, transport = connect(meter, lose(*range(first, first + count), direction=direction))
    try:
        top_up(session, journal)
    except MeterctlError:
        pass
    audit(meter, journal)
    transport.fault = None
    resolve(session, journal)
    audit(meter, journal)
    assert not journal.open_entries(meter.state.identity.serial_number)
    confirmed = [e for e in journal.entries() if e.state is EntryState.CONFIRMED]
    assert meter.state.account.credit == 20 * LEDGER + len(confirmed) * 50 * LEDGER


def test_a_dead_line_after_sending_is_unknown_and_resolved_later(journal: Journal) -> None:
    meter = make()
    session, transport = connect(meter)
    planned = plan(session, journal, MessageKind.CREDIT, 5000)
    sent = transport.exchanges + 1  # the status is exchanged first
    transport.fault = lambda n, way, data: (
        data if n <= sent or (n == sent + 1 and way == "request") else b""
    )
    with pytest.raises(UnknownOutcomeError) as error:
        execute(session, journal, planned)
    assert error.value.exit_code == 7
    assert meter.state.account.credit == 70 * LEDGER, "it was applied; its answer was lost"
    assert journal.entries()[-1].state is EntryState.UNKNOWN
    transport.fault = None
    with pytest.raises(NotPermittedError, match="still unknown"):
        top_up(session, journal)
    (resolved,) = resolve(session, journal)
    assert resolved.entry.state is EntryState.CONFIRMED
    assert meter.state.account.credit == 70 * LEDGER
    assert top_up(session, journal).receipt is not None
    assert meter.state.account.credit == 120 * LEDGER


def test_prepared_after_a_crash_is_sent_by_resolve(journal: Journal) -> None:
    meter = make()
    session, _ = connect(meter)
    hint = session.identify()
    proved = ask_status(session, journal, hint).require_ours()
    enter(journal, session.ring, credit_message(journal, proved, MessageKind.CREDIT, 5000, 0), 0)
    (resolved,) = resolve(session, journal)
    assert resolved.entry.state is EntryState.CONFIRMED
    assert meter.state.account.credit == 70 * LEDGER
    assert resolve(session, journal) == []


def test_a_refusal_is_final_only_after_a_void(journal: Journal) -> None:
    meter = make()
    session, _ = connect(meter)
    Host(meter).send(MessageKind.LIMITS, parameters=encode_limits({4: 30 * LEDGER}))
    with pytest.raises(RefusedError, match="exceeds_max_credit"):
        top_up(session, journal)
    credit, void = journal.entries()
    assert (credit.state, credit.outcome) == (EntryState.REFUSED, "exceeds_max_credit")
    assert (void.kind, void.amount, void.state) == ("void", 0, EntryState.CONFIRMED)
    Host(meter).send(MessageKind.LIMITS, parameters=encode_limits({4: None}))
    assert not Host(meter).deliver(credit.message).outcome.applied, "the old bytes are dead"
    assert meter.state.account.credit == 20 * LEDGER
    assert meter.state.account.purchases == 0
    assert top_up(session, journal).entry.sequence == 2


def test_a_void_that_is_not_answered_leaves_the_entry_unknown(journal: Journal) -> None:
    meter = make()
    Host(meter).send(MessageKind.LIMITS, parameters=encode_limits({4: 30 * LEDGER}))
    session, transport = connect(meter)
    planned = plan(session, journal, MessageKind.CREDIT, 5000)
    sent = transport.exchanges
    transport.fault = lambda n, way, data: data if n <= sent + 4 else b""
    with pytest.raises(UnknownOutcomeError):
        execute(session, journal, planned)
    left = journal.entries()[0]
    assert (left.state, left.outcome) == (EntryState.UNKNOWN, "exceeds_max_credit")
    transport.fault = None
    (resolved,) = resolve(session, journal)
    assert resolved.entry.state is EntryState.REFUSED
    assert resolved.error is not None
    assert resolved.error.exit_code == 3


def test_another_host_that_took_the_sequence_is_seen_and_the_sale_is_sealed_again(
    journal: Journal,
) -> None:
    meter = make()
    session, _ = connect(meter)
    inner = session.driver.deliver
    taken = iter([777, 888])

    def deliver(sealed: bytes) -> object:
        cents = next(taken, None)
        if cents is not None:
            Host(meter).send(MessageKind.CREDIT, amount=cents)
        return inner(sealed)

    session.driver.deliver = deliver  # type: ignore[method-assign, assignment]
    settled = execute(
        session, journal, plan(session, journal, MessageKind.CREDIT, 5000, reference="mine")
    )
    assert settled.receipt is not None
    assert settled.receipt.sequence == 3
    assert [(e.state.value, e.outcome, e.reference) for e in journal.entries()] == [
        ("refused", "sequence_conflict", "mine"),
        ("refused", "sequence_conflict", "mine"),
        ("confirmed", "accepted", "mine"),
    ]
    assert meter.state.account.credit == 20 * LEDGER + (777 + 888 + 5000) * LEDGER // 100


def test_a_sale_is_sealed_again_at_most_four_times(journal: Journal) -> None:
    meter = make()
    session, _ = connect(meter)
    inner = session.driver.deliver

    def deliver(sealed: bytes) -> object:
        Host(meter).send(MessageKind.CREDIT, amount=1)
        return inner(sealed)

    session.driver.deliver = deliver  # type: ignore[method-assign, assignment]
    pauses: list[int] = []
    drawn = iter((0x0000, 0x0001, 0x0100, 0xFFFF))
    first = session.random

    def random(size: int) -> bytes:
        return next(drawn).to_bytes(2, "big") if size == 2 else first(size)

    session = replace(session, pause=pauses.append, random=random)
    with pytest.raises(RefusedError, match="first 5 times") as error:
        top_up(session, journal)
    assert [pause for pause in pauses if pause < 1000] == [0, 1, 56, 135], "drawn, below 200 ms"
    assert (error.value.exit_code, error.value.outcome) == (3, "sequence_conflict")
    assert [e.state for e in journal.entries()] == [EntryState.REFUSED] * 5
    assert meter.state.account.credit == 20 * LEDGER + 5 * LEDGER // 100


def ahead(session: Session, journal: Journal) -> Entry:
    """Seal a top-up three sequences above the meter's next, as if the meter had been set back."""
    proved = replace(
        ask_status(session, journal, session.identify()).require_ours(), credit_sequence=3
    )
    return enter(
        journal, session.ring, credit_message(journal, proved, MessageKind.CREDIT, 5000, 0), 0
    )


def test_nothing_is_sent_to_a_meter_below_an_entry(journal: Journal) -> None:
    meter = make()
    session, _ = connect(meter)
    ahead(session, journal)
    session.driver.deliver = None  # type: ignore[method-assign, assignment]
    (resolved,) = resolve(session, journal)
    assert isinstance(resolved.error, NotPermittedError)
    assert "set back" in str(resolved.error)
    assert resolved.entry.is_open


def test_nothing_below_an_entry_is_voided(journal: Journal) -> None:
    """A meter below s - 1 was set back: a wire must not make the host spend those sequences."""
    meter = make()
    session, _ = connect(meter)
    entry = ahead(session, journal)
    with pytest.raises(
        UnknownOutcomeError, match=r"may have been applied.*set back\. Nothing was voided"
    ):
        settle(session, journal, session.identify(), entry)
    assert meter.state.security.credit_sequence == 0
    assert [(e.id, e.state) for e in journal.entries()] == [(entry.id, EntryState.UNKNOWN)]


def test_a_sale_that_nothing_proves_stays_open_and_is_not_sealed_again(journal: Journal) -> None:
    """Request and receipts are lost; the status alone shows that the meter did not accept it."""
    meter = make()
    session, _ = connect(meter)
    inner = session.driver.deliver

    def silent(*_: object) -> object:
        raise NoAnswerError("silence")

    session.driver.deliver = session.driver.receipt = silent
    with pytest.raises(UnknownOutcomeError, match="no answer proves its outcome"):
        top_up(session, journal)
    assert [e.state for e in journal.entries()] == [EntryState.UNKNOWN]
    session.driver.deliver = inner  # type: ignore[method-assign]
    (resolved,) = resolve(session, journal)
    assert resolved.entry.state is EntryState.CONFIRMED
    assert meter.state.account.credit == 70 * LEDGER


def test_a_meter_that_was_set_back_is_refused(journal: Journal) -> None:
    meter = make()
    session, _ = connect(meter)
    top_up(session, journal)
    twin = make()
    assert twin.state.identity == meter.state.identity
    back, _ = connect(twin)
    with pytest.raises(NotPermittedError, match="set back"):
        top_up(back, journal)
    assert twin.state.account.credit == 20 * LEDGER


def test_a_wrong_key_ring_is_seen_before_anything_is_sent(journal: Journal) -> None:
    meter = make()
    session, _ = connect(meter, ring=KeyRing({0: bytes(16)}))
    with pytest.raises(NotPermittedError, match="check value"):
        top_up(session, journal)
    assert journal.entries() == []


def test_a_forged_acceptance_confirms_nothing(journal: Journal) -> None:
    """Any answer can be forged on the wire: without the sealed receipt no entry is confirmed."""
    meter = make()
    session, transport = connect(meter)
    planned = plan(session, journal, MessageKind.CREDIT, 5000)
    sent = transport.exchanges + 1  # the status is not forged

    def forge(n: int, way: str, data: bytes) -> bytes:
        if n <= sent or way == "request":
            return data
        from protocols.modbus import rtu

        pdu = bytearray(data[1:-2])
        for at in range(len(pdu) - 16, len(pdu)):
            pdu[at] ^= 0x5A
        return rtu.encode(data[0], bytes(pdu))

    transport.fault = forge
    with pytest.raises(UnknownOutcomeError):
        execute(session, journal, planned)
    assert journal.entries()[0].state is EntryState.UNKNOWN


@pytest.mark.parametrize("seed", range(120))
def test_a_random_line_settles_and_the_books_agree(journal: Journal, seed: int) -> None:
    rng = Random(seed)
    meter = make()

    def fault(_: int, __: str, data: bytes) -> bytes:
        roll = rng.random()
        if roll < 0.15:
            return b""
        if roll < 0.25:
            at = rng.randrange(len(data))
            return data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]
        if roll < 0.3:
            return data[: rng.randrange(len(data))]
        if roll < 0.35:
            return data + data
        if roll < 0.4:
            return bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9))) + data
        return data

    session, transport = connect(meter, fault)
    for _ in range(6):
        try:
            top_up(session, journal, rng.randrange(1, 9000))
        except MeterctlError:
            pass
        audit(meter, journal)
        try:
            resolve(session, journal)
        except MeterctlError:
            pass
        audit(meter, journal)
    transport.fault = None
    resolve(session, journal)
    audit(meter, journal)
    assert not [e for e in journal.entries() if e.is_open and e.kind != "void"]


def test_commands_are_proved_too_and_a_lost_answer_is_asked_for(journal: Journal) -> None:
    meter = make()
    session, transport = connect(meter)
    parameters = encode_number(MessageKind.SWITCH, SwitchAction.INTERRUPT)
    command = plan_command(session, journal, MessageKind.SWITCH, parameters)
    sent = transport.exchanges
    transport.fault = lose(sent + 2, direction="reply")
    done = execute_command(session, journal, command)
    assert done.answer is None
    assert done.receipt.kind is MessageKind.SWITCH
    assert not meter.state.supply.closed
    assert meter.state.security.command_sequence == 1


def test_one_open_entry_for_a_meter_is_enforced_by_the_journal_itself(journal: Journal) -> None:
    journal.prepare("000000000001", 1, 1, "credit", 1, b"x", 0)
    with pytest.raises(NotPermittedError):
        journal.prepare("000000000001", 1, 2, "credit", 1, b"y", 0)
    journal.prepare("000000000002", 1, 1, "credit", 1, b"z", 0)


@pytest.mark.parametrize("value", ["epoch", "sequence"])
def test_a_reading_that_was_faulty_is_not_sealed_upon(journal: Journal, value: str) -> None:
    """A TCP frame has no checksum, so any register may be wrong: sealing uses the status alone."""
    meter = make(epoch=0x0E0C0E0C)
    meter.state.security.credit_sequence = 0x01020304
    session, transport = connect(meter, framed=True)
    faulty = bytes.fromhex({"epoch": "0e0c0e0c", "sequence": "01020304"}[value])
    flipped = 0

    def flip(_: int, way: str, data: bytes) -> bytes:
        nonlocal flipped
        at = data.find(faulty, 9)
        if (
            way == "reply" and at > 0 and len(data) < 140
        ):  # a status or an answer has at least 145 bytes
            flipped += 1
            return data[:at] + bytes((data[at] ^ 0x40,)) + data[at + 1 :]
        return data

    transport.fault = flip
    assert top_up(session, journal).receipt is not None
    assert flipped, "a register was changed"
    (entry,) = journal.entries()
    assert (entry.epoch, entry.sequence) == (0x0E0C0E0C, 0x01020305)


def test_a_meter_without_a_storage_is_sold_nothing(journal: Journal) -> None:
    from firmware_sim.assembly import build_lost
    from firmware_sim.meter_description import MeterDescription

    session, _ = connect(build_lost(MeterDescription()))
    with pytest.raises(RefusedError, match="lost its storage"):
        top_up(session, journal)
    assert journal.entries() == []


def test_a_person_closes_what_nothing_can_prove(journal: Journal) -> None:
    entry = journal.prepare("000000000001", 1, 1, "credit", 100, b"x", 0)
    closed = close_by_hand(journal, entry, EntryState.REFUSED, 5)
    assert (closed.state, closed.outcome, closed.changed) == (EntryState.REFUSED, "by_hand", 5)
    with pytest.raises(UsageError):
        close_by_hand(journal, closed, EntryState.CONFIRMED, 6)


def test_a_receipt_goes_over_what_a_person_said(journal: Journal) -> None:
    entry = journal.prepare("000000000001", 1, 5, "credit", 100, b"x", 0)
    close_by_hand(journal, entry, EntryState.REFUSED, 1)
    journal.settle(entry, EntryEvent.NOT_ANSWERED, 2)
    assert journal.entry(entry.id).outcome == "by_hand"
    journal.settle(entry, EntryEvent.RECEIPT, 3, receipt=b"receipt")
    assert (journal.entry(entry.id).state, journal.entry(entry.id).receipt) == (
        EntryState.CONFIRMED,
        b"receipt",
    )
    assert [line.what for line in journal.audit_lines()] == ["closed_by_hand", "overruled"]
    assert any(
        "1.00 is to be claimed back from the customer" in notice for notice in journal.notices
    )


def test_what_a_person_said_is_no_proof_that_a_sequence_is_spent(journal: Journal) -> None:
    entry = journal.prepare("000000000001", 1, 5, "credit", 100, b"x", 0)
    close_by_hand(journal, entry, EntryState.CONFIRMED, 1)
    assert journal.last_sequence("000000000001", 1) == 0
