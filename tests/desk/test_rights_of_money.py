"""Each action that moves money, and each approval of one, by each role: as the table says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from meterctl.utility.errors import DeskError, NotPermitted
from meterctl.utility.model.money import PaymentChannel, Shift
from meterctl.utility.model.work import TaskKind
from meterctl.utility.rules.rights import ALLOWED, FOUR_EYES, Action, Role
from meterctl.utility.rules.transitions import SaleEvent
from meterctl.utility.services import (
    approvals,
    bank_debits,
    bank_files,
    bank_lines,
    bank_reconciliation,
    banks,
    closing,
    mandates,
    payments,
    payouts,
    sale_moves,
    sales,
    settling,
    shifts,
    tasks,
)
from meterctl.utility.services.checks import check
from meterctl.utility.services.settling import SettledAs
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.tasks import number_of, open_task
from meterctl.utility.store.unit_of_work import Actor, Grant, UnitOfWork
from tests.desk.simulation.site import STATION
from tests.desk.simulation.templates import Templates
from tests.desk.together import Together, a_desk
from tests.support.desk_databases import SQLITE
from tests.support.desk_world import TODAY

assert approvals.SERVICES
TAKEN, DEAD, DELIVERED, UNKNOWN = "S1", "S2", "S3", "S4"
Act = Callable[[UnitOfWork], Any]
MONEY: Mapping[Action, Act] = {
    Action.SELL: lambda work: sales.take(work, agreement=_agreement(1), amount=5_00),
    Action.SALE_CANCEL: partial(sales.cancel, sale=TAKEN),
    Action.SALE_SELL_AGAIN: partial(sales.sell_again, sale=DEAD),
    Action.SALE_MOVE: lambda work: sale_moves.move(work, sale=DELIVERED, to=_agreement(2)),
    Action.SALE_SETTLE: partial(settling.settle, sale=UNKNOWN, as_=SettledAs.DEAD),
    Action.PAYOUT: partial(payouts.payout, sale=DEAD, channel=PaymentChannel.TRANSFER),
    Action.PAY: lambda work: payments.pay(
        work, agreement=_agreement(1), amount=1_00, channel=PaymentChannel.CASH
    ),
    Action.PAY_REFUND: lambda work: payouts.refund(
        work, agreement=_agreement(1), amount=1_00, channel=PaymentChannel.TRANSFER
    ),
    Action.PAY_MOVE: lambda work: payments.move(work, payment="P5", to=_agreement(2)),
    Action.PAY_BOUNCE: partial(payments.bounce, payment="P5"),
    Action.BANK_EDIT: partial(banks.set_bank, description=""),
    Action.BANK_IN: partial(bank_files.load, bank="b", content=b"", name="f"),
    Action.BANK_OUT: partial(bank_debits.send, bank="b", due=TODAY),
    Action.BANK_MATCH: partial(bank_lines.match, line="L1", to="A"),
    Action.BANK_SEND_BACK: partial(bank_lines.send_back, line="L1"),
    Action.BANK_RECONCILE: partial(bank_reconciliation.reconcile, bank="b", on=TODAY),
    Action.MANDATE_EDIT: lambda work: mandates.add(
        work, agreement=_agreement(1), bank="b", reference="M1"
    ),
    Action.SHIFT_COUNT: partial(shifts.count, shift=None, counted=0),
    Action.SHIFT_CLOSE: partial(shifts.close, shift=None, slip="slip"),
    Action.DAY_CLOSE: partial(closing.close_day, on=TODAY),
}
OTHERS: Mapping[Action, Act] = {
    Action.SHIFT_OPEN: partial(shifts.open_shift, node=STATION, float_amount=0),
    Action.COUNT_OTHERS_SHIFT: partial(shifts.count, shift="0101-000001", counted=0),
    Action.CLOSE_OTHERS_SHIFT: partial(shifts.close, shift="0101-000001", slip="slip"),
}
"""What is done by a person without a shift."""
APPROVED = (
    Action.SALE_MOVE,
    Action.SALE_SETTLE,
    Action.PAYOUT,
    Action.BANK_SEND_BACK,
    Action.CREDIT_EXPLAIN,
    Action.EPOCH_END,
    Action.TAKEOVER_PROPOSE,
)


def _agreement(number: int) -> str:
    return f"0101-2026-{number + 1:06}"


@pytest.fixture
def desk(desk_templates: Templates, tmp_path: Path) -> Iterator[Together]:
    """A desk with a sale of each state that matters, and a payment for bills."""
    with a_desk(desk_templates, SQLITE, tmp_path) as desk:
        for number, events in enumerate(
            (
                (),
                (SaleEvent.RUN, SaleEvent.REFUSED),
                (SaleEvent.RUN, SaleEvent.CONFIRMED),
                (SaleEvent.RUN, SaleEvent.OPEN_OUTCOME),
            ),
            1,
        ):
            desk.sell(f"sale-{number}", number % 2)
            for event in events:
                desk.as_worker(lambda work, n=number, event=event: move(work, n, event))
        values = {"agreement": _agreement(1), "amount": 9_00, "channel": PaymentChannel.CASH}
        desk.ask("vendor1", payments.pay, **values)
        yield desk


def _allowed(desk: Together, act: Act, staff_id: int | None) -> frozenset[Role]:
    """Return the roles with which a person may do something; all is undone."""
    found = set()
    for role in Role:
        try:
            desk.undone(Actor(staff_id, "x", (Grant(role, "/1/"),)), act)
        except NotPermitted as error:
            if error.code in ("not_allowed", "no_role"):
                continue
        except (DeskError, KeyError):
            pass  # allowed; something else is in the way
        found.add(role)
    return frozenset(found)


def test_a_role_moves_money_as_the_table_says(desk: Together) -> None:
    with desk.database.reading() as session:
        vendor = session.scalars(select(Shift.vendor_id).order_by(Shift.id)).first()
    other = desk.template.people["clerk"].staff_id
    found = {action: _allowed(desk, act, vendor) for action, act in MONEY.items()}
    found |= {action: _allowed(desk, act, other) for action, act in OTHERS.items()}
    assert found == {action: ALLOWED[action] for action in (*MONEY, *OTHERS)}


@pytest.mark.parametrize("action", APPROVED)
def test_a_role_approves_as_the_table_says(desk: Together, action: Action) -> None:
    def propose(work: UnitOfWork) -> str:
        shift = work.session.get_one(Shift, 1)
        proposal = {"action": action.value}
        return number_of(
            open_task(
                work, TaskKind.APPROVAL, shift, shift.node_id, Role.STATION_HEAD, TODAY, proposal
            )
        )

    number = desk.as_worker(propose)
    approver = desk.template.people["clerk"].staff_id
    found = _allowed(desk, lambda work: tasks.approve(work, number), approver)
    assert found == ALLOWED[FOUR_EYES[action]]


def test_a_role_proves_the_books_as_the_table_says(desk: Together) -> None:
    found = set()
    for role in Role:
        with desk.database.reading() as session:
            try:
                list(check(session, Actor(1, "x", (Grant(role, "/1/"),))))
            except NotPermitted:
                continue
        found.add(role)
    assert found == ALLOWED[Action.CHECK_READ]
