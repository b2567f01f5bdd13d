"""Binding and writing a card: what was written is read back, a failure is an unknown outcome."""

from __future__ import annotations

import pytest

from meterctl.errors import MeterctlError, NoAnswerError, UnknownOutcomeError
from meterctl.operations.card_writing import (
    Bound,
    Planned,
    bind_and_write,
    bound_to,
    handing_over,
    write,
)
from protocols.card.applet import Card
from protocols.card.files import CardIdentity, CardType
from protocols.sealed_message import LAST_SECOND, MessageKind, SealedMessage
from tests.support.setup import CUSTOMER, METER, NOW, Contacts, Setup

OTHER_METER = "000000000043"
BOUND = Bound(METER, CUSTOMER, 156, 1, NOW)
MESSAGE = SealedMessage(
    MessageKind.CREDIT, METER, 0xE0, 2, 500, customer_number=CUSTOMER, key_version=1
)


def sealed(setup: Setup) -> bytes:
    return MESSAGE.seal(setup.ring.meter_keys(METER, 1).credit)


def identity_of(setup: Setup, card: Card) -> CardIdentity | None:
    with setup.presented(card) as presented:
        return presented.read().contents.identity


def carried(setup: Setup, card: Card) -> tuple[CardType, bytes] | None:
    with setup.presented(card) as presented:
        credit = presented.read().contents.credit
    return None if credit is None else (credit.card_type, credit.message)


def test_a_plan_is_carried_out_only_when_it_is_told_to_be() -> None:
    done: list[str] = []
    planned = Planned("sell", lambda: done.append("sold"))
    planned.rehearse()
    assert done == []
    planned.carry_out()
    assert done == ["sold"]


def test_a_binding_is_that_of_the_message_that_the_card_carries() -> None:
    assert bound_to(MESSAGE, NOW) == BOUND
    assert bound_to(MESSAGE, LAST_SECOND + 1).issued_at == LAST_SECOND


def test_an_unbound_card_is_bound_and_carries_the_sale(setup: Setup) -> None:
    card = setup.formatted()
    with setup.presented(card) as presented:
        card_files = presented.read()
        bind_and_write(
            presented, setup.journal, CardType.PURCHASE, sealed(setup), BOUND, card_files
        )
    assert identity_of(setup, card) == CardIdentity(METER, CUSTOMER, 1, NOW, 156)
    assert carried(setup, card) == (CardType.PURCHASE, sealed(setup))


@pytest.mark.parametrize(
    ("bind_to", "issued_at"),
    [
        (None, NOW),
        (BOUND._replace(issued_at=NOW + 9), NOW),
        (BOUND._replace(customer="000000009999", issued_at=NOW + 9), NOW + 9),
    ],
)
def test_a_bound_card_is_bound_again_only_for_another_meter_or_customer(
    setup: Setup, card: Card, bind_to: Bound | None, issued_at: int
) -> None:
    setup.now = NOW
    with setup.presented(card) as presented:
        card_files = presented.read()
        bind_and_write(presented, setup.journal, CardType.PURCHASE, b"", bind_to, card_files)
    identity = identity_of(setup, card)
    assert identity is not None
    assert identity.issued_at == issued_at


def test_without_files_a_card_is_bound_in_any_case(setup: Setup, card: Card) -> None:
    again = BOUND._replace(issued_at=NOW + 9)
    with setup.presented(card) as presented:
        bind_and_write(presented, setup.journal, CardType.REPLACEMENT, b"", again, None)
    identity = identity_of(setup, card)
    assert identity is not None
    assert identity.issued_at == NOW + 9


def test_a_binding_clears_the_write_back_of_the_former_meter(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        assert presented.read().back is not None
        bind_and_write(
            presented, setup.journal, CardType.SERVICE, b"", BOUND._replace(meter=OTHER_METER), None
        )
        assert presented.read().back is None


def test_a_sale_that_is_not_on_the_card_afterwards_is_an_unknown_outcome(
    setup: Setup, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    with setup.presented(card) as presented:
        monkeypatch.setattr(presented, "write", lambda *_: None)
        with pytest.raises(UnknownOutcomeError, match="does not hold the written sale"):
            write(presented, setup.journal, CardType.PURCHASE, sealed(setup))


def test_a_failure_while_handing_over_is_an_unknown_outcome_that_says_what_to_do(
    setup: Setup, card: Card
) -> None:
    with setup.presented(card) as presented:

        def failing(error: BaseException) -> None:
            with handing_over(presented, "the same command again"):
                raise error

        for error in (NoAnswerError("pulled"), MeterctlError("broken")):
            with pytest.raises(UnknownOutcomeError, match=f"{error}; the same command again"):
                failing(error)
        with pytest.raises(UnknownOutcomeError, match="interrupted; the same command again"):
            failing(KeyboardInterrupt())
        assert presented.unchanged == "the same command again"


@pytest.mark.parametrize("after", range(0, 24, 4))
def test_a_card_that_is_pulled_at_a_command_is_finished_by_the_same_write(
    setup: Setup, after: int
) -> None:
    card = setup.formatted()
    contacts = Contacts(card)
    with setup.presented(card, contacts) as presented:
        card_files = presented.read()
        contacts.breaks_after = contacts.count + after
        with pytest.raises((NoAnswerError, UnknownOutcomeError)):
            bind_and_write(
                presented, setup.journal, CardType.OPEN, sealed(setup), BOUND, card_files
            )
    with setup.presented(card) as presented:
        bind_and_write(
            presented, setup.journal, CardType.OPEN, sealed(setup), BOUND, presented.read()
        )
    assert carried(setup, card) == (CardType.OPEN, sealed(setup))
