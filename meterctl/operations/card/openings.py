"""Opening cards: the first credit, for a meter that was never read or that is on the port."""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.errors import NotPermittedError
from meterctl.journal import Entry
from meterctl.operations.card.case import Case
from meterctl.operations.card.comparison import compare
from meterctl.operations.card.last_proof import meter_of_journal
from meterctl.operations.card.planning import Planned
from meterctl.operations.card.port import plan_with_port
from meterctl.operations.card.rules import (
    carried_by,
    require_epoch,
    require_known,
    require_unbound,
)
from meterctl.operations.card.sold import (
    Sold,
    is_sold_under_key,
    nothing_to_do,
    plan_of_carried,
    require_present_format,
    sell_on_card,
    sold_before,
    unconsumed,
)
from meterctl.operations.sealing import (
    credit_message,
    on_card_text,
    opening_for_any_epoch,
    require_account,
    require_nothing_open,
)
from meterctl.operations.status import ProvedMeter
from protocols.card.files import CardType
from protocols.data_model.words import account_unit_text
from protocols.quantities import CENT, format_money
from protocols.sealed_message import MessageKind, SealedMessage


@dataclass(frozen=True, slots=True)
class Opening:
    """A requested opening; amount in 0.01.

    `again`: the meter has a new storage; an account in the journal is no obstacle.
    """

    meter: str
    customer: str
    cents: int
    unit: int
    again: bool = False


def open_account(case: Case, wanted: Opening) -> Sold:
    """Sell an opening card: `plan_opening`, carried out."""
    return plan_opening(case, wanted).carry_out()


def plan_opening(case: Case, wanted: Opening) -> Planned[Sold]:
    """Plan an opening card: epoch 0, sequence 1; with a port the meter's epoch and next sequence.

    Raises:
        NotPermittedError: a rule of the card or the journal is not met.
        AnotherStorageError: the meter has another epoch than the case's; nothing was written.
    """
    return plan_with_port(case, lambda case: _plan_opening(case, wanted))


def _plan_opening(case: Case, wanted: Opening) -> Planned[Sold]:
    sold = sold_before(case, MessageKind.OPEN, wanted.cents, wanted.meter)
    if sold is not None:
        return nothing_to_do(sold)
    compare(case)
    mine = carried_by(case, wanted.meter)
    if mine is not None:
        return _plan_of_carried(case, wanted, mine)
    require_unbound(case)
    require_known(case)
    asked = _asked(case, wanted)
    require_nothing_open(case.journal, wanted.meter)
    _require_openable(case, wanted, asked)
    case.journal.limits.hold(case.ring.limit(), wanted.meter, case.serial, wanted.cents, case.now())
    text = (
        f"customer {wanted.customer}, meter {wanted.meter}: open the account with "
        f"{format_money(wanted.cents * CENT)} "
        f"{account_unit_text(wanted.unit)}"
    )

    def carry_out() -> Sold:
        return sell_on_card(case, CardType.OPEN, _message(case, wanted, asked), binds=True)

    return Planned(text, carry_out)


def _plan_of_carried(case: Case, wanted: Opening, mine: Entry) -> Planned[Sold]:
    """Plan to finish the interrupted opening of the card, if it is the requested one."""
    if mine.reference != case.reference:
        raise unconsumed(mine)
    if not is_sold_under_key(case, mine):
        message = require_present_format(mine)
        if (wanted.cents, wanted.customer) != (message.amount, message.customer_number):
            raise NotPermittedError(
                f"meter {mine.meter}: {on_card_text(mine)}, for customer {message.customer_number}",
                serial_number=mine.meter,
                entry=mine.id,
            )
    return plan_of_carried(case, mine, CardType.OPEN)


def _asked(case: Case, wanted: Opening) -> ProvedMeter | None:
    """Return the meter on the port, or of the journal; None for one that was never read."""
    if case.ask is not None:
        return case.ask(wanted.meter)
    return None if wanted.again else meter_of_journal(case, wanted.meter)


def _require_openable(case: Case, wanted: Opening, asked: ProvedMeter | None) -> None:
    """Refuse a known account, a used sequence, and a meter in another account unit."""
    meter, journal = wanted.meter, case.journal
    if journal.newest_confirmed(meter) is not None and not wanted.again:
        raise NotPermittedError(
            f"meter {meter}: the journal knows its account already; `card "
            f"replace` gives it a card, --again "
            f"opens a meter with a new storage. Nothing was sold",
            serial_number=meter,
        )
    if asked is None and not wanted.again and journal.is_spent(meter):
        raise NotPermittedError(
            f"meter {meter}: its sequence 1 is used, so it would refuse an opening card "
            f"sealed without its status; give --port to ask the meter. Nothing was sold",
            serial_number=meter,
        )
    if asked is None:
        return
    require_epoch(case, meter, asked.epoch)
    require_account(asked, MessageKind.OPEN)
    if asked.account_unit != wanted.unit:
        raise NotPermittedError(
            f"meter {meter}: its unit is "
            f"{account_unit_text(asked.account_unit)}; no opening card in "
            f"{account_unit_text(wanted.unit)} was sold",
            serial_number=meter,
        )


def _message(case: Case, wanted: Opening, asked: ProvedMeter | None) -> SealedMessage:
    """Return the opening for the asked meter, or for one that was never read."""
    journal, customer = case.journal, wanted.customer
    if asked is not None:
        return credit_message(journal, asked, MessageKind.OPEN, wanted.cents, case.now(), customer)
    return opening_for_any_epoch(
        journal,
        wanted.meter,
        wanted.cents,
        wanted.unit,
        customer,
        _newest_version(case, wanted.meter),
        case.now(),
    )


def _newest_version(case: Case, meter: str) -> int:
    """Return the ring's newest usable key version; raises NotPermittedError if there is none."""
    usable = case.ring.usable(case.journal.proofs.floor(meter))
    if not usable:
        raise NotPermittedError(
            f"meter {meter}: no key version of this ring may be used for it; nothing was sealed",
            serial_number=meter,
        )
    return usable[0]
