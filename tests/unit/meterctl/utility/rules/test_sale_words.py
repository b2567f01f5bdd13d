"""What is told of a sale whose state does not allow what a person asks."""

from __future__ import annotations

import pytest

from meterctl.utility.errors import Refused
from meterctl.utility.rules.sale_words import require_possible
from meterctl.utility.rules.transitions import SALE, SaleEvent, SaleState

ASKED = {
    SaleEvent.CANCEL, SaleEvent.CANCEL_LATER, SaleEvent.PAYOUT, SaleEvent.SELL_AGAIN,
    SaleEvent.SETTLED_AS_DELIVERED, SaleEvent.SETTLED_AS_DEAD,
}  # fmt: skip


@pytest.mark.parametrize("state", SaleState)
def test_what_the_table_refuses_is_refused_in_words(state: SaleState) -> None:
    for event in ASKED:
        if (state, event) in SALE:
            require_possible("S1", state, event)
            continue
        with pytest.raises(Refused, match=r"^S1 cannot be [a-z ]+: .*; nothing was") as refused:
            require_possible("S1", state, event)
        assert "_" not in str(refused.value)


def test_a_sale_that_its_meter_did_not_get_is_not_cancelled_but_paid_out() -> None:
    with pytest.raises(
        Refused, match=r"S1 cannot be cancelled: its meter did not get it; `desk sa"
    ):
        require_possible("S1", SaleState.DEAD, SaleEvent.CANCEL_LATER)
