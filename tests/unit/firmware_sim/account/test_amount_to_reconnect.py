"""amount_to_reconnect is accepted and enough, for every account and all limits that are allowed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.assembly import build
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.settings import Settings
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.tariff import Prices, Tariff
from protocols.data_model.words import Cause
from protocols.quantities import CENT, LEDGER, MONEY_LIMIT
from protocols.sealed_message import MessageKind, Outcome, encode_limits
from tests.support.meters import Host

AMOUNTS = st.one_of(st.integers(0, 20 * LEDGER), st.integers(0, MONEY_LIMIT))
LIMITS = st.one_of(st.just(0), AMOUNTS.map(lambda amount: amount // CENT * CENT))


@st.composite
def exhausted(draw: st.DrawFn) -> Meter:
    """Return a meter whose credit is at or below the overdraft limit, to the ledger unit."""
    threshold, limit = draw(LIMITS.filter(lambda amount: amount < MONEY_LIMIT)), draw(LIMITS)
    lowest = threshold + CENT
    max_credit = draw(st.none() | st.just(lowest) | st.integers(lowest // CENT, 10**8 - 1))
    if max_credit is not None and max_credit != lowest:
        max_credit *= CENT
    is_energy = draw(st.booleans())
    credit = -limit - draw(st.one_of(st.just(0), st.integers(0, CENT), AMOUNTS))
    return build(
        MeterDescription(
            credit=credit,
            debt=draw(st.one_of(st.just(0), AMOUNTS)),
            account_unit=0 if is_energy else 156,
            tariff=Tariff(prices=Prices((10_000,))) if is_energy else Tariff(),
            settings=Settings(
                overdraft_limit=limit,
                reconnect_threshold=threshold,
                max_credit=max_credit,
                debt_share_percent=draw(st.integers(0, 100)),
                low_credit_threshold_1=draw(st.none() | LIMITS),
            ),
        )
    )


CHANGED: tuple[Item, ...] = (
    items.OVERDRAFT_LIMIT,
    items.RECONNECT_THRESHOLD,
    items.MAX_CREDIT,
    items.DEBT_SHARE,
)


@given(
    meter=exhausted(),
    changes=st.lists(
        st.dictionaries(st.sampled_from(CHANGED), LIMITS | st.integers(0, 100), min_size=1),
        max_size=3,
    ),
)
@settings(max_examples=200, deadline=None)
def test_it_is_accepted_and_ends_the_exhaustion_after_any_allowed_change_of_the_limits(
    meter: Meter, changes: list[dict[Item, int]]
) -> None:
    host = Host(meter)
    assert meter.state.supply.causes & Cause.CREDIT_EXHAUSTED
    for change in changes:
        parameters = encode_limits({item.setting: value for item, value in change.items()})
        host.send(MessageKind.LIMITS, parameters=parameters)
    for _ in range(5):
        amount = meter.state.amount_to_reconnect()
        if not amount:
            break
        answer = host.send(MessageKind.CREDIT, amount=amount // CENT)
        assert answer.outcome is Outcome.ACCEPTED
        is_largest = amount == MONEY_LIMIT  # no single top-up is enough for such an account
        assert is_largest or answer.amount_to_reconnect == 0
    assert not meter.state.supply.causes & Cause.CREDIT_EXHAUSTED
    assert meter.state.account.imbalance() == (0, 0)


def test_a_negative_debt_of_an_older_state_takes_and_gives_nothing() -> None:
    older = MeterDescription(
        debt=-5 * LEDGER, settings=Settings(debt_share_percent=50, debt_instalment=LEDGER)
    )
    meter = build(older)
    Host(meter).send(MessageKind.CREDIT, amount=1000)
    assert meter.state.account.credit == 30 * LEDGER
    assert (meter.state.account.debt, meter.state.account.debt_from_top_ups) == (-5 * LEDGER, 0)
    meter.advance(40 * 3_600_000)
    assert meter.state.account.instalments == 0
