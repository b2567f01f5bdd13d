"""What a reading books, and whether it agrees with what is booked (UTILITY 4, I3).

A reading is accepted once. In mode `meter` it books the floors of what its meter has charged since
the last accepted reading of the same epoch; the first one of an epoch counts from zero, or from the
reading at which its meter was taken over. Where a value fell that was proved before, or the meter
has another storage, nothing is booked: the reading is held, and nothing more is sold to the meter
until two persons have looked at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.metering import Meter, Reading, ReadingSource
from meterctl.utility.model.money import Sale
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import TaskKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.books import credit_agrees, debt_agrees
from meterctl.utility.rules.calendar import local_date
from meterctl.utility.rules.postings import AccountKind, Books
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.selling import UNREAD
from meterctl.utility.rules.transitions import (
    READING,
    AgreementState,
    ReadingEvent,
    ReadingState,
    after,
)
from meterctl.utility.store.findings import FindingRule, note_finding, stop_meter
from meterctl.utility.store.ledger import About
from meterctl.utility.store.queries.readings import (
    booked_cumulative,
    last_accepted,
    live_credit_order,
    readings_from,
)
from meterctl.utility.store.tasks import open_task
from meterctl.utility.store.unit_of_work import UnitOfWork
from protocols.quantities import CENT, format_money

BOOKED = (AgreementState.ACTIVE, AgreementState.SUSPENDED, AgreementState.CLOSING)
"""States of agreements for which readings are booked."""
EXPLAINED_DAYS = 3
"""Days within which an accountant explains credit that no sale does."""


@dataclass(frozen=True, slots=True)
class ReadingValues:
    """What was read of a meter at one instant; the units are those of `Reading`.

    Args:
        taken_at: the desk's clock when it was read.
        account_state: word of the meter's item `account_state`.
        customer_number: as the meter shows it, 12 digits; all 0 where it has none.
        for_on: the date that it is about; the date of `taken_at` by default.
        more: further registers by item name.
    """

    meter_id: int
    source: ReadingSource
    taken_at: int
    epoch: int
    elapsed: int
    credit_sequence: int
    command_sequence: int
    energy_mwh: int
    credit_exact: int
    debt_exact: int
    consumption_exact: int
    standing_exact: int
    instalments_exact: int
    refunds_exact: int
    cumulative_exact: int
    to_debt_exact: int
    debt_entered_exact: int
    opening_exact: int
    account_state: str
    customer_number: str
    supply_state: str
    causes: tuple[str, ...] = ()
    meter_clock: int | None = None
    for_on: date | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


RISING = (
    "elapsed",
    "energy_mwh",
    "credit_sequence",
    "command_sequence",
    "consumption_exact",
    "standing_exact",
    "instalments_exact",
    "refunds_exact",
    "cumulative_exact",
    "to_debt_exact",
    "debt_entered_exact",
)
"""Values that never fall within an epoch."""
PROVED = {
    "credit_sequence": "proved_sequence",
    "cumulative_exact": "proved_cumulative",
    "energy_mwh": "proved_energy_mwh",
    "elapsed": "proved_elapsed",
}
"""Values that a meter's row keeps as proved, beside its readings."""


