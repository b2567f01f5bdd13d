"""The card slot: the 21 insertion errors with their display groups, binding, causes cleared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.metrology.load import Load
from firmware_sim.requests import LosePhase
from firmware_sim.settings import Settings
from firmware_sim.token_carriers.card_slot import Inserted
from meterctl.operations.card.issuing import plan_replacement, plan_service
from protocols.card.applet import Card
from protocols.card.files import CardFile, CardIdentity, CardType, CreditRecord
from protocols.card.issuing import bind
from protocols.card.keys import derive_card_keys, meter_access_of
from protocols.card.memory import StoredKey
from protocols.card.terminal import Terminal, drive
from protocols.card.write_back import WriteBack, split_write_back, verify_write_back
from protocols.control import CutPower
from protocols.data_model.insertion import InsertionError
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
from tests.support.setup import (
    CUSTOMER,
    MASTER,
    METER,
    OTHER,
    SERIAL,
    Contacts,
    Setup,
    blank,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    made = Setup(tmp_path)
    yield made
    made.journal.close()


def opened(folder: Path, **description: Any) -> tuple[Setup, Card]:
    """Return a setup whose meter was opened with 30.00 by its card, and the card."""
    setup = Setup(folder, **description)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    return setup, card


def refused(inserted: Inserted, error: InsertionError, display: str) -> None:
    assert inserted.insertion is not None
    assert inserted.insertion.error is error
    assert inserted.display == display == error.display


def rewrite(setup: Setup, card: Card, kind: CardType, message: bytes, number: int = 90) -> None:
    """Write a sale into the memory of a card, without the terminal, and clear its write-back."""
    slot = CreditRecord(kind, number, message).encode()
    state = card.state.with_file(CardFile.CREDIT, slot + bytes(len(slot))).with_file(
        CardFile.RETURN, bytes(480)
    )
    card._memory.commit(state)


def message(setup: Setup, **fields: Any) -> bytes:
    """Return a sealed credit transfer with the meter's next sequence."""
    keys = setup.meter.authenticator.keys(1)
    assert keys is not None
    return Host(setup.meter, keys).seal(
        fields.pop("kind", MessageKind.CREDIT), **{"amount": 100, **fields}
    )


def test_01_voltage_low(folder: Path) -> None:
    setup, card = opened(folder)
    setup.meter.handle(LosePhase(0, True))
    refused(setup.insert(card), InsertionError.VOLTAGE_LOW, "Err-31")


def test_02_the_security_module_refuses_to_write(folder: Path) -> None:
    device = SimulatedNvram()
    setup = Setup(folder, device)
    card = setup.formatted()
    setup.open(card)
    device.full = True
    refused(setup.insert(card), InsertionError.SECURITY_MODULE_ACCESS, "Err-31")
    assert card.state.file(CardFile.RETURN) == bytes(480), "the card is unused"


def test_03_a_security_module_without_card_keys(folder: Path) -> None:
    setup, card = opened(folder)
    keys = setup.meter.authenticator.keys(1)
    assert keys is not None
    bare = setup.build(keys={1: replace(keys, card=b"")})
    refused(setup.insert(card, meter=bare), InsertionError.SECURITY_MODULE_RESET, "Err-31")


@pytest.mark.parametrize("answer", [b"", b"\x00", b"\x3b\x85\x80\x01PPC1\x01\x00", bytes(40)])
def test_04_a_foreign_object_or_a_reversed_card(setup: Setup, answer: bytes) -> None:
    card = setup.formatted()
    refused(setup.insert(card, answer=answer), InsertionError.CARD_RESET, "Err-32")
    assert setup.meter.state.slot.illegal_insertions == 1


def test_05_a_card_without_the_meters_key(folder: Path) -> None:
    setup, card = opened(folder)
    state = card.state
    card._memory.commit(replace(state, keys=(*state.keys[:2], StoredKey())))
    refused(setup.insert(card), InsertionError.CARD_AUTHENTICATION, "Err-32")


def test_06_a_card_that_knows_another_key(folder: Path) -> None:
    setup, card = opened(folder)
    state = card.state
    card._memory.commit(replace(state, keys=(*state.keys[:2], StoredKey(bytes(16), 1, True))))
    refused(setup.insert(card), InsertionError.METER_AUTHENTICATION, "Err-32")


def test_07_blank_unbound_and_foreign_cards(setup: Setup) -> None:
    refused(setup.insert(blank(OTHER)), InsertionError.CARD_NOT_ISSUED, "Err-32")
    refused(setup.insert(setup.formatted()), InsertionError.CARD_NOT_ISSUED, "Err-32")
    contacts = Contacts(setup.formatted(OTHER))
    contacts.change = lambda response: b"\x6a\x82"
    refused(setup.insert(contacts.card, contacts), InsertionError.CARD_NOT_ISSUED, "Err-32")


