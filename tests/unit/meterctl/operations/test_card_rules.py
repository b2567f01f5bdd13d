"""What must be true of a card before it is written: each rule by itself, none writes anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from meterctl.errors import NotPermittedError, UsageError
from meterctl.journal import Entry, EntryEvent, Journal
from meterctl.operations import card_rules as rules
from meterctl.operations.card_writing import Planned
from meterctl.operations.presented_card import CardFiles, PresentedCard
from protocols.card.applet import Card
from protocols.card.files import CardType
from protocols.data_model.words import AccountState
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host
from tests.support.setup import METER, OTHER, SERIAL, Setup

OTHER_METER = "000000000043"


@contextmanager
def read(setup: Setup, card: Card) -> Iterator[tuple[PresentedCard, CardFiles]]:
    with setup.presented(card) as presented:
        yield presented, presented.read()


def answered(setup: Setup, entry: Entry, card_files: CardFiles, **changed: Any) -> CardFiles:
    """Return card files whose write-back answers an entry."""
    assert card_files.back is not None
    known = {"answered_sequence": entry.sequence, "answered_code": entry.code}
    return replace(card_files, back=replace(card_files.back, **{**known, **changed}))


def test_a_card_is_bound_or_not(setup: Setup, card: Card) -> None:
    with read(setup, card) as (presented, card_files):
        assert rules.require_bound(presented, card_files).meter == METER
        with pytest.raises(NotPermittedError, match=f"is bound to meter {METER}"):
            rules.require_unbound(presented, card_files)
    with read(setup, setup.formatted(OTHER)) as (presented, card_files):
        rules.require_unbound(presented, card_files)
        with pytest.raises(NotPermittedError, match="is bound to no meter"):
            rules.require_bound(presented, card_files)


@pytest.mark.parametrize(("payee", "allowed"), [(None, True), (METER, True), (OTHER_METER, False)])
def test_a_card_is_for_the_meter_that_is_named(
    setup: Setup, card: Card, payee: str | None, allowed: bool
) -> None:
    with setup.presented(card) as presented:
        if allowed:
            rules.require_named(presented, METER, payee)
        else:
            with pytest.raises(NotPermittedError, match=f"--meter names {OTHER_METER}"):
                rules.require_named(presented, METER, payee)


def test_a_card_that_carries_a_sale_for_another_meter_is_refused(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    with setup.presented(card) as presented:
        rules.require_nothing_owed(presented, setup.journal, METER)
        with pytest.raises(NotPermittedError, match=f"for meter {METER}"):
            rules.require_nothing_owed(presented, setup.journal, OTHER_METER)


def test_credit_of_another_journal_is_not_overwritten(
    setup: Setup, card: Card, journal: Journal
) -> None:
    with read(setup, card) as (presented, card_files):
        rules.require_known(presented, journal, card_files)  # its meter has accepted it
    setup.sell(card, 1000)
    with read(setup, card) as (presented, card_files):
        rules.require_known(presented, setup.journal, card_files)
        with pytest.raises(NotPermittedError, match=r"carries 10\.00 .* sold by another journal"):
            rules.require_known(presented, journal, card_files)


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
    with read(setup, card) as (presented, card_files):
        changed = answered(setup, setup.journal.entries()[0], card_files, outcome=outcome)
        if spent:
            rules.require_known(presented, journal, changed)
        else:
            with pytest.raises(NotPermittedError):
                rules.require_known(presented, journal, changed)


def test_a_replaced_card_and_a_service_card_carry_no_sale(setup: Setup, card: Card) -> None:
    with read(setup, card) as (presented, card_files):
        rules.require_in_use(presented, setup.journal, card_files, METER)
        assert card_files.contents.credit is not None
        service = replace(
            card_files,
            contents=replace(
                card_files.contents,
                credit=replace(card_files.contents.credit, card_type=CardType.SERVICE),
            ),
        )
        with pytest.raises(NotPermittedError, match="service card"):
            rules.require_in_use(presented, setup.journal, service, METER)
        setup.journal.audit("card_replaced", setup.now + 1, meter=METER, card=OTHER.hex())
        with pytest.raises(NotPermittedError, match=f"replaced by card {OTHER.hex()}"):
            rules.require_in_use(presented, setup.journal, card_files, METER)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"credit_sequence": 2}, "already at sequence 2"),
        ({"epoch": 0xE1}, "has a new storage"),
        ({"outcome": Outcome.EXCEEDS_MAX_CREDIT}, r"refused it \(EXCEEDS_MAX_CREDIT\)"),
        ({"outcome": Outcome.SEQUENCE_GAP}, ""),
        ({"outcome": 0}, ""),
        ({"outcome": Outcome.EXCEEDS_MAX_CREDIT, "answered_code": b"else"}, ""),
    ],
)
def test_a_sale_is_written_again_unless_the_write_back_shows_that_it_is_not_taken(
    setup: Setup, card: Card, changed: dict[str, Any], told: str
) -> None:
    with read(setup, card) as (_, before):
        pass
    entry = setup.sell(card, 1000)
    with setup.presented(card) as presented:
        files = answered(setup, entry, before, **changed)
        if told:
            with pytest.raises(NotPermittedError, match=told):
                rules.require_takeable(presented, files, entry)
        else:
            rules.require_takeable(presented, files, entry)


def test_a_sale_of_another_meter_is_not_written_again(setup: Setup, card: Card) -> None:
    entry = setup.sell(card, 1000)
    with read(setup, card) as (presented, card_files):
        rules.require_takeable(presented, card_files, entry)
        with pytest.raises(NotPermittedError, match="erase it first"):
            rules.require_takeable(presented, card_files, replace(entry, meter=OTHER_METER))


def test_the_sale_that_a_card_carries_is_the_open_one_of_this_card(
    setup: Setup, card: Card
) -> None:
    with setup.presented(card) as presented:
        assert rules.carried_by(presented, setup.journal, METER) is None
    entry = setup.sell(card, 1000)
    with setup.presented(card) as presented:
        assert rules.carried_by(presented, setup.journal, METER) == entry
        assert rules.carried_by(presented, setup.journal, OTHER_METER) is None
        setup.journal.settle(entry, EntryEvent.CARD_ERASED, 0)
        assert rules.carried_by(presented, setup.journal, METER) is None
    assert entry.card == SERIAL.hex()


def test_malformed_bytes_decode_to_nothing() -> None:
    assert rules.decoded(b"") is None
    assert rules.decoded(b"\2" * 70) is None


def test_a_meter_on_the_port_is_hinted_by_registers_and_proved_by_its_status(
    setup: Setup, card: Card
) -> None:
    session = setup.session()
    hinted = rules.hinted_meter(session, setup.journal, METER)
    proved = rules.proved_meter(session, setup.journal, METER)
    assert hinted == replace(proved, elapsed_ms=None)
    assert (proved.credit_sequence, proved.account_state) == (1, AccountState.OPEN)


def test_another_meter_on_the_port_is_a_usage_error(setup: Setup) -> None:
    session = setup.session()
    for ask in (rules.hinted_meter, rules.proved_meter):
        with pytest.raises(UsageError, match=f"the card is for {OTHER_METER}"):
            ask(session, setup.journal, OTHER_METER)


def test_with_a_port_the_plan_is_made_again_from_the_status_before_it_is_carried_out(
    setup: Setup, card: Card
) -> None:
    session, seen = setup.session(), []

    def plan(ask: rules.AskMeter) -> Planned[int]:
        meter = ask(METER)
        seen.append(meter.elapsed_ms is not None)
        return Planned("text", lambda: meter.credit_sequence)

    planned = rules.with_port(session, setup.journal, plan)
    assert (planned.text, seen) == ("text", [False])
    Host(setup.meter, setup.ring.meter_keys(METER, 1)).send(MessageKind.CREDIT, amount=1)
    assert planned.carry_out() == 2
    assert seen == [False, True]
