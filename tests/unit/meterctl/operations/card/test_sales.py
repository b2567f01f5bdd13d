"""Credit on a bound card: sequence, key, payee, daily limit, refusals before any write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterctl.errors import NotPermittedError, OverDailyLimitError, RefusedError, UsageError
from meterctl.operations.card.issuing import plan_replacement
from meterctl.operations.card.port import hinted_meter
from meterctl.operations.card.sales import plan_sale, sell
from meterctl.operations.credit import execute, plan
from protocols.card.applet import Card
from protocols.card.files import CardType
from protocols.sealed_message import LAST_SEQUENCE, MessageKind
from protocols.sealed_status import SealedStatus
from tests.support.setup import METER, OTHER, Setup
from tests.unit.meterctl.operations.card.selling import sold, taken

OTHER_METER = "000000000043"


def test_planning_changes_neither_card_nor_journal(setup: Setup, card: Card) -> None:
    before = card.state
    with setup.presented(card) as presented:
        planned = plan_sale(setup.case(presented), 1000)
    assert "sell 10.00 CNY" in planned.text
    assert card.state.files == before.files
    assert len(setup.journal.entries()) == 1


def test_a_sale_takes_the_sequence_after_that_of_the_write_back(setup: Setup, card: Card) -> None:
    first = sold(setup, card, 1000).entry
    assert (first.kind, first.epoch, first.sequence) == ("credit", 0xE0, 2)
    taken(setup, card)
    assert sold(setup, card, 1000).entry.sequence == 3
    taken(setup, card)
    assert setup.credit == 5000


def test_a_sale_takes_the_last_proof_of_the_journal_where_that_is_newer(
    setup: Setup, card: Card
) -> None:
    session = setup.session()
    execute(session, setup.journal, plan(session, setup.journal, MessageKind.CREDIT, 700))
    assert sold(setup, card, 1000).entry.sequence == 3
    taken(setup, card)
    assert setup.credit == 4700


@pytest.mark.parametrize("cents", [1000, 2000])
def test_a_second_sale_is_refused_while_the_first_is_unconsumed(
    setup: Setup, card: Card, cents: int
) -> None:
    sold(setup, card, 1000)
    with pytest.raises(NotPermittedError, match="unconsumed"):
        sold(setup, card, cents)


def test_a_key_is_of_one_amount(setup: Setup, card: Card) -> None:
    sold(setup, card, 1000, reference="key")
    with pytest.raises(UsageError, match="nothing was sold"):
        sold(setup, card, 1001, reference="key")


def test_the_payee_of_a_sale_is_the_meter_of_the_card(setup: Setup, card: Card) -> None:
    with pytest.raises(NotPermittedError, match=f"--meter names {OTHER_METER}"):
        sold(setup, card, 1000, payee=OTHER_METER)
    assert sold(setup, card, 1000, payee=METER).entry.meter == METER


def test_the_daily_limit_is_held_while_planning(setup: Setup, card: Card) -> None:
    """The opening of 30.00 was sold on the same day."""
    setup.ring = replace(setup.ring, daily_limit=4000)
    with setup.presented(card) as presented:
        with pytest.raises(OverDailyLimitError):
            plan_sale(setup.case(presented), 1001)
        plan_sale(setup.case(presented), 1000)


def test_a_closed_account_is_sold_no_credit(setup: Setup, card: Card) -> None:
    session = setup.session()
    execute(session, setup.journal, plan(session, setup.journal, MessageKind.CLOSE, 0))
    with pytest.raises(RefusedError, match="is closed"):
        sold(setup, card, 1000)


def test_a_sale_is_carried_out_and_is_on_the_card(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        entry = sell(setup.case(presented), 1000).entry
        credit = setup.case(presented).credit
    assert credit is not None
    assert (credit.card_type, credit.message) == (CardType.PURCHASE, entry.message)
    assert [line.what for line in setup.journal.audit_lines()][-1] == "sold"


def test_a_replacement_card_stays_one_until_its_meter_has_bound_it(
    setup: Setup, card: Card
) -> None:
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented:
        plan_replacement(setup.case(presented), METER).carry_out()
    for card_type in (CardType.REPLACEMENT, CardType.PURCHASE):
        sold(setup, new, 1000)
        with setup.presented(new) as presented:
            credit = setup.case(presented).credit
        assert credit is not None
        assert credit.card_type is card_type
        taken(setup, new)


def test_a_card_of_another_customer_than_the_account_is_refused(setup: Setup, card: Card) -> None:
    setup.meter = setup.build(opened=True, customer_number="000000009999")
    with pytest.raises(NotPermittedError, match=r"the account of meter .* is 000000009999's"):
        sold(setup, card, 1000, session=setup.session())


def test_a_meter_at_its_last_sequence_is_sold_nothing(setup: Setup, card: Card) -> None:
    meter = replace(
        hinted_meter(setup.session(), setup.journal, METER), credit_sequence=LAST_SEQUENCE
    )
    with setup.presented(card) as presented:
        case = replace(setup.case(presented), ask=lambda _: meter)
        with pytest.raises(NotPermittedError, match="its sequences are used up"):
            plan_sale(case, 1000)


def test_a_dry_run_with_a_port_asks_for_the_status_and_sells_nothing(
    setup: Setup, card: Card
) -> None:
    entries = setup.journal.entries()
    with setup.presented(card) as presented:
        plan_sale(setup.case(presented, setup.session()), 1000).rehearse()
    assert setup.journal.entries() == entries
    newest = setup.journal.proofs.newest(METER)
    assert newest is not None
    assert len(newest.proof) == SealedStatus.SIZE
