"""What the back office does in a seed: payouts, moves, bounces, and approvals by a second person.

Each action draws its values, and says what has to become of it by UTILITY.md.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from meterctl.utility.errors import Conflict, Invalid, NotPermitted, Refused
from meterctl.utility.model.money import PaymentChannel
from meterctl.utility.services import (
    closing,
    payments,
    payouts,
    sale_moves,
    sales,
    settling,
    tasks,
)
from meterctl.utility.services.settling import SettledAs
from tests.desk.simulation import plain_payments
from tests.desk.simulation.counter import ALL, lies_on_card, till_errors
from tests.desk.simulation.facts import payments_of_sales
from tests.desk.simulation.plain import LOWEST, ON_THE_WAY, OWED, PERSONS_LIMIT
from tests.desk.simulation.play import Errors, Play
from tests.desk.simulation.watching import new_sale

APPROVERS = ("accountant1", "accountant2", "head")
EPOCH = date(1970, 1, 1)
ACCOUNTANTS = ("accountant1", "accountant2")


# ---- paid out, sold again


def payout(play: Play) -> None:
    """What is owed for a sale is paid out; above 500.00 it is proposed."""
    sale = play.sale(*OWED) if play.random.random() < 0.9 else play.sale(*ALL)
    if sale is None:
        return
    person = play.random.choice(("accountant1", "accountant1", "accountant2", "vendor1"))
    channel = play.random.choice((PaymentChannel.CASH, PaymentChannel.TRANSFER))
    shift = play.plain.shift_of(person) if channel is PaymentChannel.CASH else None
    large = sale["amount"] > PERSONS_LIMIT
    expected: Errors = set()
    if person not in ACCOUNTANTS:
        expected.add(NotPermitted)
    if sale["state"] not in OWED:
        expected.add(Refused)
    if channel is PaymentChannel.CASH and not _till_has(
        play, shift, 0 if large else sale["amount"]
    ):
        expected.add(Refused)
    if large and waits(play, sale["key"]):
        expected.add(Refused)
    told = play.attempt(person, payouts.payout, expected, sale=sale["number"], channel=channel)
    if told is None:
        return
    till = None if shift is None else shift["number"]
    if large:
        propose(play, told["task"], person, sale["key"], _payout_approved, sale=sale, till=till)
    else:
        plain_payments.paid_out(play.plain, sale, till)


def _till_has(play: Play, shift: dict[str, Any] | None, amount: int) -> bool:
    """Return whether an amount can be paid from a till."""
    return shift is not None and shift["state"] == "open" and play.plain.cash(shift) >= amount


def _payout_approved(play: Play, proposal: dict[str, Any]) -> tuple[Errors, Callable[..., None]]:
    sale, till = proposal["sale"], proposal["till"]
    expected: Errors = set() if sale["state"] in OWED else {Refused}
    if till is not None and not _till_has(play, play.plain.shifts[till], sale["amount"]):
        expected.add(Refused)
    return expected, lambda _: plain_payments.paid_out(play.plain, sale, till)


def refund(play: Play) -> None:
    """What an agreement has in advance, or is owed without a name, goes back to the customer."""
    agreement = play.random.choice(play.agreements)
    free = play.plain.free_of(agreement)
    held = free + play.plain.balances["advance", agreement]
    if not held and agreement in play.meter_of:
        return  # it would be taken from the meter: `refund_of_meter`
    amount = play.random.choice((1, held, max(1, held // 2), held + 1))
    if amount <= 0 or amount > PERSONS_LIMIT:
        return
    person = play.random.choice(("accountant1", "accountant2", "vendor1"))
    expected: Errors = set() if person in ACCOUNTANTS else {NotPermitted}
    if amount > held:
        expected.add(Refused)
    told = play.attempt(
        person,
        payouts.refund,
        expected,
        agreement=agreement,
        amount=amount,
        channel=PaymentChannel.TRANSFER,
    )
    if told is not None:
        plain_payments.refund(play.plain, agreement, amount, None)


def sell_again(play: Play) -> None:
    """What is owed for a sale pays another one, also to another agreement."""
    old = play.sale(*OWED) if play.random.random() < 0.9 else play.sale(*ALL)
    if old is None:
        return
    person = play.random.choice(("vendor1", "vendor2", "accountant1"))
    agreement = play.random.choice((None, *play.meter_of, *play.agreements))
    amount = play.random.choice((None, old["amount"] + 7_00, max(1, old["amount"] - 1_00)))
    wanted = old["amount"] if amount is None else amount
    further = max(0, wanted - old["amount"])
    expected: Errors = till_errors(play, person, further) if further else set()
    if person == "accountant1":
        expected.add(NotPermitted)
    if old["state"] not in OWED:
        expected.add(Refused)
    if (agreement or old["agreement"]) not in play.meter_of:
        expected.add(Refused)
    if lies_on_card(play, agreement or old["agreement"]):
        expected.add(Conflict)
    if further and wanted < LOWEST:
        expected.add(Invalid)
    key = play.new_key("sale")
    told = play.attempt(
        person,
        sales.sell_again,
        expected,
        key=key,
        sale=old["number"],
        agreement=agreement,
        amount=amount,
    )
    if told is None:
        return
    shift = play.plain.shift_of(person) if further else None
    till = None if shift is None else shift["number"]
    sale = {**new_sale(agreement or old["agreement"], wanted, till, further)}
    sale["number"] = told["sale"]
    plain_payments.sold_again(play.plain, old, key, sale, further)


# ---- two persons


def waits(play: Play, subject: str) -> bool:
    """Return whether a proposal about something is not ended."""
    return any(subject == task["subject"] for task in play.tasks.values())


def propose(
    play: Play,
    task: str,
    person: str,
    subject: str,
    approved: Callable[[Play, dict[str, Any]], tuple[Errors, Callable[..., None]]],
    **proposal: Any,
) -> None:
    """Keep what a task proposes."""
    play.tasks[task] = {
        "person": person, "subject": subject, "approved": approved, "proposal": proposal,
    }  # fmt: skip


def decide(play: Play) -> None:
    """A proposal is approved or refused: by another person with the role, or not."""
    if not play.tasks:
        return
    number = play.random.choice(tuple(play.tasks))
    task = play.tasks[number]
    person = play.random.choice((*APPROVERS, *APPROVERS, "vendor1", "clerk", task["person"]))
    expected: Errors = set()
    if person not in APPROVERS or person == task["person"]:
        expected.add(NotPermitted)
    if play.random.random() < 0.2:
        if person == task["person"]:
            expected = set()
        if play.attempt(person, tasks.refuse, expected, number=number, reason="no") is not None:
            del play.tasks[number]
        return
    errors, done = task["approved"](play, task["proposal"])
    told = play.attempt(
        person, tasks.approve, expected | errors, key=play.new_key("approved"), number=number
    )
    if told is not None:
        del play.tasks[number]
        done(told)


def settle_by_hand(play: Play) -> None:
    """An unknown sale is to be ended by two persons."""
    sale = play.sale("unknown") if play.random.random() < 0.9 else play.sale(*ALL)
    if sale is None:
        return
    person = play.random.choice(("accountant1", "accountant2", "vendor1"))
    as_ = play.random.choice(tuple(SettledAs))
    expected: Errors = set() if person in ACCOUNTANTS else {NotPermitted}
    if sale["state"] != "unknown" or waits(play, sale["key"]):
        expected.add(Refused)
    told = play.attempt(person, settling.settle, expected, sale=sale["number"], as_=as_)
    if told is not None:
        propose(play, told["task"], person, sale["key"], _settle_approved, sale=sale, as_=as_)


def _settle_approved(play: Play, proposal: dict[str, Any]) -> tuple[Errors, Callable[..., None]]:
    sale, word = proposal["sale"], proposal["as_"].value

    def done(_: dict[str, Any]) -> None:
        play.plain.settled_by_hand(sale, word)
        sale["by_hand"] = True
        play.seen[f"sale: unknown > hand_{word}"] += 1

    return (set() if sale["state"] == "unknown" else {Refused}), done


def move_sale(play: Play) -> None:
    """A delivered sale is to be moved to the agreement for which it was paid."""
    sale = play.sale("delivered") if play.random.random() < 0.9 else play.sale(*ALL)
    if sale is None:
        return
    person = play.random.choice(("vendor1", "accountant1", "clerk"))
    to = play.random.choice(play.agreements)
    expected: Errors = {NotPermitted} if person == "clerk" else set()
    if to == sale["agreement"]:
        expected.add(Invalid)
    if sale["state"] != "delivered" or _was_moved(play, sale) or waits(play, sale["key"]):
        expected.add(Refused)
    if to not in play.meter_of:
        expected.add(Refused)
    if lies_on_card(play, to):
        expected.add(Conflict)
    told = play.attempt(person, sale_moves.move, expected, sale=sale["number"], to=to)
    if told is not None:
        propose(play, told["task"], person, sale["key"], _move_approved, sale=sale, to=to)


def _was_moved(play: Play, sale: dict[str, Any]) -> bool:
    """Return whether a sale was moved, or is being moved."""
    moving = any(
        order["waits"] and order["waits"]["old"] is sale for order in play.plain.refunds.values()
    )
    return moving or bool(sale["moved"])


def _move_approved(play: Play, proposal: dict[str, Any]) -> tuple[Errors, Callable[..., None]]:
    sale, to = proposal["sale"], proposal["to"]

    def done(told: dict[str, Any]) -> None:
        if "order" not in told:  # nothing of it is left in the meter
            new = {**new_sale(to, sale["amount"], None, 0), "number": told["sale"]}
            key = f"moved-{sale['number']}-{told['task']}"
            plain_payments.moved_sale(play.plain, sale, key, new, 0, play.day)
            return
        key = f"moved-{sale['number']}-{told['order']}"
        play.plain.refunds[play.requests[-1].key] = {
            "agreement": sale["agreement"], "amount": told["given_back"], "state": "taken",
            "waits": {"old": sale, "to": to, "key": key},
        }  # fmt: skip

    expected: Errors = {Conflict} if lies_on_card(play, to) else set()
    if sale["state"] != "delivered" or _was_moved(play, sale):
        expected.add(Refused)
    return expected, done


# ---- the end of a date


def close_date(play: Play) -> None:
    """A date is closed: one that has ended, with all shifts that began on it cashed up."""
    day = play.day - play.random.choice((0, 1, 1, 1, 2))
    person = play.random.choice(("chief_accountant", "chief_accountant", "accountant1"))
    on = EPOCH + timedelta(days=day)
    expected: Errors = {NotPermitted} if person == "accountant1" else set()
    if day >= play.day or play.closed_day >= day:
        expected.add(Refused)
    if any(s["day"] <= day and s["state"] != "closed" for s in play.plain.shifts.values()):
        expected.add(Refused)
    if play.booked_days & set(range(play.closed_day + 1, day)):
        expected.add(Refused)
    if play.attempt(person, closing.close_day, expected, on=on) is not None:
        play.closed_day = day


# ---- payments that were wrong


def move_payment(play: Play) -> None:
    """A payment was booked on the wrong agreement."""
    if not play.plain.payments:
        return
    number = play.random.choice(tuple(play.plain.payments))
    payment = play.plain.payments[number]
    to = play.random.choice(play.agreements)
    person = play.random.choice(("accountant1", "accountant2", "vendor2"))
    expected: Errors = set() if person in ACCOUNTANTS else {NotPermitted}
    if to == payment["agreement"]:
        expected.add(Invalid)
    if payment["state"] == "bounced" or payment["sale"] is not None:
        expected.add(Refused)
    if plain_payments.can_take_back(play.plain, payment["agreement"]) < payment["amount"]:
        expected.add(Refused)
    told = play.attempt(person, payments.move, expected, payment=number, to=to)
    if told is not None:
        plain_payments.move_payment(play.plain, payment, to)


def bounce(play: Play) -> None:
    """The money of a payment was not good."""
    of_sales = payments_of_sales(play.site.database.engine)
    known = {number: key for key, number in of_sales.items()}
    numbers = (*play.plain.payments, *known)
    if not numbers:
        return
    number = play.random.choice(numbers)
    sale = play.plain.sales[known[number]] if number in known else None
    payment = play.plain.payments.get(number) or {
        "agreement": sale["agreement"], "shift": sale["shift"], "amount": sale["paid"],
        "state": "cancelled" if sale["state"] == "cancelled" else "taken", "sale": sale,
    }  # fmt: skip
    person = play.random.choice(("accountant1", "accountant2", "vendor1"))
    expected: Errors = set() if person in ACCOUNTANTS else {NotPermitted}
    shift = play.plain.shifts[payment["shift"]]
    if payment["state"] in ("bounced", "cancelled") or shift["state"] == "counted":
        expected.add(Refused)
    if sale is not None and sale["state"] in ON_THE_WAY:
        expected.add(Refused)
    if shift["state"] == "open" and play.plain.cash(shift) < payment["amount"]:
        expected.add(Refused)
    told = play.attempt(person, payments.bounce, expected, payment=number)
    if told is None:
        return
    play.plain.payments[number] = payment
    if sale is None:
        plain_payments.bounce_bills(play.plain, payment, play.day)
    else:
        plain_payments.bounce_sale(play.plain, payment, sale, play.day)
