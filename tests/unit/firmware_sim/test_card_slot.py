"""The card slot: every one of the 21 insertion errors with its display group, binding, and what a
card closes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.metrology.load import Load
from firmware_sim.requests import CutPower, LosePhase
from firmware_sim.settings import Settings
from firmware_sim.token_carriers.card_slot import Inserted
from meterctl.operations import card_issuing
from protocols.card.applet import Card
from protocols.card.files import CardFile, CardType, CreditRecord, Identity
from protocols.card.insertion import InsertionError
from protocols.card.issuing import bind
from protocols.card.keys import derive_card_keys, meter_access_of
from protocols.card.memory import StoredKey
from protocols.card.terminal import Terminal, drive
from protocols.card.write_back import WriteBack, split_write_back, verify_write_back
from protocols.data_model.words import Cause, ReconnectMode, SupplyState
from protocols.errors import AuthenticationError
from protocols.keys import derive_meter_keys
from protocols.quantities import HOUR, LEDGER
from protocols.sealed_message import (
    MessageKind,
    Outcome,
    Receipt,
    SealedMessage,
    SwitchAction,
    encode_limits,
    encode_number,
    verify,
)
from tests.support.meters import Host, event_names, events
from tests.support.town import CUSTOMER, MASTER, METER, OTHER, SERIAL, Contacts, Town, blank


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    yield made
    made.journal.close()


def opened(folder: Path, **description: Any) -> tuple[Town, Card]:
    """Return a town whose meter was opened by its card with 30.00."""
    town = Town(folder, **description)
    card = town.formatted()
    town.open(card)
    town.insert(card)
    town.read(card)
    return town, card


def refused(inserted: Inserted, error: InsertionError, display: str) -> None:
    assert inserted.insertion is not None
    assert inserted.insertion.error is error
    assert inserted.display == display == error.display


def rewrite(town: Town, card: Card, kind: CardType, message: bytes, number: int = 90) -> None:
    """Put a sale on a card past the vending point, with its write-back emptied."""
    slot = CreditRecord(kind, number, message).encode()
    state = card.state.with_file(CardFile.CREDIT, slot + bytes(len(slot))).with_file(
        CardFile.RETURN, bytes(480)
    )
    card._memory.commit(state)


def message(town: Town, **fields: Any) -> bytes:
    """Return a sealed credit transfer with the meter's next sequence."""
    keys = town.meter.door.keys(1)
    assert keys is not None
    return Host(town.meter, keys).seal(
        fields.pop("kind", MessageKind.CREDIT), **{"amount": 100, **fields}
    )


def test_01_voltage_low(folder: Path) -> None:
    town, card = opened(folder)
    town.meter.handle(LosePhase(0, True))
    refused(town.insert(card), InsertionError.VOLTAGE_LOW, "Err-31")


def test_02_the_security_module_refuses_to_write(folder: Path) -> None:
    device = SimulatedNvram()
    town = Town(folder, device)
    card = town.formatted()
    town.open(card)
    device.full = True
    refused(town.insert(card), InsertionError.SECURITY_MODULE_ACCESS, "Err-31")
    assert card.state.file(CardFile.RETURN) == bytes(480), "the card is unused"


def test_03_a_security_module_without_card_keys(folder: Path) -> None:
    town, card = opened(folder)
    keys = town.meter.door.keys(1)
    assert keys is not None
    bare = town.build(keys={1: replace(keys, card=b"")})
    refused(town.insert(card, meter=bare), InsertionError.SECURITY_MODULE_RESET, "Err-31")


@pytest.mark.parametrize("answer", [b"", b"\x00", b"\x3b\x85\x80\x01PPC1\x01\x00", bytes(40)])
def test_04_a_foreign_object_or_a_reversed_card(town: Town, answer: bytes) -> None:
    card = town.formatted()
    refused(town.insert(card, answer=answer), InsertionError.CARD_RESET, "Err-32")
    assert town.meter.state.slot.illegal_insertions == 1


