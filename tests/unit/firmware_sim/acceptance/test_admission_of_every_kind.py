"""Which messages a meter admits: customer, account unit, amount and number of every kind."""

from __future__ import annotations

import pytest

from firmware_sim.meter import Meter
from firmware_sim.settings import Settings
from protocols.data_model.items import SETTINGS
from protocols.data_model.tariff import DayTables, Prices, Steps, TariffChange
from protocols.data_model.words import AccountState
from protocols.quantities import CENT, DAY, LEDGER, MONEY_LIMIT
from protocols.sealed_message import (
    MessageKind,
    Outcome,
    SwitchAction,
    encode_limits,
    encode_number,
)
from tests.support.meters import Host, make

CUSTOMER, STRANGE = "000000001001", "000000001002"
MAX_CREDIT = next(number for number, item in SETTINGS.items() if item.name == "max_credit")
PARAMETERS: dict[MessageKind, bytes] = {
    MessageKind.LIMITS: encode_limits({MAX_CREDIT: None}),
    MessageKind.TARIFF: TariffChange(((0, Prices((1,))),)).encode(),
    MessageKind.CLOCK: encode_number(MessageKind.CLOCK, 1),
    MessageKind.SWITCH: encode_number(MessageKind.SWITCH, SwitchAction.PERMIT),
    MessageKind.GUARANTEE: encode_number(MessageKind.GUARANTEE, 0),
    MessageKind.MORATORIUM: encode_number(MessageKind.MORATORIUM, 0),
}
AMOUNTS = {MessageKind.CREDIT: 1, MessageKind.REFUND: 1, MessageKind.DEBT: 1}
ALL_BUT_OPEN = [kind for kind in MessageKind if kind is not MessageKind.OPEN]
MAX_CENTS = MONEY_LIMIT // CENT


def opened(**description: object) -> Meter:
    return make(**{"customer_number": CUSTOMER, **description})


def take(meter: Meter, kind: MessageKind, **fields: object) -> Outcome:
    wanted = {"amount": AMOUNTS.get(kind, 0), "parameters": PARAMETERS.get(kind, b""), **fields}
    return Host(meter).send(kind, **wanted).outcome


@pytest.mark.parametrize("kind", ALL_BUT_OPEN)
def test_a_message_of_every_kind_is_admitted(kind: MessageKind) -> None:
    assert take(opened(), kind) is Outcome.ACCEPTED


@pytest.mark.parametrize("kind", [kind for kind in ALL_BUT_OPEN if kind is not MessageKind.VOID])
def test_every_kind_but_a_void_names_its_customer(kind: MessageKind) -> None:
    meter = opened()
    assert take(meter, kind, customer_number=STRANGE) is Outcome.NOT_FOR_THIS_CUSTOMER
    assert take(meter, kind, customer_number="0" * 12) is Outcome.NOT_FOR_THIS_CUSTOMER


@pytest.mark.parametrize("kind", [kind for kind in ALL_BUT_OPEN if kind is not MessageKind.VOID])
@pytest.mark.parametrize(("unit", "other"), [(156, 0), (156, 978), (978, 156)])
def test_every_kind_but_a_void_names_the_account_unit(
    kind: MessageKind, unit: int, other: int
) -> None:
    meter = opened(account_unit=unit)
    assert take(meter, kind, account_unit=other) is Outcome.WRONG_UNIT
    assert take(meter, kind) is Outcome.ACCEPTED


def test_a_void_names_neither_customer_nor_account_unit() -> None:
    meter = opened()
    assert (
        take(meter, MessageKind.VOID, customer_number=STRANGE, account_unit=0) is Outcome.ACCEPTED
    )
    assert take(meter, MessageKind.VOID, amount=1) is Outcome.OUT_OF_RANGE


def test_the_customer_is_checked_before_the_unit_and_the_unit_before_the_amount() -> None:
    meter = opened()
    wrong: dict[str, object] = {"customer_number": STRANGE, "account_unit": 0, "amount": 0}
    kind = MessageKind.CREDIT
    assert take(meter, kind, **wrong) is Outcome.NOT_FOR_THIS_CUSTOMER
    assert take(meter, kind, account_unit=0, amount=0) is Outcome.WRONG_UNIT
    assert take(meter, kind, amount=0) is Outcome.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("state", "outcomes"),
    [
        (AccountState.UNOPENED, (Outcome.ACCEPTED, Outcome.NOT_OPENED)),
        (AccountState.OPEN, (Outcome.ALREADY_OPENED, Outcome.ACCEPTED)),
        (AccountState.CLOSED, (Outcome.ALREADY_OPENED, Outcome.NOT_OPENED)),
    ],
)
def test_the_account_state_admits_an_opening_once_and_money_while_it_is_open(
    state: AccountState, outcomes: tuple[Outcome, Outcome]
) -> None:
    for kind in (
        MessageKind.OPEN,
        MessageKind.CREDIT,
        MessageKind.REFUND,
        MessageKind.DEBT,
        MessageKind.CLOSE,
    ):
        meter = opened(opened=state is not AccountState.UNOPENED)
        if state is AccountState.CLOSED:
            assert take(meter, MessageKind.CLOSE) is Outcome.ACCEPTED
        assert take(meter, kind) is outcomes[kind is not MessageKind.OPEN]
        meter = opened(opened=state is not AccountState.UNOPENED)
        if state is AccountState.CLOSED:
            take(meter, MessageKind.CLOSE)
        assert take(meter, MessageKind.CLEAR_DEMAND) is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("amount", "outcome"),
    [
        (0, Outcome.ACCEPTED),
        (MAX_CENTS, Outcome.ACCEPTED),
        (MAX_CENTS + 1, Outcome.OUT_OF_RANGE),
    ],
)
def test_an_opening_may_carry_nothing_and_at_most_the_largest_amount(
    amount: int, outcome: Outcome
) -> None:
    assert take(opened(opened=False), MessageKind.OPEN, amount=amount) is outcome


