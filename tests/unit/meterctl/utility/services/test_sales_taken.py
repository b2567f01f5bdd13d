"""Money taken for credit: what is written with it, what is refused, and the same key twice."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select, update

from meterctl.utility.errors import Conflict, DeskError, Invalid, KeyReused, NotPermitted, Refused
from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Carrier, Entry, Receipt, Sale, Shift
from meterctl.utility.model.work import Order
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import AgreementState, SaleEvent, SaleState, ShiftState
from meterctl.utility.services import sales, shifts
from meterctl.utility.store.sale_books import Proved, move
from protocols.quantities import CENT
from tests.support.desk_counter import BOTH_ENGINES, Counter
from tests.support.desk_sales import balances
from tests.support.told_statements import told_statements


def _take(counter: Counter, amount: int = 50_00, **values: Any) -> Any:
    return counter.do(counter.world.vendor, sales.take, agreement="A1", amount=amount, **values)


@BOTH_ENGINES
def test_a_sale_is_taken_with_its_receipt_its_order_and_its_entry(counter: Counter) -> None:
    answer = _take(counter, key="K-1")
    assert answer["sale"] == "S1"
    assert (answer["state"], answer["kind"], answer["amount"]) == ("taken", "credit", 50_00)
    assert (answer["key"], answer["order"], answer["receipt_number"]) == ("K-1", "O1", "1-0001")
    assert answer["owed"] == 0
    assert balances(counter.database) == {"cash/1": 50_00, "undelivered/1": 50_00}
    with counter.database.reading() as session:
        order = session.scalars(select(Order)).one()
        assert (order.key, order.credit_state, order.sale_id) == ("K-1", SaleState.TAKEN, 1)
        assert session.scalars(select(Entry.key)).one() == "sale/1/taken"
        assert session.scalars(select(Audit.subject).where(Audit.key == "K-1")).all() == ["sale/1"]


def test_receipts_are_numbered_without_a_gap(counter: Counter) -> None:
    numbers = [_take(counter)["receipt_number"] for _ in range(3)]
    assert numbers == ["1-0001", "1-0002", "1-0003"]


def test_the_same_key_sells_once_and_answers_the_same(counter: Counter) -> None:
    asked = {"agreement": "A1", "amount": 50_00, "key": "K-1"}
    first = counter.ask(counter.world.vendor, sales.take, **asked)
    again = counter.ask(counter.world.vendor, sales.take, **asked)
    assert (first.replayed, again.replayed) == (False, True)
    assert first.values == again.values
    assert balances(counter.database) == {"cash/1": 50_00, "undelivered/1": 50_00}
    with pytest.raises(KeyReused):
        counter.ask(counter.world.vendor, sales.take, **{**asked, "amount": 60_00})


def test_a_dry_run_says_what_it_would_be_and_changes_nothing(counter: Counter) -> None:
    counter.terms(debt_share_percent=30, reconnect_threshold=10_00)
    counter.read(-12_35 * CENT, 80_00 * CENT, causes=["credit_exhausted"])
    answer = counter.ask(
        counter.world.vendor, sales.take, agreement="A1", amount=50_00, key="K-1", dry_run=True
    ).values
    assert answer["expected"] == {
        "to_debt_exact": 15_00 * CENT,
        "to_overdraft_exact": 12_35 * CENT,
        "to_credit_exact": 22_65 * CENT,
        "credit_after_exact": 22_65 * CENT,
        "supply_returns": True,
    }
    assert balances(counter.database) == {}
    assert _take(counter, key="K-1")["receipt_number"] == "1-0001"


@pytest.mark.parametrize(
    ("amount", "error"), [(99, Invalid), (0, Invalid), (-50_00, Invalid), (100_000_000, Invalid)]
)
def test_an_amount_below_one_or_beyond_the_meter_is_not_sold(
    counter: Counter, amount: int, error: type[DeskError]
) -> None:
    with pytest.raises(error):
        _take(counter, amount)
    assert balances(counter.database) == {}


@pytest.mark.parametrize("key", ["", " K", "K ", "K\n1", "K" * 65, "e\u0301"])
def test_a_key_that_no_journal_takes_sells_nothing(counter: Counter, key: str) -> None:
    with pytest.raises(Invalid, match="no money was taken"):
        counter.work(lambda work: sales.take(_keyed(work, key), agreement="A1", amount=50_00))


def _keyed(work: Any, key: str) -> Any:
    work.key = key
    return work


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (update(Agreement).values(mode=AgreementMode.ACCOUNT), "desk pay"),
        (update(Agreement).values(mode=AgreementMode.BILL), "desk pay"),
        (update(Agreement).values(state=AgreementState.NEW), "not active"),
        (update(Agreement).values(state=AgreementState.SUSPENDED), "not active"),
        (update(Meter).values(stopped="set_back"), "set_back"),
        (update(Shift).values(state=ShiftState.COUNTED), "recount"),
        (update(Shift).values(limit_amount=49_99), "limit"),
    ],
)
def test_what_forbids_a_sale_is_named_and_nothing_is_taken(
    counter: Counter, change: Any, says: str
) -> None:
    counter.work(lambda work: work.session.execute(change))
    with pytest.raises(Refused, match=says):
        _take(counter)
    assert balances(counter.database) == {}


def test_a_closed_account_is_sold_nothing(counter: Counter) -> None:
    counter.read(0, more={"account_state": "closed"})
    with pytest.raises(Refused, match="closed"):
        _take(counter)


def test_the_first_sale_of_an_unopened_account_opens_it_and_the_next_one_does_not(
    counter: Counter,
) -> None:
    counter.read(0, more={"account_state": "unopened"}, causes=["account"])
    first = _take(counter)
    assert (first["kind"], first["expected"]["supply_returns"]) == ("open", True)
    assert _take(counter)["kind"] == "credit"


def test_the_credit_with_what_is_on_the_way_stays_within_max_credit(counter: Counter) -> None:
    counter.terms(max_credit=100_00)
    counter.read(20_00 * CENT)
    _take(counter, 50_00)
    with pytest.raises(Refused, match=r"max_credit 100\.00"):
        _take(counter, 30_01)
    assert _take(counter, 30_00)["expected"]["credit_after_exact"] == 50_00 * CENT


@BOTH_ENGINES
def test_the_last_receipt_counts_where_it_is_later_than_the_last_reading(counter: Counter) -> None:
    counter.terms(max_credit=100_00, debt_share_percent=10)
    counter.read(20_00 * CENT, 9_00 * CENT)
    sale = _take(counter, 50_00)
    counter.work(lambda work: move(work, 1, SaleEvent.RUN))
    proof = Proved(1, 4, "", 5_00 * CENT, 0, 65_00 * CENT, 50_00 * CENT, "connected", ())
    counter.work(lambda work: move(work, 1, SaleEvent.CONFIRMED, proved=proof))
    assert sale["expected"]["credit_after_exact"] == 65_00 * CENT
    with pytest.raises(Refused, match=r"65\.00 in the meter"):
        _take(counter, 39_00)
    expected = _take(counter, 38_00)["expected"]
    assert expected["to_debt_exact"] == 3_80 * CENT
    assert expected["credit_after_exact"] == 99_20 * CENT


def test_the_float_does_not_count_towards_the_limit_of_a_shift(counter: Counter) -> None:
    counter.work(lambda work: work.session.execute(update(Shift).values(limit_amount=100_00)))
    _take(counter, 60_00)
    with pytest.raises(Refused, match="is the limit"):
        _take(counter, 40_01)
    _take(counter, 40_00)


def test_a_sale_beside_a_card_that_was_not_used_is_refused(counter: Counter) -> None:
    _take(counter, carrier=Carrier.CARD, reader="card.bin")
    counter.work(lambda work: move(work, 1, SaleEvent.RUN))
    assert _take(counter)["waits_for"] == "S1"
    counter.work(lambda work: move(work, 1, SaleEvent.WRITTEN_ON_CARD))
    with pytest.raises(Conflict, match=r"S1 .* on a card"):
        _take(counter)


def test_only_a_vendor_of_the_node_with_an_open_shift_sells(counter: Counter) -> None:
    for role in Role:
        who = counter.person(role)
        error = Refused if role is Role.VENDOR else NotPermitted
        with pytest.raises(error):
            counter.do(who, sales.take, agreement="A1", amount=50_00)


def test_a_cancelled_sale_gives_its_money_back_and_keeps_its_receipt(counter: Counter) -> None:
    _take(counter)
    answer = counter.do(counter.world.vendor, sales.cancel, sale="S1", reason="typed wrong")
    assert (answer["state"], answer["given_back"], answer["owed"]) == ("cancelled", 50_00, 0)
    assert answer["receipt_number"] == "1-0001"
    assert balances(counter.database) == {}
    assert _take(counter)["receipt_number"] == "1-0002"


def test_a_sale_is_cancelled_by_the_vendor_of_its_till_while_that_is_open(counter: Counter) -> None:
    _take(counter)
    with pytest.raises(NotPermitted, match="its vendor"):
        counter.do(Role.ACCOUNTANT, sales.cancel, sale="S1")
    with pytest.raises(NotPermitted):
        counter.do(Role.CLERK, sales.cancel, sale="S1")
    counter.do(counter.world.vendor, shifts.count, shift=None, counted=150_00)
    with pytest.raises(Refused, match="recount"):
        counter.do(counter.world.vendor, sales.cancel, sale="S1")
    assert balances(counter.database) == {"cash/1": 50_00, "undelivered/1": 50_00}


@BOTH_ENGINES
def test_a_sale_of_a_closed_shift_that_is_cancelled_is_owed(counter: Counter) -> None:
    counter.serve_wire()
    _take(counter)
    counter.do(counter.world.vendor, shifts.count, shift=None, counted=150_00)
    closed = counter.do(counter.world.vendor, shifts.close, shift=None, slip="B-7")
    assert closed["ended_sales"] == []
    answer = counter.do(Role.ACCOUNTANT, sales.cancel, sale="S1")
    assert (answer["state"], answer["given_back"], answer["owed"]) == ("dead", 0, 50_00)
    assert balances(counter.database) == {"payable/1": 50_00, "transit": 50_00}


def test_a_sale_that_a_worker_has_begun_is_not_cancelled(counter: Counter) -> None:
    _take(counter)
    counter.work(lambda work: move(work, 1, SaleEvent.RUN))
    with pytest.raises(Refused) as refused:
        counter.do(counter.world.vendor, sales.cancel, sale="S1")
    assert refused.value.status == 409
    with counter.database.reading() as session:
        assert session.scalars(select(Sale.state)).one() is SaleState.SENDING
        assert session.scalar(select(func.count()).select_from(Receipt)) == 1


def test_a_sale_is_taken_in_few_statements(counter: Counter) -> None:
    counter.terms(max_credit=100_00)
    counter.read(20_00 * CENT)
    _take(counter)
    with told_statements(counter.database) as statements:
        _take(counter, 10_00)
    assert 10 <= len(statements) <= 20