def test_05_a_card_without_the_meters_key(folder: Path) -> None:
    town, card = opened(folder)
    state = card.state
    card._memory.commit(replace(state, keys=(*state.keys[:2], StoredKey())))
    refused(town.insert(card), InsertionError.CARD_AUTHENTICATION, "Err-32")


def test_06_a_card_that_knows_another_key(folder: Path) -> None:
    town, card = opened(folder)
    state = card.state
    card._memory.commit(replace(state, keys=(*state.keys[:2], StoredKey(bytes(16), 1, True))))
    refused(town.insert(card), InsertionError.METER_AUTHENTICATION, "Err-32")


def test_07_blank_unbound_and_foreign_cards(town: Town) -> None:
    refused(town.insert(blank(OTHER)), InsertionError.CARD_NOT_ISSUED, "Err-32")
    refused(town.insert(town.formatted()), InsertionError.CARD_NOT_ISSUED, "Err-32")
    contacts = Contacts(town.formatted(OTHER))
    contacts.change = lambda response: b"\x6a\x82"
    refused(town.insert(contacts.card, contacts), InsertionError.CARD_NOT_ISSUED, "Err-32")


def test_08_a_type_of_card_that_nobody_knows(folder: Path) -> None:
    from protocols.card.files import checked

    town, card = opened(folder)
    slot = CreditRecord(CardType.PURCHASE, 9, b"").encode()
    other = checked(slot[:1] + b"\x0b" + slot[2:-4])
    card._memory.commit(card.state.with_file(CardFile.CREDIT, other + bytes(len(other))))
    refused(town.insert(card), InsertionError.CARD_TYPE, "Err-32")


def test_09_a_key_version_that_the_meter_does_not_have(folder: Path) -> None:
    town, card = opened(folder)
    keys = derive_card_keys(MASTER, SERIAL, 1)
    terminal = Terminal(town.random)
    card.power_on()
    drive(terminal.select(), card.apdu)
    access = meter_access_of(MASTER, METER, SERIAL, 7)
    drive(bind(terminal, keys, Identity(METER, CUSTOMER, 7), access), card.apdu)
    refused(town.insert(card), InsertionError.NOT_AUTHORISED, "Err-32")


def test_10_a_sealed_transfer_with_a_wrong_code(folder: Path) -> None:
    town, card = opened(folder)
    forged = bytearray(message(town))
    forged[-1] ^= 1
    rewrite(town, card, CardType.PURCHASE, bytes(forged))
    refused(town.insert(card), InsertionError.CODE_WRONG, "Err-32")
    assert card.state.file(CardFile.RETURN) == bytes(480)


def test_10_five_wrong_codes_suspend_the_card_carrier_and_not_the_wire(folder: Path) -> None:
    town, card = opened(folder)
    forged = bytearray(message(town))
    forged[-1] ^= 1
    rewrite(town, card, CardType.PURCHASE, bytes(forged))
    for _ in range(6):
        refused(town.insert(card), InsertionError.CODE_WRONG, "Err-32")
    assert "authentication_attack" in event_names(town.meter)
    inserted = town.insert(card)
    assert inserted.insertion is not None
    assert inserted.insertion.outcome is Outcome.SUSPENDED
    assert (
        Host(town.meter, town.meter.door.keys(1)).send(MessageKind.CREDIT, amount=1).outcome
        is Outcome.ACCEPTED
    )


def test_11_a_card_of_another_meter_and_of_another_life_of_this_one(folder: Path) -> None:
    town, card = opened(folder)
    neighbour = town.build(serial_number="000000000043")
    refused(town.insert(card, meter=neighbour), InsertionError.METER_NUMBER, "Err-33")
    town.sell(card, 100)
    reborn = town.build(epoch=0xE5, opened=True, customer_number=CUSTOMER)
    inserted = town.insert(card, meter=reborn)
    refused(inserted, InsertionError.METER_NUMBER, "Err-33")
    assert inserted.written_back, "the vendor learns of the new epoch"