@pytest.mark.parametrize("kind", [MessageKind.OPEN, MessageKind.CREDIT])
def test_a_credit_up_to_max_credit_is_admitted_and_0_01_more_is_not(kind: MessageKind) -> None:
    settings = Settings(max_credit=30 * LEDGER)
    opening = kind is MessageKind.OPEN
    start = 0 if opening else 2000
    for over, outcome in ((1, Outcome.EXCEEDS_MAX_CREDIT), (0, Outcome.ACCEPTED)):
        meter = opened(settings=settings, opened=not opening)
        assert take(meter, kind, amount=3000 - start + over) is outcome


def test_a_debt_message_is_admitted_beyond_max_credit() -> None:
    meter = opened(settings=Settings(max_credit=20 * LEDGER))
    assert take(meter, MessageKind.DEBT, amount=5000) is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("debt", "amount", "outcome"),
    [
        (0, MAX_CENTS, Outcome.ACCEPTED),
        (CENT, MAX_CENTS - 1, Outcome.ACCEPTED),
        (CENT, MAX_CENTS, Outcome.OUT_OF_RANGE),
        (MONEY_LIMIT, 1, Outcome.OUT_OF_RANGE),
        (0, 0, Outcome.OUT_OF_RANGE),
    ],
)
def test_a_debt_grows_to_the_largest_amount(debt: int, amount: int, outcome: Outcome) -> None:
    assert take(opened(debt=debt), MessageKind.DEBT, amount=amount) is outcome


@pytest.mark.parametrize(
    ("credit", "amount", "outcome"),
    [
        (CENT, 1, Outcome.ACCEPTED),
        (2 * CENT - 1, 2, Outcome.OUT_OF_RANGE),
        (0, 1, Outcome.OUT_OF_RANGE),
        (CENT, 0, Outcome.OUT_OF_RANGE),
    ],
)
def test_a_refund_is_at_most_the_exact_credit(credit: int, amount: int, outcome: Outcome) -> None:
    assert take(opened(credit=credit), MessageKind.REFUND, amount=amount) is outcome


@pytest.mark.parametrize(
    "kind",
    [
        MessageKind.CLOSE,
        MessageKind.SWITCH,
        MessageKind.CLEAR_TAMPER,
        MessageKind.CLEAR_EVENTS,
        MessageKind.CLEAR_DEMAND,
    ],
)
def test_an_amount_on_a_kind_without_money_is_refused(kind: MessageKind) -> None:
    assert take(opened(), kind, amount=1) is Outcome.OUT_OF_RANGE


@pytest.mark.parametrize("value", [0, 1])
def test_a_guarantee_is_0_or_1(value: int) -> None:
    parameters = encode_number(MessageKind.GUARANTEE, value)
    meter = opened(guarantee=not value)
    assert take(meter, MessageKind.GUARANTEE, parameters=parameters) is Outcome.ACCEPTED
    assert meter.state.supply.guarantee == bool(value)


NOW, LATER = 0, 1_767_225_600_000 + DAY


@pytest.mark.parametrize(
    ("parts", "outcome"),
    [
        (((LATER, Prices((1, 2))),), Outcome.ACCEPTED),
        (((NOW, Steps((5,), (0, 1))), (LATER, Prices((1,)))), Outcome.ACCEPTED),
        (((LATER, Steps((5, 5), (0, 1, 2))),), Outcome.OUT_OF_RANGE),
    ],
)
def test_a_tariff_must_be_complete_after_each_activation(
    parts: tuple[tuple[int, Prices | Steps], ...], outcome: Outcome
) -> None:
    meter = opened()
    answer = take(meter, MessageKind.TARIFF, parameters=TariffChange(parts).encode())
    assert answer is outcome
    if outcome is Outcome.OUT_OF_RANGE:
        assert meter.state.pending == ()


def test_a_part_that_fits_the_pending_set_alone_is_refused_after_that_was_replaced() -> None:
    """Two prices are pending, a table with rate 2 needs them: one price instead is refused."""
    meter = opened()
    both = TariffChange(((LATER, Prices((1, 2))), (LATER + 1, DayTables((((0, 2),),)))))
    assert take(meter, MessageKind.TARIFF, parameters=both.encode()) is Outcome.ACCEPTED
    one = TariffChange(((LATER, Prices((1,))),)).encode()
    assert take(meter, MessageKind.TARIFF, parameters=one) is Outcome.OUT_OF_RANGE
    assert take(opened(), MessageKind.TARIFF, parameters=one) is Outcome.ACCEPTED
