"""Payments, bills, payouts and sales sold again, in plain dictionaries (UTILITY 4)."""

from __future__ import annotations

from typing import Any

from tests.desk.simulation.plain import PlainDesk


def where_paid(plain: PlainDesk, shift: str | None) -> tuple[str, str]:
    """Return W: the till, or, once its shift is closed and for the bank, what is on its way."""
    is_till = shift is not None and plain.shifts[shift]["state"] != "closed"
    return ("cash", shift) if is_till and shift is not None else ("transit", "")


def take_back(plain: PlainDesk, agreement: str, amount: int) -> int:
    """receivable/advance, the newest allocations first; return what could not be taken back."""
    made = plain.allocations.get(agreement, [])
    while amount > 0 and made:
        bill, allocated = made[-1]
        part = min(allocated, amount)
        amount -= part
        bill["open"] += part
        plain.move(("receivable", agreement), ("advance", agreement), part)
        made[-1][1] -= part
        if not made[-1][1]:
            made.pop()
    return max(0, amount)


def can_take_back(plain: PlainDesk, agreement: str) -> int:
    """Return what of the agreement's payments is still there: in advance, or allocated."""
    allocated = sum(part for _, part in plain.allocations.get(agreement, []))
    return plain.balances["advance", agreement] + allocated


def pay(plain: PlainDesk, number: str, agreement: str, shift: str, amount: int) -> None:
    """W/advance, then what is open is paid."""
    plain.receipt(shift)
    plain.payments[number] = {
        "agreement": agreement, "shift": shift, "amount": amount, "state": "taken", "sale": None,
    }  # fmt: skip
    plain.move(("cash", shift), ("advance", agreement), amount)
    plain.allocate(agreement)


def move_payment(plain: PlainDesk, payment: dict[str, Any], to: str) -> None:
    """advance/advance: what it paid is open again, and the other agreement's bills are paid."""
    wrong, amount = payment["agreement"], payment["amount"]
    take_back(plain, wrong, amount - plain.balances["advance", wrong])
    plain.move(("advance", wrong), ("advance", to), amount)
    payment.update(agreement=to, state="moved")
    plain.allocate(to)


def bounce_bills(plain: PlainDesk, payment: dict[str, Any], day: int) -> None:
    """Allocations back, newest first, until advance covers it; advance/W; the rest a claim."""
    agreement, amount = payment["agreement"], payment["amount"]
    missing_in = where_paid(plain, payment["shift"])
    missing = take_back(plain, agreement, amount - plain.balances["advance", agreement])
    plain.move(("advance", agreement), missing_in, amount - missing)
    plain.move(("receivable", agreement), missing_in, missing)
    plain.claim(agreement, missing, day)
    payment["state"] = "bounced"


def bounce_sale(plain: PlainDesk, payment: dict[str, Any], sale: dict[str, Any], day: int) -> None:
    """A sale that is owed is owed no more; of another one the customer owes what was paid."""
    agreement, amount = payment["agreement"], payment["amount"]
    missing_in = where_paid(plain, payment["shift"])
    if sale["state"] in ("dead", "hand_dead") and sale["amount"] == amount:
        if missing_in[0] == "cash":
            plain.receipt(missing_in[1])
        plain.move(("payable", agreement), missing_in, amount)
        sale["state"] = "repaid"
    else:
        plain.move(("receivable", agreement), missing_in, amount)
        plain.claim(agreement, amount, day)
        plain.allocate(agreement)
    payment["state"] = "bounced"


def paid_out(plain: PlainDesk, sale: dict[str, Any], shift: str | None) -> None:
    """payable/W, the whole sale."""
    if shift is not None:
        plain.receipt(shift)
    plain.move(("payable", sale["agreement"]), where_paid(plain, shift), sale["amount"])
    sale["state"] = "repaid"


def refund(plain: PlainDesk, agreement: str, amount: int, shift: str | None) -> None:
    """What is owed first, then advance/payable; payable/W."""
    from_advance = max(0, amount - plain.free_of(agreement))
    if shift is not None:
        plain.receipt(shift)
    plain.move(("advance", agreement), ("payable", agreement), from_advance)
    plain.move(("payable", agreement), where_paid(plain, shift), amount)


def sold_again(
    plain: PlainDesk, old: dict[str, Any], key: str, sale: dict[str, Any], further: int
) -> None:
    """payable/undelivered up to what is owed; more is paid to it, W/undelivered."""
    carried = min(old["amount"], sale["amount"])
    plain.sales[key] = {"key": key, "state": "taken", "follows": old["key"], **sale}
    plain.move(("payable", old["agreement"]), ("undelivered", sale["agreement"]), carried)
    if further > 0:
        plain.receipt(sale["shift"])
        plain.move(("cash", sale["shift"]), ("undelivered", sale["agreement"]), further)
    old["state"] = "replaced"


def moved_sale(
    plain: PlainDesk, old: dict[str, Any], key: str, sale: dict[str, Any], back: int, day: int
) -> None:
    """What the first meter did not give back is a claim; the whole is sold again."""
    claimed = old["amount"] - back
    plain.move(("receivable", old["agreement"]), ("payable", old["agreement"]), claimed)
    plain.claim(old["agreement"], claimed, day)
    plain.sales[key] = {"key": key, "state": "taken", "follows": old["key"], **sale}
    plain.move(("payable", old["agreement"]), ("undelivered", sale["agreement"]), sale["amount"])
    old["moved"] = True
    plain.allocate(old["agreement"])