def test_12_a_card_of_another_customer(folder: Path) -> None:
    town, card = opened(folder)
    moved = town.build(opened=True, customer_number="000000002002")
    refused(town.insert(card, meter=moved), InsertionError.CUSTOMER_NUMBER, "Err-33")


def test_13_a_purchase_card_that_is_not_the_bound_one(folder: Path) -> None:
    town, card = opened(folder)
    town.sell(card, 100)
    town.meter.state.slot.bound_card = int.from_bytes(OTHER, "big")
    refused(town.insert(card), InsertionError.CARD_SERIAL, "Err-33")


def test_14_a_transfer_that_cannot_be_read_or_is_in_another_unit(folder: Path) -> None:
    town, card = opened(folder)
    for data in (
        b"\x01\x02\x03",
        message(town, account_unit=978),
        message(town, version=9),
        Host(town.meter, town.meter.door.keys(1)).seal(MessageKind.CLEAR_EVENTS),
    ):
        rewrite(town, card, CardType.PURCHASE, data)
        refused(town.insert(card), InsertionError.FILE_FORMAT, "Err-34")


@pytest.mark.parametrize("first", [0, 1, 3, 0x42, 0x82, 0xFF])
def test_14_a_transfer_of_another_format_is_named_whatever_follows(
    folder: Path, first: int
) -> None:
    town, card = opened(folder)
    former_credit = message(town, version=1)
    former_command = message(town, kind=MessageKind.CLEAR_EVENTS, amount=0, version=1)
    for rest in (message(town)[1:], former_credit[1:], former_command[1:], b"", b"x" * 60):
        rewrite(town, card, CardType.PURCHASE, bytes((first,)) + rest)
        inserted = town.insert(card)
        refused(inserted, InsertionError.FILE_FORMAT, "Err-34")
        assert inserted.insertion is not None
        assert inserted.insertion.outcome is Outcome.UNSUPPORTED_VERSION
        assert not inserted.written_back, "the card stays as it was sold"
    assert town.credit == 3000


def test_14_a_credit_transfer_that_expires_and_a_command_in_its_place_are_malformed(
    folder: Path,
) -> None:
    town, card = opened(folder)
    command = Host(town.meter, town.meter.door.keys(1)).seal(MessageKind.CLEAR_EVENTS)
    for data in (message(town, expires_at=10**9), command):
        rewrite(town, card, CardType.PURCHASE, data)
        inserted = town.insert(card)
        assert inserted.insertion is not None
        assert inserted.insertion.outcome is Outcome.MALFORMED


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (CardType.PURCHASE, InsertionError.PURCHASE_CARD_UNOPENED),
        (CardType.REPLACEMENT, InsertionError.REPLACEMENT_CARD_UNOPENED),
    ],
)
def test_15_and_16_only_an_opening_card_goes_into_an_unopened_meter(
    town: Town, kind: CardType, error: InsertionError
) -> None:
    card = town.formatted()
    town.open(card)
    rewrite(town, card, kind, message(town))
    refused(town.insert(card), error, "Err-34")
    assert not town.meter.state.account.is_open


def test_15_a_purchase_card_in_a_closed_account(folder: Path) -> None:
    town, card = opened(folder)
    town.sell(card, 100)
    Host(town.meter, town.meter.door.keys(1)).send(MessageKind.CLOSE)
    rewrite(town, card, CardType.PURCHASE, message(town))
    refused(town.insert(card), InsertionError.PURCHASE_CARD_UNOPENED, "Err-34")


def test_17_counts_that_do_not_follow(folder: Path) -> None:
    town, card = opened(folder)
    for fields in ({"sequence": 3}, {"sequence": 1, "amount": 9}, {"kind": MessageKind.OPEN}):
        rewrite(town, card, CardType.PURCHASE, message(town, **fields))
        inserted = town.insert(card)
        refused(inserted, InsertionError.COUNT, "Err-34")
        assert inserted.written_back
    other = SealedMessage(MessageKind.OPEN, METER, 0, 1, 5, 156, CUSTOMER, key_version=1)
    rewrite(town, card, CardType.OPEN, other.seal(town.meter.door.keys(1).credit))  # type: ignore[union-attr]
    refused(town.insert(card), InsertionError.COUNT, "Err-34")


