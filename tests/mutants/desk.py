"""Mutants of the desk: postings, the sale's table, the books of sales, keys, turns of orders."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_RULES = "meterctl/utility/rules"
_STORE = "meterctl/utility/store"
_SALE_POSTINGS, _PAYMENTS = f"{_RULES}/postings/sales.py", f"{_RULES}/postings/payments.py"
_METERING, _TAKING_OVER = f"{_RULES}/postings/metering.py", f"{_RULES}/postings/taking_over.py"
_TRANSITIONS, _ALLOCATION = f"{_RULES}/transitions.py", f"{_RULES}/allocation.py"
_SALE_BOOKS, _ORDERS = f"{_STORE}/sale_books.py", "meterctl/utility/meters/orders.py"
ROWS = "tests/unit/meterctl/utility/rules/test_postings.py"
RANDOM_EVENTS = "tests/unit/meterctl/utility/rules/test_invariants.py"
ALLOCATION = "tests/unit/meterctl/utility/rules/test_allocation.py"
MONEY = "tests/unit/meterctl/utility/rules/test_money.py"
TABLES = "tests/unit/meterctl/utility/rules/test_transitions.py"
SALE_BOOKS = "tests/unit/meterctl/utility/store/test_sale_books.py"
UNIT_OF_WORK = "tests/unit/meterctl/utility/store/test_unit_of_work.py"
ORDERS = "tests/unit/meterctl/utility/meters/test_orders.py"
PAYMENTS = "tests/unit/meterctl/utility/services/test_payments.py"
TOGETHER = "tests/desk/test_together.py"

DESK_MUTANTS = (
    # postings
    Mutant(
        "a delivered sale is credit as a whole, its share for debt beside it",
        _SALE_POSTINGS,
        "        *move(undelivered(agreement), in_meter(agreement), amount - to_debt),\n",
        "        *move(undelivered(agreement), in_meter(agreement), amount),\n",
        (ROWS,),
    ),
    Mutant(
        "a cancelled sale brings the till money",
        _SALE_POSTINGS,
        "    return move(undelivered(agreement), paid_into, amount)\n",
        "    return move(paid_into, undelivered(agreement), amount)\n",
        (ROWS,),
    ),
    Mutant(
        "what is owed on one agreement is taken from the other",
        _SALE_POSTINGS,
        "    return move(payable(owed_by), undelivered(agreement), amount)\n",
        "    return move(payable(agreement), undelivered(agreement), amount)\n",
        (ROWS,),
    ),
    Mutant(
        "floors of differences, which drift",
        f"{_RULES}/money.py",
        "    return floored(now) - floored(before)\n",
        "    return floored(now - before)\n",
        (MONEY, ROWS),
    ),
    Mutant(
        "the newest bill is paid first",
        _PAYMENTS,
        "spread(available, bills).parts)\n",
        "spread(available, list(bills)[::-1]).parts)\n",
        (ROWS, PAYMENTS),
    ),
    Mutant(
        "the oldest allocation goes back first",
        _ALLOCATION,
        "    return spread(amount, reversed(allocations))\n",
        "    return spread(amount, allocations)\n",
        (ALLOCATION, PAYMENTS),
    ),
    Mutant(
        "what a bounce cannot take back is no claim",
        _PAYMENTS,
        "        *move(receivable(agreement), paid_into, back.rest, claim),\n",
        "",
        (ROWS, PAYMENTS),
    ),
    Mutant(
        "a short till is booked as over",
        _PAYMENTS,
        "    return move_signed(TILL_DIFFERENCE, cash(shift), -difference_found)\n",
        "    return move_signed(TILL_DIFFERENCE, cash(shift), difference_found)\n",
        (ROWS,),
    ),
    Mutant(
        "the standing charge of a reading is not booked",
        _METERING,
        "        *move(in_meter(agreement), REVENUE_STANDING, "
        "difference(now.standing, before.standing)),\n",
        "",
        (ROWS,),
    ),
    Mutant(
        "a sale that was paid out is owed again when it was taken after all",
        _METERING,
        "    from_payable = min(amount, still_owed)\n",
        "    from_payable = amount\n",
        (ROWS,),
    ),
    Mutant(
        "credit is taken over without the fractions of its books",
        _TAKING_OVER,
        "        return raised(\n            self.credit, books.consumption, books.standing, "
        "books.instalments, self.to_debt\n        )\n",
        "        return raised(self.credit)\n",
        (ROWS, RANDOM_EVENTS),
    ),
    # the sale's table
    Mutant(
        "an open entry is run again",
        _TRANSITIONS,
        "    (SaleState.SENDING, SaleEvent.OPEN_OUTCOME): SaleState.UNKNOWN,\n",
        "    (SaleState.SENDING, SaleEvent.OPEN_OUTCOME): SaleState.TAKEN,\n",
        (TABLES, SALE_BOOKS),
    ),
    Mutant(
        "an erased card is a dead sale",
        _TRANSITIONS,
        "    (SaleState.ON_CARD, SaleEvent.ERASED): SaleState.UNKNOWN,\n",
        "    (SaleState.ON_CARD, SaleEvent.ERASED): SaleState.DEAD,\n",
        (TABLES, SALE_BOOKS),
    ),
    Mutant(
        "a sale that is being sent can be cancelled",
        _TRANSITIONS,
        "    (SaleState.TAKEN, SaleEvent.CANCEL): SaleState.CANCELLED,\n",
        "    (SaleState.TAKEN, SaleEvent.CANCEL): SaleState.CANCELLED,\n"
        "    (SaleState.SENDING, SaleEvent.CANCEL): SaleState.CANCELLED,\n",
        (TABLES, SALE_BOOKS),
    ),
    Mutant(
        "a prepared entry counts as none",
        _TRANSITIONS,
        "    (SaleState.SENDING, JournalWord.PREPARED): SaleEvent.OPEN_OUTCOME,\n",
        "    (SaleState.SENDING, JournalWord.PREPARED): SaleEvent.ABSENT,\n",
        (TABLES,),
    ),
    Mutant(
        "an entry that a person closed is a proof",
        _TRANSITIONS,
        "    return _JOURNAL.get((state, JournalWord.UNKNOWN if by_hand else word))\n",
        "    return _JOURNAL.get((state, word))\n",
        (TABLES,),
    ),
    Mutant(
        "no proof stands against a payout",
        _TRANSITIONS,
        "_ENDED_UNDELIVERED = (SaleState.DEAD, SaleState.HAND_DEAD, SaleState.REPAID, "
        "SaleState.REPLACED)\n",
        "_ENDED_UNDELIVERED = (SaleState.DEAD, SaleState.HAND_DEAD, SaleState.REPLACED)\n",
        (TABLES, SALE_BOOKS),
    ),
    # the books of sales
    Mutant(
        "what a sale paid for debt is not kept",
        _SALE_BOOKS,
        "        meter.to_debt_exact = to_debt_now\n",
        "        pass\n",
        (SALE_BOOKS,),
    ),
    Mutant(
        "an order is not where its sale is",
        _SALE_BOOKS,
        "    order.credit_state = reached\n    order.cause",
        "    order.cause",
        (SALE_BOOKS,),
    ),
    Mutant(
        "the payment of a cancelled sale stays taken",
        _SALE_BOOKS,
        "        taken.state = PaymentState.CANCELLED\n",
        "",
        (SALE_BOOKS,),
    ),
    Mutant(
        "a late claim is not paid from the advance",
        _SALE_BOOKS,
        "    if event is SaleEvent.PROOF_DELIVERED:\n        allocate(",
        "    if event is SaleEvent.RECEIPT:\n        allocate(",
        (SALE_BOOKS,),
    ),
    Mutant(
        "a late proof takes what other sales are owed",
        f"{_STORE}/sale_postings.py",
        "        free = max(0, payable - owed_by_name(work.session, sale.agreement_id))\n",
        "        free = payable\n",
        (SALE_BOOKS,),
    ),
    Mutant(
        "a sale behind a cancelled opening does not open the account",
        _ORDERS,
        "                begun = _with_message(work, begun, rows[0])\n",
        "",
        (ORDERS,),
    ),
    # keys and threads
    Mutant(
        "a key with another body is answered as the first",
        f"{_STORE}/unit_of_work.py",
        "    if (first.route, first.body_sha256) != (asked.route, asked.body_sha256):\n",
        "    if first.route != asked.route:\n",
        (UNIT_OF_WORK,),
    ),
    Mutant(
        "accounts may become negative",
        f"{_STORE}/ledger.py",
        "            if balance < 0:\n",
        "            if balance < 0 > balance + 1:\n",
        (UNIT_OF_WORK, PAYMENTS),
    ),
    Mutant(
        "a row that another transaction inserts at the same moment is an error",
        f"{_STORE}/statements.py",
        '        "postgresql": postgresql.insert(rows).on_conflict_do_nothing(),\n',
        '        "postgresql": postgresql.insert(rows),\n',
        (TOGETHER,),
    ),
)
