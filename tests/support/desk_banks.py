"""Banks of the desk for tests: their descriptions, their files, and bills that are open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from meterctl.utility.model.money import Bill, BillKind, BillState
from meterctl.utility.rules import postings
from meterctl.utility.rules.bank_description import BankFileKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import bank_files, banks
from meterctl.utility.store.ledger import About
from meterctl.utility.store.unit_of_work import UnitOfWork
from tests.support.desk_counter import Counter
from tests.support.desk_world import TODAY

EXAMPLES = Path(__file__).parents[2] / "examples/banks"
SHIPPED = (EXAMPLES / "shipped.toml").read_text()
LAKESIDE = (EXAMPLES / "lakeside.toml").read_text()
AT = f"{TODAY} 10:00:00"
COLLECTED, STATEMENT, RETURNS = (
    BankFileKind.COLLECTED, BankFileKind.STATEMENT, BankFileKind.RETURNS,
)  # fmt: skip


def a_bank(counter: Counter, description: str = SHIPPED) -> None:
    """Add a bank to a desk."""
    counter.do(Role.ADMIN, banks.set_bank, description=description)


def a_file(*lines: str, at: str = AT) -> bytes:
    """Return a file with the shipped columns; each line is `reference,party,amount`."""
    rows = [line if line.count(",") == 3 else f"{line},{at}" for line in lines]
    return "\n".join(["reference,party,amount,paid_at", *rows, ""]).encode()


def load(
    counter: Counter,
    kind: BankFileKind,
    *lines: str,
    bank: str = "shipped",
    at: str = AT,
    **values: Any,
) -> Any:
    """Have an accountant load a file with the shipped columns."""
    content = a_file(*lines, at=at)
    return counter.do(
        Role.ACCOUNTANT, bank_files.load, bank=bank, content=content, name="f.csv", kind=kind,
        **values,
    )  # fmt: skip


def open_bills(counter: Counter, amounts: Sequence[int], due_on: date = TODAY, of: int = 1) -> None:
    """Add bills that were taken over, each with the next number, B1 first."""
    counter.work(lambda work: write_bills(work, amounts, due_on, of))


def write_bills(work: UnitOfWork, amounts: Sequence[int], due_on: date, of: int) -> None:
    """Write bills that were taken over."""
    first = work.session.query(Bill).count() + 1
    for number, amount in enumerate(amounts, first):
        bill = work.add(
            Bill(
                number=f"B{number}", agreement_id=of, kind=BillKind.TAKEN_OVER,
                state=BillState.ISSUED, month="", amount=amount, issued_at=work.now,
                due_on=due_on, note="",
            )
        )  # fmt: skip
        transfer = postings.Transfer(postings.receivable(of), postings.TAKEN_OVER, amount, bill.id)
        work.ledger.post(f"bill/{number}", "taken_over", (transfer,), About(of))