def test_18_a_new_sale_with_the_write_back_still_standing(folder: Path) -> None:
    town, card = opened(folder)
    rewrite(town, card, CardType.PURCHASE, message(town, sequence=3))
    town.insert(card)  # a count error is written back
    kept = card.state.file(CardFile.RETURN)
    rewrite(town, card, CardType.PURCHASE, message(town))
    card._memory.commit(card.state.with_file(CardFile.RETURN, kept))
    inserted = town.insert(card)
    refused(inserted, InsertionError.WRITE_BACK_NOT_EMPTY, "Err-34")
    assert not inserted.written_back, "what it brings back is still to be read"
    assert card.state.file(CardFile.RETURN) == kept
    assert town.credit == 3000
    refused(town.insert(card), InsertionError.WRITE_BACK_NOT_EMPTY, "Err-34")


def test_19_a_card_that_answers_what_it_should_not(folder: Path) -> None:
    town, card = opened(folder)
    contacts = Contacts(card)
    contacts.change = lambda response: b"\x6f\x00" if contacts.count == 2 else response
    refused(town.insert(card, contacts), InsertionError.COMMUNICATION, "Err-35")


@pytest.mark.parametrize("breaks_after", range(10))
def test_20_a_card_that_is_pulled_before_its_credit_was_taken(
    folder: Path, breaks_after: int
) -> None:
    town, card = opened(folder)
    town.sell(card, 100)
    contacts = Contacts(card)
    contacts.breaks_after = breaks_after
    refused(town.insert(card, contacts), InsertionError.PULLED_EARLY, "Err-35")
    assert town.credit == 3000
    town.insert(card)
    assert town.credit == 3100


def test_21_a_sale_beyond_the_hoarding_limit_leaves_the_card_unused(folder: Path) -> None:
    town, card = opened(folder, settings=Settings(max_credit=35 * LEDGER))
    town.sell(card, 501)
    refused(town.insert(card), InsertionError.EXCEEDS_MAX_CREDIT, "Err-36")
    assert card.state.file(CardFile.RETURN) == bytes(480)
    assert town.meter.state.security.credit_sequence == 1
    Host(town.meter, town.meter.door.keys(1)).send(
        MessageKind.LIMITS, parameters=encode_limits({4: 36 * LEDGER})
    )
    town.insert(card)
    assert town.credit == 3501


def test_there_are_21_errors_in_six_groups() -> None:
    assert [int(error) for error in InsertionError] == list(range(1, 22))
    groups = [error.display for error in InsertionError]
    assert [groups.count(f"Err-{n}") for n in range(31, 37)] == [3, 7, 3, 5, 2, 1]


def test_every_insertion_is_an_event_with_the_cards_serial(folder: Path) -> None:
    town, card = opened(folder)
    town.meter.state.slot.bound_card = int.from_bytes(OTHER, "big")
    town.sell(card, 100)
    town.insert(card)
    last = events(town.meter)[-1]
    assert last.name == "card_refused"
    assert last.detail_fragments() == {"card": f'"{SERIAL.hex()}"', "error": '"card_serial"'}
    high = town.formatted(bytes.fromhex("ff22334455667788"))
    town.insert(high)
    assert events(town.meter)[-1].detail_fragments()["card"] == '"ff22334455667788"'


def test_a_meter_without_power_shows_nothing_and_touches_nothing(folder: Path) -> None:
    town, card = opened(folder)
    town.sell(card, 100)
    town.meter.handle(CutPower())
    inserted = town.insert(card)
    assert (inserted.insertion, inserted.display) == (None, "")
    assert town.credit == 3000


