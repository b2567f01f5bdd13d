"""What no wire, seller or clerk can bend: the attacks of METER.md 7 to 9, each with its whole
sequence.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.assembly import MeterDescription, build
from firmware_sim.hal.nvram import Nvram, SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from meterctl.drivers import Delivery
from meterctl.errors import (
    CorruptAnswerError,
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
)
from meterctl.journal import Entry, EntryState, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.command import execute_command, plan_command
from meterctl.operations.credit import (
    advance_key_version,
    close_by_hand,
    execute,
    plan,
    resolve,
    withdraw_cards,
)
from meterctl.operations.sealing import credit_message, enter
from meterctl.operations.status import ask_status
from meterctl.session import Session
from protocols.data_model.words import Status
from protocols.keys import derive_meter_keys
from protocols.quantities import CENT, HOUR, SECOND
from protocols.sealed_message import (
    Answer,
    MessageKind,
    Outcome,
    Receipt,
    SealedMessage,
    SwitchAction,
    code_of,
    encode_number,
)
from protocols.sealed_status import SealedStatus, StatusQuestion
from tests.support.meters import Host
from tests.support.setup import Setup
from tests.support.wire import connect

METER, OTHER = "000000000042", "000000000043"
MASTERS = {1: bytes(range(16)), 2: bytes(range(16, 32))}
RING = KeyRing(MASTERS, Path("keys.json"))


def keys_of(serial: str = METER) -> dict[int, Any]:
    return {
        version: derive_meter_keys(master, serial, version) for version, master in MASTERS.items()
    }


def make(nvram: Nvram | None = None, serial: str = METER, **fields: Any) -> Meter:
    known: dict[str, Any] = {"credit": 0, "epoch": 0xE0, **fields}
    return build(MeterDescription(serial_number=serial, keys=keys_of(serial), **known), nvram)


def session_of(meter: Meter, ring: KeyRing = RING, **fields: Any) -> Session:
    return replace(connect(meter, ring=ring)[0], **fields)


@pytest.fixture
def journals(tmp_path: Path) -> Iterator[Callable[[str], Journal]]:
    opened: list[Journal] = []

    def open_(name: str) -> Journal:
        opened.append(Journal(tmp_path / f"{name}.sqlite"))
        return opened[-1]

    yield open_
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(journals: Callable[[str], Journal]) -> Journal:
    return journals("own")


def top_up(session: Session, journal: Journal, cents: int = 5000) -> Entry:
    return execute(session, journal, plan(session, journal, MessageKind.CREDIT, cents)).entry


def credit(meter: Meter) -> int:
    return meter.state.account.credit // CENT


def sold(*journals: Journal) -> int:
    entries = [entry for journal in journals for entry in journal.entries()]
    return sum(e.amount for e in entries if e.state is EntryState.CONFIRMED and e.kind == "credit")


def prepared(session: Session, journal: Journal, cents: int = 5000, **proved: int) -> Entry:
    """Seal and journal a top-up without sending it; `proved` overrides what the status says."""
    meter = replace(ask_status(session, journal, session.identify()).require_ours(), **proved)
    return enter(
        journal, session.ring, credit_message(journal, meter, MessageKind.CREDIT, cents, 0), 0
    )


# ---- several sellers


def test_two_sellers_in_one_second_never_seal_the_same_bytes(
    journals: Callable[[str], Journal],
) -> None:
    """A1: both stand at the same status, in the same second, with the same amount."""
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
    """A1, whatever the verb: another seller slips in between status and delivery, again and
    again.
    """
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
    assert copy.number == own.number
    ours, theirs = prepared(session, own, 700), prepared(session, copy, 700)
    assert ours.message != theirs.message, "the marks are drawn, not counted"
    assert [r.error for r in resolve(session, own)] == [None]
    (lost,) = resolve(session, copy)
    assert lost.entry.state is EntryState.REFUSED, "it still settles what it has"
    with pytest.raises(NotPermittedError, match=r"a copy or was restored.*journal renew"):
        top_up(session, copy)
    with pytest.raises(NotPermittedError, match="a copy or was restored"):
        execute_command(session, copy, plan_command(session, copy, MessageKind.CLEAR_TAMPER))
    number = copy.number
    assert copy.renew(0) != number
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
    restored.renew(0)
    assert top_up(session, restored, 1).sequence == 3
    assert credit(meter) == 5301


def test_an_entry_keeps_the_number_under_which_it_was_sealed(journal: Journal) -> None:
    """`journal renew` while an entry is open: (c) asks about the old number."""
    meter = make()
    session = session_of(meter)
    entry = prepared(session, journal)
    Host(meter).deliver(entry.message)
    number = journal.number
    journal.renew(0)
    session.driver.receipt = lambda *_: b""  # type: ignore[method-assign]
    (resolved,) = resolve(session, journal)
    assert (resolved.entry.state, resolved.entry.receipt) == (EntryState.CONFIRMED, b"")
    assert resolved.entry.origin.journal == number != journal.number


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
    """A13: nobody is accused of a sale that another process of the same journal has just made."""
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


# ---- wires that lie


class Lies:
    """A driver around the meter's own: what it does not know it passes on."""

    def __init__(self, inner: Any, **replaced: Callable[..., Any]) -> None:
        self._inner, self._replaced = inner, replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced.get(name) or getattr(self._inner, name)


