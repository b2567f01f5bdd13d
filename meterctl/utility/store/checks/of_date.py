"""Invariants of the end of a date, as its sheet names them, whatever was booked since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.money import Account
from meterctl.utility.rules.calendar import DateEnd
from meterctl.utility.rules.postings import NEVER_NEGATIVE, AccountKind, Side
from meterctl.utility.rules.transitions import LIVE
from meterctl.utility.store.checks import books, payments
from meterctl.utility.store.checks.outcome import MOST, Checked, Tally, prepare
from meterctl.utility.store.queries.balances import balances
from meterctl.utility.store.queries.ledger import on_side
from meterctl.utility.store.queries.meters_at_end import MetersAtEnd, MeterSums, broken_meters
from meterctl.utility.store.queries.sales_on_way import SaleOnWay
from protocols.quantities import CENT, format_money


def of_sheet(
    session: Session,
    end: DateEnd,
    sales: Sequence[SaleOnWay],
    which: MetersAtEnd,
    meters: MeterSums,
) -> Iterator[Checked]:
    """Yield the invariants that a date's sheet names, of the end of the date.

    They go on from closing balances, so that they take as long in a year as today.

    Args:
        sales: those that were on their way then.
        which: the meters as they were then; `meters` their sums.
    """
    prepare(session)
    held = _Held.at(session, end)
    yield never_negative(held)
    yield undelivered_sales(session, held, sales)
    yield meters_agree(session, which, meters)
    yield one_live_sale(sales)
    yield payments.payments_booked(session, end.on)


@dataclass(frozen=True, slots=True)
class _Held:
    """Balances at the end of a date that I1 and I2 look at, 0.01.

    Attributes:
        accounts: how many there are of each kind that may not be negative.
        negative: kind and owner -> those below 0, on the side of their kind.
        undelivered: agreement -> those that are not 0.
    """

    accounts: Mapping[AccountKind, int]
    negative: Mapping[tuple[AccountKind, int], int]
    undelivered: Mapping[int, int]

    @classmethod
    def at(cls, session: Session, end: DateEnd) -> Self:
        """Return the balances at the end of a date; each account is looked up once."""
        held = balances(NEVER_NEGATIVE, whole=False, until=end.on)
        assets = [kind for kind in NEVER_NEGATIVE if kind.side is Side.ASSET]
        is_asset = held.c.kind.in_(assets)
        rows = session.execute(
            select(held).where(
                or_(
                    and_(is_asset, held.c.balance < 0),
                    and_(~is_asset, held.c.balance > 0),
                    and_(held.c.kind == AccountKind.UNDELIVERED, held.c.balance != 0),
                )
            )
        )
        found = {(row.kind, row.owner_id): on_side(row.kind, int(row.balance)) for row in rows}
        counted = session.execute(
            select(Account.kind, func.count())
            .where(Account.kind.in_(NEVER_NEGATIVE))
            .group_by(Account.kind)
        ).all()
        return cls(
            accounts={row[0]: row[1] for row in counted},
            negative={account: balance for account, balance in found.items() if balance < 0},
            undelivered={
                owner: balance
                for (kind, owner), balance in found.items()
                if kind is AccountKind.UNDELIVERED
            },
        )


def never_negative(held: _Held) -> Checked:
    """I1: no balance was below 0 that may not be."""
    tally = Tally(sum(held.accounts.values()))
    for kind, owner in sorted(held.negative):
        tally.violation(f"{kind.value}[{owner}]", f"was {_money(held.negative[kind, owner])}")
    return tally.checked("I1", books.NEVER_BELOW, "accounts")


def undelivered_sales(session: Session, held: _Held, sales: Sequence[SaleOnWay]) -> Checked:
    """I2: what was undelivered of an agreement is the sum of its sales that were on their way."""
    sold = Counter[int]()
    for sale in sales:
        sold[sale.agreement_id] += sale.amount
    booked = held.undelivered
    differ = [each for each in sold.keys() | booked.keys() if sold[each] != booked.get(each, 0)]
    tally = Tally(held.accounts.get(AccountKind.UNDELIVERED, 0))
    for each in sorted(differ):
        tally.count += each not in booked and not _has_account(session, each)
        agreement = session.get(Agreement, each)
        tally.violation(
            f"agreement {each if agreement is None else agreement.number}",
            f"sales on their way were {_money(sold[each])}, undelivered was "
            f"{_money(booked.get(each, 0))}",
        )
    return tally.checked(
        "I2", "undelivered is the sum of sales taken, sending, on_card, unknown", "agreements"
    )


def meters_agree(session: Session, which: MetersAtEnd, meters: MeterSums) -> Checked:
    """I3: credit and debt as read are those that were booked, else a finding was open."""
    tally = Tally(meters.compared)
    for agreement, meter in broken_meters(session, which, MOST) if meters.broken else ():
        tally.violation(
            f"agreement {agreement}, meter {meter}",
            "credit or debt as read is not what was booked; no finding is open",
        )
    tally.broken = meters.broken
    return tally.checked(
        "I3", "credit and debt as read are those that are booked", "meters compared"
    )


def one_live_sale(sales: Sequence[SaleOnWay]) -> Checked:
    """I5: a meter had one live sale at most."""
    tally = Tally()
    live = Counter(sale.meter for sale in sales if sale.state in LIVE)
    tally.count = len(sales)
    for serial, number in sorted(live.items()):
        if number > 1:
            tally.violation(f"meter {serial}", f"had {number} live sales")
    return tally.checked("I5", "one sale a meter is sending, unknown or on_card", "sales")


def _has_account(session: Session, agreement: int) -> bool:
    """Return whether an agreement has an account of what is undelivered."""
    found = select(Account.id).where(
        Account.kind == AccountKind.UNDELIVERED, Account.owner_id == agreement
    )
    return session.scalars(found).first() is not None


def _money(amount: int) -> str:
    return format_money(amount * CENT)
