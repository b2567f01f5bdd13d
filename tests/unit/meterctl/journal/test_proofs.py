"""Proved state of meters: the floor and the totals only rise, the newest storage is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterctl.journal import NOWHERE, Journal, ProvedStorage
from meterctl.journal.proofs import behind
from protocols.card.write_back import WriteBack
from protocols.data_model.words import AccountState
from protocols.sealed_message import MessageKind, Receipt
from protocols.sealed_status import LastOfJournal, SealedStatus
from tests.support.cards import write_back

modest = settings(deadline=None, max_examples=100, database=None)

METER, EPOCH = "000000000042", 0xE0
STATUS = SealedStatus(
    key_version=1,
    serial_number=METER,
    epoch=EPOCH,
    nonce=bytes(8),
    journal=1,
    current_version=1,
    account_state=AccountState.OPEN,
    account_unit=156,
    customer_number="000000000001",
    credit_sequence=5,
    command_sequence=2,
    clock=0,
    elapsed_ms=1000,
    credit=0,
    committed_elapsed=1000,
    committed_energy=70,
    committed_cumulative=900,
    last_code=b"code",
    last_at=77,
    of_journal=LastOfJournal(),
    forgotten=0,
)
RECEIPT = Receipt(
    MessageKind.CREDIT, METER, EPOCH, 5, 100, b"code", 77, 0, 0, 0, 0, 900, 0, key_version=1
)
PROVED = ProvedStorage(METER, EPOCH, 1, 5, 900, 70, 1000, 5, b"code", 77)


def back(**values: int) -> WriteBack:
    known = {"meter_key_version": 1, "key_version": 1, "epoch": EPOCH, "cumulative": 900}
    return replace(write_back(1), **{**known, **values})  # type: ignore[arg-type]


def proved(journal: Journal, epoch: int = EPOCH) -> ProvedStorage:
    return journal.proofs.of(METER)[epoch]


def test_nothing_is_proved_of_an_unknown_meter(journal: Journal) -> None:
    assert journal.proofs.floor(METER) == 0
    assert journal.proofs.of(METER) == {}
    assert journal.proofs.newest(METER) is None


def test_a_status_is_kept_whole_with_its_committed_totals(journal: Journal) -> None:
    journal.proofs.note_status(STATUS, b"sealed")
    assert replace(proved(journal), turn=1) == replace(PROVED, proof=b"sealed")


def test_a_status_without_a_new_message_keeps_the_receipt(journal: Journal) -> None:
    journal.proofs.note_receipt(RECEIPT, b"receipt")
    journal.proofs.note_status(STATUS, b"sealed")
    assert proved(journal).receipt == b"receipt"
    journal.proofs.note_status(replace(STATUS, credit_sequence=6, last_code=b"next"), b"sealed")
    assert (proved(journal).last_sequence, proved(journal).receipt) == (6, b"")


@modest
@given(st.permutations([(5, 900, 1000), (6, 950, 1500), (7, 990, 1200)]))
def test_totals_never_decrease_in_whatever_order_proofs_come(
    order: list[tuple[int, int, int]],
) -> None:
    journal = Journal(NOWHERE)
    for sequence, cumulative, elapsed_ms in order:
        status = replace(
            STATUS,
            credit_sequence=sequence,
            committed_cumulative=cumulative,
            committed_elapsed=elapsed_ms,
        )
        journal.proofs.note_status(status, b"sealed")
    kept = proved(journal)
    assert (kept.sequence, kept.cumulative, kept.elapsed_ms) == (7, 990, 1500)
    journal.close()


def test_an_older_write_back_does_not_replace_the_last_proof(journal: Journal) -> None:
    journal.proofs.note_status(STATUS, b"status")
    meter = back().meter_digits
    journal.proofs.note_status(replace(STATUS, serial_number=meter), b"status")
    journal.proofs.note_write_back(back(credit_sequence=4, elapsed_ms=1000), b"older")
    assert journal.proofs.of(meter)[EPOCH].proof == b"status"
    journal.proofs.note_write_back(back(credit_sequence=6, elapsed_ms=1000), b"newer")
    assert journal.proofs.of(meter)[EPOCH].proof == b"newer"


def test_a_write_back_with_less_purchases_does_not_replace_a_proof_of_the_same_instant(
    journal: Journal,
) -> None:
    meter = back().meter_digits
    journal.proofs.note_status(replace(STATUS, serial_number=meter), b"status")
    same = back(
        credit_sequence=STATUS.credit_sequence,
        elapsed_ms=STATUS.committed_elapsed,
        cumulative=STATUS.committed_cumulative - 1,
    )
    journal.proofs.note_write_back(same, b"older")
    assert journal.proofs.of(meter)[EPOCH].proof == b"status"


def test_the_storage_that_was_proved_last_is_the_newest(journal: Journal) -> None:
    for epoch in (1, 2, 1):
        journal.proofs.note_status(replace(STATUS, epoch=epoch), b"sealed")
    newest = journal.proofs.newest(METER)
    assert newest is not None
    assert newest.epoch == 1


def test_a_receipt_that_proves_nothing_new_does_not_make_its_storage_the_newest(
    journal: Journal,
) -> None:
    for epoch in (1, 2):
        journal.proofs.note_status(replace(STATUS, epoch=epoch), b"sealed")
    journal.proofs.note_receipt(replace(RECEIPT, epoch=1), b"receipt")
    newest = journal.proofs.newest(METER)
    assert newest is not None
    assert newest.epoch == 2


def test_the_floor_rises_in_whatever_epoch_and_never_falls(journal: Journal) -> None:
    journal.proofs.note_status(replace(STATUS, epoch=1, current_version=3), b"sealed")
    journal.proofs.note_status(replace(STATUS, epoch=2, current_version=2), b"sealed")
    journal.proofs.note_receipt(replace(RECEIPT, key_version=1), b"receipt")
    assert journal.proofs.floor(METER) == 3


def test_a_receipt_raises_the_floor_and_proves_neither_energy_nor_time(journal: Journal) -> None:
    journal.proofs.note_receipt(replace(RECEIPT, key_version=4), b"receipt")
    assert journal.proofs.floor(METER) == 4
    one = proved(journal)
    assert (one.sequence, one.cumulative, one.energy, one.elapsed_ms) == (5, 900, 0, 0)
    assert (one.last_sequence, one.last_code, one.last_at) == (5, b"code", 77)


def test_the_development_key_does_not_raise_the_floor(journal: Journal) -> None:
    journal.proofs.raise_floor(METER, 0)
    assert journal.proofs.floor(METER) == 0


def test_a_write_back_raises_the_floor_to_the_version_of_its_seal_at_most(
    journal: Journal,
) -> None:
    journal.proofs.note_write_back(back(meter_key_version=5, key_version=2), b"slot")
    assert journal.proofs.floor(back().meter_digits) == 2


def test_a_storage_that_begins_again_keeps_the_floor_alone(
    journal: Journal,
) -> None:
    journal.proofs.note_status(STATUS, b"sealed")
    journal.proofs.begin_again(METER, EPOCH, after_entry=9)
    assert journal.proofs.floor(METER) == 1
    kept = proved(journal)
    assert (kept.sequence, kept.cumulative, kept.last_code, kept.begun_after) == (0, 0, b"", 9)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("credit_sequence", 4, "credit sequence went back from 5 to 4"),
        ("committed_cumulative", 899, "cumulative purchases went back"),
        ("committed_energy", 69, "import energy went back"),
        ("committed_elapsed", 999, "elapsed time went back"),
        ("last_code", b"edoc", "message of sequence 5 is another one"),
        ("last_at", 78, "accepted at another instant"),
    ],
)
def test_a_status_behind_the_proved_state_is_named(field: str, value: object, told: str) -> None:
    found = behind(PROVED, replace(STATUS, **{field: value}))  # type: ignore[arg-type]
    assert found is not None
    assert told in found


def test_a_status_at_or_above_the_proved_state_is_not_behind() -> None:
    assert behind(None, STATUS) is None
    assert behind(PROVED, STATUS) is None
    later = replace(STATUS, credit_sequence=6, last_code=b"next", last_at=80)
    assert behind(PROVED, later) is None


def test_of_a_storage_of_which_nothing_else_is_proved_nothing_is_known() -> None:
    assert ProvedStorage(METER, 7, 1) == ProvedStorage(
        METER, 7, 1, 0, 0, 0, 0, 0, b"", 0, b"", b"", 0
    )
