"""Cards in the meter's slot: replayed, edited, of another meter, out of sequence, over limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.metrology.load import Load
from firmware_sim.settings import Settings
from meterctl.errors import NotPermittedError
from meterctl.journal import EntryState
from meterctl.operations.card.issuing import plan_replacement
from meterctl.operations.card.openings import Opening, open_account
from meterctl.operations.card.presets import plan_preset
from protocols.card.applet import Card
from protocols.card.files import CardFile, CardType, CreditRecord, checked
from protocols.card.write_back import split_write_back
from protocols.data_model.insertion import InsertionError
from protocols.keys import derive_meter_keys
from protocols.quantities import HOUR, LEDGER, MINUTE
from protocols.sealed_message import (
    LAST_SEQUENCE,
    MessageKind,
    Outcome,
    SealedMessage,
    encode_limits,
    encode_number,
)
from tests.attacks.cards import (
    back_of,
    card_of,
    error_of,
    image,
    newest_slot,
    with_credit,
    with_state,
)
from tests.support.meters import Host, event_names
from tests.support.setup import CUSTOMER, METER, OTHER, Setup, insert_into


def test_row_01_the_same_card_thrice_is_credited_once(setup: Setup, card: Card) -> None:
    before = back_of(card)
    for _ in range(3):
        inserted = setup.insert(card)
        assert inserted.insertion is not None
        assert inserted.insertion.outcome is Outcome.ALREADY_ACCEPTED
        assert inserted.insertion.error is None
    assert setup.credit == 3000
    assert setup.meter.state.account.purchases == 1
    after = back_of(card)
    assert replace(after, number=before.number, outcome=before.outcome) == before


def test_row_02_an_old_image_of_the_card_brings_nothing(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    dump = image(card)
    setup.insert(card)
    setup.sell(card, 500)
    setup.insert(card)
    assert setup.credit == 4500
    restored = setup.insert(card_of(dump, setup))
    assert restored.insertion is not None
    assert restored.insertion.outcome is Outcome.ALREADY_ACCEPTED
    assert setup.credit == 4500
    # Twenty top-ups push its receipt out of the meter: then the message is only old.
    for _ in range(20):
        Host(setup.meter, setup.meter.authenticator.keys(1)).send(MessageKind.CREDIT, amount=1)
    old = setup.insert(card_of(dump, setup))
    assert old.insertion is not None
    assert (old.insertion.outcome, old.insertion.error) == (Outcome.SEQUENCE_OLD, None)
    assert setup.credit == 4520


def test_row_04_no_flipped_bit_of_the_credit_is_taken(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    record = CreditRecord.decode(newest_slot(card))
    for bit in range(len(record.message) * 8):
        edited = bytearray(record.message)
        edited[bit // 8] ^= 1 << bit % 8
        forged = with_credit(card, replace(record, message=bytes(edited)).encode())
        inserted = setup.insert(forged)
        assert inserted.insertion is not None
        assert inserted.insertion.error is not None
        assert inserted.insertion.outcome is None or not inserted.insertion.outcome.applied
        # A write-back would block the next try.
        if inserted.written_back:
            forged._memory.commit(forged.state.with_file(CardFile.RETURN, bytes(480)))
        assert setup.credit == 3000
    with_credit(card, record.encode())
    assert error_of(setup, card) is None, (
        "positive control: the very bytes are taken, after all of it"
    )
    assert setup.credit == 4000


def test_row_04_a_credit_file_that_was_torn_or_edited_is_not_read(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    slot = bytearray(newest_slot(card))
    slot[1] ^= 7
    with_credit(card, bytes(slot))
    assert error_of(setup, card) is InsertionError.CARD_NOT_ISSUED, "no slot is valid"
    with_credit(card, checked(bytes(slot[:1]) + b"\x09" + bytes(slot[2:-4])))
    assert error_of(setup, card) is InsertionError.CARD_TYPE
    with_credit(card, checked(b"\x07" + bytes(slot[1:-4])))
    assert error_of(setup, card) is InsertionError.FILE_FORMAT
    assert setup.credit == 3000


def test_row_05_a_card_of_another_meter_or_customer_is_refused(setup: Setup, card: Card) -> None:
    neighbour = setup.build(serial_number="000000000043", opened=True, customer_number=CUSTOMER)
    setup.sell(card, 1000)
    tries = card.state.keys[2].tries
    inserted = setup.insert(card, meter=neighbour)
    assert inserted.insertion is not None
    assert inserted.insertion.error is InsertionError.METER_NUMBER
    assert inserted.display == "Err-33"
    assert neighbour.state.slot.illegal_insertions == 1
    assert card.state.keys[2].tries == tries, "the card was not tried with a wrong key"
    unrelated = setup.build(opened=True, customer_number="000000009999")
    inserted = setup.insert(card, meter=unrelated)
    assert inserted.insertion is not None
    assert inserted.insertion.error is InsertionError.CUSTOMER_NUMBER
    assert neighbour.state.account.cumulative == unrelated.state.account.cumulative == 0
    assert error_of(setup, card) is None


def test_row_07_a_gap_in_the_sequence_is_a_count_error_and_is_told(
    setup: Setup, card: Card
) -> None:
    keys = setup.meter.authenticator.keys(1)
    assert keys is not None
    ahead = SealedMessage(
        MessageKind.CREDIT, METER, 0xE0, 3, 700, 156, CUSTOMER, key_version=1
    ).seal(keys.credit)
    with_state(card, card.state.with_file(CardFile.RETURN, bytes(480)))
    with_credit(card, CreditRecord(CardType.PURCHASE, 9, ahead).encode())
    inserted = setup.insert(card)
    assert inserted.insertion is not None
    assert (inserted.insertion.error, inserted.display) == (InsertionError.COUNT, "Err-34")
    assert inserted.written_back
    assert (back_of(card).outcome, back_of(card).credit_sequence) == (Outcome.SEQUENCE_GAP, 1)
    assert setup.credit == 3000


def test_row_10_power_lost_in_the_commit_leaves_the_card_unused_or_the_credit_once(
    tmp_path: Path,
) -> None:
    """The storage refuses the write: error 2. `tests/attacks/test_cuts.py` cuts the power."""
    device = SimulatedNvram()
    setup = Setup(tmp_path, device)
    card = setup.formatted()
    setup.open(card)
    device.full = True
    refused = setup.insert(card)
    assert refused.insertion is not None
    assert refused.insertion.error is InsertionError.SECURITY_MODULE_ACCESS
    assert setup.meter.state.account.cumulative == 0
    device.full = False
    assert error_of(setup, card) is None
    assert setup.credit == 3000


def test_row_13_card_and_wire_race_for_one_sequence_and_one_wins(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    keys = setup.meter.authenticator.keys(1)
    rival = Host(setup.meter, keys).seal(MessageKind.CREDIT, amount=2500)
    assert Host(setup.meter, keys).deliver(rival).outcome is Outcome.ACCEPTED
    assert error_of(setup, card) is InsertionError.COUNT
    assert back_of(card).outcome == Outcome.SEQUENCE_CONFLICT
    assert setup.credit == 5500
    sold = setup.journal.entries()[-1]
    setup.read(card)
    assert setup.journal.entry(sold.id).state is EntryState.REFUSED, (
        "the receipt of the other proves ours dead"
    )


def test_row_22_amounts_that_cannot_be_leave_sequence_and_card_as_they_were(tmp_path: Path) -> None:
    setup = Setup(tmp_path, settings=Settings(max_credit=50 * LEDGER))
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    keys = setup.meter.authenticator.keys(1)
    assert keys is not None
    for amount, error in (
        (0, InsertionError.FILE_FORMAT),
        (0xFFFF_FFFF, InsertionError.FILE_FORMAT),
        (99_999_999, InsertionError.EXCEEDS_MAX_CREDIT),
        (2001, InsertionError.EXCEEDS_MAX_CREDIT),
    ):
        with_state(card, card.state.with_file(CardFile.RETURN, bytes(480)))
        message = SealedMessage(
            MessageKind.CREDIT, METER, 0xE0, 2, amount, 156, CUSTOMER, key_version=1
        )
        with_credit(card, CreditRecord(CardType.PURCHASE, 50, message.seal(keys.credit)).encode())
        assert error_of(setup, card) is error
        assert setup.meter.state.security.credit_sequence == 1
    assert split_write_back(card.state.file(CardFile.RETURN)).newest is None, (
        "a hoarded card stays unused"
    )
    setup.meter.advance(HOUR)
    Host(setup.meter, keys).send(MessageKind.LIMITS, parameters=encode_limits({4: None}))
    assert error_of(setup, card) is None, "and is taken when there is room"
    assert setup.credit == 5001


def test_row_23_a_preset_card_is_taken_once_and_its_replay_changes_nothing(
    setup: Setup, card: Card
) -> None:
    commands = [(MessageKind.LIMITS, encode_limits({1: 7 * LEDGER}))]
    with setup.presented(card) as presented:
        plan_preset(setup.case(presented), commands).carry_out()
    setup.insert(card)
    assert setup.meter.state.settings.low_credit_threshold_1 == 7 * LEDGER
    keys = setup.meter.authenticator.keys(1)
    for value in range(20):
        Host(setup.meter, keys).send(
            MessageKind.LIMITS, parameters=encode_limits({1: value * LEDGER})
        )
    inserted = setup.insert(card)
    assert inserted.insertion is not None
    assert inserted.insertion.command_outcome is Outcome.SEQUENCE_OLD
    assert setup.meter.state.settings.low_credit_threshold_1 == 19 * LEDGER


def test_row_25_a_clock_that_is_set_back_changes_no_credit_and_revives_no_card(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    dump = image(card)
    setup.insert(card)
    keys = setup.meter.authenticator.keys(1)
    clock = encode_number(MessageKind.CLOCK, 1_000_000_000_000)
    assert (
        Host(setup.meter, keys).send(MessageKind.CLOCK, parameters=clock).outcome
        is Outcome.ACCEPTED
    )
    for old in (card, card_of(dump, setup)):
        setup.insert(old)
        assert setup.credit == 4000


def test_row_26_the_last_sequence_is_taken_and_a_key_change_resets_nothing(tmp_path: Path) -> None:
    setup = Setup(tmp_path, masters={1: bytes(16), 2: bytes(range(1, 17))})
    card = setup.formatted()
    with setup.presented(card) as presented:
        open_account(setup.case(presented), Opening(METER, CUSTOMER, 3000, 156))
    assert error_of(setup, card) is None
    assert setup.meter.state.security.key_version == 2, (
        "the card was the first message of version 2"
    )
    setup.meter.state.security.credit_sequence = LAST_SEQUENCE - 1
    setup.sell(card, 100, session=setup.session())
    assert error_of(setup, card) is None
    assert setup.meter.state.security.credit_sequence == LAST_SEQUENCE
    with pytest.raises(NotPermittedError, match="used up"):
        setup.sell(card, 100)
    renewed = setup.build(epoch=0xE1)
    assert renewed.state.security.credit_sequence == 0, "a new epoch begins at 0"
    again = setup.formatted(OTHER)
    setup.open(again, 100, again=True)
    inserted = setup.insert(again, meter=renewed)
    assert inserted.insertion is not None
    assert inserted.insertion.outcome is Outcome.ACCEPTED


def test_row_26_a_key_change_does_not_reset_the_sequence(tmp_path: Path) -> None:
    setup = Setup(tmp_path, masters={1: bytes(16)})
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    newer = derive_meter_keys(bytes(range(1, 17)), METER, 2)
    setup.meter.authenticator._keys[2] = newer
    Host(setup.meter, newer).send(MessageKind.CREDIT, amount=1)
    assert setup.meter.state.security.key_version == 2
    assert setup.meter.state.security.credit_sequence == 2


def test_metering_goes_on_and_the_supply_trips_while_a_card_is_waited_for(tmp_path: Path) -> None:
    """Row 24 in virtual time; with wall time it is in test_slow_cards.py."""
    setup = Setup(
        tmp_path,
        opened=True,
        credit=LEDGER,
        customer_number=CUSTOMER,
        load=Load.constant((6_000_000,)),
    )
    card = setup.formatted()
    meter = setup.meter

    def slow(command: bytes) -> bytes:
        meter.advance(meter.state.elapsed_ms + 10 * MINUTE)
        return card.apdu(command)

    with setup.presented(card) as presented:
        plan_replacement(setup.case(presented, setup.session()), METER).carry_out()
    insert_into(meter, card, setup.random, slow)
    assert "supply_disconnected" in event_names(meter)
    assert meter.state.account.imbalance() == (0, 0)
