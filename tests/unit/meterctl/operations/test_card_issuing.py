"""Cards without a sale: format, replace, service, preset, erase; refusals before any write."""

from __future__ import annotations

from typing import Any

import pytest

from meterctl.errors import NotPermittedError, UsageError
from meterctl.journal import EntryState, Journal
from meterctl.operations.card_issuing import (
    plan_erasure,
    plan_format,
    plan_preset,
    plan_replacement,
    plan_service,
)
from protocols.card.applet import Card
from protocols.card.files import CardFile, CardIdentity, CardType
from protocols.card.terminal import Contents
from protocols.keys import MessageClass
from protocols.sealed_message import (
    ANY_CUSTOMER,
    MessageKind,
    SealedMessage,
    SwitchAction,
    encode_number,
    verify,
)
from tests.support.setup import CUSTOMER, METER, OTHER, Setup, blank

OTHER_METER = "000000000043"
EVENTS = [(MessageKind.CLEAR_EVENTS, b"")]


def contents(setup: Setup, card: Card) -> Contents:
    with setup.presented(card) as presented:
        return presented.read().contents


def audited(setup: Setup) -> list[str]:
    return [line.what for line in setup.journal.audit_lines()]


def preset(
    setup: Setup, card: Card, commands: list[tuple[MessageKind, bytes]], **how: Any
) -> list[SealedMessage]:
    with setup.presented(card) as presented:
        return plan_preset(presented, setup.journal, commands, **how).carry_out()


def test_planning_writes_nothing(setup: Setup, card: Card) -> None:
    unissued = blank(OTHER)
    lines = audited(setup)
    before = card.state
    with setup.presented(unissued) as presented:
        plan_format(presented, setup.journal)
    with setup.presented(card) as presented:
        plan_erasure(presented, setup.journal)
        plan_preset(presented, setup.journal, EVENTS)
        plan_replacement(presented, setup.journal, METER)
    assert card.state.files == before.files
    assert not unissued.state.keys[0].key.strip(b"\0")
    assert audited(setup) == lines


def test_a_card_is_formatted_once_and_its_keys_can_be_written_again(setup: Setup) -> None:
    card = setup.formatted()
    with setup.presented(card) as presented:
        with pytest.raises(NotPermittedError, match="formatted already"):
            plan_format(presented, setup.journal)
        plan_format(presented, setup.journal, again=True).carry_out()
    assert audited(setup) == ["card_formatted", "card_keys_renewed"]
    setup.open(card)


def test_a_second_card_of_a_serial_number_is_told(setup: Setup) -> None:
    setup.formatted()
    with setup.presented(blank()) as presented:
        plan_format(presented, setup.journal)
        assert "cannot distinguish the two cards" in presented.notices[0]


def test_a_replacement_carries_the_open_sale_and_moves_its_entry(setup: Setup, card: Card) -> None:
    entry = setup.sell(card, 1000)
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented:
        planned = plan_replacement(presented, setup.journal, METER)
        assert "replacement card with 10.00" in planned.text
        moved = planned.carry_out()
    assert moved is not None
    assert (moved.id, moved.card) == (entry.id, OTHER.hex())
    carried = contents(setup, new)
    assert carried.credit is not None
    assert (carried.credit.card_type, carried.credit.message) == (
        CardType.REPLACEMENT,
        entry.message,
    )
    assert setup.journal.card_in_use(METER) == OTHER.hex()


def test_a_replacement_without_an_open_sale_brings_no_further_credit(
    setup: Setup, card: Card
) -> None:
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented:
        assert plan_replacement(presented, setup.journal, METER).carry_out() is None
    identity = contents(setup, new).identity
    assert identity is not None
    assert (identity.meter, identity.customer) == (METER, CUSTOMER)
    setup.insert(new)
    assert setup.credit == 3000


def test_a_card_of_another_meter_is_no_replacement(setup: Setup, card: Card) -> None:
    with (
        setup.presented(card) as presented,
        pytest.raises(NotPermittedError, match="erase it first"),
    ):
        plan_replacement(presented, setup.journal, OTHER_METER)


def test_a_meter_that_the_journal_does_not_know_needs_a_port(
    setup: Setup, card: Card, journal: Journal
) -> None:
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented:
        with pytest.raises(NotPermittedError, match="give --port"):
            plan_replacement(presented, journal, METER)
        plan_replacement(presented, journal, METER, setup.session()).carry_out()
    assert contents(setup, new).identity is not None


