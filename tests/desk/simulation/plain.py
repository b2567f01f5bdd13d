"""The desk in plain dictionaries, written from UTILITY.md 4 and 5: what its books must be.

It decides nothing about meters and lines: what became of a sale that was sent is told to it by the
journal's word, what was read by the values of the reading. Amounts are in 0.01; what meters count
is exact (1e-10). Owners are the numbers that people see.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

EXACT = 10**8
"""Exact units in 0.01."""
ASSETS = ("cash", "transit", "bank", "receivable", "meter_debt")
ON_THE_WAY = ("taken", "sending", "on_card", "unknown")
LIVE = ("sending", "on_card", "unknown")
OWED = ("dead", "hand_dead")
PERSONS_LIMIT = 500_00
"""Highest payout of one person."""
TILL_LIMIT = 20_000_00
LOWEST = 1_00
CLAIM_DAYS = 15
"""How long a customer has to pay a claim."""
BY_WORD = {
    "absent": "taken",
    "prepared": "unknown",
    "unknown": "unknown",
    "on_card": "on_card",
    "confirmed": "delivered",
    "refused": "dead",
}
"""What a sale that was sent is, by the word of the journal's entry (UTILITY 5, `sending`)."""


@dataclass
class PlainDesk:
    """Balances by (kind, owner): of an asset debits less credits, of the others the reverse."""

    balances: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    sales: dict[str, dict[str, Any]] = field(default_factory=dict)
    shifts: dict[str, dict[str, Any]] = field(default_factory=dict)
    bills: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Of an agreement, the oldest due first: number, due, open, in_meter."""
    meters: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By agreement: to_debt (T), consumption, standing, instalments as booked; exact."""
    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By number; those of sales are made with their first bounce."""
    allocations: dict[str, list[list[Any]]] = field(default_factory=dict)
    """Of an agreement, in the order as made: [bill, amount]."""
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Orders that take credit from a meter, by key; `waits`: a sale is to be moved with it."""

    def move(self, debit: tuple[str, str], credit: tuple[str, str], amount: int) -> None:
        """Book a transfer; a negative amount the other way round."""
        for account, signed in ((debit, amount), (credit, -amount)):
            self.balances[account] += signed if account[0] in ASSETS else -signed

    def shown(self) -> dict[tuple[str, str], int]:
        """Return the balances that are not 0."""
        return {account: amount for account, amount in self.balances.items() if amount}

    # ---- shifts

    def shift_of(self, person: str) -> dict[str, Any] | None:
        """Return a person's shift that is not closed."""
        for shift in self.shifts.values():
            if shift["vendor"] == person and shift["state"] != "closed":
                return shift
        return None

    def cash(self, shift: dict[str, Any]) -> int:
        """Return the cash of a shift without its float."""
        return self.balances["cash", shift["number"]]

    def opened(self, number: str, person: str, float_amount: int, day: int) -> None:
        """Book nothing: a float is no posting."""
        self.shifts[number] = {
            "number": number, "vendor": person, "state": "open", "float": float_amount,
            "counted": None, "receipts": 0, "day": day,
        }  # fmt: skip

    def closed(self, shift: dict[str, Any], has_worker: bool) -> None:
        """End the sales that no worker runs, bank the cash, book what is short or over."""
        for sale in self.sales.values():
            if sale["shift"] == shift["number"] and sale["state"] == "taken" and not has_worker:
                self.ended_undelivered(sale, "dead")
        till = ("cash", shift["number"])
        difference = shift["counted"] - shift["float"] - self.cash(shift)
        self.move(till, ("till_difference", ""), difference)
        self.move(("transit", ""), till, self.cash(shift))
        shift["state"] = "closed"

    # ---- sales

    def taken(self, key: str, sale: dict[str, Any]) -> None:
        """W/undelivered A."""
        self.sales[key] = {"key": key, "state": "taken", "follows": None, **sale}
        self.receipt(sale["shift"])
        self.move(("cash", sale["shift"]), ("undelivered", sale["agreement"]), sale["amount"])

    def receipt(self, shift: str) -> int:
        """Count a receipt; return its number."""
        self.shifts[shift]["receipts"] += 1
        number: int = self.shifts[shift]["receipts"]
        return number

    def cancelled(self, sale: dict[str, Any]) -> None:
        """In its shift undelivered/W; later, or not paid whole in cash, undelivered/payable."""
        till = sale["shift"]
        if till is None or self.shifts[till]["state"] == "closed" or sale["paid"] < sale["amount"]:
            self.ended_undelivered(sale, "dead")
            return
        self.move(("undelivered", sale["agreement"]), ("cash", till), sale["amount"])
        sale["state"] = "cancelled"

    def ended_undelivered(self, sale: dict[str, Any], state: str) -> None:
        """undelivered/payable A."""
        self.move(
            ("undelivered", sale["agreement"]), ("payable", sale["agreement"]), sale["amount"]
        )
        sale["state"] = state

    def delivered(self, sale: dict[str, Any], to_debt: int) -> None:
        """D = Δc(T): undelivered/meter_debt D, oldest bill first; undelivered/in_meter A - D.

        Args:
            to_debt: what its receipt says, exact; 0 where there is no receipt.
        """
        agreement, meter = sale["agreement"], self.meters[sale["agreement"]]
        before, meter["to_debt"] = meter["to_debt"], meter["to_debt"] + to_debt
        share = meter["to_debt"] // EXACT - before // EXACT
        self._debt_paid(("undelivered", agreement), agreement, share)
        rest = sale["amount"] - share
        self.move(("undelivered", agreement), ("in_meter", agreement), rest)
        sale["state"] = "delivered"

    def told(self, sale: dict[str, Any], word: str, to_debt: int, day: int) -> None:
        """Move a sale to what the journal's word says of it.

        Args:
            day: number of today, for a claim.
        """
        before, state = sale["state"], BY_WORD[word]
        if before == state:
            return
        if before in ON_THE_WAY:
            match state:
                case "delivered":
                    self.delivered(sale, to_debt)
                case "dead":
                    self.ended_undelivered(sale, "dead")
                case _:
                    sale["state"] = state
        elif state == "delivered":
            self._delivered_after_all(sale, to_debt, day)
        elif state == "dead" and before == "hand_delivered":
            agreement = sale["agreement"]
            self.move(("in_meter", agreement), ("payable", agreement), sale["amount"])
            sale["state"] = "dead"
        elif state == "dead" and before == "hand_dead":
            sale["state"] = "dead"

    def settled_by_hand(self, sale: dict[str, Any], word: str) -> None:
        """Two persons end it: delivered, its share for debt unknown without a receipt; or dead."""
        if word == "delivered":
            self.delivered(sale, 0)
        else:
            self.ended_undelivered(sale, "dead")
        sale["state"] = f"hand_{word}"

    def _delivered_after_all(self, sale: dict[str, Any], to_debt: int, day: int) -> None:
        """payable/in_meter; where it was paid out or sold again receivable/in_meter, a claim."""
        agreement, amount = sale["agreement"], sale["amount"]
        owed = amount
        match sale["state"]:
            case "repaid":
                owed = 0
            case "replaced":
                follower = next(s for s in self.sales.values() if s["follows"] == sale["key"])
                left = amount - min(amount, follower["amount"])
                owed = min(left, self.free_of(agreement))
        if sale["state"] != "hand_delivered":
            self.move(("payable", agreement), ("in_meter", agreement), owed)
            self.move(("receivable", agreement), ("in_meter", agreement), amount - owed)
            self.claim(agreement, amount - owed, day)
            self.allocate(agreement)
        meter = self.meters[agreement]
        before, meter["to_debt"] = meter["to_debt"], meter["to_debt"] + to_debt
        share = meter["to_debt"] // EXACT - before // EXACT
        self._debt_paid(("in_meter", agreement), agreement, share)
        sale["state"] = "delivered"

    # ---- bills

    def claim(self, agreement: str, amount: int, day: int) -> None:
        """Write a claim; what books it comes from the caller."""
        if amount:
            bill = {"due": day + CLAIM_DAYS, "open": amount, "in_meter": 0}
            self.bills.setdefault(agreement, []).append(bill)
            self.bills[agreement].sort(key=lambda each: each["due"])

    def allocate(self, agreement: str) -> None:
        """advance/receivable per bill, the oldest due first."""
        for bill in self.bills.get(agreement, []):
            part = min(bill["open"], self.balances["advance", agreement])
            if part > 0:
                bill["open"] -= part
                self.move(("advance", agreement), ("receivable", agreement), part)
                self.allocations.setdefault(agreement, []).append([bill, part])

    def free_of(self, agreement: str) -> int:
        """Return what is owed on an agreement that no dead sale and no move names."""
        named = sum(
            sale["amount"]
            for sale in self.sales.values()
            if sale["agreement"] == agreement and sale["state"] in OWED
        )
        moving = sum(
            order["amount"]
            for order in self.refunds.values()
            if order["agreement"] == agreement and order["state"] == "delivered" and order["waits"]
        )
        return max(0, self.balances["payable", agreement] - named - moving)

    # ---- meters

    def taken_over(
        self,
        agreement: str,
        values: dict[str, int],
        credit: int,
        debt: int,
        *,
        bills: list[tuple[int, int]],
        advance: int,
        day: int,
    ) -> None:
        """taken_over/in_meter, /advance; meter_debt/taken_over, receivable/taken_over per bill.

        Credit and debt with the fractions of the values that were taken from them already, rounded
        up, so that no later floor lies below.

        Args:
            values: cumulative values of the reading, exact; `credit` and `debt` likewise.
            bills: (day when it was due, what is open).
        """
        old, owed = ("taken_over", ""), self.bills.setdefault(agreement, [])
        of_debt = values["instalments"] % EXACT + values["to_debt"] % EXACT
        of_credit = values["consumption"] % EXACT + values["standing"] % EXACT + of_debt
        self.move(old, ("in_meter", agreement), -(-(credit + of_credit) // EXACT))
        in_meter = -(-(debt + of_debt) // EXACT)
        self.move(("meter_debt", agreement), old, in_meter)
        owed.append({"due": day, "open": 0, "in_meter": in_meter})
        for due, amount in bills:
            self.move(("receivable", agreement), old, amount)
            owed.append({"due": due, "open": amount, "in_meter": 0})
        owed.sort(key=lambda each: each["due"])
        self.move(old, ("advance", agreement), advance)
        self.allocate(agreement)
        self.meters[agreement] = values

    def read(self, agreement: str, values: dict[str, int], *, is_live: bool) -> None:
        """Δc each of consumption, standing, instalments; debt that no receipt told before.

        Args:
            values: cumulative values of the epoch, exact: consumption, standing, instalments,
                to_debt.
            is_live: a credit order of the meter is not settled.
        """
        meter = self.meters[agreement]
        for name, account in (("consumption", "revenue_energy"), ("standing", "revenue_standing")):
            change = values[name] // EXACT - meter[name] // EXACT
            self.move(("in_meter", agreement), (account, ""), change)
        change = values["instalments"] // EXACT - meter["instalments"] // EXACT
        self._debt_paid(("in_meter", agreement), agreement, change)
        if not is_live and values["to_debt"] > meter["to_debt"]:
            share = values["to_debt"] // EXACT - meter["to_debt"] // EXACT
            self._debt_paid(("in_meter", agreement), agreement, share)
            meter["to_debt"] = values["to_debt"]
        for name in ("consumption", "standing", "instalments"):
            meter[name] = values[name]

    def _debt_paid(self, debit: tuple[str, str], agreement: str, amount: int) -> None:
        """debit/meter_debt, the oldest bill first."""
        for bill in self.bills.get(agreement, []):
            part = min(amount, bill["in_meter"])
            bill["in_meter"] -= part
            amount -= part
            self.move(debit, ("meter_debt", agreement), part)
        assert amount == 0, f"{agreement}: {amount} more than its debt was taken"
