"""Attacks at the vending point: sold twice, torn, pulled, forged, rolled back, over the limit."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.metrology.load import Load
from firmware_sim.requests import Sealed
from meterctl.errors import MeterctlError, NoAnswerError, NotPermittedError, UnknownOutcomeError
from meterctl.journal import EntryState, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations import card_issuing
from meterctl.operations.credit import execute, plan, resolve, withdraw_cards
from protocols.card.applet import Card
from protocols.card.files import (
    CREDIT_SLOT,
    RETURN_SLOT,
    CardFile,
    CreditRecord,
    checked,
    split_credit,
)
from protocols.card.write_back import WriteBack, split_write_back
from protocols.data_model.words import Carrier
from protocols.keys import CARD_LABEL, derive_key
from protocols.quantities import HOUR, LEDGER
from protocols.sealed_message import MessageKind, Outcome, SealedMessage
from tests.support.meters import Host
from tests.support.town import MASTER, METER, OTHER, Contacts, Town


def carried(card: Card) -> bytes:
    slot = split_credit(card.state.file(CardFile.CREDIT)).newest
    assert slot is not None
    return CreditRecord.decode(slot).message


def states(journal: Journal) -> list[str]:
    return [entry.state.value for entry in journal.entries() if entry.kind != "void"]


def test_row_06_no_second_sale_while_one_is_unconsumed_on_any_card(town: Town, card: Card) -> None:
    town.sell(card, 1000)
    for cents in (1000, 2000):
        with pytest.raises(NotPermittedError, match="unconsumed"):
            town.sell(card, cents)
    other = town.formatted(OTHER)
    with pytest.raises(NotPermittedError, match="unconsumed"):
        town.open(other, 500)
    with pytest.raises(NotPermittedError, match=r"carries 10\.00"):
        plan(town.session(), town.journal, MessageKind.CREDIT, 700)
    assert states(town.journal) == ["confirmed", "on_card"]


def test_row_06_the_journal_itself_holds_one_live_sale_a_sequence(town: Town, card: Card) -> None:
    entry = town.sell(card, 1000)
    with pytest.raises(NotPermittedError, match="taken"):
        town.journal.prepare(METER, entry.epoch, entry.sequence, "credit", 2000, b"", 0, card="x")


@pytest.mark.parametrize("breaks_after", range(30))
def test_row_08_and_11_a_card_that_is_pulled_at_any_command_of_a_sale_is_finished_once(
    town: Town, card: Card, breaks_after: int
) -> None:
    town.read(card)
    contacts = Contacts(card)
    contacts.breaks_after = breaks_after
    told: MeterctlError | None = None
    try:
        town.sell(card, 1000, contacts)
    except (NoAnswerError, UnknownOutcomeError) as error:
        told = error
    assert (told is not None) is contacts.broke
    assert isinstance(told, UnknownOutcomeError) is (
        contacts.broke and bool(town.journal.open_entries(METER))
    )
    if town.journal.open_entries(METER):
        with pytest.raises(NotPermittedError, match="unconsumed"):
            town.sell(card, 900)
        with contextlib.suppress(NotPermittedError):  # it was whole
            assert town.sell(card, 1000).id == town.journal.entries()[-1].id
    else:
        town.sell(card, 1000)
    assert states(town.journal) == ["confirmed", "on_card"]
    inserted = town.insert(card)
    assert inserted.insertion is not None
    assert inserted.insertion.outcome is Outcome.ACCEPTED
    assert town.credit == 4000
    assert [entry.state for entry in town.read(card)] == [EntryState.CONFIRMED]


@pytest.mark.parametrize("breaks_after", range(8, 11))
def test_row_09_a_card_that_is_pulled_before_its_write_back_settles_at_the_next_insertion(
    town: Town, card: Card, breaks_after: int
) -> None:
    town.sell(card, 1000)
    contacts = Contacts(card)
    contacts.breaks_after = breaks_after
    town.insert(card, contacts)
    with pytest.raises(NotPermittedError, match="unconsumed"):
        town.sell(card, 500)
    town.insert(card)
    assert town.credit == 4000
    town.sell(card, 500)
    town.insert(card)
    assert town.credit == 4500
    assert town.meter.state.account.purchases == 3


def test_row_12_a_meter_that_was_set_back_is_named_at_the_next_write_back(tmp_path: Path) -> None:
    device = SimulatedNvram()
    town = Town(tmp_path, device, load=Load.constant((1_000_000,)))
    card = town.formatted()
    town.open(card)
    town.insert(card)
    dump = bytes(device.data)
    town.meter.advance(HOUR)
    town.sell(card, 1000)
    town.insert(card)
    town.sell(card, 500)  # the write-back of the sale before was read and agreed
    town.meter = town.build(SimulatedNvram(dump))
    inserted = town.insert(card)
    assert inserted.display == "Err-34", "the count is two ahead"
    with pytest.raises(NotPermittedError, match="set back"):
        town.sell(card, 500)
    assert [line.what for line in town.journal.audit_lines()][-1] == "mismatch"


def test_row_12_credit_that_the_journal_never_sold_is_named(town: Town, card: Card) -> None:
    keys = town.meter.door.keys(1)
    Host(town.meter, keys).send(MessageKind.VOID)
    town.journal.prepare(METER, 0xE0, 2, "void", 0, b"", 0)
    town.journal.settle(town.journal.entries()[-1], EntryState.CONFIRMED, "accepted", 0)
    town.sell(card, 100, session=town.session())
    town.meter.state.account.cumulative += 777 * LEDGER
    town.insert(card)
    with pytest.raises(
        NotPermittedError, match=r"it has taken 808\.00 in all, the journal has sold it 31\.00"
    ):
        town.sell(card, 100)


def test_row_14_the_bytes_of_a_card_are_taken_once_whatever_carries_them(
    town: Town, card: Card
) -> None:
    town.sell(card, 1000)
    captured = carried(card)
    wire = town.meter.handle(Sealed(captured, Carrier.WIRE))
    assert wire is not None
    assert wire.answer is not None
    assert wire.answer.outcome is Outcome.ACCEPTED
    for _ in range(2):
        again = Host(town.meter).deliver(captured)
        assert again.outcome is Outcome.ALREADY_ACCEPTED
    inserted = town.insert(card)
    assert inserted.insertion is not None
    assert inserted.insertion.outcome is Outcome.ALREADY_ACCEPTED
    assert town.credit == 4000
    assert [entry.state for entry in town.read(card)] == [EntryState.CONFIRMED]


def test_row_15_a_man_on_the_bus_can_change_no_bit_of_a_sale(town: Town, card: Card) -> None:
    town.sell(card, 1000)
    message = carried(card)
    for bit in range(0, len(message) * 8, 5):
        changed = bytearray(message)
        changed[bit // 8] ^= 1 << bit % 8
        assert not Host(town.meter).deliver(bytes(changed)).outcome.applied
    assert town.credit == 3000
    assert Host(town.meter).deliver(message).outcome is Outcome.ACCEPTED


def test_row_20_a_key_ring_has_a_daily_limit_and_what_passes_it_is_audited(
    town: Town, card: Card
) -> None:
    town.ring = replace(town.ring, daily_limit=4500)
    town.sell(card, 1500)
    town.insert(card)
    town.read(card)
    with pytest.raises(
        NotPermittedError, match=r"0\.01 would pass the daily limit: 45\.00 sold today"
    ):
        town.sell(card, 1)
    with pytest.raises(NotPermittedError, match="daily limit"):
        plan(town.session(), town.journal, MessageKind.CREDIT, 1)
    limited = replace(town.session(), now=lambda: town.now)
    planned = plan(
        replace(limited, ring=replace(town.ring, daily_limit=None)),
        town.journal,
        MessageKind.CREDIT,
        2,
    )
    with pytest.raises(
        NotPermittedError, match="daily limit"
    ):  # another sale went between the plan and its execution
        execute(limited, town.journal, planned)
    refused = [line for line in town.journal.audit_lines() if line.what == "over_daily_limit"]
    assert [(line.amount, line.card) for line in refused] == [
        (1, card.state.serial.hex()),
        (1, ""),
        (2, ""),
    ]
    assert states(town.journal) == ["confirmed", "confirmed"], (
        "nothing was written of what was refused"
    )
    town.now += 86_400
    town.sell(card, 4500)
    assert states(town.journal)[-1] == "on_card", "another day"


def test_row_20_another_ring_has_a_limit_of_its_own(town: Town) -> None:
    one, other = KeyRing({1: MASTER}), KeyRing({1: bytes(16)})
    assert one.name != other.name
    assert MASTER.hex() not in one.name


@pytest.mark.parametrize("at", [2, 30, 45, 60, 75, 90, 115, 130, 200, 220, 229])
def test_row_21_an_edited_write_back_is_refused_and_nothing_is_sold(
    town: Town, card: Card, at: int
) -> None:
    town.sell(card, 1000)
    town.insert(card)
    slot = bytearray(split_write_back(card.state.file(CardFile.RETURN)).newest or b"")
    slot[at] ^= 1
    forged = checked(bytes(slot[:-4]))
    card._memory.commit(card.state.with_file(CardFile.RETURN, forged + bytes(RETURN_SLOT)))
    with pytest.raises(NotPermittedError, match="forged"):
        town.sell(card, 500)
    assert states(town.journal) == ["confirmed", "on_card"]


def test_row_21_a_write_back_of_another_card_is_refused(town: Town, card: Card) -> None:
    town.sell(card, 1000)
    town.insert(card)
    back = WriteBack.decode(split_write_back(card.state.file(CardFile.RETURN)).newest or b"")
    key = derive_key(MASTER, CARD_LABEL, METER, 1)
    other = replace(back, card_serial=OTHER).seal(key)
    card._memory.commit(card.state.with_file(CardFile.RETURN, other + bytes(RETURN_SLOT)))
    with pytest.raises(NotPermittedError, match="cloned"):
        town.sell(card, 500)


def test_a_sale_on_a_card_is_voided_by_wire_and_what_is_owed_is_told(
    town: Town, card: Card
) -> None:
    town.sell(card, 1000)
    withdrawn = withdraw_cards(town.session(), town.journal, erased_only=False)
    assert (withdrawn.owed, [e.outcome for e in withdrawn.entries]) == (1000, ["voided"])
    inserted = town.insert(card)
    assert inserted.insertion is not None
    assert inserted.insertion.outcome is Outcome.SEQUENCE_CONFLICT
    assert town.credit == 3000
    session = town.session()
    execute(session, town.journal, plan(session, town.journal, MessageKind.CREDIT, 700))
    assert town.credit == 3700


def test_a_card_that_was_taken_before_it_was_voided_is_confirmed_and_nothing_is_owed(
    town: Town, card: Card
) -> None:
    town.sell(card, 1000)
    contacts = Contacts(card)
    contacts.breaks_after = 10  # the credit is in, the write-back is not
    town.insert(card, contacts)
    assert town.credit == 4000
    withdrawn = withdraw_cards(town.session(), town.journal, erased_only=False)
    assert withdrawn.owed == 0
    assert states(town.journal) == ["confirmed", "confirmed"]


def test_an_erased_card_owes_nothing_before_its_meter_was_asked(town: Town, card: Card) -> None:
    town.sell(card, 1000)
    contacts = Contacts(card)
    contacts.breaks_after = 10
    town.insert(card, contacts)
    with town.counter(card) as counter:
        (entry,) = card_issuing.plan_erasure(counter, town.journal).carry_out()
    assert (entry.state, entry.outcome) == (EntryState.UNKNOWN, "erased")
    with pytest.raises(NotPermittedError, match="still unknown"):
        plan(town.session(), town.journal, MessageKind.CREDIT, 700)
    (resolved,) = resolve(town.session(), town.journal)
    assert resolved.entry.state is EntryState.CONFIRMED
    assert town.credit == 4000


def test_resolve_never_sends_what_lies_on_a_card(town: Town, card: Card) -> None:
    town.sell(card, 1000)
    (resolved,) = resolve(town.session(), town.journal)
    assert isinstance(resolved.error, NotPermittedError)
    assert resolved.entry.state is EntryState.ON_CARD
    assert town.credit == 3000
    town.insert(card)
    (resolved,) = resolve(town.session(), town.journal)
    assert resolved.entry.state is EntryState.CONFIRMED, "the meter's receipt settles it"


def test_a_replacement_carries_the_same_sale_binds_and_the_lost_card_is_refused(
    town: Town, card: Card
) -> None:
    sold = town.sell(card, 1000)
    new = town.formatted(OTHER)
    with town.counter(new) as counter:
        moved = card_issuing.plan_replacement(counter, town.journal, METER).carry_out()
    assert moved is not None
    assert (moved.id, moved.card) == (sold.id, OTHER.hex())
    assert town.insert(new).display == "40.00"
    assert town.insert(card).display == "Err-33", "the lost card is another's now"
    assert town.credit == 4000
    town.sell(new, 500)
    town.insert(new)
    assert town.credit == 4500


def test_a_replacement_without_an_open_sale_binds_and_brings_nothing(
    town: Town, card: Card
) -> None:
    town.sell(card, 100)
    town.insert(card)
    town.read(card)
    new = town.formatted(OTHER)
    with town.counter(new) as counter:
        assert card_issuing.plan_replacement(counter, town.journal, METER).carry_out() is None
    inserted = town.insert(new)
    assert inserted.insertion is not None
    assert inserted.insertion.error is None
    assert town.meter.state.slot.bound_card == int.from_bytes(OTHER, "big")
    assert town.credit == 3100


def test_a_card_is_not_opened_twice_nor_for_an_account_that_the_journal_knows(
    town: Town, card: Card
) -> None:
    with pytest.raises(NotPermittedError, match="bound"):
        town.open(card)
    town.read(card)
    other = town.formatted(OTHER)
    with pytest.raises(NotPermittedError, match="account already"):
        town.open(other)


def test_a_card_of_another_vendor_is_refused_and_loses_one_try(town: Town, card: Card) -> None:
    town.ring = KeyRing({1: bytes(16)})
    with pytest.raises(NotPermittedError, match="not this ring's"):
        town.sell(card, 100)
    assert card.state.keys[1].tries == 7


def test_the_message_on_the_card_is_the_sealed_transfer_of_the_wire(town: Town, card: Card) -> None:
    town.sell(card, 1234)
    message = SealedMessage.decode(carried(card))
    assert (message.kind, message.amount, message.sequence, message.epoch) == (
        MessageKind.CREDIT,
        1234,
        2,
        0xE0,
    )
    assert len(carried(card)) == 63
    assert len(card.state.file(CardFile.CREDIT)) == 2 * CREDIT_SLOT