def accept(
    work: UnitOfWork,
    values: ReadingValues,
    agreement_id: int | None,
    booked_on: date | None = None,
) -> Reading:
    """Store a reading, book it where an agreement is in force, and compare the books.

    It locks the agreement and the meter. A reading that was stored before is returned as it is;
    another one of the same instant, where the desk's clock stands, is stored 1 ms later. The state
    of the reading says what became of it: `accepted`: booked; `held`: a value fell, or the epoch
    changed; `taken`: no agreement is in force, or a later reading or proof is booked already.

    Args:
        agreement_id: of the meter's supply point; None where there is none.
        booked_on: the date to book on; the first open one from today by default.

    Raises:
        Conflict: `booked_on` is closed.
    """
    agreement = None if agreement_id is None else work.lock(Agreement, agreement_id)
    meter = work.lock(Meter, values.meter_id)
    near = readings_from(work.session, meter.id, values.epoch, values.source, values.taken_at)
    known = next((reading for reading in near if _is_same(reading, values)), None)
    if known is not None:
        return known
    values = at_free_instant(values, near)
    base = last_accepted(work.session, meter.id, values.epoch)
    reading = work.add(row_of(work, values, agreement_id))
    fallen = list(_fallen(meter, base, values))
    if meter.epoch is not None and meter.epoch != values.epoch:
        _hold(
            work, reading, meter, FindingRule.EPOCH_CHANGED, [("epoch", meter.epoch, values.epoch)]
        )
    elif fallen and not _is_late(meter, base, values):
        _hold(work, reading, meter, FindingRule.SET_BACK, fallen)
    elif not fallen:
        prove(meter, values)
        if agreement is not None and agreement.state in BOOKED:
            reading.state = after(READING, reading.state, ReadingEvent.ACCEPT)
            if agreement.mode is AgreementMode.METER:
                _book(work, reading, base, agreement, meter, booked_on)
    work.session.flush()
    work.audit("reading", reading, None, _told(reading))
    return reading


def at_free_instant(values: ReadingValues, near: Sequence[Reading]) -> ReadingValues:
    """Return a reading 1 ms after those that are stored, where its instant is taken.

    Args:
        near: those of its epoch and source in the second from its instant on.
    """
    if near and near[0].taken_at == values.taken_at:
        return replace(values, taken_at=near[-1].taken_at + 1)
    return values


def base_of(reading: Reading | None) -> Books:
    """Return the books up to which an epoch is booked: of a reading, or of its beginning."""
    if reading is None:
        return Books(0, 0, 0)
    return Books(reading.consumption_exact, reading.standing_exact, reading.instalments_exact)


def row_of(work: UnitOfWork, values: ReadingValues, agreement_id: int | None) -> Reading:
    """Return the row of a reading that was taken; it is not added."""
    columns = asdict(values)
    shown = {name: columns.pop(name) for name in ("account_state", "customer_number")}
    columns["more"] = {**columns["more"], **shown}
    columns["causes"] = list(values.causes)
    columns["for_on"] = values.for_on or local_date(values.taken_at, work.database.zone)
    return Reading(agreement_id=agreement_id, state=ReadingState.TAKEN, **columns)


def _is_same(reading: Reading, values: ReadingValues) -> bool:
    """Return whether a stored reading has these values."""
    return all(
        getattr(reading, name) == getattr(values, name) for name in ("credit_exact", *RISING)
    )


def _fallen(
    meter: Meter, base: Reading | None, values: ReadingValues
) -> Iterator[tuple[str, int, int]]:
    """Yield the values that are below what was read or proved: name, proved before, now."""
    for name in RISING:
        before = [] if base is None else [getattr(base, name)]
        if name in PROVED and meter.epoch == values.epoch:
            before.append(getattr(meter, PROVED[name]))
        highest = max((value for value in before if value is not None), default=None)
        if highest is not None and getattr(values, name) < highest:
            yield name, highest, getattr(values, name)


def _is_late(meter: Meter, base: Reading | None, values: ReadingValues) -> bool:
    """Return whether something later than the reading is known."""
    return values.taken_at < max(meter.proved_at or 0, 0 if base is None else base.taken_at)


def _hold(
    work: UnitOfWork,
    reading: Reading,
    meter: Meter,
    rule: FindingRule,
    fallen: Iterable[tuple[str, int, int]],
) -> None:
    """Hold a reading: nothing is booked, nothing more is sold to the meter, two persons look."""
    reading.state = after(READING, reading.state, ReadingEvent.HOLD)
    value = "; ".join(f"{name} {now}" for name, _, now in fallen)
    limit = "; ".join(f"{name} {before}" for name, before, _ in fallen)
    note = f"reading {reading.id} is not booked"
    stop_meter(work, meter, rule, reading.agreement_id, value, limit, note)


def prove(meter: Meter, values: ReadingValues) -> None:
    """Keep in the meter's row what the reading proves; one with a new storage is served again."""
    meter.epoch = values.epoch
    if meter.stopped == UNREAD:
        meter.stopped = None
    for name, column in PROVED.items():
        setattr(meter, column, getattr(values, name))
    meter.proved_at = max(meter.proved_at or 0, values.taken_at)


