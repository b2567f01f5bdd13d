"""Binding and writing a card: what was written is read back, a failure is an unknown outcome."""

from __future__ import annotations

import pytest

from meterctl.errors import MeterctlError, NoAnswerError, UnknownOutcomeError
from meterctl.operations.card.case import Case
from meterctl.operations.card.writing import Bound, bind, bound_to, handing_over, is_bound_to, write
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


def bind_and_write(case: Case, card_type: CardType, message: bytes) -> None:
    if not is_bound_to(case, BOUND):
        bind(case, BOUND)
    write(case, card_type, message)


def test_a_binding_is_that_of_the_message_that_the_card_carries() -> None:
    assert bound_to(MESSAGE, NOW) == BOUND
    assert bound_to(MESSAGE, LAST_SECOND + 1).issued_at == LAST_SECOND


def test_an_unbound_card_is_bound_and_carries_the_sale(setup: Setup) -> None:
    card = setup.formatted()
    with setup.presented(card) as presented:
        bind_and_write(setup.case(presented), CardType.PURCHASE, sealed(setup))
    assert identity_of(setup, card) == CardIdentity(METER, CUSTOMER, 1, NOW, 156)
    assert carried(setup, card) == (CardType.PURCHASE, sealed(setup))


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        (BOUND, True),
        (BOUND._replace(issued_at=NOW + 9), True),
        (BOUND._replace(customer="000000009999"), False),
        (BOUND._replace(meter=OTHER_METER), False),
    ],
)
def test_a_card_is_bound_to_a_meter_and_a_customer(
    setup: Setup, card: Card, bound: Bound, expected: bool
) -> None:
    with setup.presented(card) as presented:
        assert is_bound_to(setup.case(presented), bound) is expected


def test_a_card_without_an_identity_is_bound_to_nothing(setup: Setup) -> None:
    with setup.presented(setup.formatted()) as presented:
        assert not is_bound_to(setup.case(presented), BOUND)


def test_a_binding_replaces_an_older_one_of_the_same_meter(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        bind(setup.case(presented), BOUND._replace(issued_at=NOW + 9))
    identity = identity_of(setup, card)
    assert identity is not None
    assert identity.issued_at == NOW + 9


def test_a_sale_leaves_the_binding(setup: Setup, card: Card) -> None:
    before = identity_of(setup, card)
    with setup.presented(card) as presented:
        write(setup.case(presented), CardType.PURCHASE, b"")
    assert identity_of(setup, card) == before


def test_a_binding_clears_the_write_back_of_the_former_meter(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        case = setup.case(presented)
        assert case.back is not None
        bind(case, BOUND._replace(meter=OTHER_METER))
        assert case.read_again().back is None


def test_a_sale_that_is_not_on_the_card_afterwards_is_an_unknown_outcome(
    setup: Setup, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    with setup.presented(card) as presented:
        monkeypatch.setattr(presented, "write", lambda *_: None)
        with pytest.raises(UnknownOutcomeError, match="does not hold the written sale"):
            write(setup.case(presented), CardType.PURCHASE, sealed(setup))


def test_a_failure_while_handing_over_is_an_unknown_outcome_that_says_what_to_do(
    setup: Setup, card: Card
) -> None:
    with setup.presented(card) as presented:
        case = setup.case(presented)

        def failing(error: BaseException) -> None:
            with handing_over(case, "the same command again"):
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
        case = setup.case(presented)
        contacts.breaks_after = contacts.count + after
        with pytest.raises((NoAnswerError, UnknownOutcomeError)):
            bind_and_write(case, CardType.OPEN, sealed(setup))
    with setup.presented(card) as presented:
        bind_and_write(setup.case(presented), CardType.OPEN, sealed(setup))
    assert carried(setup, card) == (CardType.OPEN, sealed(setup))