def lying(session: Session, **replaced: Callable[..., Any]) -> Session:
    return replace(session, driver=Lies(session.driver, **replaced))  # type: ignore[arg-type]


def shows(session: Session, **fields: Any) -> Callable[[Any], Any]:
    """Return a `read` that shows other values of some items."""

    def read(items: Any) -> Any:
        values = dict(session.driver.read(items))
        return {item: fields.get(item.name, value) for item, value in values.items()}

    return read


def seals_as(meter_keys: Any, **changed: Any) -> Callable[[bytes], Delivery]:
    """Return a `deliver` that forwards nothing and forges an acceptance under some keys."""

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


@pytest.mark.parametrize("sequence", [5, 100, 2**31, 2**32 - 2])
def test_a_lied_credit_sequence_seals_nothing_and_wedges_nothing(
    journal: Journal, sequence: int
) -> None:
    """A3: the registers say anything; the status says what is so."""
    meter = make()
    session = session_of(meter)
    liar = lying(session, read=shows(session, credit_sequence=sequence))
    assert top_up(liar, journal).sequence == 1
    assert credit(meter) == 5000
    assert top_up(session, journal).sequence == 2


def test_a_lied_command_sequence_ends_no_class(journal: Journal) -> None:
    """A10."""
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
    """A11: a switch command that was held back is EXPIRED 300 s of the meter's elapsed time
    later.
    """
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


def _command(
    session: Session, journal: Journal, kind: MessageKind, parameters: bytes, **how: Any
) -> Any:
    return execute_command(
        session, journal, plan_command(session, journal, kind, parameters, **how)
    )


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [(MessageKind.GUARANTEE, b"\1"), (MessageKind.LIMITS, bytes.fromhex("0100000000174876e800"))],
)
def test_what_was_held_after_a_forged_refusal_expires(
    journal: Journal, kind: MessageKind, parameters: bytes
) -> None:
    """Held limits and a held guarantee: a wire answers "refused" and keeps the bytes for later."""
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
        _command(lying(session, deliver=refuse), journal, kind, parameters)
    assert (error.value.exit_code, error.value.outcome) == (3, "out_of_range")
    meter.advance(300 * SECOND - 1)
    other = make()
    other.advance(300 * SECOND - 1)
    assert Host(other).deliver(held[0]).outcome is Outcome.ACCEPTED, (
        "until then the bytes live, and 3 said so"
    )
    meter.advance(300 * SECOND)
    assert Host(meter).deliver(held[0]).outcome is Outcome.EXPIRED