def test_08_an_unknown_type_of_card(folder: Path) -> None:
    from protocols.card.files import checked

    setup, card = opened(folder)
    slot = CreditRecord(CardType.PURCHASE, 9, b"").encode()
    other = checked(slot[:1] + b"\x0b" + slot[2:-4])
    card._memory.commit(card.state.with_file(CardFile.CREDIT, other + bytes(len(other))))
    refused(setup.insert(card), InsertionError.CARD_TYPE, "Err-32")


def test_09_a_key_version_that_the_meter_does_not_have(folder: Path) -> None:
    setup, card = opened(folder)
    keys = derive_card_keys(MASTER, SERIAL, 1)
    terminal = Terminal(setup.random)
    card.power_on()
    drive(terminal.select(), card.apdu)
    access = meter_access_of(MASTER, METER, SERIAL, 7)
    drive(bind(terminal, keys, CardIdentity(METER, CUSTOMER, 7), access), card.apdu)
    refused(setup.insert(card), InsertionError.NOT_AUTHORISED, "Err-32")


def test_10_a_sealed_transfer_with_a_wrong_code(folder: Path) -> None:
    setup, card = opened(folder)
    forged = bytearray(message(setup))
    forged[-1] ^= 1
    rewrite(setup, card, CardType.PURCHASE, bytes(forged))
    refused(setup.insert(card), InsertionError.CODE_WRONG, "Err-32")
    assert card.state.file(CardFile.RETURN) == bytes(480)


def test_10_five_wrong_codes_suspend_the_card_carrier_and_not_the_wire(folder: Path) -> None:
    setup, card = opened(folder)
    forged = bytearray(message(setup))
    forged[-1] ^= 1
    rewrite(setup, card, CardType.PURCHASE, bytes(forged))
    for _ in range(6):
        refused(setup.insert(card), InsertionError.CODE_WRONG, "Err-32")
    assert "authentication_attack" in event_names(setup.meter)
    inserted = setup.insert(card)
    assert inserted.insertion is not None
    assert inserted.insertion.outcome is Outcome.SUSPENDED
    assert (
        Host(setup.meter, setup.meter.authenticator.keys(1))
        .send(MessageKind.CREDIT, amount=1)
        .outcome
        is Outcome.ACCEPTED
    )


def test_11_a_card_of_another_meter_and_of_another_life_of_this_one(folder: Path) -> None:
    setup, card = opened(folder)
    neighbour = setup.build(serial_number="000000000043")
    refused(setup.insert(card, meter=neighbour), InsertionError.METER_NUMBER, "Err-33")
    setup.sell(card, 100)
    reborn = setup.build(epoch=0xE5, opened=True, customer_number=CUSTOMER)
    inserted = setup.insert(card, meter=reborn)
    refused(inserted, InsertionError.METER_NUMBER, "Err-33")
    assert inserted.written_back, "the vendor learns of the new epoch"


def test_12_a_card_of_another_customer(folder: Path) -> None:
    setup, card = opened(folder)
    moved = setup.build(opened=True, customer_number="000000002002")
    refused(setup.insert(card, meter=moved), InsertionError.CUSTOMER_NUMBER, "Err-33")


def test_13_a_purchase_card_that_is_not_the_bound_one(folder: Path) -> None:
    setup, card = opened(folder)
    setup.sell(card, 100)
    setup.meter.state.slot.bound_card = int.from_bytes(OTHER, "big")
    refused(setup.insert(card), InsertionError.CARD_SERIAL, "Err-33")


def test_14_a_transfer_that_cannot_be_read_or_is_in_another_unit(folder: Path) -> None:
    setup, card = opened(folder)
    for data in (
        b"\x01\x02\x03",
        message(setup, account_unit=978),
        message(setup, version=9),
        Host(setup.meter, setup.meter.authenticator.keys(1)).seal(MessageKind.CLEAR_EVENTS),
    ):
        rewrite(setup, card, CardType.PURCHASE, data)
        refused(setup.insert(card), InsertionError.FILE_FORMAT, "Err-34")


