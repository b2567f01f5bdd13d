"""The sealed status: no effect, no commit, its contents, and committed values that never fall."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from firmware_sim.assembly import build, build_lost
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.records.ring import EVENT_RING
from firmware_sim.requests import AskReceipt, AskStatus, LoseClock, Reply, StepClock
from firmware_sim.security.replay import JOURNALS_KEPT
from firmware_sim.settings import Settings
from firmware_sim.storage import record
from protocols.control import CutPower, ReturnPower
from protocols.data_model.words import AccountState, Carrier
from protocols.errors import AuthenticationError
from protocols.keys import MessageClass, MeterKeys, derive_meter_keys
from protocols.quantities import DAY, HOUR, LEDGER, SECOND
from protocols.sealed_message import MessageKind, Origin, Outcome, Receipt, verify
from protocols.sealed_status import LastOfJournal, SealedStatus, StatusQuestion
from tests.support.meters import Host, make

CREDIT = MessageKind.CREDIT
MASTER = bytes(range(16))
SERIAL = "000000000001"
NONCE = bytes.fromhex("0011223344556677")
LOAD = Load.constant((2_000_000,))
PERIOD = HOUR // 4


def reply_to(
    meter: Meter, journal: int = 7, version: int = 0, nonce: bytes = NONCE
) -> Reply | None:
    """Ask for the status; return the meter's reply."""
    return meter.handle(AskStatus(StatusQuestion(nonce, journal, version)))


def ask(
    meter: Meter, journal: int = 7, keys: MeterKeys | None = None, nonce: bytes = NONCE
) -> SealedStatus:
    """Return the meter's status after verification of its code."""
    held = keys or Host(meter).keys
    reply = reply_to(meter, journal, held.version, nonce)
    assert reply is not None
    assert reply == Reply(status=reply.status)
    verify(reply.status, held.credit)
    return SealedStatus.decode(reply.status)


def keys_of_versions(*versions: int) -> dict[int, MeterKeys]:
    """Return the meter's keys of the given versions."""
    return {version: derive_meter_keys(MASTER, SERIAL, version) for version in versions}


def sell(
    meter: Meter, journal: int, amount: int = 100, kind: MessageKind = CREDIT, **fields: object
) -> bytes:
    """Deliver a credit-class message of a journal, assert its acceptance, and return its bytes."""
    host = Host(meter)
    origin = Origin(journal, (journal * 1000 + meter.state.security.credit_sequence) % 2**32)
    sealed = host.seal(kind, amount=amount, origin=origin, **fields)
    assert host.deliver(sealed).outcome is Outcome.ACCEPTED
    return sealed


# ---- without effect


def test_a_question_has_no_effect_and_makes_no_commit() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram, load=LOAD)
    sell(meter, 7)
    meter.advance(PERIOD + 1)
    revision, state = meter.revision, record.encode(meter.state)
    stored = (bytes(nvram.data), nvram.written, nvram.flushes)
    for version in (0, 1):
        for journal in (0, 7, 8):
            assert reply_to(meter, journal, version) is not None
    assert (meter.revision, record.encode(meter.state)) == (revision, state)
    assert (bytes(nvram.data), nvram.written, nvram.flushes) == stored


def test_a_question_is_answered_where_nothing_can_be_stored() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram)
    nvram.full = True
    assert ask(meter).credit == 20 * LEDGER


@pytest.mark.parametrize("strict", [0, 1])
@pytest.mark.parametrize("carrier", Carrier)
def test_a_suspended_meter_is_asked_as_any_other(strict: int, carrier: Carrier) -> None:
    meter = make(settings=Settings(strict_suspension=strict))
    host = Host(meter)
    right = host.seal(CREDIT, amount=1)
    for _ in range(7):
        host.deliver(right[:-1] + bytes((right[-1] ^ 1,)), carrier)
    assert meter.state.security.suspended(carrier, 0)
    failures = meter.state.security.failures
    assert ask(meter).credit_sequence == 0
    assert meter.state.security.failures == failures, "a question neither counts nor forgives"
    outcome = Outcome.SUSPENDED if strict else Outcome.ACCEPTED
    assert host.deliver(right, carrier).outcome is outcome


def test_without_power_there_is_no_answer() -> None:
    meter = make()
    meter.handle(CutPower())
    assert reply_to(meter) is None
    meter.handle(ReturnPower())
    assert ask(meter).account_state is AccountState.OPEN