def test_a_service_card_is_for_a_meter_and_for_no_customer(setup: Setup) -> None:
    card = setup.formatted()
    with setup.presented(card) as presented:
        plan_service(presented, setup.journal, METER).carry_out()
    read = contents(setup, card)
    assert read.identity == CardIdentity(METER, ANY_CUSTOMER, 1, setup.now, 0)
    assert read.credit is not None
    assert (read.credit.card_type, read.credit.message) == (CardType.SERVICE, b"")
    assert audited(setup)[-1] == "service_card"


def test_a_bound_card_does_not_become_a_service_card(setup: Setup, card: Card) -> None:
    with (
        setup.presented(card) as presented,
        pytest.raises(NotPermittedError, match="is bound to meter"),
    ):
        plan_service(presented, setup.journal, METER)


def test_presets_are_numbered_in_a_row_and_never_expire(setup: Setup, card: Card) -> None:
    guarantee = (MessageKind.GUARANTEE, encode_number(MessageKind.GUARANTEE, 1))
    messages = preset(setup, card, [*EVENTS, guarantee])
    assert [(m.kind, m.sequence, m.expires_at) for m in messages] == [
        (MessageKind.CLEAR_EVENTS, 1, 0),
        (MessageKind.GUARANTEE, 2, 0),
    ]
    key = setup.ring.meter_keys(METER, 1).key(MessageClass.COMMAND)
    for sealed in contents(setup, card).parameters:
        verify(sealed, key)
    setup.insert(card)
    assert setup.meter.state.supply.guarantee
    assert setup.meter.state.security.command_sequence == 2


def test_a_preset_leaves_the_sale_on_the_card(setup: Setup, card: Card) -> None:
    entry = setup.sell(card, 1000)
    preset(setup, card, EVENTS)
    credit = contents(setup, card).credit
    assert credit is not None
    assert credit.message == entry.message
    setup.insert(card)
    assert setup.credit == 4000


def test_a_card_carries_no_switch_command(setup: Setup, card: Card) -> None:
    interrupt = encode_number(MessageKind.SWITCH, SwitchAction.INTERRUPT)
    with pytest.raises(NotPermittedError, match="would never expire"):
        preset(setup, card, [*EVENTS, (MessageKind.SWITCH, interrupt)])
    assert contents(setup, card).parameters == ()


def test_without_a_proof_of_the_command_sequence_nothing_is_preset(setup: Setup) -> None:
    card = setup.formatted()
    setup.open(card)
    with pytest.raises(NotPermittedError, match="its command sequence is not known"):
        preset(setup, card, EVENTS)
    assert preset(setup, card, EVENTS, session=setup.session())[0].sequence == 1


def test_a_preset_is_for_the_meter_that_is_named(setup: Setup, card: Card) -> None:
    with pytest.raises(NotPermittedError, match="--meter names"):
        preset(setup, card, EVENTS, payee=OTHER_METER)
    other = setup.session(setup.build(serial_number=OTHER_METER))
    with pytest.raises(UsageError, match="is on this port"):
        preset(setup, card, EVENTS, session=other)


def test_an_erased_card_is_empty_and_its_sale_stays_open(setup: Setup, card: Card) -> None:
    entry = setup.sell(card, 1000)
    with setup.presented(card) as presented:
        planned = plan_erasure(presented, setup.journal)
        assert "carries 10.00" in planned.text
        (touched,) = planned.carry_out()
    assert (touched.id, touched.state, touched.outcome) == (entry.id, EntryState.UNKNOWN, "erased")
    read = contents(setup, card)
    assert (read.identity, read.credit, read.parameters) == (None, None, ())
    assert not any(card.state.file(CardFile.RETURN))
    assert audited(setup)[-1] == "card_erased"


def test_erasing_settles_what_the_write_back_proves_first(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    setup.insert(card)
    with setup.presented(card) as presented:
        planned = plan_erasure(presented, setup.journal)
        assert "no unconsumed credit on it" in planned.text
        (touched,) = planned.carry_out()
    assert touched.state is EntryState.CONFIRMED


def test_a_sale_of_another_journal_is_erased_only_knowingly(
    setup: Setup, card: Card, journal: Journal
) -> None:
    setup.sell(card, 1000)
    with setup.presented(card) as presented:
        with pytest.raises(NotPermittedError, match="sold by another journal"):
            plan_erasure(presented, journal)
        plan_erasure(presented, journal, unknown_sale=True).carry_out()
    assert [line.what for line in journal.audit_lines()][-2:] == [
        "unknown_sale_erased",
        "card_erased",
    ]