def test_a_command_that_lost_its_number_is_not_sealed_anew(journal: Journal) -> None:
    meter = make()
    session = session_of(meter)
    inner = session.driver.deliver

    def late(sealed: bytes) -> Delivery:
        Host(meter, keys_of()[1]).send(MessageKind.CLEAR_EVENTS)
        return inner(sealed)

    with pytest.raises(RefusedError) as error:
        _command(lying(session, deliver=late), journal, MessageKind.CLEAR_TAMPER, b"")
    assert (error.value.exit_code, error.value.outcome) == (3, "sequence_conflict")
    assert meter.state.security.command_sequence == 1


def test_a_forged_receipt_under_a_retired_key_proves_nothing(journal: Journal) -> None:
    """A2a: whoever has the old keys sits on the wire; the meter has moved on, and this journal has
    seen that.
    """
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
    """Before any proof has named version 2: the message itself is sealed under it, so its receipt
    must be too.
    """
    meter = make()
    session = session_of(meter)
    forger = lying(session, deliver=seals_as(keys_of()[1]), receipt=lambda *_: b"")
    with pytest.raises((UnknownOutcomeError, NotPermittedError)):
        advance_key_version(forger, journal, session.identify())
    (entry,) = journal.entries()
    assert (entry.key_version, entry.is_open) == (2, True)
    assert meter.state.security.key_version == 1


def test_a_lied_key_version_seals_nothing_below_the_floor(journal: Journal) -> None:
    """A2b: registers show version 1, and a forger answers the status under it: it is not even asked
    for.
    """
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
    """The floor is of the serial number: a storage that nobody has seen does not lower it."""
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


def test_a_status_of_another_question_is_none(journal: Journal) -> None:
    """A replayed status is old news: nonce, journal and version are the question's."""
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
    """A wire that asks about a journal of its choice: its row would say that ours has none."""
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

    def spoilt(question: StatusQuestion) -> bytes:
        data = bytearray(session.driver.status(question))
        data[at] ^= 1
        return bytes(data)

    with pytest.raises(CorruptAnswerError) as error:
        top_up(lying(session, status=spoilt), journal)
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


# ---- one wire that leads to another meter


def test_a_wire_that_leads_to_another_meter_takes_no_top_up(journal: Journal) -> None:
    """A14: the port's last meter is the payee, unless a person or --meter says otherwise."""
    mine, stranger = make(), make(serial=OTHER)
    port = "tcp://127.0.0.1:15999 modbus unit 1"
    assert top_up(session_of(mine, port=port), journal).state is EntryState.CONFIRMED, (
        "a first contact is believed"
    )
    elsewhere = session_of(stranger, port=port)
    with pytest.raises(
        NotPermittedError, match=r"last time it was meter 000000000042.*--meter 000000000043"
    ) as error:
        top_up(elsewhere, journal)
    assert error.value.exit_code == 6
    with pytest.raises(NotPermittedError, match="--meter names 000000000042"):
        top_up(replace(elsewhere, payee=METER), journal)
    with pytest.raises(NotPermittedError):
        _command(elsewhere, journal, MessageKind.CLEAR_TAMPER, b"")
    assert credit(stranger) == 0
    asked: list[str] = []

    def yes(question: str) -> bool:
        asked.append(question)
        return True

    assert top_up(replace(elsewhere, ask=yes), journal).meter == OTHER
    assert len(asked) == 1
    assert top_up(elsewhere, journal, 1).meter == OTHER, "a yes makes it the port's last"
    assert top_up(session_of(mine, port=port, payee=METER), journal, 1).meter == METER
    assert journal.meter_of_port(port) == METER