def test_a_meter_whose_storage_is_lost_gives_no_status() -> None:
    meter = build_lost(MeterDescription())
    assert reply_to(meter) == Reply(status=b"")
    assert ask(make()).epoch == 1, "only there"


def test_a_meter_that_stopped_says_nothing() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram)
    nvram.flush_fails = True
    with pytest.raises(MeterStoppedError):
        Host(meter).send(CREDIT, amount=1)
    with pytest.raises(MeterStoppedError):
        reply_to(meter)


# ---- key versions


def test_the_current_version_and_the_next_one_have_a_status_and_no_other() -> None:
    keys = keys_of_versions(2, 5, 9)
    meter = build(MeterDescription(keys=keys))
    for version in (0, 1, 3, 9, 255):
        assert reply_to(meter, version=version) == Reply(), version
    for version in (2, 5):
        found = ask(meter, keys=keys[version])
        assert (found.key_version, found.current_version) == (version, 2)
    assert Host(meter, keys[5]).send(CREDIT, amount=1).outcome is Outcome.ACCEPTED
    assert reply_to(meter, version=2) == Reply(), "they only rise"
    for version in (5, 9):
        found = ask(meter, keys=keys[version])
        assert (found.key_version, found.current_version) == (version, 5)


def test_a_status_is_sealed_by_the_credit_key_of_the_version_asked_for() -> None:
    keys = keys_of_versions(1, 2)
    meter = build(MeterDescription(keys=keys))
    for version, other in ((1, 2), (2, 1)):
        reply = reply_to(meter, version=version)
        assert reply is not None
        for wrong in (keys[other].credit, keys[version].command, keys[version].card):
            with pytest.raises(AuthenticationError):
                verify(reply.status, wrong)
        verify(reply.status, keys[version].credit)


# ---- contents


def test_a_status_answers_its_question_and_names_the_meter() -> None:
    meter = make(epoch=0xDEADBEEF, serial_number="000000000042")
    for nonce, journal in ((NONCE, 7), (bytes(8), 0), (b"\xff" * 8, 0xFFFF_FFFF)):
        found = ask(meter, journal, nonce=nonce)
        assert (found.nonce, found.journal) == (nonce, journal)
        assert (found.serial_number, found.epoch) == ("000000000042", 0xDEADBEEF)


def test_a_status_names_the_account_as_it_stands() -> None:
    meter = make(opened=False, account_unit=978)
    found = ask(meter)
    assert (found.account_state, found.customer_number) == (AccountState.UNOPENED, "000000000000")
    assert (found.account_unit, found.credit) == (978, 0)
    sell(meter, 7, 3000, MessageKind.OPEN, customer_number="000000001001")
    found = ask(meter)
    assert (found.account_state, found.customer_number) == (AccountState.OPEN, "000000001001")
    assert (found.account_unit, found.credit) == (978, 30 * LEDGER)
    sell(meter, 7, 0, MessageKind.CLOSE)
    found = ask(meter)
    assert (found.account_state, found.credit) == (AccountState.CLOSED, 0)


def test_a_status_names_both_sequences_and_an_overdraft() -> None:
    meter = make(credit=1, load=LOAD, settings=Settings(overdraft_limit=5 * LEDGER))
    for _ in range(3):
        sell(meter, 7)
    assert (
        Host(meter)
        .send(MessageKind.LIMITS, sequence=9, parameters=b"\1\0" + bytes(8))
        .outcome.applied
    )
    meter.advance(4 * HOUR)
    found = ask(meter)
    assert (found.credit_sequence, found.command_sequence) == (3, 9)
    assert found.credit == meter.state.account.credit < 0, "exact, and signed"


def test_a_status_names_clock_and_elapsed_each_by_itself() -> None:
    meter = make()
    start = MeterDescription().start
    meter.advance(1_234_567)
    assert (ask(meter).clock, ask(meter).elapsed_ms) == (start + 1_234_567, 1_234_567)
    meter.handle(StepClock(-3 * DAY))
    assert (ask(meter).clock, ask(meter).elapsed_ms) == (start + 1_234_567 - 3 * DAY, 1_234_567)
    meter.handle(LoseClock())
    assert ask(meter).clock == meter.clock
    early = make(start=-10 * DAY)
    assert ask(early).clock == early.clock == -10 * DAY, "signed"


