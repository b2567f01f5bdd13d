"""Sales for the tests of card operations."""

from __future__ import annotations

from typing import Any

from meterctl.operations.card.sales import plan_sale
from meterctl.operations.card.sold import Sold
from protocols.card.applet import Card
from tests.support.setup import Setup


def sold(setup: Setup, card: Card, cents: int, **how: Any) -> Sold:
    """Sell credit on a card; `how` is of its case."""
    with setup.presented(card) as presented:
        return plan_sale(setup.case(presented, **how), cents).carry_out()


def taken(setup: Setup, card: Card) -> None:
    """Insert a card into its meter, and read its write-back at the vending point."""
    setup.insert(card)
    setup.read(card)
