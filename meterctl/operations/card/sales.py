"""Credit on a bound card: planned after every check has passed, then carried out."""

from __future__ import annotations

from meterctl.errors import NotPermittedError
from meterctl.operations.card.case import Case
from meterctl.operations.card.comparison import compare
from meterctl.operations.card.last_proof import where_it_stands
from meterctl.operations.card.planning import Planned
from meterctl.operations.card.port import plan_with_port
from meterctl.operations.card.rules import (
    carried_by,
    require_bound,
    require_epoch,
    require_in_use,
    require_known,
    require_named,
    require_takeable,
)
from meterctl.operations.card.sold import (
    Sold,
    nothing_to_do,
    plan_of_carried,
    sell_on_card,
    sold_before,
    unconsumed,
)
from meterctl.operations.sealing import (
    credit_message,
    require_account,
    require_key_version,
    require_nothing_open,
)
from meterctl.operations.status import ProvedMeter
from protocols.card.files import CardIdentity, CardType
from protocols.data_model.words import account_unit_text
from protocols.quantities import CENT, format_money
from protocols.sealed_message import LAST_SEQUENCE, MessageKind

NEAR_THE_END = LAST_SEQUENCE - 1000
"""A sale above it warns that the sequences run out; only a new epoch provides more."""


def sell(case: Case, cents: int) -> Sold:
    """Sell credit on a card: `plan_sale`, carried out."""
    return plan_sale(case, cents).carry_out()


def plan_sale(case: Case, cents: int) -> Planned[Sold]:
    """Plan credit on a bound card, with the sequence after the meter's last accepted one.

    Raises:
        NotPermittedError: the last sale is unconsumed, or card, meter and journal do not agree.
        AnotherStorageError: the meter has another epoch than the case's; nothing was written.
        UsageError: the key is known with another amount, kind or meter.
    """
    return plan_with_port(case, lambda case: _plan_sale(case, cents))


def _plan_sale(case: Case, cents: int) -> Planned[Sold]:
    identity = require_bound(case)
    require_named(case, identity.meter)
    sold = sold_before(case, MessageKind.CREDIT, cents, identity.meter)
    if sold is None and compare(case):
        sold = sold_before(case, MessageKind.CREDIT, cents, identity.meter)
    if sold is not None:
        return nothing_to_do(sold)
    require_in_use(case, identity.meter)
    mine = carried_by(case, identity.meter)
    if mine is not None:
        require_takeable(case, mine)
        if (mine.amount, mine.reference) != (cents, case.reference):
            raise unconsumed(mine)
        return plan_of_carried(case, mine, _type_of_sale(case))
    require_known(case)
    meter = case.ask(identity.meter) if case.ask is not None else where_it_stands(case)
    require_epoch(case, identity.meter, meter.epoch)
    _require_sellable(case, identity, meter)
    case.journal.limits.hold(case.ring.limit(), meter.serial_number, case.serial, cents, case.now())

    def carry_out() -> Sold:
        message = credit_message(case.journal, meter, MessageKind.CREDIT, cents, case.now())
        return sell_on_card(case, _type_of_sale(case), message, binds=False)

    return Planned(_question(case, meter, cents), carry_out)


def _require_sellable(case: Case, identity: CardIdentity, meter: ProvedMeter) -> None:
    """Refuse a meter whose account, open entries, key version or sequence permit no sale."""
    require_account(meter, MessageKind.CREDIT)
    if meter.customer_number != identity.customer:
        raise NotPermittedError(
            f"card {case.serial}: it is customer {identity.customer}'s, the account "
            f"of meter {meter.serial_number} "
            f"is {meter.customer_number}'s",
            serial_number=meter.serial_number,
        )
    require_nothing_open(case.journal, meter.serial_number, meter.epoch)
    require_key_version(case.journal, meter)
    if meter.credit_sequence >= LAST_SEQUENCE:
        raise NotPermittedError(
            f"meter {meter.serial_number}: its sequences are used up; it needs a new epoch",
            serial_number=meter.serial_number,
        )


def _question(case: Case, meter: ProvedMeter, cents: int) -> str:
    back = case.back
    credit = (
        "" if back is None else f" (credit {format_money(back.credit)} when its card was last in)"
    )
    return (
        f"customer {meter.customer_number}, meter {meter.serial_number}{credit}: sell "
        f"{format_money(cents * CENT)} "
        f"{account_unit_text(meter.account_unit)}"
    )


def _type_of_sale(case: Case) -> CardType:
    """Return the card type of a sale; a replacement card stays one until its meter has bound it."""
    credit, back = case.credit, case.back
    replaces = credit is not None and credit.card_type in (CardType.REPLACEMENT, CardType.OPEN)
    unseen = back is None or bool(back.error)
    return CardType.REPLACEMENT if replaces and unseen else CardType.PURCHASE