def test_last_code_and_instant_are_those_of_the_receipt() -> None:
    meter = make()
    assert (ask(meter).last_code, ask(meter).last_at) == (bytes(4), 0), "none was accepted"
    for number, (kind, amount) in enumerate(
        (
            (CREDIT, 500),
            (MessageKind.REFUND, 100),
            (MessageKind.DEBT, 100),
            (MessageKind.VOID, 0),
            (MessageKind.CLOSE, 0),
            (MessageKind.VOID, 0),
        ),
        1,
    ):
        meter.advance(meter.state.elapsed_ms + 7 * SECOND + number)
        sealed = sell(meter, number % 2 * 7, amount, kind)
        at = meter.clock
        assert Host(meter).send(MessageKind.CLEAR_DEMAND).outcome is Outcome.ACCEPTED
        meter.advance(meter.state.elapsed_ms + SECOND)
        found, reply = ask(meter, 99), meter.handle(AskReceipt(MessageClass.CREDIT, number))
        assert reply is not None
        receipt = Receipt.decode(reply.receipt)
        assert (
            (found.last_code, found.last_at) == (receipt.code, receipt.at) == (sealed[-16:-12], at)
        )


def test_last_code_and_instant_are_those_of_the_receipt_before_1970_too() -> None:
    meter = make(start=-10 * DAY)
    sell(meter, 7)
    reply = meter.handle(AskReceipt(MessageClass.CREDIT, 1))
    assert reply is not None
    assert ask(meter).last_at == Receipt.decode(reply.receipt).at == 0
    assert meter.state.security.last_at == 0


# ---- rows of 16 journals


def row(meter: Meter, journal: int) -> LastOfJournal:
    """Return the row of a journal in the status."""
    return ask(meter, journal).of_journal


def test_a_row_is_mark_sequence_and_code_of_the_last_message_from_that_journal() -> None:
    meter = make()
    assert row(meter, 7) == LastOfJournal(0, 0, bytes(4)), "sequence 0 is none"
    first, second, third = sell(meter, 7), sell(meter, 0xFFFF_FFFF), sell(meter, 7)
    assert row(meter, 7) == LastOfJournal(7002, 3, third[-16:-12])
    assert row(meter, 0xFFFF_FFFF).sequence == 2
    assert row(meter, 0xFFFF_FFFF).code == second[-16:-12] != first[-16:-12]
    assert row(meter, 8) == LastOfJournal()


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        (CREDIT, 1),
        (MessageKind.REFUND, 1),
        (MessageKind.DEBT, 1),
        (MessageKind.CLOSE, 0),
        (MessageKind.VOID, 0),
    ],
)
def test_every_kind_of_the_credit_class_counts_voids_too(kind: MessageKind, amount: int) -> None:
    meter = make()
    sealed = sell(meter, 7, amount, kind)
    assert row(meter, 7) == LastOfJournal(7000, 1, sealed[-16:-12])


def test_an_opening_counts() -> None:
    meter = make(opened=False)
    sealed = sell(meter, 7, 3000, MessageKind.OPEN, epoch=0)
    assert row(meter, 7) == LastOfJournal(7000, 1, sealed[-16:-12])


def test_commands_and_refusals_and_repeats_count_for_nothing() -> None:
    meter = make(settings=Settings(max_credit=50 * LEDGER))
    host = Host(meter)
    first = sell(meter, 7)
    second = sell(meter, 8)
    origin = Origin(7, 1)
    assert (
        host.send(MessageKind.GUARANTEE, parameters=b"\1", origin=origin).outcome
        is Outcome.ACCEPTED
    )
    assert host.send(CREDIT, amount=10_000, origin=origin).outcome is Outcome.EXCEEDS_MAX_CREDIT
    assert host.send(CREDIT, amount=1, sequence=9, origin=origin).outcome is Outcome.SEQUENCE_GAP
    assert host.deliver(first).outcome is Outcome.ALREADY_ACCEPTED
    assert row(meter, 7) == LastOfJournal(7000, 1, first[-16:-12])
    assert [kept.journal for kept in meter.state.security.journals] == [7, 8]
    assert ask(meter).last_code == second[-16:-12]


