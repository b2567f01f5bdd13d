"""I1 to I3 over random events: postings on plain dictionaries, beside a meter in exact units.

The books of the desk know what was proved to them: receipts, readings, journals. The meter is
METER.md 6 in a few lines. A sale's state comes from the sale's table. I3 is compared after a
reading when no sale is under way and no person's word waits for its proof.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from meterctl.utility.rules import postings
from meterctl.utility.rules.allocation import Part
from meterctl.utility.rules.postings import (
    NEVER_NEGATIVE,
    Account,
    AccountKind,
    Books,
    MeterBalances,
    Side,
    Transfers,
)
from meterctl.utility.rules.transitions import (
    LIVE,
    PAYABLE,
    SALE,
    UNDELIVERED,
    SaleEvent,
    SaleState,
    after,
)

UNIT = 10**8
CASH, TRANSIT = postings.cash(3), postings.transit(2)
AGREEMENTS = st.sampled_from((7, 8))
AMOUNTS = st.integers(1_00, 60_00)
HAND = (SaleState.HAND_DELIVERED, SaleState.HAND_DEAD)


class Ledger:
    """Balances of accounts, and of each bill on them."""

    def __init__(self) -> None:
        self.balances: dict[Account, int] = defaultdict(int)
        self.bills: dict[tuple[Account, int], int] = defaultdict(int)
        self.last_bill = 0

    def bill(self) -> int:
        self.last_bill += 1
        return self.last_bill

    def book(self, transfers: Transfers) -> None:
        for each in transfers:
            for account, amount in ((each.debit, each.amount), (each.credit, -each.amount)):
                signed = amount if account.kind.side is Side.ASSET else -amount
                self.balances[account] += signed
                if account.kind.has_bill:
                    assert each.bill is not None
                    self.bills[account, each.bill] += signed

    def of(self, account: Account) -> int:
        return self.balances[account]

    def parts(self, account: Account) -> list[Part]:
        """What is open of each bill of an account, the oldest first."""
        bills = sorted((n, amount) for (owner, n), amount in self.bills.items() if owner == account)
        return [Part(n, amount) for n, amount in bills if amount]


@dataclass
class Meter:
    """A meter's account: everything in exact units."""

    credit: int
    debt: int
    share: int = 30
    instalment: int = 50 * UNIT
    standing: int = 33_333_333
    cumulative: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def top_up(self, amount: int) -> None:
        exact = amount * UNIT
        overdraft = min(exact, max(0, -self.credit))
        to_debt = min(self.debt, exact - overdraft, exact * self.share // 100)
        self.credit += exact - to_debt
        self.debt -= to_debt
        self.cumulative["to_debt"] += to_debt

    def consume(self, units: int) -> None:
        self.credit -= units
        self.cumulative["consumption"] += units

    def midnight(self) -> None:
        self.credit -= self.standing
        self.cumulative["standing"] += self.standing
        taken = min(self.instalment, self.debt, max(0, self.credit))
        self.credit -= taken
        self.debt -= taken
        self.cumulative["instalments"] += taken

    def books(self) -> Books:
        values = self.cumulative
        return Books(values["consumption"], values["standing"], values["instalments"])


@dataclass
class Sale:
    """A sale, and what really became of it."""

    amount: int
    state: SaleState = SaleState.TAKEN
    is_in_meter: bool = False
    from_payable: bool = False


@dataclass
class Customer:
    """An agreement with its meter, as it is and as the desk has booked it."""

    meter: Meter
    sales: list[Sale] = field(default_factory=list)
    booked: Books = field(default_factory=lambda: Books(0, 0, 0))
    booked_to_debt: int = 0
    allocations: list[Part] = field(default_factory=list)

    def find(self, *states: SaleState) -> Sale | None:
        return next((sale for sale in self.sales if sale.state in states), None)


class Desk(RuleBasedStateMachine):
    """Random events of two agreements."""

    @initialize(
        balances=st.tuples(*[st.integers(-30_00, 80_00)] * 2),
        debts=st.tuples(*[st.integers(0, 40_00)] * 2),
        used=st.tuples(*[st.integers(0, 10**12)] * 6),
        arrears=st.lists(st.integers(1, 30_00), max_size=3),
    )
    def take_over(
        self,
        balances: tuple[int, int],
        debts: tuple[int, int],
        used: tuple[int, ...],
        arrears: list[int],
    ) -> None:
        self.ledger = Ledger()
        self.customers: dict[int, Customer] = {}
        for place, agreement in enumerate((7, 8)):
            consumed, instalments, to_debt = used[3 * place : 3 * place + 3]
            meter = Meter(
                balances[place] * UNIT - consumed - instalments - to_debt,
                max(0, debts[place] * UNIT - instalments - to_debt),
            )
            if meter.debt:
                meter.cumulative |= {"instalments": instalments, "to_debt": to_debt}
            else:
                meter.credit += instalments + to_debt
            meter.cumulative["consumption"] = consumed
            customer = Customer(meter, [], meter.books(), meter.cumulative["to_debt"])
            self.customers[agreement] = customer
            read = MeterBalances(meter.credit, meter.debt, meter.books(), customer.booked_to_debt)
            debt_bill = self.ledger.bill()
            bills = [Part(self.ledger.bill(), amount) for amount in arrears]
            self.ledger.book(postings.taken_over(agreement, read, debt_bill, bills, 5_00))
            self.require_agreement(agreement)

    # ---- sales

    @rule(agreement=AGREEMENTS, amount=AMOUNTS)
    def sell(self, agreement: int, amount: int) -> None:
        self.customers[agreement].sales.append(Sale(amount))
        self.ledger.book(postings.paid_for_sale(CASH, agreement, amount))

    @rule(agreement=AGREEMENTS, event=st.sampled_from((SaleEvent.CANCEL, SaleEvent.CANCEL_LATER)))
    def cancel(self, agreement: int, event: SaleEvent) -> None:
        sale = self.customers[agreement].find(SaleState.TAKEN)
        if sale is None or sale.from_payable:
            return
        if self.ledger.of(CASH) < sale.amount:
            event = SaleEvent.CANCEL_LATER  # the shift that took the money is closed
        sale.state = after(SALE, sale.state, event)
        self.ledger.book(
            postings.cancelled_in_shift(CASH, agreement, sale.amount)
            if sale.state is SaleState.CANCELLED
            else postings.not_delivered(agreement, sale.amount)
        )

    @rule(agreement=AGREEMENTS, reaches=st.booleans())
    def run(self, agreement: int, reaches: bool) -> None:
        customer = self.customers[agreement]
        sale = customer.find(SaleState.TAKEN)
        if sale is None or customer.find(*LIVE, *HAND):
            return
        sale.state = after(SALE, sale.state, SaleEvent.RUN)
        if reaches:
            customer.meter.top_up(sale.amount)
            sale.is_in_meter = True

    @rule(agreement=AGREEMENTS, answered=st.sampled_from(("proof", "open", "absent")))
    def look_into_the_journal(self, agreement: int, answered: str) -> None:
        customer = self.customers[agreement]
        sale = customer.find(SaleState.SENDING)
        if sale is None:
            return
        if answered == "proof":
            self.prove(agreement, sale, SaleEvent.CONFIRMED, SaleEvent.REFUSED)
        elif answered == "open":
            sale.state = after(SALE, sale.state, SaleEvent.OPEN_OUTCOME)
        elif not sale.is_in_meter:
            sale.state = after(SALE, sale.state, SaleEvent.ABSENT)

    @rule(agreement=AGREEMENTS, amount=AMOUNTS)
    def sell_and_deliver(self, agreement: int, amount: int) -> None:
        self.sell(agreement, amount)
        self.run(agreement, reaches=True)
        self.look_into_the_journal(agreement, "proof")
        self.read(agreement)

    @rule(agreement=AGREEMENTS)
    def resolve(self, agreement: int) -> None:
        sale = self.customers[agreement].find(SaleState.UNKNOWN)
        if sale is not None:
            self.prove(agreement, sale, SaleEvent.RESOLVED_DELIVERED, SaleEvent.RESOLVED_DEAD)

    def prove(self, agreement: int, sale: Sale, taken: SaleEvent, not_taken: SaleEvent) -> None:
        sale.state = after(SALE, sale.state, taken if sale.is_in_meter else not_taken)
        if not sale.is_in_meter:
            self.ledger.book(postings.not_delivered(agreement, sale.amount))
            return
        before, now = self.proved_to_debt(agreement)
        debts = self.ledger.parts(postings.meter_debt(agreement))
        self.ledger.book(postings.delivered(agreement, sale.amount, before, now, debts))

    def proved_to_debt(self, agreement: int) -> tuple[int, int]:
        """T of the delivered sales before and with a sale that is proved now."""
        customer = self.customers[agreement]
        before = customer.booked_to_debt
        customer.booked_to_debt = customer.meter.cumulative["to_debt"]
        return before, customer.booked_to_debt

    @rule(agreement=AGREEMENTS, as_delivered=st.booleans())
    def settle_by_two_persons(self, agreement: int, as_delivered: bool) -> None:
        sale = self.customers[agreement].find(SaleState.UNKNOWN)
        if sale is None:
            return
        if as_delivered:
            sale.state = after(SALE, sale.state, SaleEvent.SETTLED_AS_DELIVERED)
            to_debt = self.customers[agreement].booked_to_debt
            self.ledger.book(postings.delivered(agreement, sale.amount, to_debt, to_debt, ()))
        else:
            sale.state = after(SALE, sale.state, SaleEvent.SETTLED_AS_DEAD)
            self.ledger.book(postings.not_delivered(agreement, sale.amount))

    @rule(agreement=AGREEMENTS, state=st.sampled_from(HAND))
    def prove_after_a_hand(self, agreement: int, state: SaleState) -> None:
        customer = self.customers[agreement]
        sale = customer.find(state)
        if sale is not None:
            owed = sale.amount if state is SaleState.HAND_DEAD else 0
            self.prove_settled(agreement, sale, owed)

    def prove_settled(self, agreement: int, sale: Sale, owed: int) -> None:
        was = sale.state
        event = SaleEvent.PROOF_DELIVERED if sale.is_in_meter else SaleEvent.PROOF_DEAD
        sale.state = after(SALE, sale.state, event)
        if sale.is_in_meter:
            if was is not SaleState.HAND_DELIVERED:
                claim = self.ledger.bill()
                self.ledger.book(postings.taken_after_all(agreement, sale.amount, owed, claim))
            before, now = self.proved_to_debt(agreement)
            debts = self.ledger.parts(postings.meter_debt(agreement))
            self.ledger.book(postings.debt_taken(agreement, before, now, debts))
        elif was is SaleState.HAND_DELIVERED:
            self.ledger.book(postings.not_taken(agreement, sale.amount))

    @rule(agreement=AGREEMENTS)
    def pay_out(self, agreement: int) -> None:
        sale = self.customers[agreement].find(*PAYABLE)
        if sale is not None and self.ledger.of(CASH) >= sale.amount:
            by_hand = sale.state is SaleState.HAND_DEAD
            sale.state = after(SALE, sale.state, SaleEvent.PAYOUT)
            self.ledger.book(postings.paid_out(agreement, CASH, sale.amount))
            if by_hand and sale.is_in_meter:
                self.prove_settled(agreement, sale, 0)

    @rule(agreement=AGREEMENTS, to=AGREEMENTS)
    def sell_again(self, agreement: int, to: int) -> None:
        sale = self.customers[agreement].find(SaleState.DEAD)
        if sale is not None:
            sale.state = after(SALE, sale.state, SaleEvent.SELL_AGAIN)
            self.customers[to].sales.append(Sale(sale.amount, from_payable=True))
            self.ledger.book(postings.sold_again(agreement, to, sale.amount))

    # ---- the meter

    @rule(agreement=AGREEMENTS, units=st.integers(0, 40 * 10**10), midnights=st.integers(0, 2))
    def time_passes(self, agreement: int, units: int, midnights: int) -> None:
        meter = self.customers[agreement].meter
        meter.consume(units)
        for _ in range(midnights):
            meter.midnight()

    @rule(agreement=AGREEMENTS)
    def read(self, agreement: int) -> None:
        customer = self.customers[agreement]
        now = customer.meter.books()
        debts = self.ledger.parts(postings.meter_debt(agreement))
        self.ledger.book(postings.reading_accepted(agreement, customer.booked, now, debts))
        customer.booked = now
        if not customer.find(*LIVE, *HAND):
            self.require_agreement(agreement)

    def require_agreement(self, agreement: int) -> None:
        """I3."""
        meter, ledger = self.customers[agreement].meter, self.ledger
        credit_above = ledger.of(postings.in_meter(agreement)) * UNIT - meter.credit
        debt_above = ledger.of(postings.meter_debt(agreement)) * UNIT - meter.debt
        assert 0 <= credit_above < 4 * UNIT
        assert 0 <= debt_above < 2 * UNIT

    @rule(agreement=AGREEMENTS, amount=st.integers(1, 10_00))
    def refund_credit(self, agreement: int, amount: int) -> None:
        customer = self.customers[agreement]
        if customer.meter.credit >= amount * UNIT and not customer.find(*LIVE):
            customer.meter.credit -= amount * UNIT
            self.ledger.book(postings.refund_proved(agreement, amount))

    @rule(agreement=AGREEMENTS, amount=st.integers(1, 10_00))
    def credit_without_a_sale(self, agreement: int, amount: int) -> None:
        customer = self.customers[agreement]
        if customer.find(*LIVE, *HAND):
            return
        customer.meter.top_up(amount)
        before, now = self.proved_to_debt(agreement)
        debts = self.ledger.parts(postings.meter_debt(agreement))
        claim = self.ledger.bill()
        self.ledger.book(postings.unexplained_credit(agreement, amount, None, claim))
        self.ledger.book(postings.debt_taken(agreement, before, now, debts))

    @rule(agreement=AGREEMENTS)
    def accept_arrears(self, agreement: int) -> None:
        """The meter takes what is open as debt."""
        bills = self.ledger.parts(postings.receivable(agreement))
        customer = self.customers[agreement]
        customer.meter.debt += sum(bill.amount for bill in bills) * UNIT
        moved = {bill.id for bill in bills}
        customer.allocations = [part for part in customer.allocations if part.id not in moved]
        self.ledger.book(postings.arrears_accepted(agreement, bills))

    @rule(agreement=AGREEMENTS, lost=st.booleans(), estimate=st.integers(0, 5_00))
    def end_the_epoch(self, agreement: int, lost: bool, estimate: int) -> None:
        customer = self.customers[agreement]
        if customer.find(*LIVE, *HAND):
            return
        if not lost:
            self.read(agreement)
        ledger, final = self.ledger, self.ledger.bill()
        booked = ledger.of(postings.in_meter(agreement))
        ledger.book(
            postings.epoch_lost(agreement, booked, estimate, final)
            if lost
            else postings.epoch_closed(agreement, booked, final)
        )
        debts = ledger.parts(postings.meter_debt(agreement))
        ledger.book(postings.debt_after_epoch(agreement, debts))
        assert ledger.of(postings.in_meter(agreement)) == 0
        assert ledger.of(postings.meter_debt(agreement)) == 0
        customer.meter = Meter(0, 0)
        customer.booked, customer.booked_to_debt = Books(0, 0, 0), 0

    # ---- bills

    @rule(agreement=AGREEMENTS, amount=AMOUNTS)
    def pay(self, agreement: int, amount: int) -> None:
        self.ledger.book(postings.paid_for_bills(TRANSIT, agreement, amount))
        self.allocate(agreement)

    def allocate(self, agreement: int) -> None:
        available = self.ledger.of(postings.advance(agreement))
        bills = self.ledger.parts(postings.receivable(agreement))
        made = postings.allocated(agreement, available, bills)
        self.ledger.book(made)
        self.customers[agreement].allocations += [Part(t.bill or 0, t.amount) for t in made]

    @rule(agreement=AGREEMENTS, amount=AMOUNTS)
    def bounce(self, agreement: int, amount: int) -> None:
        customer = self.customers[agreement]
        available = self.ledger.of(postings.advance(agreement))
        claim = self.ledger.bill()
        made = postings.payment_bounced(
            agreement, TRANSIT, amount, available, customer.allocations, claim
        )
        self.ledger.book(made)
        back = sum(t.amount for t in made if t.credit.kind is AccountKind.ADVANCE)
        while back:
            last = customer.allocations.pop()
            if last.amount > back:
                customer.allocations.append(Part(last.id, last.amount - back))
            back -= min(last.amount, back)

    @rule(agreement=AGREEMENTS, to=AGREEMENTS)
    def move_advance(self, agreement: int, to: int) -> None:
        available = self.ledger.of(postings.advance(agreement))
        if agreement != to:
            self.ledger.book(postings.payment_moved(agreement, to, available))

    @rule(agreement=AGREEMENTS)
    def refund_advance(self, agreement: int) -> None:
        available = self.ledger.of(postings.advance(agreement))
        self.ledger.book(postings.payment_refunded(agreement, available))

    @precondition(lambda self: self.ledger.of(CASH) > 0)
    @rule(counted=st.integers(-20_00, 20_00))
    def close_the_shift(self, counted: int) -> None:
        found = max(counted, -self.ledger.of(CASH))
        self.ledger.book(postings.cash_difference(CASH.owner, found))
        self.ledger.book(postings.cash_banked(CASH.owner, TRANSIT.owner, self.ledger.of(CASH)))

    # ---- invariants

    @invariant()
    def balances_are_not_negative(self) -> None:
        """I1."""
        for account, balance in self.ledger.balances.items():
            assert balance >= 0 or account.kind not in NEVER_NEGATIVE, account
        for account in (account for account, _ in self.ledger.bills):
            assert self.ledger.of(account) == sum(p.amount for p in self.ledger.parts(account))
        assert all(amount >= 0 for amount in self.ledger.bills.values())

    @invariant()
    def undelivered_is_the_sum_of_the_sales_on_their_way(self) -> None:
        """I2."""
        for agreement, customer in self.customers.items():
            on_the_way = sum(sale.amount for sale in customer.sales if sale.state in UNDELIVERED)
            assert self.ledger.of(postings.undelivered(agreement)) == on_the_way

    @invariant()
    def the_books_balance(self) -> None:
        assets = sum(b for a, b in self.ledger.balances.items() if a.kind.side is Side.ASSET)
        others = sum(b for a, b in self.ledger.balances.items() if a.kind.side is not Side.ASSET)
        assert assets == others


Desk.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestDesk = Desk.TestCase
