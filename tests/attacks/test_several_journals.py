"""Several vending points, copied and restored journals: each sale is one in the meter."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meterctl.drivers import Delivery
from meterctl.errors import (
    BusyError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import EntryState, Journal
from meterctl.journal.locks import MeterLocks
from meterctl.operations.command import execute_command, plan_command
from meterctl.operations.credit import Sale, execute, plan, sale_begun_before
from meterctl.operations.resolution import close_by_hand, resolve
from meterctl.operations.status import ask_status
from meterctl.operations.withdrawal import withdraw_cards
from protocols.quantities import CENT
from protocols.sealed_message import MessageKind, Outcome, Receipt
from tests.attacks.wires import METER, OTHER, credit, make, prepared, session_of, top_up
from tests.support.meters import Host


def sold(*journals: Journal) -> int:
    entries = [entry for journal in journals for entry in journal.entries()]
    return sum(e.amount for e in entries if e.state is EntryState.CONFIRMED and e.kind == "credit")


def test_two_sellers_in_one_second_never_seal_the_same_bytes(
    journals: Callable[[str], Journal],
) -> None:
    """Both read the same status, in the same second, and sell the same amount."""
    meter = make()
    one, two = journals("one"), journals("two")
    first, second = session_of(meter), session_of(meter)
    entries = [prepared(first, one), prepared(second, two)]
    assert entries[0].sequence == entries[1].sequence
    assert entries[0].message != entries[1].message
    assert Host(meter).deliver(entries[0].message).outcome is Outcome.ACCEPTED
    assert [r.error for r in resolve(first, one)] == [None]
    (lost,) = resolve(second, two)
    assert (lost.entry.state, lost.entry.outcome) == (EntryState.REFUSED, "sequence_conflict")
    assert sold(one, two) == credit(meter) == 5000


@pytest.mark.parametrize("kind", [MessageKind.CREDIT, MessageKind.REFUND, MessageKind.DEBT])
def test_what_sellers_were_told_sums_to_what_the_meter_has(
    journals: Callable[[str], Journal], kind: MessageKind
) -> None:
    """Another seller sells between status and delivery, again and again, with any kind."""
    meter = make(credit=100_000_000_000_000)
    one, two = journals("one"), journals("two")
    first, second = session_of(meter), session_of(meter)
    inner, turn = first.driver.deliver, iter(range(100))

    def deliver(sealed: bytes) -> Delivery:
        if next(turn) % 2 == 0:
            execute(second, two, plan(second, two, kind, 1000))
        return inner(sealed)

    first.driver.deliver = deliver  # type: ignore[method-assign]
    for _ in range(5):
        execute(first, one, plan(first, one, kind, 1000))
    entries = [e for j in (one, two) for e in j.entries() if e.state is EntryState.CONFIRMED]
    account = meter.state.account
    moved = {
        MessageKind.CREDIT: account.credited,
        MessageKind.REFUND: account.refunded,
        MessageKind.DEBT: account.debt_entered,
    }[kind]
    assert moved == sum(e.amount for e in entries) * CENT == 10 * 1000 * CENT
    assert not [e for j in (one, two) for e in j.entries() if e.is_open]


def test_only_one_of_two_sellers_closes_an_account(journals: Callable[[str], Journal]) -> None:
    meter = make(credit=37 * 10_000_000_000)
    one, two = journals("one"), journals("two")
    first, second = session_of(meter), session_of(meter)
    inner = first.driver.deliver

    def deliver(sealed: bytes) -> Delivery:
        if not two.entries():
            execute(second, two, plan(second, two, MessageKind.CLOSE, 0))
        return inner(sealed)

    first.driver.deliver = deliver  # type: ignore[method-assign]
    with pytest.raises(RefusedError, match="its account is closed") as error:
        execute(first, one, plan(first, one, MessageKind.CLOSE, 0))
    assert error.value.exit_code == 3
    settled = [
        Receipt.decode(e.receipt).settlement for j in (one, two) for e in j.entries() if e.receipt
    ]
    assert sum(settled) == 37 * 10_000_000_000


def test_a_copied_journal_settles_and_seals_nothing_until_it_is_renewed(
    journals: Callable[[str], Journal], tmp_path: Path
) -> None:
    meter = make()
    session = session_of(meter)
    own = journals("own")
    top_up(session, own)
    shutil.copy(tmp_path / "own.sqlite", tmp_path / "copy.sqlite")
    copy = journals("copy")
    assert copy.numbers.current == own.numbers.current
    ours, theirs = prepared(session, own, 700), prepared(session, copy, 700)
    assert ours.message != theirs.message, "the marks are drawn, not counted"
    assert [r.error for r in resolve(session, own)] == [None]
    (lost,) = resolve(session, copy)
    assert lost.entry.state is EntryState.REFUSED, "it still settles what it has"
    with pytest.raises(NotPermittedError, match=r"a copy or was restored.*journal renew"):
        top_up(session, copy)
    with pytest.raises(NotPermittedError, match="a copy or was restored"):
        execute_command(session, copy, plan_command(session, copy, MessageKind.CLEAR_TAMPER))
    number = copy.numbers.current
    assert copy.numbers.renew(0) != number
    assert top_up(session, copy, 100).state is EntryState.CONFIRMED
    assert top_up(session, own, 100).state is EntryState.CONFIRMED
    assert credit(meter) == 5000 + 700 + 100 + 100


def test_a_restored_journal_seals_nothing_until_it_is_renewed(
    journals: Callable[[str], Journal], tmp_path: Path
) -> None:
    meter = make()
    session = session_of(meter)
    own = journals("own")
    top_up(session, own)
    own.close()
    shutil.copy(tmp_path / "own.sqlite", tmp_path / "backup.sqlite")
    later = journals("own")
    top_up(session, later, 300)
    later.close()
    shutil.copy(tmp_path / "backup.sqlite", tmp_path / "own.sqlite")
    restored = journals("own")
    with pytest.raises(NotPermittedError, match="a copy or was restored"):
        top_up(session, restored)
    restored.numbers.renew(0)
    assert top_up(session, restored, 1).sequence == 3
    assert credit(meter) == 5301


def test_an_entry_keeps_the_number_under_which_it_was_sealed(journal: Journal) -> None:
    """`journal renew` while an entry is open: proof (c) queries the old number."""
    meter = make()
    session = session_of(meter)
    entry = prepared(session, journal)
    Host(meter).deliver(entry.message)
    number = journal.numbers.current
    journal.numbers.renew(0)
    session.driver.receipt = lambda *_: b""  # type: ignore[method-assign]
    (resolved,) = resolve(session, journal)
    assert (resolved.entry.state, resolved.entry.receipt) == (EntryState.CONFIRMED, b"")
    assert resolved.entry.origin.journal == number != journal.numbers.current


def test_an_entry_of_an_old_number_is_voided_under_the_new_one(journal: Journal) -> None:
    """The journal was copied and renewed while a sale was open.

    The void is sealed under the present number.
    """
    meter = make()
    session = session_of(meter)
    entry = prepared(session, journal)
    journal.numbers.renew(0)
    journal.move_to_card(entry, "00" * 8, 0)
    (ended,) = withdraw_cards(session, journal, erased_only=False).entries
    assert (ended.state, ended.outcome) == (EntryState.REFUSED, "voided")
    void = journal.entries()[-1]
    assert (void.kind, void.state, void.origin.journal) == (
        "void",
        EntryState.CONFIRMED,
        journal.numbers.current,
    )


def test_a_seventeenth_journal_leaves_the_first_one_without_a_row(
    journals: Callable[[str], Journal],
) -> None:
    meter = make()
    session = session_of(meter)
    own = journals("own")
    entry = prepared(session, own)
    for index in range(18):
        top_up(session, journals(f"other{index}"), 100)
    status = ask_status(session, own, session.identify()).status
    assert (status.of_journal.sequence, status.forgotten) == (0, 2)
    (resolved,) = resolve(session, own)
    assert isinstance(resolved.error, UnknownOutcomeError), (
        "sequence 1 may have been ours: its row would be forgotten"
    )
    assert resolved.entry.is_open
    closed = close_by_hand(own, resolved.entry, EntryState.REFUSED, 0)
    assert closed.outcome == "by_hand"
    assert Host(meter).deliver(entry.message).outcome is Outcome.SEQUENCE_OLD


def test_two_processes_on_one_journal_wait_for_each_other(
    journals: Callable[[str], Journal], tmp_path: Path
) -> None:
    """The lock of another process is waited for; it is no refusal of a sale that process made."""
    import subprocess
    import sys

    meter = make()
    session = session_of(meter)
    own = journals("own")
    holder = (
        "import fcntl, sys\n"
        f"file = open({str(tmp_path / 'own.sqlite.lock')!r}, 'w')\n"
        f"fcntl.lockf(file, fcntl.LOCK_EX, 1, {int(METER)})\n"
        "print('held', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    waited: list[int] = []

    def pause(milliseconds: int) -> None:
        waited.append(milliseconds)
        if len(waited) == 3:
            other.communicate("\n")

    assert top_up(replace(session, pause=pause), own).state is EntryState.CONFIRMED
    assert len(waited) >= 3
    other = subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    clock = iter(range(0, 100_000, 1_000))
    with pytest.raises(NotPermittedError, match=r"another process is at work.*nothing was begun"):
        top_up(replace(session, ticks=lambda: next(clock)), own)
    other.communicate("\n")
    assert [e.state for e in own.entries()] == [EntryState.CONFIRMED]


def test_a_key_that_another_process_sells_under_is_7_and_not_refused(
    journal: Journal, tmp_path: Path
) -> None:
    session = session_of(make())
    entry = prepared(session, journal)
    journal._db.execute("UPDATE entries SET reference = 'K' WHERE id = ?", entry.id)
    wanted = Sale(MessageKind.CREDIT, 5000, None, "K")

    class Held(MeterLocks):
        def alone_with(self, *_: Any, **__: Any) -> Any:
            raise BusyError("another process is at work")

    held = Journal(tmp_path / "own.sqlite")
    held.locks = Held(held.path)
    with pytest.raises(UnknownOutcomeError, match="may have been applied"):
        sale_begun_before(session, held, session.identify(), wanted)
    with pytest.raises(BusyError):
        sale_begun_before(session, held, session.identify(), replace(wanted, reference="other"))
    held.close()


def test_a_key_of_another_meter_is_2_whatever_answers(journal: Journal) -> None:
    session = session_of(make())
    execute(session, journal, plan(session, journal, MessageKind.CREDIT, 5000, reference="K"))
    named = replace(session, payee=OTHER)
    with pytest.raises(
        UsageError, match=r"the journal has it as credit of 50\.00 for meter 000000000042"
    ):
        sale_begun_before(
            named, journal, session.identify(), Sale(MessageKind.CREDIT, 5000, None, "K")
        )