def _book(
    work: UnitOfWork,
    reading: Reading,
    base: Reading | None,
    agreement: Agreement,
    meter: Meter,
    booked_on: date | None,
) -> None:
    """Book what the meter charged since the last accepted reading, then compare the books."""
    about = About(agreement=agreement.id, reading=reading.id)
    work.ledger.post(
        f"reading/{reading.id}",
        "reading",
        postings.reading_accepted(
            agreement.id, base_of(base), base_of(reading), work.ledger.debts_in_meter(agreement.id)
        ),
        about,
        for_on=reading.for_on,
        booked_on=booked_on,
    )
    if _is_explained(work, reading, agreement, meter):
        _book_debt_taken(work, reading, agreement, meter, booked_on)
        if reading.source is ReadingSource.WIRE:
            compare_books(work, reading, agreement, meter)


def _is_explained(work: UnitOfWork, reading: Reading, agreement: Agreement, meter: Meter) -> bool:
    """Return whether a reading has what is booked of sales, no more and nothing on its way.

    Credit that no sale explains is found; while an order is not settled, it may be the meter's.
    """
    live = live_credit_order(work.session, meter.id)
    sale = None if live is None or live.sale_id is None else work.session.get(Sale, live.sale_id)
    sending = 0 if sale is None else sale.amount * CENT
    explained = booked_cumulative(work.session, meter.id, reading.epoch, meter.explained_before)
    if reading.cumulative_exact <= explained + sending:
        return live is None
    node = work.session.get_one(SupplyPoint, agreement.point_id).node_id
    due_on = work.today + timedelta(EXPLAINED_DAYS)
    open_task(work, TaskKind.UNKNOWN_CREDIT, meter, node, Role.ACCOUNTANT, due_on)
    note_finding(
        work,
        FindingRule.UNKNOWN_CREDIT,
        meter,
        agreement.id,
        format_money(reading.cumulative_exact - explained),
        "0.00",
        f"reading {reading.id}: accepted in all {format_money(reading.cumulative_exact)}, "
        f"by our books {format_money(explained)}",
    )
    return False


def _book_debt_taken(
    work: UnitOfWork,
    reading: Reading,
    agreement: Agreement,
    meter: Meter,
    booked_on: date | None,
) -> None:
    """Book what sales paid for debt of which there was no receipt: the meter's sum has it."""
    if reading.to_debt_exact <= meter.to_debt_exact:
        return
    work.ledger.post(
        f"reading/{reading.id}/debt",
        "debt_taken",
        postings.debt_taken(
            agreement.id,
            meter.to_debt_exact,
            reading.to_debt_exact,
            work.ledger.debts_in_meter(agreement.id),
        ),
        About(agreement=agreement.id, reading=reading.id),
        for_on=reading.for_on,
        booked_on=booked_on,
    )
    meter.to_debt_exact = reading.to_debt_exact


def compare_books(work: UnitOfWork, reading: Reading, agreement: Agreement, meter: Meter) -> None:
    """Compare a live reading's credit and debt with the accounts (I3)."""
    credit = work.ledger.balance(AccountKind.IN_METER, agreement.id)
    debt = work.ledger.balance(AccountKind.METER_DEBT, agreement.id)
    if credit_agrees(credit, reading.credit_exact) and debt_agrees(debt, reading.debt_exact):
        return
    note_finding(
        work,
        FindingRule.BOOKS_DIFFER,
        meter,
        agreement.id,
        f"credit {format_money(reading.credit_exact, 10)}, "
        f"debt {format_money(reading.debt_exact, 10)}",
        f"in_meter {format_money(credit * CENT)}, meter_debt {format_money(debt * CENT)}",
        f"reading {reading.id}",
    )


def _told(reading: Reading) -> dict[str, Any]:
    return {
        "state": str(reading.state),
        "source": str(reading.source),
        "taken_at": reading.taken_at,
        "epoch": reading.epoch,
        "credit_sequence": reading.credit_sequence,
        "credit_exact": reading.credit_exact,
        "debt_exact": reading.debt_exact,
    }
