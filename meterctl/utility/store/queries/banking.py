"""Banks, their files and lines by name; whose money a line is, by the bank's word for its payer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.banking import Bank, BankFile, BankLine
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.rules.bank_description import BankFileKind
from meterctl.utility.rules.transitions import AgreementState

_AT_ONCE = 500
"""Values of one query."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a line is: the number of the agreement, or why that is not known."""

    agreement_id: int | None
    cause: str = ""


def find_bank(session: Session, code: str) -> Bank:
    """Return a bank by its code; raises NotFound."""
    found = session.scalars(select(Bank).where(Bank.code == code.strip())).one_or_none()
    if found is None:
        known = ", ".join(session.scalars(select(Bank.code).order_by(Bank.code))) or "none yet"
        raise NotFound(
            "no_bank",
            f"there is no bank {code!r} (there are: {known}); `desk bank set FILE.toml` adds one; "
            "nothing was changed",
        )
    return found


def account_of_bank(session: Session, code: str) -> int:
    """Return the owner of the accounts of a bank."""
    return session.scalars(select(Bank.account).where(Bank.code == code)).one()


def line_number(line_id: int) -> str:
    """Return the number of a line for people."""
    return f"L{line_id}"


def file_number(file_id: int) -> str:
    """Return the number of a bank's file for people."""
    return f"F{file_id}"


def find_line(session: Session, named: str) -> BankLine:
    """Return a line by its number, such as L7; raises NotFound."""
    digits = named.strip().upper().removeprefix("L")
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= 18
    found = session.get(BankLine, int(digits)) if is_number else None
    if found is None:
        raise NotFound(
            "no_line", f"there is no line {named!r}; `desk bank lines` shows them; nothing was "
            "changed"
        )  # fmt: skip
    return found


def line_of_payment(session: Session, payment_id: int) -> BankLine | None:
    """Return the line of a bank's file that brought a payment; None: no bank did.

    A debit's payment is named by the line that was sent and by the one that came back.
    """
    return session.scalars(
        select(BankLine).where(BankLine.payment_id == payment_id).order_by(BankLine.id)
    ).first()


def file_of_content(session: Session, sha256: str) -> BankFile | None:
    """Return the file of a content, None where it is new."""
    return session.scalars(select(BankFile).where(BankFile.sha256 == sha256)).one_or_none()


def known_lines(
    session: Session, bank: str, kind: BankFileKind, references: Collection[str]
) -> dict[str, BankLine]:
    """Return by reference the lines of a kind that a bank has sent, or was sent, before."""
    return {
        line.reference: line
        for some in _parts(sorted(references))
        for line in session.scalars(
            select(BankLine).where(
                BankLine.bank == bank, BankLine.kind == kind, BankLine.reference.in_(some)
            )
        )
    }


def owners(session: Session, parties: Collection[str]) -> Mapping[str, Owner]:
    """Return whose money each text is: of an agreement, a supply point (户号), a customer.

    A text that means more than one agreement in force, or none, has a cause in its place: money is
    never given to a customer who may be another one.
    """
    wanted = {party: party.replace(" ", "") for party in parties if party}
    names = sorted(set(wanted.values()))
    found: dict[str, set[tuple[int, AgreementState]]] = {name: set() for name in names}
    for name, agreement, state in _agreements_named(session, names):
        found[name].add((agreement, state))
    return {
        "": Owner(None, "the bank names no person"),
        **{party: _one_of(party, found[name]) for party, name in wanted.items()},
    }


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield values in parts of a query's size."""
    for first in range(0, len(values), _AT_ONCE):
        yield values[first : first + _AT_ONCE]


def _agreements_named(
    session: Session, names: Sequence[str]
) -> Iterator[tuple[str, int, AgreementState]]:
    """Yield each agreement that a name may mean."""
    for some in _parts(names):
        for column in (Agreement.number, SupplyPoint.number, Party.number):
            rows: Any = (
                select(column, Agreement.id, Agreement.state)
                .join(SupplyPoint, SupplyPoint.id == Agreement.point_id)
                .join(Party, Party.id == Agreement.party_id)
                .where(column.in_(some))
            )
            yield from (tuple(row) for row in session.execute(rows))


def _one_of(party: str, found: Collection[tuple[int, AgreementState]]) -> Owner:
    """Return the agreement that is meant, of those that a name may mean."""
    if not found:
        return Owner(None, f"there is no agreement, supply point or customer {party}")
    live = [agreement for agreement, state in found if state is not AgreementState.CLOSED]
    if len(live) == 1:
        return Owner(live[0])
    if not live:
        return Owner(None, f"the agreement of {party} is closed")
    return Owner(None, f"{party} has {len(live)} agreements")