def test_a_seventeenth_journal_pushes_out_the_one_accepted_longest_ago() -> None:
    meter = make()
    for journal in range(1, JOURNALS_KEPT + 1):
        sell(meter, journal)
    assert JOURNALS_KEPT == 16
    assert [row(meter, journal).sequence for journal in range(1, 17)] == list(range(1, 17))
    sell(meter, 1)  # 17: the row of journal 2 is now the oldest
    sell(meter, 3, kind=MessageKind.VOID, amount=0)  # 18
    assert ask(meter).forgotten == 0, "no row gave way"
    sell(meter, 100)  # 19
    assert row(meter, 2) == LastOfJournal()
    assert ask(meter).forgotten == 2
    sell(meter, 101)  # 20: the row of journal 4 is dropped, since journal 3 was accepted at 18
    assert row(meter, 4) == LastOfJournal()
    assert (row(meter, 3).sequence, row(meter, 1).sequence) == (18, 17)
    assert ask(meter).forgotten == 4, "the highest sequence of a row that gave way"
    sell(meter, 2)  # 21: journal 2 has a row again, and the row of journal 5 is dropped
    assert row(meter, 2).sequence == 21
    assert ask(meter, 12345).forgotten == 5, "whichever journal asks"
    kept = meter.state.security.journals
    assert len(kept) == JOURNALS_KEPT
    assert all(one.sequence > 5 for one in kept)


def test_forgotten_never_falls() -> None:
    meter = make()
    meter.state.security.forgotten = 5000  # the upgrade from an older layout sets such a value
    for journal in range(1, 40):
        sell(meter, journal)
        assert ask(meter).forgotten == 5000


def test_journal_0_keeps_no_row_and_raises_no_forgotten() -> None:
    meter = make()
    for journal in range(1, 17):
        sell(meter, journal)
    for _ in range(20):
        sell(meter, 0)
    assert row(meter, 0) == LastOfJournal()
    found = ask(meter, 1)
    assert (found.credit_sequence, found.of_journal.sequence, found.forgotten) == (36, 1, 0)
    assert len(meter.state.security.journals) == 16


def test_a_key_change_keeps_the_rows() -> None:
    keys = keys_of_versions(1, 2)
    meter = build(MeterDescription(keys=keys))
    old, new = Host(meter, keys[1]), Host(meter, keys[2])
    sealed = old.seal(CREDIT, amount=1, origin=Origin(7, 70))
    assert old.deliver(sealed).outcome is Outcome.ACCEPTED
    for host, journal in ((old, 8), (new, 9)):
        assert host.send(CREDIT, amount=1, origin=Origin(journal, 80)).outcome is Outcome.ACCEPTED
    assert meter.state.security.key_version == 2
    assert ask(meter, 7, keys[2]).of_journal == LastOfJournal(70, 1, sealed[-16:-12])
    assert [ask(meter, journal, keys[2]).of_journal.sequence for journal in (7, 8, 9)] == [1, 2, 3]


def test_rows_and_forgotten_and_the_last_survive_a_restart() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram)
    for journal in range(1, 19):
        sell(meter, journal)
    again = make(nvram.power_cycle(lambda _: False))
    for journal in range(20):
        assert ask(again, journal) == ask(meter, journal)
    assert (ask(again).forgotten, ask(again, 18).of_journal.sequence) == (2, 18)
    sell(again, 50)
    assert ask(again).forgotten == 3, "the order survived too"


def test_a_message_that_could_not_be_stored_leaves_no_row() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram)
    host = Host(meter)
    before = ask(meter)
    nvram.full = True
    assert host.send(CREDIT, amount=1, origin=Origin(7, 9)).outcome is Outcome.STORAGE_FAULT
    assert ask(meter) == before


# ---- committed values


def committed(status: SealedStatus) -> tuple[int, int, int]:
    """Return the committed values, which survive a kill."""
    return status.committed_elapsed, status.committed_energy, status.committed_cumulative


def test_committed_values_are_those_of_the_last_flushed_commit() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram, load=LOAD)
    meter.advance(HOUR)
    assert committed(ask(meter)) == (0, 0, 0), "periodic saves are not flushed"
    sell(meter, 7, 500)
    assert committed(ask(meter)) == (HOUR, 2_000_000, 5 * LEDGER)
    meter.advance(HOUR + PERIOD)
    assert nvram.power_cycle(lambda _: True).data != nvram.power_cycle(lambda _: False).data, (
        "it was saved"
    )
    assert committed(ask(meter)) == (HOUR, 2_000_000, 5 * LEDGER)
    assert ask(meter).elapsed_ms == HOUR + PERIOD, "while elapsed goes on"
    sell(meter, 7, 0, MessageKind.VOID)
    assert committed(ask(meter)) == (HOUR + PERIOD, 2_500_000, 5 * LEDGER)
    again = make(nvram.power_cycle(lambda _: False), load=LOAD)
    assert committed(ask(again)) == (HOUR + PERIOD, 2_500_000, 5 * LEDGER)


