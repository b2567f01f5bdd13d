"""Each entry beside what it is about: its accounts, its key, and the rows that it names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, cast, func, literal, or_, select, true
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Meter, Reading
from meterctl.utility.model.money import Account, Bill, Entry, Payment, Sale, Shift, Transfer
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.postings.kinds import ENTRY_PAIRS
from meterctl.utility.rules.transitions import SaleEvent, SaleState
from meterctl.utility.store.checks.outcome import Checked, Tally, streamed

_OF_AGREEMENTS = (
    AccountKind.RECEIVABLE, AccountKind.METER_DEBT, AccountKind.UNDELIVERED, AccountKind.IN_METER,
    AccountKind.ADVANCE, AccountKind.PAYABLE,
)  # fmt: skip
_MOVED = "payment_moved"
_BETWEEN_AGREEMENTS = (_MOVED, "sale_moved", f"sale_{SaleEvent.SELL_AGAIN}")
"""Kinds of entries that move what is owed to another agreement."""
_DEBT_TAKEN = "debt_taken"
_OF_ORDERS = tuple(
    kind
    for kind in ENTRY_PAIRS
    if kind.startswith((f"{OrderKind.REFUND}_", f"{OrderKind.DEBT}_")) and kind != _DEBT_TAKEN
)
_OF_SALES = tuple(kind for kind in ENTRY_PAIRS if kind.startswith("sale_"))
_OF_READINGS = ("reading", _DEBT_TAKEN, "taken_over")
_OF_EPOCHS = ("epoch_ended", "set_off", "explained")
_OF_METERS = {"epoch_ended": "ended", "set_off": "set_off"}


def entries_sourced(session: Session) -> Checked:
    """Each entry has the accounts of its kind, the key of its source, and the rows that it names.

    A table of UTILITY 4's rows says which accounts (`rules.postings.kinds`). Accounts of agreements
    are those of the entry's own agreement, but where money goes from one to another.
    """
    tally = Tally()
    tally.count = session.scalars(select(func.count()).select_from(Entry)).one()
    _pairs(session, tally)
    _keys(session, tally)
    _keys_of_rare_kinds(session, tally)
    _rows(session, tally)
    return tally.checked(
        "entries",
        "each entry has the accounts of its kind, the key of its source, and the rows that it "
        "names",
        "entries",
    )


def subject_of_entry() -> ColumnElement[str | None]:
    """Return the subject of the audit that is made with an entry; NULL: another one is enough."""
    of_order = func.replace(Entry.key, _text("/", func.substr(Entry.kind, _after_word())), "")
    return case(
        (Entry.kind.in_(_OF_SALES), _text("sale/", Entry.sale_id)),
        (Entry.kind.in_(("payment_taken", "payment_matched", _MOVED, "payment_bounced", "refund")),
         _text("payment/", Entry.payment_id)),
        (Entry.kind.in_(_OF_READINGS), _text("reading/", Entry.reading_id)),
        (Entry.kind == "shift_closed", func.replace(Entry.key, "/closed", "")),
        (Entry.kind.in_(_OF_ORDERS), _text("meter_", of_order)),
    )  # fmt: skip


def _after_word() -> ColumnElement[int]:
    """Return where the event begins in the kind of an order's entry."""
    refund = len(OrderKind.REFUND) + 2
    return case((Entry.kind.like("refund\\_%", escape="\\"), refund), else_=len(OrderKind.DEBT) + 2)


def _text(*parts: Any) -> ColumnElement[str]:
    """Return the text of parts, one behind the other; NULL where one is."""
    texts = [literal(part) if isinstance(part, str) else cast(part, String) for part in parts]
    joined: ColumnElement[str] = texts[0]
    for text in texts[1:]:
        joined = joined + text
    return joined


def _pairs(session: Session, tally: Tally) -> None:
    """Look at the accounts of all transfers, by kind of their entries."""
    debit, credit = aliased(Account), aliased(Account)
    foreign = case(
        (Entry.kind.in_(_BETWEEN_AGREEMENTS), 0),
        (or_(*(
            and_(
                account.kind.in_(_OF_AGREEMENTS),
                account.owner_id.is_distinct_from(Entry.agreement_id),
            )
            for account in (debit, credit)
        )), 1),
        else_=0,
    )  # fmt: skip
    columns = (Entry.kind, debit.kind, credit.kind, foreign)
    booked = (
        select(*columns, func.count(), func.min(Entry.key))
        .join_from(Transfer, Entry, Entry.id == Transfer.entry_id)
        .join(debit, debit.id == Transfer.debit_id)
        .join(credit, credit.id == Transfer.credit_id)
        .group_by(*columns)
    )
    for kind, debited, credited, is_foreign, count, key in streamed(session, booked):
        pair = f"{debited.value}/{credited.value}"
        others = f" and {count - 1} more" if count > 1 else ""
        if (debited, credited) not in ENTRY_PAIRS.get(kind, ()):
            tally.violation(f"entry {key}{others}", f"is of kind {kind}, which books no {pair}")
        elif is_foreign:
            tally.violation(
                f"entry {key}{others}", f"books {pair} of another agreement than its own"
            )


