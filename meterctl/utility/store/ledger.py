"""The ledger: entries of transfers, and balances derived from them (UTILITY 4).

A balance is that of the last day close on which the account moved, and all transfers later. An
account that may not become negative (I1) is looked at before a transfer takes from it; the row that
owns it (agreement, shift) is locked by the caller, accounts never are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    Select,
    bindparam,
    case,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.orm import Session

from meterctl.utility.errors import Conflict, Refused
from meterctl.utility.model.money import (
    Account,
    Bill,
    BillState,
    ClosingBalance,
    Day,
    DayState,
    Entry,
    Transfer,
)
from meterctl.utility.rules import postings
from meterctl.utility.rules.allocation import Part
from meterctl.utility.rules.postings import NEVER_NEGATIVE, AccountKind, Side
from meterctl.utility.store.statements import Prepared, insert_if_absent, rows_of
from protocols.quantities import CENT, format_money

LATEST_DAYS = 400
"""How many closed dates are passed over to find an open one."""


_ENTRIES, _TRANSFERS = rows_of(Entry), rows_of(Transfer)
_ACCOUNTS, _DAYS, _CLOSED = rows_of(Account), rows_of(Day), rows_of(ClosingBalance)
_BILLS = rows_of(Bill)

_NEW_ENTRY = Prepared(insert(_ENTRIES).returning(_ENTRIES.c.id))
_NEW_TRANSFERS = Prepared(insert(_TRANSFERS))
_BOOKED = select(_ENTRIES.c.id).where(_ENTRIES.c.key == bindparam("named"))
_NEW_ACCOUNT, _NEW_DAY = insert_if_absent(Account), insert_if_absent(Day)
_ACCOUNT = Prepared(
    select(_ACCOUNTS.c.id).where(
        _ACCOUNTS.c.kind == bindparam("of_kind"), _ACCOUNTS.c.owner_id == bindparam("of_owner")
    )
)
_DAY = Prepared(
    select(_DAYS.c.state).where(_DAYS.c.on_date == bindparam("day")).with_for_update(read=True)
)
_LATER_CLOSED = (
    select(_DAYS.c.on_date)
    .where(_DAYS.c.on_date > bindparam("day"), _DAYS.c.state == DayState.CLOSED)
    .limit(1)
)
"""Nothing is booked before a closed date: its balances hold all that came before."""


def _balance() -> Select[Any]:
    """Return the statement for debits less credits of the account `held`."""
    held: BindParameter[int] = bindparam("held")
    last = (
        select(_CLOSED.c.balance, _CLOSED.c.on_date)
        .where(_CLOSED.c.account_id == held)
        .order_by(_CLOSED.c.on_date.desc())
        .limit(1)
        .subquery()
    )
    since = func.coalesce(select(last.c.on_date).scalar_subquery(), literal(date.min))

    def moved(side: Any) -> Any:
        return func.coalesce(
            select(func.sum(_TRANSFERS.c.amount))
            .where(side == held, _TRANSFERS.c.booked_on > since)
            .scalar_subquery(),
            0,
        )

    before = func.coalesce(select(last.c.balance).scalar_subquery(), 0)
    return select(before + moved(_TRANSFERS.c.debit_id) - moved(_TRANSFERS.c.credit_id))


_BALANCE = Prepared(_balance())


def _by_bill() -> Select[Any]:
    """Return the statement for what the account `held` has of each bill, oldest due first."""
    held: BindParameter[int] = bindparam("held")
    moved = func.sum(
        case((_TRANSFERS.c.debit_id == held, _TRANSFERS.c.amount), else_=-_TRANSFERS.c.amount)
    )
    return (
        select(_BILLS.c.id, moved)
        .join(_TRANSFERS, _TRANSFERS.c.bill_id == _BILLS.c.id)
        .where(
            (_TRANSFERS.c.debit_id == held) | (_TRANSFERS.c.credit_id == held),
            _BILLS.c.state == BillState.ISSUED,
        )
        .group_by(_BILLS.c.id, _BILLS.c.due_on)
        .having(moved > 0)
        .order_by(_BILLS.c.due_on, _BILLS.c.id)
    )


_BY_BILL = Prepared(_by_bill())


@dataclass(frozen=True, slots=True)
class About:
    """What an entry is about: rows by number."""

    agreement: int | None = None
    sale: int | None = None
    payment: int | None = None
    bill: int | None = None
    reading: int | None = None


class Ledger:
    """The ledger within one transaction."""

    def __init__(self, session: Session, now: int, today: date, staff_id: int | None) -> None:
        self._connection = session.connection()
        self._engine = self._connection.dialect.name
        self._now = now
        self._today = today
        self._staff_id = staff_id
        self._accounts: dict[postings.Account, int] = {}

    def post(
        self,
        key: str,
        kind: str,
        transfers: Sequence[postings.Transfer],
        about: About,
        *,
        for_on: date | None = None,
        booked_on: date | None = None,
    ) -> int | None:
        """Book an event; return its number, or None where nothing is to be transferred.

        Args:
            key: names the event; it is booked once.
            kind: word of the event.
            transfers: from `rules.postings`, in their order.
            about: what it is about.
            for_on: the date that it is about; today by default.
            booked_on: an open date; today, or the first open date after it, by default.

        Raises:
            Conflict: the date is closed, or the event was booked before.
            Refused: an account would become negative.
        """
        if not transfers:
            return None
        day = self._open_day(booked_on)
        values = {
            "key": key,
            "kind": kind,
            "booked_at": self._now,
            "booked_on": day,
            "for_on": for_on or self._today,
            "agreement_id": about.agreement,
            "sale_id": about.sale,
            "payment_id": about.payment,
            "bill_id": about.bill,
            "reading_id": about.reading,
            "staff_id": self._staff_id,
        }
        entry = int(_NEW_ENTRY.value(self._connection, values) or 0)
        _NEW_TRANSFERS.change_each(
            self._connection,
            [
                {
                    "entry_id": entry,
                    "n": n,
                    "debit_id": self.account(transfer.debit),
                    "credit_id": self.account(transfer.credit),
                    "amount": transfer.amount,
                    "bill_id": transfer.bill,
                    "booked_on": day,
                }
                for n, transfer in enumerate(transfers, 1)
            ],
        )
        self._refuse_negative(transfers)
        return entry

    def was_booked(self, key: str) -> bool:
        """Return whether the event has an entry."""
        return self._connection.scalar(_BOOKED, {"named": key}) is not None

    def balance(self, kind: AccountKind, owner: int = 0) -> int:
        """Return a balance in 0.01: debits less credits of an asset, else the reverse."""
        held = self._find(postings.Account(kind, owner))
        if held is None:
            return 0
        debits_less_credits = int(_BALANCE.value(self._connection, {"held": held}) or 0)
        return debits_less_credits if kind.side is Side.ASSET else -debits_less_credits

    def open_bills(self, agreement: int) -> list[Part]:
        """Return the agreement's bills with what is open of each, oldest due first."""
        return self._parts(postings.receivable(agreement))

    def debts_in_meter(self, agreement: int) -> list[Part]:
        """Return the agreement's bills with what of each lies in the meter, oldest due first."""
        return self._parts(postings.meter_debt(agreement))

    def account(self, named: postings.Account) -> int:
        """Return an account's number; it is made when it is first used."""
        found = self._find(named)
        if found is None:
            self._connection.execute(
                _NEW_ACCOUNT[self._engine], {"kind": named.kind, "owner_id": named.owner}
            )
            found = self._find(named)
            assert found is not None
        return found

    def _find(self, named: postings.Account) -> int | None:
        found = self._accounts.get(named)
        if found is None:
            found = _ACCOUNT.value(
                self._connection, {"of_kind": named.kind, "of_owner": named.owner}
            )
            if found is not None:
                self._accounts[named] = found
        return found

    def _parts(self, named: postings.Account) -> list[Part]:
        held = self._find(named)
        if held is None:
            return []
        rows = _BY_BILL.rows(self._connection, {"held": held})
        return [Part(bill, int(amount)) for bill, amount in rows]

    def _refuse_negative(self, transfers: Iterable[postings.Transfer]) -> None:
        """Refuse transfers that leave an account negative that may not be (I1)."""
        lowered = {
            account: None
            for transfer in transfers
            for account, raised in ((transfer.debit, Side.ASSET), (transfer.credit, Side.LIABILITY))
            if account.kind in NEVER_NEGATIVE and account.kind.side is not raised
        }
        for account in lowered:
            balance = self.balance(account.kind, account.owner)
            if balance < 0:
                left = format_money(balance * CENT)
                raise Refused(
                    "not_enough", f"{account.kind.value} would be {left}; nothing was changed"
                )

    def _open_day(self, wanted: date | None) -> date:
        """Return the date to book on, held open until the end of the transaction."""
        on = wanted or self._today
        for _ in range(LATEST_DAYS):
            state = _DAY.value(self._connection, {"day": on})
            if state is None and self._connection.scalar(_LATER_CLOSED, {"day": on}) is None:
                self._connection.execute(
                    _NEW_DAY[self._engine], {"on_date": on, "state": DayState.OPEN}
                )
                state = _DAY.value(self._connection, {"day": on})
            if state is DayState.OPEN:
                return on
            if wanted is not None:
                break
            on += timedelta(days=1)
        raise Conflict("day_closed", f"{wanted or self._today} is closed; nothing was booked")
