"""The events and purchase records that accepted messages leave (METER.md 6, 7)."""

from __future__ import annotations

import pytest

from firmware_sim.meter import Meter
from firmware_sim.meter_description import DEFAULT_START
from firmware_sim.records.ring import PURCHASE_RING
from firmware_sim.settings import Settings
from protocols.data_model.items import SETTINGS
from protocols.data_model.tables import Purchase
from protocols.data_model.tariff import Prices, TariffChange
from protocols.data_model.words import Carrier, Cause, SupplyState, UnopenedSupply
from protocols.keys import derive_meter_keys
from protocols.quantities import CENT, DAY, HOUR, LEDGER
from protocols.sealed_message import MessageKind, Outcome, encode_limits, encode_number
from tests.support.meters import Host, events, make

NUMBER_OF = {item.name: number for number, item in SETTINGS.items()}


def number(kind: MessageKind, value: int) -> bytes:
    return encode_number(kind, value)


def limits(**values: int | None) -> bytes:
    return encode_limits({NUMBER_OF[name]: value for name, value in values.items()})


def since(meter: Meter, count: int) -> list[tuple[str, int, int]]:
    """Return the events after the first `count`."""
    return [(event.name, event.a, event.b) for event in events(meter)[count:]]


PRICES = TariffChange(((DEFAULT_START + DAY, Prices((1,))),)).encode()


@pytest.mark.parametrize(
    ("kind", "fields", "event"),
    [
        (MessageKind.CREDIT, {"amount": 150}, ("credit_accepted", 150 * CENT, 2)),
        (MessageKind.REFUND, {"amount": 150}, ("credit_refunded", 150 * CENT, 2)),
        (MessageKind.DEBT, {"amount": 150}, ("debt_entered", 150 * CENT, 2)),
        (MessageKind.CLOSE, {}, ("account_closed", 20 * LEDGER, 2)),
        (MessageKind.VOID, {}, ("sequence_voided", 2, 0)),
        (MessageKind.LIMITS, {"parameters": limits(max_credit=None)}, ("limits_set", 2, 0)),
        (MessageKind.TARIFF, {"parameters": PRICES}, ("tariff_set", 2, 0)),
        (
            MessageKind.GUARANTEE,
            {"parameters": number(MessageKind.GUARANTEE, 1)},
            ("guarantee_set", 1, 0),
        ),
        (MessageKind.CLEAR_TAMPER, {}, ("tamper_cleared", 0, 0)),
        (MessageKind.CLEAR_EVENTS, {}, ("events_cleared", 2, 0)),
        (MessageKind.CLEAR_DEMAND, {}, ("demand_cleared", 2, 0)),
    ],
)
def test_an_accepted_message_is_one_event_with_its_details(
    kind: MessageKind, fields: dict[str, object], event: tuple[str, int, int]
) -> None:
    meter = make()
    host = Host(meter)
    host.send(MessageKind.VOID)
    host.send(MessageKind.CLEAR_DEMAND)
    before = len(events(meter))
    answer = host.send(kind, **fields)
    assert (answer.outcome, answer.sequence) == (Outcome.ACCEPTED, 2)
    assert (answer.to_overdraft, answer.to_debt, answer.amount_to_reconnect) == (0, 0, 0)
    assert (answer.credit_before, answer.credit_after) == (20 * LEDGER, meter.state.account.credit)
    after = since(meter, 0) if kind is MessageKind.CLEAR_EVENTS else since(meter, before)
    assert after == [event]


def test_a_clock_command_records_the_old_and_the_new_clock() -> None:
    meter = make()
    meter.advance(700)
    new = DEFAULT_START + HOUR
    Host(meter).send(MessageKind.CLOCK, parameters=number(MessageKind.CLOCK, new))
    assert since(meter, 0) == [("clock_set", DEFAULT_START + 700, new)]
    assert events(meter)[0].elapsed_ms == 700


def test_an_opening_and_a_purchase_are_records_with_credit_before_and_after() -> None:
    meter = make(
        opened=False, debt=10 * LEDGER, settings=Settings(debt_share_percent=50), epoch=0xE0
    )
    host = Host(meter)
    opened = host.seal(MessageKind.OPEN, amount=3000, customer_number="000000001001")
    assert host.deliver(opened, Carrier.CARD).outcome is Outcome.ACCEPTED
    meter.advance(500)
    assert host.send(MessageKind.CREDIT, amount=100).outcome is Outcome.ACCEPTED
    rows = [Purchase.unpack(row) for row in meter.rings[PURCHASE_RING].newest(10)][::-1]
    assert rows == [
        Purchase(
            1,
            DEFAULT_START,
            0,
            30 * LEDGER,
            0,
            10 * LEDGER,
            0,
            20 * LEDGER,
            30 * LEDGER,
            1,
            Carrier.CARD,
        ),
        Purchase(
            2,
            DEFAULT_START + 500,
            1,
            LEDGER,
            0,
            0,
            20 * LEDGER,
            21 * LEDGER,
            31 * LEDGER,
            2,
            Carrier.WIRE,
        ),
    ]
    assert since(meter, 0) == [
        ("account_opened", 30 * LEDGER, 1),
        ("credit_accepted", LEDGER, 2),
    ]


