"""What an outside auditor found at the counter: revived sales, proofs that are voided, customers
who are stuck.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.token_carriers.card_slot import Inserted
from meterctl.errors import (
    MeterctlError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import Entry, EntryState, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations import card_issuing, card_sales
from meterctl.operations.credit import (
    advance_key_version,
    close_by_hand,
    execute,
    plan,
    resolve,
    withdraw_cards,
)
from meterctl.session import Session
from protocols.card.applet import Card
from protocols.card.files import RETURN_SLOT, CardFile, checked
from protocols.card.insertion import InsertionError
from protocols.keys import derive_meter_keys
from protocols.sealed_message import MessageKind, Outcome
from protocols.sealed_status import SealedStatus, StatusQuestion
from tests.attacks.test_at_the_counter import states
from tests.attacks.test_at_the_slot import back_of, card_of, image
from tests.support.meters import Host
from tests.support.setup import CUSTOMER, METER, OTHER, Contacts, Setup

NEIGHBOUR = "000000000043"


def outcome(inserted: Inserted) -> Outcome | None:
    assert inserted.insertion is not None
    return inserted.insertion.outcome


def error(inserted: Inserted) -> InsertionError | None:
    assert inserted.insertion is not None
    return inserted.insertion.error


def replaced(setup: Setup, serial: bytes = OTHER, **how: Any) -> Card:
    card = setup.formatted(serial)
    with setup.presented(card) as presented:
        card_issuing.plan_replacement(presented, setup.journal, METER, **how).carry_out()
    return card


def topped_up(setup: Setup, cents: int) -> Entry:
    session = setup.session()
    return execute(
        session,
        setup.journal,
        plan(session, setup.journal, MessageKind.CREDIT, cents),
    ).entry


def test_an_opening_that_opens_a_second_storage_is_named(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    chip = SimulatedNvram()
    card = setup.formatted(memory=chip)  # type: ignore[arg-type]
    setup.open(card)
    before = bytes(chip.data)
    setup.insert(card)
    setup.read(card)
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1)
    clone = Card(SimulatedNvram(before), setup.random)
    assert outcome(setup.insert(clone)) is Outcome.ACCEPTED, (
        "METER.md 7: a new storage takes its opening again"
    )
    with pytest.raises(NotPermittedError, match="once more"):
        setup.sell(clone, 1000)


def test_a_voided_sale_that_a_set_back_meter_took_is_named(tmp_path: Path) -> None:
    device = SimulatedNvram()
    setup = Setup(tmp_path, device)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.sell(card, 1000)
    before = bytes(device.data)
    withdraw_cards(setup.session(), setup.journal, erased_only=False)
    setup.meter = setup.build(SimulatedNvram(before))
    assert outcome(setup.insert(card)) is Outcome.ACCEPTED
    with pytest.raises(NotPermittedError, match="which was voided"):
        setup.sell(card, 100)


def test_no_void_spends_a_sequence_that_was_proved(tmp_path: Path) -> None:
    device = SimulatedNvram()
    setup = Setup(tmp_path, device)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.sell(card, 1000)
    before = bytes(device.data)
    setup.insert(card)
    setup.read(card)
    setup.sell(card, 2000)
    setup.meter = setup.build(SimulatedNvram(before))
    with pytest.raises(NotPermittedError, match="set back"):
        withdraw_cards(setup.session(), setup.journal, erased_only=False)
    (resolved,) = resolve(setup.session(), setup.journal)
    assert resolved.entry.state is EntryState.ON_CARD
    assert setup.meter.state.security.credit_sequence == 1, "nothing was voided"
    assert states(setup.journal) == ["confirmed", "confirmed", "on_card"]


def test_a_meter_on_a_port_that_was_set_back_gets_no_card_sale(tmp_path: Path) -> None:
    device = SimulatedNvram()
    setup = Setup(tmp_path, device)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    before = bytes(device.data)
    topped_up(setup, 500)
    setup.meter = setup.build(SimulatedNvram(before))
    with pytest.raises(NotPermittedError, match="set back"):
        setup.sell(card, 100, session=setup.session())


def test_a_sale_under_a_key_is_that_sale_for_ever_and_for_one_meter(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000, reference="k1")
    withdraw_cards(setup.session(), setup.journal, erased_only=False)
    topped_up(setup, 1000)
    with pytest.raises(RefusedError, match="voided"):
        setup.sell(card, 1000, reference="k1")
    neighbour = setup.formatted(OTHER)
    setup.open(neighbour, 100, meter=NEIGHBOUR)
    setup.sell(card, 700, reference="k2", session=setup.session())
    with pytest.raises(
        UsageError, match=r"the journal has it as credit of 7\.00 for meter 000000000042"
    ):
        setup.sell(neighbour, 700, reference="k2")


def test_a_proof_goes_over_what_a_person_said(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    kept = image(card)
    with setup.presented(card) as presented:
        (entry,) = card_issuing.plan_erasure(presented, setup.journal).carry_out()
    close_by_hand(setup.journal, entry, EntryState.REFUSED, setup.now)
    clone = card_of(kept, setup)
    assert outcome(setup.insert(clone)) is Outcome.ACCEPTED
    assert [e.state for e in setup.read(clone)] == [EntryState.CONFIRMED]


def test_a_replacement_that_is_sold_on_at_once_still_binds(setup: Setup, card: Card) -> None:
    setup.read(card)
    new = replaced(setup)
    setup.sell(new, 1000)
    assert error(setup.insert(new)) is None
    assert setup.credit == 4000
    setup.sell(new, 500)
    setup.insert(new)
    assert setup.credit == 4500


def test_a_lost_opening_card_is_replaced_by_one_that_opens(setup: Setup) -> None:
    lost = setup.formatted()
    setup.open(lost)
    new = replaced(setup)
    assert outcome(setup.insert(new)) is Outcome.ACCEPTED
    assert setup.credit == 3000
    assert outcome(setup.insert(lost)) is not Outcome.ACCEPTED
    assert setup.credit == 3000


def test_a_sale_for_a_storage_that_is_gone_can_be_ended(setup: Setup, card: Card) -> None:
    sold = setup.sell(card, 1000)
    setup.meter = setup.build(epoch=0xE9, opened=True, customer_number=CUSTOMER)
    assert error(setup.insert(card)) is InsertionError.METER_NUMBER
    with pytest.raises(NotPermittedError, match="new storage"):
        setup.sell(card, 1000)
    assert withdraw_cards(setup.session(), setup.journal, erased_only=False).entries == []
    assert topped_up(setup, 500).state is EntryState.CONFIRMED, "it stands in nobody's way"
    (left,) = resolve(setup.session(), setup.journal, sold.id)
    assert isinstance(left.error, NotPermittedError)
    assert "this meter cannot prove" in str(left.error), "an epoch that a wire shows is no proof"
    ended = close_by_hand(
        setup.journal,
        setup.journal.entry(sold.id),
        EntryState.REFUSED,
        setup.now,
    )
    assert ended.state is EntryState.REFUSED
    assert "closed_by_hand" in [line.what for line in setup.journal.audit_lines()]


def test_an_opening_and_a_wire_message_are_never_open_together(setup: Setup) -> None:
    card = setup.formatted()
    setup.open(card)
    with pytest.raises(NotPermittedError, match="another entry is open"):
        setup.journal.prepare(METER, 0xE0, 1, "open", 1, b"x", 0)
    setup.journal.prepare(NEIGHBOUR, 0xE0, 1, "open", 1, b"x", 0)
    with pytest.raises(NotPermittedError, match="another entry is open"):
        setup.journal.prepare(NEIGHBOUR, 0, 1, "open", 1, b"y", 0, card=OTHER.hex())


def test_what_another_meter_wrote_does_not_brick_a_card(setup: Setup) -> None:
    card = setup.formatted()
    contacts = Contacts(card)
    contacts.breaks_after = 9
    with pytest.raises(UnknownOutcomeError):
        setup.open(card, transmit=contacts)
    with (
        setup.presented(card) as presented,
        pytest.raises(NotPermittedError, match="carries 30"),
    ):
        card_issuing.plan_service(presented, setup.journal, NEIGHBOUR).carry_out()
    setup.open(card)
    assert setup.insert(card).display == "30.00"


def test_a_card_whose_write_back_nobody_believes_can_be_erased(setup: Setup, card: Card) -> None:
    setup.sell(card, 100)
    setup.insert(card)
    content = bytearray(card.state.files[3])
    content[60] ^= 1
    forged = checked(bytes(content[: RETURN_SLOT - 4]))
    card._memory.commit(card.state.with_file(CardFile.RETURN, forged + bytes(RETURN_SLOT)))
    with setup.presented(card) as presented:
        card_issuing.plan_erasure(presented, setup.journal).carry_out()
    assert not any(card.state.file(CardFile.RETURN))
    assert not any(card.state.file(CardFile.IDENTITY))


def test_the_replacement_of_an_erased_sale_is_a_sale_again(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    with setup.presented(card) as presented:
        card_issuing.plan_erasure(presented, setup.journal).carry_out()
    new = replaced(setup)
    entry = setup.journal.open_entries(METER)[-1]
    assert (entry.state, entry.outcome, entry.card) == (EntryState.ON_CARD, "", OTHER.hex())
    assert withdraw_cards(setup.session(), setup.journal, erased_only=True).entries == []
    setup.insert(new)
    assert setup.credit == 4000


def test_nothing_is_sold_to_an_account_that_is_not_open(setup: Setup, card: Card) -> None:
    setup.read(card)
    Host(setup.meter, setup.meter.authenticator.keys(1)).send(MessageKind.CLOSE)
    setup.insert(card)
    with pytest.raises(RefusedError, match="account is closed"):
        setup.sell(card, 100)


def test_a_key_change_between_a_sale_and_its_insertion_proves_the_sale_dead(tmp_path: Path) -> None:
    masters = {1: bytes(16), 2: bytes(range(1, 17))}
    setup = Setup(tmp_path, masters=masters)
    whole, setup.ring = setup.ring, KeyRing({1: masters[1]}, setup.ring.path)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.sell(card, 1000)
    setup.ring = whole
    newer = derive_meter_keys(masters[2], METER, 2)
    Host(setup.meter, newer).send(MessageKind.CLEAR_EVENTS)
    assert error(setup.insert(card)) is InsertionError.NOT_AUTHORISED
    assert back_of(card).outcome == Outcome.UNKNOWN_KEY_VERSION
    assert (back_of(card).key_version, back_of(card).meter_key_version) == (2, 2)
    with setup.presented(card) as presented:
        card_sales.sell(presented, setup.journal, 500)
        assert any("10.00 is owed to the customer" in notice for notice in presented.notices)
    assert [(e.state.value, e.outcome, e.key_version) for e in setup.journal.entries()] == [
        ("confirmed", "accepted", 1),
        ("refused", "unknown_key_version", 1),
        ("on_card", "", 2),
    ]
    assert outcome(setup.insert(card)) is Outcome.ACCEPTED
    assert setup.credit == 3500


def test_a_card_put_in_again_after_a_key_change_is_written_back_again(tmp_path: Path) -> None:
    masters = {1: bytes(16), 2: bytes(range(1, 17))}
    setup = Setup(tmp_path, masters=masters)
    whole, setup.ring = setup.ring, KeyRing({1: masters[1]}, setup.ring.path)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.sell(card, 1000)
    setup.ring = whole
    contacts = Contacts(card)
    contacts.breaks_after = 10  # the credit is in, the write-back is not
    setup.insert(card, contacts)
    Host(setup.meter, derive_meter_keys(masters[2], METER, 2)).send(MessageKind.CLEAR_EVENTS)
    assert outcome(setup.insert(card)) is Outcome.ALREADY_ACCEPTED
    assert [entry.state for entry in setup.read(card)] == [EntryState.CONFIRMED]
    assert setup.credit == 4000


def test_a_write_back_below_the_floor_of_key_versions_proves_nothing(tmp_path: Path) -> None:
    masters = {1: bytes(16), 2: bytes(range(1, 17))}
    setup = Setup(tmp_path, masters=masters)
    whole, setup.ring = setup.ring, KeyRing({1: masters[1]}, setup.ring.path)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.ring = whole
    session = setup.session()
    with pytest.raises(NotPermittedError, match="unconsumed"):
        advance_key_version(session, setup.journal, session.identify())
    other = Journal(tmp_path / "other.sqlite")
    advance_key_version(session, other, session.identify())
    setup.journal.proofs.note_status(*_asked(session, setup.journal))
    with pytest.raises(NotPermittedError, match=r"has passed it \(2\): it proves nothing"):
        setup.read(card)
    assert states(setup.journal) == ["on_card"]
    setup.insert(card)
    assert [entry.state for entry in setup.read(card)] == [EntryState.CONFIRMED]


def _asked(session: Session, journal: Journal) -> tuple[SealedStatus, bytes]:
    sealed = session.driver.status(StatusQuestion(bytes(8), journal.number, 2))
    return SealedStatus.decode(sealed), sealed


def test_a_replacement_speaks_the_meters_key_version(tmp_path: Path) -> None:
    setup = Setup(tmp_path, masters={1: bytes(16)})
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    ring = setup.ring
    setup.ring = type(ring)({**ring.masters, 2: bytes(range(1, 17))}, ring.path)
    assert error(setup.insert(replaced(setup))) is None


def test_a_lost_card_that_is_found_neither_sells_nor_binds(setup: Setup, card: Card) -> None:
    setup.read(card)
    setup.now += 60
    new = replaced(setup)
    setup.insert(new)
    with pytest.raises(NotPermittedError, match="was replaced by card"):
        setup.sell(card, 100)
    assert error(setup.insert(card)) is InsertionError.CARD_SERIAL
    setup.now += 60
    third = replaced(setup, bytes.fromhex("0303030303030303"))
    setup.insert(third)
    assert error(setup.insert(new)) is InsertionError.CARD_SERIAL, (
        "an older replacement does not push out a newer"
    )
    assert setup.meter.state.slot.bound_card == 0x0303030303030303


@pytest.mark.parametrize("breaks_after", range(3, 40, 3))
def test_a_replacement_that_breaks_off_does_not_say_that_nothing_was_changed(
    setup: Setup, card: Card, breaks_after: int
) -> None:
    setup.sell(card, 1000)
    new = setup.formatted(OTHER)
    contacts = Contacts(new)
    contacts.breaks_after = breaks_after
    before = new.state.files
    with setup.presented(new, contacts) as presented:
        told: MeterctlError | None = None
        try:
            card_issuing.plan_replacement(presented, setup.journal, METER).carry_out()
        except MeterctlError as error:
            told = error
    if told is not None and "nothing was changed" in str(told):
        assert new.state.files == before
    with setup.presented(new) as presented:
        card_issuing.plan_replacement(presented, setup.journal, METER).carry_out()
    setup.insert(new)
    assert setup.credit == 4000
