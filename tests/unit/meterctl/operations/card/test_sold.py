"""Sales that were made: found under their key, finished after an interruption."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meterctl.errors import NoAnswerError, NotPermittedError, RefusedError, UnknownOutcomeError
from meterctl.journal import EntryEvent, EntryState
from meterctl.operations.card.port import proved_meter
from meterctl.operations.card.sold import (
    consumption,
    is_sold_under_key,
    plan_of_carried,
    require_present_format,
    sell_on_card,
    sold_before,
)
from meterctl.operations.sealing import credit_message
from protocols.card.applet import Card
from protocols.card.files import CardType
from protocols.sealed_message import MessageKind, Outcome
from tests.support.setup import METER, OTHER, Contacts, Setup
from tests.unit.meterctl.operations.card.selling import sold, taken


def failing(*_: Any) -> Any:
    raise NoAnswerError("pulled")


def test_a_second_of_the_same_key_answers_the_first_sale(setup: Setup, card: Card) -> None:
    first = sold(setup, card, 1000, reference="key")
    on_card = sold(setup, card, 1000, reference="key")
    taken(setup, card)
    settled = sold(setup, card, 1000, reference="key")
    assert first.entry.id == on_card.entry.id == settled.entry.id
    assert (first.before, on_card.before, settled.before) == (False, True, True)
    assert setup.credit == 4000


def test_the_key_of_a_refused_sale_needs_a_new_key(setup: Setup, card: Card) -> None:
    entry = sold(setup, card, 1000, reference="key").entry
    with setup.presented(card) as presented:
        case = setup.case(presented, reference="key")
    assert sold_before(case, MessageKind.CREDIT, 1000, METER) is None
    setup.journal.settle(entry, EntryEvent.RECEIPT_OF_VOID, 0)
    with pytest.raises(RefusedError, match="needs a new key"):
        sold_before(case, MessageKind.CREDIT, 1000, METER)
    assert sold_before(replace(case, reference=""), MessageKind.CREDIT, 1000, METER) is None


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


def test_what_became_of_the_sale_on_a_card(setup: Setup, card: Card) -> None:
    def now() -> str:
        with setup.presented(card) as presented:
            return consumption(setup.case(presented), None)

    assert now() == "accepted"
    entry = sold(setup, card, 1000).entry
    assert now() == "unconsumed"
    setup.insert(card)
    assert now() == "accepted"
    with setup.presented(card) as presented:
        case = setup.case(presented)
        assert case.back is not None
        back = replace(case.back, outcome=Outcome.SEQUENCE_GAP)
        refused = replace(case, files=replace(case.files, back=back))
        assert consumption(refused, None) == "refused"
        confirmed = replace(entry, state=EntryState.CONFIRMED)
        assert consumption(refused, confirmed) == "accepted"


def test_a_sale_is_under_its_key_while_the_card_carries_it_unanswered(
    setup: Setup, card: Card
) -> None:
    entry = sold(setup, card, 1000, reference="key").entry
    with setup.presented(card) as presented:
        case = setup.case(presented, reference="key")
        assert is_sold_under_key(case, entry)
        assert not is_sold_under_key(replace(case, reference=""), entry)
        assert not is_sold_under_key(case, replace(entry, message=b"other"))
    setup.insert(card)
    with setup.presented(card) as presented:
        assert not is_sold_under_key(setup.case(presented, reference="key"), entry)


def test_an_open_sale_of_the_former_message_format_is_not_finished(
    setup: Setup, card: Card
) -> None:
    entry = sold(setup, card, 1000).entry
    assert require_present_format(entry) == entry.sealed
    with pytest.raises(NotPermittedError, match="of the former message format"):
        require_present_format(replace(entry, message=b"\1" + entry.message[1:]))


def test_a_sale_that_moved_to_another_card_meanwhile_is_not_finished(
    setup: Setup, card: Card
) -> None:
    entry = sold(setup, card, 1000).entry
    with setup.presented(card) as presented:
        contents = setup.case(presented).files.contents
        empty = replace(contents, credit=None)
        case = setup.case(presented)
        planned = plan_of_carried(
            replace(case, files=replace(case.files, contents=empty)), entry, CardType.PURCHASE
        )
        setup.journal.move_to_card(entry, OTHER.hex(), setup.now)
        with pytest.raises(NotPermittedError, match="was settled or moved meanwhile"):
            planned.carry_out()


def test_a_new_sale_is_entered_before_it_is_written(setup: Setup, card: Card) -> None:
    meter = proved_meter(setup.session(), setup.journal, METER)
    message = credit_message(setup.journal, meter, MessageKind.CREDIT, 1000, setup.now)
    with setup.presented(card) as presented:
        case = setup.case(presented, reference="key")
        presented.write = failing  # type: ignore[method-assign]
        with pytest.raises(UnknownOutcomeError, match="the sale is journal entry 2"):
            sell_on_card(case, CardType.PURCHASE, message, binds=False)
    entry = setup.journal.entry(2)
    assert (entry.state, entry.card, entry.reference) == (EntryState.ON_CARD, case.serial, "key")


def test_a_sale_that_its_write_back_settles_first_is_not_made_again(
    setup: Setup, card: Card
) -> None:
    first = sold(setup, card, 1000, reference="key")
    setup.insert(card)
    again = sold(setup, card, 1000, reference="key")
    assert (again.entry.id, again.before) == (first.entry.id, True)
    assert again.entry.state is EntryState.CONFIRMED