def test_a_purchase_in_overdraft_records_what_repays_it() -> None:
    meter = make(credit=-5 * LEDGER, settings=Settings(overdraft_limit=9 * LEDGER))
    answer = Host(meter).send(MessageKind.CREDIT, amount=800)
    (row,) = meter.rings[PURCHASE_RING].newest(10)
    purchase = Purchase.unpack(row)
    assert (purchase.to_overdraft, purchase.to_debt) == (5 * LEDGER, 0)
    assert (purchase.credit_before, purchase.credit_after) == (-5 * LEDGER, 3 * LEDGER)
    assert (answer.credit_before, answer.credit_after) == (-5 * LEDGER, 3 * LEDGER)
    assert (answer.to_overdraft, answer.to_debt) == (5 * LEDGER, 0)


def test_refund_debt_close_and_void_are_no_purchases() -> None:
    meter = make()
    host = Host(meter)
    for kind, amount in (
        (MessageKind.REFUND, 100),
        (MessageKind.DEBT, 100),
        (MessageKind.VOID, 0),
        (MessageKind.CLOSE, 0),
    ):
        assert host.send(kind, amount=amount).outcome is Outcome.ACCEPTED
    assert list(meter.rings[PURCHASE_RING].newest(10)) == []


def test_the_first_message_under_the_next_key_is_an_event_before_its_own() -> None:
    serial = "000000000001"
    keys = {version: derive_meter_keys(bytes(range(16)), serial, version) for version in (3, 7)}
    meter = make(keys=keys)
    for version in (3, 7, 7):
        answer = Host(meter, keys[version]).send(MessageKind.CREDIT, amount=100)
        assert answer.outcome is Outcome.ACCEPTED
    assert since(meter, 0) == [
        ("credit_accepted", LEDGER, 1),
        ("key_changed", 7, 0),
        ("credit_accepted", LEDGER, 2),
        ("credit_accepted", LEDGER, 3),
    ]


@pytest.mark.parametrize("opened", [True, False])
def test_unopened_supply_acts_on_an_account_that_is_not_open(opened: bool) -> None:
    meter = make(opened=opened)
    host = Host(meter)
    for value, state in (
        (UnopenedSupply.DISCONNECTED, SupplyState.DISCONNECTED),
        (UnopenedSupply.DISCONNECTED, SupplyState.DISCONNECTED),
        (UnopenedSupply.CONNECTED, SupplyState.CONNECTED),
        (UnopenedSupply.CONNECTED, SupplyState.CONNECTED),
    ):
        answer = host.send(MessageKind.LIMITS, parameters=limits(unopened_supply=value))
        assert answer.outcome is Outcome.ACCEPTED
        assert answer.supply_state is (SupplyState.CONNECTED if opened else state)
        wanted = Cause.NONE if opened or state is SupplyState.CONNECTED else Cause.ACCOUNT
        assert answer.causes == wanted


def test_a_closing_with_unopened_supply_disconnected_opens_the_switch_until_it_is_connected() -> (
    None
):
    meter = make(settings=Settings(unopened_supply=UnopenedSupply.DISCONNECTED))
    answer = Host(meter).send(MessageKind.CLOSE)
    assert (answer.supply_state, answer.causes) == (SupplyState.DISCONNECTED, Cause.ACCOUNT)
    answer = Host(meter).send(
        MessageKind.LIMITS, parameters=limits(unopened_supply=UnopenedSupply.CONNECTED)
    )
    assert (answer.supply_state, answer.causes) == (SupplyState.CONNECTED, Cause.NONE)


def test_a_refusal_names_no_part_of_an_amount() -> None:
    meter = make(credit=-LEDGER, debt=10 * LEDGER)
    answer = Host(meter).send(MessageKind.CREDIT, amount=5000, sequence=9)
    assert answer.outcome is Outcome.SEQUENCE_GAP
    assert (answer.to_overdraft, answer.to_debt) == (0, 0)
    assert answer.credit_before == answer.credit_after == -LEDGER


@pytest.mark.parametrize("carrier", [Carrier.WIRE, Carrier.CARD])
def test_an_attack_is_an_event_that_names_its_carrier(carrier: Carrier) -> None:
    meter = make()
    host = Host(meter)
    for amount in range(1, 6):
        sealed = host.seal(MessageKind.CREDIT, amount=amount)
        host.deliver(sealed[:-1] + bytes((sealed[-1] ^ 1,)), carrier)
    assert since(meter, 0) == [("authentication_attack", carrier, 0)]
