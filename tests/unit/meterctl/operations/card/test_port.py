"""The meter of a card on a port: hinted by its registers, proved by its status, planned twice."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

import pytest

from meterctl.errors import NoAnswerError, UsageError
from meterctl.operations.card.case import Case
from meterctl.operations.card.planning import Planned
from meterctl.operations.card.port import (
    hinted_before_reading,
    hinted_meter,
    plan_with_port,
    proved_meter,
)
from meterctl.operations.card.presented import PresentedCard
from meterctl.session import Session
from protocols.card.applet import Card
from protocols.data_model.words import AccountState
from protocols.sealed_message import MessageKind
from tests.support.meters import Host
from tests.support.setup import METER, Setup

OTHER_METER = "000000000043"


def test_a_meter_on_the_port_is_hinted_by_registers_and_proved_by_its_status(
    setup: Setup, card: Card
) -> None:
    session = setup.session()
    hinted = hinted_meter(session, setup.journal, METER)
    proved = proved_meter(session, setup.journal, METER)
    assert hinted == replace(proved, elapsed_ms=None)
    assert (proved.credit_sequence, proved.account_state) == (1, AccountState.OPEN)


def test_another_meter_on_the_port_is_a_usage_error(setup: Setup) -> None:
    session = setup.session()
    for ask in (hinted_meter, proved_meter):
        with pytest.raises(UsageError, match=f"the card is for {OTHER_METER}"):
            ask(session, setup.journal, OTHER_METER)


def test_with_a_port_the_plan_is_made_again_from_the_status_before_it_is_carried_out(
    setup: Setup, card: Card
) -> None:
    seen = []

    def plan(case: Case) -> Planned[int]:
        assert case.ask is not None
        meter = case.ask(METER)
        seen.append(meter.elapsed_ms is not None)
        return Planned("text", lambda: meter.credit_sequence)

    with setup.presented(card) as presented:
        planned = plan_with_port(setup.case(presented, setup.session()), plan)
        assert (planned.text, seen) == ("text", [False])
        Host(setup.meter, setup.ring.meter_keys(METER, 1)).send(MessageKind.CREDIT, amount=1)
        assert planned.carry_out() == 2
    assert seen == [False, True]


def test_with_a_port_the_card_is_read_again_before_the_plan_is_carried_out(
    setup: Setup, card: Card
) -> None:
    def plan(case: Case) -> Planned[int]:
        assert case.back is not None
        sequence = case.back.credit_sequence
        return Planned("text", lambda: sequence)

    with setup.presented(card) as presented:
        planned = plan_with_port(setup.case(presented, setup.session()), plan)
    setup.sell(card, 100)
    setup.insert(card)
    card.power_on()
    presented.play(presented.terminal.select())
    assert planned.carry_out() == 2


def test_a_meter_asked_before_reading_is_asked_once_a_plan_and_before_the_card(
    setup: Setup, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = setup.session()
    asked: list[bool] = []

    def plan(case: Case) -> Planned[None]:
        assert case.ask is not None
        asked.append(case.ask(METER).elapsed_ms is not None)
        return Planned("text", lambda: None)

    with setup.presented(card) as presented:
        ask = hinted_before_reading(session, setup.journal, METER)
        monkeypatch.setattr(Session, "identify", _unexpected)
        case = Case.read(presented, setup.journal, session, ask=ask)
        planned = plan_with_port(case, plan, before_reading=METER)
        monkeypatch.undo()
        planned.carry_out()
        assert asked == [False, True]
        monkeypatch.setattr(Session, "identify", _silence)
        monkeypatch.setattr(PresentedCard, "read", _unexpected)
        with pytest.raises(NoAnswerError):
            planned.carry_out()


def _unexpected(*_: object) -> NoReturn:
    raise AssertionError("not to be asked or read")


def _silence(_: Session) -> NoReturn:
    raise NoAnswerError("no answer")


def test_without_a_port_no_meter_is_asked_before_reading(setup: Setup) -> None:
    assert hinted_before_reading(None, setup.journal, METER) is None


def test_without_a_port_the_plan_is_made_once_and_asks_no_meter(setup: Setup, card: Card) -> None:
    seen = []

    def plan(case: Case) -> Planned[None]:
        seen.append(case.ask)
        return Planned("text", lambda: None)

    with setup.presented(card) as presented:
        plan_with_port(setup.case(presented), plan).carry_out()
    assert seen == [None]