def test_a_card_binds_where_none_is_bound_and_never_over_another(folder: Path) -> None:
    town = Town(folder, opened=True, customer_number=CUSTOMER)
    card = town.formatted()
    with town.counter(card) as counter:
        card_issuing.plan_replacement(counter, town.journal, METER, town.session()).carry_out()
    town.sell(card, 100, session=town.session())
    rewrite(town, card, CardType.PURCHASE, message(town))
    assert town.insert(card).display == "21.00"
    assert town.meter.state.slot.bound_card == int.from_bytes(SERIAL, "big")
    assert "card_bound" in event_names(town.meter)


def test_a_service_card_brings_back_how_the_meter_stands_and_changes_nothing(folder: Path) -> None:
    town, _ = opened(folder)
    service = town.formatted(OTHER)
    with town.counter(service) as counter:
        card_issuing.plan_service(counter, town.journal, METER).carry_out()
    before = town.meter.state.account
    inserted = town.insert(service)
    assert inserted.insertion is not None
    assert (inserted.insertion.error, inserted.insertion.outcome) == (None, None)
    with town.counter(service) as counter:
        back = counter.read().back
    assert back is not None
    assert (back.credit, back.epoch, back.credit_sequence) == (30 * LEDGER, 0xE0, 1)
    assert town.meter.state.account == before
    assert town.meter.state.slot.bound_card == int.from_bytes(SERIAL, "big")


def write_back_of(card: Card) -> tuple[bytes, WriteBack]:
    """Return the newest write-back of a card."""
    slot = split_write_back(card.state.file(CardFile.RETURN)).newest
    assert slot is not None
    assert len(slot) == 240
    return slot, WriteBack.decode(slot)


def bound_under(town: Town, card: Card, version: int) -> None:
    """Bind a card of version 1 to the meter under another version of its keys."""
    terminal = Terminal(town.random)
    card.power_on()
    drive(terminal.select(), card.apdu)
    access = meter_access_of(MASTER, METER, SERIAL, version)
    identity = Identity(METER, CUSTOMER, version, card_issued_at(card))
    drive(bind(terminal, derive_card_keys(MASTER, SERIAL, 1), identity, access), card.apdu)
    card.power_off()


def card_issued_at(card: Card) -> int:
    """Return when a card was issued."""
    return Identity.decode(card.state.file(CardFile.IDENTITY)).issued_at


@pytest.mark.parametrize(("bound", "current"), [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)])
def test_a_write_back_is_sealed_under_the_meters_current_version_whatever_the_card_was_bound_under(
    folder: Path, bound: int, current: int
) -> None:
    device = SimulatedNvram()
    town = Town(folder, device)
    card = town.formatted()
    town.open(card)
    town.insert(card)
    keys = {version: derive_meter_keys(MASTER, METER, version) for version in (1, 2, 3)}
    meter = town.build(device.power_cycle(), keys=keys)
    if current == 2:
        assert Host(meter, keys[2]).send(MessageKind.CLEAR_DEMAND).outcome is Outcome.ACCEPTED
    if bound != 1:
        bound_under(town, card, bound)
    inserted = town.insert(card, meter=meter)
    assert inserted.written_back
    slot, back = write_back_of(card)
    assert (back.key_version, back.meter_key_version) == (current, current)
    assert back.outcome == Outcome.ALREADY_ACCEPTED
    verify_write_back(slot, keys[current].card)
    for version in {1, 2, 3} - {current}:
        with pytest.raises(AuthenticationError):
            verify_write_back(slot, keys[version].card)
    assert Receipt.decode(back.receipt).key_version == current
    verify(back.receipt, keys[current].credit)


def test_a_write_back_of_the_message_that_changed_the_key_is_under_the_new_one(
    folder: Path,
) -> None:
    device = SimulatedNvram()
    town = Town(folder, device)
    card = town.formatted()
    town.open(card)
    town.insert(card)
    keys = {version: derive_meter_keys(MASTER, METER, version) for version in (1, 2)}
    meter = town.build(device.power_cycle(), keys=keys)
    rewrite(
        town, card, CardType.PURCHASE, Host(meter, keys[2]).seal(MessageKind.CREDIT, amount=100)
    )
    assert town.insert(card, meter=meter).written_back
    slot, back = write_back_of(card)
    assert (back.outcome, back.key_version) == (Outcome.ACCEPTED, 2)
    verify_write_back(slot, keys[2].card)


