"""Sales on cards: which meter state is sold upon, sale keys, interrupted sales, the daily limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meterctl.errors import (
    NotPermittedError,
    OverDailyLimitError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import EntryEvent, EntryState, Journal
from meterctl.operations.card_sales import (
    Sold,
    consumption,
    meter_of_journal,
    plan_opening,
    plan_sale,
    sold_before,
    where_it_stands,
)
from meterctl.operations.credit import execute, plan
from meterctl.operations.status import ask_status
from protocols.card.applet import Card
from protocols.data_model.words import AccountState
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host
from tests.support.setup import CUSTOMER, METER, OTHER, SERIAL, Contacts, Setup

OTHER_METER = "000000000043"


def opened(setup: Setup, card: Card, cents: int = 3000, **how: Any) -> Sold:
    meter = how.pop("meter", METER)
    with setup.presented(card) as presented:
        return plan_opening(
            presented, setup.journal, meter, CUSTOMER, cents, how.pop("unit", 156), **how
        ).carry_out()


def sold(setup: Setup, card: Card, cents: int, **how: Any) -> Sold:
    with setup.presented(card) as presented:
        return plan_sale(presented, setup.journal, cents, **how).carry_out()


def taken(setup: Setup, card: Card) -> None:
    """Insert a card into its meter, and read its write-back at the vending point."""
    setup.insert(card)
    setup.read(card)


def test_an_opening_for_a_meter_that_was_never_read_is_for_any_epoch(setup: Setup) -> None:
    entry = opened(setup, setup.formatted()).entry
    assert (entry.kind, entry.epoch, entry.sequence) == ("open", 0, 1)
    assert (entry.state, entry.card) == (EntryState.ON_CARD, SERIAL.hex())
    assert entry.opens_any_epoch


def test_an_opening_with_a_port_is_for_the_epoch_of_the_meter(setup: Setup) -> None:
    entry = opened(setup, setup.formatted(), session=setup.session()).entry
    assert (entry.epoch, entry.sequence) == (0xE0, 1)


def test_an_opening_is_in_the_unit_of_the_meter(setup: Setup) -> None:
    card = setup.formatted()
    with pytest.raises(NotPermittedError, match="its unit is CNY"):
        opened(setup, card, unit=978, session=setup.session())
    assert setup.journal.entries() == []


def test_a_known_account_is_not_opened_again_unless_it_is_told_to_be(
    setup: Setup, card: Card
) -> None:
    other = setup.formatted(OTHER)
    with pytest.raises(NotPermittedError, match="knows its account already"):
        opened(setup, other)
    assert opened(setup, other, again=True).entry.sequence == 1


def test_planning_changes_neither_card_nor_journal(setup: Setup, card: Card) -> None:
    before = card.state
    with setup.presented(card) as presented:
        planned = plan_sale(presented, setup.journal, 1000)
    assert "sell 10.00 CNY" in planned.text
    assert card.state.files == before.files
    assert len(setup.journal.entries()) == 1


def test_a_sale_takes_the_sequence_after_that_of_the_write_back(setup: Setup, card: Card) -> None:
    first = sold(setup, card, 1000).entry
    assert (first.kind, first.epoch, first.sequence) == ("credit", 0xE0, 2)
    taken(setup, card)
    assert sold(setup, card, 1000).entry.sequence == 3
    taken(setup, card)
    assert setup.credit == 5000


def test_a_sale_takes_the_last_proof_of_the_journal_where_that_is_newer(
    setup: Setup, card: Card
) -> None:
    session = setup.session()
    execute(session, setup.journal, plan(session, setup.journal, MessageKind.CREDIT, 700))
    with setup.presented(card) as presented:
        stands = where_it_stands(presented, setup.journal, presented.read())
    assert stands.credit_sequence == 2
    assert sold(setup, card, 1000).entry.sequence == 3
    taken(setup, card)
    assert setup.credit == 4700


def test_the_higher_command_sequence_of_write_back_and_journal_counts(
    setup: Setup, card: Card
) -> None:
    Host(setup.meter, setup.ring.meter_keys(METER, 1)).send(MessageKind.CLEAR_EVENTS)
    session = setup.session()
    ask_status(session, setup.journal, session.identify())
    with setup.presented(card) as presented:
        files = presented.read()
        assert files.back is not None
        assert files.back.command_sequence == 0
        assert where_it_stands(presented, setup.journal, files).command_sequence == 1


def test_a_journal_that_knows_nothing_of_a_meter_says_so(setup: Setup, journal: Journal) -> None:
    card = setup.formatted()
    opened(setup, card)
    assert meter_of_journal(setup.ring, journal, METER) is None
    with (
        setup.presented(card) as presented,
        pytest.raises(NotPermittedError, match="is not known; insert the card"),
    ):
        where_it_stands(presented, journal, presented.read())


def test_the_journal_alone_proves_a_meter_by_its_receipts(setup: Setup, card: Card) -> None:
    meter = meter_of_journal(setup.ring, setup.journal, METER)
    assert meter is not None
    assert (meter.credit_sequence, meter.account_state) == (1, AccountState.OPEN)
    assert (meter.customer_number, meter.elapsed_ms) == (CUSTOMER, None)


@pytest.mark.parametrize("cents", [1000, 2000])
def test_a_second_sale_is_refused_while_the_first_is_unconsumed(
    setup: Setup, card: Card, cents: int
) -> None:
    sold(setup, card, 1000)
    with pytest.raises(NotPermittedError, match="unconsumed"):
        sold(setup, card, cents)


def test_a_second_of_the_same_key_answers_the_first_sale(setup: Setup, card: Card) -> None:
    first = sold(setup, card, 1000, reference="key")
    on_card = sold(setup, card, 1000, reference="key")
    taken(setup, card)
    settled = sold(setup, card, 1000, reference="key")
    assert first.entry.id == on_card.entry.id == settled.entry.id
    assert (first.before, on_card.before, settled.before) == (False, True, True)
    assert setup.credit == 4000


def test_a_second_opening_of_the_same_key_answers_the_first_one(setup: Setup) -> None:
    card = setup.formatted()
    first = opened(setup, card, reference="key")
    again = opened(setup, card, reference="key")
    assert (again.entry.id, again.before) == (first.entry.id, True)
    with pytest.raises(NotPermittedError, match="unconsumed"):
        opened(setup, card, reference="other")


def test_a_key_is_of_one_amount(setup: Setup, card: Card) -> None:
    sold(setup, card, 1000, reference="key")
    with pytest.raises(UsageError, match="nothing was sold"):
        sold(setup, card, 1001, reference="key")


def test_the_key_of_a_refused_sale_needs_a_new_key(setup: Setup, card: Card) -> None:
    entry = sold(setup, card, 1000, reference="key").entry
    assert sold_before(setup.journal, "key", MessageKind.CREDIT, 1000, METER) is None
    setup.journal.settle(entry, EntryEvent.RECEIPT_OF_VOID, 0)
    with pytest.raises(RefusedError, match="needs a new key"):
        sold_before(setup.journal, "key", MessageKind.CREDIT, 1000, METER)
    assert sold_before(setup.journal, "", MessageKind.CREDIT, 1000, METER) is None


def test_an_interrupted_sale_is_finished_with_the_same_bytes(setup: Setup, card: Card) -> None:
    contacts = Contacts(card)

    def interrupt(command: bytes) -> bytes:
        if setup.journal.open_entries(METER):
            contacts.breaks_after = 0
        return command

    contacts.tap = interrupt
    with pytest.raises(UnknownOutcomeError, match="the same command with the same amount"):
        setup.sell(card, 1000, contacts)
    finished = sold(setup, card, 1000)
    assert finished.finished
    assert [entry.id for entry in setup.journal.entries()][-1] == finished.entry.id
    taken(setup, card)
    assert setup.credit == 4000


def test_the_payee_of_a_sale_is_the_meter_of_the_card(setup: Setup, card: Card) -> None:
    with pytest.raises(NotPermittedError, match=f"--meter names {OTHER_METER}"):
        sold(setup, card, 1000, payee=OTHER_METER)
    assert sold(setup, card, 1000, payee=METER).entry.meter == METER


def test_the_daily_limit_is_held_while_planning(setup: Setup, card: Card) -> None:
    """The opening of 30.00 was sold on the same day."""
    setup.ring = replace(setup.ring, daily_limit=4000)
    with setup.presented(card) as presented:
        with pytest.raises(OverDailyLimitError):
            plan_sale(presented, setup.journal, 1001)
        plan_sale(presented, setup.journal, 1000)


def test_a_closed_account_is_sold_no_credit(setup: Setup, card: Card) -> None:
    session = setup.session()
    execute(session, setup.journal, plan(session, setup.journal, MessageKind.CLOSE, 0))
    with pytest.raises(RefusedError, match="is closed"):
        sold(setup, card, 1000)


def test_what_became_of_the_sale_on_a_card(setup: Setup, card: Card) -> None:
    def now() -> str:
        with setup.presented(card) as presented:
            return consumption(None, presented.read())

    assert now() == "accepted"
    entry = sold(setup, card, 1000).entry
    assert now() == "unconsumed"
    setup.insert(card)
    assert now() == "accepted"
    with setup.presented(card) as presented:
        files = presented.read()
        assert files.back is not None
        refused = replace(files, back=replace(files.back, outcome=Outcome.SEQUENCE_GAP))
        assert consumption(None, refused) == "refused"
        confirmed = replace(entry, state=EntryState.CONFIRMED)
        assert consumption(confirmed, refused) == "accepted"
