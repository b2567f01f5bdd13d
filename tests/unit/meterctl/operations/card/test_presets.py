"""Sealed commands on a card: their sequences, the sale beside them, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from meterctl.errors import NotPermittedError, UsageError
from meterctl.journal import SeenWriteBack
from meterctl.operations.card.preset_file import Command
from meterctl.operations.card.presets import plan_preset
from protocols.card.applet import Card
from protocols.card.terminal import Contents
from protocols.data_model.tariff import Seasons, TariffChange
from protocols.keys import MessageClass
from protocols.quantities import LEDGER
from protocols.sealed_message import (
    MessageKind,
    Outcome,
    SealedMessage,
    SwitchAction,
    encode_limits,
    encode_number,
    verify,
)
from tests.support.setup import METER, SERIAL, Setup

OTHER_METER = "000000000043"
EVENTS = [(MessageKind.CLEAR_EVENTS, b"")]


def contents(setup: Setup, card: Card) -> Contents:
    with setup.presented(card) as presented:
        return presented.read().contents


def preset(setup: Setup, card: Card, commands: list[Command], **how: Any) -> list[SealedMessage]:
    with setup.presented(card) as presented:
        return plan_preset(setup.case(presented, **how), commands).carry_out()


def test_planning_writes_nothing(setup: Setup, card: Card) -> None:
    before = card.state
    with setup.presented(card) as presented:
        planned = plan_preset(setup.case(presented), EVENTS)
    assert planned.text.endswith("preset clear_events")
    assert card.state.files == before.files


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


def test_commands_that_the_meter_has_not_taken_are_told_before_they_are_replaced(
    setup: Setup, card: Card
) -> None:
    def told() -> list[str]:
        with setup.presented(card) as presented:
            plan_preset(setup.case(presented), EVENTS)
            return [text for text in presented.notices if "are replaced" in text]

    assert told() == []
    preset(setup, card, [*EVENTS, *EVENTS])
    (text,) = told()
    assert "2 commands that its meter has not taken are replaced" in text
    setup.insert(card)
    assert told() == []


def test_commands_on_a_card_without_a_write_back_are_not_taken(setup: Setup) -> None:
    card = setup.formatted()
    setup.open(card)
    preset(setup, card, EVENTS, session=setup.session())
    with setup.presented(card) as presented:
        plan_preset(setup.case(presented, session=setup.session()), EVENTS)
        assert "1 commands that its meter has not taken" in " ".join(presented.notices)


def test_a_card_of_a_meter_that_was_set_back_takes_no_preset(setup: Setup, card: Card) -> None:
    setup.journal.write_backs.keep(METER, 0xE0, SERIAL.hex(), SeenWriteBack(2, 0, 0, 0), 0)
    with pytest.raises(NotPermittedError, match="went back from 2 to 1"):
        preset(setup, card, EVENTS)
    assert contents(setup, card).parameters == ()


REFUSED_BY_METER = [
    (MessageKind.LIMITS, encode_limits({4: 8 * LEDGER, 5: 8 * LEDGER})),
    (MessageKind.LIMITS, encode_limits({20: 360 | 360 << 16})),
    (MessageKind.LIMITS, encode_limits({18: -1})),
    (MessageKind.TARIFF, TariffChange(((0, Seasons(((2, 30, 1),))),)).encode()),
    (MessageKind.TARIFF, TariffChange(((0, Seasons(holidays=((1, 0), (1, 1)))),)).encode()),
    (MessageKind.MORATORIUM, encode_number(MessageKind.MORATORIUM, 1)),
]


@pytest.mark.parametrize("command", REFUSED_BY_METER)
def test_what_a_meter_refuses_on_a_wire_it_refuses_from_a_card(
    setup: Setup, card: Card, command: Command
) -> None:
    preset(setup, card, [command])
    before = setup.meter.state.settings, setup.meter.state.pending
    inserted = setup.insert(card).insertion
    assert inserted is not None
    assert inserted.command_outcome is Outcome.OUT_OF_RANGE
    assert (setup.meter.state.settings, setup.meter.state.pending) == before