def test_a_write_back_names_energy_and_elapsed_of_a_flushed_commit(folder: Path) -> None:
    device = SimulatedNvram()
    town = Town(folder, device, load=Load.constant((2_000_000,)))
    card = town.formatted()
    town.open(card)
    town.meter.advance(HOUR)
    town.insert(card)
    _, back = write_back_of(card)
    assert (back.elapsed, back.energy_mwh) == (HOUR, 2_000_000)
    again = town.build(device.power_cycle(lambda _: False))
    assert (again.lasting.elapsed, again.lasting.import_mwh) == (HOUR, 2_000_000)


@pytest.mark.parametrize("mode", list(ReconnectMode))
def test_the_own_card_clears_a_reminder_like_the_button(folder: Path, mode: ReconnectMode) -> None:
    settings = Settings(
        low_credit_threshold_2=20 * LEDGER, overdraft_limit=5 * LEDGER, reconnect_mode=mode
    )
    town, card = opened(folder, settings=settings, load=Load.constant((10_000_000,)))
    town.meter.advance(2 * HOUR)
    assert town.meter.state.supply.state is SupplyState.READY_FOR_RECONNECTION
    town.insert(card)
    assert town.meter.state.supply.state is SupplyState.CONNECTED
    assert '"card"' in events(town.meter)[-1].detail_fragments().values()


def test_the_own_card_clears_nothing_that_the_customer_may_not(folder: Path) -> None:
    town, card = opened(folder)
    interrupt = encode_number(MessageKind.SWITCH, SwitchAction.INTERRUPT)
    Host(town.meter, town.meter.door.keys(1)).send(MessageKind.SWITCH, parameters=interrupt)
    town.insert(card)
    assert town.meter.state.supply.causes == Cause.REMOTE


def test_a_refused_card_clears_nothing(folder: Path) -> None:
    settings = Settings(low_credit_threshold_2=20 * LEDGER, overdraft_limit=5 * LEDGER)
    town, card = opened(folder, settings=settings, load=Load.constant((10_000_000,)))
    town.meter.advance(2 * HOUR)
    rewrite(town, card, CardType.PURCHASE, message(town, sequence=9))
    town.insert(card)
    assert town.meter.state.supply.state is SupplyState.READY_FOR_RECONNECTION


def test_in_manual_mode_a_card_with_enough_credit_closes_the_switch_itself(folder: Path) -> None:
    settings = Settings(reconnect_mode=ReconnectMode.MANUAL)
    town, card = opened(folder, settings=settings, load=Load.constant((10_000_000,)))
    town.meter.advance(7 * HOUR)
    assert town.meter.state.supply.causes == Cause.CREDIT_EXHAUSTED
    town.sell(card, 5000)
    town.insert(card)
    assert town.meter.state.supply.state is SupplyState.CONNECTED


def test_a_second_insertion_of_an_opening_card_is_the_same_opening(folder: Path) -> None:
    town, card = opened(folder)
    inserted = town.insert(card)
    assert inserted.insertion is not None
    assert inserted.insertion.outcome is Outcome.ALREADY_ACCEPTED
    assert town.meter.state.account.purchases == 1


def test_state_and_binding_survive_a_restart(folder: Path) -> None:
    device = SimulatedNvram()
    town = Town(folder, device)
    card = town.formatted()
    town.open(card)
    town.insert(card)
    town.insert(blank(OTHER), answer=b"")
    again = town.build(device.power_cycle())
    assert again.state.slot == town.meter.state.slot
    assert again.state.slot.bound_card == int.from_bytes(SERIAL, "big")
    assert again.state.slot.illegal_insertions == 1