@pytest.mark.parametrize("first", [0, 1, 3, 0x42, 0x82, 0xFF])
def test_14_a_transfer_of_another_format_is_named_whatever_follows(
    folder: Path, first: int
) -> None:
    setup, card = opened(folder)
    former_credit = message(setup, version=1)
    former_command = message(setup, kind=MessageKind.CLEAR_EVENTS, amount=0, version=1)
    for rest in (message(setup)[1:], former_credit[1:], former_command[1:], b"", b"x" * 60):
        rewrite(setup, card, CardType.PURCHASE, bytes((first,)) + rest)
        inserted = setup.insert(card)
        refused(inserted, InsertionError.FILE_FORMAT, "Err-34")
        assert inserted.insertion is not None
        assert inserted.insertion.outcome is Outcome.UNSUPPORTED_VERSION
        assert not inserted.written_back, "the card stays as it was sold"
    assert setup.credit == 3000


def test_14_a_credit_transfer_that_expires_and_a_command_in_its_place_are_malformed(
    folder: Path,
) -> None:
    setup, card = opened(folder)
    command = Host(setup.meter, setup.meter.authenticator.keys(1)).seal(MessageKind.CLEAR_EVENTS)
    for data in (message(setup, expires_at=10**9), command):
        rewrite(setup, card, CardType.PURCHASE, data)
        inserted = setup.insert(card)
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
    setup: Setup, kind: CardType, error: InsertionError
) -> None:
    card = setup.formatted()
    setup.open(card)
    rewrite(setup, card, kind, message(setup))
    refused(setup.insert(card), error, "Err-34")
    assert not setup.meter.state.account.is_open


def test_15_a_purchase_card_in_a_closed_account(folder: Path) -> None:
    setup, card = opened(folder)
    setup.sell(card, 100)
    Host(setup.meter, setup.meter.authenticator.keys(1)).send(MessageKind.CLOSE)
    rewrite(setup, card, CardType.PURCHASE, message(setup))
    refused(setup.insert(card), InsertionError.PURCHASE_CARD_UNOPENED, "Err-34")


def test_17_counts_that_do_not_follow(folder: Path) -> None:
    setup, card = opened(folder)
    for fields in ({"sequence": 3}, {"sequence": 1, "amount": 9}, {"kind": MessageKind.OPEN}):
        rewrite(setup, card, CardType.PURCHASE, message(setup, **fields))
        inserted = setup.insert(card)
        refused(inserted, InsertionError.COUNT, "Err-34")
        assert inserted.written_back
    other = SealedMessage(MessageKind.OPEN, METER, 0, 1, 5, 156, CUSTOMER, key_version=1)
    rewrite(
        setup,
        card,
        CardType.OPEN,
        other.seal(setup.meter.authenticator.keys(1).credit),
    )  # type: ignore[union-attr]
    refused(setup.insert(card), InsertionError.COUNT, "Err-34")


def test_18_a_new_sale_with_the_write_back_still_standing(folder: Path) -> None:
    setup, card = opened(folder)
    rewrite(setup, card, CardType.PURCHASE, message(setup, sequence=3))
    setup.insert(card)  # a COUNT error makes a write-back
    kept = card.state.file(CardFile.RETURN)
    rewrite(setup, card, CardType.PURCHASE, message(setup))
    card._memory.commit(card.state.with_file(CardFile.RETURN, kept))
    inserted = setup.insert(card)
    refused(inserted, InsertionError.WRITE_BACK_NOT_EMPTY, "Err-34")
    assert not inserted.written_back, "what it brings back is still to be read"
    assert card.state.file(CardFile.RETURN) == kept
    assert setup.credit == 3000
    refused(setup.insert(card), InsertionError.WRITE_BACK_NOT_EMPTY, "Err-34")


def test_19_a_card_that_answers_what_it_should_not(folder: Path) -> None:
    setup, card = opened(folder)
    contacts = Contacts(card)
    contacts.change = lambda response: b"\x6f\x00" if contacts.count == 2 else response
    refused(setup.insert(card, contacts), InsertionError.COMMUNICATION, "Err-35")


@pytest.mark.parametrize("breaks_after", range(10))
def test_20_a_card_that_is_pulled_before_its_credit_was_taken(
    folder: Path, breaks_after: int
) -> None:
    setup, card = opened(folder)
    setup.sell(card, 100)
    contacts = Contacts(card)
    contacts.breaks_after = breaks_after
    refused(setup.insert(card, contacts), InsertionError.PULLED_EARLY, "Err-35")
    assert setup.credit == 3000
    setup.insert(card)
    assert setup.credit == 3100


