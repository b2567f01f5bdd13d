"""What must be true of a card before it is written: each rule by itself, none writes anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from meterctl.errors import NotPermittedError
from meterctl.journal import Entry, EntryEvent, Journal
from meterctl.operations.card import rules
from meterctl.operations.card.case import Case
from protocols.card.applet import Card
from protocols.card.files import CardType
from protocols.sealed_message import Outcome
from tests.support.setup import METER, OTHER, SERIAL, Setup

OTHER_METER = "000000000043"


@contextmanager
def read(setup: Setup, card: Card, **how: Any) -> Iterator[Case]:
    with setup.presented(card) as presented:
        yield setup.case(presented, **how)


def answered(case: Case, entry: Entry, **changed: Any) -> Case:
    """Return a case whose write-back answers an entry."""
    assert case.back is not None
    known = {"answered_sequence": entry.sequence, "answered_code": entry.code}
    back = replace(case.back, **{**known, **changed})
    return replace(case, files=replace(case.files, back=back))


def test_a_card_is_bound_or_not(setup: Setup, card: Card) -> None:
    with read(setup, card) as case:
        assert rules.require_bound(case).meter == METER
        with pytest.raises(NotPermittedError, match=f"is bound to meter {METER}"):
            rules.require_unbound(case)
    with read(setup, setup.formatted(OTHER)) as case:
        rules.require_unbound(case)
        with pytest.raises(NotPermittedError, match="is bound to no meter"):
            rules.require_bound(case)


@pytest.mark.parametrize(("payee", "allowed"), [(None, True), (METER, True), (OTHER_METER, False)])
def test_a_card_is_for_the_meter_that_is_named(
    setup: Setup, card: Card, payee: str | None, allowed: bool
) -> None:
    with read(setup, card, payee=payee) as case:
        if allowed:
            rules.require_named(case, METER)
        else:
            with pytest.raises(NotPermittedError, match=f"--meter names {OTHER_METER}"):
                rules.require_named(case, METER)


def test_a_card_that_carries_a_sale_for_another_meter_is_refused(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    with setup.presented(card) as presented:
        rules.require_nothing_owed(setup.case(presented), METER)
        with pytest.raises(NotPermittedError, match=f"for meter {METER}"):
            rules.require_nothing_owed(setup.case(presented), OTHER_METER)


def test_credit_of_another_journal_is_not_overwritten(
    setup: Setup, card: Card, journal: Journal
) -> None:
    with read(setup, card) as case:
        rules.require_known(replace(case, journal=journal))  # its meter has accepted it
    setup.sell(card, 1000)
    with read(setup, card) as case:
        rules.require_known(case)
        with pytest.raises(NotPermittedError, match=r"carries 10\.00 .* sold by another journal"):
            rules.require_known(replace(case, journal=journal))


@pytest.mark.parametrize(
    ("outcome", "spent"),
    [
        (Outcome.ACCEPTED, True),
        (Outcome.ALREADY_ACCEPTED, True),
        (Outcome.SEQUENCE_CONFLICT, True),
        (Outcome.SEQUENCE_OLD, False),
        (Outcome.EXCEEDS_MAX_CREDIT, False),
    ],
)
def test_credit_of_another_journal_is_spent_only_by_a_final_outcome(
    setup: Setup, card: Card, journal: Journal, outcome: Outcome, spent: bool
) -> None:
    with read(setup, card) as case:
        entry = setup.journal.entries()[0]
        changed = answered(replace(case, journal=journal), entry, outcome=outcome)
        if spent:
            rules.require_known(changed)
        else:
            with pytest.raises(NotPermittedError):
                rules.require_known(changed)


def test_a_replaced_card_and_a_service_card_carry_no_sale(setup: Setup, card: Card) -> None:
    with read(setup, card) as case:
        rules.require_in_use(case, METER)
        contents = case.files.contents
        assert contents.credit is not None
        credit = replace(contents.credit, card_type=CardType.SERVICE)
        files = replace(case.files, contents=replace(contents, credit=credit))
        with pytest.raises(NotPermittedError, match="service card"):
            rules.require_in_use(replace(case, files=files), METER)
        setup.journal.audit("card_replaced", setup.now + 1, meter=METER, card=OTHER.hex())
        with pytest.raises(NotPermittedError, match=f"replaced by card {OTHER.hex()}"):
            rules.require_in_use(case, METER)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"credit_sequence": 2}, "already at sequence 2"),
        ({"epoch": 0xE1}, "has a new storage"),
        ({"outcome": Outcome.EXCEEDS_MAX_CREDIT}, r"refused it \(exceeds_max_credit\)"),
        ({"outcome": Outcome.SEQUENCE_GAP}, ""),
        ({"outcome": 0}, ""),
        ({"outcome": Outcome.EXCEEDS_MAX_CREDIT, "answered_code": b"else"}, ""),
    ],
)
def test_a_sale_is_written_again_unless_the_write_back_shows_that_it_is_not_taken(
    setup: Setup, card: Card, changed: dict[str, Any], told: str
) -> None:
    with read(setup, card) as before:
        pass
    entry = setup.sell(card, 1000)
    answering = answered(before, entry, **changed)
    if told:
        with pytest.raises(NotPermittedError, match=told):
            rules.require_takeable(answering, entry)
    else:
        rules.require_takeable(answering, entry)


def test_a_sale_of_another_meter_is_not_written_again(setup: Setup, card: Card) -> None:
    entry = setup.sell(card, 1000)
    with read(setup, card) as case:
        rules.require_takeable(case, entry)
        with pytest.raises(NotPermittedError, match="erase it first"):
            rules.require_takeable(case, replace(entry, meter=OTHER_METER))


def test_the_sale_that_a_card_carries_is_the_open_one_of_this_card(
    setup: Setup, card: Card
) -> None:
    with setup.presented(card) as presented:
        assert rules.carried_by(setup.case(presented), METER) is None
    entry = setup.sell(card, 1000)
    with setup.presented(card) as presented:
        assert rules.carried_by(setup.case(presented), METER) == entry
        assert rules.carried_by(setup.case(presented), OTHER_METER) is None
        setup.journal.settle(entry, EntryEvent.CARD_ERASED, 0)
        assert rules.carried_by(setup.case(presented), METER) is None
    assert entry.card == SERIAL.hex()


def test_malformed_bytes_decode_to_nothing() -> None:
    assert rules.decoded(b"") is None
    assert rules.decoded(b"\2" * 70) is None


@pytest.mark.parametrize(
    ("epoch", "told"), [(0, "a new storage could still"), (0xE0, "Void it by")]
)
def test_a_sale_whose_sequence_another_message_has_is_told_by_where_it_lives(
    setup: Setup, card: Card, epoch: int, told: str
) -> None:
    with read(setup, card) as before:
        pass
    entry = setup.sell(card, 1000)
    message = entry.sealed
    assert message is not None
    other = replace(message, epoch=epoch).seal(bytes(16))
    changed = replace(entry, epoch=epoch, message=other)
    answering = answered(before, changed, outcome=Outcome.SEQUENCE_CONFLICT)
    with pytest.raises(NotPermittedError, match=told):
        rules.require_takeable(answering, changed)


def test_of_two_open_sales_of_a_card_the_older_one_is_carried(setup: Setup, card: Card) -> None:
    first = setup.sell(card, 1000)
    second = setup.journal.prepare(METER, 0xE1, 1, "credit", 500, b"x", 0, card=SERIAL.hex())
    with setup.presented(card) as presented:
        case = setup.case(presented)
        assert rules.carried_by(case, METER) == first
        setup.journal.settle(first, EntryEvent.RECEIPT_OF_VOID, 0)
        assert rules.carried_by(case, METER) == second
