"""The sealed status: payee, key versions, proved state, set-back meters, copied journals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.meter import Meter
from meterctl.errors import CorruptAnswerError, NotPermittedError, RefusedError
from meterctl.journal import NOWHERE, EntryEvent, EntryState, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.sealing import credit_message, enter
from meterctl.operations.status import Asked, ask_status, require_payee
from meterctl.session import Session
from protocols.data_model.words import AccountState, Status
from protocols.keys import derive_meter_keys
from protocols.quantities import HOUR
from protocols.sealed_message import MessageKind
from tests.support.meters import Host, make
from tests.support.wire import connect

METER, OTHER, EPOCH = "000000000042", "000000000043", 0xE0
MASTERS = {version: bytes((version,)) * 16 for version in (1, 2, 3)}
PORT = "/dev/ttyUSB0"


def ring_of(*versions: int, retired: int = 0) -> KeyRing:
    masters = {version: MASTERS[version] for version in versions}
    return KeyRing(masters, Path("keys.json"), retired=frozenset({retired} - {0}))


RING = ring_of(1)


def meter_of(*versions: int, **description: Any) -> Meter:
    keys = {version: derive_meter_keys(MASTERS[version], METER, version) for version in versions}
    return make(serial_number=METER, epoch=EPOCH, keys=keys, **description)


def session_of(meter: Meter, ring: KeyRing = RING, **changed: Any) -> Session:
    return replace(connect(meter, ring=ring)[0], **changed)


def ask(session: Session, journal: Journal, **how: Any) -> Asked:
    return ask_status(session, journal, session.identify(), **how)


def test_a_proved_meter_is_that_of_the_status(journal: Journal) -> None:
    meter = meter_of(1, customer_number="000000001001")
    meter.advance(HOUR)
    asked = ask(session_of(meter), journal)
    proved = asked.require_ours()
    assert (proved.serial_number, proved.epoch, proved.elapsed_ms) == (METER, EPOCH, HOUR)
    assert (proved.account_state, proved.account_unit) == (AccountState.OPEN, 156)
    assert (proved.customer_number, proved.sealing_version) == ("000000001001", 1)
    assert (proved.credit_sequence, proved.command_sequence) == (0, 0)


def test_a_status_is_recorded_as_proved_with_its_port(journal: Journal) -> None:
    ask(session_of(meter_of(1), port=PORT), journal)
    newest = journal.proofs.newest(METER)
    assert newest is not None
    assert newest.proof
    assert journal.proofs.floor(METER) == 1
    assert journal.ports.meter_of(PORT) == METER


@pytest.mark.parametrize(
    ("ring", "current", "sealing"),
    [
        (ring_of(1, 2, 3), (1, 2), 1),
        (ring_of(1, 2, 3, retired=1), (1, 2), 2),
        (ring_of(2, 3), (1, 2), 2),
        (ring_of(1, 2), (2, 3), 2),
    ],
)
def test_it_seals_under_the_current_version_or_the_next_where_that_may_not_be_used(
    journal: Journal, ring: KeyRing, current: tuple[int, ...], sealing: int
) -> None:
    session = session_of(meter_of(*current), ring)
    assert ask(session, journal).meter.sealing_version == sealing


def test_a_version_is_advanced_to_the_next_and_not_beyond(journal: Journal) -> None:
    session = session_of(meter_of(1, 2), ring_of(1, 2))
    assert ask(session, journal, advance=True).meter.sealing_version == 2
    with pytest.raises(NotPermittedError, match="newest of this key ring"):
        ask(session_of(meter_of(1)), journal, advance=True)


def test_a_ring_without_a_version_above_the_floor_asks_nothing(journal: Journal) -> None:
    journal.proofs.raise_floor(METER, 2)
    with pytest.raises(NotPermittedError, match="a key version of 2 or above is needed"):
        ask(session_of(meter_of(1)), journal)


def test_a_meter_without_any_version_of_the_ring_is_refused(journal: Journal) -> None:
    with pytest.raises(NotPermittedError, match="none of this key ring's versions"):
        ask(session_of(meter_of(3)), journal)


def test_keys_of_another_master_are_told_by_their_check_value(journal: Journal) -> None:
    wrong = KeyRing({1: bytes(16)}, Path("keys.json"))
    with pytest.raises(NotPermittedError, match="check value"):
        ask(session_of(meter_of(1), wrong), journal)


def test_a_lost_storage_is_a_refusal(journal: Journal) -> None:
    session = session_of(meter_of(2))
    hint = replace(session.identify(), status=int(Status.STORAGE_LOST))
    with pytest.raises(RefusedError, match="lost its storage"):
        ask_status(session, journal, hint)


@pytest.mark.parametrize(("faulty", "proves"), [(2, True), (3, False)])
def test_a_faulty_status_is_asked_for_three_times(
    journal: Journal, faulty: int, proves: bool
) -> None:
    session = session_of(meter_of(1))
    inner, asked = session.driver.status, []

    def status(question: object) -> bytes:
        asked.append(question)
        sealed: bytes = inner(question)  # type: ignore[arg-type]
        return sealed[:-1] + bytes((sealed[-1] ^ 1,)) if len(asked) <= faulty else sealed

    session.driver.status = status  # type: ignore[method-assign]
    if proves:
        assert ask(session, journal).status.serial_number == METER
    else:
        with pytest.raises(CorruptAnswerError, match="nothing was sealed"):
            ask(session, journal)
    assert len(asked) == 3
    assert len(set(asked)) == 3, "each question has a nonce of its own"


def test_a_meter_below_the_proved_state_is_refused_and_audited(journal: Journal) -> None:
    ask(session_of(ahead := meter_of(1)), journal)
    Host(ahead, derive_meter_keys(MASTERS[1], METER, 1)).send(MessageKind.CREDIT, amount=100)
    ask(session_of(ahead), journal)
    with pytest.raises(NotPermittedError, match="credit sequence went back from 1 to 0"):
        ask(session_of(meter_of(1)), journal)
    assert [line.what for line in journal.audit_lines()] == ["set_back"]


def test_a_set_back_meter_is_served_knowingly_and_begins_again(journal: Journal) -> None:
    ahead = meter_of(1)
    Host(ahead, derive_meter_keys(MASTERS[1], METER, 1)).send(MessageKind.CREDIT, amount=100)
    ask(session_of(ahead), journal)
    behind = session_of(meter_of(1), set_back=True)
    assert ask(behind, journal).meter.credit_sequence == 0
    assert [line.what for line in journal.audit_lines()] == ["set_back_served"]
    assert ask(session_of(meter_of(1)), journal).meter.credit_sequence == 0


def test_a_message_of_this_journals_number_that_it_does_not_hold_means_a_copy() -> None:
    journal, copy = (Journal(NOWHERE, lambda size: b"\7" * size) for _ in range(2))
    session = session_of(meter_of(1))
    proved = ask(session, journal).require_ours()
    entry = enter(journal, RING, credit_message(journal, proved, MessageKind.CREDIT, 100, 0), 0)
    session.driver.deliver(entry.message)
    ask(session, journal).require_ours()
    asked = ask(session, copy)
    assert not asked.is_ours
    with pytest.raises(NotPermittedError, match="a copy or was restored"):
        asked.require_ours()


def test_a_status_overrules_a_closing_by_hand_and_leaves_open_entries_open(
    journal: Journal,
) -> None:
    session = session_of(meter_of(1))
    proved = ask(session, journal).require_ours()
    entry = enter(journal, RING, credit_message(journal, proved, MessageKind.CREDIT, 100, 0), 0)
    session.driver.deliver(entry.message)
    ask(session, journal)
    assert journal.entry(entry.id).is_open
    journal.settle(entry, EntryEvent.CLOSED_AS_REFUSED, 0)
    ask(session, journal)
    assert journal.entry(entry.id).state is EntryState.CONFIRMED


def test_the_payee_must_answer(journal: Journal) -> None:
    session = session_of(meter_of(1), payee=METER)
    require_payee(session, journal, METER)
    with pytest.raises(NotPermittedError, match=f"--meter names {METER}"):
        require_payee(session, journal, OTHER)


@pytest.mark.parametrize("yes", [False, True])
def test_another_meter_on_a_known_port_needs_a_yes(journal: Journal, yes: bool) -> None:
    asked = []

    def answer(question: str) -> bool:
        asked.append(question)
        return yes

    session = session_of(meter_of(1), port=PORT, ask=answer)
    require_payee(session, journal, METER)
    assert asked == [], "a first contact is believed"
    journal.ports.keep(PORT, OTHER, 0)
    if yes:
        require_payee(session, journal, METER)
    else:
        with pytest.raises(NotPermittedError, match=f"--meter {METER}"):
            require_payee(session, journal, METER)
    assert len(asked) == 1


def test_under_the_development_key_meters_come_and_go(journal: Journal) -> None:
    session = replace(connect(make())[0], port=PORT)
    journal.ports.keep(PORT, OTHER, 0)
    require_payee(session, journal, METER)