def test_a_meter_that_shows_another_serial_number_than_it_proves_is_refused(
    journal: Journal,
) -> None:
    stranger = make(serial=OTHER)
    session = session_of(stranger)
    liar = lying(session, read=shows(session, serial_number=METER))
    with pytest.raises(NotPermittedError, match="meter 000000000043 is proved on this port"):
        top_up(replace(liar, payee=METER), journal)
    assert credit(stranger) == 0
    assert journal.entries() == []


# ---- storages that go back


def burning(nvram: Nvram | None) -> Meter:
    return make(nvram, load=Load.constant((1_000_000,)))


def test_a_storage_set_back_and_fed_the_same_bytes_is_named(journal: Journal) -> None:
    """A7: 50.00, an hour of energy, the old state file, the same bytes again."""
    device = SimulatedNvram()
    meter = burning(device)
    before = bytes(device.data)
    session = session_of(meter)
    entry = top_up(session, journal)
    meter.advance(5 * HOUR)
    meter.save()
    back = burning(SimulatedNvram(before))
    back.advance(1)
    assert Host(back).deliver(entry.message).outcome is Outcome.ACCEPTED
    with pytest.raises(
        NotPermittedError,
        match=r"accepted at another instant: its storage was set back, or .* clone",
    ):
        top_up(session_of(back), journal, 100)
    assert [line.what for line in journal.audit_lines()] == ["set_back"]
    served = session_of(back, set_back=True)
    assert top_up(served, journal, 100).sequence == 2
    assert top_up(session_of(back), journal, 100).sequence == 3, "what was proved began anew"
    assert [line.what for line in journal.audit_lines()] == ["set_back", "set_back_served"]


@pytest.mark.parametrize("what", ["energy", "elapsed_ms"])
def test_totals_that_went_back_are_named_at_the_same_sequence(journal: Journal, what: str) -> None:
    device = SimulatedNvram()
    meter = burning(device) if what == "energy" else make(device)
    session = session_of(meter)
    top_up(session, journal)
    before = bytes(device.data)
    meter.advance(5 * HOUR)
    meter.save()
    _command(session, journal, MessageKind.CLEAR_TAMPER, b"")
    again = burning(SimulatedNvram(before)) if what == "energy" else make(SimulatedNvram(before))
    with pytest.raises(NotPermittedError, match="went back from"):
        top_up(session_of(again), journal)


def test_a_set_back_meter_takes_its_sequences_again_only_knowingly(journal: Journal) -> None:
    device = SimulatedNvram()
    meter = make(device)
    before = bytes(device.data)
    session = session_of(meter)
    first = top_up(session, journal)
    back = make(SimulatedNvram(before))
    with pytest.raises(NotPermittedError, match="credit sequence went back from 1 to 0"):
        top_up(session_of(back), journal)
    again = top_up(session_of(back, set_back=True), journal, 700)
    assert (again.sequence, again.id) == (first.sequence, first.id + 1)
    assert credit(back) == 700


