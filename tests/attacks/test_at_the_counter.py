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
from tests.support.setup import MASTER, METER, OTHER, Contacts, Setup


def carried(card: Card) -> bytes:
    slot = split_credit(card.state.file(CardFile.CREDIT)).newest
    assert slot is not None
    return CreditRecord.decode(slot).message


def states(journal: Journal) -> list[str]:
    return [entry.state.value for entry in journal.entries() if entry.kind != "void"]


def test_row_06_no_second_sale_while_one_is_unconsumed_on_any_card(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    for cents in (1000, 2000):
        with pytest.raises(NotPermittedError, match="unconsumed"):
            setup.sell(card, cents)
    other = setup.formatted(OTHER)
    with pytest.raises(NotPermittedError, match="unconsumed"):
        setup.open(other, 500)
    with pytest.raises(NotPermittedError, match=r"carries 10\.00"):
        plan(setup.session(), setup.journal, MessageKind.CREDIT, 700)
    assert states(setup.journal) == ["confirmed", "on_card"]


def test_row_06_the_journal_itself_holds_one_live_sale_a_sequence(setup: Setup, card: Card) -> None:
    entry = setup.sell(card, 1000)
    with pytest.raises(NotPermittedError, match="taken"):
        setup.journal.prepare(METER, entry.epoch, entry.sequence, "credit", 2000, b"", 0, card="x")


@pytest.mark.parametrize("breaks_after", range(30))
def test_row_08_and_11_a_card_that_is_pulled_at_any_command_of_a_sale_is_finished_once(
    setup: Setup, card: Card, breaks_after: int
) -> None:
    setup.read(card)
    contacts = Contacts(card)
    contacts.breaks_after = breaks_after
    told: MeterctlError | None = None
    try:
        setup.sell(card, 1000, contacts)
    except (NoAnswerError, UnknownOutcomeError) as error:
        told = error
    assert (told is not None) is contacts.broke
    assert isinstance(told, UnknownOutcomeError) is (
        contacts.broke and bool(setup.journal.open_entries(METER))
    )
    if setup.journal.open_entries(METER):
        with pytest.raises(NotPermittedError, match="unconsumed"):
            setup.sell(card, 900)
        with contextlib.suppress(NotPermittedError):  # it was whole
            assert setup.sell(card, 1000).id == setup.journal.entries()[-1].id
    else:
        setup.sell(card, 1000)
    assert states(setup.journal) == ["confirmed", "on_card"]
    inserted = setup.insert(card)
    assert inserted.insertion is not None
    assert inserted.insertion.outcome is Outcome.ACCEPTED
    assert setup.credit == 4000
    assert [entry.state for entry in setup.read(card)] == [EntryState.CONFIRMED]


@pytest.mark.parametrize("breaks_after", range(8, 11))
def test_row_09_a_card_that_is_pulled_before_its_write_back_settles_at_the_next_insertion(
    setup: Setup, card: Card, breaks_after: int
) -> None:
    setup.sell(card, 1000)
    contacts = Contacts(card)
    contacts.breaks_after = breaks_after
    setup.insert(card, contacts)
    with pytest.raises(NotPermittedError, match="unconsumed"):
        setup.sell(card, 500)
    setup.insert(card)
    assert setup.credit == 4000
    setup.sell(card, 500)
    setup.insert(card)
    assert setup.credit == 4500
    assert setup.meter.state.account.purchases == 3


def test_row_12_a_meter_that_was_set_back_is_named_at_the_next_write_back(tmp_path: Path) -> None:
    device = SimulatedNvram()
    setup = Setup(tmp_path, device, load=Load.constant((1_000_000,)))
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    dump = bytes(device.data)
    setup.meter.advance(HOUR)
    setup.sell(card, 1000)
    setup.insert(card)
    setup.sell(card, 500)  # the write-back of the sale before was read and agreed
    setup.meter = setup.build(SimulatedNvram(dump))
    inserted = setup.insert(card)
    assert inserted.display == "Err-34", "the count is two ahead"
    with pytest.raises(NotPermittedError, match="set back"):
        setup.sell(card, 500)
    assert [line.what for line in setup.journal.audit_lines()][-1] == "mismatch"


def test_row_12_credit_that_the_journal_never_sold_is_named(setup: Setup, card: Card) -> None:
    keys = setup.meter.authenticator.keys(1)
    Host(setup.meter, keys).send(MessageKind.VOID)
    setup.journal.prepare(METER, 0xE0, 2, "void", 0, b"", 0)
    setup.journal.settle(setup.journal.entries()[-1], EntryState.CONFIRMED, "accepted", 0)
    setup.sell(card, 100, session=setup.session())
    setup.meter.state.account.cumulative += 777 * LEDGER
    setup.insert(card)
    with pytest.raises(
        NotPermittedError, match=r"it has taken 808\.00 in all, the journal has sold it 31\.00"
    ):
        setup.sell(card, 100)


def test_row_14_the_bytes_of_a_card_are_taken_once_whatever_carries_them(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    captured = carried(card)
    wire = setup.meter.handle(Sealed(captured, Carrier.WIRE))
    assert wire is not None
    assert wire.answer is not None
    assert wire.answer.outcome is Outcome.ACCEPTED
    for _ in range(2):
        again = Host(setup.meter).deliver(captured)
        assert again.outcome is Outcome.ALREADY_ACCEPTED
    inserted = setup.insert(card)
    assert inserted.insertion is not None
    assert inserted.insertion.outcome is Outcome.ALREADY_ACCEPTED
    assert setup.credit == 4000
    assert [entry.state for entry in setup.read(card)] == [EntryState.CONFIRMED]


def test_row_15_a_man_on_the_bus_can_change_no_bit_of_a_sale(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    message = carried(card)
    for bit in range(0, len(message) * 8, 5):
        changed = bytearray(message)
        changed[bit // 8] ^= 1 << bit % 8
        assert not Host(setup.meter).deliver(bytes(changed)).outcome.applied
    assert setup.credit == 3000
    assert Host(setup.meter).deliver(message).outcome is Outcome.ACCEPTED


def test_row_20_a_key_ring_has_a_daily_limit_and_what_passes_it_is_audited(
    setup: Setup, card: Card
) -> None:
    setup.ring = replace(setup.ring, daily_limit=4500)
    setup.sell(card, 1500)
    setup.insert(card)
    setup.read(card)
    with pytest.raises(
        NotPermittedError, match=r"0\.01 would pass the daily limit: 45\.00 sold today"
    ):
        setup.sell(card, 1)
    with pytest.raises(NotPermittedError, match="daily limit"):
        plan(setup.session(), setup.journal, MessageKind.CREDIT, 1)
    limited = replace(setup.session(), now=lambda: setup.now)
    planned = plan(
        replace(limited, ring=replace(setup.ring, daily_limit=None)),
        setup.journal,
        MessageKind.CREDIT,
        2,
    )
    with pytest.raises(
        NotPermittedError, match="daily limit"
    ):  # another sale went between the plan and its execution
        execute(limited, setup.journal, planned)
    refused = [line for line in setup.journal.audit_lines() if line.what == "over_daily_limit"]
    assert [(line.amount, line.card) for line in refused] == [
        (1, card.state.serial.hex()),
        (1, ""),
        (2, ""),
    ]
    assert states(setup.journal) == ["confirmed", "confirmed"], (
        "nothing was written of what was refused"
    )
    setup.now += 86_400
    setup.sell(card, 4500)
    assert states(setup.journal)[-1] == "on_card", "another day"


def test_row_20_another_ring_has_a_limit_of_its_own(setup: Setup) -> None:
    one, other = KeyRing({1: MASTER}), KeyRing({1: bytes(16)})
    assert one.name != other.name
    assert MASTER.hex() not in one.name


@pytest.mark.parametrize("at", [2, 30, 45, 60, 75, 90, 115, 130, 200, 220, 229])
def test_row_21_an_edited_write_back_is_refused_and_nothing_is_sold(
    setup: Setup, card: Card, at: int
) -> None:
    setup.sell(card, 1000)
    setup.insert(card)
    slot = bytearray(split_write_back(card.state.file(CardFile.RETURN)).newest or b"")
    slot[at] ^= 1
    forged = checked(bytes(slot[:-4]))
    card._memory.commit(card.state.with_file(CardFile.RETURN, forged + bytes(RETURN_SLOT)))
    with pytest.raises(NotPermittedError, match="forged"):
        setup.sell(card, 500)
    assert states(setup.journal) == ["confirmed", "on_card"]


def test_row_21_a_write_back_of_another_card_is_refused(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    setup.insert(card)
    back = WriteBack.decode(split_write_back(card.state.file(CardFile.RETURN)).newest or b"")
    key = derive_key(MASTER, CARD_LABEL, METER, 1)
    other = replace(back, card_serial=OTHER).seal(key)
    card._memory.commit(card.state.with_file(CardFile.RETURN, other + bytes(RETURN_SLOT)))
    with pytest.raises(NotPermittedError, match="cloned"):
        setup.sell(card, 500)


def test_a_sale_on_a_card_is_voided_by_wire_and_what_is_owed_is_told(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    withdrawn = withdraw_cards(setup.session(), setup.journal, erased_only=False)
    assert (withdrawn.owed, [e.outcome for e in withdrawn.entries]) == (1000, ["voided"])
    inserted = setup.insert(card)
    assert inserted.insertion is not None
    assert inserted.insertion.outcome is Outcome.SEQUENCE_CONFLICT
    assert setup.credit == 3000
    session = setup.session()
    execute(session, setup.journal, plan(session, setup.journal, MessageKind.CREDIT, 700))
    assert setup.credit == 3700


def test_a_card_that_was_taken_before_it_was_voided_is_confirmed_and_nothing_is_owed(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    contacts = Contacts(card)
    contacts.breaks_after = 10  # the credit is in, the write-back is not
    setup.insert(card, contacts)
    assert setup.credit == 4000
    withdrawn = withdraw_cards(setup.session(), setup.journal, erased_only=False)
    assert withdrawn.owed == 0
    assert states(setup.journal) == ["confirmed", "confirmed"]


def test_an_erased_card_owes_nothing_before_its_meter_was_asked(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    contacts = Contacts(card)
    contacts.breaks_after = 10
    setup.insert(card, contacts)
    with setup.presented(card) as presented:
        (entry,) = card_issuing.plan_erasure(presented, setup.journal).carry_out()
    assert (entry.state, entry.outcome) == (EntryState.UNKNOWN, "erased")
    with pytest.raises(NotPermittedError, match="still unknown"):
        plan(setup.session(), setup.journal, MessageKind.CREDIT, 700)
    (resolved,) = resolve(setup.session(), setup.journal)
    assert resolved.entry.state is EntryState.CONFIRMED
    assert setup.credit == 4000


def test_resolve_never_sends_what_lies_on_a_card(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    (resolved,) = resolve(setup.session(), setup.journal)
    assert isinstance(resolved.error, NotPermittedError)
    assert resolved.entry.state is EntryState.ON_CARD
    assert setup.credit == 3000
    setup.insert(card)
    (resolved,) = resolve(setup.session(), setup.journal)
    assert resolved.entry.state is EntryState.CONFIRMED, "the meter's receipt settles it"


def test_a_replacement_carries_the_same_sale_binds_and_the_lost_card_is_refused(
    setup: Setup, card: Card
) -> None:
    sold = setup.sell(card, 1000)
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented:
        moved = card_issuing.plan_replacement(presented, setup.journal, METER).carry_out()
    assert moved is not None
    assert (moved.id, moved.card) == (sold.id, OTHER.hex())
    assert setup.insert(new).display == "40.00"
    assert setup.insert(card).display == "Err-33", "the lost card is another's now"
    assert setup.credit == 4000
    setup.sell(new, 500)
    setup.insert(new)
    assert setup.credit == 4500


def test_a_replacement_without_an_open_sale_binds_and_brings_nothing(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 100)
    setup.insert(card)
    setup.read(card)
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented:
        assert card_issuing.plan_replacement(presented, setup.journal, METER).carry_out() is None
    inserted = setup.insert(new)
    assert inserted.insertion is not None
    assert inserted.insertion.error is None
    assert setup.meter.state.slot.bound_card == int.from_bytes(OTHER, "big")
    assert setup.credit == 3100


def test_a_card_is_not_opened_twice_nor_for_an_account_that_the_journal_knows(
    setup: Setup, card: Card
) -> None:
    with pytest.raises(NotPermittedError, match="bound"):
        setup.open(card)
    setup.read(card)
    other = setup.formatted(OTHER)
    with pytest.raises(NotPermittedError, match="account already"):
        setup.open(other)


def test_a_card_of_another_vendor_is_refused_and_loses_one_try(setup: Setup, card: Card) -> None:
    setup.ring = KeyRing({1: bytes(16)})
    with pytest.raises(NotPermittedError, match="not this ring's"):
        setup.sell(card, 100)
    assert card.state.keys[1].tries == 7


def test_the_message_on_the_card_is_the_sealed_transfer_of_the_wire(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1234)
    message = SealedMessage.decode(carried(card))
    assert (message.kind, message.amount, message.sequence, message.epoch) == (
        MessageKind.CREDIT,
        1234,
        2,
        0xE0,
    )
    assert len(carried(card)) == 63
    assert len(card.state.file(CardFile.CREDIT)) == 2 * CREDIT_SLOT
