"""Sales on cards: one unused sale for each meter, torn sales completed, the daily limit."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_sim.requests import Sealed
from meterctl.errors import (
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import EntryState, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.card.issuing import plan_replacement
from meterctl.operations.card.sales import plan_sale
from meterctl.operations.credit import execute, plan
from meterctl.operations.status import ask_status
from meterctl.operations.withdrawal import withdraw_cards
from protocols.card.applet import Card
from protocols.card.files import CREDIT_SLOT, CardFile, CreditRecord, split_credit
from protocols.data_model.words import Carrier
from protocols.sealed_message import MessageKind, Outcome, SealedMessage
from tests.attacks.cards import NEIGHBOUR, states, topped_up
from tests.attacks.wires import top_up
from tests.support.meters import Host
from tests.support.setup import MASTER, METER, OTHER, Contacts, Setup


def carried(card: Card) -> bytes:
    slot = split_credit(card.state.file(CardFile.CREDIT)).newest
    assert slot is not None
    return CreditRecord.decode(slot).message


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
        # The sale on the card is complete.
        with contextlib.suppress(NotPermittedError):
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
    # Another sale was made between the plan and its execution.
    with pytest.raises(NotPermittedError, match="daily limit"):
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


def test_a_card_of_another_vendor_is_refused_and_loses_one_try(setup: Setup, card: Card) -> None:
    setup.ring = KeyRing({1: bytes(16)})
    with pytest.raises(NotPermittedError, match="not this ring's"):
        setup.sell(card, 100)
    assert card.state.keys[1].tries == 7


def test_nothing_is_sold_to_an_account_that_is_not_open(setup: Setup, card: Card) -> None:
    setup.read(card)
    Host(setup.meter, setup.meter.authenticator.keys(1)).send(MessageKind.CLOSE)
    setup.insert(card)
    with pytest.raises(RefusedError, match="account is closed"):
        setup.sell(card, 100)


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


def test_what_another_program_settled_meanwhile_is_neither_moved_nor_finished(
    setup: Setup, card: Card
) -> None:
    contacts = Contacts(card)
    contacts.breaks_after = 12
    with pytest.raises(UnknownOutcomeError):
        setup.sell(card, 1000, contacts)
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented, setup.presented(card) as here:
        moving = plan_replacement(setup.case(presented), METER)
        finishing = plan_sale(setup.case(here), 1000)
        assert withdraw_cards(setup.session(), setup.journal, erased_only=False).owed == 1000
        for planned in (moving, finishing):
            with pytest.raises(NotPermittedError, match="settled"):
                planned.carry_out()
    assert states(setup.journal) == ["confirmed", "refused"]


def test_a_card_sale_whose_sequence_was_ended_meanwhile_is_not_written(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    with setup.presented(card) as presented:
        planned = plan_sale(setup.case(presented), 2000)
        session = setup.session()
        top_up(session, Journal(tmp_path / "other.sqlite"), 100)
        ask_status(session, setup.journal, session.identify())
        with pytest.raises(
            NotPermittedError, match=r"has reached sequence 2 meanwhile; nothing was sold"
        ):
            planned.carry_out()
    assert [entry.kind for entry in setup.journal.entries()] == ["open"]
