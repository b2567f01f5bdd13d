"""The journal: one open entry a meter, settling once, sale keys, daily limit, numbers, locks."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import pytest

from meterctl.errors import (
    BusyError,
    NotPermittedError,
    OverDailyLimitError,
    UsageError,
)
from meterctl.journal import NOWHERE, Entry, EntryEvent, EntryState, Journal, SeenWriteBack
from meterctl.journal.journal import default_path
from meterctl.journal.locks import WAIT_MS, WAIT_STEP_MS
from meterctl.key_ring import DailyLimit
from protocols.keys import development_keys
from protocols.sealed_message import MessageKind, Origin, SealedMessage

METER, OTHER, EPOCH = "000000000042", "000000000043", 0xE0
CONFIRMED, REFUSED = EntryState.CONFIRMED, EntryState.REFUSED
DAY_S = 86_400


def prepare(journal: Journal, sequence: int = 1, **changed: Any) -> Entry:
    """Enter a sale of 9.00."""
    fields: dict[str, Any] = {
        "meter": METER, "epoch": EPOCH, "kind": "credit", "amount": 900, "now": 0,
        "message": bytes((sequence,)),
    } | changed  # fmt: skip
    return journal.prepare(sequence=sequence, **fields)


def opening(journal: Journal) -> Entry:
    """Enter an opening for epoch 0."""
    message = SealedMessage(MessageKind.OPEN, METER, 0, 1, 900)
    sealed = message.seal(development_keys(METER).credit)
    return prepare(journal, epoch=0, kind="open", message=sealed, card="c")


def test_an_entry_is_read_back_as_it_was_prepared(journal: Journal) -> None:
    entry = prepare(journal, reference="key", origin=Origin(5, 6))
    assert journal.entry(entry.id) == entry
    assert journal.entries() == [entry]
    assert entry.state is EntryState.PREPARED
    assert prepare(journal, meter=OTHER, card="c").state is EntryState.ON_CARD


def test_a_second_open_entry_of_a_storage_is_refused(journal: Journal) -> None:
    prepare(journal)
    with pytest.raises(NotPermittedError, match="another entry is open"):
        prepare(journal, 2)
    prepare(journal, 2, epoch=0xE1)
    prepare(journal, 2, meter=OTHER)


def test_an_opening_for_epoch_0_counts_for_every_epoch(journal: Journal) -> None:
    opening(journal)
    with pytest.raises(NotPermittedError):
        prepare(journal, 5)


def test_a_void_has_room_beside_the_entry_that_it_voids(journal: Journal) -> None:
    entry = prepare(journal)
    sealed = prepare(journal, kind="void", amount=0, void_of=entry.id, origin=Origin(5, 6))
    assert journal.voids_of(entry) == [sealed]
    assert journal.void_codes(entry) == [sealed.code]
    assert journal.open_entries(METER) == [entry], "a void is settled with its entry"


def test_a_sequence_is_taken_once_unless_its_entry_was_refused(journal: Journal) -> None:
    journal.settle(prepare(journal), EntryEvent.RECEIPT, 1)
    with pytest.raises(NotPermittedError, match="sequence 1 is taken"):
        prepare(journal, message=b"x")
    journal.settle(prepare(journal, 2), EntryEvent.RECEIPT_OF_VOID, 1)
    prepare(journal, 2, message=b"x")


def test_a_settled_entry_stays_settled(journal: Journal) -> None:
    entry = prepare(journal)
    settled = journal.settle(entry, EntryEvent.RECEIPT, 5, receipt=b"receipt")
    assert (settled.state, settled.changed, settled.receipt) == (CONFIRMED, 5, b"receipt")
    assert journal.settle(entry, EntryEvent.RECEIPT_OF_VOID, 6) == settled


def test_a_proof_overrules_a_closing_by_hand_and_says_so(journal: Journal) -> None:
    entry = prepare(journal)
    journal.settle(entry, EntryEvent.CLOSED_AS_REFUSED, 1)
    assert journal.settle(entry, EntryEvent.CLOSED_AS_CONFIRMED, 2).state is REFUSED, (
        "it is no proof"
    )
    assert journal.settle(entry, EntryEvent.RECEIPT, 2).state is CONFIRMED
    assert [line.what for line in journal.audit_lines()] == ["overruled"]
    assert "9.00 is to be claimed back" in journal.notices[0]


def test_an_acceptance_overrules_the_void_of_an_opening_for_epoch_0(journal: Journal) -> None:
    entry = opening(journal)
    journal.settle(entry, EntryEvent.RECEIPT_OF_VOID_HERE, 1)
    settled = journal.settle(entry, EntryEvent.RECEIPT, 2, epoch=0xE1)
    assert (settled.state, settled.epoch) == (CONFIRMED, 0xE1)


def test_a_proved_sequence_or_key_version_is_not_sealed_again(journal: Journal) -> None:
    journal.proofs.raise_floor(METER, 3)
    with pytest.raises(NotPermittedError, match="passed key version 2"):
        prepare(journal, message=b"\2\2")
    prepare(journal, message=b"\2\3")


@pytest.mark.parametrize("key", ["", "another"])
def test_an_unknown_sale_key_has_no_entry(journal: Journal, key: str) -> None:
    prepare(journal, reference="key")
    assert journal.find_reference(key) is None


def test_a_sale_key_finds_its_newest_entry(journal: Journal) -> None:
    journal.settle(prepare(journal, reference="key"), EntryEvent.RECEIPT_OF_VOID, 1)
    again = prepare(journal, reference="key", message=b"x")
    assert journal.find_reference("key") == again


@pytest.mark.parametrize(("amount", "allowed"), [(100, True), (101, False)])
def test_the_daily_limit_may_be_reached_and_not_passed(
    journal: Journal, amount: int, allowed: bool
) -> None:
    limit = DailyLimit("ring", 1000)
    prepare(journal, limit=limit)
    if allowed:
        journal.limits.hold(limit, OTHER, "", amount, DAY_S - 1)
    else:
        with pytest.raises(OverDailyLimitError, match=r"9\.00 sold today"):
            journal.limits.hold(limit, OTHER, "", amount, DAY_S - 1)
        assert [line.what for line in journal.audit_lines()] == ["over_daily_limit"]
        journal.limits.hold(limit, OTHER, "", amount, DAY_S)


def test_an_open_entry_moves_to_another_card_and_a_settled_one_does_not(journal: Journal) -> None:
    entry = prepare(journal, card="old")
    moved = journal.move_to_card(entry, "new", 3)
    assert journal.entry(entry.id) == moved
    assert [found.card for found in journal.carried()] == ["new"]
    assert journal.carried("old") == []
    journal.settle(entry, EntryEvent.RECEIPT, 4)
    with pytest.raises(NotPermittedError, match="settled it meanwhile"):
        journal.move_to_card(entry, "third", 5)


def test_a_word_of_a_person_proves_nothing(journal: Journal) -> None:
    journal.settle(prepare(journal), EntryEvent.CLOSED_AS_CONFIRMED, 1)
    assert journal.confirmed(METER, EPOCH) == []
    assert journal.newest_confirmed(METER) is None
    assert not journal.is_spent(METER)
    assert len(journal.provable_entries(METER)) == 1


def test_sequence_1_is_spent_by_a_proved_entry_of_a_known_epoch(journal: Journal) -> None:
    journal.settle(prepare(journal, kind="void", amount=0), EntryEvent.RECEIPT, 1)
    assert journal.is_spent(METER)
    assert not journal.is_spent(OTHER)


def test_the_card_in_use_is_the_last_replacement_or_a_later_opening(journal: Journal) -> None:
    assert journal.card_in_use(METER) == ""
    journal.audit("card_replaced", 5, meter=METER, card="second")
    assert journal.card_in_use(METER) == "second"
    prepare(journal, kind="open", card="third", now=6)
    assert journal.card_in_use(METER) == "third"


def test_a_renewed_journal_has_a_new_number_and_knows_its_old_marks(journal: Journal) -> None:
    origin = journal.numbers.draw_origin()
    assert origin.journal == journal.numbers.current != 0
    prepare(journal, origin=origin)
    assert journal.numbers.renew(9) == journal.numbers.current != origin.journal
    assert journal.knows_mark(METER, origin.journal, origin.mark, 1)
    assert not journal.knows_mark(METER, journal.numbers.current, origin.mark, 1)
    assert not journal.knows_mark(METER, origin.journal, origin.mark, 2)


def test_a_number_that_is_drawn_as_zero_is_drawn_again() -> None:
    draws = iter([bytes(4), b"\0\0\0\7", bytes(4), b"\0\0\0\x08"])
    with_zeros = Journal(NOWHERE, lambda _: next(draws))
    assert with_zeros.numbers.draw_origin() == Origin(7, 8)


def test_a_port_keeps_its_last_meter(journal: Journal) -> None:
    assert journal.ports.meter_of("tty") == ""
    for meter in (METER, OTHER, OTHER):
        journal.ports.keep("tty", meter, 1)
    assert journal.ports.meter_of("tty") == OTHER


def test_the_last_write_back_of_a_card_is_kept(journal: Journal) -> None:
    seen = SeenWriteBack(1, 2, 3, 4)
    journal.write_backs.keep(METER, EPOCH, "card", seen, 0)
    assert journal.write_backs.last(METER, EPOCH, "card") == seen
    assert journal.write_backs.last(METER, EPOCH, "other") is None


def test_a_transaction_is_all_or_nothing(journal: Journal) -> None:
    def fail() -> None:
        with journal.together():
            journal.audit("one", 0)
            with journal.together():
                journal.audit("two", 0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert journal.audit_lines() == []


def test_an_entry_that_is_not_there_is_a_usage_error(journal: Journal) -> None:
    with pytest.raises(UsageError, match="no entry 7"):
        journal.entry(7)


def test_a_rehearsal_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    journal = Journal(path)
    prepare(journal)
    copy = Journal(path, rehearsal=True)
    copy.settle(copy.entry(1), EntryEvent.RECEIPT, 1)
    assert journal.entry(1).is_open
    journal.close()
    absent = Journal(tmp_path / "absent.sqlite", rehearsal=True)
    assert absent.entries() == []
    assert not (tmp_path / "absent.sqlite").exists()


def test_the_file_of_a_journal_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "j.sqlite"
    Journal(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_no_database_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(UsageError, match="nothing was sent"):
        Journal(path)


def test_the_default_path_is_that_of_the_state_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_path() == Path("/state/meterctl/journal.sqlite")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/me")
    assert default_path() == Path("/me/.local/state/meterctl/journal.sqlite")


class HeldLocks:
    """Locks of another process in place of those of the system: meters until their instants."""

    def __init__(self, until_ms: dict[str, int]) -> None:
        self.until_ms, self.now_ms = until_ms, 0

    def lockf(self, _: int, command: int, __: int, place: int) -> None:
        if command != fcntl.LOCK_UN and self.now_ms < self.until_ms.get(f"{place:012d}", 0):
            raise BlockingIOError

    def pause(self, ms: int) -> None:
        self.now_ms += ms

    def ticks(self) -> int:
        return self.now_ms


@pytest.mark.parametrize(("held_ms", "waited_ms"), [(0, 0), (1, WAIT_STEP_MS), (WAIT_MS, WAIT_MS)])
def test_a_meter_that_another_process_works_on_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_ms: int, waited_ms: int
) -> None:
    held = HeldLocks({METER: held_ms})
    monkeypatch.setattr(fcntl, "lockf", held.lockf)
    journal = Journal(tmp_path / "j.sqlite")
    with journal.locks.alone_with(METER, held.ticks, held.pause):
        assert held.now_ms == waited_ms
    journal.close()


def test_after_the_longest_wait_a_meter_is_busy_and_another_one_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldLocks({METER: 2 * WAIT_MS})
    monkeypatch.setattr(fcntl, "lockf", held.lockf)
    journal = Journal(tmp_path / "j.sqlite")
    with (
        pytest.raises(BusyError, match="nothing was begun"),
        journal.locks.alone_with(METER, held.ticks, held.pause),
    ):
        pass
    with journal.locks.alone_with(OTHER, held.ticks, held.pause):
        assert held.now_ms == WAIT_MS + WAIT_STEP_MS
    journal.close()