def _keys(session: Session, tally: Tally) -> None:
    """Look at the keys of entries that name their source by a column."""
    event = case((Entry.kind == "sale_moved", "taken"), else_=func.substr(Entry.kind, 6))
    key = case(
        (Entry.kind.in_(_OF_SALES), _text("sale/", Entry.sale_id, "/") + event),
        (Entry.kind == "payment_taken", _text("payment/", Entry.payment_id, "/taken")),
        (Entry.kind == "payment_matched", _text("payment/", Entry.payment_id, "/matched")),
        (Entry.kind == "payment_bounced", _text("payment/", Entry.payment_id, "/bounced")),
        (Entry.kind == "refund", _text("payment/", Entry.payment_id, "/refunded")),
        (Entry.kind == "reading", _text("reading/", Entry.reading_id)),
        (Entry.kind == _DEBT_TAKEN, _text("reading/", Entry.reading_id, "/debt")),
        (Entry.kind == "taken_over", _text("take_over/", Entry.agreement_id)),
        (Entry.kind == "allocated", _text("take_over/", Entry.agreement_id, "/allocated")),
        else_=Entry.key,
    )
    begins = case(
        (Entry.kind == _MOVED, _text("payment/", Entry.payment_id, "/moved/")),
        (and_(Entry.kind == "allocation", Entry.payment_id.is_not(None)),
         _text("payment/", Entry.payment_id, "/allocated")),
        else_="",
    )  # fmt: skip
    begin = func.substr(Entry.key, 1, func.length(begins))
    wrong = select(Entry.id, Entry.key, Entry.kind).where(
        or_(Entry.key.is_distinct_from(key), begin.is_distinct_from(begins))
    )
    for entry, named, kind in streamed(session, wrong):
        tally.violation(f"entry {entry} ({named})", f"is of kind {kind}, its key is of another")


def _keys_of_rare_kinds(session: Session, tally: Tally) -> None:
    """Look at the keys of entries whose source no column names."""
    expected: dict[str, set[str]] = {
        "shift_closed": {f"shift/{shift}/closed" for shift in session.scalars(select(Shift.id))},
        "allocation": {
            *(f"bill/{bill}/allocated" for bill in session.scalars(
                select(Bill.id).where(Bill.number.like("B-%"))
            )),
        },
    }  # fmt: skip
    ended = select(Order.id, Order.kind).where(
        Order.kind.in_((OrderKind.REFUND, OrderKind.DEBT)),
        Order.credit_state == SaleState.DELIVERED,
    )
    for order, kind in streamed(session, ended):
        for each in _OF_ORDERS:
            word, _, event = each.partition("_")
            if word == kind:
                expected.setdefault(each, set()).add(f"order/{order}/{event}")
    serials = set(session.scalars(select(Meter.id)).all()) if _has(session, _OF_EPOCHS) else set()
    wanted = select(Entry.id, Entry.key, Entry.kind).where(
        or_(
            Entry.kind.in_(("shift_closed", *_OF_ORDERS, *_OF_EPOCHS)),
            and_(Entry.kind == "allocation", Entry.payment_id.is_(None)),
        )
    )
    for entry, key, kind in streamed(session, wanted):
        if kind in _OF_EPOCHS:
            is_known = _is_of_epoch(key, kind, serials)
        elif kind == "allocation" and key.startswith("sale/"):
            is_known = key.endswith("/claim_allocated")
        else:
            is_known = key in expected.get(kind, ())
        if not is_known:
            tally.violation(f"entry {entry} ({key})", f"is of kind {kind}, it has no such source")


def _has(session: Session, kinds: Iterable[str]) -> bool:
    found = session.scalars(select(Entry.id).where(Entry.kind.in_(kinds)).limit(1))
    return found.first() is not None


def _is_of_epoch(key: str, kind: str, meters: set[int]) -> bool:
    """Return whether a key names an epoch of a meter that there is."""
    word, meter, *_, last = key.split("/")
    if not meter.isdecimal() or int(meter) not in meters:
        return False
    return word == "explained" if kind == "explained" else last == _OF_METERS[kind]


def _rows(session: Session, tally: Tally) -> None:
    """Look at the rows that entries name: they are there, and of the entry's agreement."""
    moved = (
        select(Entry.payment_id.label("payment_id"), func.max(Entry.id).label("last"))
        .where(Entry.kind == _MOVED)
        .group_by(Entry.payment_id)
        .subquery("moved")
    )
    stands: dict[Any, Any] = {
        Sale: Entry.kind.not_in((_BETWEEN_AGREEMENTS[1], "payment_bounced")),
        Payment: Entry.id >= func.coalesce(moved.c.last, 0),
        Bill: true(),
        Reading: true(),
    }
    for table, compared in stands.items():
        word = table.__tablename__
        column = getattr(Entry, f"{word}_id")
        other = and_(compared, table.agreement_id.is_distinct_from(Entry.agreement_id))
        wanted = select(Entry.id, Entry.key, table.id).outerjoin(table, table.id == column)
        if table is Payment:
            wanted = wanted.outerjoin(moved, moved.c.payment_id == Entry.payment_id)
        wanted = wanted.where(column.is_not(None), or_(table.id.is_(None), other))
        for entry, key, found in streamed(session, wanted):
            text = "is not there" if found is None else "is of another agreement than the entry"
            tally.violation(f"entry {entry} ({key})", f"its {word} {text}")
    without = (
        select(Entry.id, Entry.key)
        .outerjoin(Agreement, Agreement.id == Entry.agreement_id)
        .where(Entry.agreement_id.is_not(None), Agreement.id.is_(None))
    )
    for entry, key in streamed(session, without):
        tally.violation(f"entry {entry} ({key})", "its agreement is not there")
