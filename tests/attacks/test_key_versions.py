"""Retired and passed key versions seal no message and prove no entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meterctl.drivers import Delivery
from meterctl.errors import NotPermittedError, UnknownOutcomeError
from meterctl.journal import EntryState, Journal
from meterctl.key_ring import KeyRing, export_keys
from meterctl.operations.credit import advance_key_version
from meterctl.operations.resolution import resolve
from protocols.sealed_message import Answer, MessageKind, Outcome, Receipt, SealedMessage, code_of
from protocols.sealed_status import SealedStatus, StatusQuestion
from tests.attacks.wires import (
    MASTERS,
    RING,
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
from tests.support.setup import METER


def seals_as(meter_keys: Any, **changed: Any) -> Callable[[bytes], Delivery]:
    """Return a `deliver` that forwards no message and forges an acceptance under some keys."""

    def deliver(sealed: bytes) -> Delivery:
        message = SealedMessage.decode(sealed)
        answer = Answer(Outcome.ACCEPTED, message.sequence, code_of(sealed))
        receipt = Receipt(
            message.kind,
            message.serial_number,
            message.epoch,
            message.sequence,
            message.amount,
            code_of(sealed),
            0,
            0,
            0,
            0,
            0,
            10**13,
            0,
            meter_keys.version,
        )
        return Delivery(
            answer, replace(receipt, **changed).seal(meter_keys.key(message.kind.message_class))
        )

    return deliver


def test_a_forged_receipt_under_a_retired_key_proves_nothing(journal: Journal) -> None:
    """An attacker with the old keys is on the wire; the journal has proof of the newer version."""
    meter = make()
    Host(meter, keys_of()[2]).send(MessageKind.VOID)
    session = session_of(meter)
    top_up(session, journal, 100)
    assert journal.proofs.floor(METER) == 2
    forger = lying(session, deliver=seals_as(keys_of()[1]))
    with pytest.raises(UnknownOutcomeError):
        top_up(forger, journal)
    assert credit(meter) == 100
    assert journal.entries()[-1].is_open


def test_a_forged_receipt_under_a_version_that_was_retired_since_confirms_no_entry(
    journal: Journal,
) -> None:
    meter = make()
    entry = prepared(session_of(meter), journal)
    forged = seals_as(keys_of()[1])(entry.message).receipt
    held = session_of(meter, replace(RING, retired=frozenset({1})))
    (resolved,) = resolve(lying(held, receipt=lambda *_: forged), journal)
    assert (resolved.entry.state, resolved.entry.outcome) == (EntryState.REFUSED, "voided")
    assert credit(meter) == 0


def test_a_receipt_below_the_messages_own_key_version_proves_nothing(journal: Journal) -> None:
    """A message sealed under version 2 needs a receipt under 2, before any proof names it."""
    meter = make()
    session = session_of(meter)
    forger = lying(session, deliver=seals_as(keys_of()[1]), receipt=lambda *_: b"")
    with pytest.raises((UnknownOutcomeError, NotPermittedError)):
        advance_key_version(forger, journal, session.identify())
    (entry,) = journal.entries()
    assert (entry.key_version, entry.is_open) == (2, True)
    assert meter.state.security.key_version == 1


def test_a_lied_key_version_seals_nothing_below_the_floor(journal: Journal) -> None:
    """Registers show version 1: the host does not even query a status under it."""
    meter = make()
    Host(meter, keys_of()[2]).send(MessageKind.VOID)
    session = session_of(meter)
    top_up(session, journal, 100)
    asked: list[int] = []

    def status(question: StatusQuestion) -> bytes:
        asked.append(question.key_version)
        return b""

    old = keys_of()[1]
    liar = lying(
        session, status=status, read=shows(session, key_version=1, key_check_value=old.check_value)
    )
    with pytest.raises(NotPermittedError, match="it has none of this key ring's versions"):
        top_up(liar, journal)
    assert asked == [2]
    assert len(journal.entries()) == 1


def test_an_invented_epoch_under_a_retired_key_proves_nothing(journal: Journal) -> None:
    """The floor belongs to the serial number: an unknown storage does not lower it."""
    meter = make()
    session = session_of(meter, replace(RING, retired=frozenset({1})))
    entry = prepared(session, journal)
    old = keys_of()[1]

    def status(question: StatusQuestion) -> bytes:
        if question.key_version != 1:
            return b""
        true = SealedStatus.decode(session.driver.status(replace(question, key_version=2)))
        return replace(true, key_version=1, epoch=0xBAD, credit_sequence=9).seal(old.credit)

    (resolved,) = resolve(lying(session, status=status, receipt=lambda *_: b""), journal)
    assert isinstance(resolved.error, NotPermittedError)
    assert resolved.entry.is_open
    forged = lying(
        session, deliver=seals_as(old, epoch=0xBAD), receipt=lambda *_: b"", status=status
    )
    assert resolve(forged, journal)[0].entry.is_open
    assert journal.entry(entry.id).state is not EntryState.CONFIRMED


def test_a_retired_version_neither_seals_nor_proves_for_a_journal_that_never_saw_the_meter(
    journals: Callable[[str], Journal],
) -> None:
    meter = make()
    ring = replace(RING, retired=frozenset({1}))
    session = session_of(meter, ring)
    new = journals("new")
    entry = top_up(session, new)
    assert (entry.key_version, meter.state.security.key_version) == (2, 2), (
        "the next version is sealed under"
    )
    alone = KeyRing({1: MASTERS[1]}, Path("k"), retired=frozenset({1}))
    with pytest.raises(NotPermittedError, match="not retired"):
        top_up(session_of(meter, alone), journals("other"))


def test_nothing_raises_the_key_version_above_an_open_entry(journal: Journal) -> None:
    meter = make()
    session = session_of(meter)
    prepared(session, journal)
    with pytest.raises(NotPermittedError, match="still prepared") as error:
        advance_key_version(session, journal, session.identify())
    assert error.value.exit_code == 6
    retired = session_of(meter, replace(RING, retired=frozenset({1})))
    with pytest.raises(NotPermittedError, match="would make journal entry 1"):
        command(retired, journal, MessageKind.CLEAR_TAMPER, b"")
    assert meter.state.security.key_version == 1


def test_the_void_of_an_entry_takes_the_next_version_where_the_current_one_may_not_be_used(
    journal: Journal,
) -> None:
    meter = make()
    entry = prepared(session_of(meter), journal)
    held = session_of(meter, replace(RING, retired=frozenset({1})))
    inner = held.driver.deliver

    def deliver(sealed: bytes) -> Delivery:
        assert sealed != entry.message, "nothing under a retired version is sent"
        return inner(sealed)

    (resolved,) = resolve(lying(held, deliver=deliver), journal)
    assert (resolved.entry.state, resolved.entry.outcome) == (EntryState.REFUSED, "voided")
    void = journal.entries()[-1]
    assert (void.kind, void.key_version, void.void_of) == ("void", 2, entry.id)
    assert meter.state.security.key_version == 2


def test_a_key_change_by_another_seller_proves_an_entry_dead(
    journals: Callable[[str], Journal],
) -> None:
    """Proof (d): the meter is under version 2 and has not reached the entry's sequence."""
    meter = make()
    session = session_of(meter)
    own = journals("own")
    prepared(session, own)
    Host(meter, keys_of()[2]).send(MessageKind.CLEAR_EVENTS)
    (resolved,) = resolve(session, own)
    assert (resolved.entry.state, resolved.entry.outcome) == (
        EntryState.REFUSED,
        "unknown_key_version",
    )
    assert resolved.error is not None
    assert resolved.error.exit_code == 3
    assert meter.state.security.credit_sequence == 0, "nothing was sealed for it"


def test_keys_advance_makes_the_next_version_current_and_moves_nothing_else(
    journal: Journal,
) -> None:
    meter = make()
    session = session_of(meter)
    top_up(session, journal)
    before = meter.state.account.credit
    settled = advance_key_version(session, journal, session.identify())
    assert (settled.entry.kind, settled.entry.key_version) == ("void", 2)
    assert (meter.state.security.key_version, meter.state.account.credit) == (2, before)
    assert journal.proofs.floor(METER) == 2
    with pytest.raises(NotPermittedError, match="newest of this key ring"):
        advance_key_version(session, journal, session.identify())


def test_keys_of_a_retired_version_are_not_exported(tmp_path: Path) -> None:
    ring = replace(RING, retired=frozenset({1}))
    assert [keys.version for keys in export_keys(ring, METER, tmp_path / "m.json")] == [2]
