"""What of the books belongs to a node of the tree and those below it: as conditions of rows."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, or_, select

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.money import Account, Payment, Shift
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.store.queries.ledger import OF_AGREEMENTS


@dataclass(frozen=True, slots=True)
class NodePart:
    """Agreements whose supply points lie at a node or below it, and shifts that were opened there.

    Attributes:
        agreements: the condition of rows of agreements; `shifts`, `payments` and `accounts`
            likewise. A payment belongs to the node of its shift, without one to its agreement's.
    """

    agreements: ColumnElement[bool]
    shifts: ColumnElement[bool]
    payments: ColumnElement[bool]
    accounts: ColumnElement[bool]


def part_of(node: Organisation) -> NodePart:
    """Return what belongs to a node and those below it."""
    nodes = select(Organisation.id).where(Organisation.path.startswith(node.path, autoescape=True))
    points = select(SupplyPoint.id).where(SupplyPoint.node_id.in_(nodes))
    agreements: Select[int] = select(Agreement.id).where(Agreement.point_id.in_(points))
    shifts: Select[int] = select(Shift.id).where(Shift.node_id.in_(nodes))
    return NodePart(
        agreements=Agreement.point_id.in_(points),
        shifts=Shift.node_id.in_(nodes),
        payments=or_(
            Payment.shift_id.in_(shifts),
            and_(Payment.shift_id.is_(None), Payment.agreement_id.in_(agreements)),
        ),
        accounts=or_(
            and_(Account.kind.in_(OF_AGREEMENTS), Account.owner_id.in_(agreements)),
            and_(Account.kind == AccountKind.CASH, Account.owner_id.in_(shifts)),
        ),
    )
