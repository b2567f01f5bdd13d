"""One consistent reading of a proved meter: its registers between two sealed statuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meterctl.journal import Journal
from meterctl.session import Session
from meterctl.utility.meters.gateway.proved_reads import between_statuses
from protocols.data_model import items
from protocols.data_model.words import (
    AccountState,
    Cause,
    Status,
    SupplyState,
)
from protocols.quantities import CENT, ENERGY_WRAP
from protocols.sealed_status import SealedStatus


@dataclass(frozen=True, slots=True)
class Reading:
    """The state and the books of a meter, which agree to the last unit.

    Proved, by a sealed status that was asked for after the registers were read, with a nonce of
    this reading: `serial`, `epoch`, `account_state`, `account_unit`, `customer`, both sequences,
    `clock_ms` and `elapsed_ms` (of that status), `cumulative`, and `credit_floor_exact`, the credit
    at that status. A status before the registers proves the same epoch, account and sequences, and
    a credit at or above `credit_exact`: so nothing was bought, refunded, entered or set between,
    and `credit_exact` lies between two proved values; without consumption it is one of them.

    Not proved, as registers are never sealed: how the change of credit is divided into
    consumption, standing charge and instalments, the debt, the energy, the supply. What is held
    against them: `credit_exact` = opening + credited - refunded - settled - consumption - standing
    - instalments; credited + debt_from_top_ups = cumulative; debt = entered - debt_from_top_ups -
    instalments; all to the last unit, the books in one answer of the meter. Energy is of an
    instant between the two statuses, at most some ms after the books.

    Money ends in `_exact`: ledger units (1e-10 of the account unit), summed up since the epoch
    began; `cumulative` is in 0.01. `opening_exact` is the credit that the account had before the
    first message: with which a meter was made that began with credit. Energy is the total import
    in mWh and never wraps. `taken_at_ms` is the desk's clock, `clock_ms` the meter's.
    `amount_to_reconnect_exact` is 0 where none is needed. `status` and `causes` are sets of bits.
    """

    serial: str
    epoch: int
    account_state: AccountState
    account_unit: int
    customer: str
    credit_sequence: int
    command_sequence: int
    clock_ms: int
    elapsed_ms: int
    taken_at_ms: int
    cumulative: int
    credit_exact: int
    credit_floor_exact: int
    debt_exact: int
    opening_exact: int
    credited_exact: int
    refunded_exact: int
    settled_exact: int
    consumption_exact: int
    standing_exact: int
    instalments_exact: int
    debt_entered_exact: int
    debt_from_top_ups_exact: int
    energy_mwh: int
    supply_state: SupplyState
    causes: Cause
    amount_to_reconnect_exact: int
    status: Status


_BOOKS = (
    items.OPENING_BALANCE,
    items.CREDITED,
    items.REFUNDED,
    items.SETTLED,
    items.CONSUMPTION_CHARGED,
    items.STANDING_CHARGED,
    items.INSTALMENTS_TAKEN,
    items.DEBT_ENTERED,
    items.DEBT_FROM_TOP_UPS,
    items.AVAILABLE_CREDIT_EXACT,
)
"""They stand side by side, so that one answer has them all."""
_OTHERS = (
    items.ENERGY_IMPORT,
    items.DEBT,
    items.SUPPLY_STATE,
    items.SUPPLY_CAUSES,
    items.AMOUNT_TO_RECONNECT,
    items.STATUS,
)


def read_meter(session: Session, journal: Journal) -> Reading:
    """Return one consistent reading of the meter that the session names.

    Raises:
        BooksError: its registers contradict each other, or its seals, each time.
        MeterctlError: as `ask_status`.
    """

    def read() -> tuple[Mapping[items.Item, Any], int]:
        books = session.driver.read(_BOOKS)  # alone, else their credit is read elsewhere
        return {**session.driver.read(_OTHERS), **books}, session.host_clock_ms()

    (values, taken_at_ms), proved = between_statuses(
        session, journal, read, lambda told, before, after: _contradiction(told[0], before, after)
    )
    return _reading(values, proved, taken_at_ms)


def _contradiction(
    values: Mapping[items.Item, Any], before: SealedStatus, after: SealedStatus
) -> str:
    """Return how the registers contradict each other or the two statuses, empty if they do not."""
    credit, cumulative = values[items.AVAILABLE_CREDIT_EXACT], after.committed_cumulative
    from_top_ups, taken = values[items.DEBT_FROM_TOP_UPS], values[items.INSTALMENTS_TAKEN]
    booked = values[items.OPENING_BALANCE] + values[items.CREDITED] - values[items.REFUNDED]
    booked -= values[items.SETTLED] + values[items.CONSUMPTION_CHARGED]
    booked -= values[items.STANDING_CHARGED] + taken
    debt = values[items.DEBT_ENTERED] - from_top_ups - taken
    if values[items.STATUS] & Status.MONEY_SATURATED:
        return "a sum has reached the end of its range"
    if credit != booked:
        return f"credit {credit}, its books have {booked}"
    if not after.credit <= credit <= before.credit:
        return f"credit {credit}, its seals have {before.credit} and then {after.credit}"
    if values[items.CREDITED] + from_top_ups != cumulative:
        return f"purchases {values[items.CREDITED]} + {from_top_ups}, its seal has {cumulative}"
    if values[items.DEBT] // CENT != debt // CENT:
        return f"debt {values[items.DEBT]}, its books have {debt}"
    return ""


def _reading(values: Mapping[items.Item, Any], proved: SealedStatus, taken_at_ms: int) -> Reading:
    entered, from_top_ups = values[items.DEBT_ENTERED], values[items.DEBT_FROM_TOP_UPS]
    energy = proved.committed_energy
    energy += (values[items.ENERGY_IMPORT] - energy) % ENERGY_WRAP
    return Reading(
        serial=proved.serial_number,
        epoch=proved.epoch,
        account_state=proved.account_state,
        account_unit=proved.account_unit,
        customer=proved.customer_number,
        credit_sequence=proved.credit_sequence,
        command_sequence=proved.command_sequence,
        clock_ms=proved.clock,
        elapsed_ms=proved.elapsed_ms,
        taken_at_ms=taken_at_ms,
        cumulative=proved.committed_cumulative // CENT,
        credit_exact=values[items.AVAILABLE_CREDIT_EXACT],
        credit_floor_exact=proved.credit,
        debt_exact=entered - from_top_ups - values[items.INSTALMENTS_TAKEN],
        opening_exact=values[items.OPENING_BALANCE],
        credited_exact=values[items.CREDITED],
        refunded_exact=values[items.REFUNDED],
        settled_exact=values[items.SETTLED],
        consumption_exact=values[items.CONSUMPTION_CHARGED],
        standing_exact=values[items.STANDING_CHARGED],
        instalments_exact=values[items.INSTALMENTS_TAKEN],
        debt_entered_exact=entered,
        debt_from_top_ups_exact=from_top_ups,
        energy_mwh=energy,
        supply_state=SupplyState(values[items.SUPPLY_STATE]),
        causes=Cause(values[items.SUPPLY_CAUSES]),
        amount_to_reconnect_exact=values[items.AMOUNT_TO_RECONNECT],
        status=Status(values[items.STATUS]),
    )