def test_21_a_sale_beyond_the_hoarding_limit_leaves_the_card_unused(folder: Path) -> None:
    setup, card = opened(folder, settings=Settings(max_credit=35 * LEDGER))
    setup.sell(card, 501)
    refused(setup.insert(card), InsertionError.EXCEEDS_MAX_CREDIT, "Err-36")
    assert card.state.file(CardFile.RETURN) == bytes(480)
    assert setup.meter.state.security.credit_sequence == 1
    Host(setup.meter, setup.meter.authenticator.keys(1)).send(
        MessageKind.LIMITS, parameters=encode_limits({4: 36 * LEDGER})
    )
    setup.insert(card)
    assert setup.credit == 3501


def test_there_are_21_errors_in_six_groups() -> None:
    assert [int(error) for error in InsertionError] == list(range(1, 22))
    groups = [error.display for error in InsertionError]
    assert [groups.count(f"Err-{n}") for n in range(31, 37)] == [3, 7, 3, 5, 2, 1]


def test_every_insertion_is_an_event_with_the_cards_serial(folder: Path) -> None:
    setup, card = opened(folder)
    setup.meter.state.slot.bound_card = int.from_bytes(OTHER, "big")
    setup.sell(card, 100)
    setup.insert(card)
    last = events(setup.meter)[-1]
    assert last.name == "card_refused"
    assert last.detail_fragments() == {"card": f'"{SERIAL.hex()}"', "error": '"card_serial"'}
    high = setup.formatted(bytes.fromhex("ff22334455667788"))
    setup.insert(high)
    assert events(setup.meter)[-1].detail_fragments()["card"] == '"ff22334455667788"'


def test_a_meter_without_power_shows_nothing_and_touches_nothing(folder: Path) -> None:
    setup, card = opened(folder)
    setup.sell(card, 100)
    setup.meter.handle(CutPower())
    inserted = setup.insert(card)
    assert (inserted.insertion, inserted.display) == (None, "")
    assert setup.credit == 3000


def test_a_card_binds_where_none_is_bound_and_never_over_another(folder: Path) -> None:
    setup = Setup(folder, opened=True, customer_number=CUSTOMER)
    card = setup.formatted()
    with setup.presented(card) as presented:
        plan_replacement(setup.case(presented, setup.session()), METER).carry_out()
    setup.sell(card, 100, session=setup.session())
    rewrite(setup, card, CardType.PURCHASE, message(setup))
    assert setup.insert(card).display == "21.00"
    assert setup.meter.state.slot.bound_card == int.from_bytes(SERIAL, "big")
    assert "card_bound" in event_names(setup.meter)


def test_a_service_card_brings_back_how_the_meter_stands_and_changes_nothing(folder: Path) -> None:
    setup, _ = opened(folder)
    service = setup.formatted(OTHER)
    with setup.presented(service) as presented:
        plan_service(setup.case(presented), METER).carry_out()
    before = setup.meter.state.account
    inserted = setup.insert(service)
    assert inserted.insertion is not None
    assert (inserted.insertion.error, inserted.insertion.outcome) == (None, None)
    with setup.presented(service) as presented:
        back = presented.read().back
    assert back is not None
    assert (back.credit, back.epoch, back.credit_sequence) == (30 * LEDGER, 0xE0, 1)
    assert setup.meter.state.account == before
    assert setup.meter.state.slot.bound_card == int.from_bytes(SERIAL, "big")


def write_back_of(card: Card) -> tuple[bytes, WriteBack]:
    """Return the newest write-back of a card."""
    slot = split_write_back(card.state.file(CardFile.RETURN)).newest
    assert slot is not None
    assert len(slot) == 240
    return slot, WriteBack.decode(slot)


def bound_under(setup: Setup, card: Card, version: int) -> None:
    """Bind a card of version 1 to the meter under another version of its keys."""
    terminal = Terminal(setup.random)
    card.power_on()
    drive(terminal.select(), card.apdu)
    access = meter_access_of(MASTER, METER, SERIAL, version)
    identity = CardIdentity(METER, CUSTOMER, version, card_issued_at(card))
    drive(bind(terminal, derive_card_keys(MASTER, SERIAL, 1), identity, access), card.apdu)
    card.power_off()


def card_issued_at(card: Card) -> int:
    """Return the issue instant of a card."""
    return CardIdentity.decode(card.state.file(CardFile.IDENTITY)).issued_at