def test_the_committed_amount_is_the_cumulative_one_debt_and_refunds_included() -> None:
    meter = make(SimulatedNvram(), debt=40 * LEDGER, settings=Settings(debt_share_percent=50))
    sell(meter, 7, 3000)
    sell(meter, 7, 500, MessageKind.REFUND)
    assert committed(ask(meter)) == (0, 0, 30 * LEDGER)
    assert meter.state.account.credited == 15 * LEDGER


def test_a_refused_write_moves_no_committed_value() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram, load=LOAD)
    sell(meter, 7, 500)
    meter.advance(HOUR)
    nvram.full = True
    assert Host(meter).send(CREDIT, amount=100).outcome is Outcome.STORAGE_FAULT
    assert committed(ask(meter)) == (0, 0, 5 * LEDGER)


def test_what_a_restart_found_is_committed() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram, load=LOAD)
    meter.advance(HOUR)
    assert committed(ask(meter)) == (0, 0, 0)
    device = nvram.power_cycle(lambda _: True)
    again = make(device, load=LOAD)
    assert device.flushes == 1, "what was found is made to last before it is called committed"
    assert committed(ask(again)) == (HOUR, 2_000_000, 0)
    assert committed(ask(make(device.power_cycle(lambda _: False), load=LOAD))) == (
        HOUR,
        2_000_000,
        0,
    )


def test_an_orderly_stop_commits() -> None:
    meter = make(SimulatedNvram(), load=LOAD)
    meter.advance(HOUR + 1)
    meter.save()
    assert committed(ask(meter)) == (HOUR + 1, 2_000_000, 0)


@pytest.mark.parametrize("seed", range(40))
def test_nothing_committed_goes_back_in_a_power_cut_that_loses_what_was_not_flushed(
    seed: int,
) -> None:
    rng = Random(seed)
    device, last, reference = SimulatedNvram(), (0, 0, 0), 0
    for _ in range(12):
        meter = make(device, load=LOAD, settings=Settings(overdraft_limit=1000 * LEDGER))
        for _ in range(rng.randrange(6)):
            found = ask(meter)
            assert all(now >= before for now, before in zip(committed(found), last, strict=True)), (
                "it went back"
            )
            assert found.credit_sequence >= reference
            last, reference = committed(found), found.credit_sequence
            action = rng.randrange(4)
            if action == 0:
                sell(meter, rng.randrange(4))
            elif action == 1:
                meter.save()
            elif action == 2:
                Host(meter).send(MessageKind.CLEAR_DEMAND)
            else:
                meter.advance(meter.state.elapsed_ms + rng.randrange(1, 40) * PERIOD // 3)
        found = ask(meter)
        last, reference = committed(found), found.credit_sequence
        device = device.power_cycle(lambda _: rng.random() < 0.5)
    assert last[0] > 0


def test_many_saves_make_a_commit_whose_values_count() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram, load=LOAD, settings=Settings(overdraft_limit=1000 * LEDGER))
    flushes = nvram.flushes
    while nvram.flushes == flushes:
        assert committed(ask(meter)) == (0, 0, 0)
        meter.advance(meter.state.elapsed_ms + PERIOD)
    found = ask(meter)
    assert committed(found) == (meter.state.elapsed_ms, meter.state.registers.import_mwh, 0)
    assert meter.rings[EVENT_RING].last == meter.state.numbers[EVENT_RING]


def test_a_meter_without_storage_counts_what_it_would_have_committed() -> None:
    meter = make(load=LOAD)
    meter.advance(HOUR)
    sell(meter, 7, 500)
    assert committed(ask(meter)) == (HOUR, 2_000_000, 5 * LEDGER)


def test_two_questions_differ_in_their_nonce_alone() -> None:
    meter = make()
    sell(meter, 7)
    first, second = ask(meter), ask(meter, nonce=bytes(8))
    assert first != second
    assert replace(first, nonce=bytes(8)) == second
