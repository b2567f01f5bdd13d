"""Opening cards: for a meter that was never read or is on the port; accounts that are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meterctl.errors import (
    NotPermittedError,
    OverDailyLimitError,
    RefusedError,
    UnknownOutcomeError,
)
from meterctl.journal import EntryState
from meterctl.key_ring import KeyRing
from meterctl.operations.card.openings import Opening, open_account, plan_opening
from meterctl.operations.card.sold import Sold
from protocols.card.applet import Card
from protocols.card.files import CardType
from tests.support.setup import CUSTOMER, MASTER, METER, OTHER, SERIAL, Contacts, Setup


def opened(setup: Setup, card: Card, cents: int = 3000, **how: Any) -> Sold:
    """Sell an opening card; `how` is of the opening or of its case."""
    meter, unit = how.pop("meter", METER), how.pop("unit", 156)
    wanted = Opening(meter, CUSTOMER, cents, unit, again=how.pop("again", False))
    with setup.presented(card) as presented:
        return plan_opening(setup.case(presented, **how), wanted).carry_out()


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


def test_a_second_opening_of_the_same_key_answers_the_first_one(setup: Setup) -> None:
    card = setup.formatted()
    first = opened(setup, card, reference="key")
    again = opened(setup, card, reference="key")
    assert (again.entry.id, again.before) == (first.entry.id, True)
    setup.insert(card)
    setup.read(card)
    settled = opened(setup, card, reference="key")
    assert (settled.entry.id, settled.before) == (first.entry.id, True)
    assert settled.entry.state is EntryState.CONFIRMED


def test_an_opening_under_another_key_is_refused_while_the_first_is_unconsumed(
    setup: Setup,
) -> None:
    card = setup.formatted()
    opened(setup, card, reference="key")
    with pytest.raises(NotPermittedError, match="unconsumed"):
        opened(setup, card, reference="other")


def test_an_opening_is_carried_out_and_binds_the_card(setup: Setup) -> None:
    with setup.presented(setup.formatted()) as presented:
        entry = open_account(setup.case(presented), Opening(METER, CUSTOMER, 3000, 156)).entry
        case = setup.case(presented)
    assert case.identity is not None
    assert (case.identity.meter, case.identity.customer) == (METER, CUSTOMER)
    assert case.credit is not None
    assert (case.credit.card_type, case.credit.message) == (CardType.OPEN, entry.message)


def test_an_interrupted_opening_is_finished_for_the_same_customer_and_amount_only(
    setup: Setup,
) -> None:
    card = setup.formatted()
    contacts = Contacts(card)

    def interrupt(command: bytes) -> bytes:
        if setup.journal.open_entries(METER):
            contacts.breaks_after = 0
        return command

    contacts.tap = interrupt
    with pytest.raises(UnknownOutcomeError):
        setup.open(card, transmit=contacts)
    with pytest.raises(NotPermittedError, match=f"for customer {CUSTOMER}"):
        opened(setup, card, 3001)
    finished = opened(setup, card)
    assert finished.finished
    assert len(setup.journal.entries()) == 1


def test_an_opened_account_takes_no_opening(setup: Setup) -> None:
    setup.meter = setup.build(opened=True, customer_number=CUSTOMER)
    with pytest.raises(RefusedError, match="is open and takes no open"):
        opened(setup, setup.formatted(), session=setup.session())
    assert setup.journal.entries() == []


def test_a_meter_whose_first_sequence_is_used_needs_a_port(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = setup.formatted()
    monkeypatch.setattr(setup.journal, "is_spent", lambda meter: meter == METER)
    with pytest.raises(NotPermittedError, match="its sequence 1 is used"):
        opened(setup, card)
    assert opened(setup, card, session=setup.session()).entry.epoch == 0xE0


def test_the_daily_limit_of_the_ring_holds_for_openings(setup: Setup) -> None:
    setup.ring = replace(setup.ring, daily_limit=2999)
    with pytest.raises(OverDailyLimitError):
        opened(setup, setup.formatted())
    assert setup.journal.entries() == []


def test_an_opening_is_sealed_under_the_newest_usable_version(setup: Setup) -> None:
    masters = dict.fromkeys((1, 2), MASTER)
    card = setup.formatted()
    setup.ring = KeyRing(masters, setup.ring.path, retired=frozenset({2}))
    assert opened(setup, card).entry.key_version == 1
    other = setup.formatted(OTHER)
    setup.ring = KeyRing(masters, setup.ring.path, retired=frozenset({1, 2}))
    with pytest.raises(NotPermittedError, match="no key version of this ring may be used"):
        opened(setup, other, meter="000000000043")