@pytest.mark.parametrize(("bound", "current"), [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)])
def test_a_write_back_is_sealed_under_the_meters_current_version_whatever_the_card_was_bound_under(
    folder: Path, bound: int, current: int
) -> None:
    device = SimulatedNvram()
    setup = Setup(folder, device)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    keys = {version: derive_meter_keys(MASTER, METER, version) for version in (1, 2, 3)}
    meter = setup.build(device.power_cycle(), keys=keys)
    if current == 2:
        assert Host(meter, keys[2]).send(MessageKind.CLEAR_DEMAND).outcome is Outcome.ACCEPTED
    if bound != 1:
        bound_under(setup, card, bound)
    inserted = setup.insert(card, meter=meter)
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
    setup = Setup(folder, device)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    keys = {version: derive_meter_keys(MASTER, METER, version) for version in (1, 2)}
    meter = setup.build(device.power_cycle(), keys=keys)
    rewrite(
        setup,
        card,
        CardType.PURCHASE,
        Host(meter, keys[2]).seal(MessageKind.CREDIT, amount=100),
    )
    assert setup.insert(card, meter=meter).written_back
    slot, back = write_back_of(card)
    assert (back.outcome, back.key_version) == (Outcome.ACCEPTED, 2)
    verify_write_back(slot, keys[2].card)


def test_a_write_back_names_energy_and_elapsed_of_a_flushed_commit(folder: Path) -> None:
    device = SimulatedNvram()
    setup = Setup(folder, device, load=Load.constant((2_000_000,)))
    card = setup.formatted()
    setup.open(card)
    setup.meter.advance(HOUR)
    setup.insert(card)
    _, back = write_back_of(card)
    assert (back.elapsed_ms, back.energy_mwh) == (HOUR, 2_000_000)
    again = setup.build(device.power_cycle(lambda _: False))
    assert (again.lasting.elapsed_ms, again.lasting.import_mwh) == (HOUR, 2_000_000)


@pytest.mark.parametrize("mode", list(ReconnectMode))
def test_the_own_card_clears_a_reminder_like_the_button(folder: Path, mode: ReconnectMode) -> None:
    settings = Settings(
        low_credit_threshold_2=20 * LEDGER, overdraft_limit=5 * LEDGER, reconnect_mode=mode
    )
    setup, card = opened(folder, settings=settings, load=Load.constant((10_000_000,)))
    setup.meter.advance(2 * HOUR)
    assert setup.meter.state.supply.state is SupplyState.READY_FOR_RECONNECTION
    setup.insert(card)
    assert setup.meter.state.supply.state is SupplyState.CONNECTED
    assert '"card"' in events(setup.meter)[-1].detail_fragments().values()


def test_the_own_card_clears_nothing_that_the_customer_may_not(folder: Path) -> None:
    setup, card = opened(folder)
    interrupt = encode_number(MessageKind.SWITCH, SwitchAction.INTERRUPT)
    Host(setup.meter, setup.meter.authenticator.keys(1)).send(
        MessageKind.SWITCH, parameters=interrupt
    )
    setup.insert(card)
    assert setup.meter.state.supply.causes == Cause.REMOTE


def test_a_refused_card_clears_nothing(folder: Path) -> None:
    settings = Settings(low_credit_threshold_2=20 * LEDGER, overdraft_limit=5 * LEDGER)
    setup, card = opened(folder, settings=settings, load=Load.constant((10_000_000,)))
    setup.meter.advance(2 * HOUR)
    rewrite(setup, card, CardType.PURCHASE, message(setup, sequence=9))
    setup.insert(card)
    assert setup.meter.state.supply.state is SupplyState.READY_FOR_RECONNECTION


def test_in_manual_mode_a_card_with_enough_credit_closes_the_switch_itself(folder: Path) -> None:
    settings = Settings(reconnect_mode=ReconnectMode.MANUAL)
    setup, card = opened(folder, settings=settings, load=Load.constant((10_000_000,)))
    setup.meter.advance(7 * HOUR)
    assert setup.meter.state.supply.causes == Cause.CREDIT_EXHAUSTED
    setup.sell(card, 5000)
    setup.insert(card)
    assert setup.meter.state.supply.state is SupplyState.CONNECTED


def test_a_second_insertion_of_an_opening_card_is_the_same_opening(folder: Path) -> None:
    setup, card = opened(folder)
    inserted = setup.insert(card)
    assert inserted.insertion is not None
    assert inserted.insertion.outcome is Outcome.ALREADY_ACCEPTED
    assert setup.meter.state.account.purchases == 1


def test_state_and_binding_survive_a_restart(folder: Path) -> None:
    device = SimulatedNvram()
    setup = Setup(folder, device)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.insert(blank(OTHER), answer=b"")
    again = setup.build(device.power_cycle())
    assert again.state.slot == setup.meter.state.slot
    assert again.state.slot.bound_card == int.from_bytes(SERIAL, "big")
    assert again.state.slot.illegal_insertions == 1