def test_a_kill_after_a_status_is_no_accusation(journal: Journal) -> None:
    """What a status proves is what no kill takes back: SIGKILL, restart, and the sale goes on."""
    device = SimulatedNvram()
    meter = burning(device)
    session = session_of(meter)
    top_up(session, journal)
    meter.advance(HOUR // 8)
    status = ask_status(session, journal, session.identify()).status
    assert (status.elapsed_ms, status.committed_elapsed) == (HOUR // 8, 0)
    again = burning(device.power_cycle(lambda _: False))
    assert again.state.elapsed_ms == 0
    assert top_up(session_of(again), journal, 100).state is EntryState.CONFIRMED
    assert journal.audit_lines() == []


def test_the_former_storage_on_an_old_card_image_proves_no_opening_dead(tmp_path: Path) -> None:
    """A17: a genuine receipt and a genuine write-back of the storage before the present one."""
    setup = Setup(tmp_path, SimulatedNvram())
    session = setup.session()
    execute(
        session,
        setup.journal,
        plan(session, setup.journal, MessageKind.OPEN, 500, "000000001001"),
    )
    old_receipt = session.driver.receipt(MessageKind.OPEN.message_class, 1)
    old_status = session.driver.status(StatusQuestion(bytes(8), setup.journal.number, 1))
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1)
    shop = Journal(tmp_path / "shop.sqlite")
    setup.journal = shop
    card = setup.formatted()
    setup.open(card, 3000)
    now = setup.session()
    (left,) = resolve(lying(now, receipt=lambda *_: old_receipt), shop)
    assert left.entry.state is EntryState.ON_CARD, "(b) is not for an opening of epoch 0"
    assert (
        resolve(lying(now, status=lambda _: old_status), shop)[0].entry.state is EntryState.ON_CARD
    )
    liar = lying(now, receipt=lambda *_: old_receipt, read=shows(now, epoch=0xE0))
    (withdrawn,) = withdraw_cards(liar, shop, erased_only=False).entries
    assert (withdrawn.state, withdrawn.outcome) == (EntryState.REFUSED, "voided"), (
        "its own void is the proof"
    )
    assert setup.meter.state.security.credit_sequence == 1
    assert any("another storage" in notice for notice in shop.notices)


def test_a_void_in_one_storage_gives_way_to_an_acceptance_in_another(tmp_path: Path) -> None:
    setup = Setup(tmp_path, SimulatedNvram())
    card = setup.formatted()
    setup.open(card)
    withdraw_cards(setup.session(), setup.journal, erased_only=False)
    assert setup.journal.entry(1).state is EntryState.REFUSED
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1)
    setup.insert(card)
    with setup.presented(card) as presented:
        card_files = presented.read()
        assert card_files.back is not None
        (settled,) = presented.settle(setup.journal, card_files.back)
    assert (settled.state, settled.epoch) == (EntryState.CONFIRMED, 0xE1)
    assert [line.what for line in setup.journal.audit_lines()][-1] == "overruled"
    assert any(
        "30.00 is to be claimed back from the customer" in notice
        for notice in setup.journal.notices
    )


def test_a_live_card_is_called_dead_by_no_lied_epoch(tmp_path: Path) -> None:
    """A15: a person's word is a person's word, and is overruled by a later proof, with what is to
    be claimed back.
    """
    setup = Setup(tmp_path)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.sell(card, 2000)
    session = setup.session()
    (left,) = resolve(lying(session, read=shows(session, epoch=0xDEADBEEF)), setup.journal, 2)
    assert left.entry.state is EntryState.ON_CARD
    close_by_hand(setup.journal, setup.journal.entry(2), EntryState.REFUSED, setup.now)
    setup.insert(card)
    with setup.presented(card) as presented:
        card_files = presented.read()
        assert card_files.back is not None
        presented.settle(setup.journal, card_files.back)
    assert setup.journal.entry(2).state is EntryState.CONFIRMED
    audited = [
        line for line in setup.journal.audit_lines() if line.what in ("closed_by_hand", "overruled")
    ]
    assert [line.what for line in audited] == ["closed_by_hand", "overruled"]
    assert "until the meter has reached sequence 2" in audited[0].detail
    assert "20.00 is to be claimed back" in audited[1].detail


# ---- open entries


def test_nothing_raises_the_key_version_above_an_open_entry(journal: Journal) -> None:
    meter = make()
    session = session_of(meter)
    prepared(session, journal)
    with pytest.raises(NotPermittedError, match="still prepared") as error:
        advance_key_version(session, journal, session.identify())
    assert error.value.exit_code == 6
    retired = session_of(meter, replace(RING, retired=frozenset({1})))
    with pytest.raises(NotPermittedError, match="would make journal entry 1"):
        _command(retired, journal, MessageKind.CLEAR_TAMPER, b"")
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
    """(d): the meter is under version 2 and has not reached the entry's sequence."""
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
